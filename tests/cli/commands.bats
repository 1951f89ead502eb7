# The commands around runs: list, artifacts, gc, cancel, abandon.
load helpers

json_lines() {
	python3 -c 'import json,sys
rows = [json.loads(line) for line in sys.stdin]
print(len(rows))'
}

makes_files() {
	workflow build <<-'YAML'
		name: build
		description: makes files
		nodes:
		  - id: make
		    reads: [src.txt]
		    writes: [out.txt]
		    bash: |
		      cp src.txt out.txt
		      mkdir "$ARTIFACTS_DIR/sub"
		      printf secret >"$ARTIFACTS_DIR/sub/a b"
		      ln -s a "$ARTIFACTS_DIR/sub/link"
	YAML
	echo "${1:-one}" >src.txt
}

@test "list: each workflow with its last run; a broken file is one line and hides no other" {
	makes_files
	echo "name: [" >.pawl/workflows/broken.yaml
	ok pawl list
	says "never ran"
	says "makes files"
	ok pawl run build
	ok pawl list
	says "run 1 completed"
	says "broken"
	says "pawl lint"
	equal "$(pawl list --json 2>/dev/null | json_lines)" 2
}

@test "list without a workflow says what to do" {
	ok pawl list
	says "pawl init"
}

@test "artifacts: what a node made, from the store" {
	makes_files
	ok pawl run build
	rm -r .pawl/state/runs/1/artifacts out.txt
	ok pawl artifacts 1/make
	says 'out.txt'
	says '$ARTIFACTS_DIR/sub/a b'
	says '-> a'
	equal "$(pawl artifacts --json | json_lines)" 3
}

@test "artifacts --extract writes them below a directory, and overwrites nothing" {
	makes_files
	ok pawl run build
	ok pawl artifacts 1 --extract out/dir
	equal "$(cat out/dir/project/out.txt)" one
	equal "$(cat "out/dir/artifacts/sub/a b")" secret
	equal "$(readlink out/dir/artifacts/sub/link)" a
	echo mine >out/dir/project/out.txt
	exits 2 pawl artifacts 1 --extract out/dir
	says "E-ARTIFACT-EXISTS"
	equal "$(cat out/dir/project/out.txt)" mine
}

@test "artifacts: unknown runs and nodes" {
	exits 2 pawl artifacts
	says "E-RUN-NONE"
	makes_files
	ok pawl run build
	exits 2 pawl artifacts 7
	says "E-RUN-UNKNOWN"
	exits 2 pawl artifacts 1/mke
	says "did you mean \`make\`?"
}

@test "gc drops old results and keeps what the newest run uses" {
	makes_files one
	ok pawl run build
	sleep 0.2
	makes_files two
	ok pawl run build
	ok pawl gc --older-than 0.1s -n
	says "would drop 1 result"
	ok pawl gc --older-than 0.1s
	says "dropped 1 result"
	ok pawl gc --older-than 0.1s
	says "dropped 0 results"
	ok pawl run build
	says "reuse  make"
	makes_files one
	ok pawl plan build --exit-code || equal "$status" 10
}

@test "gc: sizes and ages that are none are refused" {
	makes_files
	ok pawl run build
	exits 2 pawl gc --max-size many
	says "--max-size 2G"
	exits 2 pawl gc --older-than 3x
	says "--older-than 30d"
	exits 2 pawl gc --max-size 0
	ok pawl gc --max-size 1.5G --json
	says '"dry_run":false'
}

@test "cancel of a run that has ended says so, and how to start fresh" {
	makes_files
	ok pawl run build
	ok pawl cancel 1
	says "has ended (completed"
	says "pawl run build"
	ok pawl abandon last
	says "there is nothing to abandon"
	exits 2 pawl cancel 4
	says "E-RUN-UNKNOWN"
	exits 2 pawl cancel
	says "cancel which run?"
	exits 2 pawl cancel 1/make
	says "as a whole"
}

@test "cancel stops a live run and waits until it has ended" {
	workflow slow <<-'YAML'
		name: slow
		nodes:
		  - id: first
		    bash: echo first
		  - id: wait
		    depends_on: [first]
		    bash: |
		      if [ -e once ]; then exit 0; fi
		      touch once
		      touch started
		      sleep 100
	YAML
	timeout 900 "$PAWL" run slow >run.log 2>&1 &
	local pid=$!
	for _ in $(seq 200); do
		[ -e started ] && break
		sleep 0.05
	done
	exits 2 pawl abandon 1
	says "E-RUN-ALIVE"
	says "pawl cancel 1"
	ok pawl cancel 1
	says "run 1 of slow cancelled"
	says "pawl resume 1"
	local code=0
	wait $pid || code=$?
	equal "$code" 130
	ok pawl runs
	says "cancelled"
	ok pawl resume 1
	says "reuse  first"
}

@test "cancel settles a run whose process is gone, and ends what it left" {
	workflow slow <<-'YAML'
		name: slow
		nodes:
		  - id: wait
		    bash: |
		      echo $$ >pid
		      sleep 100
	YAML
	"$PAWL" run slow >run.log 2>&1 &
	local pid=$!
	for _ in $(seq 200); do
		[ -s pid ] && break
		sleep 0.05
	done
	kill -9 $pid
	wait $pid || true
	ok pawl cancel last
	says "run 1 of slow cancelled"
	# Where nobody reaps orphans it stays as a zombie.
	case $(ps -o stat= -p "$(cat pid)") in
	"" | Z*) ;;
	*) return 1 ;;
	esac
}

@test "cancel of a run that waits for an answer" {
	workflow gate <<-'YAML'
		name: gate
		nodes:
		  - id: ask
		    approval: {message: go on?}
	YAML
	exits 3 pawl run gate
	ok pawl cancel 1
	says "run 1 of gate cancelled"
	ok pawl runs
	says cancelled
}

@test "an abandoned run is passed over by resume" {
	workflow bad <<-'YAML'
		name: bad
		nodes:
		  - id: a
		    bash: exit 3
	YAML
	exits 1 pawl run bad
	ok pawl abandon last
	says "run 1 of bad abandoned"
	ok pawl resume
	says "nothing to resume"
	ok pawl abandon 1
	says "there is nothing to abandon"
}

@test "the help of every command begins with three examples that can be pasted" {
	local name
	for name in $(pawl help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
		ok pawl "$name" --help
		[ "$(printf '%s\n' "$output" | sed -n 3,5p | grep -c "^  pawl $name")" -eq 3 ] || {
			echo "$name does not begin with three examples" >&2
			return 1
		}
	done
}

@test "types and lint as JSON" {
	makes_files
	equal "$(pawl types --json | python3 -c 'import json,sys
print(" ".join(sorted(json.loads(line)["type"] for line in sys.stdin)))')" "bash lua script"
	ok pawl lint --json
	says '"workflow":"build"'
}
