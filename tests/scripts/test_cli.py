"""The command as people use it: exit codes, help, import and its report, and the supervisor with real services.

Goal: every documented exit code is seen once, and no process outlives its supervisor. Method: the built programs in a fresh directory;
nothing is waited for by time alone, only by a condition with a deadline.
"""

import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

PROGRAM = pathlib.Path(os.environ["BOOKRUNNER_BIN"]) / "bookrunner"
DEADLINE_S = 60
RIVALS = ("lime", "kernel-shap", "weighted-shap", "ig", "eg", "recxplainer-l", "recxplainer-mlp", "kernel-shap-m", "ig-m", "random")


def run(*words, directory=None, timeout=DEADLINE_S):
    command = [str(PROGRAM), *map(str, words)]
    if directory is not None:
        command += ["--dir", str(directory)]
    environment = dict(os.environ, BOOKRUNNER_HTTP_PORT="0", BOOKRUNNER_HTTP_TELEMETRY_PORT="0")
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("not within %d s: %s" % (DEADLINE_S, what))


def alive(pid):
    try:
        state = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Case(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="bookrunner-cli-"))

    def tearDown(self):
        shutil.rmtree(self.home)


class Usage(Case):
    def test_no_argument_is_a_usage_error_with_the_commands(self):
        result = run()
        self.assertEqual(result.returncode, 2)
        self.assertIn("Commands:", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_every_command_has_help_with_examples_first(self):
        overview = run("--help").stdout
        names = [line.split()[0] for line in overview.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
        self.assertIn("import", names)
        for name in names:
            result = run(name, "--help")
            self.assertEqual(result.returncode, 0, name)
            self.assertLess(result.stdout.index("Examples:"), result.stdout.index("Options:"), name)

    def test_misspelt_names_are_suggested(self):
        self.assertIn('did you mean "import"', run("imprt").stderr)
        result = run("import", "x", "--dry-rn")
        self.assertEqual(result.returncode, 2)
        self.assertIn("did you mean --dry-run", result.stderr)

    def test_wrong_usage_is_exit_code_2(self):
        for words in (["nothing"], ["import"], ["import", "a", "b"], ["train", "--seed", "-1"], ["train", "--seed"], ["close-day", "May"],
                      ["train", "--before", "2026-02-30"], ["rank", "--test", "B1"], ["status", "--format", "xml"],
                      ["up", "--detach=yes"], ["replay"], ["snapshots", "burn"], ["status", "-x"], ["bench", "nothing"],
                      ["bench", "train", "--only", "mian"], ["bench", "train", "--threads", "0"], ["bench", "train", "--threads", "1,,2"],
                      ["bench", "train", "--batch", "512,4"], ["bench", "train", "--batch", "512,x"], ["bench", "train", "--seconds", "0"],
                      ["bench", "explain", "--batch", "512"], ["bench", "pairs", "--only", "main"], ["bench", "pairs", "--batch", "8"]):
            self.assertEqual(run(*words).returncode, 2, words)

    def test_version_names_the_libraries(self):
        out = run("--version").stdout
        self.assertIn("OpenBLAS", out)
        self.assertIn("libzmq", out)

    def test_without_services_the_code_is_4(self):
        self.assertEqual(run("train", "--timeout", "0.1", directory=self.home).returncode, 4)
        self.assertEqual(run("status", directory=self.home).returncode, 4)
        self.assertEqual(run("down", directory=self.home).returncode, 0)

    def test_doctor_speaks_as_a_plugin(self):
        missing = self.home / "missing"
        self.assertEqual(run("doctor", directory=missing).returncode, 5)
        result = run("doctor", "--format", "nagios", directory=missing)
        self.assertEqual(result.returncode, 2)
        self.assertTrue(result.stdout.startswith("BOOKRUNNER CRITICAL"))


class Bench(unittest.TestCase):
    def runs(self, *words):
        result = run("bench", "train", "--seconds", "0.2", "--format", "json", *words)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        for one in report["runs"]:
            self.assertGreater(one["samples_per_s"], 0)
            self.assertGreater(one["sgemm_peak_gflops"], 0)
            self.assertGreater(one["peak_rss_mb"], 10)
            self.assertAlmostEqual(one["epoch_s"] * one["samples_per_s"] / report["epoch_samples"], 1)
        return report["runs"]

    def test_each_batch_is_trained_with_each_number_of_threads(self):
        runs = self.runs("--only", "compact", "--threads", "2,1", "--batch", "8,64")
        self.assertEqual([(one["batch"], one["threads"]) for one in runs], [(8, 2), (8, 1), (64, 2), (64, 1)])
        self.assertEqual([(one["name"], one["d"], one["rank"], one["layers"], one["hidden"], one["masks"]) for one in runs],
                         [("compact", 8, 32, 2, "128-64", True)] * 4)

    def test_the_arithmetic_is_that_of_the_dense_network(self):
        main, = self.runs("--only", "main", "--threads", "2", "--batch", "64", "--no-masks")
        self.assertFalse(main["masks"])
        width = (32 + 259) * 8
        products = 3 * 2 * width * 64 + width * 256 + 256 * 128 + 128 + width
        flop = 3 * (2 * products + 3 * 3 * width)
        self.assertAlmostEqual(main["dense_equivalent_gflops"] / main["samples_per_s"] * 1e9 / flop, 1)

    def test_item_based_explanations_are_measured(self):
        result = run("bench", "pairs", "--seconds", "0.05", "--threads", "2", "--format", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["data"], "made up")
        runs = report["runs"]
        self.assertEqual([(one["factors"], one["threads"]) for one in runs[:3]], [(32, 2), (64, 2), (128, 2)])
        for one in runs[:3]:
            n, f = one["interactions"], one["factors"]
            flop = 2 * n * f * (f + 1) + (8000 + 2000) * (f ** 3 / 3 + 2 * f * f)
            self.assertAlmostEqual(one["gflops"] * 1e9 / one["interactions_x_factors_per_s"] / (flop / n / f), 1, 1)
            self.assertAlmostEqual(one["share_of_sgemm"] * one["sgemm_peak_gflops"] / one["gflops"], 1, 1)
        self.assertEqual([one["items"] for one in runs[3:6]], [350, 1000, 3000])
        for one in runs[3:6]:
            self.assertGreater(one["double_peak_gflops"], 0)
            self.assertGreater(one["share_of_double"], 0)
        self.assertEqual([(one["factors"], one["own_items"]) for one in runs[6:12]],
                         [(f, n) for f in (32, 64) for n in (32, 100, 300)])
        self.assertEqual(len(runs), 24)
        for one in runs[6:]:
            self.assertGreaterEqual(one["p99_us"], one["p50_us"])
            self.assertGreater(one["p50_us"], 0)

    def test_ranking_and_every_way_to_explain_are_measured(self):
        result = run("bench", "explain", "--only", "compact", "--seconds", "0.1", "--format", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual((report["investors"], report["list"]), (3000, 50))
        runs = {one["what"]: one for one in report["runs"]}
        self.assertEqual(list(runs), ["explain plain", "explain plain certified", "explain backed", "explain backed certified",
                                      "explain gumbel, single", "explain gumbel, list"]
                         + [f"explain {method}, {how}" for method in RIVALS for how in ("single", "list")]
                         + ["audit of plain", "what if", "rank", "rank on a new day"])
        audit = runs.pop("audit of plain")
        self.assertGreaterEqual(audit["found"], 0.98)
        self.assertLess(audit["largest_loss"], 0.005)
        for what, one in runs.items():
            self.assertGreaterEqual(one["p99_ms"], one["p50_ms"], what)
            self.assertGreater(one["p50_ms"], 0, what)
            if "gumbel" in what:
                self.assertEqual((one["n"] % 50, one["evaluations"]), (0, 100), what)
            elif what.startswith("explain") and what[8:].split(",")[0] in RIVALS:
                self.assertIsNone(one["evaluations"], what)
            elif what.startswith("explain"):
                self.assertEqual(one["n"] % 50, 0, what)  # whole lists
                self.assertGreater(one["evaluations"], 100, what)
                self.assertLess(one["per_s"], 2000 / one["p50_ms"], what)
        for way in ("plain", "backed"):
            self.assertGreater(runs[f"explain {way} certified"]["evaluations"], runs[f"explain {way}"]["evaluations"])
        self.assertIsNone(runs["rank"]["evaluations"])


class Folder(Case):
    def setUp(self):
        super().setUp()
        self.market = self.home / "market"
        self.assertEqual(run("simulate", self.market, "--size", "tiny", "--seed", 7).returncode, 0)

    def test_simulating_is_repeatable_and_labelled(self):
        other = self.home / "deep" / "other"
        self.assertEqual(run("simulate", other, "--size", "tiny", "--seed", 7).returncode, 0)
        for path in self.market.rglob("*"):
            if path.is_file():
                self.assertEqual(path.read_bytes(), (other / path.relative_to(self.market)).read_bytes(), path)
        self.assertIn("SIMULATED", (self.market / "README.txt").read_text())

    def test_combinations_leave_the_bonds_and_change_who_bids_and_why(self):
        combined = self.home / "combined"
        self.assertEqual(run("simulate", combined, "--size", "tiny", "--seed", 7, "--combinations", 0.5).returncode, 0)
        self.assertEqual((combined / "bonds.csv").read_bytes(), (self.market / "bonds.csv").read_bytes())
        self.assertNotEqual((combined / "bids.csv").read_bytes(), (self.market / "bids.csv").read_bytes())
        causes = [sum(bits.bit_count() for bits in (market / "truth" / "causal.u16").read_bytes())
                  for market in (combined, self.market)]
        self.assertTrue(0.4 < causes[0] / causes[1] < 0.8, causes)  # of a favourite in two, only with a second value
        self.assertIn("--combinations 0.5", (combined / "README.txt").read_text())

    def test_a_market_is_never_overwritten(self):
        self.assertEqual(run("simulate", self.market).returncode, 1)

    def test_the_truth_has_a_row_per_bond(self):
        bonds = (self.market / "truth" / "bonds.csv").read_text().splitlines()[1:]
        investors = (self.market / "truth" / "investors.csv").read_text().splitlines()[1:]
        self.assertEqual((self.market / "truth" / "utility.f32").stat().st_size, 4 * len(bonds) * len(investors))
        with (self.market / "bonds.csv").open(newline="") as file:
            self.assertEqual([row["bond_id"] for row in csv.DictReader(file)], bonds)

    def test_bad_rows_are_counted_and_written_with_reasons(self):
        bids = self.market / "bids.csv"
        lines = bids.read_text().splitlines()
        lines.append(lines[1])  # a duplicate
        column = lines[0].split(",").index("bond_id")
        bad = lines[2].split(",")
        bad[0], bad[column] = "a-new-bid", "no-such-bond"
        lines.append(",".join(bad))
        other = lines[3].split(",")
        other[lines[0].split(",").index("amount")] = "0.0001"  # a known id with other content
        lines.append(",".join(other))
        bids.write_text("\n".join(lines) + "\n")
        rejects = self.home / "rejects.csv"
        result = run("validate", self.market, "--rejects", rejects, "--format", "json")
        self.assertEqual(result.returncode, 3, result.stderr)
        report = {row["file"]: row for row in json.loads(result.stdout)}["bids.csv"]
        self.assertEqual((report["duplicates"], report["rejected"]), (1, 2))
        self.assertEqual(report["rows"], report["accepted"] + 3)
        with rejects.open(newline="") as file:
            unknown, conflict = csv.DictReader(file)
        self.assertEqual((unknown["file"], unknown["line"]), ("bids.csv", str(len(lines) - 1)))
        self.assertIn("bond", unknown["reason"])
        self.assertEqual((conflict["line"], conflict["raw"]), (str(len(lines)), lines[-1]))
        self.assertIn("revision", conflict["reason"])

    def test_a_folder_without_schema_fails(self):
        empty = self.home / "empty"
        empty.mkdir()
        self.assertEqual(run("validate", empty).returncode, 1)


class Services(Case):
    def setUp(self):
        super().setUp()
        self.data = self.home / "data"
        result = run("up", "--detach", directory=self.data)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.page = result.stdout.splitlines()[1]

    def tearDown(self):
        run("down", directory=self.data)
        super().tearDown()

    def processes(self):
        result = run("status", "--format", "json", directory=self.data)
        return {p["process"]: p for p in json.loads(result.stdout)["processes"]}

    def test_life_of_a_directory(self):
        names = set(self.processes())
        self.assertLessEqual({"supervisor", "ingester", "trainer", "ranker", "evaluator", "desk", "explainer-1"}, names)

        second = run("up", directory=self.data)
        self.assertEqual(second.returncode, 1)
        self.assertIn(str(self.processes()["supervisor"]["pid"]), second.stderr)

        victim = self.processes()["explainer-1"]["pid"]
        os.kill(victim, signal.SIGKILL)
        again = wait_for(lambda: (p := self.processes()["explainer-1"])["state"] == "ready" and p["pid"] != victim and p, "a restart")
        self.assertEqual(again["restarts"], 1)

        pids = [p["pid"] for p in self.processes().values()]
        self.assertEqual(run("down", directory=self.data).returncode, 0)
        self.assertFalse([pid for pid in pids if alive(pid)])
        self.assertEqual(run("status", directory=self.data).returncode, 4)

    def test_no_process_outlives_a_killed_supervisor(self):
        processes = self.processes()
        os.kill(processes["supervisor"]["pid"], signal.SIGKILL)
        wait_for(lambda: not any(alive(p["pid"]) for p in processes.values()), "all to end")

    def test_import_twice_changes_nothing_and_close_day_waits(self):
        market = self.home / "market"
        self.assertEqual(run("simulate", market, "--size", "tiny").returncode, 0)
        first = json.loads(run("import", market, "--format", "json", directory=self.data).stdout)
        self.assertEqual(sum(row["rejected"] + row["duplicates"] for row in first), 0)
        dry = json.loads(run("import", market, "--dry-run", "--format", "json", directory=self.data).stdout)
        second = json.loads(run("import", market, "--format", "json", directory=self.data).stdout)
        self.assertEqual(sum(row["accepted"] for row in second), 0)
        self.assertEqual(dry, second)
        self.assertEqual(run("close-day", "2030-01-01", directory=self.data).returncode, 0)
        stores = json.loads(run("status", "--format", "json", directory=self.data).stdout)["stores"]
        self.assertEqual((stores["ranker_offset"], stores["evaluator_offset"]), (stores["ledger_head"],) * 2)
        self.assertEqual(run("close-day", "2029-01-01", directory=self.data).returncode, 3)
        self.assertEqual(run("doctor", directory=self.data).returncode, 0)

    def test_the_page_answers(self):
        def get(path, tag=None):
            request = urllib.request.Request(self.page + path, headers={"If-None-Match": tag} if tag else {})
            try:
                return urllib.request.urlopen(request, timeout=DEADLINE_S)
            except urllib.error.HTTPError as error:
                return error

        answer = get("/api/v1/status")
        self.assertEqual(answer.status, 200)
        self.assertEqual(get("/api/v1/status", answer.headers["ETag"]).status, 304)
        self.assertEqual(json.loads(get("/api/v1/bonds").read())["total"], 0)
        for path, code in (("/api/v1/bonds/none", 404), ("/api/v1/bonds?limit=x", 400), ("/api/v1/bonds?state=x", 400), ("/other", 404),
                           ("/bonds/%3Cscript%3E", 404)):
            problem = get(path)
            self.assertEqual((problem.status, problem.headers["Content-Type"]), (code, "application/problem+json"), path)
        page = get("/")
        self.assertTrue(page.headers["Content-Security-Policy"].startswith("default-src 'none'; "))
        self.assertIn("text/html", page.headers["Content-Type"])


class FailedStart(Case):
    def test_what_failed_is_told_and_nothing_stays(self):
        (self.home / "bookrunner.yaml").write_text("explainers: 2\nno_such_key: 1\n")
        result = run("up", "--detach", directory=self.home)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no_such_key", result.stderr)
        self.assertEqual(run("status", directory=self.home).returncode, 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
