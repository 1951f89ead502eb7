/* Exports eight bytes under the name of a description. */
#include <stdint.h>

struct eight {
	uint32_t magic;
	uint32_t size;
};

extern const struct eight eight __asm__("pawl_plugin_v1") __attribute__((visibility("default")));
const struct eight eight = {0x4c574150u, 8};
