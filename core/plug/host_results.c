/* host_results: what a run hands out (output, named outputs, artifacts, progress) and what it keeps (secrets, key-value pairs). */
#include "plug/host_internal.h"

#include "base/utf8.h"
#include "store/runs.h"

pawl_status host_secret(pawl_run *run, const char *name, pawl_str *out)
{
	if (!run_is_open(run, "secret"))
		return PAWL_E_MISUSE;
	if (!name || !out)
		return host_misuse(run->node, "secret", "an argument is NULL");
	*out = host_str(STR(""));
	struct err err = {0};
	if (!host_lists_secret(run->node, name)) {
		err_set(&err, "E-NOT-FOUND", "`%s` is not one of the node's secrets", name);
		err_help(&err, "add `secrets: [%s]` to node `%s`", name, run->node->id);
		return host_fail_err(run->node, PAWL_E_NOT_FOUND, &err);
	}
	bool found;
	str value = host_getenv(run->node, str_of(name), &found);
	if (!found) {
		err_set(&err, "E-NOT-FOUND",
			"the secret `%s` is not set in the environment of pawl", name);
		return host_fail_err(run->node, PAWL_E_NOT_FOUND, &err);
	}
	*out = host_str(arena_str(&run->arena, value));
	return PAWL_OK;
}

pawl_status host_output(pawl_run *run, int32_t stream, pawl_str bytes)
{
	if (!run_is_open(run, "output"))
		return PAWL_E_MISUSE;
	if (stream != PAWL_STDOUT && stream != PAWL_STDERR)
		return host_misuse(
			run->node, "output", "stream is neither PAWL_STDOUT nor PAWL_STDERR");
	if (!host_has_bytes(run->node, "output", bytes))
		return PAWL_E_MISUSE;
	run_output(run, stream, str_make(bytes.ptr, bytes.len));
	return PAWL_OK;
}

pawl_status host_emit(pawl_run *run, const char *output, pawl_str value)
{
	if (!run_is_open(run, "emit"))
		return PAWL_E_MISUSE;
	if (!output || !*output)
		return host_misuse(run->node, "emit", "the output has no name");
	if (!host_has_bytes(run->node, "emit", value))
		return PAWL_E_MISUSE;
	if (utf8_invalid_at(str_make(value.ptr, value.len)) != SIZE_MAX)
		return host_misuse(run->node, "emit",
			"the value is not UTF-8; bytes go to output() or artifact()");
	for (size_t i = 0; i < run->emitted.len; i++)
		if (str_is(run->emitted.ptr[i], output))
			return host_misuse(
				run->node, "emit", "an output of that name has been set already");
	*vec_push(&run->emitted) = arena_str(&run->arena, str_of(output));
	if (run->events.emit)
		run->events.emit(run->events.arg, str_of(output), str_make(value.ptr, value.len));
	return PAWL_OK;
}

pawl_status host_artifact(pawl_run *run, const char *name, const char *path)
{
	if (!run_is_open(run, "artifact"))
		return PAWL_E_MISUSE;
	if (!name || !*name || !path || !*path)
		return host_misuse(run->node, "artifact", "name or path is empty");
	*vec_push(&run->artifacts) = arena_str(&run->arena, str_of(path)).ptr;
	if (run->events.artifact)
		run->events.artifact(run->events.arg, str_of(name), path);
	return PAWL_OK;
}

void host_progress(pawl_run *run, double fraction, const char *text)
{
	if (!run_is_open(run, "progress"))
		return;
	/* Also turns what is not a number into 0. */
	double shown = fraction > 0 ? fraction < 1 ? fraction : 1 : 0;
	if (run->events.progress)
		run->events.progress(run->events.arg, shown, str_of(text));
}

static bool may_keep(pawl_run *run, const char *service, const char *key)
{
	if (!run_is_open(run, service))
		return false;
	if (key && *key)
		return true;
	host_misuse(run->node, service, "the key is empty");
	return false;
}

static pawl_status no_store(pawl_run *run)
{
	return host_fail(
		run->node, PAWL_E_UNSUPPORTED, NULL, "nothing can be kept: this run has no store");
}

pawl_status host_kv_get(pawl_run *run, const char *key, pawl_str *out)
{
	if (!may_keep(run, "kv_get", key))
		return PAWL_E_MISUSE;
	if (!out)
		return host_misuse(run->node, "kv_get", "out is NULL");
	*out = host_str(STR(""));
	if (!run->node->init.store)
		return no_store(run);
	struct err err = {0};
	str value = STR("");
	bool found = false;
	str plugin = str_of(run->node->init.type->plugin->id);
	bool ok = run->node->copy ? apart_kv_get(run, key, &value, &found, &err)
	                          : kv_get(run->node->init.store, &run->arena, plugin, str_of(key),
					    &value, &found, &err);
	if (!ok)
		return host_fail_err(run->node, PAWL_E_SYSTEM, &err);
	*out = host_str(value);
	return found ? PAWL_OK : PAWL_E_NOT_FOUND;
}

pawl_status host_kv_put(pawl_run *run, const char *key, pawl_str value)
{
	if (!may_keep(run, "kv_put", key))
		return PAWL_E_MISUSE;
	if (!host_has_bytes(run->node, "kv_put", value))
		return PAWL_E_MISUSE;
	if (!run->node->init.store)
		return no_store(run);
	struct err err = {0};
	str plugin = str_of(run->node->init.type->plugin->id);
	str bytes = str_make(value.ptr, value.len);
	bool ok = run->node->copy ? apart_kv_put(run, key, bytes, &err)
	                          : kv_put(run->node->init.store, plugin, str_of(key), bytes, &err);
	if (!ok)
		return host_fail_err(run->node, PAWL_E_SYSTEM, &err);
	return PAWL_OK;
}
