#!/usr/bin/env python3
"""errors: docs/errors.md is what core/cli/embedded/codes.txt says, as a page.

    errors.py CODES PAGE            exit 1 where the page is another
    errors.py --update CODES PAGE   writes it
"""
import sys


def entries(path):
    block = []
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("#"):
            continue
        if line:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def page(path):
    out = [
        "# Error codes",
        "",
        "A code names one kind of problem and keeps its name. `pawl help E-CODE` shows what stands here; every message also says",
        "where, with the values, and what to do. `E-` is an error, `W-` a warning.",
        "",
        "This page is made from `core/cli/embedded/codes.txt` (`tests/docs/errors.py --update`).",
    ]
    for block in entries(path):
        code, rest = block[0], [line.strip() for line in block[1:]]
        out += ["", f"## {code}", ""]
        for line in rest:
            if line.startswith("e.g. "):
                out += ["", "For example: " + line[5:]]
            elif line.startswith("fix: "):
                out += ["", "Fix: " + line[5:]]
            else:
                out.append(line)
    text = "\n".join(out)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text + "\n"


def main(args):
    update = args[:1] == ["--update"]
    codes, target = args[update:]
    wanted = page(codes)
    if update:
        with open(target, "w", encoding="utf-8") as out:
            out.write(wanted)
        return 0
    if open(target, encoding="utf-8").read() == wanted:
        return 0
    print(f"{target} is not what {codes} says: tests/docs/errors.py --update {codes} {target}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
