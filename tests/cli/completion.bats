# pawl completion: candidates as they are now, and the scripts of the shells.
load helpers

ran_once() {
	workflow etl <<-'YAML'
		name: etl
		nodes:
		  - {id: fetch, bash: echo}
		  - {id: parse, bash: echo, depends_on: [fetch]}
	YAML
	workflow release <<-'YAML'
		name: release
		nodes: [{id: build, bash: echo}]
	YAML
	ok pawl run etl
}

words() {
	pawl completion --words -- "$@" | tr '\n' ' '
}

@test "commands" {
	case " $(words '')" in
	*" run "*" diff "*" help "*) ;;
	*) return 1 ;;
	esac
}

@test "workflows, runs and nodes" {
	ran_once
	equal "$(words run '')" "etl release "
	equal "$(words cancel '')" "1 last "
	case " $(words output '')" in
	*" 1/fetch "*" last/parse "*) ;;
	*) return 1 ;;
	esac
	case " $(words why '')" in
	*" fetch "*) ;;
	*) return 1 ;;
	esac
	equal "$(words diff 1 '')" "1 last "
	case " $(words run etl -f '')" in
	*" parse "*) ;;
	*) return 1 ;;
	esac
	case " $(words invalidate 1 '')" in
	*" fetch "*) ;;
	*) return 1 ;;
	esac
	equal "$(words init '')" "agent ci etl hello release "
	equal "$(words completion '')" "bash fish zsh "
}

@test "options of a command, each once" {
	case " $(words run --)" in
	*" --force "*" --json "*) ;;
	*) return 1 ;;
	esac
	equal "$(words run -- | tr ' ' '\n' | grep -c -x -- --json)" 1
	case " $(words gc --)" in
	*" --older-than "*) ;;
	*) return 1 ;;
	esac
}

@test "where nothing is known there are no candidates and no complaints" {
	equal "$(words show '')" ""
	equal "$(words nonsense '')" ""
	equal "$(words gc '')" ""
	run pawl completion --words -- show ''
	equal "$output" ""
}

@test "bash" {
	ran_once
	ok pawl completion bash
	PATH=$(dirname "$PAWL"):$PATH
	equal "$(bash --norc -c 'source <(pawl completion bash)
COMP_WORDS=(pawl run re) COMP_CWORD=2; _pawl; echo "${COMPREPLY[*]}"
COMP_WORDS=(pawl gra) COMP_CWORD=1; _pawl; echo "${COMPREPLY[*]}"
COMP_WORDS=(pawl output last/f) COMP_CWORD=2; _pawl; echo "${COMPREPLY[*]}"')" "$(printf 'release\ngraph\nlast/fetch')"
}

@test "zsh and fish take their scripts" {
	ok pawl completion zsh
	says "compdef _pawl pawl"
	if command -v zsh >/dev/null; then
		pawl completion zsh >script
		ok zsh -n script
	fi
	ok pawl completion fish
	says "complete -c pawl"
	if command -v fish >/dev/null; then
		pawl completion fish >script
		ok fish -n script
	fi
}

# typed SHELL-COMMAND TEXT: what stands on the line of an interactive shell once TEXT and TAB were typed.
typed() {
	local session=pawl-$$-$RANDOM seen="" i
	tmux -L "$session" -f /dev/null new-session -d -x 120 -y 20 env -i HOME="$HOME" PATH="$PATH" TERM=screen LC_ALL=C.UTF-8 \
		bash -c "$1"
	for ((i = 0; i < 100; i++)); do
		tmux -L "$session" capture-pane -p | grep -q ready && break
		sleep 0.1
	done
	tmux -L "$session" send-keys "$2" Tab
	for ((i = 0; i < 50; i++)); do
		seen=$(tmux -L "$session" capture-pane -p)
		[[ $seen == *"$3"* ]] && break
		sleep 0.1
	done
	tmux -L "$session" kill-server
	[[ $seen == *"$3"* ]] || {
		printf '%s\n' "no \"$3\" in:" "$seen" >&2
		return 1
	}
}

@test "at a TAB in a real bash, zsh and fish" {
	command -v tmux >/dev/null || skip "there is no tmux"
	ran_once
	PATH=$(dirname "$PAWL"):$PATH
	cat >rc.bash <<-'SH'
		PS1='$ '
		source <(pawl completion bash)
		echo ready
	SH
	typed 'exec bash --noprofile --rcfile rc.bash -i' 'pawl run rel' 'pawl run release'
	typed 'exec bash --noprofile --rcfile rc.bash -i' 'pawl run etl --from=par' 'pawl run etl --from=parse'
	typed 'exec bash --noprofile --rcfile rc.bash -i' 'pawl output last/pa' 'pawl output last/parse'
	typed 'exec bash --noprofile --rcfile rc.bash -i' 'pawl lint .pawl/workflows/et' 'pawl lint .pawl/workflows/etl.yaml'
	if command -v zsh >/dev/null; then
		printf '%s\n' "PS1='$ '" 'autoload -U compinit; compinit -u -D' 'source <(pawl completion zsh)' 'echo ready' >.zshrc
		typed "ZDOTDIR=$PWD exec zsh -i" 'pawl run rel' 'pawl run release'
		typed "ZDOTDIR=$PWD exec zsh -i" 'pawl why par' 'pawl why parse'
		typed "ZDOTDIR=$PWD exec zsh -i" 'pawl lint .pawl/workflows/et' 'pawl lint .pawl/workflows/etl.yaml'
	fi
	if command -v fish >/dev/null; then
		typed "exec fish -C 'pawl completion fish | source; echo ready'" 'pawl run rel' 'pawl run release'
		typed "exec fish -C 'pawl completion fish | source; echo ready'" 'pawl show last/pa' 'pawl show last/parse'
	fi
}

@test "a file's name is never run by a shell that completes it" {
	ran_once
	cp .pawl/workflows/etl.yaml '.pawl/workflows/$(touch pwned).yaml'
	printf 'name: "`touch pwned`"\nnodes: [{id: a, bash: echo}]\n' >.pawl/workflows/back.yaml
	equal "$(words run '')" "etl release "
	PATH=$(dirname "$PAWL"):$PATH
	bash --norc -c 'source <(pawl completion bash); COMP_WORDS=(pawl run "") COMP_CWORD=2; _pawl; echo "${COMPREPLY[*]}"'
	if command -v fish >/dev/null; then
		fish -c 'pawl completion fish | source; complete -C "pawl run "'
	fi
	! [ -e pwned ]
}

@test "nodes of a workflow that never ran, names as the list has them, values behind an option" {
	workflow file <<-'YAML'
		name: named
		nodes:
		  - {id: one, bash: echo}
		  - {id: two, bash: echo}
	YAML
	equal "$(words run '')" "named "
	equal "$(words run named -f '')" "one two "
	equal "$(words plan named --from=t)" "--from=one --from=two "
	equal "$(words run named --reuse=)" "--reuse=auto --reuse=off --reuse=only "
	equal "$(words plugin '')" "new check trust untrust list "
	equal "$(words policy '')" "test "
}

@test "other shells" {
	exits 2 pawl completion tcsh
	says "bash, zsh and fish"
	exits 2 pawl completion
	says "which shell?"
}
