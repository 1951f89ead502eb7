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

@test "other shells" {
	exits 2 pawl completion tcsh
	says "bash, zsh and fish"
	exits 2 pawl completion
	says "which shell?"
}
