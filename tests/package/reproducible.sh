#!/bin/bash
# reproducible.sh SOURCE: builds the release and its packages twice, from copies of the source in two directories whose
# paths differ in length, with another umask, another time zone, another locale and other times of the files; and compares
# every byte of what is installed, and of the packages.  Takes minutes; JOBS limits how much it does at once.
set -euo pipefail
source=$(realpath "${1:?usage: reproducible.sh SOURCE}")
jobs=${JOBS:-$(nproc)}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/pawl-twice.XXXXXX")
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct)}

# What git knows of the source, as it is now; it may change while this runs.
(cd "$source" && git ls-files -z --cached --others --exclude-standard |
	tar -c --null -T - --ignore-failed-read 2>/dev/null) >"$work/source.tar"

# build PLACE BUILD: the source in PLACE, built in BUILD; the result is PLACE/../packages and PLACE/../prefix.
build() {
	local place=$1 build=$2 out
	out=$(dirname "$place")
	mkdir -p "$place" "$out/packages"
	tar -x -m -f "$work/source.tar" -C "$place"
	cmake -S "$place" --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DPAWL_TESTS=OFF >"$out/log"
	cmake --build "$build" --target program -j "$jobs" >>"$out/log"
	DESTDIR=$out/prefix cmake --install "$build" >>"$out/log"
	(cd "$build" && cpack -G DEB -B "$out/packages") >>"$out/log"
	rm -rf "$out/packages/_CPack_Packages"
	rm -f "$build/install_manifest.txt"
}

explain() {
	sed 's/^/    /' "$work"/*/log | tail -n 20
	exit 1
}

(umask 022 && TZ=UTC LC_ALL=C build "$work/a/source" "$work/a/build") || explain
(umask 027 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$work/elsewhere/and/deeper" "$work/elsewhere/and/deeper/out/release") ||
	explain
second=$work/elsewhere/and

status=0
for what in prefix packages; do
	(cd "$work/a/$what" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/first"
	(cd "$second/$what" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/second"
	if ! diff -u "$work/first" "$work/second"; then
		echo "$what: not the same bytes" >&2
		status=1
	fi
done
# The same could also be the same path of this machine in both.
if grep -rlF "$work" "$work/a/prefix" "$second/prefix"; then
	echo "these have the path of the build in them" >&2
	status=1
fi
[ -s "$work/first" ] || status=1
[ "$status" = 0 ] && sed 's/^/same  /' "$work/first"
exit "$status"
