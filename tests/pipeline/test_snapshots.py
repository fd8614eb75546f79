"""Days closed before a snapshot can be used are ranked once there is one, once, whatever was killed meanwhile; a snapshot that was learned under
another schema ends no process and is not asked for more."""

import csv
import json
import os
import shutil
import tempfile
import urllib.request

from installation import Installation, cut_market, simulate

DAYS = ["2024-10-01", "2024-10-08"]


def ranked(place):
    head = place.stores()["ledger_head"]
    return place.wait("the ledger worked", lambda s: s["ranker_offset"] >= head and s["todo"] == 0)


def lists(place):
    return {key: value for (what, key), value in place.digest().items() if what == "list"}


def restart_ranker(place):
    old = place.processes()["ranker"]["pid"]
    place.kill("ranker")
    place.wait("the ranker started again", lambda _: place.processes()["ranker"]["pid"] not in (0, None, old))
    place.wait_ready()


def before_the_first(place, market):
    place.run("import", market)
    place.run("close-day", DAYS[0], "--no-wait")
    assert ranked(place)["lists"] == 0
    restart_ranker(place)
    place.run("train", "--seed", "7")
    place.wait("upcoming bonds ranked with the first snapshot", lambda s: s["lists"] > 0)
    ranked(place)
    return lists(place)


def restarted(place, expected):
    """A snapshot that came after the day was worked moves nothing, and neither does a restart."""
    place.run("train", "--seed", "8", "--force")
    restart_ranker(place)
    ranked(place)
    assert lists(place) == expected, "a restart made other lists"


def another_schema(place, market):
    """The last bond feature is dropped: the served snapshot no longer fits, the next one does."""
    with open(os.path.join(market, "schema.yaml")) as file:
        lines = file.read().split("\n")
    begin = lines.index("bond_features:") + 1
    end = next(i for i in range(begin, len(lines)) if lines[i] and not lines[i].startswith(" "))
    last = max(i for i in range(begin, end) if lines[i].lstrip().startswith("- "))
    kept = [line for line in lines[:last] + lines[end:] if not line.startswith(("revision:", "activity_of:"))]
    with open(os.path.join(market, "schema.yaml"), "w") as file:
        file.write("revision: 1\n" + "\n".join(kept))
    before = {name: process["pid"] for name, process in place.processes().items()}
    count = place.stores()["lists"]
    place.run("import", market, check=False)
    place.run("close-day", DAYS[1], "--no-wait")
    assert ranked(place)["lists"] == count, "a snapshot of another schema ranked"
    assert place.run("rank", check=False).returncode == 1
    place.run("train", "--seed", "9")
    place.wait("upcoming bonds ranked under the new schema", lambda s: s["lists"] > count)
    ranked(place)
    after = {name: process["pid"] for name, process in place.processes().items()}
    assert after == before, "a process was started again"


def swept(place):
    """Old files go, but for those that a list names: each list is made again after many more trainings."""
    history = list(csv.DictReader(place.run("snapshots", "list", "--format", "csv").stdout.splitlines()))
    named = {place.json("explain", key.split()[0])["snapshot"] for what, key in place.digest() if what == "list"}
    for seed in range(20, 25):
        place.run("train", "--seed", str(seed), "--force")
    files = {name.removesuffix(".mdb") for name in os.listdir(place.path("models")) if name.endswith(".mdb")}
    later = list(csv.DictReader(place.run("snapshots", "list", "--format", "csv").stdout.splitlines()))
    assert files == named | {row["snapshot"] for row in later[-2:]}, (files, named, later)
    assert {row["snapshot"] for row in history} - files, "nothing was removed"
    place.run("replay", "--all")


def another_top(place):
    """A shorter list has other names, and figures of the longer ones are not mixed in."""
    names = {"recall_at_20", "precision_at_20", "recall_at_20_activity", "precision_at_20_activity"}
    before = set(place.json("evaluate", "--test"))
    assert {name.replace("20", "50") for name in names} <= before and not names & before, before
    place.run("down")
    with open(place.path("bookrunner.yaml"), "a") as file:
        file.write("ranking: {top: 20}\n")
    place.up()
    address = place.processes()["desk"]["http"].removeprefix("http://")
    with urllib.request.urlopen(f"http://{address}/api/v1/metrics/monthly") as page:
        assert json.load(page) == {"top": 20, "backtests": False, "months": []}, "figures of 50 are shown as those of 20"
    after = place.json("evaluate", "--test")
    assert names <= set(after) and not any("50" in name for name in after), after
    with urllib.request.urlopen(f"http://{address}/api/v1/metrics/monthly") as page:
        months = json.load(page)["months"]
    assert months and all(names <= set(month) for month in months), months
    address = place.processes()["evaluator"]["http"].removeprefix("http://")
    with urllib.request.urlopen(f"http://{address}/metrics") as page:
        assert 'bookrunner_online_recall_ratio{k="20"}' in page.read().decode()


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-snapshots-")
    whole = os.path.join(root, "all")
    simulate(whole)
    markets = [os.path.join(root, day) for day in DAYS]
    for day, market in zip(DAYS, markets):
        cut_market(whole, market, day)
    with Installation(config="snapshots: {keep: 2}\n") as place:
        place.up()
        restarted(place, before_the_first(place, markets[0]))
        another_schema(place, markets[1])
        swept(place)
        another_top(place)
    shutil.rmtree(root)


main()
