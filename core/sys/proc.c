/* proc: reads /proc and signals processes by pid and start time together.  It knows nothing of the loop's children;
 * loop_sweep.c does. */
#include "sys/proc.h"

#include "base/mem.h"
#include "sys/proc_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An environment larger than this is not searched to its end; execve allows no more by default. */
#define ENV_LIMIT (8u << 20)

/* As much as fits of a small file of /proc, NUL-terminated; 0 where it can't be read. */
static size_t read_small(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, out, cap - 1);
	close(fd);
	size_t len = n > 0 ? (size_t)n : 0;
	out[len] = '\0';
	return len;
}

bool proc_parse_stat(const char *text, struct proc_stat *out)
{
	/* The command's name is in parentheses and may itself hold spaces and parentheses. */
	const char *at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ' || at[2] == '\0')
		return false;
	*out = (struct proc_stat){.id.pid = (int32_t)strtol(text, NULL, 10), .state = at[2]};
	char *next = NULL;
	out->ppid = (int32_t)strtol(at + 3, &next, 10);
	out->pgrp = (int32_t)strtol(next, &next, 10);
	out->session = (int32_t)strtol(next, &next, 10);
	for (int field = 7; field <= 19; field++)
		(void)strtoll(next, &next, 10);
	out->threads = (int32_t)strtol(next, &next, 10);
	(void)strtoll(next, &next, 10);
	out->id.start = strtoull(next, &next, 10);
	return true;
}

bool proc_read_stat(int32_t pid, struct proc_stat *out)
{
	char path[48];
	char text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return read_small(path, text, sizeof(text)) > 0 && proc_parse_stat(text, out);
}

static int by_pid(const void *a, const void *b)
{
	const struct proc_stat *x = a;
	const struct proc_stat *y = b;
	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

/* A directory of /proc that is a process; 0 otherwise. */
static int32_t entry_pid(const struct dirent *entry)
{
	uint64_t pid = 0;
	if (!str_to_u64(str_of(entry->d_name), &pid) || pid > INT32_MAX)
		return 0;
	return (int32_t)pid;
}

void proc_table_read(struct proc_table *table)
{
	table->list.len = 0;
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		struct proc_stat stat;
		int32_t pid = entry_pid(entry);
		if (pid > 0 && proc_read_stat(pid, &stat))
			*vec_push(&table->list) = stat;
	}
	closedir(dir);
	if (table->list.len > 1)
		qsort(table->list.ptr, table->list.len, sizeof(*table->list.ptr), by_pid);
}

struct proc_stat *proc_table_find(const struct proc_table *table, int32_t pid)
{
	struct proc_stat key = {.id.pid = pid};
	if (table->list.len == 0)
		return NULL;
	return bsearch(&key, table->list.ptr, table->list.len, sizeof(key), by_pid);
}

void proc_mark_descendants(struct proc_table *table)
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

void proc_read_env(int32_t pid, struct buf *out)
{
	buf_clear(out);
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (out->len < ENV_LIMIT) {
		buf_reserve(out, 16384);
		ssize_t n = read(fd, out->ptr + out->len, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->ptr[out->len] = '\0';
	}
	close(fd);
}

bool proc_env_has(str env, str prefix, bool whole)
{
	str entry;
	while (env.len > 0 && str_split(&env, '\0', &entry)) {
		if (whole ? str_eq(entry, prefix) : str_starts(entry, prefix))
			return true;
	}
	return false;
}

bool proc_send(struct proc_id id, int signal)
{
	int fd = (int)syscall(SYS_pidfd_open, id.pid, 0);
	if (fd < 0)
		return false;
	/* The descriptor holds the process fast; only now does the start time prove that it is the one meant. */
	struct proc_stat stat;
	bool same = proc_read_stat(id.pid, &stat) && stat.id.start == id.start;
	bool sent = same && syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0;
	close(fd);
	return sent;
}

struct proc_id proc_self(void)
{
	struct proc_stat stat = {0};
	if (!proc_read_stat((int32_t)getpid(), &stat))
		stat.id.pid = (int32_t)getpid();
	return stat.id;
}

bool proc_is_alive(struct proc_id id)
{
	struct proc_stat stat;
	return id.pid > 0 && proc_read_stat(id.pid, &stat) && stat.id.start == id.start &&
	       proc_stat_is_live(&stat);
}

str proc_boot_id(void)
{
	static char id[40];
	if (id[0] == '\0' && read_small("/proc/sys/kernel/random/boot_id", id, sizeof(id)) < 36)
		return STR("");
	return str_make(id, 36);
}

/* Appends `dir` made absolute; an empty one is the working directory, as in PATH. */
static bool add_dir(struct buf *out, str dir, const char *cwd)
{
	if (dir.len > 0 && dir.ptr[0] == '/') {
		buf_add(out, dir);
		return true;
	}
	if (cwd == NULL || cwd[0] != '/') {
		char *own = getcwd(NULL, 0);
		if (own == NULL)
			return false;
		buf_add_z(out, own);
		free(own);
	}
	if (cwd != NULL) {
		if (cwd[0] != '/')
			buf_add_char(out, '/');
		buf_add_z(out, cwd);
	}
	if (dir.len > 0) {
		buf_add_char(out, '/');
		buf_add(out, dir);
	}
	return true;
}

/* 0, or why it can't be run. */
static int check_program(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

char *proc_which(const char *name, const char *path, const char *cwd)
{
	if (name == NULL || name[0] == '\0')
		return NULL;
	struct buf full = {0};
	if (strchr(name, '/') != NULL) {
		if (add_dir(&full, str_of(name), cwd) && check_program(buf_cstr(&full)) == 0)
			return buf_take(&full);
		buf_finish(&full);
		return NULL;
	}
	str rest = str_of(path != NULL ? path : "/usr/bin:/bin");
	str dir;
	while (str_split(&rest, ':', &dir)) {
		buf_clear(&full);
		if (!add_dir(&full, dir, cwd))
			continue;
		buf_add_char(&full, '/');
		buf_add_z(&full, name);
		if (check_program(buf_cstr(&full)) == 0)
			return buf_take(&full);
	}
	buf_finish(&full);
	return NULL;
}
