#!/bin/bash
# build.sh BUILD PREFIX SOURCE: installs what was built in BUILD below PREFIX, and builds the examples and a plugin made by
# `pawl plugin new` against that alone, each with CMake and with make.  Everything ends up beside PREFIX: examples/,
# examples-make/, greet/ (greet/build/ by CMake).
set -euo pipefail
build=$1 prefix=$2 source=$3
place=$(dirname "$prefix")
rm -rf "$place"
mkdir -p "$place"
cmake --install "$build" --prefix "$prefix" >"$place/install.log"

# Outside of the tree, so that nothing of it is found by accident.
cp -r "$source/sdk/examples" "$place/examples-make"
cmake -S "$place/examples-make" -B "$place/examples" -D CMAKE_PREFIX_PATH="$prefix" \
	-D CMAKE_C_FLAGS=-Werror -D CMAKE_CXX_FLAGS=-Werror
cmake --build "$place/examples"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PATH=$prefix/bin:$PATH
make -C "$place/examples-make" CFLAGS="-O1 -Wall -Wextra -Wpedantic -Werror"

cd "$place"
pawl plugin new greet
make -C greet
cmake -S greet -B greet/build -D CMAKE_PREFIX_PATH="$prefix"
cmake --build greet/build

# The header in all the languages that it speaks, in a whole plugin each.
include=$prefix/include
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only -I "$include")
cc -std=c11 "${warnings[@]}" greet/greet.c
c++ -std=c++17 "${warnings[@]}" "$source/sdk/examples/tally.cc"
c++ -std=c++20 "${warnings[@]}" "$source/sdk/examples/tally.cc"
c++ -std=c++20 "${warnings[@]}" "$source/tests/sdk/named.cc"

# What the guide shows of C is C.
{
	echo '#include <pawl/pawl_plugin.h>'
	awk '/^```c$/ { in_code = 1; next } /^```$/ { in_code = 0 } in_code' "$source/docs/plugins.md"
} >"$place/guide.c"
grep -q 'host->spawn' "$place/guide.c"
cc -std=c11 "${warnings[@]}" -Wno-unused-function "$place/guide.c"
