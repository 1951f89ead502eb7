-- Run again what a consumer failed on, unless more than three others were content with it since.
local policy = { api = 1 }

function policy.reuse(node, result)
  if result.failed_consumers == 0 then return end
  if result.passed_consumers > 3 * result.failed_consumers then return end
  return false, ("%d consumers failed on it, %d passed"):format(
    result.failed_consumers, result.passed_consumers)
end

-- A consumer that could not read JSON suspects the nodes that give JSON to it, by their names; any other failure
-- suspects none but leaves the count above.
function policy.failed(node, failure)
  if not failure.stderr:find("JSON", 1, true) then return false end
  local named = {}
  for _, id in ipairs(failure.reused_inputs) do
    if id:match("%-json$") then named[#named + 1] = id end
  end
  if #named == 0 then return failure.reused_inputs end
  return named
end

function policy.test_without_failures_it_is_reused(t)
  t.reuses({}, { passed_consumers = 2 })
end

function policy.test_a_failure_runs_it(t)
  t.runs({}, { failed_consumers = 1 }, "1 consumers failed on it, 0 passed")
  t.runs({}, { failed_consumers = 2, passed_consumers = 6 })
end

function policy.test_many_that_passed_outweigh_one(t)
  t.reuses({}, { failed_consumers = 1, passed_consumers = 4 })
end

function policy.test_json_errors_suspect_json(t)
  local inputs = { "rows-json", "logo", "users-json" }
  local stderr = "parse.py: invalid JSON at line 3"
  t.equal(t.suspects({}, { stderr = stderr, reused_inputs = inputs }), { "rows-json", "users-json" })
  t.equal(t.suspects({}, { stderr = stderr, reused_inputs = { "logo" } }), { "logo" })
  t.equal(t.suspects({}, { stderr = "disk full", reused_inputs = inputs }), {})
end

return policy
