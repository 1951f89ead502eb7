/* cmd_verdicts: what people say of outputs: `pawl quarantine` refuses one for good, whatever key it comes under, `release`
 * takes such a statement back, `verdicts` lists them. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "data/json.h"
#include "sys/clock.h"

extern const struct command command_quarantine, command_release, command_verdicts;

/* ---- quarantine ---- */

struct judged {
	struct run_row run;
	struct node_row node;
	struct digest output;
	struct digest manifest; /* zero where there are no artifacts */
	bool has_manifest;
	struct verdict_list verdicts; /* that hold on it */
};

static bool find_judged(struct cli *cli, struct store *store, const char *text, struct judged *j)
{
	struct err err = {0};
	if (!rows_run_node(cli, store, text, &j->run, &j->node))
		return false;
	if (!rows_output(&j->node, &j->output)) {
		err_set(&err, "E-VERDICT-NO-OUTPUT", "`%.*s` left no output in run %lld: it was %s",
			STR_ARG(j->node.node), (long long)j->run.id,
			node_state_name(j->node.state));
		err_help(&err, "name a run in which it ran: pawl show RUN");
		talk_fail(cli, &err);
		return false;
	}
	j->has_manifest = rows_manifest(cli, store, &j->node, &j->manifest);
	if (!verdicts_on(store, &cli->arena, j->run.workflow, j->node.node, &j->output,
		    j->has_manifest ? &j->manifest : NULL, &j->verdicts, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	return true;
}

/* How many stored results have this very output: none of them is reused from now on. */
static size_t count_results(struct cli *cli, struct store *store, const struct judged *j)
{
	struct result_list list = {0};
	size_t count = 0;
	if (!results_list(store, &cli->arena, j->run.workflow, false, &list, NULL))
		return 0;
	for (size_t i = 0; i < list.len; i++) {
		const struct result_row *r = &list.ptr[i];
		count += str_eq(r->node, j->node.node) && digest_eq(&r->output, &j->output) &&
		         r->has_manifest == j->has_manifest &&
		         (!j->has_manifest || digest_eq(&r->manifest, &j->manifest));
	}
	return count;
}

static bool holds(const struct judged *j, enum verdict_kind kind)
{
	for (size_t i = 0; i < j->verdicts.len; i++) {
		if (j->verdicts.ptr[i].kind == kind)
			return true;
	}
	return false;
}

struct quarantining {
	const char *reason;
	bool dry_run;
	bool changed; /* by this command */
	size_t results;
};

static void print_quarantine(struct cli *cli, const struct judged *j, const struct quarantining *q)
{
	struct buf out = {0};
	object_begin(&out, "quarantined");
	object_number(&out, "run", j->run.id);
	object_text(&out, "workflow", j->run.workflow);
	object_text(&out, "node", j->node.node);
	object_digest(&out, "output", &j->output);
	object_text(&out, "reason", str_of(q->reason));
	object_bool(&out, "dry_run", q->dry_run);
	object_bool(&out, "changed", q->changed);
	object_number(&out, "results", (int64_t)q->results);
	object_text(&out, "release",
		str_of(arena_printf(
			&cli->arena, "pawl release %s", rows_short(cli, &j->output, 12))));
	object_send(cli, &out);
}

static int quarantine(
	struct cli *cli, struct store *store, const char *text, const char *reason, bool dry_run)
{
	struct judged j = {0};
	struct err err = {0};
	if (!find_judged(cli, store, text, &j))
		return EXIT_USAGE;
	const char *hex = rows_short(cli, &j.output, 12);
	if (holds(&j, VERDICT_QUARANTINED)) {
		if (cli->is_json)
			print_quarantine(cli, &j,
				&(struct quarantining){.reason = reason, .dry_run = dry_run});
		else
			talk_outf(cli, "output %s of %.*s is quarantined already\n", hex,
				STR_ARG(j.node.node));
		return EXIT_DONE;
	}
	size_t results = count_results(cli, store, &j);
	struct verdict_row row = {.kind = VERDICT_QUARANTINED,
		.workflow = j.run.workflow,
		.node = j.node.node,
		.output = j.output,
		.manifest = j.manifest,
		.result = j.node.result,
		.run = j.run.id,
		.by = str_of(rows_user()),
		.reason = str_of(reason),
		.at_ms = clock_wall_ms()};
	if (!dry_run && (!verdicts_add(store, &row, NULL, &err) || !store_flush(store, &err)))
		return talk_fail(cli, &err);
	if (cli->is_json) {
		print_quarantine(
			cli, &j, &(struct quarantining){reason, dry_run, !dry_run, results});
		return EXIT_DONE;
	}
	talk_outf(cli, "%s output %s of %.*s (%zu stored result%s)\n",
		dry_run ? "would quarantine" : "quarantined", hex, STR_ARG(j.node.node), results,
		results == 1 ? "" : "s");
	if (!dry_run)
		talk_outf(cli,
			"it is refused under any key, in any run; take it back with: pawl release %s\n",
			hex);
	return EXIT_DONE;
}

static int run_quarantine(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	const char *reason = NULL;
	bool dry_run = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"reason", 0, ARG_VALUE, &reason, NULL},
		{"dry-run", 'n', ARG_FLAG, &dry_run, NULL},
	};
	if (args_parse(cli, &command_quarantine, args, 2, argc, argv, &words, NULL, &code)) {
		if (words.list.len != 1 || !reason || !*reason) {
			code = rows_usage(cli,
				"pawl quarantine RUN/NODE --reason \"what is bad about it\"",
				words.list.len == 1
					? "say why: it is what people read when the output is refused"
					: "quarantine the output of which node?");
		} else {
			struct store *store = dry_run ? cli_store(cli, STORE_READ, &code)
			                              : cli_store_to_change(cli, &code);
			if (store)
				code = quarantine(cli, store, words.list.ptr[0], reason, dry_run);
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

/* ---- release ---- */

static bool is_releasable(const struct verdict_row *v)
{
	return v->kind == VERDICT_QUARANTINED || v->kind == VERDICT_SUSPECT;
}

static bool starts_with_hex(const struct digest *digest, str prefix)
{
	struct buf hex = {0};
	digest_add_hex(&hex, digest);
	bool yes = str_starts(buf_str(&hex), prefix);
	buf_finish(&hex);
	return yes;
}

static bool is_hex(str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return text.len >= 4 && text.len <= 2 * DIGEST_SIZE;
}

/* The verdicts that hold on outputs whose digest begins so: all on one output. */
static bool find_by_digest(
	struct cli *cli, struct store *store, str prefix, struct verdict_list *out)
{
	struct verdict_list all = {0};
	struct err err = {0};
	const struct digest *first = NULL;
	bool is_ambiguous = false;
	if (!verdicts_list(store, &cli->arena, false, &all, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	out->ptr = arena_array(&cli->arena, struct verdict_row, all.len);
	for (size_t i = 0; i < all.len; i++) {
		const struct verdict_row *v = &all.ptr[i];
		if (!is_releasable(v) || !starts_with_hex(&v->output, prefix))
			continue;
		is_ambiguous = is_ambiguous || (first && !digest_eq(first, &v->output));
		first = first ? first : &v->output;
		out->ptr[out->len++] = *v;
	}
	if (out->len && !is_ambiguous)
		return true;
	if (is_ambiguous)
		err_set(&err, "E-VERDICT-AMBIGUOUS", "several outputs begin with %.*s",
			STR_ARG(prefix));
	else
		err_set(&err, "E-VERDICT-UNKNOWN",
			"no output that begins with %.*s is quarantined or suspect",
			STR_ARG(prefix));
	err_help(&err, is_ambiguous ? "give more digits; `pawl verdicts` shows them"
				    : "`pawl verdicts` lists what holds");
	talk_fail(cli, &err);
	return false;
}

static void print_released(struct cli *cli, const struct verdict_row *v, bool dry_run)
{
	struct buf out = {0};
	object_begin(&out, "released");
	object_number(&out, "verdict", v->id);
	object_text(&out, "kind", str_of(verdict_kind_name(v->kind)));
	object_text(&out, "workflow", v->workflow);
	object_text(&out, "node", v->node);
	object_digest(&out, "output", &v->output);
	object_bool(&out, "dry_run", dry_run);
	object_send(cli, &out);
}

static int release(struct cli *cli, struct store *store, const char *what, bool dry_run)
{
	struct verdict_list list = {0};
	struct err err = {0};
	size_t count = 0;
	if (strchr(what, '/')) {
		struct judged j = {0};
		if (!find_judged(cli, store, what, &j))
			return EXIT_USAGE;
		list = j.verdicts;
	} else if (!is_hex(str_of(what))) {
		return rows_usage(cli,
			"pawl release DIGEST, or pawl release RUN/NODE; `pawl verdicts` lists what holds",
			"\"%s\" is neither the beginning of a digest (4 digits or more) nor RUN/NODE",
			what);
	} else if (!find_by_digest(cli, store, str_of(what), &list)) {
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < list.len; i++) {
		const struct verdict_row *v = &list.ptr[i];
		if (!is_releasable(v))
			continue;
		count++;
		if (!dry_run && !verdicts_release(store, v->id, clock_wall_ms(), &err))
			return talk_fail(cli, &err);
		if (cli->is_json)
			print_released(cli, v, dry_run);
		else
			talk_outf(cli, "%s: %s output %s of %.*s (%.*s)\n",
				dry_run ? "would release" : "released", verdict_kind_name(v->kind),
				rows_short(cli, &v->output, 12), STR_ARG(v->node),
				STR_ARG(v->workflow));
	}
	if (!count && cli->is_json)
		object_note(cli, "nothing holds on it: it is neither quarantined nor suspect");
	else if (!count)
		talk_outf(cli, "nothing holds on it: it is neither quarantined nor suspect\n");
	if (!dry_run && !store_flush(store, &err))
		return talk_fail(cli, &err);
	return EXIT_DONE;
}

static int run_release(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	bool dry_run = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"dry-run", 'n', ARG_FLAG, &dry_run, NULL}};
	if (args_parse(cli, &command_release, args, 1, argc, argv, &words, NULL, &code)) {
		if (words.list.len != 1) {
			code = rows_usage(cli, "pawl release DIGEST, or pawl release RUN/NODE",
				"release what?");
		} else {
			struct store *store = dry_run ? cli_store(cli, STORE_READ, &code)
			                              : cli_store_to_change(cli, &code);
			if (store)
				code = release(cli, store, words.list.ptr[0], dry_run);
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

/* ---- verdicts ---- */

static void print_json(struct cli *cli, const struct verdict_list *list)
{
	struct buf out = {0};
	for (size_t i = 0; i < list->len; i++) {
		const struct verdict_row *v = &list->ptr[i];
		object_begin(&out, "verdict");
		object_number(&out, "verdict", v->id);
		object_text(&out, "kind", str_of(verdict_kind_name(v->kind)));
		object_text(&out, "workflow", v->workflow);
		object_text(&out, "node", v->node);
		object_digest(&out, "output", &v->output);
		object_text(&out, "by", v->by);
		object_text(&out, "reason", v->reason);
		object_number(&out, "run", v->run);
		object_number(&out, "result", v->result);
		object_bool(&out, "automatic", v->automatic);
		object_number(&out, "at_ms", v->at_ms);
		object_number(&out, "released_ms", v->released_ms);
		object_end(&out);
	}
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

static void print_table(struct cli *cli, const struct verdict_list *list)
{
	struct table table;
	table_init(&table, 6);
	for (size_t i = 0; i < list->len; i++) {
		const struct verdict_row *v = &list->ptr[i];
		struct buf age = {0};
		clock_add_age(&age, clock_wall_ms() - v->at_ms);
		table_cell(&table, "%s%s", v->released_ms ? "released: " : "",
			verdict_kind_name(v->kind));
		table_cell(&table, "%.*s/%.*s", STR_ARG(v->workflow), STR_ARG(v->node));
		table_cell(&table, "%s", rows_short(cli, &v->output, 12));
		table_cell(&table, "%s", buf_cstr(&age));
		table_cell(&table, "by %.*s", STR_ARG(v->by));
		table_cell(&table, "%.*s", STR_ARG(v->reason));
		buf_finish(&age);
	}
	table_print(cli, &table);
}

static int verdicts(struct cli *cli, bool all)
{
	int code = EXIT_DONE;
	struct err err = {0};
	struct verdict_list list = {0};
	struct store *store = cli_store(cli, STORE_READ_OR_EMPTY, &code);
	if (!store)
		return code;
	if (!verdicts_list(store, &cli->arena, all, &list, &err))
		code = talk_fail(cli, &err);
	else if (cli->is_json)
		print_json(cli, &list);
	else if (!list.len)
		talk_note(cli, all ? "no verdict was ever given" : "no verdict holds");
	else
		print_table(cli, &list);
	store_close(store);
	return code;
}

static int run_verdicts(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	bool all = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"all", 'a', ARG_FLAG, &all, NULL}};
	if (args_parse(cli, &command_verdicts, args, 1, argc, argv, &words, NULL, &code)) {
		if (words.list.len)
			code = rows_usage(
				cli, "pawl verdicts [--all]", "`pawl verdicts` takes no words");
		else
			code = verdicts(cli, all);
	}
	args_finish(&words);
	return code;
}

const struct command command_quarantine = {"quarantine", "Let go",
	"refuse an output for good, under any key and in any run",
	"  pawl quarantine 6/fetch --reason \"the server answered with its login page\"\n"
	"  pawl quarantine last/fetch --reason \"empty list\" -n\n"
	"  pawl quarantine last/build --reason \"built with the wrong compiler\"\n\n"
	"usage: pawl quarantine RUN/NODE --reason TEXT [-n]\n\n"
	"A run that makes the same bytes again fails at once.  `pawl release` takes it back.\n\n"
	"      --reason TEXT   what people read when the output is refused\n"
	"  -n, --dry-run       only say what would be quarantined\n",
	run_quarantine};
const struct command command_release = {"release", "Let go",
	"take a quarantine or a suspicion back",
	"  pawl release 3f9a01c2d4e5\n"
	"  pawl release 6/fetch\n"
	"  pawl release 6/fetch -n\n\n"
	"usage: pawl release DIGEST|RUN/NODE [-n]\n\n"
	"DIGEST is the beginning of an output's digest, as `pawl verdicts` shows it.\n\n"
	"  -n, --dry-run   only say what would be released\n",
	run_release};
const struct command command_verdicts = {"verdicts", "Let go",
	"list what holds on outputs: quarantined, suspect, exonerated",
	"  pawl verdicts\n"
	"  pawl verdicts --all         released ones too\n"
	"  pawl verdicts --json\n\n"
	"usage: pawl verdicts [--all]\n",
	run_verdicts};
