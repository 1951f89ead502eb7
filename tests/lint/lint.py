#!/usr/bin/env python3
"""lint: checks of the source itself, each of them a test (ctest -R '^lint').

    lint.py run CHECK --root DIR [--build DIR]    look at a tree: 0 good, 1 problems, 77 skipped
    lint.py prove CHECK                           show that the check finds what it is there for

A check is a module NAME.py next to this file (check_NAME.py) with

    ABOUT             one line
    run(tree)         yields (path, line, message); raises Skip(reason) where it cannot look
    BAD               a list of (files, words): a tree in which run() must find a problem whose
                      text has all of the words
    GOOD              files of a tree in which it must find none

where `files` maps paths to contents.
"""
import argparse
import importlib
import pathlib
import sys
import tempfile

from source import Skip, Tree

CHECKS = ("layers", "knowledge", "headers", "exports", "sizes", "format", "words", "links", "shell", "engine")
SKIPPED = 77


def problems_of(check, tree):
    return [f"{path}:{line}: {message}" for path, line, message in check.run(tree)]


def run(check, root, build):
    problems = problems_of(check, Tree(root, build))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems: {check.ABOUT}")
    return 1 if problems else 0


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def prove(check):
    cases = [(files, words) for files, words in check.BAD] + [(check.GOOD, None)]
    failures = 0
    for number, (files, words) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory(prefix="pawl-lint-") as directory:
            root = pathlib.Path(directory)
            plant(root, files)
            if hasattr(check, "prepare"):
                check.prepare(root)
            found = problems_of(check, Tree(root, root / "build"))
        if words is None:
            good = not found
            wanted = "no problem"
        else:
            good = any(all(word in problem for word in words) for problem in found)
            wanted = "a problem with " + ", ".join(repr(word) for word in words)
        if not good:
            failures += 1
            print(f"tree {number}: wanted {wanted}, found {found or 'none'}")
    print(f"{len(cases) - failures} of {len(cases)} trees judged as they should be")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=("run", "prove"))
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path)
    args = parser.parse_args()
    check = importlib.import_module("check_" + args.check)
    try:
        if args.action == "prove":
            return prove(check)
        if not args.root:
            parser.error("run needs --root")
        return run(check, args.root.resolve(), args.build)
    except Skip as skip:
        print(f"skipped: {skip}")
        return SKIPPED


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
