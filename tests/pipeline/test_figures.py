"""The figures of a snapshot and of the days are what the stores and the files say, computed again here or by `compare`; what the operations page asks for is
what the processes do, also when one of them hangs."""

import collections
import csv
import json
import math
import os
import shutil
import signal
import tempfile
import urllib.error
import urllib.request

from installation import Installation, fetch, metric, simulate

NEWEST = 200  # bonds that drift looks at
PLANTED, LIKE_BEFORE = "venue", "coupon_type"


class Desk:
    def __init__(self, place):
        with open(place.path("run", "desk.http")) as file:
            self.root = f"http://{file.read().strip()}/api/v1/"

    def get(self, path, tag=None):
        request = urllib.request.Request(self.root + path, headers={} if tag is None else {"If-None-Match": tag})
        try:
            with urllib.request.urlopen(request, timeout=30) as page:
                return page.status, dict(page.headers), page.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def json(self, path):
        code, _, body = self.get(path)
        assert code == 200, (path, code, body)
        return json.loads(body)


def rows_of(market, name):
    with open(os.path.join(market, name)) as file:
        return list(csv.DictReader(file))


def plant_drift(market):
    """The newest bonds are all of one venue."""
    rows = rows_of(market, "bonds.csv")
    for row in sorted(rows, key=lambda row: row["issue_date"])[-NEWEST:]:
        row[PLANTED] = rows[0][PLANTED]
    with open(os.path.join(market, "bonds.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def psi(before, now, name):
    counts = [collections.Counter(row[name] for row in rows) for rows in (before, now)]
    total = 0.0
    for value in set(counts[0]) | set(counts[1]):
        share = [max(counted[value], 0.5) / sum(counted.values()) for counted in counts]
        total += (share[1] - share[0]) * math.log(share[1] / share[0])
    return total


def check_explanations(place, asked):
    """The stored explanations are judged as `compare` judges its own: the same lists, other code."""
    compared = place.json("compare", "--methods", "backed", "--bonds", "0", "--seed", "1")
    row = compared["methods"][0]
    assert compared["explanations"] == asked["explained"] > 1000, (compared["explanations"], asked)
    for name in ("rationality", "diversity", "hrd", "aesv", "aesv_others"):
        assert abs(row[name] - asked[name]) < 1e-9, (name, row[name], asked[name])
    assert 0 < asked["hrd"] < 1 and asked["aesv"] != asked["aesv_others"], asked
    page = place.path("run", "evaluator.http")
    for name in ("rationality", "diversity", "hrd", "aesv"):
        gauge = metric(page, f'bookrunner_explain_quality_ratio{{metric="{name}"}}')
        assert abs(gauge - asked[name]) < 1e-9, (name, gauge)


def check_snapshots(place, desk, asked):
    first, = desk.json("metrics/snapshots")["snapshots"]
    assert first["snapshot"] == asked["version"] and first["served"] and first["trained_until"] == asked["trained_until"], first
    for name in ("auc", "log_loss", "ece", "rationality", "diversity", "hrd", "aesv"):
        assert abs(first[name] - asked[name]) < 1e-9, (name, first, asked)
    assert first["others"] == asked["aesv_others"] and first["recall"] == asked["recall_at_50"], first
    place.run("train", "--seed", "8", "--force")
    answer = desk.json("metrics/snapshots")
    assert answer["total"] == 2 and [row["served"] for row in answer["snapshots"]] == [True, False], answer
    assert answer["snapshots"][1] == dict(first, served=False), "a later snapshot moved the figures of an earlier one"
    newest = answer["snapshots"][0]
    assert all(newest[name] is None for name in ("auc", "hrd", "aesv", "others", "recall", "trained_until")), newest
    assert newest["time"] > first["time"], answer
    assert desk.json("metrics/snapshots?limit=1&offset=1")["snapshots"] == answer["snapshots"][1:]
    for path in ("calibration", "drift"):
        assert desk.json(f"metrics/{path}")["snapshot"] == newest["snapshot"], path
        assert desk.json(f"metrics/{path}?snapshot={first['snapshot']}")["snapshot"] == first["snapshot"], path
    assert desk.json("metrics/calibration")["bins"] == [] and desk.json("metrics/drift")["fields"] == []
    place.run("snapshots", "rollback")


def check_calibration(desk, asked):
    bins = desk.json("metrics/calibration")["bins"]
    n = sum(one["n"] for one in bins)
    assert n == asked["pairs"] and 10 < len(bins) <= 20, (n, len(bins), asked["pairs"])
    error = sum(one["n"] * abs(one["mean_probability"] - one["rate"]) for one in bins) / n
    assert abs(error - asked["ece"]) < 1e-9, (error, asked["ece"])
    assert round(sum(one["n"] * one["rate"] for one in bins)) == asked["bids"], bins
    for one, after in zip(bins, bins[1:]):
        assert one["low"] <= one["mean_probability"] <= one["high"] < after["low"], (one, after)


def check_drift(place, market, desk, asked):
    drift = desk.json("metrics/drift")
    fields = {field["field"]: field for field in drift["fields"]}
    values = [field["psi"] for field in drift["fields"]]
    assert values == sorted(values, reverse=True) and abs(values[0] - asked["psi_max"]) < 1e-9, values[:5]
    assert sum(value > 0.25 for value in values) == asked["fields_drifted"] > 0, values
    bonds = sorted(rows_of(market, "bonds.csv"), key=lambda row: (row["issue_date"], row["bond_id"]))
    now = bonds[-NEWEST:]
    assert drift["bonds"] == NEWEST and drift["from"] == now[0]["issue_date"], drift
    learned = [row for row in bonds if "2022-01-01" <= row["issue_date"] < asked["trained_until"]]
    before = [learned[i * len(learned) // NEWEST] for i in range(min(NEWEST, len(learned)))]
    for name in (PLANTED, LIKE_BEFORE, "guarantee"):
        assert abs(fields[name]["psi"] - psi(before, now, name)) < 1e-9, (name, fields[name], psi(before, now, name))
    assert fields[PLANTED]["psi"] > 0.25 > fields[LIKE_BEFORE]["psi"], fields[PLANTED]
    assert any(name.startswith("pref.") for name in fields), "the investors' fields are missing"
    zh = {field["field"]: field["label"] for field in desk.json("metrics/drift?lang=zh")["fields"]}
    assert set(zh) == set(fields) and zh["type"] == "债券类型" and fields["type"]["label"] == "bond type", zh["type"]
    page = place.path("run", "evaluator.http")
    assert abs(metric(page, "bookrunner_feature_psi_max ") - asked["psi_max"]) < 1e-9
    assert metric(page, "bookrunner_features_drifted ") == asked["fields_drifted"]


def check_series(place, market, desk):
    """Figure 6 of a fresh installation: lists made in hindsight, apart from those that were there in time."""
    bidders = collections.defaultdict(set)
    for row in rows_of(market, "bids.csv"):
        bidders[row["bond_id"]].add(row["investor_id"])
    months = collections.defaultdict(list)
    for row in rows_of(market, "bonds.csv"):
        months[row["issue_date"][:7]].append(row["bond_id"])
    answer = desk.json("metrics/monthly?backtests=true")
    assert answer["backtests"] and len(answer["months"]) > 2, answer
    month = answer["months"][1]  # a whole one
    recalls = []
    for bond in months[month["month"]]:
        listed = {entry["id"] for entry in desk.json(f"bonds/{bond}/recommendations")["investors"]}
        recalls += [len(listed & bidders[bond]) / len(bidders[bond])] if bidders[bond] else []
    assert month["bonds"] == len(recalls), (month, recalls)
    assert abs(month["recall_at_50"] - sum(recalls) / len(recalls)) < 1e-9, (month, recalls)
    for month in answer["months"]:
        assert month["bonds"] == 0 or month["recall_low"] <= month["recall_at_50"] <= month["recall_high"], month
        assert month["bonds"] < 5 or month["precision_low"] < month["precision_at_50"] < month["precision_high"], month
    live = desk.json("metrics/monthly")
    assert not live["backtests"] and all(month["bonds"] == 0 and month["recall_low"] is None for month in live["months"]), live
    assert "NaN" in [line.split()[-1] for line in fetch(place.path("run", "evaluator.http"), "/metrics")[1].splitlines()
                     if line.startswith("bookrunner_online_recall_ratio")], "no live list, and yet a figure"
    code, headers, body = desk.get("metrics/daily?backtests=true")
    days = json.loads(body)["days"]
    assert code == 200 and sum(day["bonds"] for day in days) == sum(month["bonds"] for month in answer["months"])
    assert desk.get("metrics/daily?backtests=true", headers["ETag"])[0] == 304, "the same bonds, another interval"
    assert desk.get("metrics/daily?backtests=1")[0] == 400


def check_rejects(place, market, desk, root):
    assert desk.json("rejects") == {"total": 0, "limit": 100, "rows": []}
    bad = os.path.join(root, "bad")
    os.makedirs(bad)
    shutil.copy(os.path.join(market, "schema.yaml"), bad)
    for name in ("bonds.csv", "investors.csv", "bids.csv"):
        with open(os.path.join(market, name)) as file, open(os.path.join(bad, name), "w") as out:
            out.write(file.readline())
    with open(os.path.join(bad, "bids.csv"), "a") as out:
        for i in range(3):
            out.write(f"<script>{i},\u202eNONE,I00001,2021-01-01,1,1,,,\n")
    assert place.run("import", bad, check=False).returncode == 3
    answer = desk.json("rejects")
    assert answer["total"] == 3 and len(answer["rows"]) == 3, answer
    assert [row["id"].split()[0] for row in answer["rows"]] == [f"<script>{i}" for i in (2, 1, 0)], answer
    assert all(row["kind"] == "bid" and row["column"] == "bond_id" and "unknown bond" in row["reason"] for row in answer["rows"]), answer
    assert place.kill("ingester")
    place.wait_ready()
    assert desk.json("rejects") == answer, "a restart lost them"
    assert [row["id"] for row in desk.json("rejects?limit=1")["rows"]] == [answer["rows"][0]["id"]]


def check_processes(place, desk):
    shown = {process["name"]: process for process in desk.json("processes")["processes"]}
    known = place.processes()
    assert set(shown) == set(known) and len(shown) == 8, shown
    for name, process in shown.items():
        assert process["pid"] == known[name]["pid"] and process["ready"] and process["state"] == "running", process
        assert process["memory_bytes"] > 1e6 and process["reason"] == "" and process["restarts"] == known[name]["restarts"], process
        assert name == "supervisor" or process["since"].endswith("Z"), process
    assert shown["trainer"]["cpu_s"] > 0.05, shown["trainer"]


def check_queue(place, desk):
    place.wait("both introduced", lambda _: len(desk.json("queue")["workers"]) == 2)
    queue = desk.json("queue")
    assert queue["todo"] == 0 and queue["in_flight"] == 0 and queue["dead"] == 0 and queue["done"] > 0, queue
    for worker in queue["workers"]:
        assert worker["credit"] >= 1 and worker["held"] == 0 and worker["heard_ms"] < 3000 and worker["engine"] > 0, worker
    assert sorted(worker["name"] for worker in queue["workers"]) == ["explainer-1", "explainer-2"], queue
    assert place.signal("ranker", signal.SIGSTOP)
    place.wait("the desk says so", lambda _: "ranker does not answer" in desk.json("queue").get("reason", ""), 20)
    assert desk.json("queue")["workers"] == [] and desk.json("queue")["done"] == queue["done"]
    assert place.signal("ranker", signal.SIGCONT)
    place.wait("they are back", lambda _: len(desk.json("queue")["workers"]) == 2)


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-figures-")
    market = os.path.join(root, "market")
    simulate(market)
    plant_drift(market)
    with Installation() as place:
        place.begin(market)
        desk = Desk(place)
        assert desk.json("metrics/snapshots")["snapshots"][0]["auc"] is None
        place.run("rank", "--test")
        place.wait_explained()
        asked = place.json("evaluate", "--test")
        check_explanations(place, asked)
        check_calibration(desk, asked)
        check_drift(place, market, desk, asked)
        check_series(place, market, desk)
        check_snapshots(place, desk, asked)
        check_processes(place, desk)
        check_queue(place, desk)
        check_rejects(place, market, desk, root)
    shutil.rmtree(root)
    print(f"HRD {asked['hrd']:.4f} and AESV {asked['aesv']:.4f} as compare has them; {asked['fields_drifted']} fields have drifted")


main()
