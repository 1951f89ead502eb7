-- Time to live by node name: what was fetched gets old, what was built does not.
local hour = 3600
local limits = {
  { pattern = "^fetch%-", seconds = 6 * hour },
  { pattern = "^report%-", seconds = 24 * hour },
}

local policy = { api = 1 }

function policy.reuse(node, result)
  for _, limit in ipairs(limits) do
    if node.id:match(limit.pattern) and result.age > limit.seconds then
      return false, ("older than %d hours"):format(limit.seconds // hour)
    end
  end
end

function policy.test_fresh_fetch_is_reused(t)
  t.reuses({ id = "fetch-orders" }, { age = 6 * hour })
end

function policy.test_old_fetch_runs(t)
  t.runs({ id = "fetch-orders" }, { age = 6 * hour + 1 }, "older than 6 hours")
end

function policy.test_old_report_runs(t)
  t.reuses({ id = "report-daily" }, { age = 7 * hour })
  t.runs({ id = "report-daily" }, { age = 25 * hour }, "older than 24 hours")
end

function policy.test_other_names_never_expire(t)
  t.reuses({ id = "build" }, { age = 1000 * hour })
  t.reuses({ id = "prefetch-x" }, { age = 1000 * hour })
end

return policy
