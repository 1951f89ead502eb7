"""Relative links of Markdown files lead to files that are there, and `#part` to a heading."""
import re
import urllib.parse

ABOUT = "links of the documents resolve"
FENCE = re.compile(r"^(```|~~~).*?^\1[^\S\n]*$", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.M)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.M)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def anchors(text):
    """As the common hosts make them: lower case, spaces to hyphens, punctuation dropped, -1 for the second."""
    found = set()
    for match in HEADING.finditer(FENCE.sub(blank, text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        unique, number = slug, 0
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    for match in re.finditer(r"<a\s+(?:id|name)=\"([^\"]+)\"", text):
        found.add(match.group(1))
    return found


def check_target(tree, name, target):
    path, _, part = target.partition("#")
    path = urllib.parse.unquote(path)
    here = tree.root / name
    there = here if not path else (tree.root / path.lstrip("/") if path.startswith("/") else here.parent / path)
    if not there.exists():
        return f"`{target}` leads nowhere"
    if not there.resolve().is_relative_to(tree.root.resolve()):
        return f"`{target}` leads out of the tree"
    if part and there.suffix == ".md" and part.lower() not in anchors(there.read_text()):
        return f"`{target}`: there is no heading `#{part}`"
    return None


def run(tree):
    for name in tree.files(".", ".md"):
        text = tree.read(name)
        plain = CODE.sub(blank, FENCE.sub(blank, text))
        for match in LINK.finditer(plain):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            problem = check_target(tree, name, target)
            if problem:
                yield name, plain.count("\n", 0, match.start()) + 1, problem


BAD = [
    ({"docs/a.md": "\n[b](b.md)\n"}, ["docs/a.md:2", "`b.md` leads nowhere"]),
    ({"a.md": "# One\n[x](#two)\n"}, ["a.md:2", "no heading `#two`"]),
    ({"a.md": "[x]: docs/\n[y](b.md#c)", "b.md": "```\n# c\n```\n"}, ["b.md#c"]),
    ({"a.md": "[x]: gone.md\n"}, ["gone.md"]),
    ({"a.md": "[x](../outside)\n"}, ["../outside"]),
]
GOOD = {
    "a.md": "# `run` it, now\n[x](#run-it-now) [y](docs/b.md#b-1) [z](https://example.org/a)\n"
    "```\n[n](nowhere)\n```\n`[n](nowhere)` [d](docs)\n",
    "docs/b.md": "# B\n## B\n[up](../a.md)\n",
}
