/* host_bind: references inside bodies, for plugins (extension pawl.bind/1).  The lexers of data/bind.h make the text; this
 * file gives their problems a place in the workflow's file, fetches the values, and keeps them for the next spawn: in its
 * environment while they are small, else in files of the run's private directory. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* All variables of one spawn together; the kernel's limit for arguments and environment is at least 2 MiB. */
#define ENV_TOTAL ((size_t)512 << 10)

static struct bind_names names_of(struct pawl_node *node)
{
	return (struct bind_names){.ctx = node, .is_node = host_is_node};
}

static struct host_bound *bound_of(
	struct pawl_node *node, const struct bind_language *language, const char *field, str body)
{
	for (size_t i = 0; i < node->bounds.len; i++) {
		struct host_bound *bound = node->bounds.ptr[i];
		if (bound->language == language && str_is(bound->field, field))
			return bound;
	}
	struct host_bound *bound = arena_new(&node->arena, struct host_bound);
	*vec_push(&node->bounds) = bound;
	bound->language = language;
	bound->field = arena_str(&node->arena, str_of(field));
	struct bind_names names = names_of(node);
	struct place origin = {.line = 1, .col = 1};
	bound->is_good = language->bind(body, &names, origin, &bound->result, &bound->diags);
	return bound;
}

void host_bind_again(struct pawl_node *node, str language_name, const char *field)
{
	const struct bind_language *language = bind_find(language_name);
	const struct value *value = host_find_field(node, str_of(field));
	if (language && value && value->kind == VALUE_STRING)
		bound_of(node, language, field, value->as.text);
}

/* ---- places ----------------------------------------------------------------------------------------------------------------- */

static str line_at(str text, uint32_t number)
{
	str line = STR("");
	for (uint32_t i = 0; i < number; i++)
		if (!str_line(&text, &line))
			return STR("");
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Where the byte `at` of a quoted scalar's text is written in the line in which it begins: false where it ends on another, or
 * behind an escape that is not of one byte. */
static bool written_at(str line, size_t start, char style, size_t at, size_t *out)
{
	size_t i = start;
	for (size_t done = 0; done < at; done++) {
		char next = i + 1 < line.len ? line.ptr[i + 1] : '\0';
		bool is_escape = i < line.len && line.ptr[i] == (style == '"' ? '\\' : '\'');
		if (i >= line.len || (style == '"' && line.ptr[i] == '"'))
			return false;
		if (is_escape && (!next || !strchr(style == '"' ? "nt\"\\/ 0abefrv" : "'", next)))
			return false;
		i += is_escape ? 2 : 1;
	}
	*out = i;
	return true;
}

/* The place of a part of a quoted scalar, where it stands on one line of the file. */
static bool place_in_quotes(
	const struct value *value, str line, const struct place *in, struct place *place)
{
	str body = value->as.text;
	size_t from = 0;
	size_t start = 0;
	size_t end = 0;
	if (!value->col || !in->col)
		return false;
	for (uint32_t k = 1; k < in->line; k++)
		from = str_find_char(body, '\n', from) + 1;
	from += in->col - 1;
	if (!written_at(line, value->col, value->style, from, &start) ||
		!written_at(line, value->col, value->style, from + in->len, &end))
		return false;
	place->col = (uint32_t)start + 1;
	place->len = (uint32_t)(end - start);
	return true;
}

/* In a literal block, body line k is file line k behind the `|`, indented; a plain scalar on one line stands there as it is, a
 * quoted one with escapes.  Anything else: the place of the whole value. */
static struct place place_in_file(
	const struct pawl_node *node, const struct value *value, struct place in)
{
	const struct scope *scope = node->init.node->scope;
	struct place place = value_place(value, scope->file);
	str body = value->as.text;
	if (!value->line || !in.line)
		return place;
	if (value->style == '|') {
		str body_line = line_at(body, in.line);
		str file_line = line_at(scope->source, value->line + in.line);
		if (!str_ends(file_line, body_line))
			return place;
		place.line = value->line + in.line;
		place.col = in.col ? in.col + (uint32_t)(file_line.len - body_line.len) : 0;
		place.len = in.len;
		return place;
	}
	str file_line = line_at(scope->source, value->line);
	size_t start = value->col - 1;
	if (value->style == '"' || value->style == '\'') {
		place_in_quotes(value, file_line, &in, &place);
		return place;
	}
	if (value->style != '>' && value->col && in.col &&
		str_eq(str_slice(file_line, start, start + body.len), body)) {
		place.col = (uint32_t)start + in.col;
		place.len = in.len;
	}
	return place;
}

/* Where a reference stands, counted in the body. */
static struct place place_in_body(str body, const struct ref *ref)
{
	struct place place = {.line = 1, .col = 1, .len = (uint32_t)(ref->end - ref->start)};
	for (size_t i = 0; i < ref->start && i < body.len; i++) {
		place.col++;
		if (body.ptr[i] == '\n') {
			place.line++;
			place.col = 1;
		}
	}
	return place;
}

void host_each_fix(
	struct pawl_node *node, void (*fn)(void *arg, const struct host_fix *fix), void *arg)
{
	for (size_t i = 0; i < node->bounds.len; i++) {
		const struct host_bound *bound = node->bounds.ptr[i];
		const struct value *value = host_find_field(node, bound->field);
		for (size_t k = 0;
			value && value->kind == VALUE_STRING && k < bound->result.fixes.len; k++) {
			const struct bind_fix *fix = &bound->result.fixes.ptr[k];
			struct place in = place_in_body(value->as.text,
				&(struct ref){.start = fix->start, .end = fix->end});
			fn(arg, &(struct host_fix){.at = place_in_file(node, value, in),
					.style = value->style,
					.then = str_slice(value->as.text, fix->start, fix->end),
					.now = fix->text});
		}
	}
}

static void copy_problem(const struct pawl_node *node, const struct value *value,
	const struct err *problem, struct err *out)
{
	err_set(out, problem->code, "%s", problem->message);
	if (problem->help)
		err_help(out, "%s", problem->help);
	out->is_warning = problem->is_warning;
	out->at = place_in_file(node, value, problem->at);
	bool is_whole = out->at.col == value->col;
	if (is_whole && value->style != 0 && problem->at.line > 1)
		err_wrap(out, "in line %u of the text", problem->at.line);
}

static pawl_status report(
	struct pawl_node *node, const struct value *value, const struct host_bound *bound)
{
	for (size_t i = 0; i < bound->diags.list.len; i++) {
		const struct err *problem = &bound->diags.list.ptr[i];
		if (node->phase != HOST_VALIDATE && problem->is_warning)
			continue;
		struct err err = {0};
		copy_problem(node, value, problem, &err);
		host_fail_err(node, PAWL_E_CONFIG, &err);
		if (node->phase != HOST_VALIDATE)
			break;
	}
	return bound->is_good ? PAWL_OK : PAWL_E_CONFIG;
}

static void check_slots(
	struct pawl_node *node, const struct value *value, const struct host_bound *bound)
{
	for (size_t s = 0; s < bound->result.slots.len; s++) {
		const struct ref *ref = &bound->result.slots.ptr[s].ref;
		struct err err = {0};
		struct err placed = {0};
		if (host_check_ref(node, ref, &err))
			continue;
		err_at(&err, place_in_body(value->as.text, ref));
		copy_problem(node, value, &err, &placed);
		err_finish(&err);
		diags_take(node->diags, &placed);
	}
}

/* "$fecth.output" is most likely meant for the node `fetch`; what is like no node is the language's own, and so is what the
 * body itself assigns. */
static void check_near_misses(struct pawl_node *node, const struct value *value)
{
	str body = value->as.text;
	struct ref ref;
	size_t offset = 0;
	while (ref_next(body, &offset, &ref)) {
		if (!host_names_nobody(node, &ref) || !host_nearest_node(node, ref.name).len)
			continue;
		struct buf assigned = {0};
		buf_printf(&assigned, "%.*s=", STR_ARG(ref.name));
		if (str_find(body, buf_str(&assigned), 0) == SIZE_MAX)
			host_warn_nobody(
				node, &ref, place_in_file(node, value, place_in_body(body, &ref)));
		buf_finish(&assigned);
	}
}

/* "$fetch.outptu" where `fetch` is a node. */
static void check_slips(struct pawl_node *node, const struct value *value)
{
	str body = value->as.text;
	struct ref ref;
	size_t offset = 0;
	for (str meant; ref_next_slip(body, &offset, &ref, &meant);) {
		struct place at = place_in_file(node, value, place_in_body(body, &ref));
		host_warn_slip(node, body, &ref, meant, at);
	}
}

void host_check_bounds(struct pawl_node *node)
{
	for (size_t i = 0; i < node->bounds.len; i++) {
		const struct host_bound *bound = node->bounds.ptr[i];
		const struct value *value = host_find_field(node, bound->field);
		if (!value || value->kind != VALUE_STRING)
			continue;
		check_slots(node, value, bound);
		check_near_misses(node, value);
		check_slips(node, value);
	}
}

/* ---- delivery ----------------------------------------------------------------------------------------------------------------- */

static bool write_file(
	struct pawl_run *run, const char *name, str bytes, const char **path, struct err *err)
{
	const char *dir = host_temp_dir(run);
	if (!dir && err_is_set(&run->node->err)) {
		err_finish(err);
		*err = run->node->err;
		run->node->err = (struct err){0};
		return err_wrap(err, "a reference has a large value, which goes through a file");
	}
	if (!dir)
		return err_set(err, "E-SYSTEM", "no directory for the values of references");
	*path = arena_printf(&run->arena, "%s/%s", dir, name);
	int fd = open(*path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "E-SYSTEM", "%s", *path);
	int failed = 0;
	while (bytes.len && !failed) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n >= 0)
			bytes = str_slice(bytes, (size_t)n, bytes.len);
		else if (errno != EINTR)
			failed = errno;
	}
	if (close(fd) != 0 && !failed)
		failed = errno;
	return failed ? err_sys(err, failed, "E-SYSTEM", "%s", *path) : true;
}

struct delivery {
	struct pawl_run *run;
	const struct host_bound *bound;
	size_t total; /* bytes in the environment so far */
	bool *large;  /* a slot */
	bool has_large;
};

static bool fetch(struct pawl_node *node, const struct bind_slot *slot, str *out, struct err *err)
{
	const struct host_values *values = node->init.values;
	bool (*get)(void *, const struct ref *, str *, struct err *) =
		slot->as == BIND_JSON ? values->json : values->text;
	if (get(values->ctx, &slot->ref, out, err))
		return true;
	if (!err_is_set(err)) {
		struct buf name = {0};
		ref_write(&name, &slot->ref);
		err_set(err, "E-CONFIG", "`%s` has no value", buf_cstr(&name));
		buf_finish(&name);
	}
	return false;
}

static void add_variable(struct delivery *delivery, const char *name, const char *mark, str value)
{
	struct pawl_run *run = delivery->run;
	struct buf entry = {0};
	buf_printf(&entry, "%s=%s", name, mark);
	buf_add(&entry, value);
	delivery->total += entry.len;
	*vec_push(&run->bound_env) = arena_str(&run->arena, buf_str(&entry)).ptr;
	buf_finish(&entry);
}

static bool fits(const struct delivery *delivery, str value)
{
	return value.len <= BIND_LARGE && delivery->total + value.len <= ENV_TOTAL;
}

/* bash and its like: the bytes themselves; what is too large is read from its file by the prelude. */
static bool deliver_bare(struct delivery *delivery, size_t i, str value, struct err *err)
{
	const struct bind_slot *slot = &delivery->bound->result.slots.ptr[i];
	size_t nul = str_find_char(value, '\0', 0);
	if (nul != SIZE_MAX) {
		struct buf name = {0};
		ref_write(&name, &slot->ref);
		err_set(err, "E-BIND-NUL",
			"the value of `%s` has a NUL byte at offset %zu, which %s can't hold in a variable",
			buf_cstr(&name), nul, delivery->bound->language->name);
		err_help(err,
			"hand binary data on as a file: write it to \"$ARTIFACTS_DIR/...\" and read it from there");
		buf_finish(&name);
		return false;
	}
	if (fits(delivery, value)) {
		add_variable(delivery, slot->variable, "", value);
		return true;
	}
	const char *path;
	delivery->large[i] = delivery->has_large = true;
	return write_file(delivery->run, slot->variable, value, &path, err);
}

/* js and python: "=" and the payload, or "@" and the path of a file with it. */
static bool deliver_marked(
	struct delivery *delivery, const char *variable, str payload, struct err *err)
{
	bool needs_file = !fits(delivery, payload) || str_find_char(payload, '\0', 0) != SIZE_MAX ||
	                  utf8_invalid_at(payload) != SIZE_MAX;
	if (!needs_file) {
		add_variable(delivery, variable, "=", payload);
		return true;
	}
	const char *path;
	if (!write_file(delivery->run, variable, payload, &path, err))
		return false;
	add_variable(delivery, variable, "@", str_of(path));
	return true;
}

/* A text that does not go to the interpreter itself, but to the program that runs it. */
static bool deliver_body(struct delivery *delivery, struct err *err)
{
	if (!delivery->bound->language->bootstrap)
		return true;
	const struct buf *text = &delivery->bound->result.text;
	struct buf name = {0};
	buf_printf(&name, "<%s>", delivery->run->node->id);
	add_variable(delivery, "PAWL_BODY_NAME", "", buf_str(&name));
	buf_finish(&name);
	return deliver_marked(delivery, "PAWL_BODY", buf_str(text), err);
}

static bool deliver(
	struct pawl_run *run, const struct host_bound *bound, str *prelude, struct err *err)
{
	size_t count = bound->result.slots.len;
	struct delivery delivery = {.run = run, .bound = bound};
	delivery.large = arena_array(&run->arena, bool, count + 1);
	run->bound_env.len = 0;
	*prelude = STR("");
	for (size_t i = 0; i < count; i++) {
		str value = STR("");
		if (!fetch(run->node, &bound->result.slots.ptr[i], &value, err))
			return false;
		const char *variable = bound->result.slots.ptr[i].variable;
		if (bound->language->marked ? !deliver_marked(&delivery, variable, value, err)
					    : !deliver_bare(&delivery, i, value, err))
			return false;
	}
	if (!deliver_body(&delivery, err))
		return false;
	if (!delivery.has_large)
		return true;
	if (!bound->language->prelude)
		return err_set(err, "E-UNSUPPORTED", "%s has no way to read a value of that size",
			bound->language->name);
	struct buf code = {0};
	bound->language->prelude(
		&code, bound->result.slots.ptr, delivery.large, count, str_of(host_temp_dir(run)));
	*prelude = arena_str(&run->arena, buf_str(&code));
	buf_finish(&code);
	return true;
}

/* ---- the service ---------------------------------------------------------------------------------------------------------------- */

static pawl_str *copy_strs(struct arena *arena, const str *list, size_t count)
{
	pawl_str *copy = arena_array(arena, pawl_str, count + 1);
	for (size_t i = 0; i < count; i++)
		copy[i] = host_str(arena_str(arena, list[i]));
	return copy;
}

static void fill(struct pawl_node *node, const struct host_bound *bound, pawl_bound *all)
{
	const struct bind_result *result = &bound->result;
	struct arena *arena = &node->arena;
	all->references = (uint32_t)result->slots.len;
	all->text = host_str(str_make(result->text.ptr, result->text.len));
	if (bound->language->bootstrap)
		all->text = host_str(str_of(bound->language->bootstrap));
	all->words = copy_strs(arena, result->words.ptr, result->words.len);
	all->word_count = result->words.len;
	all->writes = copy_strs(arena, result->writes.ptr, result->writes.len);
	all->write_count = result->writes.len;
	all->commands = copy_strs(arena, result->commands.ptr, result->commands.len);
	all->command_count = result->commands.len;
}

static pawl_status bind(
	pawl_node *node, const char *language_name, const char *field, pawl_bound *out)
{
	if (!node || !language_name || !field || !out || out->size < offsetof(pawl_bound, words))
		return host_misuse(node, "bind", "an argument is NULL or out->size is not set");
	if (!host_on_loop(node))
		return host_misuse(node, "bind", "called from another thread than the loop's");
	if (node->phase == HOST_IDLE)
		return host_misuse(
			node, "bind", "called outside validate(), cache_key() and the run");
	if (node->phase == HOST_RUN && !run_is_open(node->run, "bind"))
		return PAWL_E_MISUSE;
	const struct bind_language *language = bind_find(str_of(language_name));
	if (!language)
		return host_fail(node, PAWL_E_UNSUPPORTED, field,
			"is in a language in which references can't be bound");
	const struct value *value = host_find_field(node, str_of(field));
	if (!value)
		return PAWL_E_NOT_FOUND;
	if (value->kind != VALUE_STRING)
		return host_fail(node, PAWL_E_CONFIG, field, "is not a string");
	struct host_bound *bound = bound_of(node, language, field, value->as.text);
	pawl_status status = report(node, value, bound);
	if (status != PAWL_OK)
		return status;
	pawl_bound all = {.size = out->size, .prelude = host_str(STR(""))};
	fill(node, bound, &all);
	if (node->phase == HOST_RUN) {
		struct err err = {0};
		str prelude;
		if (!deliver(node->run, bound, &prelude, &err)) {
			err_at(&err, value_place(value, node->init.node->scope->file));
			return host_fail_err(node, PAWL_E_CONFIG, &err);
		}
		all.prelude = host_str(prelude);
	}
	memcpy(out, &all, out->size < sizeof(all) ? out->size : sizeof(all));
	out->size = all.size;
	return PAWL_OK;
}

const pawl_bind_v1 host_bind_v1 = {.size = sizeof(host_bind_v1), .bind = bind};
