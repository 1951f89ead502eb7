/* cmd_logs: what nodes printed: `pawl output`, and `pawl logs` of one node or of all in a run, also while it goes on: what a
 * node that runs has printed so far is in files below the run's `live` (engine/live.c), what has ended is in the store. */
#include "cli/cli.h"
#include "cli/inner.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "store/cas.h"
#include "sys/tty.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLLOW_MS = 100 };

extern const struct command command_logs, command_output;

/* One stream of one node. */
struct stream {
	int fd;      /* of the file that grows, or -1 */
	uint64_t at; /* so much of this try is printed */
	struct object_output json;
	struct buf held; /* for a terminal: the beginning of a character */
};

/* What is known of a node that is shown. */
struct shown {
	str path;
	struct stream streams[2];
	int64_t attempt, tries, started_ms; /* which of its tries it is */
	bool is_done;
	struct shown *next;
};

struct logs {
	struct cli *cli;
	struct store *store;
	str wanted; /* only this node and what it holds; empty: all */
	bool is_following;
	bool is_going; /* somebody runs it still */
	bool wanted_ended;
	bool is_seen; /* the wanted node, or something in it */
	int code;
	size_t width;
	struct map by_path;
	struct shown *all;
	const struct shown *open_line; /* whose last line has not ended yet, or NULL */
};

/* ---- printing ---- */

/* "==> a <==", or "a | " before each line where it is followed: of all but the one node that was asked for. */
static bool has_heading(const struct logs *l, str path)
{
	return !l->wanted.len || !str_eq(path, l->wanted);
}

static void add_heading(struct logs *l, struct buf *out, const struct shown *shown)
{
	buf_printf(out, "%s%.*s", talk_color(l->cli, false, COLOR_DIM), STR_ARG(shown->path));
	for (size_t i = shown->path.len; i < l->width; i++)
		buf_add_char(out, ' ');
	buf_printf(out, " |%s ", talk_color(l->cli, false, COLOR_NONE));
}

/* A line that another node interrupts is ended: the rest of it has a heading of its own. */
static void print_lines(struct logs *l, const struct shown *shown, str bytes)
{
	struct buf out = {0};
	while (bytes.len) {
		size_t end = str_find_char(bytes, '\n', 0);
		size_t len = end == SIZE_MAX ? bytes.len : end + 1;
		if (l->open_line && l->open_line != shown)
			buf_add_char(&out, '\n');
		if (l->open_line != shown)
			add_heading(l, &out, shown);
		buf_add(&out, str_slice(bytes, 0, len));
		l->open_line = end == SIZE_MAX ? shown : NULL;
		bytes = str_slice(bytes, len, bytes.len);
	}
	talk_out(l->cli, buf_str(&out));
	buf_finish(&out);
}

static void print_as_it_is(struct logs *l, const struct shown *shown, str bytes)
{
	talk_out(l->cli, bytes);
	bool is_open = bytes.len && bytes.ptr[bytes.len - 1] != '\n' && has_heading(l, shown->path);
	l->open_line = is_open ? shown : bytes.len ? NULL : l->open_line;
}

/* Nothing that a node printed drives the terminal; what is not one gets every byte as it is. */
static void print_bytes(struct logs *l, struct shown *shown, struct stream *stream, str bytes)
{
	struct buf visible = {0};
	if (l->cli->is_json) {
		object_output(&stream->json, bytes);
		return;
	}
	if (tty_is(STDOUT_FILENO)) {
		struct buf all = stream->held;
		stream->held = (struct buf){0};
		buf_add(&all, bytes);
		size_t later = object_unfinished(buf_str(&all));
		buf_add(&stream->held, str_slice(buf_str(&all), all.len - later, all.len));
		buf_add_visible(&visible, str_slice(buf_str(&all), 0, all.len - later));
		buf_finish(&all);
		bytes = buf_str(&visible);
	}
	if (l->is_following && has_heading(l, shown->path))
		print_lines(l, shown, bytes);
	else
		print_as_it_is(l, shown, bytes);
	buf_finish(&visible);
}

/* Prints what there is behind stream->at. */
static bool print_rest(struct logs *l, struct shown *shown, struct stream *stream, int fd)
{
	static char bytes[1 << 16];
	ssize_t n = 0;
	while (!l->cli->out_error && (n = pread(fd, bytes, sizeof(bytes), (off_t)stream->at)) > 0) {
		stream->at += (uint64_t)n;
		print_bytes(l, shown, stream, (str){bytes, (size_t)n});
	}
	return n >= 0;
}

static void print_blob(struct logs *l, struct shown *shown, struct stream *stream, str hex)
{
	struct digest digest;
	struct err err = {0};
	uint64_t size = 0;
	if (!hex.len || !digest_parse(hex, &digest))
		return;
	int fd = cas_open(l->store, &digest, &size, &err);
	if (fd < 0) {
		l->code = talk_fail(l->cli, &err);
		return;
	}
	if (!print_rest(l, shown, stream, fd))
		l->code = EXIT_SYSTEM;
	close(fd);
}

/* ---- a node ---- */

static const char *const stream_names[] = {"stdout", "stderr"};

static void end_streams(struct shown *shown)
{
	for (int i = 0; i < 2; i++) {
		struct stream *stream = &shown->streams[i];
		object_output_end(&stream->json);
		buf_finish(&stream->held);
		if (stream->fd >= 0)
			close(stream->fd);
		stream->fd = -1;
		stream->at = 0;
	}
}

static struct shown *find_shown(struct logs *l, const struct inner_node *node)
{
	struct arena *arena = &l->cli->arena;
	str key = str_of(
		arena_printf(arena, "%lld/%.*s", (long long)node->row->run, STR_ARG(node->path)));
	struct shown *shown = map_get(&l->by_path, key);
	if (shown)
		return shown;
	shown = arena_new(arena, struct shown);
	shown->path = arena_str(arena, node->path);
	shown->next = l->all;
	l->all = shown;
	map_put(&l->by_path, key, shown);
	for (int i = 0; i < 2; i++) {
		shown->streams[i].fd = -1;
		shown->streams[i].json = (struct object_output){.cli = l->cli,
			.run = node->row->run,
			.node = arena_str(arena, node->row->node),
			.path = node->is_inner ? shown->path : STR(""),
			.stream = stream_names[i]};
	}
	l->width = shown->path.len > l->width && shown->path.len <= 32 ? shown->path.len : l->width;
	return shown;
}

/* The file that the stream grows in, while its writer lives or where all are gone; what a killed run left is not of this one. */
static int open_live(const struct logs *l, const struct node_row *row, int stream)
{
	struct stat st;
	struct buf path = {0};
	buf_printf(&path, "runs/%lld/live/%.*s.%s", (long long)row->run, STR_ARG(row->node),
		stream ? "err" : "out");
	int fd = openat(store_state_fd(l->store), buf_cstr(&path),
		O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	buf_finish(&path);
	bool is_good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (is_good && l->is_going && flock(fd, LOCK_SH | LOCK_NB) == 0)
		is_good = false;
	if (!is_good && fd >= 0)
		close(fd);
	return is_good ? fd : -1;
}

static void print_live(struct logs *l, struct shown *shown, const struct node_row *row)
{
	for (int i = 0; i < 2; i++) {
		struct stream *stream = &shown->streams[i];
		if (stream->fd < 0)
			stream->fd = open_live(l, row, i);
		if (stream->fd >= 0)
			print_rest(l, shown, stream, stream->fd);
	}
}

/* A reused node printed what it printed in the run that made it. */
static void print_ended(struct logs *l, struct shown *shown, const struct node_row *row)
{
	struct node_row made = *row;
	bool found = true;
	if (row->state == NODE_REUSED)
		nodes_get(l->store, &l->cli->arena, row->origin, row->node, &made, &found, NULL);
	if (!found)
		return;
	print_blob(l, shown, &shown->streams[0], made.output);
	print_blob(l, shown, &shown->streams[1], made.log);
}

static bool has_output(const struct node_row *row)
{
	bool is_elsewhere = row->state == NODE_RUNNING || row->state == NODE_REUSED;
	return is_elsewhere || row->output.len || row->log.len;
}

static bool is_wanted(const struct logs *l, str path)
{
	if (!l->wanted.len || str_eq(path, l->wanted))
		return true;
	str rest = str_slice(path, l->wanted.len, path.len);
	return str_starts(path, l->wanted) &&
	       (rest.ptr[0] == '/' || rest.ptr[0] == '[' || str_starts(rest, STR("__")));
}

static void look_at(void *arg, const struct inner_node *node)
{
	struct logs *l = arg;
	const struct node_row *row = node->row;
	if (l->code || l->cli->out_error || !is_wanted(l, node->path))
		return;
	struct shown *shown = find_shown(l, node);
	bool is_same = shown->attempt == row->attempt && shown->tries == row->tries &&
	               shown->started_ms == row->started_ms;
	l->is_seen = true;
	if (!is_same) {
		end_streams(shown);
		shown->attempt = row->attempt;
		shown->tries = row->tries;
		shown->started_ms = row->started_ms;
		shown->is_done = false;
	}
	l->wanted_ended |= row->ended_ms && str_eq(node->path, l->wanted);
	if (shown->is_done)
		return;
	/* What a run within the run gave is shown where it was printed. */
	bool is_told = str_is(row->type, "workflow") && has_heading(l, node->path);
	if (!l->is_following && !l->cli->is_json && has_heading(l, node->path) && has_output(row) &&
		!is_told)
		talk_outf(l->cli, "==> %.*s (%s) <==\n", STR_ARG(node->path),
			node_state_name(row->state));
	if (row->ended_ms && !is_told)
		print_ended(l, shown, row);
	else if (row->state == NODE_RUNNING)
		print_live(l, shown, row);
	if (row->ended_ms || !l->is_following) {
		shown->is_done = true;
		end_streams(shown);
		/* What comes of another node begins on a line of its own. */
		if (l->open_line == shown)
			talk_out(l->cli, STR("\n"));
		l->open_line = l->open_line == shown ? NULL : l->open_line;
	}
}

/* ---- a run ---- */

static bool look_once(struct logs *l, int64_t id)
{
	struct run_row run = {0};
	struct arena arena = {0};
	struct err err = {0};
	if (!cli_get_run(l->cli, l->store, id, &run)) {
		l->code = EXIT_USAGE;
		return false;
	}
	l->is_going = run.is_live;
	if (!inner_each(l->store, &arena, &run, look_at, l, &err))
		l->code = talk_fail(l->cli, &err);
	arena_finish(&arena);
	return !l->code && !l->cli->out_error;
}

static int finish(struct logs *l)
{
	for (struct shown *shown = l->all; shown; shown = shown->next)
		end_streams(shown);
	if (l->open_line)
		talk_out(l->cli, STR("\n"));
	map_finish(&l->by_path);
	return l->code;
}

static int logs(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct logs l = {.cli = cli, .store = store, .wanted = node};
	struct node_row row = {0};
	struct run_row run_row = {0};
	if (!cli_get_run(cli, store, run, &run_row) ||
		(node.len && !rows_node(cli, store, run, node, &row)))
		return EXIT_USAGE;
	look_once(&l, run);
	return finish(&l);
}

static int follow(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct logs l = {.cli = cli, .store = store, .wanted = node, .is_following = true};
	struct node_row row = {0};
	while (look_once(&l, run) && l.is_going && !l.wanted_ended)
		poll(NULL, 0, FOLLOW_MS);
	/* The last of it may have come between that look and the end. */
	if (!l.code && !cli->out_error)
		look_once(&l, run);
	if (!l.code && node.len && !l.is_seen && !rows_node(cli, store, run, node, &row))
		l.code = EXIT_USAGE;
	return finish(&l);
}

static int output(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct logs l = {.cli = cli, .store = store, .wanted = node};
	struct run_row run_row = {0};
	struct node_row row = {0};
	if (!cli_get_run(cli, store, run, &run_row))
		return EXIT_USAGE;
	if (!node.len)
		return rows_usage(cli,
			arena_printf(&cli->arena, "pawl output %lld/NODE", (long long)run),
			"which node of run %lld?", (long long)run);
	if (!rows_node(cli, store, run, node, &row))
		return EXIT_USAGE;
	struct shown *shown = find_shown(&l, &(struct inner_node){&run_row, &row, row.node, false});
	print_blob(&l, shown, &shown->streams[0], row.output);
	return finish(&l);
}

static int run_logs(struct cli *cli, int argc, char **argv)
{
	bool wants_follow = false;
	const struct arg flag = {"follow", 'f', ARG_FLAG, &wants_follow, NULL};
	return rows_on_run(
		cli, &command_logs, &(struct rows_request){argc, argv, &flag, logs, follow});
}

static int run_output(struct cli *cli, int argc, char **argv)
{
	return rows_on_run(
		cli, &command_output, &(struct rows_request){argc, argv, NULL, output, output});
}

const struct command command_logs = {"logs", "Look", "print what nodes wrote to stdout and stderr",
	"  pawl logs\n"
	"  pawl logs 6/parse\n"
	"  pawl logs -f                     of the newest run, as it is written\n\n"
	"usage: pawl logs [RUN[/NODE]] [-f]\n\n"
	"  -f, --follow   go on until the run, or the node, has ended; of several nodes each line says whose it is\n",
	run_logs};
const struct command command_output = {"output", "Look", "print a node's output, byte for byte",
	"  pawl output 6/parse\n"
	"  pawl output last/parse | jq .\n"
	"  pawl output 6/parse > saved\n\n"
	"usage: pawl output RUN/NODE\n",
	run_output};
