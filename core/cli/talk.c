/* talk: errors, notes, tables, colours.  See cli.h. */
#include "cli/cli.h"

#include "base/utf8.h"
#include "data/json.h"
#include "sys/fs.h"
#include "sys/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char *talk_color(const struct cli *cli, bool err, enum color color)
{
	static const char *const codes[] = {
		"\033[0m", "\033[31m", "\033[32m", "\033[33m", "\033[34m", "\033[2m", "\033[1m"};
	bool on = err ? cli->has_color_err : cli->has_color_out;
	return on ? codes[color] : "";
}

/* The line of the file that an error is about, with a caret below the place. */
static void add_source(struct cli *cli, struct buf *out, const struct place *at)
{
	struct buf text = {0};
	if (!at->file || !at->line ||
		!fs_read_file(AT_FDCWD, at->file, (size_t)64 << 20, &text, NULL)) {
		buf_finish(&text);
		return;
	}
	str rest = buf_str(&text);
	str line = STR("");
	uint32_t number = 0;
	while (number < at->line && str_line(&rest, &line))
		number++;
	if (number == at->line && line.len < 400) {
		const char *dim = talk_color(cli, true, COLOR_DIM);
		const char *red = talk_color(cli, true, COLOR_RED);
		const char *off = talk_color(cli, true, COLOR_NONE);
		buf_printf(out, "%s%5u |%s ", dim, at->line, off);
		buf_add_visible(out, line);
		buf_printf(out, "\n%s      |%s ", dim, off);
		size_t col = at->col ? at->col - 1 : 0;
		for (size_t i = 0; i < col && i < line.len; i++) {
			if (line.ptr[i] == '\t')
				buf_add_char(out, '\t');
			else if (((unsigned char)line.ptr[i] & 0xc0) != 0x80)
				buf_add_char(out, ' ');
		}
		size_t width = utf8_width(str_slice(line, col, col + (at->len ? at->len : 1)));
		buf_add_z(out, red);
		for (size_t i = 0; i < (width ? width : 1); i++)
			buf_add_char(out, '^');
		buf_printf(out, "%s\n", off);
	}
	buf_finish(&text);
}

static void add_err(struct cli *cli, struct buf *out, const struct err *err)
{
	const char *color = talk_color(cli, true, err->is_warning ? COLOR_YELLOW : COLOR_RED);
	const char *bold = talk_color(cli, true, COLOR_BOLD);
	const char *off = talk_color(cli, true, COLOR_NONE);
	buf_printf(out, "%s%s[%s]%s%s: ", color, err->is_warning ? "warning" : "error",
		err->code ? err->code : "E-BUG", off, bold);
	buf_add_visible(out, str_of(err->message));
	buf_printf(out, "%s\n", off);
	if (err->at.file && err->at.line) {
		buf_printf(out, "  --> %s:%u:%u\n", err->at.file, err->at.line,
			err->at.col ? err->at.col : 1);
		add_source(cli, out, &err->at);
	}
	if (err->help) {
		str rest = str_of(err->help);
		str line = STR("");
		bool is_first = true;
		while (str_line(&rest, &line)) {
			buf_printf(out, "%s", is_first ? "help: " : "      ");
			buf_add_visible(out, line);
			buf_add_char(out, '\n');
			is_first = false;
		}
	}
}

/* The event of docs/events.md. */
static void send_err(struct cli *cli, const struct err *err)
{
	struct buf out = {0};
	buf_printf(
		&out, "{\"v\":1,\"event\":\"%s\",\"code\":", err->is_warning ? "warning" : "error");
	json_write_string(&out, str_of(err->code ? err->code : "E-BUG"));
	buf_add_z(&out, ",\"message\":");
	json_write_string(&out, str_of(err->message));
	if (err->at.file && err->at.line) {
		buf_add_z(&out, ",\"file\":");
		json_write_string(&out, str_of(err->at.file));
		buf_printf(&out, ",\"line\":%u,\"column\":%u", err->at.line,
			err->at.col ? err->at.col : 1);
	}
	if (err->help) {
		buf_add_z(&out, ",\"help\":");
		json_write_string(&out, str_of(err->help));
	}
	buf_add_z(&out, "}\n");
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

void talk_err(struct cli *cli, const struct err *err)
{
	struct buf out = {0};
	cli->has_told = true;
	if (cli->is_json)
		send_err(cli, err);
	add_err(cli, &out, err);
	tty_write(STDERR_FILENO, out.ptr, out.len);
	buf_finish(&out);
}

void talk_diags(struct cli *cli, const struct diags *diags)
{
	static const size_t most = 50; /* for people */
	for (size_t i = 0; i < diags->list.len && (i < most || cli->is_json); i++)
		talk_err(cli, &diags->list.ptr[i]);
	if (diags->list.len > most && !cli->is_json)
		talk_note(cli, "and %zu more", diags->list.len - most);
}

int talk_fail(struct cli *cli, struct err *err)
{
	static const char *const system[] = {
		"E-STORE-", "E-FS-", "E-LOOP-", "E-SYS-", "E-SPAWN-SYSTEM"};
	int code = EXIT_USAGE;
	for (size_t i = 0; err->code && i < sizeof(system) / sizeof(system[0]); i++) {
		if (str_starts(str_of(err->code), str_of(system[i])))
			code = EXIT_SYSTEM;
	}
	talk_err(cli, err);
	err_finish(err);
	return code;
}

void talk_note(struct cli *cli, const char *format, ...)
{
	struct buf text = {0};
	va_list args;
	cli->has_told = true;
	if (cli->is_quiet)
		return;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	struct buf out = {0};
	buf_add_visible(&out, buf_str(&text));
	buf_add_char(&out, '\n');
	tty_write(STDERR_FILENO, out.ptr, out.len);
	buf_finish(&out);
	buf_finish(&text);
}

void talk_out(struct cli *cli, str text)
{
	if (cli->outlet) {
		outlet_add(cli->outlet, text, false);
		return;
	}
	errno = 0;
	if (!cli->out_error && !tty_write(STDOUT_FILENO, text.ptr, text.len))
		cli->out_error = errno ? errno : EIO;
}

int talk_finish(struct cli *cli, int code)
{
	struct err err = {0};
	if (!cli->out_error || cli->out_error == EPIPE)
		return code; /* the reader has seen enough */
	err_sys(&err, cli->out_error, "E-FS-WRITE", "standard output can't be written");
	err_help(&err, "free space where it goes, or let it go elsewhere");
	int failed = talk_fail(cli, &err);
	return code ? code : failed;
}

void talk_outf(struct cli *cli, const char *format, ...)
{
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	talk_out(cli, buf_str(&text));
	buf_finish(&text);
}

void table_init(struct table *table, size_t columns)
{
	*table = (struct table){.columns = columns};
}

void table_cell(struct table *table, const char *format, ...)
{
	struct buf text = {0};
	struct buf shown = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	buf_add_visible(&shown, buf_str(&text));
	*vec_push(&table->cells) = arena_str(&table->arena, buf_str(&shown));
	buf_finish(&text);
	buf_finish(&shown);
}

void table_print(struct cli *cli, struct table *table)
{
	struct buf out = {0};
	size_t *widths = arena_array(&table->arena, size_t, table->columns);
	for (size_t i = 0; i < table->cells.len; i++) {
		size_t width = utf8_width(table->cells.ptr[i]);
		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->cells.len; i++) {
		size_t column = i % table->columns;
		bool is_last = column + 1 == table->columns;
		buf_add(&out, table->cells.ptr[i]);
		for (size_t pad = utf8_width(table->cells.ptr[i]);
			!is_last && pad < widths[column] + 2; pad++)
			buf_add_char(&out, ' ');
		if (is_last) {
			while (out.len && out.ptr[out.len - 1] == ' ')
				out.len--;
			buf_add_char(&out, '\n');
		}
	}
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
	vec_finish(&table->cells);
	arena_finish(&table->arena);
}
