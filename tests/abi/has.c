/* has: PAWL_HAS as a plugin of a newer SDK uses it on an older host: what the host's table lacks is told without being read.
 * The table ends where readable memory ends. */
#include "pawl/pawl_plugin.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void finish(pawl_run *run, pawl_status status)
{
	(void)run;
	(void)status;
}

static const void *extension(const pawl_host *host, const char *id)
{
	(void)host;
	(void)id;
	return NULL;
}

static int failures;

static void expect(int is, int wanted, const char *what)
{
	if (!is == !wanted)
		return;
	failures++;
	fprintf(stderr, "%s: %d, not %d\n", what, is, wanted);
}

/* A table that says it has `size` bytes, right in front of a page that can't be read; aligned as any table is. */
static const pawl_host *cut(const pawl_host *whole, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0)
		return NULL;
	pawl_host copy = *whole;
	copy.size = (uint32_t)size;
	size_t room = (size + _Alignof(pawl_host) - 1) / _Alignof(pawl_host) * _Alignof(pawl_host);
	memcpy(pages + page - room, &copy, room);
	return (const pawl_host *)(const void *)(pages + page - room);
}

int main(void)
{
	const pawl_host whole = {.size = sizeof(whole), .finish = finish, .extension = extension};
	expect(PAWL_HAS(&whole, finish), 1, "a member of a whole table");
	expect(PAWL_HAS(&whole, log), 0, "a member that is NULL");
	const pawl_host *shorter = cut(&whole, offsetof(pawl_host, extension));
	if (!shorter)
		return 1;
	expect(PAWL_HAS(shorter, finish), 1, "the last member of an older table");
	expect(PAWL_HAS(shorter, extension), 0, "a member behind the end");
	/* Of a member only its first half: none. */
	const pawl_host *torn = cut(&whole, offsetof(pawl_host, extension) + sizeof(void *) / 2);
	expect(torn && PAWL_HAS(torn, extension), 0, "half a member");
	return failures != 0;
}
