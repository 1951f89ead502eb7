/* objects: see objects.h. */
#include "cli/objects.h"

#include "base/utf8.h"
#include "data/json.h"

void object_begin(struct buf *out, const char *name)
{
	buf_printf(out, "{\"v\":1,\"object\":\"%s\"", name);
}

void object_text(struct buf *out, const char *member, str text)
{
	buf_printf(out, ",\"%s\":", member);
	json_write_string(out, text);
}

void object_number(struct buf *out, const char *member, int64_t number)
{
	buf_printf(out, ",\"%s\":%lld", member, (long long)number);
}

void object_bool(struct buf *out, const char *member, bool is_true)
{
	buf_printf(out, ",\"%s\":%s", member, is_true ? "true" : "false");
}

void object_digest(struct buf *out, const char *member, const struct digest *digest)
{
	buf_printf(out, ",\"%s\":\"", member);
	digest_add_hex(out, digest);
	buf_add_char(out, '"');
}

void object_end(struct buf *out)
{
	buf_add_z(out, "}\n");
}

void object_send(struct cli *cli, struct buf *out)
{
	object_end(out);
	talk_out(cli, buf_str(out));
	buf_finish(out);
}

void object_document(struct cli *cli, const char *media_type, str text)
{
	struct buf out = {0};
	bool is_json = str_ends(str_of(media_type), STR("json"));
	const struct value *value = is_json ? json_parse(&cli->arena, text, NULL) : NULL;
	object_begin(&out, "document");
	object_text(&out, "media_type", str_of(media_type));
	if (value) {
		buf_add_z(&out, ",\"value\":");
		json_write(&out, value);
	} else {
		object_text(&out, "text", text);
	}
	object_send(cli, &out);
}

void object_written(struct cli *cli, const char *path, uint64_t bytes)
{
	struct buf out = {0};
	if (!cli->is_json) {
		talk_outf(cli, "wrote %s\n", path);
		return;
	}
	object_begin(&out, "written");
	object_text(&out, "file", str_of(path));
	object_number(&out, "bytes", (int64_t)bytes);
	object_send(cli, &out);
}

void object_note(struct cli *cli, const char *format, ...)
{
	struct buf out = {0};
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	object_begin(&out, "note");
	object_text(&out, "message", buf_str(&text));
	object_send(cli, &out);
	buf_finish(&text);
}

/* ---- output of nodes ---- */

size_t object_unfinished(str s)
{
	for (size_t n = 1; n <= 3 && n <= s.len; n++) {
		unsigned char c = (unsigned char)s.ptr[s.len - n];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t whole = c >= 0xf0 && c <= 0xf4  ? 4
		               : c >= 0xe0 && c < 0xf0 ? 3
		               : c >= 0xc2 && c < 0xe0 ? 2
		                                       : 1;
		return n < whole ? n : 0;
	}
	return 0;
}

static const size_t longest_piece = (size_t)64 << 10;

static void add_base64(struct buf *out, str bytes)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	buf_add_z(out, ",\"base64\":\"");
	for (size_t i = 0; i < bytes.len; i += 3) {
		uint32_t word = 0;
		size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
		for (size_t k = 0; k < 3; k++)
			word = word << 8 | (k < left ? (unsigned char)bytes.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add_char(out, k <= left ? digits[word >> (18 - 6 * k) & 63] : '=');
	}
	buf_add_char(out, '"');
}

static void send_piece(const struct object_output *o, str bytes)
{
	struct buf out = {0};
	object_begin(&out, "output");
	object_number(&out, "run", o->run);
	object_text(&out, "node", o->node);
	if (o->path.len)
		object_text(&out, "path", o->path);
	object_text(&out, "stream", str_of(o->stream));
	if (utf8_invalid_at(bytes) == SIZE_MAX)
		object_text(&out, "text", bytes);
	else
		add_base64(&out, bytes);
	object_send(o->cli, &out);
}

void object_output(struct object_output *o, str bytes)
{
	struct buf all = o->held;
	o->held = (struct buf){0};
	buf_add(&all, bytes);
	str text = buf_str(&all);
	while (text.len) {
		str piece = str_slice(text, 0, longest_piece);
		size_t later = object_unfinished(piece);
		piece.len -= later;
		if (!piece.len)
			break;
		send_piece(o, piece);
		text = str_slice(text, piece.len, text.len);
	}
	buf_add(&o->held, text);
	buf_finish(&all);
}

void object_output_end(struct object_output *o)
{
	if (o->held.len)
		send_piece(o, buf_str(&o->held));
	buf_finish(&o->held);
}
