"""What places.py plays with: random workflows whose nodes write files, as plain data that yields YAML and knows which path is
whose.  A node's paths have its key in them (k3, or the n3 and r3 of its names), and nothing else has.

Nodes are in layers: those that make files in out0, those that change these in place, those that list out0; then the same for out1.
So whoever looks at a directory depends on all that write there, and what it sees is a function of the sources."""
import copy
import re

LIB = r"""# What all bodies have in common.
hang() { [ ! -e "$HOME/slow-$1" ] || { touch "$HOME/reached"; sleep 60; }; }
gate() { # NODE: in the middle of a body
  case $(cat "flags/$1") in
  fail) exit 1 ;;
  retry) if mkdir "$HOME/try-$1" 2>/dev/null; then exit 75; fi; rmdir "$HOME/try-$1" ;;
  esac
  hang "$1"
}
put() { # PATH MODE [APPEND]
  mkdir -p "$(dirname "$1")"
  if [ -n "${3-}" ]; then cat >>"$1"; else rm -f "$1"; cat >"$1"; fi
  chmod "$2" "$1"
}
look() { # PATHS: names and contents
  find "$@" -type f | LC_ALL=C sort | while read -r f; do x=-; if [ -x "$f" ]; then x=x; fi; echo "$f $x $(cksum <"$f")"; done
  find "$@" -type l | LC_ALL=C sort | while read -r f; do echo "$f -> $(cat "$f" 2>/dev/null || echo nothing)"; done
  find "$@" -type d | LC_ALL=C sort
}
"""
SOURCES = "abcdef"
MODES = ("644", "755", "600", "444")
KEY = re.compile(r"(?<![a-z0-9])[knr](\d+)(?![0-9])")
SHAPES = ("file", "dir", "dir", "glob", "glob", "deep", "all", "art", "artdir", "none")


class Node:
    """One node of the top workflow; `kind` says what it is, the rest how."""

    def __init__(self, uid, rng, layer, above, kinds):
        self.uid = uid
        self.layer = layer
        self.kind = rng.choice(kinds)
        self.name = f"n{uid}"
        self.by_name = rng.random() < 0.3
        self.up = [n.uid for n in rng.sample(above, rng.randint(0, min(2, len(above))))] if self.kind != "list" else []
        self.shape = rng.choice(SHAPES)
        self.source = rng.choice(["src", "src", "'src/*.txt'", "src/a.txt"])
        self.mode = rng.choice(MODES)
        self.dirmode = rng.choice([None, None, "750", "555"])
        self.append = rng.random() < 0.3
        self.art = rng.random() < 0.2
        self.links = rng.random() < 0.25
        self.empty = rng.random() < 0.25
        self.says = rng.choice(["all", "tag", "nothing"])
        self.tag = 0
        self.retry = rng.random() < 0.4
        self.when = rng.random() < 0.15
        self.declares = rng.random() < 0.9
        self.keeps = self.kind == "make" and self.shape == "dir" and rng.random() < 0.2
        self.hidden = False
        self.all_done = rng.random() < 0.5
        self.returns = rng.random() < 0.5

    def key(self):
        return self.name if self.by_name else f"k{self.uid}"

    def zone(self):
        return f"out{self.layer}"

    def writes(self):
        key, zone = self.key(), self.zone()
        return {"file": [f"{zone}/{key}.txt"], "dir": [f"{zone}/{key}"], "glob": [f"'{zone}/*.{key}'"],
                "deep": [f"'{zone}/s*/*.{key}'"], "all": [f"'{zone}/**'"], "art": [], "artdir": [f"$ARTIFACTS_DIR/{zone}/{key}"], "none": []}[self.shape]

    def path(self, base):
        """Where the file for one source goes, as bash has it."""
        key, zone = self.key(), self.zone()
        return {"file": f"{zone}/{key}.txt", "dir": f"{zone}/{key}/{base}", "glob": f"{zone}/{base}.{key}", "deep": f"{zone}/sub/{base}.{key}",
                "all": f"{zone}/any/{base}.{key}", "art": f"$ARTIFACTS_DIR/{zone}/{base}.{key}", "artdir": f"$ARTIFACTS_DIR/{zone}/{key}/{base}",
                "none": "/dev/null"}[self.shape]

    def own(self):
        """What others find of it in the project, as `reads` has it, and as bash has it."""
        if self.kind in ("sub", "list", "edit") or self.shape in ("art", "artdir", "none"):
            return None
        return self.writes()[0].replace("s*/*", "sub/*").replace("out0/**", "out0/any").replace("out1/**", "out1/any")

    def can_be_slow(self):
        return self.kind in ("make", "edit", "loop", "fan")


class Model:
    """Sources, files of people, and the workflow; all that a fresh copy of the project has."""

    def __init__(self, rng, count):
        self.src = {c: rng.randint(0, 3) for c in rng.sample(SOURCES, rng.randint(1, 4))}
        self.src.setdefault("a", 0)
        self.items = rng.sample(["x", "y", "z"], rng.randint(1, 3))
        self.flags = {}
        self.hidden = 0
        self.foreign = {"out0/keep": "0\n", "out1/keep": "0\n"}
        self.nodes = []
        self.next = 1
        for layer in (0, 1):
            for _ in range(rng.randint(1, count)):
                self.add(rng, layer)
        self.can_resume = rng.random() < 0.7
        for node in self.nodes:
            node.hidden = not self.can_resume and rng.random() < 0.3

    def add(self, rng, layer):
        makers = [n for n in self.nodes if n.layer <= layer and n.kind != "list" and n.kind != "edit"]
        kinds = ["make"] * 6 + ["list"] * 2 + ["fan", "loop", "sub", "format"]
        if any(n.layer == layer and n.own() for n in makers):
            kinds += ["edit"] * 2
        node = Node(self.next, rng, layer, makers, kinds)
        if node.kind == "edit":
            node.up = [rng.choice([n for n in makers if n.layer == layer and n.own()]).uid]
        if node.kind in ("fan", "loop"):
            node.shape = rng.choice(["glob", "dir", "art", "artdir"] + (["file"] if node.kind == "loop" else []))
        if node.kind == "sub":
            # Its child may have been run by itself: what it made stays where the node is skipped or gone.
            node.when, node.all_done = False, True
            node.shape = rng.choice(["file", "dir", "glob", "art"])
        if node.kind in ("format", "edit", "list"):
            node.shape, node.art = "none", False
        # Two of whose tries one leaves what nobody can tell from what others left; and what it makes is no input of it.
        if node.retry and (node.shape == "art" or node.art):
            node.retry = False
        if node.shape == "all":
            node.up = []
        if node.shape == "all" and any(n.shape == "all" and n.layer == layer for n in self.nodes):
            node.shape = "glob"
        self.next += 1
        self.nodes.append(node)

    def find(self, uid):
        return next((n for n in self.nodes if n.uid == uid), None)

    def keep(self):
        """For going back to it: what is under version control."""
        return copy.deepcopy((self.src, self.items, self.flags, self.nodes))

    def back(self, kept):
        subs = [n for n in self.nodes if n.kind == "sub"]
        self.src, self.items, self.flags, self.nodes = copy.deepcopy(kept)
        self.nodes += [n for n in subs if not self.find(n.uid)]

    # ---- what depends on what ----

    def ups(self, node):
        """Nodes that it depends on, in the order of the workflow."""
        rank = {"edit": 1, "list": 2}

        def place(n):
            return (n.layer, rank.get(n.kind, 0))

        wanted = set(node.up)
        if node.kind == "list":
            wanted |= {n.uid for n in self.nodes if n.layer <= node.layer and n.kind != "list"}
        for n in self.nodes:
            # What changes files in place comes after all that make them, one after the other.
            if node.kind == "edit" and n.layer == node.layer and (place(n) < place(node) or (n.kind == "edit" and n.uid < node.uid)):
                wanted.add(n.uid)
            # The next layer sees the last one as it is when all is done.
            if n.layer < node.layer and n.kind in ("edit", "list"):
                wanted.add(n.uid)
            # Who takes a whole zone is never at work beside others.
            if node.shape == "all" and n.layer == node.layer and n.uid < node.uid and n.kind not in ("edit", "list"):
                wanted.add(n.uid)
            if n.shape == "all" and n.kind == "make" and n.layer == node.layer and n.uid < node.uid:
                wanted.add(n.uid)
        return [n for n in self.nodes if n.uid in wanted and n.uid != node.uid]

    def all_above(self, node, found=None):
        found = {} if found is None else found
        for up in self.ups(node):
            if up.uid not in found:
                found[up.uid] = up
                self.all_above(up, found)
        return found.values()

    # ---- files ----

    def files(self):
        """Path -> text of all but what pawl makes."""
        found = {"lib.sh": LIB, "src/notes.md": "no source\n", "items.json": "[" + ", ".join(f'"{i}"' for i in self.items) + "]\n",
                 "hid/den": f"hidden {self.hidden}\n", ".pawl/workflows/w.yaml": self.yaml()}
        found.update({f"src/{c}.txt": f"{c} {v}\n" for c, v in self.src.items()})
        found.update(self.foreign)
        for node in self.nodes:
            found[f"flags/{node.name}"] = self.flags.get(node.uid, "ok") + "\n"
            if node.kind == "sub":
                found[f".pawl/workflows/child{node.uid}.yaml"] = self.child(node)
            if node.kind == "format":
                found.setdefault(f"doc.k{node.uid}", "some text 0\n")
        return found

    def yaml(self):
        lines = ["name: w", "env: {LC_ALL: C}", "nodes:"]
        if any(n.kind == "fan" for n in self.nodes):
            lines += ["  - {id: items, reads: [items.json], bash: cat items.json}"]
        for node in self.nodes:
            lines += self.node_yaml(node)
        return "\n".join(lines) + "\n"

    def head(self, node, reads, writes, pad="  "):
        lines = []
        ups = self.ups(node)
        deps = [u.name for u in ups] + (["items"] if node.kind == "fan" else []) + ([f"{node.name}-when"] if node.when else [])
        if deps:
            lines.append(f"    depends_on: [{', '.join(deps)}]")
        if any(u.when for u in self.all_above(node)) or node.all_done:
            lines.append("    trigger_rule: all_done")
        if node.when:
            lines.append(f"    when: $%s.output != 'no'" % f"{node.name}-when")
        return lines + (self.fields(node, reads, writes) if node.kind not in ("loop", "sub") else [])

    def fields(self, node, reads, writes):
        lines = []
        if node.declares and not node.hidden:
            lines.append(f"    reads: [{', '.join(['lib.sh', f'flags/{node.name}'] + reads)}]")
        if writes:
            lines.append(f"    writes: [{', '.join(writes)}]")
        if node.keeps:
            lines.append("    clean: false")
        if node.retry:
            lines.append("    retry: {max_attempts: 1, delay_ms: 1}")
        return lines

    def inputs(self, node):
        """What it reads: as `reads` has it, and what bash finds it with."""
        reads = [node.source]
        finds = {"src": "src/*.txt", "src/a.txt": "src/a.txt"}.get(node.source, "src/*.txt")
        for uid in node.up:
            up = self.find(uid)
            if up and up.own():
                reads.append(up.own())
                finds += f" $(find {up.own().strip(chr(39))} -type f 2>/dev/null | sort)"
        return reads, finds

    def node_yaml(self, node):
        lines = []
        if node.when:
            lines += [f"  - {{id: {node.name}-when, reads: [flags/{node.name}], bash: cat flags/{node.name}}}"]
        lines.append(f"  - id: {node.name}")
        body = getattr(self, "body_" + node.kind)(node)
        return lines + body

    def indented(self, lines, pad="      "):
        return [pad + line for line in lines]

    def prints(self, node):
        return {"all": f'echo "$all"', "tag": f"echo tag {node.tag}", "nothing": "true"}[node.says]

    def making(self, node, finds, base):
        """Lines that make the files of a node, one for each source."""
        key, append = node.key(), " append" if node.append or node.shape == "file" else ""
        made = [f"[ -e \"$s\" ] || continue", f"b=$(basename \"$s\" .txt)", "b=${b%%.*}", f"t=\"tag {node.tag} $(cat \"$s\")\"", 'all="$all$b $t;"',
                f'echo "$b $t" | put "{node.path(base)}" {node.mode}{append}' if node.shape != "none" else "true"]
        if node.art:
            made.append(f'echo "$b $t" | put "$ARTIFACTS_DIR/{node.zone()}/more/{base}.{key}" {node.mode}{append}')
        if node.links and node.shape in ("dir", "glob", "deep"):
            path = node.path(f"l-{base}")
            made.append(f'ln -sfn "$(basename "{node.path(base)}")" "{path}"')
        if node.empty and node.shape == "dir":
            made.append(f'mkdir -p "{node.zone()}/{key}/empty-$b"')
        lines = [". ./lib.sh", "all=", "n=0"]
        if node.shape == "dir":
            lines.append(f"mkdir -p {node.zone()}/{key}")
        if node.shape == "artdir":
            lines.append(f'mkdir -p "$ARTIFACTS_DIR/{node.zone()}/{key}"')
        lines += [f"for s in {finds}; do"] + ["  " + line for line in made]
        lines += [f"  n=$((n + 1)); if [ $n = 1 ]; then gate {node.name}; fi", "done", f"if [ $n = 0 ]; then gate {node.name}; fi"]
        if node.dirmode and node.shape == "dir":
            lines.append(f"chmod {node.dirmode} {node.zone()}/{key}")
        return lines

    def body_make(self, node):
        reads, finds = self.inputs(node)
        lines = self.making(node, finds, "$b")
        if node.keeps:
            lines = self.making_more(node, finds)
        if node.hidden:
            lines += ['d=hid; all="$all $(cat ${d}/den)"']
        return self.head(node, reads, node.writes()) + ["    bash: |"] + self.indented(lines + [self.prints(node)])

    def making_more(self, node, finds):
        """As `make` does it: what is there and right stays."""
        place = f"{node.zone()}/{node.key()}"
        return [". ./lib.sh", f"mkdir -p {place}", "all=; names=' '", f"gate {node.name}", f"for s in {finds}; do", '  [ -e "$s" ] || continue',
                '  b=$(basename "$s" .txt); b=${b%%.*}; names="$names$b "', f'  t="$b {node.tag} $(cat "$s")"; all="$all$t;"',
                f'  [ "$(cat {place}/$b 2>/dev/null)" = "$t" ] || {{ rm -rf {place}/$b; echo "$t" >{place}/$b; }}', f"  chmod {node.mode} {place}/$b",
                "done", f"for f in {place}/*; do", '  case $names in *" ${f##*/} "*) ;; *) case $f in */mine*) ;; *) rm -rf "$f" ;; esac ;; esac', "done"]

    def body_format(self, node):
        doc = f"doc.k{node.uid}"
        lines = [". ./lib.sh", f"t=$(tr a-z A-Z <{doc})", f'echo "$t" >{doc}', f"gate {node.name}", f"cat {doc}"]
        return self.head(node, [], [doc]) + ["    bash: |"] + self.indented(lines)

    def body_edit(self, node):
        target = self.find(node.up[0])
        own = target.own() if target else None
        reads = [own] if own else []
        lines = [". ./lib.sh"]
        if own:
            change = f'echo "edited {node.tag}" >>"$f"' if node.append else f'sed -i "s/$/ edited {node.tag}/" "$f"'
            lines += [f"find {own.strip(chr(39))} -type f 2>/dev/null | {{ grep -v mine || true; }} | sort | while read -r f; do {change}; done"]
        return self.head(node, reads, []) + ["    bash: |"] + self.indented(lines + [f"gate {node.name}", f"echo edited {node.tag}"])

    def body_list(self, node):
        lines = [". ./lib.sh", "{ " + f"look {node.zone()}"]
        ups = [u for u in self.ups(node)]
        if any(u.shape in ("art", "artdir") or u.art for u in ups):
            lines.append(f'(cd "$ARTIFACTS_DIR" && [ ! -e {node.zone()} ] || look {node.zone()})')
        lines += ["} >list." + node.key(), f"gate {node.name}", f"cat list.{node.key()}"]
        return self.head(node, [node.zone()], [f"list.{node.key()}"]) + ["    bash: |"] + self.indented(lines)

    def body_fan(self, node):
        reads, finds = self.inputs(node)
        fan = ["    fan_out: {items: $items.output, as: item, max_parallel: %d}" % (1 if node.tag % 2 else 5)]
        lines = ["it=$INPUTS.item"] + self.making(node, finds, "$it-$b")
        return self.head(node, reads, node.writes()) + fan + ["    bash: |"] + self.indented(lines + [self.prints(node)])

    def body_loop(self, node):
        reads, finds = self.inputs(node)
        member = ["      - id: step"] + ["    " + line for line in self.fields(node, reads, node.writes())]
        lines = [f"i=$LOOP_PREV.step.output; i=${{i##* }}; i=$((${{i:-0}} + 1))"]
        lines += self.making(node, finds, "$i-$b" if not node.append else "$b")
        count = 2 + node.tag % 2
        lines += [f'if [ $i = {count} ]; then echo "enough $i"; else echo "more $i"; fi']
        group = ["    loop_group:", "      max_iterations: 5", "      until: enough", "      nodes:"]
        return self.head(node, [], []) + group + ["  " + line for line in member] + ["          bash: |"] + self.indented(lines, " " * 12)

    def body_sub(self, node):
        given = "sub"
        ups = self.ups(node)
        if ups and node.returns:
            given = f"${ups[0].name}.state"
        return self.head(node, [], []) + [f"    workflow: child{node.uid}", f"    with: {{i: {given}}}"]

    def child(self, node):
        maker = copy.copy(node)
        maker.kind, maker.when, maker.all_done, maker.up, maker.keeps, maker.hidden = "make", False, False, [], False, False
        reads, finds = [node.source], {"src/a.txt": "src/a.txt"}.get(node.source, "src/*.txt")
        lines = [f"name: child{node.uid}", "inputs: {i: {type: string, default: none}}", "returns: " + ("make" if node.returns else "see"), "nodes:", "  - id: make"]
        lines += self.fields(maker, reads, maker.writes()) + ["    bash: |"]
        lines += self.indented(self.making(maker, finds, "$b") + [self.prints(node), "echo $INPUTS.i"])
        look = f"look {maker.writes()[0].strip(chr(39))} | grep -v mine" if maker.writes() else '(cd "$ARTIFACTS_DIR" && look .)'
        see_reads = maker.writes() if maker.writes() else []
        lines += ["  - id: see", "    depends_on: make", f"    reads: [lib.sh, {', '.join(see_reads)}]".replace(", ]", "]"), "    bash: |"]
        return "\n".join(lines + self.indented([". ./lib.sh", look + " || true"])) + "\n"
