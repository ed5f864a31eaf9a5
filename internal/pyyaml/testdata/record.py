"""Records what PyYAML's safe loader makes of YAML documents.

Usage: python3 record.py SEED COUNT >cases.jsonl      generated documents
       python3 record.py - <documents.jsonl           documents of one's own,
                                                      one JSON string a line

A line is {"src": text} with either "value" or "error". A value is
[kind, text, line, column], or [kind, items, line, column] for a collection, a
mapping's items being pairs. An error is [line, column, problem], [0, 0, …]
where PyYAML names no place.
"""

import datetime
import json
import random
import sys

import yaml

R = random.Random()

USUAL = [
    "on", "yes", "no", "Off", "true", "TRUE", "tRue", "null", "~", "", "Null", "12", "012", "0x1F", "0b11", "1_000",
    "1e3", "1.0e+3", "1.5E-3", ".5", "-.5", "5.", ".inf", "-.INF", ".nan", "12:30", "1:2:3.5", "190:20:30", "1:99",
    "0", "-0", "+1", "-1", "0o7", "08", "0_7", "1__2", "0.1.2", "1.2.3.4", "v1:2", "123456789012345678901234567890",
    "2020-01-02", "2020-1-2", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05 +1", "2020-01-02 3:04:05.5 -01:30",
    "#x", "a#b", "a #b", "http://x.y/z?a=b&c=d#f", "https://${HOST}:8443/p", "-a", "--- a", "...", "*.*",
    "'a'", '"a"', "it's", "a'b", "[a]", "{a: b}", "a, b", ",a", "äöü", "日本語 テキスト", "🎉 x", "${VAR}", "${A:-b}",
    "%{x}", "a  b", "  lead", "trail  ", "xoxb-1", "#alerts", '"#alerts"', "'#alerts'", "'it''s'", '"a\\nb"',
    '"\\u00e9\\x41\\t\\U0001f389"', "''", '""', "'a\n  b'", '"a\n   b\\\n   c"', '"a\n\n  b"', "'a\n\n\n b'",
    "!!str 12", '!!int "3"', "!!bool yes", "!!null ''", "!!binary aGk=", "!!float 3", "!!timestamp 2020-1-2",
    "a:b", "x:y:z", "::", ":a", "[]", "{}", "[a, b]", "[a, 'b', \"c\", 1]", "{a: 1, b: 2}", "{a: 1, 'b': [1,2]}",
    "[a,\n  b]", "{a: 1,\n   b: 2}", "{a, b: }", "{a: b, }", "[a, ]", "[a: b]", "[{a: b}, [c]]", '{"a":1}', "{a:1}",
    "[a b, c d]", "[http://x/y, z]", "{u: http://x/y}", "! x", "! 12", "y", "n", "Y", "N", "a\u00a0b", "\\n", "a\\b",
]
ODD = [
    "@x", "`x", "%x", "a: b", "a: ", ": a", "a:", "[a", "a]", "&x", "*x", "*", "* x", "&a1 foo", "*a1", "tab\t", "\ta",
    "a\tb", "- a", "? x", "?x", ">", "|", "| x", "|0", "|99", "!x", "!foo x", "!!foo x", '{a: "x"y}', '"q" z', "'q' z",
    "[a,,b]", '["a":1]', "{{ x }}", "{a: {{ x }}}", "x {{ y }}", "-", "=", "<<", "[a?b]", "{u: http://x?y}", "[- a]",
    "{? a : b}", "[? a : b]", "{a: b: c}", "[a: b: c]", '"\\q"', '"\\x4"', '"\\ud800"', "'a", '"a', '"a\\', "2020-13-01",
    "2020-02-30", "2020-01-02 25:00:00", "0b_", "0x_", "0_", "!!int x", "!!bool x", "!!float x", "!!seq a", "!!str [a]",
    "!!set {a}", "!!binary a", "!<tag:yaml.org,2002:str> 1", "!<x", "!e!x y", "!%41 x", "&a-_9 [x]", "&a: b", "[&b x, *b]",
    "!!int 1:2", "!!float 1", "[a]: b", "{a: b}: c", '{"a": b}', "? [a]", "{<<: {a: 1}}", "{<<: [{a: 1}, {a: 2, b: 3}]}",
    "{<<: x}", "{'<<': x}", "{=: x}", "{1: a, 1.0: b, true: c}", "{a: 1, a: 2}", "[a]b", "{}x", "--- |", "a\x85b", "\ufeff",
]
KEYS = ["a", "b", "name", "url", "events", "on_error", "x-y", "'q k'", '"dq"', "k k"]
ODD_KEYS = [
    "${A}", "a.b", "1", "true", "on", "~", "<<", "äö", "*x", "&k key", "a:b", "? k", "[x]", "-", "!!str k", "{x: y}",
    "=", "'<<'", "? |\n  k\n", "1.0", "012", "long" * 260, "!k x", '"a\n b"',
]
LINES = [
    "text", "more text", "  indented", "", "", "# not comment", "key: val", "- item", "\ttab", "trail  ",
    '{ "a": "{{ b }}" }', "   ", "äö", "{% if x %}", "'quote", "--- a", "a\\",
]


def usual_or(usual, odd, rate):
    return R.choice(odd if R.random() < rate else usual)


def key():
    return usual_or(KEYS, ODD_KEYS, 0.02)


def comment():
    return R.choice(["", "", "", "", "  # c", " #c: d"] + ["\t# t"] * (R.random() < 0.05))


def block(n):
    head = R.choice("|>") + usual_or(["", "", "-", "+"], ["2", "1-", "+2", "-1"], 0.15) + R.choice(["", "", " # c"])
    step = R.choice([1, 2, 2, 2, 4])
    lines = [R.choice(LINES) for _ in range(R.randint(0, 5))]
    return head + "\n" + "".join((" " * (n + step) + s if s.strip() or R.random() < 0.3 else s) + "\n" for s in lines)


def folded_plain(n):
    words = ["second", "third", "- five", "#six", "'x'", "seven,", "", "x"]
    lines = [" " * (n + R.choice([1, 2, 3])) + usual_or(words, ["third # c", "fo: ur"], 0.05) for _ in range(R.randint(1, 3))]
    return "first word\n" + "".join(s + "\n" for s in lines)


def value(n, depth):
    r = R.random()
    if depth < 4 and r < 0.22:
        return "\n" + mapping(n + R.choice([1, 2, 2, 2, 3]), depth + 1)
    if depth < 4 and r < 0.38:
        return "\n" + sequence(n + R.choice([0, 2, 2, 2, 4]), depth + 1)
    if r < 0.47:
        return " " + block(n)
    if r < 0.51:
        return " " + folded_plain(n)
    return usual_or([" ", " ", "  "], ["\t", ""], 0.02) + usual_or(USUAL, ODD, 0.07) + comment() + "\n"


def junk(n):
    return R.choice([""] * 6 + ["\n", " " * n + "# c\n", "# c0\n", " " * (n + 3) + "#deep\n", "  \n"] + ["\t\n"] * (R.random() < 0.05))


def mapping(n, depth):
    return "".join(
        junk(n) + " " * n + key() + R.choice([":", ":", ":", ":", " :"]) + value(n, depth) for _ in range(R.randint(1, 4))
    )


def sequence(n, depth):
    text = ""
    for _ in range(R.randint(1, 3)):
        text += junk(n) + " " * n + "-"
        text += " " + mapping(n + 2, depth + 1).lstrip() if R.random() < 0.4 and depth < 4 else value(n, depth)
    return text


def anchored():
    """A document that uses anchors, aliases and merge keys."""
    shared = R.choice(["{a: 1, b: 2}", "[x, y]", "text", "\n  a: 1\n  b: {c: 2}", "!!int 3", ""])
    uses = ["b: *s\n", "b: [*s, *s]\n", "b:\n  <<: *s\n  a: 9\n", "b: {<<: [*s, {a: 4, z: 5}]}\n", "*s : v\n", "b:\n  <<: *s\n  <<: {b: 7}\n"]
    return "a: &s " + shared + "\n" + "".join(R.choice(uses) for _ in range(R.randint(1, 3)))


def document():
    r = R.random()
    text = R.choice([""] * 8 + ["---\n", "--- # c\n", "%YAML 1.1\n---\n", "%TAG !e! tag:yaml.org,2002:\n---\n", "# head\n", "\n", "\ufeff"])
    if r < 0.04:
        text += anchored()
    elif r < 0.86:
        text += mapping(0, 0)
    elif r < 0.95:
        text += sequence(0, 0)
    else:
        text += R.choice(USUAL + ODD) + "\n"
    text += R.choice([""] * 30 + ["...\n", "---\nb: 2\n", "...\n# x\n", "...\n...\n"])
    if R.random() < 0.06:
        text = text.replace("\n", "\r\n")
    if R.random() < 0.1:
        text = text.rstrip("\n")
    if R.random() < 0.08:
        i = R.randrange(len(text) + 1)
        text = text[:i] + R.choice(list("\t \n#'\"-:[]{},\x00\x85\u2028\xa0&*!|>?%@\\\r\x7f")) + text[i:]
    return text


KINDS = {type(None): "null", bool: "bool", int: "int", float: "float", str: "string", bytes: "binary"}


def scalar(data):
    if isinstance(data, (datetime.date, datetime.datetime)):
        return "timestamp", ""
    kind = KINDS[type(data)]
    if kind == "binary":
        return kind, data.decode("latin-1")
    if kind in ("null", "bool"):
        return kind, str(data).lower() if kind == "bool" else ""
    return kind, data if kind == "string" else repr(data)


def tree(loader, node):
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if isinstance(node, yaml.SequenceNode):
        return ["sequence", [tree(loader, n) for n in node.value], line, column]
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        members = {}
        for k, v in node.value:
            name = loader.construct_object(k, deep=True)
            first = members[name][0] if name in members else k
            members[name] = (first, v)
        return ["mapping", [[tree(loader, k), tree(loader, v)] for k, v in members.values()], line, column]
    kind, text = scalar(loader.construct_object(node, deep=True))
    return [kind, text, line, column]


def record(src):
    case = {"src": src}
    try:
        yaml.safe_load(src)
        loader = yaml.SafeLoader(src)
        node = loader.get_single_node()
        case["value"] = tree(loader, node) if node else ["null", "", 0, 0]
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark
        case["error"] = [mark.line + 1, mark.column + 1, e.problem] if mark else [0, 0, e.problem]
    except yaml.reader.ReaderError as e:
        case["error"] = [0, 0, e.reason]
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError) as e:
        case["error"] = [0, 0, type(e).__name__]
    return case


def sources():
    if sys.argv[1] == "-":
        yield from (json.loads(line) for line in sys.stdin)
        return
    R.seed(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        yield document()


if __name__ == "__main__":
    for text in sources():
        print(json.dumps(record(text)))
