/* engine: holds the layer's place until its first file lands. */
extern int pawl_engine_layer;
int pawl_engine_layer;
