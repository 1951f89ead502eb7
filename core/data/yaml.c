/* yaml: from libyaml's events to a value tree, within limits.  libyaml's own tree would recurse
 * and let aliases grow without bound; the events come one by one, so that a hostile file is
 * dropped at the first one past a limit.  It knows nothing of what the file is for.  See yaml.h. */
#include "data/yaml.h"

#include "base/vec.h"
#include "data/tree.h"
#include "data/yaml_parts.h"

#define CORE_TAG "tag:yaml.org,2002:"

enum {
	MAX_REPORTED = 100,  /* errors and warnings of one file */
	MAX_ANCHORS = 10000, /* they are looked up one by one */
	NO_ANCHOR = -1
};

struct anchor {
	str name;
	struct value value;
	size_t nodes;    /* how many values it stands for */
	unsigned height; /* 0: a scalar */
	bool is_open;    /* inside its own value */
};

/* What is known of an open list or map besides what the tree knows. */
struct level {
	int anchor;
	size_t nodes_before;
	unsigned height;
	bool has_key; /* in a map: the next node is a value */
};

struct yaml {
	struct yaml_text text;
	struct tree tree;
	struct diags *diags;
	size_t reported; /* errors */
	size_t warned;
	size_t nodes;
	size_t aliases;
	struct yaml_last last;
	VEC(struct anchor) anchors;
	struct level levels[YAML_MAX_DEPTH];
};

/* Adds an error at an offset. */
#define REPORT(yaml, offset, len, ...)                                                      \
	((yaml)->reported++,                                                                \
		diags_error((yaml)->diags, yaml_text_place(&(yaml)->text, (offset), (len)), \
			__VA_ARGS__))

static size_t offset_of(struct yaml *yaml, yaml_mark_t mark)
{
	return yaml_text_offset(&yaml->text, mark);
}

/* `text` for a message: one line, not long, nothing that drives a terminal. */
static const char *shown(struct yaml *yaml, str text)
{
	struct buf out = {0};
	buf_add_visible(&out, str_slice(text, 0, 60));
	for (size_t i = 0; i < out.len; i++) {
		if (out.ptr[i] == '\n')
			out.ptr[i] = ' ';
	}
	buf_add_z(&out, text.len > 60 ? "..." : "");
	const char *copy = arena_str(yaml->tree.arena, buf_str(&out)).ptr;
	buf_finish(&out);
	return copy;
}

/* ---- where a scalar's own bytes begin ---- */

/* The offset behind the anchor or tag at `offset`, as libyaml delimits them. */
static size_t property_end(const struct yaml_text *text, size_t offset, size_t end)
{
	static const char in_anchor[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	bool is_anchor = yaml_text_at(text, offset) == '&';
	bool is_verbatim = !is_anchor && yaml_text_at(text, offset + 1) == '<';
	for (offset++; offset < end; offset++) {
		char c = text->bytes.ptr[offset];
		if (is_anchor         ? !strchr(in_anchor, c)
			: is_verbatim ? c == '>'
				      : strchr(" \t\r\n,[]{}", c) != NULL)
			break;
	}
	return offset + is_verbatim;
}

/* An event's mark is that of its anchor or tag, if it has one: gives the offset behind them. */
static size_t skip_properties(const struct yaml_text *text, size_t offset, size_t end, int count)
{
	for (; count && offset < end; count--)
		offset = yaml_text_skip(text, property_end(text, offset, end));
	return offset < end ? offset : end;
}

static void place_scalar(struct yaml *yaml, const yaml_event_t *event, struct value *out)
{
	size_t start = offset_of(yaml, event->start_mark);
	size_t end = offset_of(yaml, event->end_mark);
	int properties = (event->data.scalar.anchor != NULL) + (event->data.scalar.tag != NULL);
	if (properties)
		start = skip_properties(&yaml->text, start, end, properties);
	struct place at = yaml_text_place(&yaml->text, start, 0);
	out->line = at.line;
	out->col = at.col;
	switch (event->data.scalar.style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE: out->style = '\''; break;
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE: out->style = '"'; break;
	case YAML_LITERAL_SCALAR_STYLE: out->style = '|'; break;
	case YAML_FOLDED_SCALAR_STYLE: out->style = '>'; break;
	default: out->style = 0;
	}
	bool is_block = out->style == '|' || out->style == '>';
	if (!is_block && event->end_mark.line + 1 == at.line)
		out->len = (uint32_t)(end - start);
	yaml->last = (struct yaml_last){out->style == '\'' || out->style == '"', start, end};
}

/* ---- what a scalar means ---- */

static bool is_plain(const struct value *value)
{
	return !value->style;
}

static size_t value_offset(const struct yaml *yaml, const struct value *value)
{
	return yaml->text.lines.ptr[value->line - 1] + value->col - 1;
}

static void resolve_plain(struct yaml *yaml, str text, struct value *value)
{
	size_t at = value_offset(yaml, value);
	switch (yaml_scalar_resolve(yaml->tree.arena, text, value)) {
	case YAML_SCALAR_OK: return;
	case YAML_SCALAR_OK_BUT_ZEROS:
		if (yaml->warned++ >= MAX_REPORTED)
			return;
		err_help(diags_warn(yaml->diags, yaml_text_place(&yaml->text, at, value->len),
				 "E-YAML-LEADING-ZERO", "%s is read as the number %.*s",
				 shown(yaml, text), STR_ARG(str_slice(value->as.text, 0, 60))),
			"write \"%s\" if it is text; an octal number is written 0o17",
			shown(yaml, text));
		return;
	case YAML_SCALAR_NOT_FINITE:
		err_help(REPORT(yaml, at, value->len, "E-YAML-NUMBER",
				 "%s is no number that can be kept", shown(yaml, text)),
			"write \"%s\" if it is text", shown(yaml, text));
		return;
	case YAML_SCALAR_TOO_LARGE:
		err_help(REPORT(yaml, at, value->len, "E-YAML-NUMBER", "%s does not fit 64 bits",
				 shown(yaml, text)),
			"write \"%s\" if it is text", shown(yaml, text));
		return;
	}
}

static void refuse_tag(struct yaml *yaml, size_t offset, const char *tag)
{
	/* The mark is that of the anchor, where one stands before the tag. */
	size_t len = 0;
	if (yaml_text_at(&yaml->text, offset) == '!')
		len = property_end(&yaml->text, offset, yaml->text.bytes.len) - offset;
	struct err *err = REPORT(yaml, offset, len, "E-YAML-TAG",
		"the tag %s is not one of YAML's core types", shown(yaml, str_of(tag)));
	err_help(err, "remove it; if it is text, quote it");
}

/* `!!int` and its like on a scalar whose text resolved to `value`. */
static bool tag_fits(const char *name, const struct value *value)
{
	if (!strcmp(name, "null"))
		return value->kind == VALUE_NULL;
	if (!strcmp(name, "bool"))
		return value->kind == VALUE_BOOL;
	if (!strcmp(name, "float"))
		return value->kind == VALUE_NUMBER;
	bool is_int = true;
	for (size_t i = 0; value->kind == VALUE_NUMBER && i < value->as.text.len; i++)
		is_int = is_int && !strchr(".eE", value->as.text.ptr[i]);
	return value->kind == VALUE_NUMBER && is_int;
}

static void resolve_tagged(
	struct yaml *yaml, const yaml_event_t *event, str text, struct value *value)
{
	const char *tag = (const char *)event->data.scalar.tag;
	static const char *const scalars[] = {"null", "bool", "int", "float"};
	str name = str_of(tag);
	value->kind = VALUE_STRING;
	value->as.text = text;
	if (str_is(name, "!") || str_is(name, CORE_TAG "str"))
		return;
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
		if (!str_starts(name, STR(CORE_TAG)) ||
			strcmp(tag + sizeof(CORE_TAG) - 1, scalars[i]) != 0)
			continue;
		resolve_plain(yaml, text, value);
		if (!tag_fits(scalars[i], value))
			REPORT(yaml, value_offset(yaml, value), value->len, "E-YAML-TAG",
				"'%s' is not of type !!%s", shown(yaml, text), scalars[i]);
		return;
	}
	refuse_tag(yaml, offset_of(yaml, event->start_mark), tag);
}

static struct value read_scalar(struct yaml *yaml, const yaml_event_t *event)
{
	struct value value = {.kind = VALUE_STRING};
	place_scalar(yaml, event, &value);
	str bytes = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
	str text = bytes.len ? arena_str(yaml->tree.arena, bytes) : STR("");
	if (event->data.scalar.tag)
		resolve_tagged(yaml, event, text, &value);
	else if (is_plain(&value))
		resolve_plain(yaml, text, &value);
	else
		value.as.text = text;
	return value;
}

/* ---- limits ---- */

static bool count_nodes(struct yaml *yaml, size_t offset, size_t nodes)
{
	yaml->nodes += nodes;
	if (yaml->nodes <= YAML_MAX_NODES)
		return true;
	REPORT(yaml, offset, 0, "E-YAML-LIMIT",
		"more than %d values, what aliases stand for included", YAML_MAX_NODES);
	return false;
}

/* Room for a value that holds `height` levels of lists and maps. */
static bool check_depth(struct yaml *yaml, size_t offset, size_t height)
{
	if (tree_depth(&yaml->tree) + height <= YAML_MAX_DEPTH)
		return true;
	struct err *err = REPORT(yaml, offset, 0, "E-YAML-LIMIT",
		"more than %d lists and maps inside each other", YAML_MAX_DEPTH);
	return err_help(err, "make it flatter");
}

/* ---- anchors and aliases ---- */

/* Declares the anchor; *index is NO_ANCHOR where there is no name.  False past the limit. */
static bool add_anchor(
	struct yaml *yaml, const yaml_event_t *event, const yaml_char_t *name, int *index)
{
	*index = NO_ANCHOR;
	if (!name)
		return true;
	if (yaml->anchors.len == MAX_ANCHORS) {
		REPORT(yaml, offset_of(yaml, event->start_mark), 0, "E-YAML-LIMIT",
			"more than %d anchors", MAX_ANCHORS);
		return false;
	}
	*index = (int)yaml->anchors.len;
	str copy = arena_str(yaml->tree.arena, str_of((const char *)name));
	*vec_push(&yaml->anchors) = (struct anchor){.name = copy, .is_open = true};
	return true;
}

static void set_anchor(
	struct yaml *yaml, int index, struct value value, size_t nodes, unsigned height)
{
	if (index == NO_ANCHOR)
		return;
	struct anchor *anchor = &yaml->anchors.ptr[index];
	*anchor = (struct anchor){anchor->name, value, nodes, height, false};
}

/* The latest of that name, as YAML has it. */
static const struct anchor *find_anchor(const struct yaml *yaml, str name)
{
	for (size_t i = yaml->anchors.len; i-- > 0;) {
		if (str_eq(yaml->anchors.ptr[i].name, name))
			return &yaml->anchors.ptr[i];
	}
	return NULL;
}

/* ---- nodes ---- */

static struct level *innermost(struct yaml *yaml)
{
	return &yaml->levels[tree_depth(&yaml->tree) - 1];
}

static bool wants_key(struct yaml *yaml)
{
	return tree_inside(&yaml->tree) == VALUE_MAP && !innermost(yaml)->has_key;
}

/* The collection around a finished value: it is as high as that value and one more. */
static void value_ended(struct yaml *yaml, unsigned height)
{
	if (!tree_depth(&yaml->tree))
		return;
	struct level *level = innermost(yaml);
	level->has_key = false;
	if (level->height < height + 1)
		level->height = height + 1;
}

static void refuse_key(struct yaml *yaml, const struct value *key, str text)
{
	struct buf quoted = {0};
	yaml_explain_quoted(&quoted, text);
	struct err *err = REPORT(yaml, value_offset(yaml, key), key->len, "E-YAML-KEY",
		"a key must be a string: '%s' is %s", shown(yaml, text),
		value_kind_name(key->kind));
	err_help(err, "quote it: %s", buf_cstr(&quoted));
	buf_finish(&quoted);
}

static bool on_key(struct yaml *yaml, const yaml_event_t *event, struct value key)
{
	str text = str_make((const char *)event->data.scalar.value, event->data.scalar.length);
	if (key.kind != VALUE_STRING) {
		refuse_key(yaml, &key, text);
		key.as.text = arena_str(yaml->tree.arena, text);
	} else if (is_plain(&key) && !event->data.scalar.tag && str_is(text, "<<")) {
		struct err *err = REPORT(yaml, value_offset(yaml, &key), key.len,
			"E-YAML-MERGE-KEY", "merge keys (<<) are not part of YAML 1.2");
		err_help(err, "write the members out; an alias can stand for a whole value");
	}
	tree_key(&yaml->tree, key.as.text, key.line, key.col);
	innermost(yaml)->has_key = true;
	return true;
}

static bool on_scalar(struct yaml *yaml, const yaml_event_t *event)
{
	int anchor = NO_ANCHOR;
	struct value value = read_scalar(yaml, event);
	if (!add_anchor(yaml, event, event->data.scalar.anchor, &anchor))
		return false;
	set_anchor(yaml, anchor, value, 1, 0);
	if (wants_key(yaml))
		return on_key(yaml, event, value);
	tree_add(&yaml->tree, value);
	value_ended(yaml, 0);
	return count_nodes(yaml, value_offset(yaml, &value), 1);
}

static bool refuse_complex_key(struct yaml *yaml, size_t offset, const char *what)
{
	struct err *err = REPORT(
		yaml, offset, 0, "E-YAML-KEY", "a key must be a string, and this is %s", what);
	if (yaml_text_at(&yaml->text, offset) == '{')
		err_help(err, "if it is text (as {{ x }} would be), quote the whole value");
	return false;
}

static bool on_open(struct yaml *yaml, const yaml_event_t *event, enum value_kind kind)
{
	bool is_list = kind == VALUE_LIST;
	const yaml_char_t *name =
		is_list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
	const char *tag = (const char *)(is_list ? event->data.sequence_start.tag
						 : event->data.mapping_start.tag);
	size_t offset = offset_of(yaml, event->start_mark);
	if (wants_key(yaml))
		return refuse_complex_key(yaml, offset, value_kind_name(kind));
	if (!check_depth(yaml, offset, 1) || !count_nodes(yaml, offset, 1))
		return false;
	if (tag && strcmp(tag, "!") != 0 &&
		strcmp(tag, is_list ? CORE_TAG "seq" : CORE_TAG "map") != 0)
		refuse_tag(yaml, offset, tag);
	struct level level = {.nodes_before = yaml->nodes - 1, .height = 1};
	if (!add_anchor(yaml, event, name, &level.anchor))
		return false;
	struct place at = yaml_text_place(&yaml->text, offset, 0);
	tree_open(&yaml->tree, (struct value){.kind = kind, .line = at.line, .col = at.col});
	*innermost(yaml) = level;
	return true;
}

static bool on_close(struct yaml *yaml)
{
	struct level level = *innermost(yaml);
	struct value value = tree_close(&yaml->tree);
	set_anchor(yaml, level.anchor, value, yaml->nodes - level.nodes_before, level.height);
	value_ended(yaml, level.height);
	return true;
}

static bool on_alias(struct yaml *yaml, const yaml_event_t *event)
{
	size_t offset = offset_of(yaml, event->start_mark);
	str name = str_of((const char *)event->data.alias.anchor);
	if (wants_key(yaml))
		return refuse_complex_key(yaml, offset, "an alias");
	if (++yaml->aliases > YAML_MAX_ALIASES) {
		REPORT(yaml, offset, name.len + 1, "E-YAML-LIMIT", "more than %d aliases",
			YAML_MAX_ALIASES);
		return false;
	}
	const struct anchor *anchor = find_anchor(yaml, name);
	struct place at = yaml_text_place(&yaml->text, offset, 0);
	struct value nothing = {.kind = VALUE_NULL, .line = at.line, .col = at.col};
	if (!anchor) {
		struct err *err = REPORT(yaml, offset, name.len + 1, "E-YAML-ALIAS",
			"no anchor &%s stands before the alias *%s", shown(yaml, name),
			shown(yaml, name));
		err_help(err, "quote it if it is text: \"*%s\"", shown(yaml, name));
	} else if (anchor->is_open) {
		REPORT(yaml, offset, name.len + 1, "E-YAML-ALIAS",
			"the alias *%s stands inside the value that it names", shown(yaml, name));
		anchor = NULL;
	} else if (!check_depth(yaml, offset, anchor->height) ||
		   !count_nodes(yaml, offset, anchor->nodes)) {
		return false;
	}
	/* The copy shares its items with the anchor's value: the tree is never changed. */
	tree_add(&yaml->tree, anchor ? anchor->value : nothing);
	value_ended(yaml, anchor ? anchor->height : 0);
	return true;
}

static void on_duplicate(
	void *ctx, const struct value_member *first, const struct value_member *again)
{
	struct yaml *yaml = ctx;
	if (yaml->reported >= MAX_REPORTED)
		return;
	size_t offset = yaml->text.lines.ptr[again->line - 1] + again->col - 1;
	struct err *err = REPORT(yaml, offset, again->key.len, "E-YAML-DUPLICATE-KEY",
		"the key '%s' stands twice in one map; first in line %u, column %u",
		shown(yaml, again->key), first->line, first->col);
	err_help(err, "remove one of them");
}

/* ---- documents ---- */

static bool is_at_marker(const struct yaml_text *text, size_t at, const char *marker)
{
	bool at_line_start = at == 0 || strchr("\n\r", text->bytes.ptr[at - 1]);
	return at_line_start &&
	       str_starts(str_slice(text->bytes, at, text->bytes.len), str_of(marker));
}

static bool is_version(str line)
{
	if (!str_starts(line, STR("%YAML 1.1")) && !str_starts(line, STR("%YAML 1.2")))
		return false;
	str rest = str_trim(str_slice(line, 9, line.len));
	return !rest.len || (rest.ptr[0] == '#' && rest.ptr > line.ptr + 9);
}

/* Directives are checked here: libyaml compares each %TAG with all before it. */
static bool check_directives(struct yaml *yaml)
{
	const struct yaml_text *text = &yaml->text;
	size_t at = yaml_text_skip(text, 0);
	for (; is_at_marker(text, at, "%"); at = yaml_text_skip(text, at)) {
		size_t end = at;
		while (end < text->bytes.len && !strchr("\n\r", text->bytes.ptr[end]))
			end++;
		str line = str_slice(text->bytes, at, end);
		if (!is_version(line)) {
			struct err *err = REPORT(yaml, at, line.len, "E-YAML-DIRECTIVE",
				"the directive '%s' is not known", shown(yaml, line));
			err_help(err, "remove it; \"%%YAML 1.2\" is the only one there is");
			return false;
		}
		at = end;
	}
	return true;
}

/* Nothing but blanks and comments may follow.  libyaml is not asked, so that it reads no second
 * document. */
static bool on_document_end(struct yaml *yaml, const yaml_event_t *event)
{
	const struct yaml_text *text = &yaml->text;
	bool is_explicit = !event->data.document_end.implicit;
	size_t at = yaml_text_skip(text, offset_of(yaml, event->end_mark));
	while (is_at_marker(text, at, "..."))
		at = yaml_text_skip(text, at + 3);
	if (at >= text->bytes.len)
		return false;
	struct err *err = NULL;
	if (is_explicit || is_at_marker(text, at, "---") || is_at_marker(text, at, "%")) {
		err = REPORT(yaml, at, 0, "E-YAML-DOCUMENTS",
			"a second document begins here, and one is all that is read");
		err_help(err, "move it to a file of its own");
		return false;
	}
	err = REPORT(yaml, at, 0, "E-YAML-SYNTAX",
		"this is not part of the %s that begins in line %u, column %u",
		yaml->tree.root.kind == VALUE_MAP    ? "map"
		: yaml->tree.root.kind == VALUE_LIST ? "list"
						     : "value",
		yaml->tree.root.line, yaml->tree.root.col);
	if (yaml_text_place(text, at, 0).col < yaml->tree.root.col)
		err_help(err, "indent both lines alike");
	return false;
}

/* False where there is nothing more to read. */
static bool on_event(struct yaml *yaml, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return on_scalar(yaml, event);
	case YAML_ALIAS_EVENT: return on_alias(yaml, event);
	case YAML_SEQUENCE_START_EVENT: return on_open(yaml, event, VALUE_LIST);
	case YAML_MAPPING_START_EVENT: return on_open(yaml, event, VALUE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return on_close(yaml);
	case YAML_DOCUMENT_END_EVENT: return on_document_end(yaml, event);
	case YAML_STREAM_END_EVENT: return false;
	default: return true;
	}
}

static void read_events(struct yaml *yaml)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser)) {
		REPORT(yaml, 0, 0, "E-YAML-SYNTAX", "no memory to read it");
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&parser, (const unsigned char *)yaml->text.bytes.ptr, yaml->text.bytes.len);
	bool goes_on = true;
	while (goes_on && yaml->reported < MAX_REPORTED) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			yaml_explain(&parser, &yaml->text, yaml->last, yaml->diags);
			break;
		}
		goes_on = on_event(yaml, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}

const struct value *yaml_parse(struct arena *arena, str text, const char *file, struct diags *diags)
{
	struct yaml yaml = {.diags = diags};
	size_t errors = diags->errors;
	yaml.tree = (struct tree){.arena = arena, .on_duplicate = on_duplicate, .ctx = &yaml};
	yaml.tree.root = (struct value){.kind = VALUE_NULL, .line = 1, .col = 1};
	if (yaml_text_init(&yaml.text, text, file, diags) && check_directives(&yaml))
		read_events(&yaml);
	struct value *root = NULL;
	if (diags->errors == errors) {
		root = arena_new(arena, struct value);
		*root = yaml.tree.root;
	}
	tree_finish(&yaml.tree);
	vec_finish(&yaml.anchors);
	yaml_text_finish(&yaml.text);
	return root;
}
