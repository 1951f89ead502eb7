#!/usr/bin/env bats
# The packages that cpack makes of this build: what is in them, and that what comes out of them works by itself.  Nothing
# is installed on this machine: they are unpacked, or installed below a directory with a package database of its own.
# shellcheck shell=bash
bats_require_minimum_version 1.5.0

setup_file() {
	: "${PAWL_BUILD:?a build of the whole project}" "${PAWL_SOURCE:?}" "${PAWL_VERSION:?}"
	for tool in dpkg-deb dpkg-shlibdeps file; do
		command -v "$tool" >/dev/null || skip "no $tool: packages are made on Debian, with dpkg-dev and file"
	done
	umask 077 # which must not be seen in the packages
	(cd "$PAWL_BUILD" && cpack -G DEB -B "$BATS_FILE_TMPDIR") >"$BATS_FILE_TMPDIR/cpack.log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/cpack.log"
		return 1
	}
	umask 022
	export PROGRAM=$BATS_FILE_TMPDIR/pawl_${PAWL_VERSION}_$(dpkg --print-architecture).deb
	export SDK=$BATS_FILE_TMPDIR/pawl-dev_${PAWL_VERSION}_all.deb
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir "$ROOT"
	dpkg-deb -x "$PROGRAM" "$ROOT"
	dpkg-deb -x "$SDK" "$ROOT"
}

setup() {
	umask 022
	export HOME=$BATS_TEST_TMPDIR NO_COLOR=1 LC_ALL=C.UTF-8 PATH=$ROOT/usr/bin:$PATH
	unset PAWL_PLUGIN_PATH CMAKE_PREFIX_PATH PKG_CONFIG_PATH DESTDIR
	mkdir -p "$BATS_TEST_TMPDIR/project/.pawl/workflows"
	cd "$BATS_TEST_TMPDIR/project" || return 1
}

pawl() {
	timeout 900 "$ROOT/usr/bin/pawl" "$@"
}

# field DEB NAME: a field of its control file.
field() {
	dpkg-deb -f "$1" "$2"
}

hello() {
	cat >.pawl/workflows/hello.yaml <<-'YAML'
		name: hello
		nodes:
		  - id: one
		    reads: []
		    bash: echo hello
		  - id: two
		    depends_on: one
		    with: {greeting: $one.output}
		    lua: return inputs.greeting .. " world"
	YAML
}

@test "pawl says what it needs, and has no configuration and no scripts" {
	[ "$(field "$PROGRAM" Package)" = pawl ]
	[ "$(field "$PROGRAM" Version)" = "$PAWL_VERSION" ]
	# What dpkg-shlibdeps found is what the linker will look for, plugins and the child of lua nodes included.
	depends=" $(field "$PROGRAM" Depends),"
	for file in "$ROOT"/usr/bin/pawl "$ROOT"/usr/lib/pawl/pawl-lua "$ROOT"/usr/lib/pawl/plugins/*.so; do
		while read -r library; do
			package=$(dpkg-query -S "*/$library" | sed -n 's/:.*//p' | sort -u | head -n 1)
			[[ $depends == *" $package "* || $depends == *" $package,"* ]] || {
				echo "$file needs $library of $package, and Depends has only:$depends"
				return 1
			}
		done < <(objdump -p "$file" | sed -n 's/^ *NEEDED *//p' | grep -v '^lib[atu]*san\.')
	done
	mkdir control
	dpkg-deb -e "$PROGRAM" control
	[ "$(ls control | tr '\n' ' ')" = "control md5sums " ]
	[ "$(field "$PROGRAM" Description | head -n 1)" = "workflow engine that never reuses what it cannot prove current" ]
}

@test "pawl-dev needs the same version of pawl, and fits every architecture" {
	[ "$(field "$SDK" Depends)" = "pawl (= $PAWL_VERSION)" ]
	[ "$(field "$SDK" Architecture)" = all ]
	! find "$ROOT/usr/include" "$ROOT/usr/lib/cmake" "$ROOT/usr/lib/pkgconfig" -type f -exec file {} + | grep ELF
}

@test "everything has the modes and the owner that Debian wants" {
	for deb in "$PROGRAM" "$SDK"; do
		dpkg-deb -c "$deb" >list
		run ! grep -v ' root/root ' list
		run ! grep -Ev '^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) ' list
		run ! grep -Ev ' \./usr/' list
		awk '/^-/ { print $1, $NF }' list >files
		run ! grep -E '^-rwx' <(grep -Ev ' \./usr/(bin/pawl|lib/pawl/pawl-lua)$' files)
	done
}

@test "manual pages, copyright and change log are where they belong, and readable" {
	for page in man1/pawl.1 man5/pawl-workflow.5 man7/pawl-plugin.7 man7/pawl-policy.7; do
		gzip -dc "$ROOT/usr/share/man/$page.gz" | grep -q '^\.Dt PAWL'
	done
	for package in pawl pawl-dev; do
		grep -q '^License: Expat' "$ROOT/usr/share/doc/$package/copyright"
		gzip -dc "$ROOT/usr/share/doc/$package/changelog.gz" | grep -qF "## [$PAWL_VERSION]"
	done
	# The copyright file has the words of the licence.
	diff <(sed -n '/Permission/,$p' "$PAWL_SOURCE/LICENSE") \
		<(sed -n 's/^ \.$//; s/^ //; /Permission/,$p' "$ROOT/usr/share/doc/pawl/copyright")
}

@test "completion for three shells comes with pawl, and is valid" {
	pawl help completion >/dev/null 2>&1 || skip "this pawl has no completion"
	share=$ROOT/usr/share
	bash -n "$share/bash-completion/completions/pawl"
	grep -q '^#compdef pawl' "$share/zsh/vendor-completions/_pawl"
	if command -v zsh >/dev/null; then zsh -n "$share/zsh/vendor-completions/_pawl"; fi
	grep -q 'complete .*pawl' "$share/fish/vendor_completions.d/pawl.fish"
	if command -v fish >/dev/null; then fish -n "$share/fish/vendor_completions.d/pawl.fish"; fi
}

@test "what was unpacked runs with its own plugins, wherever it lies" {
	hello
	[ "$(pawl --version)" = "pawl $PAWL_VERSION" ]
	pawl types >types
	for type in bash script lua; do
		grep -F "$ROOT/usr/lib/pawl/plugins/pawl_$type.so" types
	done
	run ! grep -F "$PAWL_BUILD/lib" types
	pawl run hello
	[ "$(pawl output last/two)" = "hello world" ]
	run pawl run hello
	[[ $output == *"1 ran, 1 reused"* || $output == *"0 ran, 2 reused"* ]]
	# Moved as a whole, it goes on working.
	cp -r "$ROOT" "$BATS_TEST_TMPDIR/moved"
	PATH=$BATS_TEST_TMPDIR/moved/usr/bin:$PATH
	"$BATS_TEST_TMPDIR/moved/usr/bin/pawl" types >types
	grep -F "$BATS_TEST_TMPDIR/moved/usr/lib/pawl/plugins/pawl_bash.so" types
	timeout 900 "$BATS_TEST_TMPDIR/moved/usr/bin/pawl" run --reuse=off hello
}

@test "the template of pawl-dev builds against what was unpacked, by CMake and by make, and runs" {
	cp -r "$ROOT/usr/share/doc/pawl-dev/examples/template" mynode
	cd mynode
	cmake -B build -D CMAKE_PREFIX_PATH="$ROOT/usr" >log 2>&1 || { cat log; return 1; }
	grep "PawlPlugin_DIR:PATH=$ROOT/usr/lib/cmake/PawlPlugin" build/CMakeCache.txt
	cmake --build build
	export PKG_CONFIG_PATH=$ROOT/usr/lib/pkgconfig
	make
	timeout 900 make check
	pawl run --plugin-path build ./hello.yaml
	# It is what `pawl plugin new` writes.
	cd ..
	pawl plugin new mynode other
	for file in other/*; do
		cmp "$file" "$ROOT/usr/share/doc/pawl-dev/examples/template/${file##*/}"
	done
}

@test "dpkg installs both below a root of their own, lists and removes them" {
	as_root=()
	if [ "$(id -u)" != 0 ]; then
		command -v fakeroot >/dev/null || skip "neither root nor fakeroot"
		as_root=(fakeroot)
	fi
	root=$BATS_TEST_TMPDIR/system
	mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers}
	: >"$root/var/lib/dpkg/status"
	# The libraries are the ones of this machine, which that database doesn't know.
	dpkg_there=("${as_root[@]}" dpkg --root="$root" --force-not-root --force-depends --log=/dev/null)
	"${dpkg_there[@]}" -i "$PROGRAM" "$SDK"
	[ "$("$root/usr/bin/pawl" --version)" = "pawl $PAWL_VERSION" ]
	hello
	timeout 900 "$root/usr/bin/pawl" run hello
	dpkg --root="$root" -V pawl pawl-dev
	"${dpkg_there[@]}" -r pawl-dev pawl
	run find "$root" -path "*pawl*" -not -path "*/var/lib/dpkg/*"
	[ -z "$output" ]
}
