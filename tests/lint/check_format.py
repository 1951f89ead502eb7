"""C files are as clang-format leaves them; Python and shell files have no spaces at the end of lines."""
import re
import subprocess

from source import Skip, need

ABOUT = "files are formatted"
VERSION = 14  # another one breaks lines elsewhere


def clang_format():
    program = need("clang-format", "apt-get install clang-format")
    out = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"version (\d+)", out)
    if not match or int(match.group(1)) != VERSION:
        raise Skip(f"clang-format {VERSION} is wanted, here is: {out.strip()}")
    return program


def run(tree):
    program = clang_format()
    names = [n for d in ("core", "plugins", "sdk", "tests") for n in tree.files(d, ".c", ".h")]
    for start in range(0, len(names), 40):
        done = subprocess.run(
            [program, "--dry-run", "-Werror", "--style=file", *names[start:start + 40]],
            cwd=tree.root, capture_output=True, text=True, check=False)
        for match in re.finditer(r"^(\S+?):(\d+):\d+: error: (.*)$", done.stderr, re.M):
            yield match.group(1), int(match.group(2)), match.group(3)
    for directory in ("core", "plugins", "sdk", "tests", "scripts", "docs", "cmake"):
        for name in tree.files(directory, ".c", ".h", ".py", ".sh", ".md", ".txt", ".cmake"):
            for number, line in enumerate(tree.read(name).split("\n"), 1):
                if line != line.rstrip():
                    yield name, number, "spaces at the end of the line"


_STYLE = "BasedOnStyle: LLVM\nUseTab: Always\nIndentWidth: 8\nTabWidth: 8\n"
BAD = [
    ({".clang-format": _STYLE, "core/base/a.c": "int a ;\n"}, ["core/base/a.c:1", "be clang-formatted"]),
    ({".clang-format": _STYLE, "docs/a.md": "text  \n"}, ["docs/a.md:1", "at the end"]),
]
GOOD = {".clang-format": _STYLE, "core/base/a.c": "int a;\n", "docs/a.md": "text\n"}
