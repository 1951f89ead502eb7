/* proc: processes by pid and start time. */
#include "base/buf.h"
#include "sys/proc.h"
#include "sys/proc_internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *marks[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "PAWL_TEST_RUN=abc/1", NULL};

/* Starts `sh -c script` and waits until it has written a line, so that exec is over. */
static pid_t start_sh(const char *script, const char **env)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		const char *argv[] = {"sh", "-c", script, NULL};
		execve("/bin/sh", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
		_exit(127);
	}
	close(fds[1]);
	char c;
	while (read(fds[0], &c, 1) == 1 && c != '\n')
		;
	close(fds[0]);
	return pid;
}

static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void self_is_alive(void **state)
{
	(void)state;
	struct proc_id self = proc_self();
	assert_int_equal(self.pid, getpid());
	assert_true(self.start > 0);
	assert_true(proc_is_alive(self));
	self.start++;
	assert_false(proc_is_alive(self));
	assert_false(proc_is_alive((struct proc_id){0}));
}

static void zombie_is_not_alive(void **state)
{
	(void)state;
	pid_t pid = start_sh("echo; exit 0", marks);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	struct proc_stat stat;
	assert_true(proc_read_stat(pid, &stat));
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(stat.ppid, getpid());
	assert_false(proc_is_alive(stat.id));
	assert_false(proc_send((struct proc_id){pid, stat.id.start + 1}, 0));
	reap_all();
	assert_false(proc_read_stat(pid, &stat));
}

static void stat_is_read_behind_any_name(void **state)
{
	(void)state;
	struct proc_stat before;
	struct proc_stat after;
	char old[16];
	prctl(PR_GET_NAME, old);
	assert_true(proc_read_stat(getpid(), &before));
	prctl(PR_SET_NAME, "a) S 1 (b 2 ");
	assert_true(proc_read_stat(getpid(), &after));
	prctl(PR_SET_NAME, old);
	assert_int_equal(after.ppid, before.ppid);
	assert_int_equal(after.pgrp, getpgrp());
	assert_true(after.id.start == before.id.start);
}

static void boot_has_an_identity(void **state)
{
	(void)state;
	str id = proc_boot_id();
	assert_int_equal(id.len, 36);
	assert_int_equal(id.ptr[8], '-');
	assert_true(str_eq(id, proc_boot_id()));
}

static void table_has_everybody_by_number(void **state)
{
	(void)state;
	struct proc_table table = {0};
	proc_table_read(&table);
	for (size_t i = 1; i < table.list.len; i++)
		assert_true(table.list.ptr[i - 1].id.pid < table.list.ptr[i].id.pid);
	assert_non_null(proc_table_find(&table, getpid()));
	assert_non_null(proc_table_find(&table, getppid()));
	assert_null(proc_table_find(&table, INT32_MAX));
	vec_finish(&table.list);
}

static void environment_is_searched_by_entry(void **state)
{
	(void)state;
	str env = STR("A=1\0XB=2\0B=22\0");
	assert_true(proc_env_has(env, STR("A=1"), true));
	assert_true(proc_env_has(env, STR("B=2"), false));
	assert_false(proc_env_has(env, STR("B=2"), true));
	assert_true(proc_env_has(env, STR("B=22"), true));
	assert_false(proc_env_has(env, STR("C="), false));
	assert_false(proc_env_has(STR(""), STR("A=1"), false));
	struct buf buf = {0};
	pid_t pid = start_sh("echo; sleep 30", marks);
	proc_read_env(pid, &buf);
	assert_true(proc_env_has(buf_str(&buf), STR("PAWL_TEST_RUN=abc/1"), true));
	kill(pid, SIGKILL);
	reap_all();
	proc_read_env(pid, &buf);
	assert_int_equal(buf.len, 0);
	buf_finish(&buf);
}

static void assert_which(const char *name, const char *path, const char *cwd, const char *want)
{
	char *got = proc_which(name, path, cwd);
	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
	free(got);
}

static void which_finds_what_execvp_would(void **state)
{
	(void)state;
	char dir[] = "/tmp/pawl-proc-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct buf tool = {0};
	struct buf plain = {0};
	struct buf path = {0};
	buf_printf(&tool, "%s/tool", dir);
	buf_printf(&plain, "%s/plain", dir);
	close(open(buf_cstr(&tool), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
	close(open(buf_cstr(&plain), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	buf_printf(&path, "/no/where:%s:/bin", dir);
	assert_which("sh", "/bin", NULL, "/bin/sh");
	assert_which("sh", NULL, NULL, "/usr/bin/sh");
	assert_which("tool", buf_cstr(&path), NULL, buf_cstr(&tool));
	assert_which("tool", "/bin", NULL, NULL);
	assert_which("plain", buf_cstr(&path), NULL, NULL);
	assert_which("tool", "", dir, buf_cstr(&tool));
	assert_which("tool", "/bin:", dir, buf_cstr(&tool));
	assert_which("tool", "", "/usr", NULL);
	assert_which("bin", "/usr", NULL, NULL);
	assert_which("", "/bin", NULL, NULL);
	assert_which(buf_cstr(&tool), "/bin", NULL, buf_cstr(&tool));
	buf_clear(&path);
	buf_printf(&path, "%s/./tool", dir);
	assert_which("./tool", "/bin", dir, buf_cstr(&path));
	assert_which("./plain", "/bin", dir, NULL);
	unlink(buf_cstr(&tool));
	unlink(buf_cstr(&plain));
	rmdir(dir);
	buf_finish(&tool);
	buf_finish(&plain);
	buf_finish(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_is_alive),
		cmocka_unit_test(zombie_is_not_alive),
		cmocka_unit_test(stat_is_read_behind_any_name),
		cmocka_unit_test(boot_has_an_identity),
		cmocka_unit_test(table_has_everybody_by_number),
		cmocka_unit_test(environment_is_searched_by_entry),
		cmocka_unit_test(which_finds_what_execvp_would),
	};
	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
