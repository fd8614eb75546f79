#!/usr/bin/env python3
"""Compare proto/README.md with the .proto files and with the tables of common/codec.

usage: check_proto.py SOURCE_DIRECTORY
       check_proto.py --self-test SOURCE_DIRECTORY    plant faults into copies, each must be found
"""

import pathlib
import re
import sys

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def read(root):
    files = {"readme": root / "proto/README.md", "header": root / "common/codec/codec.h",
             "table": root / "common/codec/codec.c"}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    texts["protos"] = "\n".join(p.read_text(encoding="utf-8") for p in sorted((root / "proto").glob("*.proto")))
    texts["paths"] = (root / "common/service/paths.h").read_text(encoding="utf-8")
    return texts


def size_of(text):
    if text == "0":
        return 0
    number, unit = text.split()
    return int(number) * UNITS[unit]


def readme_types(readme):
    row = re.compile(r"^\| ([A-Z_]+) \| (\d+) \| (\w+) \| ([^|]+) \| ([^|]+) \|", re.M)
    return {m[1]: (int(m[2]), m[3], size_of(m[4].strip()), size_of(m[5].strip())) for m in row.finditer(readme)}


def product(text, constants):
    result = 1
    for factor in text.split("*"):
        factor = factor.strip()
        result *= int(factor) if factor.isdigit() else constants[factor]
    return result


def code_sizes(texts):
    constants = {"KIB": 1 << 10, "MIB": 1 << 20}
    for name, value, shift in re.findall(r"#define (BR_MAX_\w+)\s+\(\(size_t\)(\d+) << (\d+)\)", texts["header"]):
        constants[name] = int(value) << int(shift)
    sizes = {}
    for name, label, body, extra in re.findall(r'\[BR_MSG_(\w+)\] = \{"(\w+)", ([^,]+), ([^}]+)\}', texts["table"]):
        sizes[name] = (label, product(body, constants), product(extra, constants))
    return sizes


def check_types(texts, problems):
    told = readme_types(texts["readme"])
    numbers = {n: int(v) for n, v in re.findall(r"BR_MSG_(\w+) = (\d+)", texts["header"]) if n != "NONE"}
    sizes = code_sizes(texts)
    for name in sorted(set(told) | set(numbers) | set(sizes)):
        if name not in told or name not in numbers or name not in sizes:
            problems.append(f"{name}: in README {name in told}, in codec.h {name in numbers}, in codec.c {name in sizes}")
            continue
        if told[name][0] != numbers[name]:
            problems.append(f"{name}: number {told[name][0]} in README, {numbers[name]} in codec.h")
        if sizes[name] != (name, told[name][2], told[name][3]):
            problems.append(f"{name}: limits {told[name][2:]} in README, {sizes[name]} in codec.c")
        if name != re.sub(r"(?<!^)(?=[A-Z])", "_", told[name][1]).upper():
            problems.append(f"{name}: its message is called {told[name][1]}")
    if len(set(numbers.values())) != len(numbers):
        problems.append("codec.h: a number stands for two types")
    return told


def check_grammar(texts, told, problems):
    grammar = re.search(r"^```\n(.*?)^```", texts["readme"], re.S | re.M)[1]
    said = set(re.findall(r"[CS]:([A-Z_]+)", grammar))
    for name in sorted(said ^ set(told)):
        problems.append(f"{name}: {'no such type, yet' if name in said else 'a type, yet not'} in the grammar")
    rules = set(re.findall(r"^([a-z-]+)\s+=", grammar, re.M))
    for word in re.findall(r"(?<![\w:-])([a-z][a-z-]*)(?![\w:-])", re.sub(r"^;.*$|^[a-z-]+\s+=", "", grammar, flags=re.M)):
        if word not in rules:
            problems.append(f"grammar: no rule called {word}")
    endpoints = set(re.findall(r'"([a-z.]+)"', " ".join(re.findall(r"^;.*$", grammar, re.M))))
    real = set(re.findall(r'"([a-z.]+)"', re.search(r"/// Endpoints inside.*?\. ", texts["paths"], re.S)[0]))
    for name in sorted(endpoints ^ real):
        problems.append(f'endpoint "{name}": in README {name in endpoints}, in paths.h {name in real}')


def check_messages(texts, told, problems):
    messages = set(re.findall(r"^message (\w+)", texts["protos"], re.M))
    rest = re.search(r"^The other messages are parts.*?(?=\n\n)", texts["readme"], re.S | re.M)[0]
    named = {m[1] for m in told.values()} | set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", rest)) - {"The"}
    for name in sorted(messages ^ named):
        problems.append(f"{name}: in the .proto files {name in messages}, in README {name in named}")
    for keyword in ("optional", "map<", "required"):
        if re.search(rf"^\s*{keyword}", texts["protos"], re.M):
            problems.append(f".proto: '{keyword}' is not used here")


def check(texts):
    problems = []
    told = check_types(texts, problems)
    check_grammar(texts, told, problems)
    check_messages(texts, told, problems)
    return problems


FAULTS = [
    ("readme", "| HINT | 10 |", "| HINT | 18 |"),
    ("readme", "| 4 MiB | 0 | 1,000 rows", "| 5 MiB | 0 | 1,000 rows"),
    ("readme", "| 256 B | 256 KiB |", "| 256 B | 512 KiB |"),
    ("readme", "C:STOPPING", "C:STOPING"),
    ("readme", "*S:HINT", ""),
    ("readme", "*( job /", "*( jobs /"),
    ("readme", '; endpoint "work"', '; endpoint "works"'),
    ("readme", "| Heartbeat |", "| HeartBeat |"),
    ("readme", "(NamedValue, ", "("),
    ("header", "BR_MSG_JOB = 31", "BR_MSG_JOB = 38"),
    ("header", "BR_MSG_JOB = 31", "BR_MSG_JOB = 32"),
    ("header", "BR_MSG_STOPPING = 35,", ""),
    ("table", '{"JOB", 4 * MIB', '{"JOB", 3 * MIB'),
    ("table", '{"HINT", 256', '{"HINTS", 256'),
    ("protos", "message Stopping {}", ""),
    ("protos", "message Stopping {}", "message Stopping {}\nmessage Extra {}"),
    ("protos", "  bytes name = 1;", "  optional bytes name = 1;"),
]


def self_test(texts):
    missed = []
    for where, old, new in FAULTS:
        if old not in texts[where] or not check({**texts, where: texts[where].replace(old, new, 1)}):
            missed.append(f"not found: {where}: '{old}' -> '{new}'")
    return missed


def main():
    arguments = sys.argv[1:]
    testing = "--self-test" in arguments
    texts = read(pathlib.Path(arguments[-1]))
    problems = self_test(texts) if testing else check(texts)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" + (f" of {len(FAULTS)} planted faults missed" if testing else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
