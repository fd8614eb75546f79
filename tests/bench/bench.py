"""What the drivers here share: the built command, a simulated market in a ledger, reports that are kept run by run."""
import json
import os
import statistics
import subprocess

BIN = os.environ.get("BOOKRUNNER_BIN", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "bin"))
CONFIG = "explainers: 0\nhttp: {port: 0, telemetry_port: 0}\n"


class Failed(Exception):
    """A command that did not do what it should."""


def bookrunner(directory, *words, settings=None):
    """Run a command; what is set in the caller's environment is not taken over."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("BOOKRUNNER_")}
    for key, value in (settings or {}).items():
        env["BOOKRUNNER_" + key.upper().replace(".", "_")] = value
    done = subprocess.run([os.path.join(BIN, "bookrunner"), *words], capture_output=True, text=True, check=False,
                          env={**env, "BOOKRUNNER_DIR": directory})
    if done.returncode != 0:
        raise Failed(f"bookrunner {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def answer(directory, *words):
    return json.loads(bookrunner(directory, *words, "--format", "json"))


def save(report, path):
    if path is None:
        return
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    os.replace(path + ".part", path)


def load(path, report, keys):
    """The report that stands there already, if it is of the same market and settings."""
    if path is None or not os.path.exists(path):
        return report
    with open(path, encoding="utf-8") as file:
        old = json.load(file)
    for key in keys:
        if old[key] != report[key]:
            raise Failed(f"{path}: its {key} is {old[key]}, not {report[key]}")
    return old


def prepare(directory, size, seed, words=(), change=None):
    """A simulated market in the ledger of the directory, which is made; returns its folder. `words`: further options of `simulate`;
    change(folder): what is done to the market before it is imported."""
    market = os.path.join(directory, f"market-{size}-{seed}")
    if os.path.isdir(market):
        return market
    if os.path.exists(os.path.join(directory, "bookrunner.yaml")):
        raise Failed(f"{directory} holds something else")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "bookrunner.yaml"), "w", encoding="utf-8") as file:
        file.write(CONFIG)
    bookrunner(directory, "simulate", market + ".part", "--size", size, "--seed", str(seed), *words)
    if change is not None:
        change(market + ".part")
    bookrunner(directory, "up", "--detach")
    try:
        bookrunner(directory, "import", market + ".part")
    finally:
        bookrunner(directory, "down")
    os.rename(market + ".part", market)
    return market


def deviation(values):
    return statistics.stdev(values) if len(values) > 1 else None
