/* json: writing, in three shapes from one walk.  The open lists and maps are on a stack of its
 * own, so a tree of any depth can be written.  See json.h. */
#include "data/json.h"

#include "base/utf8.h"
#include "base/vec.h"
#include "data/tree.h"

#include <stdlib.h>

struct level {
	const struct value *value;
	const struct value_member **sorted; /* canonical maps only */
	size_t next;                        /* the item to write */
};

struct writer {
	struct buf *out;
	bool is_canonical;
	bool is_pretty;
	VEC(struct level) open;
};

static void add_escape(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"': buf_add_z(out, "\\\""); return;
	case '\\': buf_add_z(out, "\\\\"); return;
	case '\b': buf_add_z(out, "\\b"); return;
	case '\f': buf_add_z(out, "\\f"); return;
	case '\n': buf_add_z(out, "\\n"); return;
	case '\r': buf_add_z(out, "\\r"); return;
	case '\t': buf_add_z(out, "\\t"); return;
	default: buf_add_z(out, "\\u00"); buf_add_hex(out, &c, 1);
	}
}

void json_write_string(struct buf *out, str text)
{
	buf_reserve(out, text.len + 2);
	buf_add_char(out, '"');
	size_t plain = 0; /* from here to i nothing needs a change */
	for (size_t i = 0; i < text.len;) {
		unsigned char c = (unsigned char)text.ptr[i];
		uint32_t code = 0;
		size_t n = c < 0x80 ? 1 : utf8_decode(str_slice(text, i, text.len), &code);
		if (n && c >= 0x20 && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		buf_add(out, str_slice(text, plain, i));
		if (n)
			add_escape(out, c);
		else
			buf_add_z(out, "\xef\xbf\xbd");
		plain = ++i;
	}
	buf_add(out, str_slice(text, plain, text.len));
	buf_add_char(out, '"');
}

static size_t count_of(const struct value *value)
{
	return value->kind == VALUE_LIST ? value->as.list.count : value->as.map.count;
}

static void new_line(const struct writer *writer)
{
	if (!writer->is_pretty)
		return;
	buf_add_char(writer->out, '\n');
	for (size_t i = 0; i < writer->open.len; i++)
		buf_add_z(writer->out, "  ");
}

static void write_scalar(struct buf *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_BOOL: buf_add_z(out, value->as.boolean ? "true" : "false"); return;
	case VALUE_NUMBER: buf_add(out, value->as.text); return;
	case VALUE_STRING: json_write_string(out, value->as.text); return;
	default: buf_add_z(out, "null");
	}
}

/* Writes a scalar or an empty collection; opens any other. */
static void begin(struct writer *writer, const struct value *value)
{
	if (value->kind != VALUE_LIST && value->kind != VALUE_MAP) {
		write_scalar(writer->out, value);
		return;
	}
	bool is_list = value->kind == VALUE_LIST;
	if (!count_of(value)) {
		buf_add_z(writer->out, is_list ? "[]" : "{}");
		return;
	}
	buf_add_char(writer->out, is_list ? '[' : '{');
	struct level level = {.value = value};
	if (!is_list && writer->is_canonical)
		level.sorted = tree_sorted(value->as.map.items, value->as.map.count);
	*vec_push(&writer->open) = level;
}

static void end(struct writer *writer)
{
	struct level level = writer->open.ptr[--writer->open.len];
	free(level.sorted);
	new_line(writer);
	buf_add_char(writer->out, level.value->kind == VALUE_LIST ? ']' : '}');
}

static void write_next_item(struct writer *writer, struct level *level)
{
	if (level->next)
		buf_add_char(writer->out, ',');
	new_line(writer);
	size_t i = level->next++;
	if (level->value->kind == VALUE_LIST) {
		begin(writer, &level->value->as.list.items[i]);
		return;
	}
	const struct value_member *member =
		level->sorted ? level->sorted[i] : &level->value->as.map.items[i];
	json_write_string(writer->out, member->key);
	buf_add_z(writer->out, writer->is_pretty ? ": " : ":");
	begin(writer, &member->value);
}

static void write_tree(struct writer *writer, const struct value *value)
{
	begin(writer, value);
	while (writer->open.len) {
		struct level *level = &writer->open.ptr[writer->open.len - 1];
		if (level->next < count_of(level->value))
			write_next_item(writer, level);
		else
			end(writer);
	}
	vec_finish(&writer->open);
}

void json_write(struct buf *out, const struct value *value)
{
	write_tree(&(struct writer){.out = out}, value);
}

void json_write_canonical(struct buf *out, const struct value *value)
{
	write_tree(&(struct writer){.out = out, .is_canonical = true}, value);
}

void json_write_pretty(struct buf *out, const struct value *value)
{
	write_tree(&(struct writer){.out = out, .is_pretty = true}, value);
}
