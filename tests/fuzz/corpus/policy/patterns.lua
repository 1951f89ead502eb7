return { api = 1, reuse = function(node, result)
  local s = ("a1 b22 (c) "):rep(3)
  local a = s:find("(%a+)(%d*)", 2) or s:match("^%s*(.-)%s*$") or s:gsub("%b()", "%0%1", 2)
  for w, n in s:gmatch("()[%w_]+%f[%W]") do a = w end
  return false, ("%q %5.2f %s"):format(s, 1.5, a):gsub(".", { a = 1 })
end }
