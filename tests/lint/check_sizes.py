"""How long files and functions are.  Length is no fault of its own; it is where a second purpose crept in."""
import re

from source import code_only, line_of

ABOUT = "files and functions are of a size that is read at one go"
MAX_FUNCTION = 60
# Where, lines a file may have.  A test file is a list of cases that nobody reads from top to bottom.
MAX_FILE = (("tests/", 900), ("", 600))
# What may be longer, and why: "FILE" or "FILE:FUNCTION" -> the reason.
LONGER = {}
# A table in a function is data: its rows are not read as steps.
TABLE = re.compile(
    r"^\t+(?:static )?const (?:struct[ \t\n]*\{[^{}]*\})?[^;{}=]*=[ \t\n]*\{.*?^\t*[^\n;]*\};$", re.M | re.S)
FUNCTION = re.compile(r"^(?!(?:struct|enum|union|extern)\b[^()]*$)[A-Za-z_][^;{}=#]*\)[^;{}=]*\n\{", re.M)


def functions(text):
    """(name, first line, count of lines) of each function whose brace stands at the start of a line."""
    code = code_only(text)
    for match in FUNCTION.finditer(code):
        end = code.find("\n}", match.end() - 1)
        if end < 0:
            continue
        names = re.findall(r"(\w+)\s*\(", match.group())
        # The outermost name before a parenthesis: `int f(void)`, not an attribute's.
        names = [name for name in names if name != "__attribute__"]
        body = code[match.end():end]
        rows = sum(table.group().count("\n") for table in TABLE.finditer(body))
        yield names[0] if names else "?", line_of(code, match.end() - 1), body.count("\n") - rows


def run(tree):
    names = [n for d in ("core", "plugins", "sdk", "tests") for n in tree.files(d, ".c", ".h", ".py", ".sh")]
    for name in names:
        text = tree.read(name)
        most = next(count for prefix, count in MAX_FILE if name.startswith(prefix))
        lines = text.count("\n")
        if lines > most and name not in LONGER:
            yield name, 1, f"{lines} lines, more than {most}"
        if not name.endswith((".c", ".h")):
            continue
        for function, line, count in functions(text):
            if count > MAX_FUNCTION and f"{name}:{function}" not in LONGER:
                yield name, line, f"{function} has {count} lines, more than {MAX_FUNCTION}"


def _function(lines):
    return "static int f(int a,\n\tint b)\n{\n" + "\ta++;\n" * lines + "}\n"


BAD = [
    ({"core/base/a.c": "int a;\n" * 601}, ["core/base/a.c", "601 lines"]),
    ({"tests/unit/base/test_a.c": "int a;\n" * 901}, ["901 lines"]),
    ({"core/base/a.c": "int a;\n\n" + _function(61)}, ["a.c:5", "f has 61 lines"]),
    ({"plugins/x/a.c": "void g(void)\n{\n" + "\ta(); /* { */\n" * 70 + "}\n"}, ["g has 70 lines"]),
]
GOOD = {
    "core/base/a.c": _function(60) + "\nstatic const struct t table[] = {\n" + "\t{1},\n" * 80 + "};\n"
    + "void h(void)\n{\n\tstatic const struct t rows[] = {\n" + "\t\t{1, {2}},\n" * 80 + "\t};\n\ta();\n}\n"
    + "struct s {\n" + "\tint a;\n" * 90 + "};\n" + _function(3),
}
