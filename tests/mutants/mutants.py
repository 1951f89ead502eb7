"""mutants.py [AREA [NUMBER...]]: plays the mutants of AREA.txt, or of all areas; docs/testing.md says what they are.

All happens in copies of the sources, build/mutants/N, one for each of JOBS at once, which are kept: what is built there once is
built again only where it changed."""
import concurrent.futures
import os
import pathlib
import queue
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
JOBS = int(os.environ.get("JOBS", "2"))


class Mutant:
    def __init__(self, area, number, line):
        parts = [part.strip(" ") for part in line.split(" | ")]
        if len(parts) != 4:
            raise ValueError(f"{area}: not FILE | SEARCH | REPLACE | TESTS: {line}")
        self.file, self.search, self.replace, self.tests = parts
        self.search, self.replace = (text.replace("\\n", "\n").replace("\\|", "|") for text in (self.search, self.replace))
        self.name = f"{area} {number}"
        self.text = (SOURCE / self.file).read_text(encoding="utf-8")
        if self.text.count(self.search) != 1:
            raise ValueError(f"{self.name}: found {self.text.count(self.search)} times in {self.file}: {self.search}")

    def __str__(self):
        return f"{self.name:10} {self.file}: {' '.join(self.search.split())} -> {' '.join(self.replace.split()) or 'nothing'}"

    def targets(self):
        """What its tests need, where that is plain: `cli.NAME` and `crash.NAME` the program, `LAYER.test_NAME` itself."""
        names = re.sub(r"[\^$()\\]", "", self.tests).split("|")
        found = {"program" if re.match(r"(cli|crash)\.", name) else
                 name.replace(".", "_") if re.fullmatch(r"\w+\.test_\w+", name) else "all" for name in names}
        return ["all"] if "all" in found else sorted(found)


def read_mutants(paths, numbers):
    mutants, wrong = [], []
    for path in paths:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
        for n, line in enumerate(lines, 1):
            try:
                if not numbers or n in numbers:
                    mutants.append(Mutant(path.stem, n, line))
            except (OSError, ValueError) as err:
                wrong.append(str(err))
    if wrong:
        sys.exit("\n".join(wrong))
    return mutants


class Copy:
    def __init__(self, number):
        self.root = SOURCE / "build/mutants" / str(number)
        self.build_dir = self.root / "build/dev"

    def run(self, *command):
        return subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def take_sources(self):
        """Only what differs, so that it is not built again."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=SOURCE, check=True,
                                capture_output=True).stdout
        for name in listed.decode().split("\0"):
            source, copy = SOURCE / name, self.root / name
            if not name or not source.is_file():
                continue
            if copy.is_file() and copy.read_bytes() == source.read_bytes():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)

    def build(self, targets):
        return self.run("cmake", "--build", str(self.build_dir), "-j", "1", "--target", *targets)

    def test(self, tests):
        return self.run("ctest", "--test-dir", str(self.build_dir), "-R", f"^({tests})$", "--no-tests=error", "--timeout", "900")

    def prepare(self):
        self.take_sources()
        for step in (self.run("cmake", "--preset", "dev", "-DPAWL_WERROR=OFF"), self.build(["all"])):
            if step.returncode:
                sys.exit(step.stdout)

    def play(self, mutant):
        path = self.root / mutant.file
        path.write_text(mutant.text.replace(mutant.search, mutant.replace), encoding="utf-8")
        try:
            built = self.build(mutant.targets())
            if built.returncode:
                return "DOES NOT BUILD\n" + built.stdout
            return "killed" if self.test(mutant.tests).returncode else "SURVIVED"
        finally:
            path.write_text(mutant.text, encoding="utf-8")


def main():
    paths = [HERE / f"{sys.argv[1]}.txt"] if len(sys.argv) > 1 else sorted(HERE.glob("*.txt"))
    mutants = read_mutants(paths, {int(word) for word in sys.argv[2:]})
    copies = queue.Queue()

    def with_copy(fn, *args):
        copy = copies.get()
        try:
            return fn(copy, *args)
        finally:
            copies.put(copy)

    def must_pass(copy, tests):
        """Unchanged: else a failure would say nothing."""
        done = copy.test(tests)
        return f"{tests} fails without any mutant\n{done.stdout}" if done.returncode else ""

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for copy in [Copy(n + 1) for n in range(JOBS)]:
            copy.prepare()
            copies.put(copy)
        suites = sorted({mutant.tests for mutant in mutants})
        failed = "".join(pool.map(lambda tests: with_copy(must_pass, tests), suites))
        if failed:
            sys.exit(failed)
        survived = 0
        for mutant, word in zip(mutants, pool.map(lambda mutant: with_copy(Copy.play, mutant), mutants)):
            survived += word != "killed"
            print(f"{word:8}", mutant, flush=True)
    print(f"{len(mutants) - survived} killed, {survived} survived")
    return bool(survived)


sys.exit(main())
