"""`bookrunner config` as an operator uses it.

Goal: every setting is shown with what it is and where that comes from, and what a service would refuse is refused with its place. Method: the
built program on files whose values are known; the commented sample is held against the defaults that it says it shows.
"""

import csv
import io
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["BOOKRUNNER_BIN"]) / "bookrunner"
SAMPLE = pathlib.Path(os.environ["BOOKRUNNER_SOURCE"]) / "deploy" / "bookrunner.yaml"
COLUMNS = ["key", "value", "from", "default", "unit", "range", "description"]


def config(*words, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BOOKRUNNER_")}
    return subprocess.run([str(PROGRAM), "config", *map(str, words)], capture_output=True, text=True, timeout=30, check=False,
                          env=dict(clean, **variables))


class Config(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="bookrunner-config-")
        self.addCleanup(place.cleanup)
        self.home = pathlib.Path(place.name)
        self.file = self.home / "bookrunner.yaml"

    def show(self, **variables):
        result = config("show", "--dir", self.home, "--format", "json", **variables)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return {row["key"]: row for row in json.loads(result.stdout)}

    def test_values_tell_where_they_come_from(self):
        self.file.write_text("ranking: {top: 33, objective: plain}\nmodel: {hidden: [64]}\nhttp: {port: 80}\n")
        rows = self.show(BOOKRUNNER_HTTP_PORT="81", BOOKRUNNER_ACCESS_DESK="ann,bob")
        seen = {key: (row["value"], row["from"], row["default"]) for key, row in rows.items() if row["from"] != "default"}
        self.assertEqual(seen, {"ranking.top": (33, "file", 50), "ranking.objective": ("plain", "file", "backed"),
                                "model.hidden": ([64], "file", [128, 64]), "http.port": (81, "environment", 8080),
                                "access.desk": (["ann", "bob"], "environment", [])})
        self.assertEqual((rows["ranking.top"]["unit"], rows["ranking.top"]["range"]), ("investors", "a whole number from 1 to 1000"))
        self.assertTrue(all(list(row) == COLUMNS and row["range"] and row["description"] for row in rows.values()))
        self.assertTrue(all(row["value"] == row["default"] for row in rows.values() if row["from"] == "default"))

    def test_the_forms_of_output_hold_the_same(self):
        rows = self.show()
        text = config("show", "--dir", self.home, "--format", "csv").stdout
        self.assertEqual([row["key"] for row in csv.DictReader(io.StringIO(text))], list(rows))
        lines = config("show", "--dir", self.home).stdout.splitlines()
        self.assertEqual(lines[0].split(), COLUMNS)
        self.assertEqual([line.split()[0] for line in lines[1:]], list(rows))

    def test_the_sample_is_right_and_shows_the_defaults(self):
        result = config("check", SAMPLE)
        self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
        self.file.write_bytes(SAMPLE.read_bytes())
        rows = self.show()
        self.assertGreater(sum(row["from"] == "file" for row in rows.values()), 20)
        self.assertEqual([key for key, row in rows.items() if row["value"] != row["default"]], [])

    def test_what_is_wrong_is_refused_with_its_place(self):
        other = self.home / "other.yaml"
        for text, parts in (("explainers: 2\nranking:\n  tops: 4\n", ("line 3", "ranking", "tops")),
                            ("ranking:\n  top: 0\n", ("line 2", "ranking.top", "from 1 to 1000")),
                            ("training: {max_epochs: 3, final_epochs: 4}\n", ("final_epochs is 4, not 0 to 3",)),
                            ("study: {methods: [backed, guess]}\n", ("study.methods", "are not two methods")),
                            ("study: {methods: [backed, backed]}\n", ("study.methods", "two different")),
                            ("#" * 70000, ("larger than 65536 bytes",))):
            other.write_text(text)
            result = config("check", other)
            self.assertEqual((result.returncode, result.stdout), (3, ""), text)
            for part in (str(other), *parts):
                self.assertIn(part, result.stderr)
        self.assertEqual(config("check", self.home / "none.yaml").returncode, 1)

    def test_without_a_file_what_the_services_would_take_is_checked(self):
        self.assertEqual(config("check", "--dir", self.home).returncode, 0)
        result = config("check", "--dir", self.home, BOOKRUNNER_HTTP_PORT="eighty")
        self.assertEqual(result.returncode, 3)
        self.assertIn("BOOKRUNNER_HTTP_PORT", result.stderr)
        self.file.write_text("http: {port: eighty}\n")
        for word in ("check", "show"):
            result = config(word, "--dir", self.home)
            self.assertEqual((result.returncode, result.stdout), (3, ""))
            self.assertIn("bookrunner.yaml line 1: http.port", result.stderr)
        self.assertEqual(config("check", SAMPLE, "--dir", self.home, BOOKRUNNER_HTTP_PORT="eighty").returncode, 0)

    def test_wrong_usage(self):
        for words in ((), ("list",), ("show", "x"), ("check", "a", "b")):
            self.assertEqual(config(*words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
