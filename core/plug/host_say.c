/* host_say: what plugins say (log, fail) and what is said about them (misuse), brought to who listens in the phase that the
 * node is in: the diagnostics of validate, the words of cache_key, the events of a run. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "sys/clock.h"

#include <stdlib.h>

/* What was said without a node, which only init() and fini() do; they run on the loop's thread. */
static char *orphan;

char *host_take_orphan(void)
{
	char *text = orphan;
	orphan = NULL;
	return text;
}

static const struct {
	pawl_status status;
	const char *code;
} codes[] = {
	{PAWL_OK, "OK"},
	{PAWL_PENDING, "E-PENDING"},
	{PAWL_UNCACHEABLE, "E-UNCACHEABLE"},
	{PAWL_E_CONFIG, "E-CONFIG"},
	{PAWL_E_FAILED, "E-FAILED"},
	{PAWL_E_TRANSIENT, "E-TRANSIENT"},
	{PAWL_E_CANCELLED, "E-CANCELLED"},
	{PAWL_E_TIMEOUT, "E-TIMEOUT"},
	{PAWL_E_NOT_FOUND, "E-NOT-FOUND"},
	{PAWL_E_UNSUPPORTED, "E-UNSUPPORTED"},
	{PAWL_E_SYSTEM, "E-SYSTEM"},
	{PAWL_E_MISUSE, "E-PLUGIN-MISUSE"},
};

const char *host_status_code(pawl_status status)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return "E-PLUGIN-MISUSE";
}

const char *host_status_name(pawl_status status)
{
	static const char *const names[] = {"PAWL_OK", "PAWL_PENDING", "PAWL_UNCACHEABLE"};
	static const char *const failures[] = {"", "PAWL_E_CONFIG", "PAWL_E_FAILED",
		"PAWL_E_TRANSIENT", "PAWL_E_CANCELLED", "PAWL_E_TIMEOUT", "PAWL_E_NOT_FOUND",
		"PAWL_E_UNSUPPORTED", "PAWL_E_SYSTEM", "PAWL_E_MISUSE"};
	if (!host_status_is_known(status))
		return "a status that is none";
	return status >= 0 ? names[status] : failures[-status];
}

bool host_status_is_known(pawl_status status)
{
	return status <= PAWL_UNCACHEABLE && status >= PAWL_E_MISUSE;
}

bool host_on_loop(const struct pawl_node *node)
{
	return pthread_equal(node->loop, pthread_self());
}

static bool has_listener(const struct pawl_node *node)
{
	/* The thread first: to a worker all the rest is a race. */
	return host_on_loop(node) && node->phase == HOST_RUN && node->run &&
	       node->run->stage != RUN_GONE;
}

static void tell(const struct pawl_run *run, int32_t level, const char *text)
{
	if (run->events.log)
		run->events.log(run->events.arg, level, str_of(text));
}

void host_note(struct pawl_node *node, int32_t level, const char *text)
{
	if (has_listener(node)) {
		tell(node->run, level, text);
		return;
	}
	if (host_on_loop(node) && node->phase == HOST_VALIDATE) {
		if (level >= PAWL_LOG_WARN)
			diags_warn(
				node->diags, node->init.node->type_at, "E-PLUGIN-LOG", "%s", text);
		return;
	}
	pthread_mutex_lock(&node->lock);
	*vec_push(&node->notes) = (struct host_note){level, mem_dup(text, strlen(text))};
	pthread_mutex_unlock(&node->lock);
}

void host_flush_notes(struct pawl_node *node)
{
	if (!has_listener(node))
		return;
	for (;;) {
		pthread_mutex_lock(&node->lock);
		struct host_note *notes = node->notes.ptr;
		size_t count = node->notes.len;
		node->notes.ptr = NULL;
		node->notes.len = node->notes.cap = 0;
		pthread_mutex_unlock(&node->lock);
		for (size_t i = 0; i < count; i++) {
			tell(node->run, notes[i].level, notes[i].text);
			free(notes[i].text);
		}
		free(notes);
		if (!count)
			return;
	}
}

static const char tell_author[] =
	"this is a mistake in the plugin, not in the workflow; tell its author";

pawl_status host_misuse(struct pawl_node *node, const char *service, const char *why)
{
	const struct guard_call *call = guard_current();
	if (!node && call)
		node = call->of;
	struct buf text = {0};
	const char *plugin = call ? call->plugin : node ? node->init.type->plugin->id : "unknown";
	buf_printf(&text, "plugin %s broke its contract: %s(): %s", plugin, service, why);
	if (call)
		buf_printf(&text, " (in its %s())", call->function);
	if (!node) {
		free(orphan);
		orphan = buf_take(&text);
		return PAWL_E_MISUSE;
	}
	if (host_on_loop(node) && node->phase == HOST_VALIDATE)
		err_help(diags_error(node->diags, node->init.node->type_at, "E-PLUGIN-MISUSE", "%s",
				 buf_cstr(&text)),
			"%s", tell_author);
	else
		host_note(node, PAWL_LOG_ERROR, buf_cstr(&text));
	if (host_on_loop(node)) {
		if (node->hash.is_active)
			node->hash.has_failed = true;
		if (!err_is_set(&node->err)) {
			err_set(&node->err, "E-PLUGIN-MISUSE", "%s", buf_cstr(&text));
			err_help(&node->err, "%s", tell_author);
		}
	}
	buf_finish(&text);
	return PAWL_E_MISUSE;
}

bool host_has_bytes(struct pawl_node *node, const char *service, pawl_str bytes)
{
	if (bytes.ptr || !bytes.len)
		return true;
	host_misuse(node, service, "a text of some length is NULL");
	return false;
}

void host_log(pawl_node *node, int32_t level, const char *text)
{
	if (!text) {
		host_misuse(node, "log", "text is NULL");
		return;
	}
	if (node) {
		host_note(node, level, text);
	} else if (level >= PAWL_LOG_WARN) {
		free(orphan);
		orphan = mem_dup(text, strlen(text));
	}
}

/* The deepest part of the path that is there. */
struct place host_field_place(const struct pawl_node *node, const char *field)
{
	const struct node *spec = node->init.node;
	const char *file = node->init.node->scope->file;
	str path = str_of(field);
	while (path.len) {
		const struct value *value = value_path(spec->fields, path);
		if (value && value->line)
			return value_place(value, file);
		while (path.len && path.ptr[path.len - 1] != '.')
			path.len--;
		path.len -= path.len > 0;
	}
	return spec->type_at.line ? spec->type_at : spec->at;
}

pawl_status host_fail_err(struct pawl_node *node, pawl_status status, struct err *err)
{
	if (node->phase == HOST_VALIDATE) {
		diags_take(node->diags, err);
	} else {
		err_finish(&node->err);
		node->err = *err;
		*err = (struct err){0};
	}
	return status;
}

pawl_status host_fail(pawl_node *node, pawl_status status, const char *field, const char *text)
{
	if (status == PAWL_OK)
		return status;
	if (!node) {
		free(orphan);
		orphan = mem_dup(text ? text : "", text ? strlen(text) : 0);
		return status;
	}
	if (!host_on_loop(node)) {
		host_misuse(node, "fail", "called from another thread than the loop's");
		return status;
	}
	str rest = str_of(text ? text : "failed without a word");
	str message;
	if (!str_split(&rest, '\n', &message))
		message = STR("failed without a word");
	struct err err = {0};
	if (field)
		err_set(&err, host_status_code(status), "`%s` %.*s", field, STR_ARG(message));
	else
		err_set(&err, host_status_code(status), "%.*s", STR_ARG(message));
	err_at(&err, host_field_place(node, field));
	if (rest.len)
		err_help(&err, "%.*s", STR_ARG(rest));
	return host_fail_err(node, status, &err);
}

void host_enter(struct pawl_node *node, struct host_call *call, const char *function)
{
	const pawl_plugin *plugin = node->init.type->plugin;
	*call = (struct host_call){.guard = {.plugin = plugin->id,
					   .note = host_note_of(node->init.type),
					   .function = function,
					   .node = node->id,
					   .of = node}};
	const struct world *world = node->init.world;
	call->began_ms = world ? world->mono_ms(world->ctx) : clock_mono_ms();
	guard_enter(&call->guard);
}

void host_leave(struct pawl_node *node, struct host_call *call)
{
	guard_leave(&call->guard);
	const struct world *world = node->init.world;
	uint64_t took = (world ? world->mono_ms(world->ctx) : clock_mono_ms()) - call->began_ms;
	/* A busy machine makes any call slow now and then: people are told only of what they could feel. */
	if (took <= 10)
		return;
	struct buf text = {0};
	buf_printf(&text, "plugin %s: %s() of node %s held up the loop for %llu ms",
		call->guard.plugin, call->guard.function, node->id, (unsigned long long)took);
	if (node->phase == HOST_RUN || node->phase == HOST_VALIDATE)
		host_note(node, took > 250 ? PAWL_LOG_WARN : PAWL_LOG_INFO, buf_cstr(&text));
	buf_finish(&text);
}
