#!/bin/bash
# bootstrap: installs with apt-get whatever building and testing pawl needs and this machine lacks.  Where nothing is
# missing it prints nothing and touches nothing; a tool that comes from elsewhere (node, python3 on PATH) counts as there.
#
#     scripts/bootstrap.sh            install what is missing
#     scripts/bootstrap.sh --check    only name what is missing; exit 1 if there is any
set -euo pipefail

missing=()

need_program() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

need_library() { # PKG-CONFIG-NAME PACKAGE
	command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$1" 2>/dev/null ||
		missing+=("$2")
}

need_file() { # PATH PACKAGE
	[[ -e $1 ]] || missing+=("$2")
}

find_missing() {
	missing=()
	need_program cc build-essential
	need_program make build-essential
	need_program cmake cmake
	need_program ninja ninja-build
	need_program pkg-config pkg-config
	need_library yaml-0.1 libyaml-dev
	need_library libcjson libcjson-dev
	need_library lua5.4 liblua5.4-dev
	need_library sqlite3 libsqlite3-dev
	need_library libcrypto libssl-dev
	need_library libcurl libcurl4-openssl-dev # for the example plugin `http`
	need_library cmocka libcmocka-dev
	need_program file file # for the dependencies of packages
	need_program bats bats
	need_program python3 python3
	need_program node nodejs
	need_program jq jq
	need_file /usr/share/json-schema-test-suite/tests/draft7 json-schema-test-suite
	# cc and make come in one package: name it once.
	if ((${#missing[@]})); then
		mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	fi
}

give_up() {
	printf 'bootstrap: %s\nbootstrap: install these packages and try again:\n    apt-get install %s\n' \
		"$1" "${missing[*]}" >&2
	exit 1
}

find_missing
((${#missing[@]})) || exit 0
if [[ ${1:-} == --check ]]; then
	printf '%s\n' "${missing[@]}"
	exit 1
fi

command -v apt-get >/dev/null 2>&1 || give_up "there is no apt-get here"
as_root=()
if [[ $(id -u) != 0 ]]; then
	command -v sudo >/dev/null 2>&1 || give_up "not root, and there is no sudo"
	as_root=(sudo)
	# Nobody is there to type a password.
	[[ -t 0 ]] || as_root=(sudo -n)
fi

apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

printf 'bootstrap: installing %s\n' "${missing[*]}"
# The package lists of a fresh image are empty or old; fetch them only where they turn out not to do.
if ! apt install --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
	apt update || give_up "apt-get update failed"
	apt install --no-install-recommends "${missing[@]}" || give_up "apt-get install failed"
fi
find_missing
((${#missing[@]} == 0)) || give_up "apt-get succeeded, but something is still missing"
printf 'bootstrap: done\n'
