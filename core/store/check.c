/* check: looks at everything in the database, for `doctor`.  Blobs are verified by cas_each and cas_has. */
#include "store/db.h"

#include "store/owned.h"
#include "store/rows_inner.h"
#include "store/stmt.h"

static void find_bad_pages(struct store *store, struct diags *diags)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check", -1, &st, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		str finding = column_view(st, 0);
		if (!str_is(finding, "ok")) {
			diags_error(diags, (struct place){0}, "E-STORE-DAMAGED",
				"the database is damaged: %.*s", STR_ARG(finding));
		}
		rc = SQLITE_OK;
	}
	if (rc != SQLITE_DONE) {
		struct err err = {0};
		store_sql_err(store->db, rc, "checking the store", &err);
		diags_take(diags, &err);
	}
	sqlite3_finalize(st);
	if (!store_schema_holds(store->db)) {
		diags_error(diags, (struct place){0}, "E-STORE-DAMAGED",
			"the tables of the store are not what they were");
	}
}

static void report_rows(struct diags *diags, size_t count, const char *what)
{
	if (count > 0) {
		diags_error(diags, (struct place){0}, "E-STORE-DAMAGED",
			"%zu %s failed their checksum", count, what);
	}
}

bool store_check(struct store *store, struct diags *diags)
{
	size_t before = diags->list.len;
	struct arena arena = {0};
	struct err err = {0};
	struct result_list results;
	struct verdict_list verdicts;
	size_t forced = 0;
	size_t memos = 0;
	size_t owned = 0;

	find_bad_pages(store, diags);
	if (results_list(store, &arena, STR(""), true, &results, &err)) {
		report_rows(diags, results.damaged, "results");
	} else {
		diags_take(diags, &err);
	}
	size_t damaged = store->damaged;
	if (verdicts_list(store, &arena, true, &verdicts, &err)) {
		report_rows(diags, store->damaged - damaged, "verdicts");
	} else {
		diags_take(diags, &err);
	}
	if (forced_check(store, &forced, &err)) {
		report_rows(diags, forced, "notes of what was forced");
	} else {
		diags_take(diags, &err);
	}
	if (owned_check(store, &owned, &err)) {
		report_rows(diags, owned, "notes of what nodes left");
	} else {
		diags_take(diags, &err);
	}
	if (memo_each(store, NULL, NULL, &memos, &err)) {
		report_rows(diags, memos, "remembered digests of files");
	} else {
		diags_take(diags, &err);
	}
	arena_finish(&arena);
	return diags->list.len == before;
}
