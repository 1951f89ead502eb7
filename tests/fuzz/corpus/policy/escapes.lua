local t = setmetatable({}, { __index = function(t, k) return k end, __tostring = function() return "x" end })
local function deep(n) if n > 0 then return deep(n - 1) end return pcall(error, t) end
return { api = 1, env = { "A" },
  key = function(node)
    for k, v in pairs(node.fields) do table.insert(t, 1, tostring(v)) end
    table.sort(t, function(a, b) return a > b end)
    return { pawl.json.decode("[1, null, {\"a\": 2.5}]"), pawl.env("A"), pawl.now(), utf8.char(233) }
  end,
  reuse = function(node, result)
    deep(9) while true do pcall(string.rep, "x", 1 << 20) end
  end,
  failed = function(node, failure)
    return { table.unpack(failure.reused_inputs, 1, 1) }
  end,
  test_it = function(t) t.now(1) t.files({ a = "b" }) t.equal(t.key({}), { 1 }) end,
}
