/* The shortest description of a node type that will do, right in front of memory that can't be read: a host that reads
 * more than the size says crashes. */
#include "pawl/pawl_plugin.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_OK;
}

static const pawl_type *types[2];

/* A constructor, so that it has happened when the host looks. */
static void __attribute__((constructor)) place(void)
{
	const size_t size = offsetof(pawl_type, cancel);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0)
		return;
	pawl_type type = {.size = (uint32_t)size, .keyword = "guard_page", .start = start};
	memcpy(pages + page - size, &type, size);
	types[0] = (const pawl_type *)(const void *)(pages + page - size);
}

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD,
	.id = "test.guard_page",
	.version = "1.0",
	.types = types,
};
