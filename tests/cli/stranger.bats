#!/usr/bin/env bats
# What somebody meets who has only `pawl help`: an empty directory, slips of the pen, pipes that are closed.

load helpers

setup() {
	pawl_setup
	rm -r .pawl
}

@test "in an empty directory nothing is made by asking, and each command says what to do" {
	for command in show logs output artifacts report trace approve reject "cancel last" "abandon last" "invalidate last a" \
		"quarantine last/a --reason x" "release last/a" "verify a" "why a" "diff 1 2"; do
		# shellcheck disable=SC2086 # words
		exits 2 pawl $command
		says "E-RUN-NONE"
		says "run a workflow first: pawl run NAME"
	done
	ok pawl resume
	says "nothing has run yet"
	ok pawl gc
	ok pawl runs
	says "nothing has run yet"
	ok pawl list
	says "pawl init"
	ok pawl lint
	says "pawl init"
	ok pawl doctor
	equal "$(ls -A)" ""
}

@test "slips of the pen are answered with what was meant" {
	ok pawl init
	exits 2 pawl rnu
	says 'did you mean `pawl run`?'
	exits 2 pawl --verison
	says "no option --verison"
	ok pawl version
	says "pawl "
	exits 2 pawl run helo
	says 'did you mean `hello`?'
	exits 2 pawl run hello --jbos 2
	says 'did you mean `--jobs`?'
	exits 2 pawl run hello -j 0
	says "1 to 99999"
	exits 2 pawl run hello -i wo=x
	says 'did you mean `who`?'
	exits 2 pawl run hello -i nonsense=x
	says "it takes who"
	exits 2 pawl run hello -f gret
	says 'did you mean `greet`?'
	ok pawl run hello
	exits 2 pawl show 1/gret
	says 'did you mean `greet`?'
	exits 2 pawl logs 1 2
	says "one run or node at a time"
	exits 2 pawl help E-USAG
	says 'did you mean `pawl help E-USAGE`?'
}

@test "options that hold everywhere may come first" {
	ok pawl init
	ok pawl -q run hello
	equal "$output" ""
	pawl --json runs | grep -q '"object":"run"'
	pawl --json -q runs | grep -q '"object":"run"'
	ok pawl --json
	says '"object":"command"'
}

@test "pipes that are closed early: no word, no harm" {
	ok pawl init
	ok pawl run hello -q
	for command in runs show logs "logs -f" list help "help codes" types schema "graph hello" "why greet" doctor "trace"; do
		# shellcheck disable=SC2086 # words
		{
			pawl $command 2>said || echo $? >code
		} | true
		equal "$(cat said)" ""
		! [ -e code ]
	done
	# What changes something does it all the same.
	pawl invalidate 1 greet shout 2>said | true
	equal "$(cat said)" ""
	ok pawl plan hello
	says "2 of 2 would run"
	mkdir other
	cd other
	pawl init etl | true
	ok pawl lint etl
}

@test "a run that has ended is neither cancelled nor abandoned: what to do is said" {
	ok pawl init
	ok pawl run hello -q
	for command in cancel abandon; do
		ok pawl "$command" 1
		says "has ended (completed"
		says "start a fresh one with: pawl run hello"
	done
	workflow bad <<-'YAML'
		name: bad
		nodes: [{id: a, bash: exit 1}]
	YAML
	exits 1 pawl run bad -q
	ok pawl cancel 2
	says "go on with it: pawl resume 2"
	says "start a fresh one with: pawl run bad"
	ok pawl abandon 2
	says "abandoned"
	ok pawl abandon 2
	says "has ended (abandoned"
	says "start a fresh one with: pawl run bad"
	ok pawl resume
	says "nothing to resume"
}
