/* language: see language.h. */
#include "model/language.h"

#include "data/json.h"
#include "model/load.h"

#define NODES "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/definitions/node\"}}"

/* The core's own types; plugins bring the schema of theirs. */
static const struct own_type {
	const char *name;
	const char *schema;
} own_types[] = {
	{"approval",
		"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"message\"],\"properties\":{"
		"\"message\":{\"type\":\"string\"},\"decisions\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":["
		"{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"},"
		"\"label\":{\"type\":\"string\"}}}]}},\"capture_response\":{\"type\":\"boolean\"},"
		"\"on_reject\":{\"enum\":[\"cancel\",\"fail\",\"skip\"]}},\"additionalProperties\":false}]}"},
	{"cancel", "{\"type\":\"string\"}"},
	{"include", "{\"type\":\"string\"}"},
	{"workflow", "{\"type\":\"string\"}"},
	{"loop_group",
		"{\"type\":\"object\",\"required\":[\"nodes\",\"max_iterations\"],\"properties\":{\"nodes\":" NODES
		",\"max_iterations\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000},\"until\":{\"type\":\"string\"},"
		"\"returns\":{\"type\":\"string\"},\"fresh_context\":{},\"interactive\":{},\"gate_message\":{}},"
		"\"patternProperties\":{\"^until_\":{}},\"additionalProperties\":false}"},
};

struct writing {
	struct buf *out;
	struct arena arena;
	const struct workflow_types *types;
	struct map names; /* properties of a node that are written */
	struct buf one_of;
};

static void add_property(struct writing *w, str name, str schema)
{
	if (map_get(&w->names, name))
		return;
	buf_add_char(w->out, w->names.len ? ',' : '{');
	map_put(&w->names, arena_str(&w->arena, name), w);
	json_write_string(w->out, name);
	buf_add_char(w->out, ':');
	buf_add(w->out, schema);
}

static void add_type_key(struct writing *w, str keyword)
{
	buf_add_z(&w->one_of, w->one_of.len ? ",{\"required\":[" : "{\"required\":[");
	json_write_string(&w->one_of, keyword);
	buf_add_z(&w->one_of, "]}");
}

/* A type of a plugin: its key, and the fields beside it that its schema knows. */
static void add_type(void *arg, str keyword)
{
	struct writing *w = arg;
	const struct value *schema = NULL;
	struct err err = {0};
	if (!w->types->find(w->types->ctx, keyword, &schema, &err)) {
		err_finish(&err);
		return;
	}
	const struct value *properties = value_get(schema, STR("properties"));
	for (size_t i = 0;
		properties && properties->kind == VALUE_MAP && i < properties->as.map.count; i++) {
		const struct value_member *m = &properties->as.map.items[i];
		struct buf text = {0};
		json_write(&text, &m->value);
		add_property(w, m->key, buf_str(&text));
		buf_finish(&text);
	}
	add_property(w, keyword, STR("{}"));
	add_type_key(w, keyword);
}

static void write_node(struct writing *w)
{
	size_t count = 0;
	const struct field *fields = field_table(&count);
	buf_add_z(w->out, "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":");
	for (size_t i = 0; i < count; i++)
		add_property(w, str_of(fields[i].name), str_of(fields[i].schema));
	for (size_t i = 0; i < sizeof(own_types) / sizeof(own_types[0]); i++) {
		add_property(w, str_of(own_types[i].name), str_of(own_types[i].schema));
		add_type_key(w, str_of(own_types[i].name));
	}
	add_property(w, STR("input"), STR("{\"description\":\"of a node of the type workflow\"}"));
	w->types->each(w->types->ctx, add_type, w);
	for (size_t i = 0; load_foreign_key(i); i++)
		add_property(w, str_of(load_foreign_key(i)),
			STR("{\"description\":\"has no meaning here\"}"));
	buf_printf(w->out,
		"},\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false,\"oneOf\":[%s]}",
		buf_cstr(&w->one_of));
}

void language_write_schema(struct buf *out, const struct workflow_types *types)
{
	struct writing w = {.out = out, .types = types};
	const char *schema = NULL;
	const char *name;
	buf_add_z(out,
		"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"A workflow of pawl\","
		"\"type\":\"object\",\"required\":[\"name\",\"nodes\"],\"properties\":{");
	for (size_t i = 0; (name = load_top_field(i, &schema)); i++)
		buf_printf(out, "%s\"%s\":%s", i ? "," : "", name, schema);
	for (size_t i = 0; load_foreign_key(i); i++)
		buf_printf(out, ",\"%s\":{\"description\":\"has no meaning here\"}",
			load_foreign_key(i));
	buf_add_z(out,
		"},\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false,\"definitions\":{\"node\":");
	write_node(&w);
	buf_add_z(out, "}}");
	buf_finish(&w.one_of);
	map_finish(&w.names);
	arena_finish(&w.arena);
}
