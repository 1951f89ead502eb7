/* loop_sweep: what children leave behind.  As a child subreaper we become the parent of every process whose own parent
 * ended; so a descendant of a child that is gone is either such an orphan or below one.  Whose it is shows its session,
 * its process group, its limit (bodies.h), the marker in its environment, or the pipe that it still holds.  Orphans that
 * show none of these fall to the last child that runs, and to loop_destroy.
 *
 * The usual child leaves nobody: that costs one read of a file of /proc that stays open. */
#include "base/mem.h"
#include "sys/bodies_internal.h"
#include "sys/loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIVE_UP_MS  5000u
#define KILL_ROUNDS 100
#define SCAN_ROUNDS 20

struct pid_list {
	int32_t *ptr;
	size_t len;
	size_t cap;
};

/* Where the kernel has no `children` file: the long way. */
static void walk_children(struct loop *loop, struct pid_list *out)
{
	int32_t self = (int32_t)getpid();
	proc_table_read(&loop->table);
	for (size_t i = 0; i < loop->table.list.len; i++) {
		if (loop->table.list.ptr[i].ppid == self)
			*vec_push(out) = loop->table.list.ptr[i].id.pid;
	}
}

/* All children of the main thread, zombies too: ours and those that we inherited. */
static void list_children(struct loop *loop, struct pid_list *out)
{
	out->len = 0;
	if (loop->children_fd < 0) {
		walk_children(loop, out);
		return;
	}
	char text[4096];
	off_t at = 0;
	int32_t pid = 0;
	for (;;) {
		ssize_t n = pread(loop->children_fd, text, sizeof(text), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else if (pid > 0) {
				*vec_push(out) = pid;
				pid = 0;
			}
		}
		at += n;
	}
}

static bool is_stranger(struct loop *loop, int32_t pid)
{
	for (size_t i = 0; i < loop->strangers.len; i++) {
		struct stranger *stranger = &loop->strangers.ptr[i];
		if (stranger->pid != pid)
			continue;
		if (stranger->was_ours && waitpid(pid, NULL, WNOHANG) != 0)
			*stranger = loop->strangers.ptr[--loop->strangers.len];
		return true;
	}
	return false;
}

bool sweep_init(struct loop *loop)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
	loop->children_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* `exec pawl` in a shell makes the shell's background jobs our children. */
	struct pid_list list = {0};
	list_children(loop, &list);
	for (size_t i = 0; i < list.len; i++)
		*vec_push(&loop->strangers) = (struct stranger){.pid = list.ptr[i]};
	vec_finish(&list);
	return true;
}

void sweep_finish(struct loop *loop)
{
	if (loop->children_fd >= 0)
		close(loop->children_fd);
	loop->children_fd = -1;
	vec_finish(&loop->strangers);
	vec_finish(&loop->orphans);
	vec_finish(&loop->table.list);
	buf_finish(&loop->env);
}

/* One look at our children; gives how many orphans it reaped. */
static size_t scan_once(struct loop *loop)
{
	struct pid_list list = {.ptr = loop->orphans.ptr, .cap = loop->orphans.cap};
	list_children(loop, &list);
	size_t live = 0;
	size_t reaped = 0;
	for (size_t i = 0; i < list.len; i++) {
		int32_t pid = list.ptr[i];
		if (child_of_pid(loop, pid) != NULL || is_stranger(loop, pid))
			continue;
		if (waitpid(pid, NULL, WNOHANG) != 0)
			reaped++;
		else
			list.ptr[live++] = pid;
	}
	loop->orphans.ptr = list.ptr;
	loop->orphans.cap = list.cap;
	loop->orphans.len = live;
	return reaped;
}

void sweep_scan(struct loop *loop)
{
	loop->must_scan = false;
	/* What a dead one leaves becomes ours behind the end of the list that was just read. */
	for (int round = 0; round < SCAN_ROUNDS && scan_once(loop) > 0; round++)
		;
}

/* ---- whose is it? ---- */

enum owner { OWNER_ZOMBIE, OWNER_MINE, OWNER_OTHER, OWNER_UNKNOWN, OWNER_UNSURE };

/* NULL: that process was not found as this child's before. */
static struct left *find_left(const struct world_proc *child, struct proc_id id)
{
	for (size_t i = 0; i < child->left.len; i++) {
		if (child->left.ptr[i].id.pid == id.pid && child->left.ptr[i].id.start == id.start)
			return &child->left.ptr[i];
	}
	return NULL;
}

static bool holds_pipe(const struct world_proc *child, int32_t pid)
{
	for (int which = 0; which < 2; which++) {
		struct stat pipe;
		if (child->out[which].fd < 0 || fstat(child->out[which].fd, &pipe) != 0)
			continue;
		for (int fd = 1; fd <= 2; fd++) {
			char path[48];
			struct stat theirs;
			snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
			if (stat(path, &theirs) == 0 && theirs.st_ino == pipe.st_ino &&
				theirs.st_dev == pipe.st_dev)
				return true;
		}
	}
	return false;
}

static bool is_in_slot(const struct loop *loop, int32_t slot)
{
	const struct world_proc *child = loop->children;
	while (child != NULL && child->slot != slot)
		child = child->next;
	return child != NULL;
}

/* Whether another child shows as the owner; loop->env holds the orphan's environment. */
static bool is_anothers(
	struct loop *loop, const struct world_proc *child, const struct proc_stat *stat)
{
	const struct world_proc *leader = child_of_pid(loop, stat->session);
	if (leader == NULL)
		leader = child_of_pid(loop, stat->pgrp);
	if (leader != NULL && leader != child)
		return true;
	for (const struct world_proc *other = loop->children; other != NULL; other = other->next) {
		if (other != child && other->marker != NULL &&
			proc_env_has(buf_str(&loop->env), str_of(other->marker), true))
			return true;
	}
	return false;
}

static enum owner owner_of(
	struct loop *loop, const struct world_proc *child, int32_t pid, struct proc_id *id)
{
	struct proc_stat stat;
	if (!proc_read_stat(pid, &stat) || !proc_stat_is_live(&stat))
		return OWNER_ZOMBIE;
	*id = stat.id;
	if (stat.pgrp == child->pid || stat.session == child->pid ||
		find_left(child, stat.id) != NULL)
		return OWNER_MINE;
	int32_t slot = bodies_slot_of(pid);
	if (slot != BODIES_NO_SLOT && is_in_slot(loop, slot))
		return slot == child->slot ? OWNER_MINE : OWNER_OTHER;
	proc_read_env(pid, &loop->env);
	if (child->marker != NULL && proc_env_has(buf_str(&loop->env), str_of(child->marker), true))
		return OWNER_MINE;
	if (is_anothers(loop, child, &stat))
		return OWNER_OTHER;
	if (loop->child_count == 1 || holds_pipe(child, pid))
		return OWNER_MINE;
	return loop->env.len == 0 ? OWNER_UNSURE : OWNER_UNKNOWN;
}

static size_t count_once(
	struct loop *loop, const struct world_proc *child, struct sweep_count *count)
{
	size_t zombies = 0;
	*count = (struct sweep_count){0};
	for (size_t i = 0; i < loop->orphans.len; i++) {
		struct proc_id id;
		enum owner owner = owner_of(loop, child, loop->orphans.ptr[i], &id);
		zombies += owner == OWNER_ZOMBIE;
		count->mine += owner == OWNER_MINE;
		count->unknown += owner == OWNER_UNKNOWN;
		count->unsure += owner == OWNER_UNSURE;
	}
	return zombies;
}

struct sweep_count sweep_count(struct loop *loop, const struct world_proc *child)
{
	struct sweep_count count;
	size_t zombies = count_once(loop, child, &count);
	/* A dead one shows nothing any more, but what it forked is ours now: look again. */
	for (int round = 0; zombies > 0 && round < SCAN_ROUNDS; round++) {
		sweep_scan(loop);
		zombies = count_once(loop, child, &count);
	}
	count.unsure += zombies;
	return count;
}

/* ---- ending ---- */

static void mark_pid(struct proc_table *table, int32_t pid)
{
	struct proc_stat *stat = proc_table_find(table, pid);
	if (stat != NULL)
		stat->is_marked = true;
}

static void send_one(struct proc_id id, int signal)
{
	proc_send(id, signal);
	if (signal == SIGTERM)
		proc_send(id, SIGCONT); /* a stopped process would never see the first */
}

/* The group as a whole, so that who is forked this moment gets it too. */
static bool send_group(struct world_proc *child, int signal)
{
	if (signal == SIGTERM && child->group_told)
		return false;
	kill(-child->pid, signal);
	if (signal == SIGTERM)
		kill(-child->pid, SIGCONT);
	child->group_told = true;
	return true;
}

/* An orphan that forks and ends all the time is gone before a walk over /proc is over; so what is found is killed on the
 * spot.  It can't be reaped by anybody else: its number is still its own. */
static void kill_orphans(struct loop *loop, struct world_proc *child)
{
	bool is_quiet = false;
	for (int round = 0; round < KILL_ROUNDS && !is_quiet; round++) {
		is_quiet = true;
		sweep_scan(loop);
		for (size_t i = 0; i < loop->orphans.len; i++) {
			struct proc_id id;
			int32_t pid = loop->orphans.ptr[i];
			if (owner_of(loop, child, pid, &id) != OWNER_MINE)
				continue;
			struct left *left = find_left(child, id);
			if (left != NULL && left->is_killed)
				continue;
			kill(pid, SIGKILL);
			is_quiet = false;
			if (left == NULL)
				*vec_push(&child->left) = (struct left){id, true};
			else
				left->is_killed = true;
		}
	}
}

static void mark_orphans(struct loop *loop, const struct world_proc *child)
{
	for (size_t i = 0; i < loop->orphans.len; i++) {
		struct proc_id id;
		if (owner_of(loop, child, loop->orphans.ptr[i], &id) == OWNER_MINE)
			mark_pid(&loop->table, loop->orphans.ptr[i]);
	}
}

void sweep_signal(struct loop *loop, struct world_proc *child, int signal)
{
	struct proc_table *table = &loop->table;
	if (signal == SIGKILL)
		kill_orphans(loop, child);
	sweep_scan(loop);
	proc_table_read(table);
	mark_pid(table, child->pid);
	mark_orphans(loop, child);
	proc_mark_descendants(table);
	bool to_group = send_group(child, signal);
	for (size_t i = 0; i < table->list.len; i++) {
		const struct proc_stat *stat = &table->list.ptr[i];
		if (!stat->is_marked || stat->id.pid == child->pid || !proc_stat_is_live(stat))
			continue;
		bool is_new = find_left(child, stat->id) == NULL;
		if (is_new)
			*vec_push(&child->left) = (struct left){stat->id, false};
		if ((is_new || signal == SIGKILL) && !(to_group && stat->pgrp == child->pid))
			send_one(stat->id, signal);
	}
}

void sweep_give_up(struct loop *loop, struct world_proc *child)
{
	for (size_t i = 0; i < loop->orphans.len; i++) {
		struct proc_id id;
		if (owner_of(loop, child, loop->orphans.ptr[i], &id) == OWNER_MINE)
			*vec_push(&loop->strangers) = (struct stranger){id.pid, true};
	}
	if (!child->exited)
		*vec_push(&loop->strangers) = (struct stranger){child->pid, true};
	loop->must_scan = true;
}

/* Reaps every child but the strangers; gives how many are left. */
static size_t reap_all(struct loop *loop, struct pid_list *list)
{
	size_t live = 0;
	list_children(loop, list);
	for (size_t i = 0; i < list->len; i++) {
		if (!is_stranger(loop, list->ptr[i]) && waitpid(list->ptr[i], NULL, WNOHANG) == 0)
			list->ptr[live++] = list->ptr[i];
	}
	list->len = live;
	return live;
}

static void signal_all(struct loop *loop, const struct pid_list *roots, int signal)
{
	for (size_t i = 0; i < roots->len && signal == SIGKILL; i++)
		kill(roots->ptr[i], signal);
	proc_table_read(&loop->table);
	for (size_t i = 0; i < roots->len; i++)
		mark_pid(&loop->table, roots->ptr[i]);
	proc_mark_descendants(&loop->table);
	for (size_t i = 0; i < loop->table.list.len; i++) {
		const struct proc_stat *stat = &loop->table.list.ptr[i];
		if (stat->is_marked && proc_stat_is_live(stat))
			send_one(stat->id, signal);
	}
}

void sweep_all(struct loop *loop, uint64_t grace_ms)
{
	struct pid_list list = {0};
	uint64_t start = loop_now_us() / 1000;
	uint64_t killed = 0;
	bool told = false;
	while (reap_all(loop, &list) > 0) {
		uint64_t now = loop_now_us() / 1000;
		if (killed != 0 && now - killed >= GIVE_UP_MS)
			break;
		if (now - start >= grace_ms) {
			signal_all(loop, &list, SIGKILL);
			killed = killed != 0 ? killed : now;
		} else if (!told) {
			signal_all(loop, &list, SIGTERM);
		}
		told = true;
		poll(NULL, 0, 5);
	}
	vec_finish(&list);
}
