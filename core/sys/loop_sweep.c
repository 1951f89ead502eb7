/* loop_sweep: what children leave behind.  As a child subreaper we become the parent of every process whose own parent
 * ended; so a descendant of a child that is gone is either such an orphan or below one.  Whose it is shows its process
 * group, the marker in its environment, or the pipe that it still holds.  Orphans that show none of these (own session,
 * empty environment) fall to the last child that runs, and to loop_destroy.
 *
 * The usual child leaves nobody: that costs one read of a file of /proc that stays open. */
#include "base/mem.h"
#include "sys/loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIVE_UP_MS 5000u

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

static bool is_stranger(const struct loop *loop, int32_t pid)
{
	for (size_t i = 0; i < loop->strangers.len; i++) {
		if (loop->strangers.ptr[i] == pid)
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
		*vec_push(&loop->strangers) = list.ptr[i];
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

void sweep_scan(struct loop *loop)
{
	loop->must_scan = false;
	struct pid_list list = {.ptr = loop->orphans.ptr, .cap = loop->orphans.cap};
	list_children(loop, &list);
	size_t live = 0;
	for (size_t i = 0; i < list.len; i++) {
		int32_t pid = list.ptr[i];
		if (child_of_pid(loop, pid) != NULL || is_stranger(loop, pid) ||
			waitpid(pid, NULL, WNOHANG) != 0)
			continue;
		list.ptr[live++] = pid;
	}
	loop->orphans.ptr = list.ptr;
	loop->orphans.cap = list.cap;
	loop->orphans.len = live;
}

/* ---- whose is it? ---- */

enum owner { OWNER_NOBODY, OWNER_MINE, OWNER_OTHER, OWNER_UNKNOWN, OWNER_UNSURE };

static bool was_told(const struct world_proc *child, struct proc_id id)
{
	for (size_t i = 0; i < child->left.len; i++) {
		if (child->left.ptr[i].id.pid == id.pid && child->left.ptr[i].id.start == id.start)
			return true;
	}
	return false;
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

/* Whether another child shows as the owner; loop->env holds the orphan's environment. */
static bool is_anothers(struct loop *loop, const struct world_proc *child, int32_t pgrp)
{
	const struct world_proc *leader = child_of_pid(loop, pgrp);
	if (leader != NULL && leader != child)
		return true;
	for (const struct world_proc *other = loop->children; other != NULL; other = other->next) {
		if (other != child && other->marker != NULL &&
			proc_env_has(buf_str(&loop->env), str_of(other->marker), true))
			return true;
	}
	return false;
}

static enum owner owner_of(struct loop *loop, const struct world_proc *child, int32_t pid)
{
	struct proc_stat stat;
	/* A zombie counts until it is reaped: its SIGCHLD is on the way. */
	if (!proc_read_stat(pid, &stat))
		return OWNER_NOBODY;
	if (stat.pgrp == child->pid || was_told(child, stat.id))
		return OWNER_MINE;
	proc_read_env(pid, &loop->env);
	if (child->marker != NULL && proc_env_has(buf_str(&loop->env), str_of(child->marker), true))
		return OWNER_MINE;
	if (is_anothers(loop, child, stat.pgrp))
		return OWNER_OTHER;
	if (loop->child_count == 1 || holds_pipe(child, pid))
		return OWNER_MINE;
	return loop->env.len == 0 ? OWNER_UNSURE : OWNER_UNKNOWN;
}

struct sweep_count sweep_count(struct loop *loop, const struct world_proc *child)
{
	struct sweep_count count = {0};
	for (size_t i = 0; i < loop->orphans.len; i++) {
		enum owner owner = owner_of(loop, child, loop->orphans.ptr[i]);
		count.mine += owner == OWNER_MINE;
		count.unknown += owner == OWNER_UNKNOWN;
		count.unsure += owner == OWNER_UNSURE;
	}
	return count;
}

/* ---- ending ---- */

/* Marks what descends from what is marked. */
static void mark_descendants(struct proc_table *table)
{
	bool changed = true;
	/* Parents mostly have the lower number, so this settles in two rounds. */
	while (changed) {
		changed = false;
		for (size_t i = 0; i < table->list.len; i++) {
			struct proc_stat *stat = &table->list.ptr[i];
			if (stat->is_marked)
				continue;
			const struct proc_stat *parent = proc_table_find(table, stat->ppid);
			stat->is_marked = parent != NULL && parent->is_marked;
			changed |= stat->is_marked;
		}
	}
}

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

void sweep_signal(struct loop *loop, struct world_proc *child, int signal)
{
	sweep_scan(loop);
	struct proc_table *table = &loop->table;
	proc_table_read(table);
	mark_pid(table, child->pid);
	for (size_t i = 0; i < loop->orphans.len; i++) {
		if (owner_of(loop, child, loop->orphans.ptr[i]) == OWNER_MINE)
			mark_pid(table, loop->orphans.ptr[i]);
	}
	mark_descendants(table);
	bool to_group = send_group(child, signal);
	for (size_t i = 0; i < table->list.len; i++) {
		const struct proc_stat *stat = &table->list.ptr[i];
		if (!stat->is_marked || stat->id.pid == child->pid || !proc_stat_is_live(stat))
			continue;
		bool is_new = !was_told(child, stat->id);
		if (is_new)
			*vec_push(&child->left) = (struct left){stat->id};
		if ((is_new || signal == SIGKILL) && !(to_group && stat->pgrp == child->pid))
			send_one(stat->id, signal);
	}
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
	proc_table_read(&loop->table);
	for (size_t i = 0; i < roots->len; i++)
		mark_pid(&loop->table, roots->ptr[i]);
	mark_descendants(&loop->table);
	for (size_t i = 0; i < loop->table.list.len; i++) {
		const struct proc_stat *stat = &loop->table.list.ptr[i];
		if (stat->is_marked && proc_stat_is_live(stat))
			send_one(stat->id, signal);
	}
}

void sweep_all(struct loop *loop, uint64_t grace_ms)
{
	struct pid_list list = {0};
	uint64_t start = loop_now_us();
	bool told = false;
	while (reap_all(loop, &list) > 0) {
		uint64_t spent = (loop_now_us() - start) / 1000;
		if (spent >= grace_ms + GIVE_UP_MS)
			break;
		if (spent >= grace_ms)
			signal_all(loop, &list, SIGKILL);
		else if (!told)
			signal_all(loop, &list, SIGTERM);
		told = true;
		poll(NULL, 0, 5);
	}
	vec_finish(&list);
}
