/* contract: `ensure`.  See contract.h. */
#include "engine/contract.h"

#include "data/schema.h"
#include "engine/internal.h"
#include "sys/fs.h"

#include <stdlib.h>

/* Files are looked at whole: a contract is for what people read, not for disk images. */
static const size_t largest_file = (size_t)256 << 20;

/* ---- the words of a contract on bytes ---- */

static const str subject_words[] = {STR_INIT("json"), STR_INIT("schema"), STR_INIT("not_empty"),
	STR_INIT("min_bytes"), STR_INIT("max_bytes"), STR_INIT("matches"), STR_INIT("not_matches")};

static void check_word(
	const struct value_member *m, const char *file, struct arena *arena, struct diags *diags)
{
	struct place at = value_place(&m->value, file);
	uint64_t number = 0;
	bool matched = false;
	struct err err = {0};
	if (str_is(m->key, "json") || str_is(m->key, "not_empty")) {
		if (m->value.kind != VALUE_BOOL)
			err_help(diags_error(diags, at, "E-ENSURE-TYPE",
					 "`%.*s` is %s, not true or false", STR_ARG(m->key),
					 value_kind_name(m->value.kind)),
				"write `%.*s: true`", STR_ARG(m->key));
	} else if (str_is(m->key, "schema")) {
		schema_compile(arena, &m->value, file, diags);
	} else if (str_is(m->key, "min_bytes") || str_is(m->key, "max_bytes")) {
		if (m->value.kind != VALUE_NUMBER || !str_to_u64(m->value.as.text, &number))
			err_help(diags_error(diags, at, "E-ENSURE-TYPE",
					 "`%.*s` is not a whole number", STR_ARG(m->key)),
				"write a number of bytes: `%.*s: 100`", STR_ARG(m->key));
	} else if (str_is(m->key, "matches") || str_is(m->key, "not_matches")) {
		if (m->value.kind != VALUE_STRING)
			err_help(diags_error(diags, at, "E-ENSURE-TYPE",
					 "`%.*s` is %s, not a pattern", STR_ARG(m->key),
					 value_kind_name(m->value.kind)),
				"quote it: `%.*s: '^[0-9]+$'`", STR_ARG(m->key));
		else if (!schema_regex(m->value.as.text, STR(""), &matched, &err))
			err_at(&err, at), diags_take(diags, &err);
	} else {
		struct place key_at = {file, m->line, m->col, (uint32_t)m->key.len};
		size_t count = sizeof(subject_words) / sizeof(subject_words[0]);
		str near = str_nearest(m->key, subject_words, count);
		struct err *e = diags_error(diags, key_at, "E-ENSURE-UNKNOWN",
			"a contract knows no `%.*s`", STR_ARG(m->key));
		if (near.len)
			err_help(e, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(e,
				"it knows json, schema, not_empty, min_bytes, max_bytes, matches and not_matches");
	}
}

static void check_subject(
	const struct value *spec, const char *file, struct arena *arena, struct diags *diags)
{
	if (spec->kind != VALUE_MAP) {
		err_help(diags_error(diags, value_place(spec, file), "E-ENSURE-TYPE",
				 "a contract is %s, not a mapping", value_kind_name(spec->kind)),
			"write what is promised: `{json: true}` or `{not_empty: true}`");
		return;
	}
	for (size_t i = 0; i < spec->as.map.count; i++)
		check_word(&spec->as.map.items[i], file, arena, diags);
}

static void check_files(
	const struct value *files, const char *file, struct arena *arena, struct diags *diags)
{
	if (files->kind != VALUE_MAP) {
		err_help(diags_error(diags, value_place(files, file), "E-ENSURE-TYPE",
				 "`files` is %s, not a mapping of paths",
				 value_kind_name(files->kind)),
			"write `files: {report.json: {json: true}}`");
		return;
	}
	for (size_t i = 0; i < files->as.map.count; i++)
		check_subject(&files->as.map.items[i].value, file, arena, diags);
}

bool contract_check_spec(
	const struct node *node, const char *file, struct arena *arena, struct diags *diags)
{
	static const str parts[] = {STR_INIT("output"), STR_INIT("files"), STR_INIT("run")};
	size_t before = diags->errors;
	for (size_t i = 0; node->ensure && i < node->ensure->as.map.count; i++) {
		const struct value_member *m = &node->ensure->as.map.items[i];
		if (str_is(m->key, "output")) {
			check_subject(&m->value, file, arena, diags);
		} else if (str_is(m->key, "files")) {
			check_files(&m->value, file, arena, diags);
		} else if (str_is(m->key, "run")) {
			if (m->value.kind != VALUE_STRING)
				err_help(diags_error(diags, value_place(&m->value, file),
						 "E-ENSURE-TYPE", "`run` is %s, not a command",
						 value_kind_name(m->value.kind)),
					"write a command of bash: `run: test -s out.txt`");
		} else {
			struct place at = {file, m->line, m->col, (uint32_t)m->key.len};
			str near = str_nearest(m->key, parts, 3);
			err_help(diags_error(diags, at, "E-ENSURE-UNKNOWN",
					 "`ensure` has no `%.*s`", STR_ARG(m->key)),
				near.len ? "did you mean `%.*s`?"
					 : "it has output, files and run%.*s",
				STR_ARG(near));
		}
	}
	const struct value *format = value_get(node->fields, STR("output_format"));
	if (format && format->kind == VALUE_MAP)
		schema_compile(arena, format, file, diags);
	return diags->errors == before;
}

/* ---- checking bytes ---- */

struct subject {
	struct attempt *attempt;
	const char *code;
	const char *name; /* "its output", "report.json" */
	str bytes;
	bool may_be_fenced; /* a program's output, which often is Markdown */
};

static bool broken(const struct subject *s, struct err *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool broken(const struct subject *s, struct err *err, const char *format, ...)
{
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	err_set(err, s->code, "%s %s", s->name, buf_cstr(&text));
	buf_finish(&text);
	return false;
}

/* That it can't be told whether the schema is met is no word on the value. */
static bool tell_schema(const struct subject *s, const struct diags *diags, struct err *err)
{
	struct buf all = {0};
	for (size_t i = 0; i < diags->list.len; i++) {
		const struct err *one = &diags->list.ptr[i];
		if (strcmp(one->code, "E-SCHEMA-MISMATCH") != 0 && !one->is_warning) {
			buf_finish(&all);
			err_set(err, one->code, "whether %s meets its schema can't be told: %s",
				s->name, one->message);
			return one->help ? err_help(err, "%s", one->help) : false;
		}
		buf_printf(&all, "%s%s", i ? "; " : "", one->message);
	}
	broken(s, err, "does not meet its schema: %s", buf_cstr(&all));
	buf_finish(&all);
	return false;
}

static bool meets_schema(const struct subject *s, const struct value *spec, struct err *err)
{
	struct arena *arena = &s->attempt->arena;
	struct diags diags = {0};
	struct err why = {0};
	str shown = decide_quote(arena, str_trim(s->bytes), 60);
	str text = s->may_be_fenced ? json_unfence(s->bytes) : s->bytes;
	const struct value *value = json_parse(arena, str_trim(text), &why);
	if (!value) {
		broken(s, err, "is not JSON: %s; it is %.*s", why.message, STR_ARG(shown));
		err_finish(&why);
		return false;
	}
	const struct schema *schema = spec ? schema_compile(arena, spec, NULL, &diags) : NULL;
	bool ok = !spec || (schema && schema_check(schema, value, NULL, 3, &diags));
	if (!ok)
		tell_schema(s, &diags, err);
	diags_finish(&diags);
	return ok;
}

static bool meets_word(const struct subject *s, const struct value_member *m, struct err *err)
{
	str shown = decide_quote(&s->attempt->arena, s->bytes, 60);
	uint64_t number = 0;
	bool matched = false;
	if (m->value.kind == VALUE_NUMBER)
		str_to_u64(m->value.as.text, &number);
	if (str_is(m->key, "json"))
		return !m->value.as.boolean || meets_schema(s, NULL, err);
	if (str_is(m->key, "schema"))
		return meets_schema(s, &m->value, err);
	if (str_is(m->key, "not_empty"))
		return !m->value.as.boolean || str_trim(s->bytes).len || broken(s, err, "is empty");
	if (str_is(m->key, "min_bytes"))
		return s->bytes.len >= number ||
		       broken(s, err, "has %zu byte%s, at least %llu are promised: %.*s",
			       s->bytes.len, s->bytes.len == 1 ? "" : "s",
			       (unsigned long long)number, STR_ARG(shown));
	if (str_is(m->key, "max_bytes"))
		return s->bytes.len <= number ||
		       broken(s, err, "has %zu bytes, at most %llu are promised", s->bytes.len,
			       (unsigned long long)number);
	if (!schema_regex(m->value.as.text, s->bytes, &matched, err))
		return false;
	if (str_is(m->key, "matches"))
		return matched || broken(s, err, "does not match %.*s; it is %.*s",
					  STR_ARG(m->value.as.text), STR_ARG(shown));
	return !matched || broken(s, err, "matches %.*s, which it must not; it is %.*s",
				   STR_ARG(m->value.as.text), STR_ARG(shown));
}

static bool meets(const struct subject *s, const struct value *spec, struct err *err)
{
	for (size_t i = 0; i < spec->as.map.count; i++) {
		if (!meets_word(s, &spec->as.map.items[i], err))
			return false;
	}
	return true;
}

static bool output_meets(struct attempt *attempt, const struct digest *output, struct err *err)
{
	const struct node *node = attempt->unit->node;
	const struct value *spec = value_get(node->ensure, STR("output"));
	const struct value *format = value_get(node->fields, STR("output_format"));
	struct buf bytes = {0};
	if (!spec && !format)
		return true;
	if (!cas_get(attempt->engine->store, output, &bytes, err))
		return false;
	struct subject s = {attempt, "E-ENSURE-OUTPUT", "its output", buf_str(&bytes), true};
	if (s.bytes.len && s.bytes.ptr[s.bytes.len - 1] == '\n')
		s.bytes.len--;
	bool ok = (!spec || meets(&s, spec, err)) && (!format || meets_schema(&s, format, err));
	buf_finish(&bytes);
	return ok;
}

static bool file_meets(struct attempt *attempt, str path, const struct value *spec, struct err *err)
{
	struct engine *engine = attempt->engine;
	struct buf bytes = {0};
	str prefix = STR("$ARTIFACTS_DIR/");
	bool is_artifact = str_starts(path, prefix);
	const char *full = is_artifact
	                           ? arena_printf(&attempt->arena, "%s/%.*s", engine->artifacts_rel,
					     STR_ARG(str_slice(path, prefix.len, path.len)))
	                           : arena_str(&attempt->arena, path).ptr;
	int root = is_artifact ? store_state_fd(engine->store) : store_project_fd(engine->store);
	struct subject s = {attempt, "E-ENSURE-FILE",
		arena_printf(&attempt->arena, "%.*s", STR_ARG(path)), STR(""), false};
	struct err why = {0};
	if (!fs_read_file(root, full, largest_file, &bytes, &why)) {
		broken(&s, err, "can't be read: %s", why.message);
		err_finish(&why);
		return false;
	}
	s.bytes = buf_str(&bytes);
	bool ok = meets(&s, spec, err);
	buf_finish(&bytes);
	return ok;
}

static bool files_meet(struct attempt *attempt, struct err *err)
{
	const struct value *files = value_get(attempt->unit->node->ensure, STR("files"));
	for (size_t i = 0; files && i < files->as.map.count; i++) {
		if (!file_meets(attempt, files->as.map.items[i].key, &files->as.map.items[i].value,
			    err))
			return false;
	}
	return true;
}

bool contract_check(struct attempt *attempt, struct err *err)
{
	if (output_meets(attempt, &attempt->unit->out.output, err) && files_meet(attempt, err))
		return true;
	if (!err->help)
		err_help(err, "mend `%.*s`: it exited 0 with output that its own contract refuses",
			STR_ARG(attempt->unit->node->id));
	return false;
}

str contract_command(const struct node *node)
{
	const struct value *run = value_get(node->ensure, STR("run"));
	return run && run->kind == VALUE_STRING ? run->as.text : STR("");
}

/* ---- at reuse ---- */

static bool has_contract(const struct node *node)
{
	return node->ensure || value_get(node->fields, STR("output_format"));
}

/* A digest of the whole contract, in hexadecimal. */
static str contract_name(struct attempt *attempt)
{
	struct buf text = {0};
	struct buf hex = {0};
	const struct value *format = value_get(attempt->unit->node->fields, STR("output_format"));
	if (attempt->unit->node->ensure)
		json_write_canonical(&text, attempt->unit->node->ensure);
	buf_add_char(&text, '\n');
	if (format)
		json_write_canonical(&text, format);
	struct digest digest = hash_of(buf_str(&text));
	digest_add_hex(&hex, &digest);
	str name = arena_str(&attempt->arena, buf_str(&hex));
	buf_finish(&text);
	buf_finish(&hex);
	return name;
}

static const str contract_scope = STR_INIT("pawl.contract");

void contract_note_met(struct attempt *attempt, int64_t result)
{
	if (!has_contract(attempt->unit->node))
		return;
	str id = str_of(arena_printf(&attempt->arena, "%lld", (long long)result));
	kv_put(attempt->engine->store, contract_scope, id, contract_name(attempt), NULL);
}

static bool was_met(struct attempt *attempt, int64_t result)
{
	str met = STR("");
	bool found = false;
	str id = str_of(arena_printf(&attempt->arena, "%lld", (long long)result));
	return kv_get(attempt->engine->store, &attempt->arena, contract_scope, id, &met, &found,
		       NULL) &&
	       found && str_eq(met, contract_name(attempt));
}

/* A file of the contract as the result left it: checked where it stands in the manifest, since it may not be in place. */
static bool stored_files_meet(
	struct attempt *attempt, const struct result_row *row, struct err *err)
{
	const struct value *files = value_get(attempt->unit->node->ensure, STR("files"));
	struct buf text = {0};
	struct manifest manifest = {0};
	bool ok = true;
	if (!files || !row->has_manifest)
		return !files || files_meet(attempt, err);
	ok = cas_get(attempt->engine->store, &row->manifest, &text, err) &&
	     manifest_parse(buf_str(&text), &manifest);
	for (size_t i = 0; ok && i < files->as.map.count; i++) {
		str path = files->as.map.items[i].key;
		str prefix = STR("$ARTIFACTS_DIR/");
		bool is_artifact = str_starts(path, prefix);
		str inner = is_artifact ? str_slice(path, prefix.len, path.len) : path;
		const struct artifact *found = NULL;
		for (size_t k = 0; k < manifest.list.len; k++) {
			const struct artifact *a = &manifest.list.ptr[k];
			if ((a->root == ROOT_ARTIFACTS) == is_artifact && str_eq(a->path, inner) &&
				a->kind == ARTIFACT_FILE)
				found = a;
		}
		if (!found) {
			ok = file_meets(attempt, path, &files->as.map.items[i].value, err);
			continue;
		}
		struct buf bytes = {0};
		struct subject s = {attempt, "E-ENSURE-FILE", arena_str(&attempt->arena, path).ptr,
			STR(""), false};
		ok = cas_get(attempt->engine->store, &found->digest, &bytes, err);
		s.bytes = buf_str(&bytes);
		ok = ok && meets(&s, &files->as.map.items[i].value, err);
		buf_finish(&bytes);
	}
	manifest_finish(&manifest);
	buf_finish(&text);
	return ok;
}

str contract_recheck(struct attempt *attempt, const struct result_row *row)
{
	struct err err = {0};
	str sentence = STR("");
	if (!has_contract(attempt->unit->node) || was_met(attempt, row->id))
		return sentence;
	if (!output_meets(attempt, &row->output, &err) || !stored_files_meet(attempt, row, &err))
		sentence = str_of(arena_printf(&attempt->arena, "%s", err.message));
	else if (contract_command(attempt->unit->node).len)
		sentence = STR("`ensure.run` is new since, and only a run can answer it");
	err_finish(&err);
	return sentence;
}

void contract_describe(const struct node *node, struct buf *out)
{
	if (!has_contract(node)) {
		buf_add_z(out, "no contract");
		return;
	}
	buf_add_z(out, "contract:");
	const struct value *output = value_get(node->ensure, STR("output"));
	for (size_t i = 0; output && output->kind == VALUE_MAP && i < output->as.map.count; i++)
		buf_printf(out, " %.*s", STR_ARG(output->as.map.items[i].key));
	if (value_get(node->fields, STR("output_format")))
		buf_add_z(out, " schema");
	if (value_get(node->ensure, STR("files")))
		buf_add_z(out, " files");
	if (contract_command(node).len)
		buf_add_z(out, " run");
}
