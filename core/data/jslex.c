/* jslex: references in JavaScript and TypeScript, for node, bun and deno, in scripts and in modules.  It knows strings,
 * template literals, comments, and when a slash begins a regular expression; it knows no grammar beyond that.  JSX is taken
 * for code.  See script_bind.h for what becomes of a reference.
 *
 * A body with references gets two functions put in front of its first line (behind a hashbang line, which has to stay the
 * first), so that the lines keep their numbers; "use strict" is repeated before them.  A body without is not touched.
 * They take everything from globalThis, because a body may have names such as `process` of its own.
 *
 * What JavaScript does to values: integers over 2^53 lose digits in code (not in text), bytes that are not UTF-8 become
 * U+FFFD.  `\$n.output` in a string or template is JavaScript's own escape for the same literal; only String.raw would
 * keep the backslash, so there it is taken away. */
#include "data/script_bind.h"

static const char js_prelude[] =
	"function _pawl_text(n){const c=_pawl_text,g=globalThis,p=g.process;let v=c[n];"
	"if(v===void 0){v=p.env[\"PAWL_REF_\"+n];"
	"if(v===void 0)throw new g.Error(\"PAWL_REF_\"+n+\" is not set\");"
	"c[n]=v=v[0]===\"@\"?(p.getBuiltinModule?p.getBuiltinModule(\"fs\"):require(\"fs\"))"
	".readFileSync(v.slice(1),\"utf8\"):v.slice(1)}return v}"
	"function _pawl_value(n){return globalThis.JSON.parse(_pawl_text(n))}";

/* What the last token was, as far as the next one cares. */
enum js_last {
	JS_START,    /* a statement may begin: ';', the ends of blocks */
	JS_VALUE,    /* an operand has ended: '/' divides */
	JS_OPERATOR, /* an operand must come */
	JS_COLON,
	JS_DOT,   /* a property name comes */
	JS_HEAD,  /* if, while, for, with: after their ')' a statement begins */
	JS_CLOSE, /* the ')' of such a head, or of parameters: '{' begins a block */
};

/* After so many slashes without a partner on one line, the rest divide: trying each would take quadratic time. */
#define JS_MAX_LONELY 64

struct js {
	struct script s;
	size_t lonely;     /* slashes that could have begun a pattern, but it had no end */
	size_t lonely_end; /* where their line ends */
	enum js_last last;
	bool in_prologue; /* nothing but strings, ';' and comments so far */
	bool strict;
};

static void js_lex(struct script *s);

static bool js_word_is(str word, const char *const *words)
{
	for (; *words; words++)
		if (str_is(word, *words))
			return true;
	return false;
}

/* U+00A0, U+FEFF and the like are spaces although their bytes look like a name's. */
static size_t js_wide_space(str at)
{
	static const str spaces[] = {STR_INIT("\xc2\xa0"), STR_INIT("\xef\xbb\xbf"),
		STR_INIT("\xe2\x80\xa8"), STR_INIT("\xe2\x80\xa9"), STR_INIT("\xe3\x80\x80"),
		STR_INIT("\xe2\x80\xaf"), STR_INIT("\xe2\x81\x9f"), STR_INIT("\xe1\x9a\x80")};
	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
		if (str_starts(at, spaces[i]))
			return 3 - (i == 0);
	/* U+2000 to U+200A */
	if (str_starts(at, STR("\xe2\x80")) && at.len > 2 && (unsigned char)at.ptr[2] <= 0x8a)
		return 3;
	return 0;
}

static bool js_name_byte(const struct script *s, size_t at)
{
	char c = at < s->body.len ? s->body.ptr[at] : '\0';
	return c == '$' || c == '\\' ||
	       (script_is_name(c) && !js_wide_space(str_slice(s->body, at, s->body.len)));
}

static void js_comment(struct script *s)
{
	bool block = script_peek(s, 1) == '*';
	size_t end = block ? str_find(s->body, STR("*/"), s->at + 2)
	                   : str_find_char(s->body, '\n', s->at);
	s->at = end == SIZE_MAX ? s->body.len : end + (block ? 2 : 0);
}

/* As a template literal with the same value. */
static void js_rewrite(const struct script *s, size_t start, size_t end, struct buf *out)
{
	buf_add_char(out, '`');
	for (size_t i = start + 1; i + 1 < end; i++) {
		char c = s->body.ptr[i];
		struct ref ref;
		if (c == '\\') {
			buf_add(out, str_slice(s->body, i, i + 2));
			i++;
			continue;
		}
		if (c == '`' ||
			(c == '$' && s->body.ptr[i + 1] == '{' && !ref_at(s->body, i, &ref)))
			buf_add_char(out, '\\');
		buf_add_char(out, c);
	}
	buf_add_char(out, '`');
}

/* As js_rewrite, for the name of a property: {'a': 1} becomes {[`a`]: 1}. */
static void js_rewrite_name(const struct script *s, size_t start, size_t end, struct buf *out)
{
	buf_add_char(out, '[');
	js_rewrite(s, start, end, out);
	buf_add_char(out, ']');
}

/* The quote that ends the string at s->at, or 0: without a partner on its line it is no string, but an apostrophe in JSX
 * or a mistake. */
static size_t js_string_end(const struct script *s)
{
	char quote = script_peek(s, 0);
	for (size_t i = s->at + 1; i < s->body.len && s->body.ptr[i] != '\n'; i++) {
		if (s->body.ptr[i] == quote)
			return i;
		if (s->body.ptr[i] == '\\')
			i += str_starts(str_slice(s->body, i + 1, i + 3), STR("\r\n")) ? 2 : 1;
	}
	return 0;
}

/* Whether the string of bytes [start, end) is the name of a property. */
static bool js_is_property_name(const struct script *s, size_t start, size_t end)
{
	str before = str_trim(str_slice(s->body, 0, start));
	while (end < s->body.len && s->body.ptr[end] == ' ')
		end++;
	return script_top(s) == 'o' && end < s->body.len && s->body.ptr[end] == ':' &&
	       strchr("{,", before.ptr[before.len - 1]);
}

static void js_string(struct js *js)
{
	struct script *s = &js->s;
	size_t start = s->at;
	size_t end = js_string_end(s);
	if (!end) {
		s->at++;
		return;
	}
	if (js->in_prologue && str_is(str_slice(s->body, start + 1, end), "use strict"))
		js->strict = true;
	struct script_literal literal = {start, end + 1, start + 1, end, js_rewrite};
	if (js_is_property_name(s, start, end + 1))
		literal.rewrite = js_rewrite_name;
	script_literal(s, &literal);
	s->at = end + 1;
	js->last = JS_VALUE;
}

/* The end of the regular expression that begins at s->at, before its flags; 0 where there is none on this line. */
static size_t js_regex_end(struct js *js)
{
	const struct script *s = &js->s;
	bool in_class = false;
	size_t i = s->at + 1;
	if (s->at >= js->lonely_end)
		js->lonely = 0;
	if (js->lonely >= JS_MAX_LONELY)
		return 0;
	for (; i < s->body.len && s->body.ptr[i] != '\n'; i++) {
		char c = s->body.ptr[i];
		if (c == '\\')
			i++;
		else if (c == '/' && !in_class)
			return i + 1;
		else if (c == '[')
			in_class = true;
		else if (c == ']')
			in_class = false;
	}
	js->lonely++;
	js->lonely_end = i;
	return 0;
}

static void js_regex(struct js *js, size_t end)
{
	struct script *s = &js->s;
	for (size_t i = s->at + 1; i < end; i++) {
		struct ref ref;
		if (s->body.ptr[i] == '\\') {
			i++;
		} else if (ref_at(s->body, i, &ref) && ref.kind != REF_VARIABLE &&
			   bind_wants(s->names, &ref)) {
			i = ref.end - 1;
			script_error(s, &ref, "E-REF-REGEX", "a regular expression",
				"build it with new RegExp(String.raw`...`), where a reference in "
				"the template gives the text as a pattern");
		}
	}
	for (s->at = end; js_name_byte(s, s->at);)
		s->at++;
	js->last = JS_VALUE;
}

static void js_word(struct js *js)
{
	static const char *const operators[] = {"return", "typeof", "instanceof", "in", "of", "new",
		"delete", "void", "throw", "case", "yield", "await", "default", "extends", NULL};
	static const char *const heads[] = {"if", "while", "for", "with", NULL};
	static const char *const starts[] = {"do", "else", "try", "finally", NULL};
	struct script *s = &js->s;
	size_t start = s->at;
	while (js_name_byte(s, s->at))
		s->at += script_peek(s, 0) == '\\' ? 2 : 1;
	str word = str_slice(s->body, start, s->at);
	if (s->at > s->body.len)
		s->at = s->body.len;
	if (js->last == JS_DOT) {
		js->last = JS_VALUE;
		return;
	}
	script_note_word(s, word);
	bool for_await = js->last == JS_HEAD && str_is(word, "await");
	if (for_await || js_word_is(word, heads))
		js->last = JS_HEAD;
	else if (js_word_is(word, operators))
		js->last = JS_OPERATOR;
	else
		js->last = js_word_is(word, starts) ? JS_START : JS_VALUE;
}

/* Levels: '(' with flag for the head of a statement, '[', 'b' a block, 'o' an object, '`' a template with flag for
 * String.raw, '$' a substitution of one. */
static void js_open(struct js *js, char c)
{
	struct script *s = &js->s;
	struct script_level level = {.kind = c};
	if (c == '(')
		level.flag = js->last == JS_HEAD;
	if (c == '{') {
		bool operand =
			js->last == JS_OPERATOR ||
			(js->last == JS_COLON && script_top(s) != 'b' && script_top(s) != '\0');
		level.kind = operand ? 'o' : 'b';
	}
	script_push(s, level);
	js->last = level.kind == 'b' ? JS_START : JS_OPERATOR;
	s->at++;
}

static void js_close(struct js *js, char c)
{
	struct script *s = &js->s;
	char top = script_top(s);
	bool matches = (c == ')' && top == '(') || (c == ']' && top == '[') ||
	               (c == '}' && (top == 'b' || top == 'o' || top == '$'));
	s->at++;
	js->last = JS_VALUE;
	if (!matches)
		return;
	struct script_level level = s->levels.ptr[--s->levels.len];
	if (level.kind == 'b')
		js->last = JS_START;
	else if (level.kind == '(' && level.flag)
		js->last = JS_CLOSE;
}

static void js_slash(struct js *js)
{
	struct script *s = &js->s;
	char next = script_peek(s, 1);
	if (next == '/' || next == '*') {
		js_comment(s);
		return;
	}
	size_t end = js->last == JS_VALUE ? 0 : js_regex_end(js);
	if (end) {
		js_regex(js, end);
		return;
	}
	s->at++;
	js->last = JS_OPERATOR;
}

static void js_backquote(struct js *js)
{
	struct script *s = &js->s;
	str before = str_trim(str_slice(s->body, 0, s->at));
	script_push(
		s, (struct script_level){.kind = '`', .flag = str_ends(before, STR("String.raw"))});
	s->at++;
}

static void js_operator(struct js *js, char c)
{
	struct script *s = &js->s;
	char next = script_peek(s, 1);
	enum js_last was = js->last;
	size_t length = 1;
	js->last = JS_OPERATOR;
	if (c == ';') {
		js->last = JS_START;
	} else if (c == ':') {
		js->last = JS_COLON;
	} else if (c == '.' && next == '.' && script_peek(s, 2) == '.') {
		length = 3;
	} else if (c == '.') {
		js->last = JS_DOT;
	} else if (c == '=' && next == '>') {
		length = 2;
		js->last = JS_CLOSE;
	} else if ((c == '+' || c == '-') && next == c) {
		length = 2;
		js->last = was;
	} else if (c == '!' && next != '=' && was == JS_VALUE && s->at > 0 &&
		   (js_name_byte(s, s->at - 1) || strchr(")]", s->body.ptr[s->at - 1]))) {
		js->last = JS_VALUE; /* TypeScript's "not null" */
	}
	s->at += length;
}

static void js_number(struct js *js)
{
	struct script *s = &js->s;
	while (script_is_name(script_peek(s, 0)) ||
		(script_peek(s, 0) == '.' && script_peek(s, 1) != '.'))
		s->at++;
	js->last = JS_VALUE;
}

static void js_code(struct js *js)
{
	struct script *s = &js->s;
	char c = script_peek(s, 0);
	size_t space = js_wide_space(str_slice(s->body, s->at, s->at + 3));
	struct ref ref;
	if (space || (c && strchr(" \t\r\n\v\f", c))) {
		s->at += space ? space : 1;
		return;
	}
	if (c != '\'' && c != '"' && c != ';' && c != '/')
		js->in_prologue = false;
	if (c == '$' && js->last != JS_DOT && script_code_ref(s, s->at, &ref)) {
		script_bind(s, &ref, false, "", "");
		js->last = JS_VALUE;
	} else if (c >= '0' && c <= '9') {
		js_number(js);
	} else if (js_name_byte(s, s->at)) {
		js_word(js);
	} else if (c == '\'' || c == '"') {
		js_string(js);
	} else if (c == '`') {
		js_backquote(js);
	} else if (c == '/') {
		js_slash(js);
	} else if (c && strchr("([{", c)) {
		js_open(js, c);
	} else if (c && strchr(")]}", c)) {
		js_close(js, c);
	} else {
		js_operator(js, c);
	}
}

static void js_template_escape(struct script *s, bool raw)
{
	struct ref ref;
	if (raw && script_escaped_ref(s, s->at, &ref)) {
		script_replace(s, s->at, s->at + 2, ref.braced ? "${\"$\"}" : "$");
		s->at = ref.end;
		return;
	}
	s->at += s->at + 1 < s->body.len ? 2 : 1;
}

static void js_template(struct js *js)
{
	struct script *s = &js->s;
	struct ref ref;
	char c = script_peek(s, 0);
	if (c == '\\') {
		js_template_escape(s, s->levels.ptr[s->levels.len - 1].flag);
	} else if (c == '$' && script_text_ref(s, s->at, &ref)) {
		script_bind(s, &ref, true, "${", "}");
	} else if (c == '$' && script_peek(s, 1) == '{') {
		script_push(s, (struct script_level){.kind = '$'});
		js->last = JS_OPERATOR;
		s->at += 2;
	} else {
		if (c == '`') {
			s->levels.len--;
			js->last = JS_VALUE;
		}
		s->at++;
	}
}

static void js_lex(struct script *s)
{
	struct js *js = (struct js *)s;
	js->last = JS_START;
	js->in_prologue = true;
	js->strict = false;
	js->lonely = js->lonely_end = 0;
	if (str_starts(s->body, STR("#!")))
		js_comment(s);
	while (s->at < s->body.len) {
		if (script_top(s) == '`')
			js_template(js);
		else
			js_code(js);
	}
}

/* The text with its prelude on the first line that can have one. */
static void js_assemble(const struct js *js, size_t slots_before, struct bind_result *result)
{
	str out = buf_str(&js->s.out);
	if (result->slots.len > slots_before) {
		size_t head = 0;
		if (str_starts(out, STR("#!"))) {
			head = str_find_char(out, '\n', 0);
			head = head == SIZE_MAX ? out.len : head + 1;
		}
		buf_add(&result->text, str_slice(out, 0, head));
		buf_add_z(&result->text, js->strict ? "'use strict';" : "");
		buf_add_z(&result->text, js_prelude);
		out = str_slice(out, head, out.len);
	}
	buf_add(&result->text, out);
}

static bool js_bind(str body, const struct bind_names *names, struct place origin,
	struct bind_result *result, struct diags *diags)
{
	struct js js = {.s = {.body = body,
				.names = names,
				.origin = origin,
				.result = result,
				.diags = diags,
				.environ = "process.env.NAME",
				.property = "length"}};
	size_t slots_before = result->slots.len;
	bool ok = script_run(&js.s, js_lex);
	js_assemble(&js, slots_before, result);
	script_finish(&js.s);
	return ok;
}

const struct bind_language bind_js = {.name = "js", .bind = js_bind, .marked = true};
