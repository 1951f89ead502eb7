"""The engine is tested with a clock that is played, and what is said of reuse is what decide() returns."""
import re

from source import code_only, line_of

ABOUT = "the engine's clock is its world's, and only decide.c gives reasons"
CLOCK = re.compile(r"\b(clock_wall_ms|clock_mono_ms|gettimeofday|timespec_get|time)\s*\(")
CPU_TIME = re.compile(r"\bclock_gettime\s*\(\s*(?!CLOCK_THREAD_CPUTIME_ID\b)")
REASON = re.compile(r"\breason\s*=\s*(REASON_\w+)")


def run(tree):
    for name in tree.files("core/engine", ".c", ".h"):
        code = code_only(tree.read(name))
        for match in CLOCK.finditer(code):
            yield name, line_of(code, match.start()), f"{match.group(1)}() is the kernel's clock, not the world's"
        for match in CPU_TIME.finditer(code):
            yield name, line_of(code, match.start()), "clock_gettime() is the kernel's clock, not the world's"
        if name.endswith("/decide.c"):
            continue
        for match in REASON.finditer(code):
            yield name, line_of(code, match.start()), f"{match.group(1)} is for decide() to give"


BAD = [
    ({"core/engine/a.c": "x = 1;\nx = clock_wall_ms() * 1000;\n"}, ["a.c:2", "clock_wall_ms"]),
    ({"core/engine/a.c": "x = time(NULL);\n"}, ["a.c:1", "time()"]),
    ({"core/engine/a.c": "clock_gettime(CLOCK_REALTIME, &ts);\n"}, ["a.c:1", "clock_gettime"]),
    ({"core/engine/a.c": "d = (struct decision){.reason = REASON_FORCED};\n"}, ["a.c:1", "REASON_FORCED"]),
    ({"core/engine/a.c": "attempt->decision.reason =\n\tREASON_EXPIRED;\n"}, ["a.c:1", "REASON_EXPIRED"]),
]
GOOD = {
    "core/engine/a.c": "/* as clock_wall_ms() does */\nx = world->wall_ms(world->ctx);\n"
    "clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);\nif (reason == REASON_FORCED)\n\tadd_time(x);\n",
    "core/engine/decide.c": "d.reason = REASON_FORCED;\n",
    "core/cli/b.c": "x = clock_wall_ms();\n",
}
