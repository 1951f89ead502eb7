#!/usr/bin/env bats
# The live view in a real terminal: tmux holds it, keys are sent to it, and what stands on its screen is looked at.
# shellcheck disable=SC2154 # bats sets status and output

load helpers

setup() {
	command -v tmux >/dev/null || skip "tmux is not installed: there is no terminal to test in"
	pawl_setup
	unset NO_COLOR TMUX
	export TERM=xterm-256color TMUX_TMPDIR=$BATS_TEST_TMPDIR
	workflow busy <<-'YAML'
		name: busy
		description: one node that ends, two that take until they are let go, one that depends on them
		nodes:
		  - id: first
		    bash: echo said; until test -e go-first || ! test -e .pawl; do sleep 0.05; done
		  - id: second-of-a-rather-long-name
		    bash: until test -e go-second || ! test -e .pawl; do sleep 0.05; done
		  - id: quick
		    bash: "true"
		  - id: last
		    depends_on: [first, second-of-a-rather-long-name]
		    bash: echo end
	YAML
}

teardown() {
	tmux kill-server 2>/dev/null || true
}

# terminal WIDTH HEIGHT: a shell in a terminal of that size.
terminal() {
	tmux -f /dev/null new-session -d -x "$1" -y "$2" "env PS1='ready> ' HISTFILE= bash --norc -i"
	shows "ready>"
}

# types LINE: as a person would.
types() {
	tmux send-keys "$1" Enter
}

screen() {
	tmux capture-pane -p
}

# shows TEXT: waits until the screen has it.
shows() {
	for _ in $(seq 100); do
		case $(screen) in
		*"$1"*) return 0 ;;
		esac
		sleep 0.1
	done
	printf '%s\n' "no \"$1\" on the screen:" "$(screen)" >&2
	return 1
}

# hides TEXT: the screen doesn't have it.
hides() {
	case $(screen) in
	*"$1"*)
		printf '%s\n' "there is \"$1\" on the screen:" "$(screen)" >&2
		return 1
		;;
	esac
}

# count TEXT: how many lines of the screen have it.
count() {
	screen | grep -c -- "$1" || true
}

# elapsed NODE: the time that its row shows, in tenths of a second.
elapsed() {
	screen | sed -n "s/^  > $1 *\([0-9]*\)\.\([0-9]\)s.*/\1\2/p" | sed 's/^0*\(.\)/\1/'
}

# is_clean: no row of the region is left, and the cursor is there to be seen, below all that was written.
is_clean() {
	hides "  > "
	hides "━"
	equal "$(tmux display-message -p '#{cursor_flag}')" 1
	equal "$(screen | sed '/^$/d' | tail -n 1 | cut -c 1-6)" "ready>"
}

@test "the region names what runs, the longest first, and how much is done; lines go above it" {
	terminal 100 24
	types "$PAWL run busy -j4"
	shows "> second-of-a-rather-long-name"
	shows "1/4 done"
	shows "run    quick"
	screen >seen
	test "$(grep -n '> first' seen | cut -d: -f1)" -lt "$(grep -n '> second' seen | cut -d: -f1)"
	test "$(grep -n 'run    quick' seen | cut -d: -f1)" -lt "$(grep -n '> first' seen | cut -d: -f1)"
	grep -q 'it never ran before' seen
	grep -q '━━.*1/4 done  *[0-9]' seen
	touch go-first
	shows "2/4 done"
	hides "> first"
	touch go-second
	shows "completed: 4 ran, 0 reused"
	is_clean
	equal "$(count 'never ran before')" 4
}

@test "elapsed time goes on" {
	terminal 100 24
	types "$PAWL run busy"
	shows "> first"
	local before
	before=$(elapsed first)
	sleep 0.7
	test "$(elapsed first)" -ge $((before + 4))
	test "$(elapsed first)" -le $((before + 60))
	touch go-first go-second
	shows "completed"
	is_clean
}

@test "at 40 columns no row wraps" {
	terminal 40 24
	types "$PAWL run busy -j4"
	shows "> second-of-a-rat"
	shows "1/4 done"
	sleep 0.5
	# One row a running node and one for the state: no leftovers of earlier redraws, none that wrapped.
	equal "$(count '^  > ')" 2
	equal "$(count '/4 done')" 1
	equal "$(screen | grep -A1 '> second' | tail -n 1 | cut -c 1-10)" "  1/4 done"
	touch go-first go-second
	shows "completed"
	is_clean
}

@test "in a terminal of few lines the region leaves room" {
	terminal 60 5
	types "clear; $PAWL run busy -j4"
	shows "2 running"
	shows "1/4 done"
	equal "$(count '^  > ')" 0
	touch go-first go-second
	shows "completed"
	is_clean
}

@test "made narrower and wider while it runs, it leaves nothing behind" {
	terminal 100 24
	types "$PAWL run busy -j4"
	shows "1/4 done"
	for width in 70 100 66 90; do
		tmux resize-window -x "$width" -y 24
		sleep 0.5
		equal "$(count '^  > ')" 2
		equal "$(count '/4 done')" 1
		equal "$(count 'run    quick')" 1
	done
	touch go-first go-second
	shows "completed"
	is_clean
	equal "$(count 'run    quick')" 1
}

@test "made narrower than its rows, it fits them to the new width and loses no line" {
	terminal 100 24
	types "$PAWL run busy -j4"
	shows "1/4 done"
	tmux resize-window -x 40 -y 24
	shows "> second-of-a-rather…"
	# tmux wraps at once and tells the new size later: what was drawn between is in its history, not on the screen.
	test "$(tmux capture-pane -p -S - | grep -c 'run    quick')" -eq 1
	touch go-first go-second
	shows "completed"
	equal "$(screen | sed '/^$/d' | tail -n 1 | cut -c 1-6)" "ready>"
}

@test "Ctrl-C stops the nodes, says how to go on, and leaves the terminal as it was" {
	terminal 100 24
	types "$PAWL run busy -j4"
	shows "> first"
	tmux send-keys C-c
	shows "go on with: pawl resume 1"
	shows "run 1 interrupted"
	is_clean
	types 'stty -a | grep -c "icanon.* echo "; echo "code $?"'
	shows "code 0"
}

@test "kill leaves the terminal as it was, and so does a crash" {
	terminal 100 24
	for signal in TERM SEGV ABRT; do
		types "clear; $PAWL run busy -j4"
		shows "> first"
		kill -"$signal" "$(pgrep -x -P "$(tmux display-message -p '#{pane_pid}')" pawl)"
		for _ in $(seq 100); do
			screen | sed '/^$/d' | tail -n 1 | grep -q '^ready>' && break
			sleep 0.1
		done
		is_clean
	done
}

@test "a failure is reported above the region, what nodes print comes by lines" {
	workflow fails <<-'YAML'
		name: fails
		description: one fails while another one runs
		nodes:
		  - id: slow
		    bash: until test -e go || ! test -e .pawl; do sleep 0.05; done
		  - id: bad
		    bash: printf 'one\ntwo \033[31mred\n'; echo broken >&2; exit 3
	YAML
	terminal 100 30
	types "$PAWL run fails -v -j4"
	shows "bad failed (exit 3)"
	shows "1 failed"
	shows 'two ^[[31mred'
	screen >seen
	test "$(grep -n 'bad failed (exit 3)' seen | cut -d: -f1)" -lt "$(grep -n '> slow' seen | cut -d: -f1)"
	grep -q '^bad  *| one$' seen
	touch go
	shows "failed first: bad"
	is_clean
}

@test "no region without colours, in a dumb terminal, in a pipe" {
	terminal 100 24
	touch go-first go-second
	types "clear; NO_COLOR=1 $PAWL run busy | cat -v; TERM=dumb $PAWL run busy | cat -v; $PAWL run busy | cat -v"
	shows "run 3 completed"
	hides "^["
	hides "1/4 done"
	rm go-first
	types "clear; NO_COLOR=1 $PAWL run busy -f first"
	shows "run 4 of busy"
	sleep 0.5
	hides "> first"
	touch go-first
	shows "run 4 completed"
	rm go-first
	types "clear; TERM=dumb $PAWL run busy -f first"
	shows "run 5 of busy"
	sleep 0.5
	hides "> first"
	touch go-first
	shows "run 5 completed"
}
