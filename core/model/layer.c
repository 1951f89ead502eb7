/* model: holds the layer's place until its first file lands. */
extern int pawl_model_layer;
int pawl_model_layer;
