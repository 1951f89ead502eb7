/* codes: see codes.h. */
#include "cli/codes.h"

#include "cli/embedded.h"
#include "cli/objects.h"
#include "cli/rows.h"

str codes_text(void)
{
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (!strcmp(file->path, "codes.txt"))
			return str_make((const char *)file->bytes, file->size);
	}
	return STR("");
}

static bool is_code(str line)
{
	return str_starts(line, STR("E-")) || str_starts(line, STR("W-"));
}

static bool take(str *rest, str prefix, str *out)
{
	str line = STR("");
	if (!str_line(rest, &line) || !str_starts(line, prefix))
		return false;
	*out = str_slice(line, prefix.len, line.len);
	return true;
}

bool codes_next(str *rest, struct code *out)
{
	while (str_line(rest, &out->name)) {
		if (is_code(out->name))
			return take(rest, STR("  "), &out->meaning) &&
			       take(rest, STR("  e.g. "), &out->example) &&
			       take(rest, STR("  fix: "), &out->fix);
	}
	return false;
}

static void send_code(struct cli *cli, const struct code *code)
{
	struct buf out = {0};
	object_begin(&out, "code");
	object_text(&out, "code", code->name);
	object_text(&out, "meaning", code->meaning);
	object_text(&out, "example", code->example);
	object_text(&out, "fix", code->fix);
	object_send(cli, &out);
}

bool codes_explain(struct cli *cli, str name, str *near)
{
	struct code code;
	VEC(str) names = {0};
	for (str rest = codes_text(); codes_next(&rest, &code);) {
		if (str_eq(code.name, name) && cli->is_json) {
			send_code(cli, &code);
			vec_finish(&names);
			return true;
		}
		if (str_eq(code.name, name)) {
			const char *bold = talk_color(cli, false, COLOR_BOLD);
			const char *off = talk_color(cli, false, COLOR_NONE);
			talk_outf(cli,
				"%s%.*s%s  %.*s\n\n  for example  %.*s\n  the fix      %.*s\n",
				bold, STR_ARG(code.name), off, STR_ARG(code.meaning),
				STR_ARG(code.example), STR_ARG(code.fix));
			vec_finish(&names);
			return true;
		}
		*vec_push(&names) = code.name;
	}
	*near = str_nearest(name, names.ptr, names.len);
	vec_finish(&names);
	return false;
}

void codes_list(struct cli *cli)
{
	struct table table;
	struct code code;
	table_init(&table, 2);
	for (str rest = codes_text(); codes_next(&rest, &code);) {
		if (cli->is_json) {
			send_code(cli, &code);
			continue;
		}
		table_cell(&table, "%.*s", STR_ARG(code.name));
		table_cell(&table, "%.*s", STR_ARG(code.meaning));
	}
	table_print(cli, &table);
}
