-- The git revision of a subtree: a node says `x-subtree: libs/common` and runs again when that part of the repository
-- is another one.  A submodule's revision is the commit that its HEAD names; any other directory is known by its content,
-- which is what git's tree id stands for, with edits that are not committed yet.
local policy = { api = 1 }

function policy.key(node)
  local dir = node["x-subtree"]
  if not dir then return end
  if type(dir) ~= "string" then error("x-subtree of " .. node.id .. " is not a path") end
  local content = pawl.digest(dir)
  if not content then error("x-subtree of " .. node.id .. ": there is no " .. dir) end
  return {
    subtree = dir,
    content = content,
    commit = pawl.digest(".git/modules/" .. dir .. "/HEAD"),
  }
end

function policy.test_nodes_without_a_subtree(t)
  t.equal(t.key({}), nil)
end

function policy.test_content_counts(t)
  t.files({ ["libs/common/a.c"] = "1", ["libs/other/b.c"] = "1" })
  local before = t.key({ ["x-subtree"] = "libs/common" })
  t.files({ ["libs/common/a.c"] = "1", ["libs/other/b.c"] = "2" })
  t.equal(t.key({ ["x-subtree"] = "libs/common" }), before, "another directory changed")
  t.files({ ["libs/common/a.c"] = "2", ["libs/other/b.c"] = "1" })
  assert(t.key({ ["x-subtree"] = "libs/common" }).content ~= before.content)
end

function policy.test_a_submodule_has_a_commit(t)
  t.files({ ["libs/common/a.c"] = "1", [".git/modules/libs/common/HEAD"] = "abc" })
  t.equal(t.key({ ["x-subtree"] = "libs/common" }).commit,
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
end

function policy.test_a_wrong_path_is_an_error(t)
  t.files({})
  local ok, message = pcall(t.key, { id = "build", ["x-subtree"] = "libs/comon" })
  assert(not ok and message:find("build: there is no libs/comon", 1, true), message)
end

return policy
