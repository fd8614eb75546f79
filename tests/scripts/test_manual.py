"""The manual pages and bash's completion, as they are built and installed.

Goal: they say all that the program takes, in words that survive roff and bash, and nothing else. Method: the pages are rendered and held
against --help, `config show` and the sources; bash completes lines as people type them.
"""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import tempfile
import textwrap
import time
import unittest

BIN = pathlib.Path(os.environ["BOOKRUNNER_BIN"])
SOURCE = pathlib.Path(os.environ["BOOKRUNNER_SOURCE"])
SHARE = BIN.parent / "share"
COMPLETION = SHARE / "bash-completion" / "completions" / "bookrunner"
PAGES = {"bookrunner": SHARE / "man" / "man1" / "bookrunner.1", "bookrunner.yaml": SHARE / "man" / "man5" / "bookrunner.yaml.5"}
DEADLINE_S = 10


def run(*words, **more):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=DEADLINE_S, check=False, **more)
    assert result.returncode == 0, (words, result.stderr)
    return result.stdout


def program(*words):
    return run(BIN / "bookrunner", *words)


def commands():
    return [line.split()[0] for line in program("--help").split("Commands:\n")[1].split("\n\n")[0].splitlines()]


def options(command):
    """What the command's help lists: [("--format table|json", "how ...")]."""
    lines = program(command, "--help").split("Options:\n")[1].split("\n\n")[0].splitlines()
    pairs = [re.split(r"  +", line.strip(), maxsplit=1) for line in lines]
    return [tuple(pair) for pair in pairs if pair[0] != "-h, --help"]


def plain(text):
    return " ".join(text.split())


class Pages(unittest.TestCase):
    renderer = ("mandoc", "-Tutf8", "-Owidth=1000")

    @classmethod
    def setUpClass(cls):
        if shutil.which(cls.renderer[0]) is None:
            raise unittest.SkipTest("no %s to render with" % cls.renderer[0])
        cls.pages = {name: re.sub(r".\x08", "", run(*cls.renderer, path)) for name, path in PAGES.items()}

    def section(self, page, title):
        return re.search(r"^%s\n(.*?)(?=^\S|\Z)" % title, self.pages[page], re.M | re.S)[1]

    def assertSays(self, text, what):
        self.assertIn(plain(what), plain(text))

    def test_every_command_is_there_with_all_its_help_says(self):
        text = self.section("bookrunner", "COMMANDS")
        parts = dict(re.findall(r"^   (\S+)\n(.*?)(?=^   \S|\Z)", text, re.M | re.S))
        self.assertEqual(list(parts), commands())
        for name, part in parts.items():
            help_text = program(name, "--help")
            usage = re.search(r"^Usage: (.*) \[OPTION\.\.\.\]$", help_text, re.M)[1]
            self.assertSays(part, usage.replace("|", " | "))
            for left, _ in options(name):
                self.assertSays(part, "[%s]" % left.replace("|", " | "))
            self.assertEqual(part.count("[--"), len(options(name)), name)
            examples, rest = help_text.split("Examples:\n")[1].split("\nUsage: ")
            details = rest.split("Options:\n")[1].partition("\n\n")[2]
            for line in [*examples.splitlines(), *details.splitlines()]:
                self.assertSays(part, line)

    def test_every_option_is_there_with_its_meaning(self):
        text = plain(self.section("bookrunner", "OPTIONS"))
        seen = {pair for name in commands() for pair in options(name)}
        self.assertGreater(len(seen), 30)
        for left, meaning in seen:
            self.assertIn("%s %s%s." % (left.replace("|", " | "), meaning[0].upper(), meaning[1:]), text)

    def test_every_key_is_there_with_range_default_and_unit(self):
        text = plain(self.section("bookrunner.yaml", "KEYS"))
        rows = json.loads(program("config", "show", "--format", "json", "--dir", "/nonexistent"))
        self.assertGreater(len(rows), 60)
        for row in rows:
            meaning = row["description"][0].upper() + row["description"][1:]
            is_choice = row["default"] in re.split(", | or ", row["range"])
            default = row["default"] if is_choice else json.dumps(row["default"])
            self.assertIn(plain("%s %s. Range: %s; default: %s %s" % (row["key"], meaning, row["range"], default, row["unit"])) + ".", text)

    def test_the_example_of_settings_is_right(self):
        example = re.search(r"^ +explainers: 4\n.*?\n\n", self.pages["bookrunner.yaml"], re.M | re.S)[0]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(textwrap.dedent(example))
            file.flush()
            program("config", "check", file.name)

    def test_every_variable_that_is_read_is_there(self):
        text = self.section("bookrunner", "ENVIRONMENT")
        names = set()
        for top in ("common", "services"):
            for path in (SOURCE / top).rglob("*.c"):
                names |= set(re.findall(r'getenv\("(\w+)"\)', path.read_text(encoding="utf-8")))
        self.assertIn("BOOKRUNNER_DIR", names)
        for name in names:
            self.assertRegex(text, r"\b%s\b" % name)

    def test_every_place_of_a_data_directory_is_there(self):
        places = re.findall(r"^///   (DIR/\S+)", (SOURCE / "common/service/paths.h").read_text(encoding="utf-8"), re.M)
        self.assertGreater(len(places), 5)
        self.assertEqual(re.findall(r"^\s+(DIR/\S+)$", self.section("bookrunner", "FILES"), re.M), places)

    def test_every_exit_code_is_there(self):
        header = (SOURCE / "services/bookrunner/cli.h").read_text(encoding="utf-8")
        codes = re.findall(r"^    EXIT_CODE_\w+ = (\d+)", header, re.M)
        text = self.section("bookrunner", "EXIT STATUS")
        self.assertEqual(re.findall(r"^\s+(\d+) +[A-Z]", text, re.M), codes)


class PagesByGroff(Pages):
    renderer = ("groff", "-mdoc", "-Tutf8", "-P-cbou", "-rLL=1000n", "-rHY=0")


class Built(unittest.TestCase):
    def test_no_sign_is_left_to_typography(self):
        for path in PAGES.values():
            for line in path.read_text(encoding="utf-8").splitlines():
                self.assertFalse(line[0] != "." and re.search(r"[`^~]|(?<!\\)--", line), line)

    def test_what_was_built_is_what_the_program_writes(self):
        for name, path in PAGES.items():
            self.assertEqual(path.read_text(encoding="utf-8"), program("manual", name))
        self.assertEqual(COMPLETION.read_text(encoding="utf-8"), program("completion"))

    def test_it_is_installed_where_man_and_bash_look(self):
        with tempfile.TemporaryDirectory(prefix="bookrunner-install-") as prefix:
            run("cmake", "--install", BIN.parent, "--prefix", prefix)
            for path in (*PAGES.values(), COMPLETION):
                installed = pathlib.Path(prefix) / "share" / path.relative_to(SHARE)
                self.assertEqual(installed.read_bytes(), path.read_bytes())
            self.assertTrue((pathlib.Path(prefix) / "bin" / "bookrunner").exists())


class Completion(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="bookrunner-completion-")
        self.addCleanup(place.cleanup)
        self.home = pathlib.Path(place.name)
        (self.home / "markets").mkdir()
        (self.home / "many rows.csv").touch()

    def completed(self, line):
        """What bash offers for the last word of the line, cut where bash cuts it."""
        words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
        script = ('. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bookrunner; '
                  '[[ ${#COMPREPLY[@]} -eq 0 ]] || printf "%s\\n" "${COMPREPLY[@]}"')
        return sorted(run("bash", "-c", script, COMPLETION, *words, cwd=self.home).splitlines())

    def test_commands(self):
        self.assertEqual(self.completed("bookrunner "), sorted([*commands(), "help", "--help", "--version"]))
        self.assertEqual(self.completed("bookrunner sn"), ["snapshots"])
        self.assertEqual(self.completed("bookrunner help sn"), ["snapshots"])
        self.assertEqual(self.completed("bookrunner zzz "), [])

    def test_options(self):
        for name in commands():
            wanted = sorted([left.split()[0] for left, _ in options(name)] + ["--help"])
            self.assertEqual(self.completed("bookrunner %s -" % name), wanted)
        self.assertEqual(self.completed("bookrunner import x --dr"), ["--dry-run"])

    def test_values(self):
        forms = ["csv", "json", "ndjson", "table"]
        self.assertEqual(self.completed("bookrunner status --format "), forms)
        self.assertEqual(self.completed("bookrunner status --format="), forms)
        self.assertEqual(self.completed("bookrunner status --format=nd"), ["ndjson"])
        self.assertEqual(self.completed("bookrunner doctor --format n"), ["nagios", "ndjson"])
        self.assertEqual(self.completed("bookrunner run --market m"), ["markets"])
        self.assertEqual(self.completed("bookrunner run --json m"), ["many rows.csv", "markets"])
        self.assertEqual(self.completed("bookrunner run --seed "), [])

    def test_words(self):
        self.assertEqual(self.completed("bookrunner snapshots "), ["list", "rollback"])
        self.assertEqual(self.completed("bookrunner snapshots --dir x --format=csv r"), ["rollback"])
        self.assertEqual(self.completed("bookrunner snapshots rollback "), [])
        self.assertEqual(self.completed("bookrunner import m"), ["markets"])
        self.assertEqual(self.completed("bookrunner import markets m"), [])
        self.assertEqual(self.completed("bookrunner config check m"), ["many rows.csv", "markets"])
        self.assertEqual(self.completed("bookrunner train --ctr a b m"), ["many rows.csv", "markets"])
        self.assertEqual(self.completed("bookrunner manual bookrunner.y"), ["bookrunner.yaml"])

    def test_as_typed(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], dict(os.environ, TERM="dumb", HISTFILE="/dev/null"))
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.close, terminal)  # hangs up
        os.write(terminal, b". '%s'\nbookrunner run --size=pa\t --market mar\t" % bytes(COMPLETION))
        seen = b""
        end = time.monotonic() + DEADLINE_S
        while b"--size=paper  --market markets/" not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], end - time.monotonic())[0]:
                seen += os.read(terminal, 4096)
        self.assertIn(b"--size=paper  --market markets/", seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
