/* host_key: what a plugin says that a result depends on.  Errors stick: a key that lacks a part must never be used. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "data/json.h"

static bool may_hash(pawl_hash *hash, const char *service, const char *label)
{
	if (!hash || !hash->is_active) {
		host_misuse(hash ? hash->node : NULL, service, "called outside cache_key()");
		return false;
	}
	if (!host_on_loop(hash->node)) {
		host_misuse(hash->node, service, "called from another thread than the loop's");
		hash->has_failed = true;
		return false;
	}
	if (!label) {
		host_misuse(hash->node, service, "label is NULL");
		return false;
	}
	return true;
}

void host_hash_text(pawl_hash *hash, const char *label, pawl_str value)
{
	if (may_hash(hash, "hash_text", label) && host_has_bytes(hash->node, "hash_text", value))
		key_text(hash->key, str_of(label), str_make(value.ptr, value.len));
}

void host_hash_u64(pawl_hash *hash, const char *label, uint64_t value)
{
	if (may_hash(hash, "hash_u64", label))
		key_u64(hash->key, str_of(label), value);
}

void host_hash_open(pawl_hash *hash, const char *label)
{
	if (!may_hash(hash, "hash_open", label))
		return;
	hash->open++;
	key_open(hash->key, str_of(label));
}

void host_hash_close(pawl_hash *hash)
{
	if (!may_hash(hash, "hash_close", ""))
		return;
	if (!hash->open) {
		host_misuse(hash->node, "hash_close", "no list is open");
		return;
	}
	hash->open--;
	key_close(hash->key);
}

bool host_lists_secret(const struct pawl_node *node, const char *name)
{
	const struct strs *secrets = &node->init.node->secrets;
	for (size_t i = 0; i < secrets->len; i++)
		if (str_is(secrets->ptr[i], name))
			return true;
	return false;
}

static pawl_status stick(pawl_hash *hash, pawl_status status, const char *text)
{
	hash->has_failed = true;
	return host_fail(hash->node, status, NULL, text);
}

pawl_status host_hash_secret(pawl_hash *hash, const char *label, const char *name)
{
	if (!may_hash(hash, "hash_secret", label))
		return PAWL_E_MISUSE;
	if (!name || !host_lists_secret(hash->node, name)) {
		struct err err = {0};
		hash->has_failed = true;
		err_set(&err, "E-NOT-FOUND", "`%s` is not one of the node's secrets",
			name ? name : "");
		err_help(
			&err, "add `secrets: [%s]` to node `%s`", name ? name : "", hash->node->id);
		return host_fail_err(hash->node, PAWL_E_NOT_FOUND, &err);
	}
	bool found;
	str value = host_getenv(hash->node, str_of(name), &found);
	if (!found) {
		key_absent(hash->key, str_of(label));
		return PAWL_OK;
	}
	if (!hash->node->init.store)
		return stick(hash, PAWL_E_UNSUPPORTED, "secrets can't be hashed without a store");
	struct digest digest = hash_keyed(store_secret_key(hash->node->init.store), value);
	key_digest(hash->key, str_of(label), &digest);
	return PAWL_OK;
}

static pawl_status add_fact(pawl_hash *hash, const char *service, enum host_fact_kind kind,
	const char *label, const char *path)
{
	if (!may_hash(hash, service, label))
		return PAWL_E_MISUSE;
	if (!path || !*path)
		return host_misuse(
			hash->node, service, path ? "the path is empty" : "the path is NULL");
	struct arena *arena = &hash->node->arena;
	*vec_push(&hash->facts->list) = (struct host_fact){
		.kind = kind,
		.label = arena_str(arena, str_of(label)),
		.path = arena_str(arena, str_of(path)),
	};
	return PAWL_OK;
}

pawl_status host_fact_file(pawl_hash *hash, const char *label, const char *path)
{
	return add_fact(hash, "fact_file", HOST_FACT_FILE, label, path);
}

pawl_status host_fact_word(pawl_hash *hash, const char *label, const char *word)
{
	return add_fact(hash, "fact_word", HOST_FACT_WORD, label, word);
}

pawl_status host_fact_output(pawl_hash *hash, const char *label, const char *path)
{
	return add_fact(hash, "fact_output", HOST_FACT_OUTPUT, label, path);
}

pawl_status host_fact_tool(pawl_hash *hash, const char *label, const char *argv0)
{
	return add_fact(hash, "fact_tool", HOST_FACT_TOOL, label, argv0);
}

static void hash_field(struct pawl_node *node, struct key *key, str name)
{
	const struct value *value = host_find_field(node, name);
	if (!value)
		return;
	struct buf text = {0};
	json_write_canonical(&text, value);
	key_text(key, name, buf_str(&text));
	buf_finish(&text);
}

/* A type without cache_key(): every field of its own. */
static void hash_own_fields(struct pawl_node *node, struct key *key)
{
	const struct plug_type *type = node->init.type;
	const struct value *own = value_get(type->schema, STR("properties"));
	hash_field(node, key, node->init.node->type);
	for (size_t i = 0; own && own->kind == VALUE_MAP && i < own->as.map.count; i++)
		if (!str_eq(own->as.map.items[i].key, node->init.node->type))
			hash_field(node, key, own->as.map.items[i].key);
}

static enum host_key_status explain(struct pawl_node *node, pawl_status status, struct buf *words)
{
	if (node->hash.open && status == PAWL_OK) {
		host_misuse(node, "hash_open", "a list was begun and never ended");
		status = PAWL_E_MISUSE;
	}
	if (status == PAWL_OK && !node->hash.has_failed)
		return HOST_KEY_OK;
	if (err_is_set(&node->err))
		buf_add_z(words, node->err.message);
	else
		buf_printf(words, "plugin %s gave no key and did not say why (%s)",
			node->init.type->plugin->id, host_status_name(status));
	return status == PAWL_UNCACHEABLE && !node->hash.has_failed ? HOST_KEY_NOT_CACHEABLE
	                                                            : HOST_KEY_FAILED;
}

enum host_key_status host_call_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words)
{
	enum host_phase outer = node->phase;
	node->phase = HOST_KEY;
	err_finish(&node->err);
	node->hash =
		(struct pawl_hash){.node = node, .key = key, .facts = facts, .is_active = true};
	struct host_call call;
	host_enter(node, &call, "cache_key");
	pawl_status status = node->init.type->type->cache_key(&host_table, node, &node->hash);
	host_leave(node, &call);
	enum host_key_status result = explain(node, status, words);
	while (node->hash.open) {
		key_close(key);
		node->hash.open--;
	}
	node->hash.is_active = false;
	node->phase = outer;
	return result;
}

enum host_key_status host_cache_key(
	struct pawl_node *node, struct key *key, struct host_facts *facts, struct buf *words)
{
	const pawl_type *type = node->init.type->type;
	if (type->cacheable == PAWL_CACHE_NEVER) {
		buf_printf(words, "`%s` nodes are never reused", type->keyword);
		return HOST_KEY_NOT_CACHEABLE;
	}
	if (!type->cache_key) {
		hash_own_fields(node, key);
		return HOST_KEY_OK;
	}
	return host_calls_aside(node->init.type) ? aside_key(node, key, facts, words)
	                                         : host_call_key(node, key, facts, words);
}
