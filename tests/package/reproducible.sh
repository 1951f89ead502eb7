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
# Never called where `set -e` sleeps (after `if` or before `||`).
build() {
	local place=$1 build=$2 out
	out=$(dirname "$place")
	log=$out/log
	mkdir -p "$place" "$out/packages"
	tar -x -m -f "$work/source.tar" -C "$place"
	cmake -S "$place" --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DPAWL_TESTS=OFF >"$log" 2>&1
	cmake --build "$build" --target program -j "$jobs" >>"$log" 2>&1
	DESTDIR=$out/prefix cmake --install "$build" >>"$log" 2>&1
	# As `make package` does: what cpack writes into the archive itself has the mode that the umask leaves.
	(umask 022 && cd "$build" && cpack -G DEB -B "$out/packages") >>"$log" 2>&1
	rm -rf "$out/packages/_CPack_Packages"
}

# shellcheck disable=SC2317 # it is called by the trap
explain() {
	local code=$?
	[ ! -s "${log:-}" ] || tail -n 20 "$log" | sed 's/^/    /' >&2
	exit "$code"
}
trap explain ERR
set -E

umask 022
TZ=UTC LC_ALL=C build "$work/a/source" "$work/a/build"
umask 027
TZ=Asia/Tokyo LC_ALL=C.UTF-8 build "$work/elsewhere/and/deeper" "$work/elsewhere/and/deeper/out/release"
second=$work/elsewhere/and
for made in "$work"/a "$second"; do
	if [ ! -x "$made/prefix/usr/bin/pawl" ] || [ "$(find "$made/packages" -name '*.deb' | wc -l)" != 2 ]; then
		echo "$made: a build that made nothing is not the same as another" >&2
		exit 1
	fi
done

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
[ "$status" != 0 ] || sed 's/^/same  /' "$work/first"
exit "$status"
