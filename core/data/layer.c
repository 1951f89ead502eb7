/* data: holds the layer's place until its first file lands. */
extern int pawl_data_layer;
int pawl_data_layer;
