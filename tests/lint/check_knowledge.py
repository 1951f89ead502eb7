"""core/ knows no node type.  Only the lexer of bash and the table of binding languages may name it; what people read (a
comment, a sentence or a YAML line in a message) may show `bash:` as an example."""
import re

from source import code_only, line_of, strings

ABOUT = "nothing under core/ knows the node type bash"
MAY_KNOW = re.compile(r"core/data/(bashlex\w*|bind|bind_languages)\.[ch]$")
WORD = re.compile(r"\w*bash\w*", re.I)


def run(tree):
    for name in tree.files("core", ".c", ".h"):
        if MAY_KNOW.match(name):
            continue
        text = tree.read(name)
        code = code_only(text)
        for match in WORD.finditer(code):
            yield name, line_of(code, match.start()), f"the identifier `{match.group()}`"
        for line, literal in strings(text):
            # A literal without a space is a key, a name or a path, that is: knowledge.
            if WORD.search(literal) and " " not in literal.strip():
                yield name, line, f'the string "{literal}"'


BAD = [
    ({"core/engine/a.c": "int f(void)\n{\n\treturn is_bash();\n}\n"}, ["a.c:3", "is_bash"]),
    ({"core/cli/a.c": 'x = str_is(key, "bash");\n'}, ["a.c:1", '"bash"']),
    ({"core/cli/a.c": 'x = "/bin/bash";\n'}, ["/bin/bash"]),
    ({"core/plug/a.c": '#define A "pawl_bash.so"\n'}, ["pawl_bash.so"]),
    ({"core/data/bind_payload.c": "enum { FOR_BASH };\n"}, ["FOR_BASH"]),
]
GOOD = {
    "core/engine/a.c": '/* as bash does */\nhelp("write `bash: echo hello`"); // bash\n',
    "core/data/bashlex.c": 'struct bash x = {"bash"};\n',
    "core/data/bind_languages.h": "extern const struct l bind_bash;\n",
    "plugins/bash/bash.c": 'x = "bash";\n',
}
