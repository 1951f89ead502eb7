-- Some programs exit with 0 and say in their output that they failed.  Such a result is not worth keeping.
local markers = { "ERROR:", "Traceback (most recent call last)", "rate limit exceeded" }

local policy = { api = 1 }

function policy.reuse(node, result)
  local line_number = 0
  for line in result.output:gmatch("[^\n]*") do
    line_number = line_number + 1
    for _, marker in ipairs(markers) do
      if line:find(marker, 1, true) then
        return false, ("line %d of its output says '%s'"):format(line_number, marker)
      end
    end
  end
end

function policy.test_clean_output_is_reused(t)
  t.reuses({}, { output = "3 rows\nno errors\n" })
  t.reuses({}, { output = "" })
end

function policy.test_a_marker_runs_it(t)
  t.runs({}, { output = "start\n\nERROR: no route to host\n" },
    "line 3 of its output says 'ERROR:'")
  t.runs({}, { output = "Traceback (most recent call last):" }, "line 1 of")
end

function policy.test_a_long_output_is_within_the_budget(t)
  local line = ("all is well, and long enough to be a line of a log  "):rep(2) .. "\n"
  t.reuses({}, { output = line:rep(620) }) -- 64 KiB, the most that a rule sees
end

return policy
