# What people type.  CMake builds (CMakePresets.json has the ways); this file only knows the words.
#
#     make demo       build and show what pawl does, in a directory of its own
#     make test       build (gcc, warnings are errors) and run every test
#     make build      build the release in build/release
#     make install    install it below PREFIX (default /usr/local), with DESTDIR
#     make package    Debian packages (pawl, pawl-dev) in build/packages
#     make asan       all tests under AddressSanitizer and UBSan
#     make lint       only the checks of the source itself
#     make format     let clang-format mend every C file
#     make fuzz       every fuzzer for SECONDS each (needs clang)
#     make package-check   build the packages twice, elsewhere, and compare every byte
#     make bench      print what things cost on this machine
#     make clean      delete build/

PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
SECONDS ?= 60
CTEST    = ctest --output-on-failure

.PHONY: all demo test build install package package-check asan lint format fuzz bench clean bootstrap
all: build

bootstrap:
	@scripts/bootstrap.sh

build: bootstrap
	cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	cmake --build build/release --target program -j $(JOBS)

demo: build
	PATH="$(CURDIR)/build/release/bin:$$PATH" docs/demo/demo.sh

test: bootstrap
	cmake --preset dev
	cmake --build build/dev -j $(JOBS)
	$(CTEST) --preset dev -j 2

install: build
	cmake --install build/release --prefix $(PREFIX)

package: bootstrap
	cmake --preset release -B build/package -DCMAKE_INSTALL_PREFIX=/usr -DPAWL_TESTS=OFF
	cmake --build build/package --target program -j $(JOBS)
	umask 022 && cd build/package && cpack -G DEB -B $(CURDIR)/build/packages
	rm -rf build/packages/_CPack_Packages

package-check: bootstrap
	JOBS=$(JOBS) tests/package/reproducible.sh .

asan: bootstrap
	cmake --preset asan
	cmake --build build/asan -j $(JOBS)
	$(CTEST) --preset asan -j 2

lint: bootstrap
	cmake --preset dev
	cmake --build build/dev --target program -j $(JOBS)
	$(CTEST) --preset dev -j 2 -R '^lint\.'

format:
	find core plugins sdk tests -name '*.[ch]' -print0 | xargs -0 clang-format -i

fuzz:
	tests/fuzz/run.sh $(SECONDS)

bench: bootstrap
	cmake --preset release
	cmake --build build/release -j $(JOBS)
	@set -e; for bench in build/release/bench/bench_*; do echo "== $$bench"; $$bench; done

clean:
	rm -rf build
