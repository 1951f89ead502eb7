-- The version of the database's schema belongs to what a query reads: nodes with the tag `db` run again when a
-- migration was added or the database is another one.
local policy = { api = 1, env = { "DATABASE_NAME" } }

function policy.key(node)
  if not node.tags.db then return end
  local migrations = pawl.glob("db/migrations/*.sql")
  local newest = migrations[#migrations]
  return {
    database = pawl.env("DATABASE_NAME") or "default",
    version = newest and newest:match("(%d+)[^/]*$") or "none",
    schema = pawl.digest("db/schema.sql") or "none",
  }
end

function policy.test_other_nodes_get_nothing(t)
  t.equal(t.key({ tags = { "web" } }), nil)
  t.equal(t.key({}), nil)
end

function policy.test_version_is_the_newest_migration(t)
  t.files({
    ["db/schema.sql"] = "abc",
    ["db/migrations/0001_users.sql"] = "",
    ["db/migrations/0012_orders.sql"] = "",
  })
  t.env({ DATABASE_NAME = "shop" })
  t.equal(t.key({ tags = { "db" } }), {
    database = "shop",
    version = "0012",
    schema = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  })
end

function policy.test_a_changed_schema_changes_the_key(t)
  t.files({ ["db/schema.sql"] = "create table a" })
  local before = t.key({ tags = { "db" } })
  t.files({ ["db/schema.sql"] = "create table b" })
  local after = t.key({ tags = { "db" } })
  assert(before.schema ~= after.schema)
  t.equal(before.version, "none")
end

return policy
