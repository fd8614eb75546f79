"""`pairs`: past items as reasons, from any table, a market and a ledger.

Goal: what evaluate prints is Algorithm 1 of what rank prints; votes are taken or refused with their reason; no table, however wrong, is worse than an
error. Method: made-up tables and a simulated market through the built command; --real: the MovieLens folder under BOOKRUNNER_DATA.
"""

import csv
import io
import json
import math
import os
import pathlib
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "pipeline"))
from installation import Installation  # noqa: E402

PROGRAM = pathlib.Path(os.environ["BOOKRUNNER_BIN"]) / "bookrunner"
METHODS = {"random", "chrono", "most-pop", "person-top", "sim-cat-most-pop", "ials", "sim-cat-ials", "rule-confidence", "rule-support",
           "rule-leverage", "ease"}
COLUMNS = "user=user_id,item=merchant,time=at,category=kind"
GIVEN = ("--factors", "8", "--regularization", "3", "--confidence", "5", "--ease-regularization", "20")
DAY_MS = 86400 * 1000
MOVIELENS = os.path.join(os.environ.get("BOOKRUNNER_DATA", ""), "ml_latest_small")


def transactions(n_users=80, n_rows=4000, seed=1):
    """Rows of (user, merchant, kind, milliseconds) over eight months: everybody has two favourite kinds and buys again where he bought before."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n_rows):
        user = rng.randrange(n_users)
        kind = (user + (rng.random() < 0.4)) % 6 if rng.random() < 0.8 else rng.randrange(6)
        merchant = int(8 * rng.random() ** 2)
        rows.append((f"u{user}", f"m{kind}-{merchant}", f"kind {kind}", 1600000000000 + rng.randrange(240) * DAY_MS + rng.randrange(DAY_MS)))
    return sorted(rows, key=lambda row: row[3])


class Case(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="bookrunner-pairs-"))

    def tearDown(self):
        shutil.rmtree(self.home)

    def write(self, name, header, rows):
        path = self.home / name
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        return path

    def pairs(self, *words, code=0, binary=False):
        done = subprocess.run([str(PROGRAM), "pairs", *map(str, words)], capture_output=True, timeout=120, check=False,
                              env=dict(os.environ, BOOKRUNNER_DIR=str(self.home / "none")))
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        return (done.stdout if binary else done.stdout.decode()), done.stderr.decode()

    def json(self, *words, code=0):
        return json.loads(self.pairs(*words, "--format", "json", code=code)[0])

    def table(self, rows=None):
        path = self.write("buys.csv", ["user_id", "merchant", "kind", "at"], transactions() if rows is None else rows)
        return ["--table", path, "--columns", COLUMNS]

    def votes(self, rows, name="votes.csv"):
        return self.write(name, ["x", "y", "rater", "vote"], rows)


class Market(Case):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="bookrunner-pairs-market-")
        cls.market = os.path.join(cls.place, "market")
        subprocess.run([str(PROGRAM), "simulate", cls.market, "--size", "tiny"], check=True, capture_output=True)
        with open(os.path.join(cls.market, "bids.csv"), encoding="utf-8", newline="") as file:
            cls.investor = next(csv.DictReader(file))["investor_id"]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    def test_every_format_parses_and_says_the_same(self):
        market = ["--market", self.market, *GIVEN]
        item = self.json("rank", self.investor, *market, "--n", 1)[0]["item"]
        for words, key in ((["rank", self.investor], "item"), (["rank", self.investor, item], "item"), (["sample", "--n", 20], "x"),
                           (["sample", "--n", 20, "--pool", "all"], "x"), (["sample", "--n", 20, "--by", "disagreement"], "x"),
                           (["evaluate", "--simulate-votes", "--threshold", "all"], "method")):
            rows = self.json(*words, *market)
            rows = rows["methods"] if words[0] == "evaluate" else rows
            ndjson = [json.loads(line) for line in self.pairs(*words, *market, "--format", "ndjson")[0].splitlines()]
            self.assertEqual(ndjson, rows)
            as_csv = list(csv.DictReader(io.StringIO(self.pairs(*words, *market, "--format", "csv")[0])))
            self.assertEqual(list(as_csv[0]), list(rows[0]))
            self.assertEqual([row[key] for row in as_csv], [row[key] for row in rows])
            shown = self.pairs(*words, *market)[0].splitlines()
            self.assertGreater(len(shown), len(rows) if words[0] != "evaluate" else 33)

    def test_pairs_go_to_raters_and_come_back(self):
        market = ["--market", self.market, *GIVEN]
        asked = self.home / "asked.csv"
        asked.write_text(self.pairs("sample", *market, "--n", 400, "--format", "csv")[0])
        with open(asked, encoding="utf-8", newline="") as file:
            pairs = [(row["x"], row["y"]) for row in csv.DictReader(file)]
        self.assertEqual(len(set(pairs)), 400)
        rng = random.Random(4)
        yes = {pair: rng.randrange(6) for pair in pairs}
        rows = [(x, y, f"r{r}", "yes" if r < yes[x, y] else "no") for x, y in pairs for r in range(5)]
        rng.shuffle(rows)
        result = self.json("evaluate", *market, "--asked", asked, "--votes", self.votes(rows))
        votes = result["votes"]
        self.assertEqual((votes["pairs"], votes["votes"], votes["raters"], votes["simulated"]), (400, 2000, 5, False))
        self.assertEqual(votes["pairs_by_valid_votes"], [list(yes.values()).count(k) for k in range(6)])
        agree = sum(k * (k - 1) + (5 - k) * (4 - k) for k in yes.values()) / (400 * 20)
        self.assertAlmostEqual(votes["agreement"], agree, 12)
        self.assertEqual({row["method"] for row in result["methods"]}, METHODS)
        self.assertEqual([row["threshold"] for row in result["methods"]], [3] * 11 + [4] * 11 + [5] * 11)

    def test_the_category_is_a_bond_feature(self):
        self.assertEqual(self.json("evaluate", "--market", self.market, *GIVEN, "--simulate-votes")["data"]["category"], "industry")
        other = self.json("evaluate", "--market", self.market, *GIVEN, "--simulate-votes", "--category", "province")
        self.assertEqual(other["data"]["category"], "province")
        _, said = self.pairs("evaluate", "--market", self.market, "--category", "colour", code=1)
        self.assertIn("there is no bond feature 'colour'", said)

    def test_a_ledger_says_what_its_folder_says(self):
        with Installation() as place:
            place.up()
            place.run("import", self.market)
            words = ["pairs", "evaluate", *GIVEN, "--simulate-votes", "--threads", "1"]
            ledger = place.json(*words)
            folder = self.json(*words[1:], "--market", self.market)
            self.assertEqual((ledger["data"].pop("source"), folder["data"].pop("source")), ("ledger", "market"))
            self.assertEqual((ledger["data"].pop("place"), folder["data"].pop("place")), (place.dir, self.market))
            self.assertEqual(ledger, folder)
            done = place.run("pairs", "evaluate", *GIVEN, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("no pair has its five votes", done.stderr)
            self.check_ledger_votes(place)

    def check_ledger_votes(self, place):
        """Votes of the page and votes of a file are the same votes."""
        pairs = [(row["x"], row["y"]) for row in place.json("pairs", "sample", *GIVEN, "--n", "12")]
        rows = [(x, y, f"r{r}", "yes" if (i + r) % 3 else "no") for i, (x, y) in enumerate(pairs) for r in range(5)]
        for x, y, rater, vote in rows:
            sent = subprocess.run([PROGRAM.parent / "send_vote", place.dir, rater, f"{rater} {x} {y}", x, y, vote], capture_output=True,
                                  text=True, timeout=30, check=True)
            self.assertEqual(sent.stdout, "accepted : \n")
        ledger = place.json("pairs", "evaluate", *GIVEN)
        folder = self.json("evaluate", *GIVEN, "--market", self.market, "--votes", self.votes(rows))
        self.assertEqual((ledger["votes"].pop("source"), folder["votes"].pop("source")), ("ledger", "file"))
        self.assertEqual(ledger["votes"]["votes"], 60)
        for key in ("votes", "thresholds", "methods"):
            self.assertEqual(ledger[key], folder[key])


class Figures(Case):
    def test_evaluate_is_algorithm_1_of_what_rank_prints(self):
        rows = transactions(14, 500, 3)
        last = rows[-1][3]
        # The last month is this alone, so that evaluate learns from what rank is given.
        table = self.table(rows + [(rows[0][0], rows[0][1], rows[0][2], last + 70 * DAY_MS)])
        before = self.write("before.csv", ["user_id", "merchant", "kind", "at"], rows)
        ranked = ["--table", before, "--columns", COLUMNS, *GIVEN]
        kinds = {row[1]: row[2] for row in rows}
        rng = random.Random(8)
        valid = {(x, y): (rng.random() < (0.8 if kinds[x] == kinds[y] else 0.2)) for x in kinds for y in kinds if x != y and rng.random() < 0.7}
        votes = self.votes([(x, y, r, "1" if good else "0") for (x, y), good in valid.items() for r in range(5)])
        lists = []
        for user in sorted({row[0] for row in rows}):
            for recommended in self.json("rank", user, *ranked, "--n", 4):
                reasons = self.json("rank", user, recommended["item"], *ranked)
                lists.append((recommended["item"], reasons))
        self.assertGreater(len(lists), 40)
        result = self.json("evaluate", *table, *GIVEN, "--recommendations", 4, "--votes", votes, "--cuts", "1,3")
        self.assertEqual(result["thresholds"][0]["lists"] + result["thresholds"][0]["unjudged"] + result["thresholds"][0]["without_valid"],
                         len(lists))
        for row in result["methods"][:11]:
            for cut in (1, 3):
                expected = self.algorithm_1(lists, row["method"], valid, cut)
                for name, value in expected.items():
                    self.assertAlmostEqual(row[f"{name}_at_{cut}"], value, 9, (row["method"], name, cut))

    def algorithm_1(self, lists, method, valid, cut):
        figures = {"recall": [], "ndcg": [], "map": []}
        for y, reasons in lists:
            order = sorted(reasons, key=lambda row: row[method + "_rank"])
            labels = [valid[row["item"], y] for row in order if (row["item"], y) in valid]
            if not any(labels):
                continue
            most = min(cut, sum(labels))
            first = labels[:cut]
            figures["recall"].append(sum(first) / most)
            gain = sum(label / math.log2(i + 2) for i, label in enumerate(first))
            figures["ndcg"].append(gain / sum(1 / math.log2(i + 2) for i in range(most)))
            figures["map"].append(sum(label * sum(first[:i + 1]) / (i + 1) for i, label in enumerate(first)) / most)
        return {name: sum(values) / len(values) for name, values in figures.items()}

    def test_equal_categories_are_found_by_who_looks_for_them(self):
        result = self.json("evaluate", *self.table(), *GIVEN, "--simulate-votes", "--noise", "0", "--min-overlap", "1")
        self.assertTrue(result["votes"]["simulated"])
        recall = {row["method"]: row["recall_at_1"] for row in result["methods"] if row["threshold"] == 5}
        self.assertEqual((recall["sim-cat-most-pop"], recall["sim-cat-ials"]), (1.0, 1.0))
        self.assertGreater(recall["ials"], recall["random"] + 0.1)
        self.assertNotEqual(recall["person-top"], recall["most-pop"])
        ordered = [row["recall_at_1"] for row in result["methods"] if row["threshold"] == 3]
        self.assertEqual(ordered, sorted(ordered, reverse=True))
        shown, _ = self.pairs("evaluate", *self.table(), *GIVEN, "--simulate-votes")
        self.assertIn("votes SIMULATED from category overlap", shown)
        self.assertIn("noise 0.1", shown)
        as_csv, _ = self.pairs("evaluate", *self.table(), *GIVEN, "--simulate-votes", "--format", "csv")
        self.assertEqual({row["votes"] for row in csv.DictReader(io.StringIO(as_csv))}, {"simulated"})

    def test_the_seed_decides_and_threads_do_not(self):
        words = ["evaluate", *self.table(), "--simulate-votes"]
        first = self.pairs(*words, "--format", "json", "--threads", 1)[0]
        self.assertTrue(json.loads(first)["recommender"]["tuned"])
        self.assertEqual(self.pairs(*words, "--format", "json", "--threads", 2)[0], first)
        self.assertNotEqual(self.pairs(*words, "--format", "json", "--seed", 2)[0], first)

    def test_what_is_bought_in_the_last_month_changes_nothing_but_how_the_recommender_did_in_it(self):
        rows = transactions()
        last = rows[-1][3]
        early = [row for row in rows if row[3] < last - 40 * DAY_MS]
        months = [early + [(f"u{u}", merchant, early[0][2], last) for u in range(30)] for merchant in (early[0][1], early[1][1])]
        months[1] = [(user, item, early[1][2] if time == last else kind, time) for user, item, kind, time in months[1]]
        one, other = (self.json("evaluate", *self.table(month), "--simulate-votes") for month in months)
        self.assertTrue(one["recommender"]["tuned"])
        self.assertNotEqual([one["recommender"].pop(key) for key in ("test_users", "recall_at_10", "ndcg_at_10")],
                            [other["recommender"].pop(key) for key in ("test_users", "recall_at_10", "ndcg_at_10")])
        self.assertEqual(one, other)

    def test_what_is_not_known_is_a_dash(self):
        rows = [("u1", f"m{i}", "k", 1600000000000 + i * DAY_MS) for i in range(80)] + [("u2", f"m{i}", "k", 1600000000000) for i in range(90)]
        votes = self.votes([("m1", "m85", r, "yes") for r in range(5)])
        shown, _ = self.pairs("evaluate", *self.table(rows), *GIVEN, "--recommendations", 90, "--votes", votes)
        self.assertIn("Fleiss' kappa -, Krippendorff's alpha -", shown)
        self.assertIn("1 lists of 1 users, 1.0 candidates", shown)
        self.assertIn("1.000 ±-", shown)
        none, _ = self.pairs("evaluate", *self.table(rows), *GIVEN, "--votes", votes, "--min-candidates", 99)
        self.assertIn("0 lists of 0 users; left out", none)
        self.assertNotIn("nan", shown + none)

    def test_top_items_are_those_with_the_most_transactions(self):
        rows = transactions()
        counts = {}
        for row in rows:
            counts[row[1]] = counts.get(row[1], 0) + 1
        top = sorted(counts, key=lambda item: -counts[item])[:10]
        data = self.json("evaluate", *self.table(rows), *GIVEN, "--simulate-votes", "--top-items", 10)["data"]
        self.assertEqual((data["items"], data["items_in_all"]), (10, len(counts)))
        self.assertEqual(data["transactions"], sum(counts[item] for item in top))

    def test_votes_take_reasons_away_in_their_direction_alone(self):
        table = self.table()
        first = self.json("rank", "u3", *table, *GIVEN, "--n", 1)[0]
        x, y = first["because_1"], first["item"]
        against = self.votes([(x, y, r, "no") for r in range(5)])
        reverse = self.votes([(y, x, r, "no") for r in range(5)], "reverse.csv")
        few = self.votes([(x, y, r, "no") for r in range(4)], "few.csv")
        self.assertNotIn(x, self.json("rank", "u3", *table, *GIVEN, "--n", 1, "--votes", against)[0].values())
        self.assertEqual(self.json("rank", "u3", *table, *GIVEN, "--n", 1, "--votes", reverse)[0], first)
        self.assertEqual(self.json("rank", "u3", *table, *GIVEN, "--n", 1, "--votes", few)[0], first)
        split = self.votes([(x, y, r, "yes" if r < 4 else "no") for r in range(5)], "split.csv")
        for threshold, stays in ((3, True), (4, True), (5, False)):
            told = self.json("rank", "u3", *table, *GIVEN, "--n", 1, "--votes", split, "--threshold", threshold)[0]
            self.assertEqual(x in told.values(), stays, threshold)
        reasons = {row["item"]: row for row in self.json("rank", "u3", y, *table, *GIVEN, "--votes", few)}
        self.assertEqual(reasons[x]["votes"], "0 of 4")
        self.assertEqual([row["votes"] for item, row in reasons.items() if item != x], [None] * (len(reasons) - 1))
        self.assertEqual(sorted(row["ials_rank"] for row in reasons.values()), list(range(1, len(reasons) + 1)))


class Wrong(Case):
    def test_bad_votes_are_refused_with_line_and_reason(self):
        asked = self.write("asked.csv", ["x", "y"], [("m0-0", "m0-1"), ("m1-0", "m1-1"), ("m1-0", "m1-0")])
        good = [("m0-0", "m0-1", r, "yes") for r in range(5)]
        votes = self.votes(good + [("m0-0", "m0-1", "9", "yes"), ("m0-1", "m0-0", "1", "yes"), ("m1-0", "m1-1", "1", "yes"),
                                   ("m1-0", "m1-1", "1", "no"), ("m1-0", "m1-1", "2", "perhaps"), ("m1-0", "m1-1", "", "no")])
        rejects = self.home / "rejects.csv"
        table = self.table()
        out, said = self.pairs("evaluate", *table, *GIVEN, "--asked", asked, "--votes", votes, "--rejects", rejects, "--format", "json", code=3)
        self.assertEqual((json.loads(out)["votes"]["pairs"], json.loads(out)["votes"]["rejected"]), (1, 6))
        for place, reason in (("asked.csv line 4", "same item"), ("votes.csv line 7", "five votes"), ("votes.csv line 8", "unknown pair"),
                              ("votes.csv line 10", "already"), ("votes.csv line 11, vote", "'perhaps' is not a vote"),
                              ("votes.csv line 12, rater", "nothing stands there")):
            line = [line for line in said.splitlines() if place in line]
            self.assertEqual(len(line), 1, said)
            self.assertIn(reason, line[0])
        with open(rejects, encoding="utf-8", newline="") as file:
            self.assertEqual([row["line"] for row in csv.DictReader(file)], ["4", "7", "8", "10", "11", "12"])

    def test_bad_rows_are_left_out_and_told(self):
        path = self.home / "buys.csv"
        rows = transactions()
        good = "".join(",".join(map(str, row)) + "\n" for row in rows)
        bad = [b"u1,m\0x,k,1600000000000", b"u1,m1,k,yesterday", b"u1,m1,k,2021-02-30", b"u1,,kind 1,1", b"u1,m1,k", b"u1,m1,k,1,2",
               b"u1,m0-0,another kind,5", b"u1,m\xff\xfe,k,1600000000000", b"u1," + b"x" * 600 + b",k,5", b"u1," + b"y" * (1 << 21) + b",k,5",
               b'u1,"m"x,k,5', b"u1,m1,k,99999999999999999999"]
        path.write_bytes(b"user_id,merchant,kind,at\n" + good.encode() + b"\n".join(bad) + b"\n")
        out, said = self.pairs("evaluate", "--table", path, "--columns", COLUMNS, *GIVEN, "--simulate-votes", "--format", "json", code=3)
        self.assertEqual(json.loads(out)["data"]["rejected"], len(bad))
        self.assertEqual(json.loads(out)["data"]["transactions"], len(rows))
        self.assertEqual([int(line.split(" line ")[1].split(":")[0].split(",")[0]) for line in said.splitlines() if line.startswith("rejected")],
                         [len(rows) + 2 + i for i in range(len(bad))])

    def test_a_table_that_cannot_be_used_is_an_error(self):
        for text, reason in ((b"", "is empty"), (b"user_id,merchant,at\nu,m,1\n", "no column 'kind'"),
                             (b"user_id,merchant,kind,at,at\nu,m,k,1,1\n", "'at' stands there twice"), (b"user_id,merchant,kind,at\n", "no transaction"),
                             (b"user_id,merchant,kind,at\nu,m,k,never\n", "no transaction"), (bytes(range(256)) * 40, "line 1"),
                             (b",".join(b"c%d" % i for i in range(5000)) + b"\n", "5000 columns"), (b"\xff\xfeu\0s\0", "UTF-16"),
                             (b"user_id,merchant,kind,at\nu,m,k,1\n", "before the last month")):
            path = self.home / "t.csv"
            path.write_bytes(text)
            code = 1
            _, said = self.pairs("evaluate", "--table", path, "--columns", COLUMNS, "--simulate-votes", code=code)
            self.assertIn(reason, said)
        self.assertIn("not a regular file", self.pairs("evaluate", "--table", self.home, "--columns", COLUMNS, code=1)[1])
        self.assertIn("cannot open", self.pairs("evaluate", "--table", self.home / "absent", "--columns", COLUMNS, code=1)[1])
        self.assertIn("no user \"u999\"", self.pairs("rank", "u999", *self.table(), *GIVEN, code=1)[1])
        self.assertIn("no item \"m\"", self.pairs("rank", "u1", "m", *self.table(), *GIVEN, code=1)[1])
        self.assertIn("no pair has its five votes (0 votes so far)", self.pairs("evaluate", *self.table(), *GIVEN, code=1)[1])

    def test_figures_that_say_little_say_so(self):
        """Judged candidates that are nearly all valid, lists that nobody judged, and a user without another item."""
        header = ["user_id", "merchant", "kind", "at"]
        table = ["--table", self.write("t.csv", header, [(f"u{i}", f"m{i % 3}", "k", 86400 * (i + 1)) for i in range(90)]), "--columns", COLUMNS]
        shown, said = self.pairs("evaluate", *table, "--simulate-votes", "--noise", "0")
        self.assertIn("hardly tell approaches apart", said)
        self.assertNotIn("hardly", shown)
        shown, said = self.pairs("evaluate", *table, "--simulate-votes", "--min-candidates", "5")
        self.assertIn(": 0 lists of 0 users; left out", shown)
        self.assertNotIn("hardly", said)
        self.assertIn("u1 has no past item other than m1", self.pairs("rank", "u1", "m1", *table)[1])

    def test_the_smallest_tables_and_the_ends_of_time(self):
        header = ["user_id", "merchant", "kind", "at"]
        for rows in ([("u", "m", "k", "0001-01-01"), ("u", "n", "k", "9999-12-31T23:59:59Z")],
                     [("u", "m", "k", "9999-01-01"), ("u", "n", "k", "9999-12-31")],
                     [("u", "m", "", 0), ("v", "m", "", 86400 * 100)], [("u", f"m{i}", "k", 86400 * i) for i in range(90)],
                     [(f"u{i}", "m", "k", 86400 * i) for i in range(90)]):
            table = ["--table", self.write("t.csv", header, rows), "--columns", COLUMNS]
            for words in (["rank", "u"], ["rank", rows[0][0], rows[-1][1]], ["sample"], ["evaluate", "--simulate-votes"]):
                done = subprocess.run([str(PROGRAM), "pairs", *map(str, [*words, *table])], capture_output=True, text=True, timeout=60, check=False)
                self.assertIn(done.returncode, (0, 1), (words, rows[:2], done.stderr))

    def test_what_does_not_fit_together_is_wrong_usage(self):
        table = ["--table", "t.csv", "--columns", COLUMNS]
        for words, reason in ((["dance"], "none of rank, evaluate and sample"), (["rank", *table], "USER"), (["sample", "x", *table], "no more words"),
                              (["sample", "--table", "t.csv"], "user=COLUMN"), (["sample", "--table", "t.csv", "--columns", "user=a,item=b,hour=c"], "hour=c"),
                              (["sample", "--table", "t.csv", "--columns", "user=a,user=b,item=c,time=d"], "user twice"),
                              (["sample", *table, "--market", "m"], "exclude"), (["sample", "--columns", COLUMNS], "--table"),
                              (["sample", *table, "--by", "luck"], "random or disagreement"), (["sample", *table, "--pool", "sea"], "all or listed"),
                              (["sample", *table, "--n", "0"], "--n"), (["rank", "u", *table, "--method", "best"], "no approach best"),
                              (["rank", "u", *table, "--threshold", "all"], "3, 4 or 5"),
                              (["evaluate", *table, "--cuts", "3,1"], "--cuts"), (["evaluate", *table, "--cuts", "0"], "--cuts"),
                              (["evaluate", *table, "--threshold", "2"], "3, 4, 5 or all"), (["evaluate", *table, "--noise", "0.1"], "--simulate-votes"),
                              (["evaluate", *table, "--simulate-votes", "--noise", "0.6"], "--noise"), (["evaluate", *table, "--asked", "a"], "--votes"),
                              (["evaluate", *table, "--factors", "0"], "factors"), (["evaluate", *table, "--recommendations", "0"], "--recommendations"),
                              (["evaluate", *table, "--time-unit", "weeks"], "--time-unit"), (["evaluate", *table, "--items", "i"], "item=COLUMN")):
            _, said = self.pairs(*words, code=2)
            self.assertIn(reason, said, words)

    def test_an_interrupt_ends_it_cleanly(self):
        rng = random.Random(1)
        rows = [(f"u{rng.randrange(2000)}", f"m{rng.randrange(6000)}", "k", 1600000000 + 864 * i) for i in range(30000)]
        rows.sort(key=lambda row: row[3])
        words = [str(PROGRAM), "pairs", "evaluate", *map(str, self.table(rows)), "--simulate-votes"]
        terminal, of_program = pty.openpty()
        work = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=of_program,
                                env=dict(os.environ, TERM="xterm", BOOKRUNNER_DIR=str(self.home / "none")))
        os.close(of_program)
        said = os.read(terminal, 1000)  # the first drawing of the progress, after a second
        self.assertIn(b"tune", said)
        work.send_signal(signal.SIGINT)
        while True:
            try:
                more = os.read(terminal, 1000)
            except OSError:  # how a terminal says that nobody writes any more
                break
            if not more:
                break
            said += more
        out, _ = work.communicate(timeout=60)
        os.close(terminal)
        self.assertEqual((work.returncode, out), (130, b""), said)
        self.assertIn(b"\r\x1b[K", said)


class Real(Case):
    def test_the_whole_table_on_movielens(self):
        done = subprocess.run([str(PROGRAM), "pairs", "evaluate", "--movielens", MOVIELENS, "--top-items", "350", "--simulate-votes", "--format", "json"],
                              capture_output=True, text=True, timeout=100, check=False)
        self.assertIn(done.returncode, (0, 3), done.stderr)
        result = json.loads(done.stdout)
        with open(os.path.join(MOVIELENS, "ratings.csv"), encoding="utf-8") as file:
            n_ratings = sum(1 for _ in file) - 1
        self.assertEqual(result["data"]["items"], 350)
        self.assertLess(result["data"]["rejected"], n_ratings // 1000)
        recall = {row["method"]: row for row in result["methods"] if row["threshold"] == 3}
        self.assertEqual(set(recall), METHODS)
        self.assertTrue(result["votes"]["simulated"])
        self.assertEqual(result["votes"]["pairs"], 23000)
        for better in ("sim-cat-ials", "ials", "ease", "rule-leverage"):
            self.assertGreater(recall[better]["over_random_at_1_low"], 0.05, better)
        self.assertGreater(recall["sim-cat-ials"]["recall_at_1"], recall["ials"]["recall_at_1"])


if __name__ == "__main__":
    if "--real" in sys.argv[1:]:
        sys.argv.remove("--real")
        if not os.path.isdir(MOVIELENS):
            print("skipped: BOOKRUNNER_DATA names no folder with ml_latest_small in it")
            sys.exit(77)
        unittest.main(defaultTest="Real")
    else:
        unittest.main(defaultTest=["Market", "Figures", "Wrong"])
