"""mutants.py [AREA [NUMBER...]]: plays the mutants of AREA.txt, or of all areas; docs/testing.md says what they are.

All happens in a copy of the sources, build/mutants, which is kept: what is built there once is built again only where it
changed."""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
COPY = SOURCE / "build/mutants"
BUILD = COPY / "build/dev"
JOBS = os.environ.get("JOBS", "2")


class Mutant:
    def __init__(self, area, number, line):
        parts = [part.strip(" ") for part in line.split(" | ")]
        if len(parts) != 4:
            sys.exit(f"{area}: not FILE | SEARCH | REPLACE | TESTS: {line}")
        self.file, self.search, self.replace, self.tests = parts
        self.search, self.replace = (text.replace("\\n", "\n").replace("\\|", "|") for text in (self.search, self.replace))
        self.name = f"{area} {number}"
        self.text = (SOURCE / self.file).read_text(encoding="utf-8")
        if self.text.count(self.search) != 1:
            sys.exit(f"{self.name}: found {self.text.count(self.search)} times in {self.file}: {self.search}")

    def __str__(self):
        return f"{self.name:10} {self.file}: {' '.join(self.search.split())} -> {' '.join(self.replace.split()) or 'nothing'}"


def read_area(path, numbers):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return [Mutant(path.stem, n, line) for n, line in enumerate(lines, 1) if not numbers or n in numbers]


def copy_sources():
    """Only what differs, so that it is not built again."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=SOURCE, check=True,
                            capture_output=True).stdout
    for name in listed.decode().split("\0"):
        source, copy = SOURCE / name, COPY / name
        if not name or not source.is_file():
            continue
        if copy.is_file() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
        copy.chmod(source.stat().st_mode)


def run(*command):
    return subprocess.run(command, cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def targets(tests):
    """What the tests need, where that is plain: `cli.NAME` and `crash.NAME` the program, `LAYER.test_NAME` itself."""
    names = re.sub(r"[\^$()\\]", "", tests).split("|")
    found = {"program" if re.match(r"(cli|crash)\.", name) else
             name.replace(".", "_") if re.fullmatch(r"\w+\.test_\w+", name) else "all" for name in names}
    return ["all"] if "all" in found else sorted(found)


def build(tests):
    return run("cmake", "--build", str(BUILD), "-j", JOBS, "--target", *targets(tests))


def test(tests):
    return run("ctest", "--test-dir", str(BUILD), "-R", tests, "--no-tests=error", "--timeout", "900")


def prepare(mutants):
    """Unchanged, everything passes: else a failure would say nothing."""
    copy_sources()
    for step in (run("cmake", "--preset", "dev", "-DPAWL_WERROR=OFF"), run("cmake", "--build", str(BUILD), "-j", JOBS)):
        if step.returncode:
            sys.exit(step.stdout)
    for tests in sorted({mutant.tests for mutant in mutants}):
        done = test(tests)
        if done.returncode:
            sys.exit(f"{tests} fails without any mutant\n{done.stdout}")


def play(mutant):
    path = COPY / mutant.file
    path.write_text(mutant.text.replace(mutant.search, mutant.replace), encoding="utf-8")
    try:
        built = build(mutant.tests)
        if built.returncode:
            print(built.stdout)
            return "DOES NOT BUILD"
        return "killed" if test(mutant.tests).returncode else "SURVIVED"
    finally:
        path.write_text(mutant.text, encoding="utf-8")


def main():
    areas = [HERE / f"{sys.argv[1]}.txt"] if len(sys.argv) > 1 else sorted(HERE.glob("*.txt"))
    numbers = {int(word) for word in sys.argv[2:]}
    mutants = [mutant for path in areas for mutant in read_area(path, numbers)]
    prepare(mutants)
    survived = 0
    for mutant in mutants:
        word = play(mutant)
        survived += word != "killed"
        print(f"{word:8}", mutant, flush=True)
    print(f"{len(mutants) - survived} killed, {survived} survived")
    return bool(survived)


sys.exit(main())
