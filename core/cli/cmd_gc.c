/* cmd_gc: makes the store smaller: old results, runs that nothing refers to, and blobs that no row names. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "store/results.h"
#include "sys/clock.h"

extern const struct command command_gc;

struct unit {
	const char *name;
	uint64_t factor;
};

/* "10", "1.5G", "30d": a decimal number and one of the units.  False where it is none or too large. */
static bool parse_amount(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
	str all = str_of(text);
	size_t end = 0;
	while (end < all.len &&
		((all.ptr[end] >= '0' && all.ptr[end] <= '9') || all.ptr[end] == '.'))
		end++;
	str number = str_slice(all, 0, end);
	str unit = str_slice(all, end, all.len);
	size_t dot = str_find_char(number, '.', 0);
	str fraction = dot == SIZE_MAX ? STR("") : str_slice(number, dot + 1, number.len);
	uint64_t whole = 0;
	uint64_t part = 0;
	if (!str_to_u64(str_slice(number, 0, dot == SIZE_MAX ? number.len : dot), &whole) ||
		fraction.len > 6 || (dot != SIZE_MAX && !str_to_u64(fraction, &part)))
		return false;
	double value = (double)part;
	for (size_t i = 0; i < fraction.len; i++)
		value /= 10;
	value += (double)whole;
	for (size_t i = 0; i < count; i++) {
		double scaled = value * (double)units[i].factor;
		if (!str_is(unit, units[i].name) || scaled > 9e18)
			continue;
		*out = (uint64_t)scaled;
		return true;
	}
	return false;
}

static bool parse_size(struct cli *cli, const char *text, uint64_t *out)
{
	static const struct unit units[] = {{"", 1}, {"B", 1}, {"K", 1 << 10}, {"KiB", 1 << 10},
		{"M", 1 << 20}, {"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30},
		{"T", (uint64_t)1 << 40}, {"TiB", (uint64_t)1 << 40}};
	if (parse_amount(text, units, sizeof(units) / sizeof(units[0]), out) && *out)
		return true;
	rows_usage(cli, "write a number with K, M, G or T: --max-size 2G",
		"--max-size takes a size, not \"%s\"", text);
	return false;
}

static bool parse_age(struct cli *cli, const char *text, int64_t *out)
{
	static const struct unit units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000},
		{"d", 86400000}, {"w", 7 * (uint64_t)86400000}};
	uint64_t ms = 0;
	if (parse_amount(text, units, sizeof(units) / sizeof(units[0]), &ms) && ms &&
		ms <= INT64_MAX) {
		*out = (int64_t)ms;
		return true;
	}
	rows_usage(cli, "write a number with s, m, h, d or w: --older-than 30d",
		"--older-than takes an age, not \"%s\"", text);
	return false;
}

static void print(struct cli *cli, const struct gc_options *options, const struct gc_report *r)
{
	if (cli->is_json) {
		struct buf out = {0};
		object_begin(&out, "gc");
		object_bool(&out, "dry_run", options->dry_run);
		object_number(&out, "results", (int64_t)r->results);
		object_number(&out, "runs", (int64_t)r->runs);
		object_number(&out, "blobs", (int64_t)r->blobs);
		object_number(&out, "bytes", (int64_t)r->bytes);
		object_number(&out, "kept_results", (int64_t)r->kept_results);
		object_number(&out, "kept_bytes", (int64_t)r->kept_bytes);
		object_send(cli, &out);
		return;
	}
	talk_outf(cli, "%s %zu result%s, %zu run%s and %zu blob%s, %s\n",
		options->dry_run ? "would drop" : "dropped", r->results, r->results == 1 ? "" : "s",
		r->runs, r->runs == 1 ? "" : "s", r->blobs, r->blobs == 1 ? "" : "s",
		rows_size(cli, r->bytes));
	talk_outf(cli, "%s %zu result%s, %s\n", options->dry_run ? "would keep" : "kept",
		r->kept_results, r->kept_results == 1 ? "" : "s", rows_size(cli, r->kept_bytes));
	if (options->max_bytes && r->kept_bytes > options->max_bytes)
		talk_note(cli,
			"what is left is more than --max-size: the results of the newest run of each workflow are "
			"never dropped");
}

static int run_gc(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	const char *size = NULL;
	const char *age = NULL;
	struct gc_options options = {.now_ms = clock_wall_ms()};
	struct gc_report report = {0};
	struct err err = {0};
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"max-size", 0, ARG_VALUE, &size, NULL},
		{"older-than", 0, ARG_VALUE, &age, NULL},
		{"dry-run", 'n', ARG_FLAG, &options.dry_run, NULL},
	};
	if (args_parse(cli, &command_gc, args, 3, argc, argv, &words, NULL, &code)) {
		code = EXIT_USAGE;
		if (words.list.len) {
			rows_usage(cli, "pawl gc [--max-size SIZE] [--older-than AGE] [-n]",
				"`pawl gc` takes no words");
		} else if ((!size || parse_size(cli, size, &options.max_bytes)) &&
			   (!age || parse_age(cli, age, &options.older_than_ms))) {
			bool is_empty = !cli_has_store(cli);
			struct store *store = is_empty ? NULL : cli_store(cli, STORE_WRITE, &code);
			if (store && !store_gc(store, &options, &report, &err))
				code = talk_fail(cli, &err);
			else if (store || is_empty)
				print(cli, &options, &report);
			if (is_empty)
				code = EXIT_DONE;
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_gc = {"gc", "More",
	"make the store smaller: old results, and what nothing names any more",
	"  pawl gc -n\n"
	"  pawl gc --older-than 30d\n"
	"  pawl gc --max-size 2G\n\n"
	"usage: pawl gc [--max-size SIZE] [--older-than AGE] [-n]\n\n"
	"What the newest run of each workflow made or used is never dropped.\n\n"
	"      --max-size SIZE    drop the oldest results until the rest takes no more: 500M, 2G\n"
	"      --older-than AGE   drop results that were made before: 12h, 30d, 8w\n"
	"  -n, --dry-run          only say what would be dropped\n",
	run_gc};
