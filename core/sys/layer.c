/* sys: holds the layer's place until its first file lands. */
extern int pawl_sys_layer;
int pawl_sys_layer;
