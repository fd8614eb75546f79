"""Explanations begin with those of the bond's list of an earlier day. What comes out depends on the ledger alone: not on explainers that hang
while days are closed, nor on a ranker that is killed while a job waits for the one before. A day whose jobs were given up holds up nobody; replay begins
where the stored explanation began. A warm start keeps reasons that a cold one would change, also over another snapshot. What is stored says truly whether
it is certified."""

import os
import shutil
import signal
import tempfile

from installation import Installation, cut_market, metric, simulate

DAYS = ["2024-10-01", "2024-10-02", "2024-10-03", "2024-10-04"]
EXPLAINERS = ("explainer-1", "explainer-2")


def close(place, root, day):
    place.run("import", os.path.join(root, day))
    place.run("close-day", day, "--no-wait")
    place.wait("the day is ranked", lambda s: s["ranker_offset"] == s["ledger_head"])


def begin(place, root, models):
    place.begin(os.path.join(root, DAYS[0]), models)
    close(place, root, DAYS[0])
    place.wait_explained()


def live(place, as_of):
    """The lists as of a day, as they are explained."""
    bonds = sorted(key.split()[0] for what, key in place.digest() if what == "list" and key.endswith(as_of))
    return [place.json("explain", bond) for bond in bonds]


def jaccard(lists):
    with_earlier = [shown["stability"] for shown in lists if "stability" in shown]
    n = sum(stability["investors"] for stability in with_earlier)
    return sum(stability["jaccard"] * stability["investors"] for stability in with_earlier) / n, n


def reasons(investor):
    return {reason["field"] for reason in investor["reasons"]}


def check_kept(before, after):
    """What the second day's lists say of the first day's, from what was shown on the first. Of one snapshot."""
    sets = {(shown["bond"], investor["id"]): reasons(investor) for shown in before for investor in shown["investors"]}
    n = 0
    bonds = {shown["bond"] for shown in before}  # a bond that came in between has had a list when it arrived
    for shown in after:
        for investor in shown["investors"] if shown["bond"] in bonds else []:
            earlier = sets.get((shown["bond"], investor["id"]))
            kept = None if earlier is None else len(earlier & reasons(investor))
            assert investor.get("kept") == kept, (shown["bond"], investor, earlier)
            n += kept is not None
    assert n > 100, n


def check_certificates(place, lists):
    counts = {True: 0, False: 0}
    for shown in lists[:6]:
        rows = {row["investor"]: row for row in place.json("explain", shown["bond"], "--certify")}
        assert len(rows) == len(shown["investors"]), shown["bond"]
        for investor in shown["investors"]:
            row = rows[investor["id"]]
            assert row["stored"] == investor["certified"] == row["swap_optimal"], (row, investor["certified"])
            assert row["swap_optimal"] == (row["best_swap_gain"] <= 1e-4) == (row["out"] is None) == (row["in"] is None), row
            counts[row["swap_optimal"]] += 1
    assert min(counts.values()) > 5, counts
    one = place.run("explain", lists[0]["bond"], lists[0]["investors"][0]["id"], "--certify", "--format", "csv").stdout
    assert len(one.splitlines()) == 2, one
    assert place.run("explain", lists[0]["bond"], "--certify", "--k", "4", check=False).returncode == 2
    text = place.run("explain", lists[0]["bond"]).stdout
    assert "certified: no swap of one reason does better" in text and "see --certify" in text, text
    return counts


def quiet(root, models):
    with Installation() as place:
        begin(place, root, models)
        assert not any("stability" in shown for shown in live(place, DAYS[1])), "the first day's have nothing before them"
        shown = []
        for day in DAYS[1:3]:
            close(place, root, day)
            place.wait_explained()
            shown.append(live(place, DAYS[DAYS.index(day) + 1]))
        check_kept(*shown)
        assert f"6 of 6 as on {DAYS[2]}" in place.run("explain", shown[1][0]["bond"]).stdout
        digest, stable = place.digest(), jaccard(shown[1])
        counts = check_certificates(place, shown[1])
        compared = metric(place.path("run", "ranker.http"), "bookrunner_explanations_compared_total")
        total = metric(place.path("run", "ranker.http"), "bookrunner_explanations_jaccard_total")
        expected = [jaccard(lists) for lists in shown]
        assert compared == sum(n for _, n in expected) and abs(total - sum(mean * n for mean, n in expected)) < 1e-3, (compared, total)
        place.run("train", "--seed", "8", "--force")
        close(place, root, DAYS[3])
        place.wait_explained()
        over_training = jaccard(live(place, "2024-10-05"))
        assert over_training[1] > 100 and over_training[0] > 0.2, over_training
        place.run("replay", "--all")
    print(f"Jaccard with the day before {stable[0]:.4f}, another snapshot {over_training[0]:.4f}; certified {counts}", flush=True)
    return digest, stable[0]


def cold(root, models):
    with Installation(config="ranking: {warm_start: false, certify: false}\n") as place:
        begin(place, root, models)
        for day in DAYS[1:3]:
            close(place, root, day)
            place.wait_explained()
        lists = live(place, DAYS[3])
        place.run("replay", "--all")
        assert not any(investor["certified"] for shown in lists for investor in shown["investors"])
        return jaccard(lists)[0]


def hung(root, models, expected):
    """Two days are closed while nobody explains, and the ranker is killed with jobs of the second that wait for the first's."""
    with Installation() as place:
        begin(place, root, models)
        for name in EXPLAINERS:
            assert place.signal(name, signal.SIGSTOP)
        for day in DAYS[1:3]:
            close(place, root, day)
        assert place.kill("ranker")
        for name in EXPLAINERS:
            assert place.signal(name, signal.SIGCONT)
        place.wait_explained()
        found = place.digest()
        differ = sorted(key for key in expected if found.get(key) != expected[key])
        assert set(found) == set(expected) and not differ, differ[:3]


def given_up(root, models):
    """The explainers hang with jobs of the second day, which are given up at once. Their bonds begin cold on the third, and replay knows it, also
    when the jobs have been done after all."""
    with Installation(config="work: {max_attempts: 1}\n") as place:
        begin(place, root, models)
        for name in EXPLAINERS:
            assert place.signal(name, signal.SIGSTOP)
        close(place, root, DAYS[1])
        place.wait("jobs given up", lambda s: s["dead"] > 0)
        for name in EXPLAINERS:
            assert place.signal(name, signal.SIGCONT)
        dead = place.wait("the others done", lambda s: s["todo"] == 0)["dead"]
        close(place, root, DAYS[2])
        place.wait_explained()
        lists = live(place, DAYS[3])
        without = [shown["bond"] for shown in lists if "stability" not in shown]
        place.run("jobs", "retry", "--all")
        stores = place.wait_explained()
        assert stores["dead"] == 0, stores
        later = live(place, DAYS[3])
        assert [shown["investors"] for shown in lists if shown["bond"] not in without] == \
            [shown["investors"] for shown in later if shown["bond"] not in without]
        compared = [shown["bond"] for shown in later if "stability" in shown]
        assert dead > 0 and len(set(without) & set(compared)) > 0, (dead, without, compared)
        place.run("replay", "--all")
    return dead


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-warm-")
    whole, models = os.path.join(root, "all"), os.path.join(root, "models")
    simulate(whole)
    for day in DAYS:
        cut_market(whole, os.path.join(root, day), day)
    digest, warm = quiet(root, models)
    without = cold(root, models)
    assert warm > without + 0.01, (warm, without)
    print(f"cold {without:.4f}", flush=True)
    hung(root, models, digest)
    dead = given_up(root, models)
    print(f"the same {len(digest)} things with hanging explainers and a killed ranker; {dead} jobs given up held up nobody")
    shutil.rmtree(root)


main()
