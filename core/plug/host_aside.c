/* host_aside: calls of a plugin that are waited for, validate(), cache_key() and a first init(), made in a copy of this process.
 * They are pure by contract, so that nothing is lost with the copy but a crash; and one that never ends is ended.  What the call
 * has said of the node, in diagnostics, keys, facts and notes, comes back and is said here again. */
#include "plug/host_copy.h"
#include "plug/host_internal.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS    10000 /* what a call may take that is waited for */
#define PATIENCE_MS 3000  /* until it is named */
#define TURN_MS     200   /* how often a Ctrl-C is looked for meanwhile */
#define MAX_BYTES   ((size_t)256 << 20)

/* ---- waiting --------------------------------------------------------------------------------------------------------------- */

enum waiting { WAIT_OVER, WAIT_TOO_LONG, WAIT_STOPPED };

/* The loop has blocked these, and looks at them when this call is back. */
static bool is_asked_to_stop(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM));
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the copy has closed its end, which it does at its end. */
static enum waiting read_frames(const struct aside *aside, int pipe, struct buf *in)
{
	char block[16384];
	int64_t began = now_ms();
	bool is_told = false;
	for (;;) {
		struct pollfd ready = {.fd = pipe, .events = POLLIN};
		int count = poll(&ready, 1, TURN_MS);
		if (count == 0 || (count < 0 && errno == EINTR)) {
			if (is_asked_to_stop())
				return WAIT_STOPPED;
			if (now_ms() - began > LIMIT_MS)
				return WAIT_TOO_LONG;
			if (now_ms() - began > PATIENCE_MS && !is_told) {
				fprintf(stderr,
					"pawl: plugin %s does not come back from %s(); it is ended after %d s\n",
					aside->plugin, aside->function, LIMIT_MS / 1000);
				is_told = true;
			}
			continue;
		}
		ssize_t got = read(pipe, block, sizeof(block));
		if (got <= 0 || in->len + (size_t)got > MAX_BYTES)
			return WAIT_OVER;
		buf_add(in, str_make(block, (size_t)got));
	}
}

/* Ends what is left of it and of its children; gives how it ended. */
static int reap(const struct copy_process *copy, bool is_dying)
{
	siginfo_t info;
	int status = 0;
	if (!is_dying)
		kill(copy->pid, SIGKILL);
	/* It is there as long as it is not reaped, so its number is that of nobody else's group. */
	while (waitid(P_PID, (id_t)copy->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		continue;
	kill(-copy->pid, SIGKILL);
	while (waitpid(copy->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	close(copy->pipe);
	if (copy->pidfd >= 0)
		close(copy->pidfd);
	return status;
}

static bool explain(const struct aside *aside, enum waiting how, str words, struct err *err)
{
	if (how == WAIT_STOPPED) {
		return err_set(err, "E-CANCELLED", "%s() of the plugin %s was interrupted",
			aside->function, aside->plugin);
	}
	if (how == WAIT_TOO_LONG) {
		err_set(err, "E-PLUGIN-STUCK",
			"the plugin %s did not come back from %s()%s%s within %d s", aside->plugin,
			aside->function, aside->node ? " of node " : "",
			aside->node ? aside->node : "", LIMIT_MS / 1000);
		err_help(err,
			"it was ended, and nothing else was harmed; what takes long belongs into start(): tell its author");
	} else {
		copy_explain(err, aside->plugin, aside->node, words);
	}
	if (aside->health && !aside->health->has_crashed) {
		aside->health->has_crashed = true;
		guard_note_crash(aside->health->note);
	}
	return false;
}

_Noreturn static void answer_and_leave(const struct aside *aside, int home)
{
	struct buf answer = {0};
	aside->fn(aside->arg, &answer);
	/* What the plugin has printed.  The rest of what exit() would do is the parent's. */
	fflush(stdout);
	copy_send(home, FRAME_ANSWER, buf_str(&answer), STR(""));
	_exit(0);
}

bool aside_call(const struct aside *aside, struct buf *answer, struct err *err)
{
	struct copy_process copy;
	struct buf in = {0};
	int home = -1;
	int which = copy_fork(&copy, &home, err);
	if (which < 0)
		return false;
	if (which == 0)
		answer_and_leave(aside, home);
	enum waiting how = read_frames(aside, copy.pipe, &in);
	enum frame_kind kind = FRAME_CRASH;
	str body = STR("");
	size_t size;
	bool is_whole = copy_frame(buf_str(&in), &kind, &body, &size);
	/* Whoever crashes may leave a core; nobody else has anything left to do. */
	int status = reap(&copy, how == WAIT_OVER && is_whole && kind == FRAME_CRASH);
	bool ok = is_whole && kind == FRAME_ANSWER;
	struct buf words = {0};
	if (ok) {
		buf_add(answer, body);
	} else {
		if (is_whole && kind == FRAME_CRASH)
			buf_add(&words, body);
		else
			copy_end_words(&words, status, aside->function);
		explain(aside, how, buf_str(&words), err);
	}
	buf_finish(&words);
	buf_finish(&in);
	return ok;
}

static struct aside of_node(struct pawl_node *node, const char *function,
	void (*fn)(void *arg, struct buf *answer), void *arg)
{
	return (struct aside){.plugin = node->init.type->plugin->id,
		.function = function,
		.node = node->id,
		.health = node->init.type->health,
		.fn = fn,
		.arg = arg};
}

/* ---- validate ------------------------------------------------------------------------------------------------------------------ */

static void validate_there(void *arg, struct buf *answer)
{
	struct pawl_node *node = arg;
	size_t before = node->diags->list.len;
	host_call_validate(node);
	wire_add_number(answer, node->diags->list.len - before);
	for (size_t i = before; i < node->diags->list.len; i++)
		wire_add_err(answer, &node->diags->list.ptr[i]);
	/* Whatever is found out about bodies by those who bind them. */
	wire_add_number(answer, node->bounds.len);
	for (size_t i = 0; i < node->bounds.len; i++) {
		wire_add_str(answer, str_of(node->bounds.ptr[i]->language->name));
		wire_add_str(answer, node->bounds.ptr[i]->field);
	}
}

void aside_validate(struct pawl_node *node)
{
	struct aside aside = of_node(node, "validate", validate_there, node);
	struct buf answer = {0};
	struct err err = {0};
	if (!aside_call(&aside, &answer, &err)) {
		err_at(&err, node->init.node->type_at);
		diags_take(node->diags, &err);
		buf_finish(&answer);
		return;
	}
	struct wire in = {.rest = buf_str(&answer)};
	uint64_t count = wire_number(&in);
	for (uint64_t i = 0; i < count && !in.is_broken; i++) {
		wire_err(&in, &err);
		if (err_is_set(&err))
			diags_take(node->diags, &err);
	}
	count = wire_number(&in);
	for (uint64_t i = 0; i < count && !in.is_broken; i++) {
		str language = wire_str(&in);
		host_bind_again(node, language, arena_str(&node->arena, wire_str(&in)).ptr);
	}
	buf_finish(&answer);
}

/* ---- cache_key -------------------------------------------------------------------------------------------------------------------- */

struct keying {
	struct pawl_node *node;
	struct key *key;
	struct host_facts *facts;
	struct buf *words;
};

static void key_there(void *arg, struct buf *answer)
{
	const struct keying *keying = arg;
	struct pawl_node *node = keying->node;
	size_t text = keying->key->text.len;
	size_t facts = keying->facts->list.len;
	size_t notes = node->notes.len;
	size_t words = keying->words->len;
	wire_add_number(answer, host_call_key(node, keying->key, keying->facts, keying->words));
	const struct buf *transcript = &keying->key->text;
	wire_add_str(answer, str_slice(buf_str(transcript), text, transcript->len));
	wire_add_str(answer, str_slice(buf_str(keying->words), words, keying->words->len));
	wire_add_number(answer, keying->facts->list.len - facts);
	for (size_t i = facts; i < keying->facts->list.len; i++) {
		const struct host_fact *fact = &keying->facts->list.ptr[i];
		wire_add_number(answer, fact->kind);
		wire_add_str(answer, fact->label);
		wire_add_str(answer, fact->path);
	}
	wire_add_number(answer, node->notes.len - notes);
	for (size_t i = notes; i < node->notes.len; i++) {
		wire_add_number(answer, (uint64_t)node->notes.ptr[i].level);
		wire_add_str(answer, str_of(node->notes.ptr[i].text));
	}
}

static enum host_key_status take_key(const struct keying *keying, str answer)
{
	struct arena *arena = &keying->node->arena;
	struct wire in = {.rest = answer};
	enum host_key_status status = (enum host_key_status)wire_number(&in);
	buf_add(&keying->key->text, wire_str(&in));
	buf_add(keying->words, wire_str(&in));
	uint64_t count = wire_number(&in);
	for (uint64_t i = 0; i < count && !in.is_broken; i++) {
		struct host_fact fact = {.kind = (enum host_fact_kind)wire_number(&in)};
		fact.label = arena_str(arena, wire_str(&in));
		fact.path = arena_str(arena, wire_str(&in));
		*vec_push(&keying->facts->list) = fact;
	}
	count = wire_number(&in);
	for (uint64_t i = 0; i < count && !in.is_broken; i++) {
		int32_t level = (int32_t)wire_number(&in);
		host_note(keying->node, level, arena_str(arena, wire_str(&in)).ptr);
	}
	return in.is_broken ? HOST_KEY_FAILED : status;
}

enum host_key_status aside_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words)
{
	struct keying keying = {node, key, facts, words};
	struct aside aside = of_node(node, "cache_key", key_there, &keying);
	struct buf answer = {0};
	struct err err = {0};
	enum host_key_status status = HOST_KEY_FAILED;
	if (aside_call(&aside, &answer, &err)) {
		status = take_key(&keying, buf_str(&answer));
	} else {
		host_note(node, PAWL_LOG_ERROR, err.message);
		buf_add_z(words, err.message);
		err_finish(&err);
	}
	buf_finish(&answer);
	return status;
}
