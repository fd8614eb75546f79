#!/usr/bin/env python3
"""Check what no compiler does: the length of functions, and words that may not stay.

usage: check_style.py SOURCE_DIRECTORY
       check_style.py --self-test    check planted violations, each must be found
"""

import pathlib
import re
import sys

MAX_FUNCTION_LINES = 70
TOPS = ("common", "services", "tests", "proto", "deploy", "scripts")
TEXTS = {".c", ".h", ".inc", ".proto", ".py", ".sh", ".cmake", ".txt", ".md", ".yaml", ".yml", ".json", ".js", ".mjs", ".css", ".html",
         ".service", ".target", ".conf", ".toml", ""}
# Written so that this file does not hold them itself.
FORBIDDEN = re.compile(r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b|/wor" + r"k/")


def long_functions(path, text):
    """A function begins with a line of its own that is '{' and ends with one that is '}', as clang-format leaves them."""
    lines = text.split("\n")
    opened = None
    for i, line in enumerate(lines):
        if line == "{":
            opened = i
            while opened > 0 and lines[opened - 1].strip() and lines[opened - 1][0] not in "}/#":
                opened -= 1
        elif line == "}" and opened is not None:
            n = i - opened + 1
            if n > MAX_FUNCTION_LINES:
                yield f"{path}:{opened + 1}: a function of {n} lines, at most {MAX_FUNCTION_LINES}"
            opened = None


def check(path, text):
    problems = []
    if path.endswith((".c", ".h", ".inc")):
        problems += long_functions(path, text)
    for i, line in enumerate(text.split("\n"), 1):
        found = FORBIDDEN.search(line)
        if found:
            problems.append(f"{path}:{i}: '{found[0]}' may not stay")
        if line != line.rstrip() and not path.endswith(".md"):
            problems.append(f"{path}:{i}: blanks at the end of the line")
    if text and not text.endswith("\n"):
        problems.append(f"{path}: the last line does not end")
    return problems


def files_of(root):
    yield from (p for p in root.iterdir() if p.is_file() and p.suffix in TEXTS and p.name != ".git")
    for top in TOPS:
        yield from (p for p in (root / top).rglob("*")
                    if p.is_file() and p.suffix in TEXTS and not {"node_modules", "__pycache__"} & set(p.parts))


def check_all(root):
    problems = []
    for path in sorted(files_of(root)):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # data, not text
        problems += check(path.relative_to(root).as_posix(), text)
    return problems


def function_of(n_lines):
    return "static int f(void)\n{\n" + "    g();\n" * (n_lines - 3) + "}\n"


def self_test():
    right = ["", "int a;\n", function_of(70), "// done\n" + function_of(70) + "\n" + function_of(70),
             "struct x {\n" + "    int a;\n" * 100 + "};\n", "network/x\n"]
    wrong = [function_of(71), "int a;\n\n" + function_of(71), "// TO" + "DO: later\n", "/* FIX" + "ME */\n",
             "path = /wor" + "k/x\n", "int a; \n", "int a;"]
    problems = [f"found in what is right: {problem}" for text in right for problem in check("x.c", text)]
    problems += [f"not found: {text[:40]!r}" for text in wrong if not check("x.c", text)]
    return problems


def main():
    testing = "--self-test" in sys.argv[1:]
    problems = self_test() if testing else check_all(pathlib.Path(sys.argv[-1]).resolve())
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
