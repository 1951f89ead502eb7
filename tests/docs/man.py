"""man: mandoc finds nothing to say about the manual pages, and they name each other rightly.  77: mandoc is missing."""
import pathlib
import re
import shutil
import subprocess
import sys

pages = sorted(pathlib.Path(sys.argv[1]).glob("*.[1-9]"))
if not pages:
    sys.exit("there are no manual pages")
if not shutil.which("mandoc"):
    print("skipped: mandoc is missing (apt-get install mandoc)")
    sys.exit(77)
problems = []
names = {page.name for page in pages}
for page in pages:
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "style", page], capture_output=True, text=True, check=False)
    # Whether the pages that it names are installed is no matter of the page; that they are there is looked at below.
    problems += [line for line in (done.stdout + done.stderr).splitlines() if "referenced manual not found" not in line]
    for name, section in re.findall(r"^\.(?:It )?Xr (pawl[\w-]*) (\d)", page.read_text(), re.M):
        if f"{name}.{section}" not in names:
            problems.append(f"{page}: there is no {name}.{section}")
print(*problems, sep="\n")
sys.exit(bool(problems))
