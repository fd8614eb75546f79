#!/usr/bin/env python3
"""An installation for the tests of the page: a small market in which some names are hostile.

usage: place.py begin STATE    start it; STATE then says where it is
       place.py end STATE      stop and remove it
"""

import csv
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pipeline"))
from installation import Installation, cut_market, simulate  # noqa: E402

DAY = "2024-11-15"
CONFIG = "access: {local_role: operator}\n"
# At most 128 bytes each, the longest name there may be.
HOSTILE_INVESTORS = ["<script>document.title='taken'</script>", "<img src=x onerror=\"document.title='taken'\">",
                     "\u202egnp.rotsevni\u202c \u05d0\u05d1\u05d2 Ltd", "北京\"'&<b>投资</b>有限公司", "=cmd|' /C calc'!A0", "a/b?c#d%2e%2e;e",
                     "W" * 128]
HOSTILE_BOND = "<svg onload=\"document.title='taken'\">/notes/\u202e?#%2e"
HOSTILE_ISSUER = "\u202e<b>issuer</b>\u202c " + "长" * 25


def rows_of(market, name):
    with open(os.path.join(market, name), newline="") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames, list(reader)


def write_rows(market, name, fields, rows):
    with open(os.path.join(market, name), "w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)


def make_hostile(market):
    """The busiest investors, who will be on the lists, and the bond that is issued last get other names."""
    bid_fields, bids = rows_of(market, "bids.csv")
    counts = {}
    for bid in bids:
        counts[bid["investor_id"]] = counts.get(bid["investor_id"], 0) + 1
    busiest = sorted(counts, key=lambda id: (-counts[id], id))
    names = dict(zip(busiest, HOSTILE_INVESTORS))
    bond_fields, bonds = rows_of(market, "bonds.csv")
    last = max(bonds, key=lambda bond: (bond["issue_date"], bond["bond_id"]))
    old_bond = last["bond_id"]
    last["bond_id"], last["issuer_id"] = HOSTILE_BOND, HOSTILE_ISSUER
    write_rows(market, "bonds.csv", bond_fields, bonds)
    for bid in bids:
        bid["investor_id"] = names.get(bid["investor_id"], bid["investor_id"])
        bid["bond_id"] = HOSTILE_BOND if bid["bond_id"] == old_bond else bid["bond_id"]
    write_rows(market, "bids.csv", bid_fields, bids)
    fields, investors = rows_of(market, "investors.csv")
    for investor in investors:
        investor["investor_id"] = names.get(investor["investor_id"], investor["investor_id"])
    write_rows(market, "investors.csv", fields, investors)


def begin(state):
    place = Installation(explainers=1, config=CONFIG)
    with tempfile.TemporaryDirectory(prefix="bookrunner-web-") as root:
        simulate(os.path.join(root, "whole"))
        market = os.path.join(root, "market")
        cut_market(os.path.join(root, "whole"), market, DAY)
        make_hostile(market)
        try:
            place.begin(market)
            place.run("close-day", DAY)
            place.wait_explained()
        except BaseException:
            place.show_logs()
            place.run("down", check=False)
            shutil.rmtree(place.dir, ignore_errors=True)
            raise
    with open(place.path("run", "desk.http")) as file:
        page = f"http://{file.read().strip()}"
    with open(state, "w") as file:
        json.dump({"page": page, "dir": place.dir, "hostile_bond": HOSTILE_BOND, "hostile_investors": HOSTILE_INVESTORS}, file)


def end(state):
    if not os.path.exists(state):
        return
    with open(state) as file:
        place = Installation.__new__(Installation)
        place.dir = json.load(file)["dir"]
    place.run("down", check=False)
    shutil.rmtree(place.dir, ignore_errors=True)
    os.remove(state)


def main():
    what, state = sys.argv[1:]
    end(state)  # what an interrupted run may have left
    if what == "begin":
        if not shutil.which("node") or not (os.environ.get("CHROMIUM") or os.path.exists("/usr/bin/chromium")):
            print("skipped: no node or no chromium")
            return 77
        begin(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
