/* yaml_text: checks the bytes of a YAML file before libyaml sees them, and turns its marks into
 * places.  See yaml_parts.h. */
#include "data/yaml_parts.h"

#include "base/utf8.h"

static void refuse_byte(struct yaml_text *text, size_t offset, struct diags *diags)
{
	unsigned char c = (unsigned char)text->bytes.ptr[offset];
	bool has_mark = str_starts(text->bytes, STR("\xff\xfe")) ||
	                str_starts(text->bytes, STR("\xfe\xff"));
	bool is_half_nul = text->bytes.len % 2 == 0 && !text->bytes.ptr[0] != !text->bytes.ptr[1];
	bool is_utf16 = offset < 2 && (has_mark || is_half_nul);
	if (is_utf16) {
		struct err *err = diags_error(diags, yaml_text_place(text, 0, 0), "E-YAML-ENCODING",
			"the file is not UTF-8, but UTF-16 by its looks");
		err_help(err, "save it as UTF-8");
		return;
	}
	struct err *err = NULL;
	if (c >= 0x80) {
		err = diags_error(diags, yaml_text_place(text, offset, 1), "E-YAML-ENCODING",
			"the byte 0x%02x is not valid UTF-8", c);
		err_help(err, "save the file as UTF-8");
		return;
	}
	err = diags_error(diags, yaml_text_place(text, offset, 1), "E-YAML-ENCODING",
		"the control character 0x%02x is not allowed%s", c, c ? "" : " (NUL)");
	err_help(err, "remove it, or write \"\\x%02x\" in double quotes", c);
}

static void refuse_character(
	struct yaml_text *text, size_t offset, uint32_t code, struct diags *diags)
{
	struct place at = yaml_text_place(text, offset, 0);
	bool is_break = code == 0x85 || code == 0x2028 || code == 0x2029;
	struct err *err = diags_error(diags, at, "E-YAML-ENCODING", "the character U+%04X %s", code,
		is_break ? "is a line break to some readers of YAML and not to others"
			 : "is not allowed");
	err_help(err, "remove it, or write \"\\u%04x\" in double quotes", code);
}

/* Whether a character past ASCII may stand in a file as it is. */
static bool is_allowed(uint32_t code)
{
	bool is_c1 = code < 0xa0;
	bool is_separator = code == 0x2028 || code == 0x2029;
	return !is_c1 && !is_separator && code != 0xfeff && code != 0xfffe && code != 0xffff;
}

/* How many bytes the character other than a line break at i has; 0 with an error where it may not stand there. */
static size_t check_character(struct yaml_text *text, size_t i, struct diags *diags)
{
	unsigned char c = (unsigned char)text->bytes.ptr[i];
	if (c == '\t')
		return 1;
	uint32_t code = 0;
	size_t n = c < 0x80 ? 0 : utf8_decode(str_slice(text->bytes, i, text->bytes.len), &code);
	if (!n) {
		refuse_byte(text, i, diags);
		return 0;
	}
	if (is_allowed(code))
		return n;
	refuse_character(text, i, code, diags);
	return 0;
}

static bool check(struct yaml_text *text, struct diags *diags)
{
	const char *bytes = text->bytes.ptr;
	size_t len = text->bytes.len;
	size_t n = 0;
	for (size_t i = 0; i < len; i += n) {
		n = 1;
		if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			continue;
		if (bytes[i] == '\n' || bytes[i] == '\r') {
			n = str_starts(str_slice(text->bytes, i, len), STR("\r\n")) ? 2 : 1;
			*vec_push(&text->lines) = (uint32_t)(i + n);
			continue;
		}
		n = check_character(text, i, diags);
		if (!n)
			return false;
	}
	return true;
}

bool yaml_text_init(struct yaml_text *text, str bytes, const char *file, struct diags *diags)
{
	*text = (struct yaml_text){.bytes = bytes, .file = file};
	if (bytes.len > YAML_MAX_BYTES) {
		diags_error(diags, (struct place){file, 0, 0, 0}, "E-YAML-LIMIT",
			"the file has %zu bytes, and at most %zu are read", bytes.len,
			YAML_MAX_BYTES);
		return false;
	}
	if (str_starts(bytes, STR("\xef\xbb\xbf")))
		text->bytes = str_slice(bytes, 3, bytes.len);
	*vec_push(&text->lines) = 0;
	return check(text, diags);
}

void yaml_text_finish(struct yaml_text *text)
{
	vec_finish(&text->lines);
}

size_t yaml_text_offset(struct yaml_text *text, yaml_mark_t mark)
{
	/* The end of the stream is marked in a line of its own. */
	if (mark.line >= text->lines.len)
		return text->bytes.len;
	size_t line = mark.line;
	if (line != text->line || mark.column < text->chars) {
		text->line = line;
		text->chars = 0;
		text->offset = text->lines.ptr[line];
	}
	for (; text->chars < mark.column && text->offset < text->bytes.len; text->chars++) {
		text->offset++;
		while (((unsigned char)yaml_text_at(text, text->offset) & 0xc0) == 0x80)
			text->offset++;
	}
	return text->offset;
}

/* Which line an offset is in: the last that begins at or before it. */
static size_t line_of(const struct yaml_text *text, size_t offset)
{
	size_t low = 0;
	size_t high = text->lines.len;
	/* Mostly the line of the last mark. */
	size_t near = text->line;
	if (text->lines.ptr[near] <= offset &&
		(near + 1 == high || offset < text->lines.ptr[near + 1]))
		return near;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (text->lines.ptr[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct place yaml_text_place(const struct yaml_text *text, size_t offset, size_t len)
{
	size_t line = line_of(text, offset);
	return (struct place){text->file, (uint32_t)line + 1,
		(uint32_t)(offset - text->lines.ptr[line]) + 1, (uint32_t)len};
}

str yaml_text_line(const struct yaml_text *text, size_t line)
{
	if (line >= text->lines.len)
		return STR("");
	size_t start = text->lines.ptr[line];
	size_t end = line + 1 < text->lines.len ? text->lines.ptr[line + 1] : text->bytes.len;
	while (end > start &&
		(text->bytes.ptr[end - 1] == '\n' || text->bytes.ptr[end - 1] == '\r'))
		end--;
	return str_slice(text->bytes, start, end);
}

size_t yaml_text_skip(const struct yaml_text *text, size_t offset)
{
	for (;; offset++) {
		char c = yaml_text_at(text, offset);
		if (c == '#') {
			while (offset + 1 < text->bytes.len &&
				text->bytes.ptr[offset + 1] != '\n' &&
				text->bytes.ptr[offset + 1] != '\r')
				offset++;
		} else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return offset;
		}
	}
}
