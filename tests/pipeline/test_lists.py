"""The quality of a day counts the list that stood before the issue. A list made afterwards is marked wherever it is shown and moves no day's figures,
even when it is there before the day is evaluated. The figures are computed again here from the files."""

import csv
import datetime
import json
import os
import shutil
import signal
import tempfile
import urllib.request

from installation import Installation, cut_market, metric, simulate

DAYS = ["2024-10-01", "2024-10-29"]


def api(place, path):
    with open(place.path("run", "desk.http")) as file:
        address = file.read().strip()
    with urllib.request.urlopen(f"http://{address}/api/v1/{path}", timeout=10) as page:
        return json.loads(page.read())


def issued_between(market):
    with open(os.path.join(market, "bonds.csv")) as file:
        return {row["bond_id"]: row for row in csv.DictReader(file) if DAYS[0] < row["issue_date"] <= DAYS[1]}


def day_after(day, days):
    return str(datetime.date.fromisoformat(day) + datetime.timedelta(days=days))


def investors(explained):
    return [entry["id"] for entry in explained["investors"]]


def bidders(market, bonds):
    found = {bond: set() for bond in bonds}
    with open(os.path.join(market, "bids.csv")) as file:
        for row in csv.DictReader(file):
            if row["bond_id"] in found:
                found[row["bond_id"]].add(row["investor_id"])
    return found


def ranked_afterwards(place, market, bonds):
    """The second day is closed and its bonds are ranked again, by another snapshot, while the evaluator hangs."""
    assert place.signal("evaluator", signal.SIGSTOP)
    place.run("import", market)
    place.run("close-day", DAYS[1], "--no-wait")
    place.run("train", "--seed", "8", "--force")
    place.run("rank", *bonds)
    place.wait_explained()
    assert place.stores()["evaluator_offset"] < place.stores()["ledger_head"]
    later = {bond: place.json("explain", bond) for bond in bonds}
    assert place.signal("evaluator", signal.SIGCONT)
    place.wait("the day evaluated", lambda s: s["evaluator_offset"] == s["ledger_head"])
    return later


def check_shown(place, live, later):
    """The command tells of the list that was asked for; the desk goes on with the one that was there before its day, where there was one."""
    for bond, explained in later.items():
        assert explained["backtest"] and "made in hindsight" in place.run("explain", bond).stdout, explained
        if bond in live:
            assert not live[bond]["backtest"] and live[bond]["snapshot"] != explained["snapshot"], bond
        shown = live.get(bond, explained)
        place.wait("the desk has seen it", lambda _: (api(place, f"bonds/{bond}")["list"] or {}).get("backtest") == shown["backtest"])
        told = api(place, f"bonds/{bond}/recommendations")
        assert all(told[name] == shown[name] for name in ("backtest", "snapshot", "as_of")), bond


def check_figures(place, market, bonds, live, later):
    bids = bidders(market, bonds)
    hits = {bond: len(bids[bond].intersection(investors(live[bond]))) for bond in live}
    afterwards = {bond: len(bids[bond].intersection(investors(later[bond]))) for bond in bonds}
    assert sum(hits.values()) > 10 and hits != {bond: afterwards[bond] for bond in live}, (hits, afterwards)
    days = {day["day"]: day for day in api(place, "metrics/daily")["days"]}
    for day in {row["issue_date"] for row in bonds.values()}:
        of_day = [bond for bond, row in bonds.items() if row["issue_date"] == day]
        listed = [bond for bond in of_day if bond in live]
        assert days[day]["bonds_unranked"] == len(of_day) - len(listed), (day, days[day])
        assert days[day]["hits"] == sum(hits[bond] for bond in listed), (day, days[day], hits)
    asked = place.json("evaluate", *bonds)
    assert asked["backtests"] == len(bonds) and asked["unranked"] == 0, asked
    closed = [bond for bond, row in bonds.items() if day_after(row["issue_date"], 5) <= DAYS[1]]
    assert len(closed) > 0 and asked["explained"] == 50 * len(closed), (asked, closed)
    gauge = metric(place.path("run", "evaluator.http"), "bookrunner_explained_calibration_error_ratio")
    assert 0 < asked["ece_explained"] < 1 and abs(gauge - asked["ece_explained"]) < 1e-6, (asked, gauge)
    mean = sum(afterwards[bond] / 50 for bond in bonds if bids[bond]) / sum(1 for bond in bonds if bids[bond])
    assert abs(asked["precision_at_50"] - mean) < 1e-3, (asked, mean)
    assert days == {day["day"]: day for day in api(place, "metrics/daily")["days"]}, "a request moved a day's figures"
    return hits


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-lists-")
    whole = os.path.join(root, "all")
    simulate(whole)
    markets = [os.path.join(root, day) for day in DAYS]
    for day, market in zip(DAYS, markets):
        cut_market(whole, market, day)
    bonds = issued_between(markets[1])
    with Installation() as place:
        place.up()
        place.run("import", markets[0])
        place.run("train", "--seed", "7")
        place.run("close-day", DAYS[0])
        place.wait_explained()
        upcoming = {key.split()[0] for what, key in place.digest() if what == "list"}
        live = {bond: place.json("explain", bond) for bond in upcoming & set(bonds)}
        assert 2 < len(live) < len(bonds), (sorted(live), sorted(bonds))
        later = ranked_afterwards(place, markets[1], bonds)
        check_shown(place, live, later)
        hits = check_figures(place, markets[1], bonds, live, later)
        place.run("replay", "--all")
    shutil.rmtree(root)
    print(f"{sum(hits.values())} hits of {len(hits)} lists that stood before the issue; {len(later)} backtests moved none")


main()
