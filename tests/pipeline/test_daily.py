"""A daily training goes on from the served snapshot: it names its parent, knows values and ranks investors that came later, falls back to the beginning
under another schema, and leaves nothing behind when it is killed. What a snapshot has learned of its own validation days neither passes a gate nor is
what the next training begins with."""

import csv
import datetime
import os
import re
import shutil
import tempfile

from installation import Installation, cut_market, simulate

BEGIN = datetime.date(2024, 9, 20)
N_DAYS = 10


def snapshots(place):
    return list(csv.DictReader(place.run("snapshots", "list", "--format", "csv").stdout.splitlines()))


def read(path):
    with open(path) as file:
        rows = csv.DictReader(file)
        return list(rows), rows.fieldnames


def write(path, rows, names):
    with open(path, "w") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def add_newcomers(market, day):
    """Twins of the busiest investors, known from `day` on, reached by a channel that was never seen, who bid on all that comes."""
    with open(os.path.join(market, "schema.yaml")) as file:
        lines = file.read().split("\n")
    del lines[next(i for i in range(lines.index('  - name: "channel"'), len(lines)) if "values:" in lines[i])]
    with open(os.path.join(market, "schema.yaml"), "w") as file:
        file.write("\n".join(lines))
    bids, bid_names = read(os.path.join(market, "bids.csv"))
    investors, investor_names = read(os.path.join(market, "investors.csv"))
    counts = {}
    for bid in bids:
        counts[bid["investor_id"]] = counts.get(bid["investor_id"], 0) + 1
    busiest = sorted(counts, key=counts.get)[-5:]
    latest = {row["investor_id"]: row for row in investors}
    for i, investor in enumerate(busiest):
        investors.append({**latest[investor], "investor_id": f"NEW{i}", "effective_from": day, "channel": "robot"})
    bonds, _ = read(os.path.join(market, "bonds.csv"))
    for bond in bonds:
        if bond["issue_date"] > day:
            when = max(bond["announce_date"], day)
            bids += [{**bids[0], "bid_id": f"{bond['bond_id']}-NEW{i}", "bond_id": bond["bond_id"],
                      "investor_id": f"NEW{i}", "bid_date": when} for i in range(len(busiest))]
    write(os.path.join(market, "investors.csv"), investors, investor_names)
    write(os.path.join(market, "bids.csv"), bids, bid_names)


def close(place, day):
    place.run("close-day", day)


def ten_days(place, root, whole):
    for i in range(1, N_DAYS + 1):
        day = str(BEGIN + datetime.timedelta(days=i))
        market = os.path.join(root, day)
        cut_market(whole, market, day)
        place.run("import", market)
        close(place, day)
        shutil.rmtree(market)


def warm(place, first):
    report = place.json("train", "--warm", "--force")
    assert report["start"] == f"from {first['version']}", report
    assert report["version"] != first["version"] and report["samples"] < first["samples"], report
    assert report["new_values"] == 1, report
    newest = snapshots(place)[-1]
    assert (newest["snapshot"], newest["parent"], newest["served"]) == (report["version"], first["version"], "yes"), newest
    place.run("rank")
    place.wait_explained()
    lists = [place.json("explain", bond) for bond in {key.split()[0] for what, key in place.digest() if what == "list"}]
    bonds = [entry["bond"] for entry in lists if entry["snapshot"] == report["version"]]
    listed = {row["investor"] for bond in bonds
              for row in csv.DictReader(place.run("explain", bond, "--format", "csv").stdout.splitlines())}
    assert {f"NEW{i}" for i in range(5)} <= listed, (bonds, listed)
    return report


def killed(place, served):
    before = sorted(name for name in os.listdir(place.path("models")) if name.endswith(".mdb"))
    asked = place.start("train", "--warm", "--seed", "5", "--force")
    old = place.processes()["trainer"]["pid"]
    place.kill("trainer")
    asked.kill()
    asked.communicate()
    place.wait("the trainer started again", lambda _: place.processes()["trainer"]["pid"] not in (0, None, old))
    place.wait_ready()
    after = sorted(name for name in os.listdir(place.path("models")) if not name.startswith("registry"))
    if snapshots(place)[-1]["snapshot"] == served:
        assert after == before, (before, after)
    again = place.json("train", "--warm", "--seed", "5", "--force")
    assert again["start"].startswith("from ") and again["published"] == 1, again


def configure(place, old, new):
    place.run("down")
    with open(place.path("bookrunner.yaml")) as file:
        text = file.read()
    assert old in text, text
    with open(place.path("bookrunner.yaml"), "w") as file:
        file.write(text.replace(old, new))
    place.up()


def unseen(place, again):
    """Two snapshots of equal parameters before they learned their validation days: the gate sees no difference."""
    new, old = map(float, re.search(r"log loss (\S+) against (\S+)", again["gate"]).groups())
    assert abs(new - old) < 2.5e-5, again["gate"]


def another_model(place):
    configure(place, "rank: 8", "rank: 4")
    report = place.json("train", "--warm", "--force")
    assert report["start"].startswith("from scratch, not from") and "another model" in report["start"], report
    assert snapshots(place)[-1]["parent"] == "", snapshots(place)[-1]
    report = place.json("train", "--daily", "--force")
    assert report["start"] == "from scratch", report
    unseen(place, report)  # same seed, same days
    configure(place, "final_epochs: 1", "final_epochs: 1, daily_epochs: 1, daily_learning_rate: 1.0e-8")
    warm_again = place.json("train", "--warm", "--force")
    assert warm_again["start"] == f"from {report['version']}", warm_again
    unseen(place, warm_again)  # it has all but not moved


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-daily-")
    whole, market = os.path.join(root, "all"), os.path.join(root, "first")
    simulate(whole)
    add_newcomers(whole, str(BEGIN + datetime.timedelta(days=1)))
    cut_market(whole, market, str(BEGIN))
    with Installation(config="ranking: {top: 305}\n") as place:  # everyone: who is missing was not ranked
        place.up()
        place.run("import", market)
        refused = place.run("train", "--warm", check=False)
        assert refused.returncode == 1 and "no day is closed" in refused.stderr, refused
        close(place, str(BEGIN))
        first = place.json("train", "--warm")
        assert first["start"] == "from scratch, not from the served snapshot: none is served", first
        ten_days(place, root, whole)
        second = warm(place, first)
        killed(place, second["version"])
        another_model(place)
    shutil.rmtree(root)


main()
