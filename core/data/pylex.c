/* pylex: references in Python.  It knows strings with all their prefixes, f-strings with their replacement fields, format
 * specifiers and nesting (by the rules of 3.12, which take in every valid program of 3.8 to 3.11), and comments; it knows
 * no grammar beyond that.  See script_bind.h for what becomes of a reference.
 *
 * Nothing is put in front of the text, so docstrings, `from __future__` and line numbers stay: the bootstrap makes
 * _pawl_value and _pawl_text builtins and runs the body as `python3 -c` would.  One leading underscore, because two would be
 * mangled within a class; a number as the argument, because before 3.12 an expression in an f-string may have no quotes of
 * the string's own and no backslash.
 *
 * Bytes of a value that are not UTF-8 are lone surrogates (surrogateescape): os.fsencode gives them back.  Python keeps the
 * backslash of `\$n.output`, so it is taken away, in every kind of string. */
#include "data/script_bind.h"

/* No character of Unicode has a longer name in \N{...}. */
#define PY_LONGEST_NAME 128

/* Names of its own must not reach the body.  linecache has the source lines for tracebacks, and the hook drops the frames of
 * the bootstrap from them. */
static const char py_bootstrap[] =
	"def _pawl_boot():\n"
	"    import builtins, linecache, os, sys\n"
	"    def read(raw):\n"
	"        if raw[:1] == b'@':\n"
	"            with open(raw[1:], 'rb') as file:\n"
	"                return file.read()\n"
	"        return raw[1:]\n"
	"    def text(n, cache={}):\n"
	"        if n not in cache:\n"
	"            cache[n] = read(os.environb[b'PAWL_REF_%d' % n]).decode('utf-8', 'surrogateescape')\n"
	"        return cache[n]\n"
	"    def value(n):\n"
	"        from json import loads\n"
	"        return loads(text(n))\n"
	"    def hook(kind, error, trace):\n"
	"        import traceback\n"
	"        while trace and trace.tb_frame.f_code.co_filename == '<string>':\n"
	"            trace = trace.tb_next\n"
	"        traceback.print_exception(kind, error, trace)\n"
	"    builtins._pawl_text, builtins._pawl_value = text, value\n"
	"    sys.excepthook = hook\n"
	"    name = os.environ.pop('PAWL_BODY_NAME', '<body>')\n"
	"    body = read(os.environb.pop(b'PAWL_BODY')).decode('utf-8')\n"
	"    linecache.cache[name] = (len(body), None, body.splitlines(True), name)\n"
	"    return body, name\n"
	"_pawl_boot = _pawl_boot()\n"
	"exec(compile(*_pawl_boot, 'exec', dont_inherit=True), (globals().pop('_pawl_boot'), globals())[1])\n";

/* Levels: '(', '[', '{' brackets, 'f' the text of an f-string, '}' a replacement field in it, ':' a format specifier. */

static bool py_is_prefix(str word, bool *raw, bool *format)
{
	bool seen = word.len <= 2;
	*raw = *format = false;
	for (size_t i = 0; i < word.len && seen; i++) {
		char c = (char)(word.ptr[i] | 0x20);
		seen = strchr("rbuft", c) != NULL;
		*raw |= c == 'r';
		*format |= c == 'f' || c == 't';
	}
	return seen;
}

/* As an f-string with the same value; of bytes, its encoding. */
static void py_rewrite(const struct script *s, size_t start, size_t end, struct buf *out)
{
	bool bytes = false;
	buf_add_char(out, 'f');
	for (; s->body.ptr[start] != '\'' && s->body.ptr[start] != '"'; start++) {
		char c = (char)(s->body.ptr[start] | 0x20);
		bytes |= c == 'b';
		if (c == 'r')
			buf_add_char(out, 'r');
	}
	for (size_t i = start; i < end; i++) {
		char c = s->body.ptr[i];
		struct ref ref;
		if (c == '$' && ref_at(s->body, i, &ref) && ref.end <= end) {
			buf_add(out, str_slice(s->body, i, ref.end));
			i = ref.end - 1;
			continue;
		}
		if (c == '{' || c == '}')
			buf_add_char(out, c);
		buf_add_char(out, c);
	}
	if (bytes)
		buf_add_z(out, ".encode('utf-8', 'surrogateescape')");
}

/* The content of a plain string ends before this byte; SIZE_MAX where it doesn't end. */
static size_t py_string_end(const struct script *s, size_t from, char quote, bool triple)
{
	for (size_t i = from; i < s->body.len; i++) {
		char c = s->body.ptr[i];
		if (c == '\\')
			i += str_starts(str_slice(s->body, i + 1, i + 3), STR("\r\n")) ? 2 : 1;
		else if (c == '\n' && !triple)
			return SIZE_MAX;
		else if (c == quote &&
			 (!triple || (i + 2 < s->body.len && s->body.ptr[i + 1] == quote &&
					     s->body.ptr[i + 2] == quote)))
			return i;
	}
	return SIZE_MAX;
}

/* "\$n.output" in bytes [from, to) loses its backslash. */
static void py_unescape(struct script *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct ref ref;
		if (s->body.ptr[i] != '\\')
			continue;
		if (script_escaped_ref(s, i, &ref))
			script_replace(s, i, i + 1, "");
		i++;
	}
}

/* A string whose prefix begins at `start` and whose quote is at s->at. */
static void py_string(struct script *s, size_t start, bool raw, bool format)
{
	char quote = script_peek(s, 0);
	bool triple = script_peek(s, 1) == quote && script_peek(s, 2) == quote;
	size_t text = s->at + (triple ? 3 : 1);
	if (format) {
		script_push(s, (struct script_level){'f', quote, triple, raw});
		s->at = text;
		return;
	}
	size_t end = py_string_end(s, text, quote, triple);
	if (end == SIZE_MAX) {
		s->at++;
		return;
	}
	struct script_literal literal = {start, end + (triple ? 3 : 1), text, end, py_rewrite};
	script_literal(s, &literal);
	py_unescape(s, text, end);
	s->at = literal.end;
}

static void py_word(struct script *s, bool attribute)
{
	bool raw, format;
	size_t start = s->at;
	while (script_is_name(script_peek(s, 0)))
		s->at++;
	str word = str_slice(s->body, start, s->at);
	char next = script_peek(s, 0);
	if ((next == '\'' || next == '"') && py_is_prefix(word, &raw, &format))
		py_string(s, start, raw, format);
	else if (!attribute)
		script_note_word(s, word);
}

static void py_close(struct script *s, char c)
{
	char top = script_top(s);
	s->at++;
	if ((c == ')' && top == '(') || (c == ']' && top == '[') ||
		(c == '}' && (top == '{' || top == '}')))
		s->levels.len--;
}

/* "!r" and ":spec" of a replacement field. */
static bool py_field_end(struct script *s, char c)
{
	if (script_top(s) != '}')
		return false;
	if (c == ':') {
		struct script_level field = s->levels.ptr[s->levels.len - 1];
		field.kind = ':';
		script_push(s, field);
		s->at++;
		return true;
	}
	char after = script_peek(s, 2);
	if (c == '!' && script_peek(s, 1) != '=' && (after == ':' || after == '}')) {
		s->at += 2;
		return true;
	}
	return false;
}

static bool py_is_attribute(const struct script *s)
{
	return s->at > 0 && s->body.ptr[s->at - 1] == '.' &&
	       !(s->at > 1 && s->body.ptr[s->at - 2] == '.');
}

static void py_code(struct script *s)
{
	char c = script_peek(s, 0);
	struct ref ref;
	bool attribute = py_is_attribute(s);
	if (py_field_end(s, c))
		return;
	if (c == '#') {
		size_t end = str_find_char(s->body, '\n', s->at);
		s->at = end == SIZE_MAX ? s->body.len : end;
	} else if (c == '$' && !attribute && script_code_ref(s, s->at, &ref)) {
		bool glued = s->at > 0 && script_is_name(s->body.ptr[s->at - 1]);
		script_bind(s, &ref, false, glued ? " " : "", "");
	} else if (c == '\'' || c == '"') {
		py_string(s, s->at, false, false);
	} else if (script_is_name(c)) {
		py_word(s, attribute);
	} else if (c && strchr("([{", c)) {
		script_push(s, (struct script_level){.kind = c});
		s->at++;
	} else if (c && strchr(")]}", c)) {
		py_close(s, c);
	} else {
		s->at += c == '\\' && s->at + 1 < s->body.len ? 2 : 1;
	}
}

/* Leaves the f-string that the text at the top belongs to, and whatever is open within. */
static void py_leave(struct script *s)
{
	while (s->levels.len && s->levels.ptr[--s->levels.len].kind != 'f')
		;
}

static void py_escape(struct script *s, bool raw)
{
	char next = script_peek(s, 1);
	struct ref ref;
	if (script_escaped_ref(s, s->at, &ref)) {
		script_replace(s, s->at, s->at + 1, "");
		if (ref.braced) {
			script_replace(s, ref.start + 1, ref.start + 1, "{");
			script_replace(s, ref.end, ref.end, "}");
		}
		s->at = ref.end;
	} else if (!raw && next == 'N' && script_peek(s, 2) == '{') {
		str name = str_slice(s->body, s->at, s->at + PY_LONGEST_NAME);
		size_t end = str_find_char(name, '}', 0);
		s->at += end == SIZE_MAX ? 3 : end + 1;
	} else if (next == '{' || next == '}') {
		s->at++;
	} else {
		s->at += s->at + 1 < s->body.len ? 2 : 1;
	}
}

static void py_brace(struct script *s, char c)
{
	struct script_level level = s->levels.ptr[s->levels.len - 1];
	bool in_spec = level.kind == ':';
	if (!in_spec && script_peek(s, 1) == c) {
		s->at += 2;
		return;
	}
	s->at++;
	if (c == '{') {
		level.kind = '}';
		script_push(s, level);
	} else if (in_spec) {
		s->levels.len -= 2; /* the specifier and its field */
	}
}

/* The text of an f-string, or a format specifier. */
static void py_text(struct script *s)
{
	struct script_level level = s->levels.ptr[s->levels.len - 1];
	char c = script_peek(s, 0);
	struct ref ref;
	if (c == '\\') {
		py_escape(s, level.flag);
	} else if (c == '{' || c == '}') {
		py_brace(s, c);
	} else if (c == '$' && script_text_ref(s, s->at, &ref)) {
		script_bind(s, &ref, true, "{", "}");
	} else if (c == level.quote && !level.triple) {
		py_leave(s);
		s->at++;
	} else if (c == level.quote && script_peek(s, 1) == c && script_peek(s, 2) == c) {
		py_leave(s);
		s->at += 3;
	} else {
		if (c == '\n' && !level.triple)
			py_leave(s);
		s->at++;
	}
}

static void py_lex(struct script *s)
{
	while (s->at < s->body.len) {
		char top = script_top(s);
		if (top == 'f' || top == ':')
			py_text(s);
		else
			py_code(s);
	}
}

static bool py_bind(str body, const struct bind_names *names, struct place origin,
	struct bind_result *result, struct diags *diags)
{
	struct script s = {.body = body,
		.names = names,
		.origin = origin,
		.result = result,
		.diags = diags,
		.environ = "os.environ['NAME']"};
	bool ok = script_run(&s, py_lex);
	buf_add(&result->text, buf_str(&s.out));
	script_finish(&s);
	return ok;
}

const struct bind_language bind_python = {
	.name = "python", .bind = py_bind, .marked = true, .bootstrap = py_bootstrap};
