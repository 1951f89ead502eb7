/* inputs: `-i name=value` and `--input-file`, checked against what the workflow declares: all problems at once. */
#include "cli/cli.h"
#include "data/json.h"
#include "sys/fs.h"

#include <fcntl.h>

bool inputs_read(struct cli *cli, const struct workflow *workflow, const struct arg_list *given,
	const char *file, const char *stored, const struct value **out);

struct inputs {
	struct cli *cli;
	const struct workflow *workflow;
	struct diags diags;
	VEC(struct value_member) members;
};

static const struct input_spec *find_spec(const struct workflow *workflow, str name)
{
	for (size_t i = 0; i < workflow->inputs.len; i++) {
		if (str_eq(workflow->inputs.ptr[i].name, name))
			return &workflow->inputs.ptr[i];
	}
	return NULL;
}

static void put(struct inputs *in, str name, const struct value *value)
{
	for (size_t i = 0; i < in->members.len; i++) {
		if (str_eq(in->members.ptr[i].key, name)) {
			in->members.ptr[i].value = *value;
			return;
		}
	}
	*vec_push(&in->members) = (struct value_member){.key = name, .value = *value};
}

static const char *describe_inputs(const struct inputs *in)
{
	struct buf names = {0};
	for (size_t i = 0; i < in->workflow->inputs.len; i++)
		buf_printf(&names, "%s%.*s", i ? ", " : "it takes ",
			STR_ARG(in->workflow->inputs.ptr[i].name));
	const char *text = arena_str(&in->cli->arena, buf_str(&names)).ptr;
	buf_finish(&names);
	return text;
}

static void add(struct inputs *in, str name, const struct value *value)
{
	const struct input_spec *spec = find_spec(in->workflow, name);
	struct place nowhere = {0};
	if (!spec) {
		struct err *err = diags_error(&in->diags, nowhere, "E-INPUT-UNKNOWN",
			"workflow %.*s has no input `%.*s`", STR_ARG(in->workflow->name),
			STR_ARG(name));
		str *names = arena_array(&in->cli->arena, str, in->workflow->inputs.len);
		for (size_t i = 0; i < in->workflow->inputs.len; i++)
			names[i] = in->workflow->inputs.ptr[i].name;
		str near = str_nearest(name, names, in->workflow->inputs.len);
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(err, "%s",
				in->workflow->inputs.len
					? describe_inputs(in)
					: "it takes none: they are declared under `inputs`");
		return;
	}
	if (!workflow_input_fits(spec->type, value)) {
		struct buf shown = {0};
		json_write(&shown, value);
		err_help(diags_error(&in->diags, nowhere, "E-INPUT-TYPE",
				 "input `%.*s` is %s, not a %.*s: %.*s", STR_ARG(name),
				 value_kind_name(value->kind), STR_ARG(spec->type),
				 STR_ARG(str_slice(buf_str(&shown), 0, 60))),
			"write -i %.*s=%s", STR_ARG(name),
			str_is(spec->type, "number")    ? "42"
			: str_is(spec->type, "boolean") ? "true"
							: "TEXT");
		buf_finish(&shown);
	}
	/* Also what is refused: it is not missing. */
	put(in, name, value);
}

/* The value of `-i name=text` by the declared type: text for strings, JSON for everything else. */
static void add_text(struct inputs *in, str name, str text)
{
	const struct input_spec *spec = find_spec(in->workflow, name);
	struct value value = value_string(text);
	struct err err = {0};
	if (spec && !str_is(spec->type, "string")) {
		const struct value *parsed = json_parse(&in->cli->arena, text, &err);
		if (parsed)
			value = *parsed;
		else if (str_is(spec->type, "json"))
			diags_error(&in->diags, (struct place){0}, "E-INPUT-TYPE",
				"input `%.*s` is not JSON: %s", STR_ARG(name), err.message);
		err_finish(&err);
	}
	add(in, name, &value);
}

static bool add_object(struct inputs *in, str text, const char *file)
{
	struct err err = {0};
	const struct value *map = json_parse(&in->cli->arena, text, &err);
	if (map && map->kind != VALUE_MAP) {
		err_set(&err, "E-INPUT-FILE", "the file of inputs is %s, not an object",
			value_kind_name(map->kind));
		err_help(&err, "write {\"name\": value}");
		err_at(&err, (struct place){.line = 1, .col = 1});
	}
	if (!map || err_is_set(&err)) {
		err.at.file = file;
		if (!file)
			err_wrap(&err, "the stored inputs");
		diags_take(&in->diags, &err);
		return false;
	}
	for (size_t i = 0; i < map->as.map.count; i++)
		add(in, map->as.map.items[i].key, &map->as.map.items[i].value);
	return true;
}

static void add_file(struct inputs *in, const char *file)
{
	struct buf text = {0};
	struct err err = {0};
	if (!fs_read_file(AT_FDCWD, file, (size_t)64 << 20, &text, &err))
		diags_take(&in->diags, &err);
	else
		add_object(in, arena_str(&in->cli->arena, buf_str(&text)), file);
	buf_finish(&text);
}

static void require_all(struct inputs *in)
{
	for (size_t i = 0; i < in->workflow->inputs.len; i++) {
		const struct input_spec *spec = &in->workflow->inputs.ptr[i];
		bool is_given = spec->fallback != NULL;
		for (size_t k = 0; k < in->members.len; k++)
			is_given = is_given || str_eq(in->members.ptr[k].key, spec->name);
		if (spec->required && !is_given)
			err_help(diags_error(&in->diags, spec->at, "E-INPUT-MISSING",
					 "input `%.*s` is required", STR_ARG(spec->name)),
				"add -i %.*s=VALUE", STR_ARG(spec->name));
	}
}

bool inputs_read(struct cli *cli, const struct workflow *workflow, const struct arg_list *given,
	const char *file, const char *stored, const struct value **out)
{
	struct inputs in = {.cli = cli, .workflow = workflow};
	if (stored)
		add_object(&in, str_of(stored), NULL);
	if (file)
		add_file(&in, file);
	for (size_t i = 0; i < given->list.len; i++) {
		str pair = str_of(given->list.ptr[i]);
		size_t eq = str_find_char(pair, '=', 0);
		if (eq == SIZE_MAX)
			err_help(diags_error(&in.diags, (struct place){0}, "E-USAGE",
					 "-i %.*s has no value", STR_ARG(pair)),
				"write -i NAME=VALUE");
		else
			add_text(&in, str_slice(pair, 0, eq), str_slice(pair, eq + 1, pair.len));
	}
	require_all(&in);
	bool ok = !in.diags.errors;
	talk_diags(cli, &in.diags);
	diags_finish(&in.diags);
	struct value *map = arena_new(&cli->arena, struct value);
	map->kind = VALUE_MAP;
	map->as.map.items = arena_array(&cli->arena, struct value_member, in.members.len);
	map->as.map.count = in.members.len;
	for (size_t i = 0; i < in.members.len; i++)
		map->as.map.items[i] = in.members.ptr[i];
	vec_finish(&in.members);
	*out = map;
	return ok;
}
