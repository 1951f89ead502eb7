-- A freeze in business hours: loads of the warehouse are repeated once they are older than four hours, but not while
-- people work with it.  Monday to Friday, 8:00 to 18:00 at UTC+1; outside of that, and on other nodes, as always.
local utc_offset = 1 * 3600
local opens, closes = 8, 18
local day = 24 * 3600

local function is_open(now)
  local here = now + utc_offset
  local weekday = (here // day + 3) % 7 -- 0 is Monday: 1970-01-01 was a Thursday
  local hour = here % day // 3600
  return weekday < 5 and hour >= opens and hour < closes
end

local policy = { api = 1 }

function policy.reuse(node, result)
  if not node.tags.warehouse or result.age <= 4 * 3600 then return end
  if is_open(pawl.now()) then return end
  return false, "older than four hours, and outside of business hours"
end

local monday_noon = 1700478000 -- 2023-11-20 11:00 UTC
local load = { tags = { "warehouse" } }

function policy.test_frozen_at_noon(t)
  t.now(monday_noon)
  t.reuses(load, { age = 5 * 3600 })
end

function policy.test_edges_of_the_day(t)
  t.now(monday_noon - 4 * 3600) -- 8:00
  t.reuses(load, { age = day })
  t.now(monday_noon - 4 * 3600 - 1)
  t.runs(load, { age = day }, "outside of business hours")
  t.now(monday_noon + 6 * 3600) -- 18:00
  t.runs(load, { age = day })
  t.now(monday_noon + 6 * 3600 - 1)
  t.reuses(load, { age = day })
end

function policy.test_weekend(t)
  t.now(monday_noon - 2 * day) -- Saturday
  t.runs(load, { age = day })
  t.now(monday_noon + 4 * day) -- Friday
  t.reuses(load, { age = day })
end

function policy.test_fresh_and_other_nodes(t)
  t.now(monday_noon + 12 * 3600)
  t.reuses(load, { age = 4 * 3600 })
  t.reuses({ id = "build" }, { age = 30 * day })
end

return policy
