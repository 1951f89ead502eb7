/* store: holds the layer's place until its first file lands. */
extern int pawl_store_layer;
int pawl_store_layer;
