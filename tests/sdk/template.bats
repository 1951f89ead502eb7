# shellcheck shell=bash
# What `pawl plugin new` writes, from nothing to a running node as its README says; and `pawl plugin check` on everything
# that ought to pass.
load ../cli/helpers

setup() {
	pawl_setup
	: "${SDK_PLACE:?where tests/sdk/build.sh has built}" "${SDK_SOURCE:?}"
	export PKG_CONFIG_PATH=$SDK_PLACE/prefix/lib/pkgconfig PATH=$SDK_PLACE/prefix/bin:$PATH
}

@test "the commands of the README work, one after the other" {
	cp -r "$SDK_PLACE/greet" . && cd greet
	rm -rf build pawl_greet.so
	ok make
	ok pawl types --plugin-path .
	says "greet"
	says "com.example.greet"
	ok pawl run --plugin-path . ./hello.yaml
	ok pawl run --plugin-path . ./hello.yaml
	says "2 reused"
	ok pawl output --plugin-path . last/second
	equal "$output" "I heard hello
hello"
	ok make check
	says_not "not ok"
	ok install -D -m 644 pawl_greet.so ~/.local/lib/pawl/plugins/pawl_greet.so
	ok pawl types
	says "greet"
	# Nothing in it is left of the template's own word.
	run grep -rl mynode .
	equal "$output" ""
	equal "$(wc -l <Makefile)" 5
}

@test "built with CMake it passes its own test, and its install puts it where pawl looks" {
	cp -r "$SDK_PLACE/greet" . && cd greet
	rm -rf build
	ok cmake -B build -D CMAKE_PREFIX_PATH="$SDK_PLACE/prefix"
	ok cmake --build build
	ok ctest --test-dir build
	says "100% tests passed"
	ok cmake --install build --prefix "$HOME/.local"
	ok pawl run ./hello.yaml
}

@test "a wrong keyword and a directory that is there are refused" {
	exits 2 pawl plugin new Greet
	says "E-PLUGIN-KEYWORD"
	mkdir there
	exits 2 pawl plugin new there
	says "take another place"
	ok pawl plugin new other there/other
	[ -e there/other/other.c ]
	exits 2 pawl plugin new
	exits 2 pawl plugin nwe x
	says "pawl plugin new"
}

@test "find_package and pkg-config give the ABI's version, and refuse another" {
	equal "$(pkg-config --modversion pawl-plugin)" 1.0
	mkdir p && cat >p/CMakeLists.txt <<-'EOF'
		cmake_minimum_required(VERSION 3.16)
		project(p C)
		find_package(PawlPlugin ${WANTED} REQUIRED)
		message(STATUS "dir=${PAWL_PLUGIN_DIR} program=${PAWL_PROGRAM}")
	EOF
	ok cmake -S p -B p/b1 -D WANTED=1.0 -D CMAKE_PREFIX_PATH="$SDK_PLACE/prefix"
	says "dir=$SDK_PLACE/prefix/lib/pawl/plugins program=$SDK_PLACE/prefix/bin/pawl"
	exits 1 cmake -S p -B p/b2 -D WANTED=2.0 -D CMAKE_PREFIX_PATH="$SDK_PLACE/prefix"
	says "2.0"
}

# passes PLUGIN SAMPLES
passes() {
	run timeout 1500 "$PAWL" plugin check --node "$2" "$1"
	if [ "$status" -ne 0 ] || grep -q "^not ok" <<<"$output"; then
		printf '%s\n' "$output" >&2
		return 1
	fi
}

@test "the built-in plugins pass the check" {
	for keyword in bash script lua; do
		passes "$SDK_PLACE/prefix/lib/pawl/plugins/pawl_$keyword.so" "$SDK_SOURCE/tests/sdk/builtin.yaml" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
}

@test "the examples pass the check" {
	for file in "$SDK_PLACE"/examples/pawl_*.so; do
		passes "$file" "$SDK_SOURCE/sdk/examples/samples.yaml" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
}
