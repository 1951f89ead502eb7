#!/usr/bin/env python3
"""compat: whether a header of the plugin ABI is a grown version of one that was released.

    compat.py FROZEN CURRENT           exit 1, and what is wrong, where a plugin built with FROZEN would not fit CURRENT
    compat.py --layout FROZEN CURRENT  the same of two programs made of offsets.c
    compat.py --grow HEADER OUT        HEADER with one more member at the end of each struct that may have one
    compat.py --proof HEADER           breaks HEADER in each way that matters, and sees that it is noticed

Only text is compared: members of structs with their types in their order, values of constants, typedefs, names of macros.
"""
import os
import re
import subprocess
import sys

# What a plugin and a host compare as values; other macros are compiled into either side.
VALUES = {"PAWL_MAGIC", "PAWL_ABI", "PAWL_PLUGIN_HEAD", "PAWL_PLUGIN_HEAD_PLAIN"}


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def parse(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = text.replace("\\\n", " ")
    macros = {}
    lines = []
    for line in text.split("\n"):
        found = re.match(r"\s*#\s*define\s+(\w+(?:\([^)]*\))?)\s*(.*)", line)
        if found:
            name = re.sub(r"\(.*", "", found.group(1))
            macros[name] = squeeze(found.group(0))
        if not re.match(r"\s*#", line):
            lines.append(line)
    text = "\n".join(lines)
    structs = {}
    for found in re.finditer(r"struct (\w+)\s*\{(.*?)\}", text, flags=re.S):
        structs[found.group(1)] = [squeeze(m) for m in found.group(2).split(";") if m.strip()]
    constants = {}
    for found in re.finditer(r"enum(?: \w+)?\s*\{(.*?)\}", text, flags=re.S):
        for item in found.group(1).split(","):
            if item.strip():
                name, _, value = squeeze(item).partition("=")
                constants[name.strip()] = value.strip()
    typedefs = {squeeze(t) for t in re.findall(r"typedef [^;{}]*;", text)}
    return structs, constants, typedefs, macros


def may_grow(members):
    return "uint32_t size" in members


def compare(frozen, current):
    wrong = []
    structs, constants, typedefs, macros = parse(frozen)
    structs_now, constants_now, typedefs_now, macros_now = parse(current)
    if not structs or not constants:
        return ["nothing was found in the released header"]
    for name, members in structs.items():
        now = structs_now.get(name)
        if now is None:
            wrong.append(f"struct {name} is gone")
            continue
        for i, member in enumerate(members):
            if i >= len(now) or now[i] != member:
                is_now = now[i] if i < len(now) else "nothing"
                wrong.append(f"struct {name}: where `{member}` was is `{is_now}` now; members are only added, at the end")
                break
        if not may_grow(members) and len(now) > len(members):
            wrong.append(f"struct {name} has no size of its own, so it can't grow")
    for name, value in constants.items():
        if constants_now.get(name) != value:
            wrong.append(f"{name} was {value} and is {constants_now.get(name, 'gone')}")
    taken = {}
    for name, value in constants_now.items():
        group = name.rsplit("_", 1)[0]
        if name not in constants and (group, value) in taken:
            wrong.append(f"{name} has the value of {taken[group, value]}")
        taken.setdefault((group, value), name)
    wrong += [f"`{t}` is gone" for t in sorted(typedefs - typedefs_now)]
    for name, text in macros.items():
        if name not in macros_now:
            wrong.append(f"the macro {name} is gone")
        elif name in VALUES and macros_now[name] != text:
            wrong.append(f"the macro {name} means something else")
    return wrong


def grow(text):
    """A member that no plugin knows, behind the last of each struct that carries its size."""

    def add(found):
        members = [squeeze(m) for m in re.sub(r"/\*.*?\*/", " ", found.group(2), flags=re.S).split(";")]
        if not may_grow(members):
            return found.group(0)
        return f"{found.group(1)}{found.group(2)}\tconst void *added_later;\n}}"

    return re.sub(r"(struct \w+\s*\{)(.*?)\}", add, text, flags=re.S)


def layout(frozen, current):
    def run(program):
        out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        return dict(line.rsplit(" ", 1) for line in out.splitlines())

    was, now = run(frozen), run(current)
    wrong = []
    for name, value in was.items():
        is_size = "." not in name
        grows = is_size and f"{name}.size" in was
        if name not in now or (int(now[name]) < int(value) if grows else now[name] != value):
            wrong.append(f"{name} was {value} and is {now.get(name, 'gone')}")
    for name, value in now.items():
        struct = name.split(".")[0]
        if "." in name and name not in was and struct in was and int(value) < int(was[struct]):
            wrong.append(f"{name} stands at {value}, inside of what was released ({was[struct]})")
    return wrong


BREAKS = [
    ("a member with another name", "(*proc_signal)(pawl_proc *, int32_t", "(*proc_other)(pawl_proc *, int32_t"),
    ("a member in the middle", "\tint32_t signal;  ", "\tint32_t extra;\n\tint32_t signal;  "),
    ("a member of another type", "uint64_t cpu_us;", "uint32_t cpu_us;"),
    ("two members that changed places", "const char *id;", "const char *version_;"),
    ("another signature", "void *(*alloc)(pawl_run *, size_t n);", "void *(*alloc)(pawl_run *, int n);"),
    ("another value", "PAWL_E_TIMEOUT = -5", "PAWL_E_TIMEOUT = -6"),
    ("a constant that is gone", "PAWL_CAP_NETWORK = 1u << 2,", ""),
    ("a bit that is taken", "PAWL_CAP_PROVABLE = 1u << 3", "PAWL_CAP_PROVABLE = 1u << 3, PAWL_CAP_NEW = 1u << 3"),
    ("a frozen struct that grows", "\tsize_t len;\n} pawl_str;", "\tsize_t len;\n\tsize_t cap;\n} pawl_str;"),
    ("another magic", "0x4c574150u", "0x4c574151u"),
    ("a typedef that is gone", "typedef struct pawl_proc pawl_proc;", ""),
]


def proof(text):
    wrong = [f"itself: {w}" for w in compare(text, text)]
    wrong += [f"grown: {w}" for w in compare(text, grow(text))]
    if grow(text).count("added_later") < 5 or not compare(grow(text), text):
        wrong.append("a grown header is not told from the one that it grew from")
    for what, old, new in BREAKS:
        if old not in text:
            wrong.append(f"{what}: the header has no `{old}` any more")
        elif not compare(text, text.replace(old, new, 1)):
            wrong.append(f"{what} is not noticed")
    return wrong


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(args):
    if len(args) == 3 and args[0] == "--grow":
        os.makedirs(os.path.dirname(args[2]), exist_ok=True)
        with open(args[2], "w", encoding="utf-8") as file:
            file.write(grow(read(args[1])))
        return 0
    if len(args) == 3 and args[0] == "--layout":
        wrong = layout(args[1], args[2])
    elif len(args) == 2 and args[0] == "--proof":
        wrong = proof(read(args[1]))
    elif len(args) == 2:
        wrong = compare(read(args[0]), read(args[1]))
    else:
        sys.exit(__doc__)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
