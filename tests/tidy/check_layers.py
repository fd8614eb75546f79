#!/usr/bin/env python3
"""Check that every module includes only what its layer may use.

usage: check_layers.py SOURCE_DIRECTORY
       check_layers.py --self-test    check planted violations, each must be found
"""

import pathlib
import re
import sys

# What a module may include besides itself. common/CMakeLists.txt links by the same table.
LAYERS = {
    "base": set(),
    "linalg": {"base"},
    "input": {"base", "market", "itembased"},
    "market": {"base", "linalg"},
    "metrics": {"base", "linalg"},
    "itembased": {"base", "linalg", "metrics"},
    "model": {"base", "linalg", "market", "metrics", "itembased"},
    "rank": {"base", "linalg", "market", "model"},
    "explain": {"base", "linalg", "market", "model"},
    "attribution": {"base", "linalg", "market", "model"},
    "codec": {"base", "market", "metrics", "itembased", "model", "explain"},
    "transport": {"base"},
    "store": {"base", "market", "itembased", "model", "codec"},
    "pipeline": {"base", "linalg", "input", "market", "metrics", "itembased", "model", "rank", "explain", "attribution", "codec", "store"},
    "service": {"base", "codec", "transport", "model", "explain"},  # the last two: options in the configuration
}

# The only modules that include a library's header.
WRAPPED = [
    (r"cblas\.h|f77blas\.h|openblas", {"linalg"}),
    (r"zmq|czmq", {"transport"}),
    (r"lmdb\.h", {"store"}),
    (r".*\.pb-c\.h|protobuf-c/", {"codec"}),
    (r"csv\.h|jansson|iconv\.h", {"input"}),
    (r"microhttpd", {"service"}),
    (r"sodium", {"base", "transport"}),
    (r"Random123/", {"base"}),
    (r"cyaml", {"input", "service"}),
]

# Same inputs, same bytes: no files, sockets, clocks, environment, no randomness of the process.
PURE = {"market", "metrics", "itembased", "model", "rank", "explain", "attribution"}
IMPURE_HEADER = re.compile(r"time\.h|unistd\.h|fcntl\.h|signal\.h|dirent\.h|sys/(?!types\.h)|net|arpa/|base/(clock|log)\.h")
IMPURE_CALL = re.compile(r"\b(fopen|fread|fwrite|getenv|secure_getenv|setenv|rand|srand|random|time|clock_gettime|"
                         r"printf|fprintf|puts|setlocale)\s*\(")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def owner(path):
    """(is a service, name) of a source file."""
    parts = path.split("/")
    return parts[0] == "services", parts[1]


def check_include(path, quote, name, files, problems):
    service, module = owner(path)
    allowed_libraries = [places for pattern, places in WRAPPED if re.match(pattern, name)]
    for places in allowed_libraries:
        if service or module not in places:
            problems.append(f"{path}: <{name}> belongs to {', '.join(sorted(places))}")
    if not service and module in PURE and IMPURE_HEADER.match(name):
        problems.append(f"{path}: {module} is pure and includes {name}")
    if not service and module != "service" and name == "base/log.h" and path != "common/base/log.c":
        problems.append(f"{path}: libraries do not log")
    if quote != '"' or allowed_libraries:
        return
    if "/" not in name:
        if str(pathlib.PurePosixPath(path).parent / name) not in files:
            problems.append(f'{path}: "{name}" is not beside it')
        return
    used = name.split("/")[0]
    if used not in LAYERS:
        problems.append(f'{path}: "{name}" belongs to no module')
    elif not service and used != module and used not in LAYERS[module]:
        problems.append(f"{path}: {module} may not use {used}")
    elif f"common/{name}" not in files and f"common/{name}.in" not in files:
        problems.append(f'{path}: "{name}" does not exist')
    elif (service or used != module) and "Not for other modules" in files.get(f"common/{name}", ""):
        problems.append(f'{path}: "{name}" is for {used} alone')


def check(files):
    """files: {path: text} of the sources under common and services."""
    problems = []
    for path, text in sorted(files.items()):
        service, module = owner(path)
        if not service and module not in LAYERS:
            problems.append(f"{path}: the module {module} has no layer")
            continue
        for quote, name in INCLUDE.findall(text):
            check_include(path, quote, name, files, problems)
        if not service and module in PURE:
            for call in IMPURE_CALL.findall(COMMENT.sub("", text)):
                problems.append(f"{path}: {module} is pure and calls {call}()")
    return problems


def read(root):
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for top in ("common", "services") for path in (root / top).glob("*/*") if path.suffix in (".c", ".h", ".inc", ".in")}


RIGHT = {
    "common/base/status.h": "",
    "common/base/log.h": "",
    "common/base/log.c": '#include "base/log.h"\n',
    "common/codec/rows.h": "",
    "common/codec/wire.h": "/// Not for other modules.",
    "common/codec/rows.c": '#include "codec/wire.h"\n#include "rows.pb-c.h"\n#include "base/status.h"\n',
    "common/model/model.h": '#include "base/status.h"\n// time() is not called\n',
    "common/model/parts.h": "",
    "common/model/model.c": '#include "parts.h"\n#include <math.h>\nconst char *t = "time(";\n',
    "common/rank/rank.h": "",
    "common/service/service.c": '#include "base/log.h"\n#include <microhttpd.h>\n',
    "services/ranker/main.c": '#include "codec/rows.h"\n#include "ranker.h"\n#include "base/log.h"\n',
    "services/ranker/ranker.h": "",
}

WRONG = [
    ("common/base/new.c", '#include "model/model.h"'),
    ("common/model/new.c", '#include "rank/rank.h"'),
    ("common/model/new.c", '#include "base/log.h"'),
    ("common/model/new.c", "#include <time.h>"),
    ("common/model/new.c", "#include <sys/stat.h>"),
    ("common/model/new.c", 'FILE *f = fopen("x", "r");'),
    ("common/model/new.c", "long t = time(NULL);"),
    ("common/model/new.c", '#include "absent.h"'),
    ("common/model/new.c", '#include "base/absent.h"'),
    ("common/explain/new.c", '#include "rank/rank.h"'),
    ("common/attribution/new.c", '#include "explain/explain.h"'),
    ("common/attribution/new.c", "long t = time(NULL);"),
    ("common/rank/new.c", "  #  include <cblas.h>"),
    ("common/store/new.c", "#include <zmq.h>"),
    ("common/store/new.c", '#include "base/log.h"'),
    ("common/store/new.c", '#include "codec/wire.h"'),
    ("common/store/new.c", '#include "rows.pb-c.h"'),
    ("common/codec/new.c", '#include "store/ledger.h"'),
    ("common/service/new.c", "#include <jansson.h>"),
    ("common/transport/new.c", '#include "codec/rows.h"'),
    ("common/new/new.c", ""),
    ("services/ranker/new.c", "#include <lmdb.h>"),
    ("services/ranker/new.c", "#include <jansson.h>"),
    ("services/ranker/new.c", '#include "codec/wire.h"'),
    ("services/trainer/new.c", '#include "ranker/ranker.h"'),
    ("services/trainer/new.c", '#include "ranker.h"'),
]


def self_test():
    problems = [f"found in what is right: {problem}" for problem in check(RIGHT)]
    for path, text in WRONG:
        if not check({**RIGHT, path: text}):
            problems.append(f"not found: {path}: {text}")
    return problems


def main():
    testing = "--self-test" in sys.argv[1:]
    problems = self_test() if testing else check(read(pathlib.Path(sys.argv[-1])))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" + (f" with {len(WRONG)} planted violations" if testing else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
