"""source: the tree that a check looks at, and just enough of C to tell code from comments and strings."""
import re
import shutil

NOT_OURS = {"build", ".git", ".cache", "__pycache__", "corpus", "node_modules"}


class Skip(Exception):
    """The check can't look; the text says why."""


class Tree:
    def __init__(self, root, build):
        self.root = root
        self.build = build

    def files(self, under, *suffixes):
        """Paths relative to the root, sorted; all files where no suffix is given."""
        top = self.root / under
        if not top.is_dir():
            return []
        found = []
        for path in top.rglob("*"):
            name = path.relative_to(self.root)
            if NOT_OURS & set(name.parts) or not path.is_file() or path.is_symlink():
                continue
            if not suffixes or path.suffix in suffixes:
                found.append(name.as_posix())
        return sorted(found)

    def read(self, name):
        return (self.root / name).read_text(errors="replace")


def need(program, why):
    """The program's path, or Skip."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed ({why})")
    return path


TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>'(?:\\.|[^'\\\n])*')""",
    re.S,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """The text with comments, strings and character constants blanked out; lines keep their numbers."""
    return TOKEN.sub(lambda m: _blank(m.group()), text)


def without_comments(text):
    return TOKEN.sub(lambda m: _blank(m.group()) if m.group("comment") else m.group(), text)


def strings(text):
    """(line, contents) of each string literal; those that C joins are given apart."""
    for match in TOKEN.finditer(text):
        if match.group("string"):
            yield text.count("\n", 0, match.start()) + 1, match.group()[1:-1]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
