"""A file of core/ includes its own layer and lower ones; a plugin sees the SDK and its own directory."""
import posixpath
import re

from source import line_of, without_comments

ABOUT = "includes go down the layers only; plugins see the SDK only"
LAYERS = ("base", "sys", "data", "store", "model", "plug", "engine", "cli")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
SDK = "pawl/pawl_plugin.h"


def includes(text):
    for match in INCLUDE.finditer(without_comments(text)):
        yield line_of(text, match.start()), match.group(1), match.group(2)


def check_core(tree, name, layer):
    own = LAYERS.index(layer)
    for line, _, target in includes(tree.read(name)):
        first = target.split("/")[0]
        if "/" in target and first in LAYERS and (tree.root / "core" / target).exists():
            if LAYERS.index(first) > own:
                yield name, line, f'layer {layer} includes "{target}" of the higher layer {first}'
        elif target.startswith("..") and name.startswith("core/"):
            yield name, line, f'"{target}" is not named from core/'


def check_plugin(tree, name):
    for line, quote, target in includes(tree.read(name)):
        if target == SDK:
            continue
        if quote == '"':
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            if path.startswith("plugins/") and (tree.root / path).exists():
                continue
            yield name, line, f'a plugin includes "{target}", which is not the SDK\'s'
        elif (tree.root / "core" / target).exists() and target.split("/")[0] in LAYERS:
            # <sys/...> is libc's too: only what we really have there is ours.
            yield name, line, f"a plugin includes <{target}> of core/"


def check_sdk(tree, name):
    for line, quote, target in includes(tree.read(name)):
        if quote == '"' or "/" in target:
            yield name, line, f"the SDK includes {target}: the C standard's headers only"


def run(tree):
    for layer in LAYERS:
        for name in tree.files(f"core/{layer}", ".c", ".h"):
            yield from check_core(tree, name, layer)
        for level in ("unit", "component"):
            for name in tree.files(f"tests/{level}/{layer}", ".c", ".h"):
                yield from check_core(tree, name, layer)
    for name in tree.files("core", ".c", ".h"):
        if name.split("/")[1] not in LAYERS:
            yield name, 1, "this directory of core/ is not a layer"
    for name in tree.files("plugins", ".c", ".h"):
        yield from check_plugin(tree, name)
    for name in tree.files("sdk/include", ".h"):
        yield from check_sdk(tree, name)


BAD = [
    (
        {"core/base/a.c": '#include "data/b.h"\n', "core/data/b.h": ""},
        ["core/base/a.c:1", "higher layer data"],
    ),
    (
        {"tests/unit/data/test_a.c": '\n#include "engine/b.h"\n', "core/engine/b.h": ""},
        ["tests/unit/data/test_a.c:2", "higher layer engine"],
    ),
    ({"core/base/a.c": '#include "../data/b.h"\n'}, ["not named from core/"]),
    ({"core/extra/a.c": ""}, ["core/extra/a.c", "not a layer"]),
    (
        {"plugins/x/x.c": '#include "base/str.h"\n', "core/base/str.h": ""},
        ["plugins/x/x.c:1", "not the SDK's"],
    ),
    (
        {"plugins/x/x.c": "#include <base/str.h>\n", "core/base/str.h": ""},
        ["plugins/x/x.c:1", "of core/"],
    ),
    ({"sdk/include/pawl/x.h": "#include <sys/types.h>\n"}, ["standard's headers only"]),
]
GOOD = {
    "core/data/a.c": '#include "data/a.h"\n#include <sys/stat.h>\n#include "base/b.h"\n'
    '/*\n#include "engine/c.h"\n*/\n',
    "core/data/a.h": "",
    "tests/unit/data/test_a.c": '#include "../../component/sys/help.h"\n',
    "core/base/b.h": "",
    "core/engine/c.h": '#include "data/a.h"\n',
    "plugins/x/x.c": '#include <pawl/pawl_plugin.h>\n#include "x.h"\n#include "../common/y.h"\n'
    "#include <lua.h>\n#include <sys/stat.h>\n",
    "plugins/x/x.h": "",
    "plugins/common/y.h": "",
    "sdk/include/pawl/pawl_plugin.h": "#include <stdint.h>\n",
}
