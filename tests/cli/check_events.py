#!/usr/bin/env python3
"""check_events.py SCHEMA < EVENTS: each line is an event of the schema, with no member that it doesn't know, and their order is
what docs/events.md promises.  Prints how many there were of each; anything wrong ends it with 1."""
import json
import os
import re
import sys
from collections import Counter

TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None)}
KNOWN = {"directory", "$ref", "$schema", "title", "description", "definitions", "oneOf", "const", "enum", "type", "properties",
         "required", "items", "minimum", "pattern"}


def load(path):
    with open(path, encoding="utf-8") as file:
        return {**json.load(file), "directory": os.path.dirname(path)}


def problems(value, schema, root, at="event"):
    """What is wrong with the value; stricter than JSON Schema: a member that isn't described is wrong."""
    unknown = set(schema) - KNOWN
    if unknown:
        return [f"the checker does not know {sorted(unknown)}"]
    if "$ref" in schema and not schema["$ref"].startswith("#"):
        other = load(os.path.join(root["directory"], schema["$ref"]))
        return problems(value, {key: other[key] for key in ("oneOf", "definitions")}, other, at)
    if "$ref" in schema:
        return problems(value, root["definitions"][schema["$ref"].split("/")[-1]], root, at)
    if "oneOf" in schema and isinstance(value, dict):
        kind = value.get("object", value.get("event"))
        named = [s for s in schema["oneOf"] if s.get("$ref") == f"#/definitions/{kind}"]
        if named:
            return problems(value, named[0], root, at)
    if "oneOf" in schema:
        tried = [problems(value, s, root, at) for s in schema["oneOf"]]
        fits = [t for t in tried if not t]
        return [] if len(fits) == 1 else min(tried, key=len) or [f"{at} fits {len(fits)} kinds"]
    found = []
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        found.append(f"{at} is {value!r}, not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is {value!r}, not of {schema['enum']}")
    if "type" in schema and type(value) is not TYPES[schema["type"]]:
        return found + [f"{at} is {value!r}, not of type {schema['type']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at} is {value!r}, which {schema['pattern']} does not match")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at} is {value}, below {schema['minimum']}")
    for name in schema.get("required", []):
        if name not in value:
            found.append(f"{at} has no {name}")
    if "properties" in schema:
        for name, member in value.items():
            if name in schema["properties"]:
                found += problems(member, schema["properties"][name], root, f"{at}.{name}")
            else:
                found.append(f"{at} has {name}, which is not described")
    for i, item in enumerate(value if isinstance(value, list) else []):
        found += problems(item, schema["items"], root, f"{at}[{i}]")
    return found


def no_twins(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a member comes twice: {names}")
    return dict(pairs)


def check_nesting(events):
    """Runs within the run: each begins and ends once, and what is told of it is told in between."""
    going = {}
    for e in events:
        if e["event"] == "subrun_started":
            assert e["path"] not in going, f"{e['path']} begins twice"
            going[e["path"]] = e
        elif "path" in e:
            above, _, own = e["path"].rpartition("/")
            start = going.get(e["path"] if e["event"] == "subrun_ended" else above)
            assert start, f"{e['event']} of {e['path']} outside of its run"
            for name in ("run", "parent_run", "parent_node"):
                assert e[name] == start[name], f"{name} of {e['event']} is not its run's"
            assert "node" not in e or e["node"] == own, f"{e['node']} is not the end of {e['path']}"
            if e["event"] == "subrun_ended":
                del going[e["path"]]
    assert not going, f"{list(going)} did not end"


def who(event):
    """A node of an inner run has its path before its own name; in a loop it begins and ends once an iteration."""
    return event.get("path", event["node"]), event.get("iteration")


def check_ends(events):
    """Each node ends once, and nothing is told of it afterwards."""
    ended = Counter(who(e) for e in events if e["event"] == "node_ended")
    assert all(n == 1 for n in ended.values()), f"ended more than once: {ended}"
    done = set()
    for i, e in enumerate(events):
        if e["event"] in ("node_decided", "node_started", "node_output", "node_retry", "node_paused"):
            assert who(e) not in done, f"{e['event']} of {who(e)} after its end"
        if e["event"] == "node_ended":
            done.add(who(e))
        if e["event"] == "node_failed":
            before = events[i - 1]
            assert before["event"] == "node_ended" and who(before) == who(e), "node_failed without its node_ended"


def check_order(events):
    check_nesting(events)
    check_ends(events)
    events = [e for e in events if "path" not in e]
    names = [e["event"] for e in events]
    if "run_started" in names:
        assert names.count("run_started") == 1 and names[0] == "run_started", "run_started is not the first"
        assert names.count("run_ended") == 1 and names[-1] == "run_ended", "run_ended is not the last"
    if "run_started" in names and not events[0]["plan"] and events[-1].get("state") != "paused":
        ended = {e["node"] for e in events if e["event"] in ("node_ended", "node_paused")}
        listed = [node for node in ended if not node.endswith("]")]
        assert len(listed) == events[0]["nodes"], f"{len(listed)} of {events[0]['nodes']} nodes ended"


def read_lines(data, schema):
    """The objects of NDJSON that meet the schema."""
    assert not data or data.endswith(b"\n"), "the last line has no end"
    found = []
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        value = json.loads(line.decode("utf-8"), object_pairs_hook=no_twins)
        wrong = problems(value, schema, schema)
        assert not wrong, f"line {number}: {wrong}: {line[:200]!r}"
        assert not any(byte < 0x20 for byte in line), f"line {number} has a control character"
        found.append(value)
    return found


def main():
    events = read_lines(sys.stdin.buffer.read(), load(sys.argv[1]))
    check_order(events)
    for name, count in sorted(Counter(e["event"] for e in events).items()):
        print(name, count)


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, ValueError) as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(1)
