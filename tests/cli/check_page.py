#!/usr/bin/env python3
"""check_page.py PAGE: the page is well-formed, its links lead somewhere in it, and nothing in it is fetched from elsewhere.
Prints the text of the heading and of the elements that have an id or a class, one a line: "details#n0.completed: ..."."""
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "hr", "img", "link"}
SVG_VOID = {"path", "rect", "circle"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.ids = []
        self.links = []
        self.scripts = 0
        self.wrong = []
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        attrs = dict(attrs)
        if len(names) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])
        self.scripts += tag == "script"
        for name, value in attrs.items():
            if name.startswith("on") or name in ("src", "srcset", "data", "action") or (name == "href" and tag != "a"):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "style" and "url(" in value:
                self.wrong.append(f"a style that fetches: {value}")
        if tag not in VOID:
            self.open.append([tag, attrs, ""])

    def handle_startendtag(self, tag, attrs):
        if tag not in VOID | SVG_VOID:
            self.wrong.append(f"<{tag}/>")

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append(f"</{tag}> within {[name for name, _, _ in self.open]}")
            return
        _, attrs, text = self.open.pop()
        name = tag + (f"#{attrs['id']}" if "id" in attrs else "") + (f".{attrs['class']}" if "class" in attrs else "")
        if name != tag or tag == "h1":
            self.found.append(f"{name}: {' '.join(text.split())}")
        if self.open:
            self.open[-1][2] += " " + text

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    page = Page()
    page.feed(text)
    page.close()
    wrong = page.wrong
    if page.open:
        wrong.append(f"never closed: {[name for name, _, _ in page.open]}")
    if len(set(page.ids)) != len(page.ids):
        wrong.append("an id comes twice")
    wrong += [f"a link to {link}" for link in page.links if not link.startswith("#") or link[1:] not in page.ids]
    if page.scripts != 1:
        wrong.append(f"{page.scripts} scripts, not 1")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        wrong.append("a control character")
    for problem in wrong:
        print(problem, file=sys.stderr)
    print("\n".join(page.found))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
