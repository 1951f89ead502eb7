/* bashlex: binding the references of a bash body, and what of its words names files and programs.  It knows bash's
 * syntax, not what the commands do but for the few that evaluate their arguments.  See bashlex.h. */
#include "data/bashlex.h"

#include "base/mem.h"

void bashlex_break(struct bashlex *lx, size_t at, const char *why)
{
	if (!lx->broken) {
		lx->broken = why;
		lx->broken_at = at;
	}
}

bool bashlex_enter(struct bashlex *lx)
{
	if (lx->broken)
		return false;
	if (lx->depth >= BASHLEX_DEPTH) {
		bashlex_break(lx, lx->at, "this is nested more than 200 deep");
		return false;
	}
	lx->depth++;
	return true;
}

bool bashlex_ref(struct bashlex *lx, enum bash_context context)
{
	struct ref ref;
	if (!ref_at(lx->body, lx->at, &ref) || ref.end > lx->end || !bind_wants(lx->names, &ref))
		return false;
	if (lx->now.word) {
		if (!lx->now.word->has_ref) {
			lx->now.word->ref = ref;
			lx->now.word->leads = lx->now.word->text.len == 0;
		}
		lx->now.word->has_ref = true;
		lx->now.word->value_ref = lx->now.word->value_ref || lx->now.word->value > 0;
		lx->now.word->literal = false;
	}
	if (lx->now.taboo != BASH_OK) {
		bashlex_refuse(lx, &ref, lx->now.taboo, NULL);
	} else {
		struct buf *text = &lx->result->text;
		const char *quote = context == BASH_BARE ? "\"" : "";
		buf_add(text, str_slice(lx->body, lx->copied, ref.start));
		buf_printf(text, "%s${%s}%s", quote, bind_variable(lx->result, &ref, BIND_TEXT),
			quote);
		lx->copied = ref.end;
	}
	lx->at = ref.end;
	return true;
}

void bashlex_refuse_in(struct bashlex *lx, size_t start, size_t end, enum bash_taboo taboo)
{
	struct ref ref;
	str part = str_slice(lx->body, 0, end);
	for (size_t at = start; ref_next(part, &at, &ref);)
		if (bind_wants(lx->names, &ref))
			bashlex_refuse(lx, &ref, taboo, NULL);
}

str bashlex_keep(struct bashlex *lx, const struct bash_word *word, size_t from)
{
	str text = str_slice(buf_str(&word->text), from, SIZE_MAX);
	str there = str_slice(lx->body, word->start + from, word->end);
	return str_eq(text, there) ? there : arena_str(&lx->result->arena, text);
}

static bool is_new(struct map *seen, str s)
{
	static char mark;
	return s.len && !map_get(seen, s) && !map_put(seen, s, &mark);
}

/* Lists the word from byte `from` on, unless it can name no file. */
static void note_from(struct bashlex *lx, const struct bash_word *word, size_t from)
{
	str text = str_slice(buf_str(&word->text), from, SIZE_MAX);
	if (!text.len || text.ptr[0] == '-' || memchr(text.ptr, '\n', text.len))
		return;
	str kept = bashlex_keep(lx, word, from);
	if (is_new(&lx->seen_words, kept))
		*vec_push(&lx->result->words) = kept;
}

void bashlex_note_word(struct bashlex *lx, const struct bash_word *word)
{
	if (!word->literal)
		return;
	if (!word->name_len && !(word->artifacts && word->value))
		note_from(lx, word, 0);
	if (word->value)
		note_from(lx, word, word->value);
}

void bashlex_note_write(struct bashlex *lx, const struct bash_word *word)
{
	if (!word->literal || word->text.len == 0 || (word->artifacts && word->value))
		return;
	str kept = bashlex_keep(lx, word, 0);
	if (is_new(&lx->seen_writes, kept))
		*vec_push(&lx->result->writes) = kept;
}

void bashlex_note_append(struct bashlex *lx, const struct bash_word *word)
{
	if (word->artifacts)
		bashlex_note_write(lx, word);
	else if (word->literal && word->text.len)
		*vec_push(&lx->appends) = bashlex_keep(lx, word, 0);
}

void bashlex_note_command(struct bashlex *lx, const struct bash_word *word)
{
	if (!word->literal || word->text.len == 0)
		return;
	str kept = bashlex_keep(lx, word, 0);
	if (is_new(&lx->seen_commands, kept))
		*vec_push(&lx->commands) = kept;
	if (memchr(kept.ptr, '/', kept.len))
		bashlex_note_word(lx, word);
}

void bashlex_note_name(struct bashlex *lx, struct map *set, str name)
{
	if (!map_get(set, name))
		map_put(set, arena_str(&lx->result->arena, name), lx);
}

/* Names that are declared anywhere in the body make their assignments evaluated everywhere. */
static void check_names(struct bashlex *lx)
{
	for (size_t i = 0; i < lx->assigned.len; i++)
		if (map_get(&lx->integers, lx->assigned.ptr[i].name))
			bashlex_refuse(
				lx, &lx->assigned.ptr[i].ref, BASH_BUILTIN, "an integer variable");
	for (size_t i = 0; i < lx->declared.len; i++)
		if (map_get(&lx->arrays, lx->declared.ptr[i].name))
			bashlex_refuse(
				lx, &lx->declared.ptr[i].ref, BASH_BUILTIN, "declare of an array");
}

/* What could not be followed to its end has references whose context is not known. */
static void check_broken(struct bashlex *lx)
{
	struct ref ref;
	size_t from = lx->broken_at < lx->copied ? lx->broken_at : lx->copied;
	for (size_t at = from; lx->broken && ref_next(lx->body, &at, &ref);) {
		if (!bind_wants(lx->names, &ref))
			continue;
		lx->failed = true;
		size_t end = lx->broken_at + 1;
		struct err *err = diags_error(lx->diags,
			bind_place(lx->body, lx->origin, lx->broken_at, end), "E-REF-SYNTAX",
			"%s, so the context of references behind it is not known", lx->broken);
		err_help(err, "`bash -n` shows whether bash can read the body");
		return;
	}
}

/* The names of our variables are ours: a body that uses them itself could not be told apart. */
static void check_reserved(struct bashlex *lx)
{
	str prefix = STR("PAWL_REF_");
	size_t at = str_find(lx->body, prefix, 0);
	if (!lx->result->slots.len || at == SIZE_MAX)
		return;
	lx->failed = true;
	struct err *err = diags_error(lx->diags,
		bind_place(lx->body, lx->origin, at, at + prefix.len), "E-REF-RESERVED",
		"variables that begin with PAWL_REF_ carry references into this body");
	err_help(err, "give the variable another name");
}

static void finish(struct bashlex *lx)
{
	for (size_t i = 0; i < lx->commands.len; i++) {
		str name = lx->commands.ptr[i];
		if (!map_get(&lx->functions, name) && !bashlex_is_builtin(name))
			*vec_push(&lx->result->commands) = name;
	}
	for (size_t i = 0; i < lx->appends.len; i++) {
		str name = lx->appends.ptr[i];
		if (map_get(&lx->seen_words, name) && is_new(&lx->seen_writes, name))
			*vec_push(&lx->result->writes) = name;
	}
	map_finish(&lx->functions);
	map_finish(&lx->integers);
	map_finish(&lx->arrays);
	map_finish(&lx->seen_words);
	map_finish(&lx->seen_writes);
	map_finish(&lx->seen_commands);
	vec_finish(&lx->commands);
	vec_finish(&lx->appends);
	vec_finish(&lx->assigned);
	vec_finish(&lx->declared);
	vec_finish(&lx->docs);
}

static bool bash_bind(str body, const struct bind_names *names, struct place origin,
	struct bind_result *result, struct diags *diags)
{
	struct bashlex lx = {.body = body,
		.names = names,
		.origin = origin,
		.result = result,
		.diags = diags,
		.end = body.len};
	bashlex_list(&lx, '\0');
	buf_add(&result->text, str_slice(body, lx.copied, body.len));
	check_names(&lx);
	check_broken(&lx);
	check_reserved(&lx);
	finish(&lx);
	return !lx.failed;
}

/* dir in single quotes, whatever is in it. */
static void add_quoted(struct buf *out, str text)
{
	buf_add_char(out, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\'')
			buf_add_z(out, "'\\''");
		else
			buf_add_char(out, text.ptr[i]);
	}
	buf_add_char(out, '\'');
}

/* read gives 1 at the end of a file without NUL, and LC_ALL=C keeps bytes that are not UTF-8 as they are. */
static void bash_prelude(
	struct buf *out, const struct bind_slot *slots, const bool *large, size_t count, str dir)
{
	buf_add_z(out, "unset BASH_ENV\n");
	for (size_t i = 0; i < count; i++) {
		if (!large[i])
			continue;
		buf_printf(out, "LC_ALL=C IFS= read -r -d '' %s < ", slots[i].variable);
		add_quoted(out, dir);
		buf_printf(out, "/%s || :\n", slots[i].variable);
	}
}

const struct bind_language bind_bash = {.name = "bash", .bind = bash_bind, .prelude = bash_prelude};
