/* store_race: another process that is in the middle of writing to the store, for tests of what is looked up twice. */
#ifndef STORE_RACE_H
#define STORE_RACE_H

#include "store_test.h"

#include "store/stmt.h"

/* Starts a process that holds the write lock and has done `sql` under it; it commits a moment later.  Who does not write
 * sees the store as it was before; who begins to write waits, and then sees what was done. */
static inline pid_t race_begin(struct project *project, const char *sql)
{
	int ready[2];
	char byte = 0;
	struct buf path = {0};
	buf_printf(&path, "%s/.pawl/state/pawl.db", project->path);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sqlite3 *db = NULL;
		bool ok = sqlite3_open(buf_cstr(&path), &db) == SQLITE_OK &&
		          sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
		          sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
		          write(ready[1], "x", 1) == 1;
		usleep(200000);
		ok = ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
		_exit(ok ? 0 : 1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	buf_finish(&path);
	return pid;
}

static inline void race_end(pid_t pid)
{
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What nobody else may say of the store. */
static inline void race_sql(struct store *store, const char *sql)
{
	char *message = NULL;
	if (sqlite3_exec(store->db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

#endif
