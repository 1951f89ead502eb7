"""complete: what the program has, the documents have: reasons of decide(), commands and their options, fields of a node,
words of schemas."""
import re
import subprocess
import sys

pawl, root = sys.argv[1:3]
problems = []


def text(path):
    with open(f"{root}/{path}", encoding="utf-8") as file:
        return file.read()


def demand(words, path, what):
    document = text(path)
    words = sorted(set(words))
    if not words:
        problems.append(f"no {what} was found: this test looks in the wrong place")
    problems.extend(f"{path}: nothing on the {what} {word}" for word in words
                    if not re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])", document))


def said_by(*args):
    return subprocess.run([pawl, *args], capture_output=True, text=True, check=True).stdout


demand(re.findall(r'\[REASON_\w+\] = "(\w+)"', text("core/engine/decide.c")), "docs/caching.md", "reason")
commands = re.findall(r"^  (\w+) {2,}", said_by("help"), re.M)
demand(commands, "docs/cli.md", "command")
manual = text("docs/man/pawl.1")
problems.extend(f"docs/man/pawl.1: nothing on the command {command}" for command in commands
                if not re.search(rf"^\.It Cm .*\b{command}\b", manual, re.M))
options = set()
for command in commands:
    options.update(re.findall(r"(?<![\w-])--[a-z][a-z-]+", said_by(command, "--help").split("usage:")[-1]))
demand(options, "docs/cli.md", "option")
demand(re.findall(r'^\t\{"(\w+)", take_', text("core/model/fields.c"), re.M), "docs/language.md", "field")
demand(re.findall(r'^\t\{"(\w+)", take_', text("core/model/workflow.c"), re.M), "docs/language.md", "field")
demand(re.findall(r'^\t\{STR_INIT\("([$\w]+)"\), read_', text("core/data/schema_words.c"), re.M), "docs/schema.md", "word")
print(*problems, sep="\n")
print(f"{len(problems)} things that the documents don't have")
sys.exit(bool(problems))
