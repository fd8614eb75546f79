"""Explanations of both objectives have the same bytes with one explainer and with sixteen, and from every build that is named: the arguments
are further bin directories. The snapshot is that of the first run."""

import os
import shutil
import sys
import tempfile

import installation
from installation import Installation, simulate

WORKERS = (1, 16)
OBJECTIVES = ("plain", "backed")


def digest(market, models, objective, workers):
    config = f"ranking: {{objective: {objective}, certify: true}}\nwork: {{credit: 1}}\n"
    with Installation(explainers=workers, config=config) as place:
        place.begin(market, models)
        place.run("rank", "--test")
        place.wait_explained()
        return {key: value for key, value in place.digest().items() if key[0] == "backtest explanations"}


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-bytes-")
    market, models = os.path.join(root, "market"), os.path.join(root, "models")
    simulate(market)
    builds = [installation.BIN, *sys.argv[1:]]
    for objective in OBJECTIVES:
        expected = None
        for build in builds:
            installation.BIN = build
            for workers in WORKERS if build == builds[0] else WORKERS[:1]:
                got = digest(market, models, objective, workers)
                expected = expected or got
                assert len(got) > 50, len(got)
                other = [key for key in expected if got.get(key) != expected[key]]
                assert got == expected, f"{objective}, {workers} explainers, {build}: {len(other)} of {len(got)} have other bytes"
                print(f"{objective}: {len(got)} lists explained alike by {workers} of {build}", flush=True)
    shutil.rmtree(root)


main()
