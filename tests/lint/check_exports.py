"""What the built objects export: a plugin its one entry, the program nothing."""
import re
import subprocess

from source import Skip, need

ABOUT = "a plugin exports pawl_plugin_v1 only, the program nothing"
ENTRY = "pawl_plugin_v1"


def exported(path):
    out = subprocess.run(
        ["nm", "-D", "--defined-only", "-P", str(path)], capture_output=True, text=True, check=True
    ).stdout
    # A name with a version is libc's own, copied into the program (stdout@GLIBC_2.2.5).
    return sorted(line.split()[0] for line in out.splitlines() if line and "@" not in line.split()[0])


def flags_of(build):
    cache = build / "CMakeCache.txt"
    match = re.search(r"^CMAKE_C_FLAGS:\w+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return match.group(1) if match else ""


def run(tree):
    need("nm", "to list symbols")
    if not tree.build:
        raise Skip("no --build directory")
    if re.search(r"-fsanitize|--coverage", flags_of(tree.build)):
        raise Skip("this build is instrumented, and its runtime exports symbols of its own")
    plugins = sorted((tree.build / "lib/pawl/plugins").glob("*.so"))
    program = tree.build / "bin/pawl"
    if not plugins or not program.exists():
        yield "build", 1, "nothing is built: `ninja program`"
        return
    for plugin in plugins:
        names = exported(plugin)
        for name in names:
            if name != ENTRY:
                yield plugin.name, 1, f"exports `{name}`"
        if ENTRY not in names:
            yield plugin.name, 1, f"does not export `{ENTRY}`"
    for name in exported(program):
        yield "pawl", 1, f"exports `{name}`"


def prepare(root):
    """Builds build/lib/pawl/plugins/*.so and build/bin/pawl out of src/*.c."""
    cc = need("cc", "to build an example")
    plugins = root / "build/lib/pawl/plugins"
    plugins.mkdir(parents=True)
    (root / "build/bin").mkdir(parents=True)
    for source in sorted((root / "src").glob("*.c")):
        if source.stem == "pawl":
            target = ["-Wl,--export-dynamic-symbol=shown", "-o", str(root / "build/bin/pawl")]
        else:
            target = ["-shared", "-fPIC", "-o", str(plugins / f"{source.stem}.so")]
        subprocess.run([cc, str(source), *target], check=True)


_PROGRAM = "int main(void)\n{\n\treturn 0;\n}\n"
_PLUGIN = "int pawl_plugin_v1(void);\nint pawl_plugin_v1(void)\n{\n\treturn 0;\n}\n"
BAD = [
    ({"src/pawl.c": _PROGRAM, "src/x.c": _PLUGIN + "int leaked;\n"}, ["x.so", "`leaked`"]),
    ({"src/pawl.c": _PROGRAM, "src/x.c": "int other;\n"}, ["x.so", "does not export"]),
    ({"src/pawl.c": _PROGRAM + "int shown;\n", "src/x.c": _PLUGIN}, ["pawl:1", "`shown`"]),
    ({"src/pawl.c": _PROGRAM}, ["nothing is built"]),
]
GOOD = {"src/pawl.c": _PROGRAM, "src/x.c": _PLUGIN + "static int kept_to_itself;\n"}
