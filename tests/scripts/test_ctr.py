"""`train --ctr`: files of rows in, log loss and AUC out.

Goal: what is learned comes near the known truth, what is wrong in the files is told, the result does not depend on threads, and memory
does not grow with the rows. Method: generated files with a logistic truth; the built command in a fresh directory.
"""

import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["BOOKRUNNER_BIN"]) / "bookrunner"
LONG_S = 240
SETTINGS = {"BOOKRUNNER_TRAINING_BATCH": "512", "BOOKRUNNER_TRAINING_LEARNING_RATE": "0.002", "BOOKRUNNER_MODEL_HIDDEN": "32,16",
            "BOOKRUNNER_MODEL_RANK": "4", "BOOKRUNNER_TRAINING_MAX_EPOCHS": "3", "BOOKRUNNER_TRAINING_FINAL_EPOCHS": "0", "BOOKRUNNER_MODEL_D": "4"}


def draw(n, seed):
    """n rows of (label, site, ad, price or None, log-odds)."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        site = int(rng.random() ** 2 * 12)
        ad = int(rng.random() ** 2 * 900)
        price = None if rng.random() < 0.05 else rng.gauss(0, 1)
        logit = -0.5 + (1.5 if site % 3 == 0 else -0.5) + (1.0 if ad % 2 == 0 else -1.0) + (0.0 if price is None else abs(price))
        rows.append((int(rng.random() < 1 / (1 + math.exp(-logit))), site, ad, price, logit))
    return rows


def auc(rows):
    """Of the truth's log-odds."""
    order = sorted(rows, key=lambda row: row[4])
    negatives = 0
    pairs = 0
    for row in order:
        if row[0]:
            pairs += negatives
        else:
            negatives += 1
    return pairs / (negatives * (len(rows) - negatives))


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write("click,site,ad,price\n")
        for label, site, ad, price, _ in rows:
            file.write("%d,s%d,%d,%s\n" % (label, site, ad, "" if price is None else "%.6f" % price))


def write_libsvm(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for label, site, ad, price, _ in rows:
            file.write("%d %d:1 %d:1 5000:%.6f\n" % (label, site, 100 + ad, 0 if price is None else price))


class Case(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="bookrunner-ctr-", dir="/var/tmp"))
        self.rows_home = self.home / "rows"
        self.rows_home.mkdir()

    def tearDown(self):
        self.assertEqual(list(self.rows_home.iterdir()), [], "encoded rows were left behind")
        shutil.rmtree(self.home)

    def environment(self, settings):
        return dict(os.environ, TMPDIR=str(self.rows_home), BOOKRUNNER_DIR=str(self.home), **{**SETTINGS, **settings})

    def train(self, *words, code=0, **settings):
        result = subprocess.run([str(PROGRAM), "train", "--ctr", "--format", "json", *map(str, words)], capture_output=True, text=True,
                                timeout=LONG_S, env=self.environment(settings), check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return (json.loads(result.stdout) if code in (0, 3) else None), result.stderr

    def files(self, n=6000):
        """Training, validation and test rows as CSV; the rows of the test."""
        test = draw(n // 4, 3)
        for name, rows in (("train", draw(n, 1)), ("valid", draw(n // 4, 2)), ("test", test)):
            write_csv(self.home / (name + ".csv"), rows)
        return [self.home / "train.csv", "--valid", self.home / "valid.csv", "--test", self.home / "test.csv", "--label", "click",
                "--numeric", "price"], test


class Learning(Case):
    def test_csv_comes_near_the_truth(self):
        words, test = self.files(200000)
        result, said = self.train(*words, "--threads", 2)
        self.assertEqual((result["train_rows"], result["valid_rows"], result["test_rows"], result["fields"]), (200000, 50000, 50000, 3))
        self.assertGreater(result["test_auc"], auc(test) - 0.01)
        self.assertLess(result["test_auc"], auc(test) + 0.001)
        self.assertLess(result["test_log_loss"], 0.6)
        self.assertLess(abs(result["test_auc"] - result["valid_auc"]), 0.02)
        self.assertEqual(said.count("validation AUC"), result["epochs"])

    def test_memory_does_not_grow_with_the_rows(self):
        rng = random.Random(9)
        tails = [",".join(str(rng.randrange(50)) for _ in range(40)) for _ in range(300)]
        peak = {}
        for n in (80000, 200000):
            with open(self.home / "wide.csv", "w", encoding="utf-8") as file:
                file.write("label," + ",".join("f%d" % i for i in range(40)) + "\n")
                for i in range(n):
                    file.write("%d,%s\n" % (rng.random() < 0.3, tails[rng.randrange(300)]))
            result, _ = self.train(self.home / "wide.csv", "--split", "98:1:1", "--epochs", 1)
            peak[n] = result["peak_rss_mb"]
        # A window of 65,536 rows is full in both. 120,000 rows more would be 19 MB as codes.
        self.assertLess(peak[200000], peak[80000] + 4)
        self.assertLess(peak[200000], 40)

    def test_libsvm_is_cut_at_random_and_every_row_is_somewhere(self):
        rows = draw(60000, 5)
        write_libsvm(self.home / "rows.libsvm", rows)
        result, _ = self.train(self.home / "rows.libsvm", "--format-in", "libsvm", "--split", "8:1:1", "--numeric", "3")
        self.assertEqual(result["train_rows"] + result["valid_rows"] + result["test_rows"], 60000)
        self.assertLess(abs(result["train_rows"] - 48000), 500)
        self.assertLess(abs(result["test_rows"] - 6000), 400)
        self.assertGreater(result["test_auc"], auc(rows) - 0.03)

    def test_threads_do_not_change_a_bit_and_the_seed_does(self):
        words, _ = self.files()
        hashes = {self.train(*words, "--threads", n, "--epochs", 1)[0]["parameters_hash"] for n in (1, 2, 4)}
        self.assertEqual(len(hashes), 1)
        self.assertNotIn(self.train(*words, "--epochs", 1, "--seed", 2)[0]["parameters_hash"], hashes)

    def test_every_architecture_learns_with_and_without_masks(self):
        words, test = self.files(20000)
        hashes = set()
        for architecture, stacked in (("dcn", "false"), ("dcn", "true"), ("dnn", "false"), ("wide_deep", "false"), ("deepfm", "false")):
            for masks in ("off", "on"):
                result, _ = self.train(*words, "--masks", masks, BOOKRUNNER_MODEL_ARCHITECTURE=architecture, BOOKRUNNER_MODEL_STACKED=stacked)
                self.assertGreater(result["test_auc"], auc(test) - (0.1 if masks == "on" else 0.06), (architecture, masks))
                hashes.add(result["parameters_hash"])
        self.assertEqual(len(hashes), 10)

    def test_columns_may_stand_in_another_order(self):
        words, _ = self.files()
        plain, _ = self.train(*words, "--epochs", 1)
        lines = (self.home / "test.csv").read_text().splitlines()
        (self.home / "test.csv").write_text("\n".join(",".join(reversed(line.split(","))) for line in lines) + "\n")
        self.assertEqual(self.train(*words, "--epochs", 1)[0]["test_auc"], plain["test_auc"])


class Wrong(Case):
    def test_rejected_rows_are_told_with_their_place_and_the_code_is_3(self):
        words, _ = self.files()
        path = self.home / "train.csv"
        lines = path.read_text().splitlines()
        lines[5] = "1,s1,7,nan"
        lines[9] = "2,s1,7,0.5"
        lines[12] = "1,s1,7"
        path.write_text("\n".join(lines) + "\n")
        result, said = self.train(*words, "--epochs", 1, code=3)
        self.assertEqual(result["rejected_rows"], 3)
        self.assertEqual(result["train_rows"], 5997)
        self.assertIn("train.csv line 6, price: 'nan' is not a finite number", said)
        self.assertIn("train.csv line 10, click: '2' is not a label", said)
        self.assertIn("train.csv line 13", said)

    def test_what_cannot_be_used_is_said_and_the_code_is_1(self):
        words, _ = self.files(400)
        words[words.index("click")] = "clicked"
        self.assertIn("no column 'clicked'", self.train(*words, code=1)[1])
        words[words.index("clicked")] = "click"
        words[words.index("price")] = "prize"
        self.assertIn("'prize'", self.train(*words, code=1)[1])
        words[words.index("prize")] = "price"
        self.assertIn("missing.csv", self.train(self.home / "missing.csv", *words[1:], code=1)[1])
        self.assertIn("batch", self.train(*words, code=1, BOOKRUNNER_TRAINING_BATCH="7")[1])
        (self.home / "valid.csv").write_text("click,site,ad,price\n1,s1,1,1\n1,s1,2,1\n")
        self.assertIn("AUC is not finite", self.train(*words, code=1)[1])

    def test_options_that_do_not_fit_together_are_usage_errors(self):
        for words in (["--valid", "v"], ["t"], ["t", "--valid", "v", "--split", "8:1:1"], ["t", "--split", "8:1"], ["t", "--split", "0:1:1"],
                      ["t", "--split", "8:1:1", "--test", "x"], ["t", "--split", "8:1:1", "--format-in", "xml"],
                      ["t", "--split", "8:1:1", "--masks", "maybe"], ["t", "--split", "8:1:1", "--fields", "a,,b"],
                      ["t", "--split", "8:1:1", "--min-count", "0"],
                      ["t", "--split", "8:1:1", "--format-in", "libsvm", "--label", "x"]):
            self.train(*words, code=2)

    def test_an_interrupt_ends_it_cleanly(self):
        words, _ = self.files(20000)
        process = subprocess.Popen([str(PROGRAM), "train", "--ctr", *map(str, words), "--epochs", "1000"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment({"BOOKRUNNER_TRAINING_PATIENCE": "1000"}))
        with process:
            said = process.stderr.readline()
            self.assertTrue(said.startswith("epoch 1 "), said)
            process.send_signal(signal.SIGINT)
            out, rest = process.communicate(timeout=LONG_S)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(out, "")
        self.assertRegex(rest, "bookrunner: train: training: (cancelled|interrupted)")


if __name__ == "__main__":
    unittest.main()
