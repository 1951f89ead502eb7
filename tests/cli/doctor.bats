# pawl doctor: what it finds, and that looking changes nothing.
load helpers

ran_once() {
	workflow one <<-'YAML'
		name: one
		nodes: [{id: a, reads: [], bash: echo fine}]
	YAML
	ok pawl run one
}

@test "all is well" {
	ran_once
	ok pawl doctor
	says "plugin     bash: pawl.bash"
	says "is sound"
	says "no run was left behind"
	says "write-ahead log works"
	says "locks hold"
	says "0 problems"
	equal "$(find .pawl/state/tmp -mindepth 1)" ""
}

@test "where nothing has run it makes no store" {
	ok pawl doctor
	says "nothing has run yet"
	[ ! -e .pawl/state ]
}

@test "--json is one object a line, -q says only what is not well" {
	ran_once
	pawl doctor --json | python3 -c 'import json,sys
rows = [json.loads(line) for line in sys.stdin]
assert {"pawl", "plugin", "store", "locks", "database", "kernel"} <= {r["check"] for r in rows}, rows
assert all(r["finding"] in ("ok", "warning", "problem") for r in rows)'
	PATH=/usr/bin:/bin ok pawl doctor -q
	says_not "ok "
}

@test "a damaged row is a problem" {
	ran_once
	python3 -c 'import sqlite3
db = sqlite3.connect(".pawl/state/pawl.db")
db.execute("update result set duration_ms = duration_ms + 1")
db.commit()'
	exits 4 pawl doctor
	says "problem  store"
	says "checksum"
}

@test "a plugin that can't be used is a problem" {
	mkdir plugins
	echo "not a library" >plugins/pawl_odd.so
	exits 4 pawl doctor --plugin-path plugins
	says "odd can't be used"
}

@test "an interrupted run and what it left running" {
	workflow slow <<-'YAML'
		name: slow
		nodes:
		  - id: wait
		    bash: |
		      touch started
		      sleep 100
	YAML
	"$PAWL" run slow >run.log 2>&1 &
	local pid=$!
	for _ in $(seq 200); do
		[ -e started ] && break
		sleep 0.05
	done
	ok pawl doctor
	says "no run was left behind"
	says "found in any session and environment"
	says_not "of a run that is gone"
	kill -9 $pid
	wait $pid || true
	ok pawl doctor
	says "run 1 was interrupted"
	says "pawl resume"
	says "of a run that is gone still run"
	ok pawl cancel 1
	ok pawl doctor
	says_not "of a run that is gone"
}

@test "shims and relative directories of PATH are warnings" {
	mkdir -p "$HOME/.pyenv/shims"
	printf '#!/bin/sh\n' >"$HOME/.pyenv/shims/python3"
	chmod +x "$HOME/.pyenv/shims/python3"
	PATH=$HOME/.pyenv/shims:bin:$PATH ok pawl doctor
	says "python3 is a shim"
	says 'PATH has a relative directory, "bin"'
}

@test "a store that others can look into" {
	ran_once
	chmod 755 .pawl/state
	ok pawl doctor
	says "chmod 700 .pawl/state"
}
