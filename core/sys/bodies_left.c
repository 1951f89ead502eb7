/* bodies_left: finds and ends what a killed process left running; see bodies.h.  The evidence is gathered anew in each
 * pass, in this order: first all processes, then who records; so that a process of one that has just begun is never seen
 * without the one that protects it. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/vec.h"
#include "sys/bodies_internal.h"
#include "sys/clock.h"
#include "sys/proc_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASS_MS        20
#define PASS_MOST_MS   100u  /* what one pass counts for at most */
#define DEATH_LIMIT_MS 5000u /* after SIGKILL: what does not die hangs in the kernel */
#define CLIMB_STEPS    100000
#define RECORD_LIMIT   ((size_t)64 << 20)

typedef VEC(struct proc_id) proc_ids;

struct search {
	const struct bodies_mark *mark;
	struct proc_table table;
	proc_ids owners;  /* alive, and recording here; this process too */
	proc_ids kin;     /* this process, and those above it */
	proc_ids bodies;  /* recorded by who is gone */
	proc_ids seen;    /* left over, as found by any pass */
	VEC(char *) dead; /* names of the records of who is gone */
	struct buf text;
};

static bool ids_have(const proc_ids *ids, struct proc_id id)
{
	for (size_t i = 0; i < ids->len; i++) {
		if (ids->ptr[i].pid == id.pid && ids->ptr[i].start == id.start)
			return true;
	}
	return false;
}

static void forget_records(struct search *s)
{
	for (size_t i = 0; i < s->dead.len; i++)
		free(s->dead.ptr[i]);
	s->dead.len = 0;
	s->owners.len = 0;
	s->bodies.len = 0;
}

/* ---- records ---- */

static bool read_record(int dir, const char *name, struct buf *out)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	buf_clear(out);
	if (fd < 0)
		return false;
	ssize_t n = 1;
	while (n > 0 && out->len < RECORD_LIMIT) {
		buf_reserve(out, 65536);
		n = read(fd, out->ptr + out->len, 65536);
		out->len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return true;
}

enum head { HEAD_HERE, HEAD_OTHER_PIDS, HEAD_STRANGE };

/* Whose record it is, and whether what it says is about processes that can be seen from here. */
static enum head parse_head(str slot, const char *here, struct proc_id *owner)
{
	str field[3] = {STR(""), STR(""), STR("")};
	str mine = str_of(here);
	uint64_t pid = 0;
	if (!str_starts(slot, STR(BODIES_HEAD)))
		return HEAD_STRANGE;
	str line = STR("");
	str_split(&slot, '\n', &line);
	line = str_slice(line, strlen(BODIES_HEAD), line.len);
	for (int i = 0; i < 3; i++)
		str_split(&line, ' ', &field[i]);
	if (!str_to_u64(field[1], &pid) || pid > INT32_MAX || !str_to_u64(field[2], &owner->start))
		return HEAD_STRANGE;
	owner->pid = (int32_t)pid;
	if (str_eq(field[0], mine))
		return HEAD_HERE;
	/* The last part is the namespace. */
	size_t end = mine.len;
	while (end > 0 && mine.ptr[end - 1] != '/')
		end--;
	return str_starts(field[0], str_slice(mine, 0, end)) ? HEAD_OTHER_PIDS : HEAD_STRANGE;
}

static void take_bodies(struct search *s, str slots)
{
	for (size_t at = BODIES_SLOT; at < slots.len; at += BODIES_SLOT) {
		struct proc_stat stat;
		char text[BODIES_SLOT + 1] = {0};
		str slot = str_slice(slots, at, at + BODIES_SLOT);
		memcpy(text, slot.ptr, slot.len);
		if (proc_parse_stat(text, &stat))
			*vec_push(&s->bodies) = stat.id;
	}
}

static void take_record(struct search *s, int dir, const char *name)
{
	struct proc_id owner = {0};
	if (!read_record(dir, name, &s->text))
		return;
	str text = buf_str(&s->text);
	enum head head = parse_head(str_slice(text, 0, BODIES_SLOT), s->mark->here, &owner);
	if (head == HEAD_OTHER_PIDS)
		return;
	if (head == HEAD_HERE && proc_is_alive(owner)) {
		*vec_push(&s->owners) = owner;
		return;
	}
	/* A strange one was copied here, or is of an earlier boot: nothing that it names is of this directory.  One without a
	 * head is being begun, or its disk was full. */
	*vec_push(&s->dead) = mem_dup(name, strlen(name));
	if (head == HEAD_HERE)
		take_bodies(s, text);
}

/* A record that has no head yet is its owner's, who is named by it. */
static bool is_beginning(int dir, const char *name)
{
	struct proc_id owner = {0};
	char *end = NULL;
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size > 0)
		return false;
	owner.pid = (int32_t)strtol(name, &end, 10);
	if (*end == '-')
		owner.start = strtoull(end + 1, NULL, 10);
	return proc_is_alive(owner);
}

static void read_records(struct search *s)
{
	forget_records(s);
	*vec_push(&s->owners) = proc_self();
	int fd = openat(s->mark->dir, BODIES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && !is_beginning(fd, entry->d_name))
			take_record(s, fd, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

static void remove_dead(struct search *s)
{
	int fd = openat(s->mark->dir, BODIES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	for (size_t i = 0; fd >= 0 && i < s->dead.len; i++)
		unlinkat(fd, s->dead.ptr[i], 0);
	if (fd >= 0)
		close(fd);
}

/* ---- above whom it is ---- */

/* Who is above it, read anew at each step, since parents end while one looks; those that can't be seen end the way.  False
 * where there is nobody above, or `pid` itself is gone. */
static bool parent_of(struct proc_stat *at)
{
	for (;;) {
		struct proc_stat parent;
		struct proc_stat again;
		int32_t asked = at->ppid;
		if (asked <= 0)
			return false;
		if (proc_read_stat(asked, &parent) && parent.id.start <= at->id.start) {
			*at = parent;
			return true;
		}
		if (!proc_read_stat(at->id.pid, &again) || again.id.start != at->id.start ||
			again.ppid == asked)
			return false;
		*at = again;
	}
}

static bool is_protected(const struct search *s, struct proc_stat at)
{
	if (ids_have(&s->kin, at.id))
		return true;
	for (int step = 0; step < CLIMB_STEPS && parent_of(&at); step++) {
		if (ids_have(&s->owners, at.id))
			return true;
	}
	return false;
}

static void find_kin(struct search *s)
{
	struct proc_stat at;
	if (!proc_read_stat((int32_t)getpid(), &at))
		return;
	do
		*vec_push(&s->kin) = at.id;
	while (s->kin.len < CLIMB_STEPS && parent_of(&at));
}

/* ---- the evidence ---- */

static bool has_limit(const struct search *s, int32_t pid)
{
	struct rlimit limit;
	return s->mark->limit != 0 && prlimit(pid, BODIES_RLIMIT, NULL, &limit) == 0 &&
	       (limit.rlim_cur & ~(rlim_t)BODIES_SLOTS) == s->mark->limit;
}

static bool has_marker(struct search *s, int32_t pid)
{
	proc_read_env(pid, &s->text);
	return proc_env_has(buf_str(&s->text), str_of(s->mark->marker), false);
}

/* A recorded body that is there still (a zombie, too) keeps its number, so its session and its group are its own.  When it
 * is gone they may have become another's. */
static void mark_recorded(struct search *s)
{
	for (size_t i = 0; i < s->bodies.len; i++) {
		struct proc_id body = s->bodies.ptr[i];
		const struct proc_stat *there = proc_table_find(&s->table, body.pid);
		if (there == NULL || there->id.start != body.start)
			continue;
		for (size_t k = 0; k < s->table.list.len; k++) {
			struct proc_stat *stat = &s->table.list.ptr[k];
			stat->is_marked |= stat->id.pid == body.pid || stat->pgrp == body.pid ||
			                   stat->session == body.pid;
		}
	}
}

static void find_left(struct search *s)
{
	proc_table_read(&s->table);
	read_records(s);
	mark_recorded(s);
	for (size_t i = 0; i < s->table.list.len; i++) {
		struct proc_stat *stat = &s->table.list.ptr[i];
		stat->is_marked = stat->is_marked || has_limit(s, stat->id.pid) ||
		                  has_marker(s, stat->id.pid);
	}
	proc_mark_descendants(&s->table);
	for (size_t i = 0; i < s->table.list.len; i++) {
		struct proc_stat *stat = &s->table.list.ptr[i];
		stat->is_marked =
			stat->is_marked && proc_stat_is_live(stat) && !is_protected(s, *stat);
	}
}

static void search_init(struct search *s, const struct bodies_mark *mark)
{
	*s = (struct search){.mark = mark};
	find_kin(s);
}

static void search_finish(struct search *s)
{
	forget_records(s);
	vec_finish(&s->table.list);
	vec_finish(&s->owners);
	vec_finish(&s->kin);
	vec_finish(&s->bodies);
	vec_finish(&s->seen);
	vec_finish(&s->dead);
	buf_finish(&s->text);
}

/* ---- what is asked ---- */

bool bodies_has_dead(const struct bodies_mark *mark)
{
	struct search s = {.mark = mark};
	read_records(&s);
	bool has = s.dead.len > 0;
	search_finish(&s);
	return has;
}

size_t bodies_count_left(const struct bodies_mark *mark)
{
	struct search s;
	size_t count = 0;
	search_init(&s, mark);
	find_left(&s);
	for (size_t i = 0; i < s.table.list.len; i++)
		count += s.table.list.ptr[i].is_marked;
	search_finish(&s);
	return count;
}

/* One pass; gives how many are there.  Before the kill each gets SIGTERM once. */
static size_t end_pass(struct search *s, bool killing)
{
	size_t found = 0;
	find_left(s);
	for (size_t i = 0; i < s->table.list.len; i++) {
		const struct proc_stat *stat = &s->table.list.ptr[i];
		if (!stat->is_marked)
			continue;
		bool is_new = !ids_have(&s->seen, stat->id);
		/* One that is gone by now, or another user's, is not there for us. */
		if (!proc_send(stat->id, killing ? SIGKILL : is_new ? SIGTERM : 0))
			continue;
		if (is_new && !killing)
			proc_send(stat->id, SIGCONT); /* a stopped one would never see the first */
		if (is_new)
			*vec_push(&s->seen) = stat->id;
		found++;
	}
	return found;
}

size_t bodies_end_left(const struct bodies_mark *mark, uint64_t grace_ms, size_t *stuck)
{
	struct search s;
	search_init(&s, mark);
	size_t left = 0;
	unsigned empty = 0;
	uint64_t spent = 0;
	uint64_t last = clock_mono_ms();
	/* A process that forks and ends while we look can slip through one pass, hardly through two. */
	while (empty < 2 && spent <= grace_ms + DEATH_LIMIT_MS) {
		left = end_pass(&s, spent >= grace_ms);
		empty = left > 0 ? 0 : empty + 1;
		if (left == 0 && s.seen.len == 0 && s.dead.len == 0)
			break;
		if (left > 0)
			poll(NULL, 0, PASS_MS);
		/* A pass in which this process was stopped is no grace for the others, and no time to die. */
		uint64_t now = clock_mono_ms();
		spent += now - last < PASS_MOST_MS ? now - last : PASS_MOST_MS;
		last = now;
	}
	if (left == 0)
		remove_dead(&s);
	size_t ended = s.seen.len;
	if (stuck != NULL)
		*stuck = left;
	search_finish(&s);
	return ended;
}
