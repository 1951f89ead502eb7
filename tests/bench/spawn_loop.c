/* spawn_loop: the floor of a cold run: starts the same bash command COUNT times, JOBS at once, reads nothing, records
 * nothing.  usage: spawn_loop COUNT JOBS BODY */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(const posix_spawn_file_actions_t *files, char *body)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
	static char bash[] = "bash", noprofile[] = "--noprofile", norc[] = "--norc", eo[] = "-eo",
		    pipefail[] = "pipefail", c[] = "-c";
	char *const env[] = {path, lang, NULL};
	char *const argv[] = {bash, noprofile, norc, eo, pipefail, c, body, NULL};
	pid_t pid;
	if (posix_spawnp(&pid, "bash", files, NULL, argv, env) != 0) {
		perror("bash");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: spawn_loop COUNT JOBS BODY\n");
		return 2;
	}
	long count = strtol(argv[1], NULL, 10);
	long jobs = strtol(argv[2], NULL, 10);
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	long running = 0;
	int failed = 0;
	for (long started = 0; started < count || running;) {
		int status = 0;
		if (started < count && running < jobs) {
			start(&files, argv[3]);
			started++;
			running++;
			continue;
		}
		if (wait(&status) > 0)
			running--;
		failed += status != 0;
	}
	posix_spawn_file_actions_destroy(&files);
	return failed != 0;
}
