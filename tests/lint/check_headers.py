"""Each header compiles alone as C11; the SDK's also as C++17 and C++20, with every warning on."""
import subprocess

from source import need

ABOUT = "headers compile alone"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def lua_flags():
    try:
        out = subprocess.run(
            ["pkg-config", "--cflags", "lua5.4"], capture_output=True, text=True, check=True
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []
    return out


def compile_alone(tree, name, compiler, language, standard, flags):
    done = subprocess.run(
        [compiler, "-x", language, f"-std={standard}", "-fsyntax-only", *WARNINGS, *flags, "-include",
         str(tree.root / name), "/dev/null"],
        capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line]
        yield name, 1, f"as {standard}: {lines[0] if lines else done.stderr}"


def run(tree):
    cc = need("cc", "to compile headers")
    core_flags = ["-D_GNU_SOURCE", f"-I{tree.root}/core", f"-I{tree.root}/sdk/include", *lua_flags()]
    for name in tree.files("core", ".h"):
        yield from compile_alone(tree, name, cc, "c", "c11", core_flags)
    sdk = [name for name in tree.files("sdk/include", ".h")]
    sdk_flags = [f"-I{tree.root}/sdk/include"]
    for name in sdk:
        yield from compile_alone(tree, name, cc, "c", "c11", sdk_flags)
        cxx = need("c++", "to compile the SDK as C++")
        for standard in ("c++17", "c++20"):
            yield from compile_alone(tree, name, cxx, "c++", standard, sdk_flags)


BAD = [
    ({"core/base/a.h": "size_t a(void);\n"}, ["core/base/a.h", "as c11", "size_t"]),
    (
        {"sdk/include/pawl/p.h": "struct p { int class; };\n"},
        ["sdk/include/pawl/p.h", "as c++17"],
    ),
]
GOOD = {
    "core/base/a.h": "#include <stddef.h>\nsize_t a(void);\n",
    "core/data/b.h": '#include "base/a.h"\n',
    "sdk/include/pawl/p.h": "#include <stdint.h>\nstruct p { uint32_t size; };\n",
}
