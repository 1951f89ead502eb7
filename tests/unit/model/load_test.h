/* load_test: what the tests of loading share: node types that need no plugin, and problems as one text. */
#ifndef TESTS_LOAD_TEST_H
#define TESTS_LOAD_TEST_H

#include "base/buf.h"
#include "data/json.h"
#include "model/workflow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* bash, script and lua with fields of their own; `broken` whose plugin fails to load; `ghost` that is listed, but not
 * there. */
struct test_types {
	struct arena arena;
	unsigned asked; /* how often find was called */
};

static bool test_find(void *ctx, str keyword, const struct value **schema, struct err *err)
{
	static const struct {
		const char *keyword;
		const char *schema;
	} known[] = {
		{"bash", "{\"properties\":{\"bash\":{},\"shell\":{\"type\":\"object\"}}}"},
		{"script",
			"{\"properties\":{\"script\":{},\"runtime\":{},\"deps\":{},\"args\":{}}}"},
		{"lua", NULL},
	};
	struct test_types *types = ctx;
	types->asked++;
	*schema = NULL;
	if (str_is(keyword, "broken"))
		return err_set(err, "E-PLUGIN-LOAD", "pawl_broken.so: wrong version");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!str_is(keyword, known[i].keyword))
			continue;
		if (known[i].schema)
			*schema = json_parse(&types->arena, str_of(known[i].schema), NULL);
		return true;
	}
	return false;
}

static void test_each(void *ctx, void (*fn)(void *arg, str keyword), void *arg)
{
	(void)ctx;
	fn(arg, STR("bash"));
	fn(arg, STR("script"));
	fn(arg, STR("lua"));
	fn(arg, STR("broken"));
	fn(arg, STR("ghost"));
}

/* The workflow, or NULL; what was said, one problem a line or two:
 *
 *     3:5 E-CODE message
 *       help */
static struct workflow *test_load(struct test_types *types, str yaml, struct buf *said)
{
	struct workflow_types host = {.ctx = types, .find = test_find, .each = test_each};
	struct diags diags = {0};
	static const char file[] = "w.yaml";
	struct workflow *wf = workflow_load(yaml, file, &host, &diags);
	for (size_t i = 0; i < diags.list.len; i++) {
		const struct err *err = &diags.list.ptr[i];
		assert_ptr_equal(err->at.file, file);
		assert_int_equal(err->is_warning, err->code[0] == 'W');
		buf_printf(
			said, "%u:%u %s %s\n", err->at.line, err->at.col, err->code, err->message);
		if (err->help)
			buf_printf(said, "  %s\n", err->help);
	}
	assert_int_equal(!wf, diags.errors > 0);
	diags_finish(&diags);
	return wf;
}

#endif
