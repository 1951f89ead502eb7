/* bodies: the record of the processes that this one starts; see bodies.h.  Who is left of a dead one's: bodies_left.c. */
#include "sys/bodies.h"

#include "base/buf.h"
#include "base/vec.h"
#include "sys/bodies_internal.h"
#include "sys/hash.h"
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* One a process: there is one loop, too. */
static struct {
	const struct bodies_mark *mark; /* NULL: closed */
	int fd;
	char name[48];
	VEC(bool) taken; /* slots behind the head */
} record = {.fd = -1};

void bodies_here(int dir, struct buf *out)
{
	struct stat st = {0};
	struct stat pids = {0};
	if (fstat(dir, &st) != 0)
		st = (struct stat){0};
	if (stat("/proc/self/ns/pid", &pids) != 0)
		pids = (struct stat){0};
	buf_add(out, proc_boot_id());
	buf_printf(out, "/%llx:%llx/%llx", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino, (unsigned long long)pids.st_ino);
}

uint64_t bodies_limit(str marker)
{
	struct digest digest = hash_of(marker);
	uint64_t limit;
	memcpy(&limit, digest.bytes, sizeof(limit));
	return ((limit >> 2) | UINT64_C(1) << 62) & ~(uint64_t)BODIES_SLOTS;
}

bool bodies_can_limit(void)
{
	struct rlimit was;
	struct rlimit now;
	if (getrlimit(BODIES_RLIMIT, &was) != 0)
		return false;
	now = (struct rlimit){UINT64_C(1) << 62, was.rlim_max};
	bool can = setrlimit(BODIES_RLIMIT, &now) == 0;
	setrlimit(BODIES_RLIMIT, &was);
	return can;
}

static bool write_head(const struct bodies_mark *mark, struct proc_id self)
{
	char head[BODIES_SLOT] = {0};
	int len = snprintf(head, sizeof(head), BODIES_HEAD "%s %d %llu\n", mark->here, self.pid,
		(unsigned long long)self.start);
	return len < BODIES_SLOT &&
	       pwrite(record.fd, head, sizeof(head), 0) == (ssize_t)sizeof(head);
}

bool bodies_open(const struct bodies_mark *mark, struct err *err)
{
	struct proc_id self = proc_self();
	bodies_close();
	record.mark = mark;
	snprintf(record.name, sizeof(record.name), BODIES_DIR "/%d-%llu", self.pid,
		(unsigned long long)self.start);
	if (mkdirat(mark->dir, BODIES_DIR, 0700) == 0 || errno == EEXIST)
		record.fd = openat(mark->dir, record.name,
			O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (record.fd >= 0 && write_head(mark, self))
		return true;
	err_sys(err, errno, "E-STORE-SYS", "the record of running processes can't be made");
	if (record.fd >= 0) {
		unlinkat(mark->dir, record.name, 0);
		close(record.fd);
	}
	record.fd = -1;
	return false;
}

void bodies_close(void)
{
	bool is_empty = true;
	for (size_t i = 0; i < record.taken.len; i++)
		is_empty = is_empty && !record.taken.ptr[i];
	if (record.fd >= 0) {
		if (is_empty)
			unlinkat(record.mark->dir, record.name, 0);
		close(record.fd);
	}
	record.fd = -1;
	record.mark = NULL;
	vec_finish(&record.taken);
}

void bodies_forget_parents(void)
{
	if (record.fd >= 0)
		close(record.fd);
	record.fd = -1;
	vec_finish(&record.taken);
}

int32_t bodies_begin(struct body_note *note)
{
	size_t slot = 0;
	*note = (struct body_note){.fd = record.fd, .parent = (int32_t)getpid()};
	note->has_limit = record.mark != NULL && record.mark->limit != 0 &&
	                  getrlimit(BODIES_RLIMIT, &note->limit) == 0;
	if (note->has_limit)
		note->limit.rlim_cur = record.mark->limit;
	if (record.fd < 0)
		return BODIES_NO_SLOT;
	while (slot < record.taken.len && record.taken.ptr[slot])
		slot++;
	if (slot == record.taken.len)
		*vec_push(&record.taken) = true;
	record.taken.ptr[slot] = true;
	note->at = (off_t)(slot + 1) * BODIES_SLOT;
	if (note->has_limit && slot < BODIES_SLOTS)
		note->limit.rlim_cur |= slot + 1;
	return (int32_t)slot;
}

int32_t bodies_slot_of(int32_t pid)
{
	struct rlimit limit;
	if (record.mark == NULL || record.mark->limit == 0 ||
		prlimit(pid, BODIES_RLIMIT, NULL, &limit) != 0 ||
		(limit.rlim_cur & ~(rlim_t)BODIES_SLOTS) != record.mark->limit)
		return BODIES_NO_SLOT;
	return (int32_t)(limit.rlim_cur & BODIES_SLOTS) - 1;
}

void bodies_end(int32_t slot)
{
	if (slot < 0 || record.fd < 0)
		return;
	/* Where that fails the record names a process that is gone: no other has its number and its start. */
	ssize_t written = pwrite(record.fd, "", 1, (off_t)(slot + 1) * BODIES_SLOT);
	(void)written;
	record.taken.ptr[slot] = false;
}
