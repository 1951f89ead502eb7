/* plug: holds the layer's place until its first file lands. */
extern int pawl_plug_layer;
int pawl_plug_layer;
