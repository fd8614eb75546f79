"""A Bookrunner installation in a directory of its own, driven by the command people type. Standard library only."""

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import shutil
import csv
import io
import urllib.error
import urllib.request

BIN = os.environ.get("BOOKRUNNER_BIN", os.path.join(os.path.dirname(__file__), "..", "..", "build", "bin"))

# Small and quick: what is tested here is the work between the processes, not the quality of the model.
QUICK = """\
explainers: {explainers}
model: {{d: 4, cross_layers: 2, rank: 8, hidden: [16, 8]}}
training: {{max_epochs: 2, final_epochs: 1}}
http: {{port: 0, telemetry_port: 0}}
"""


class Installation:
    def __init__(self, explainers=2, config=""):
        self.dir = tempfile.mkdtemp(prefix="bookrunner-pipeline-")
        with open(self.path("bookrunner.yaml"), "w") as file:
            file.write(QUICK.format(explainers=explainers) + config)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.show_logs()
        if kind is not None and "BOOKRUNNER_KEEP" in os.environ:  # left running, to be looked into
            print("kept:", self.dir)
            return
        self.run("down", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def show_logs(self):
        logs = self.path("log")
        for name in sorted(os.listdir(logs)) if os.path.isdir(logs) else []:
            with open(os.path.join(logs, name), errors="replace") as file:
                lines = file.readlines()
            print(f"--- {name} (last lines)")
            print("".join(lines[-15:]))

    def start(self, *arguments):
        """The command as a process whose output is read later."""
        return subprocess.Popen([os.path.join(BIN, "bookrunner"), *arguments, "--dir", self.dir],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, check=True, timeout=300):
        done = subprocess.run([os.path.join(BIN, "bookrunner"), *arguments, "--dir", self.dir],
                              capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"bookrunner {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, check=True):
        return json.loads(self.run(*arguments, "--format", "json", check=check).stdout)

    def begin(self, market, models=None):
        """Up, with the market imported, and a snapshot: that of the directory `models`, or one that is trained, and kept there if it is named."""
        known = models is not None and os.path.isdir(models)
        if known:
            shutil.copytree(models, self.path("models"))
            os.chmod(self.path("models"), 0o700)
        self.up()
        self.run("import", market)
        if not known:
            self.run("train", "--seed", "7")
        if models is not None and not known:
            shutil.copytree(self.path("models"), models)

    def up(self):
        self.run("up", "--detach")

    def status(self):
        return self.json("status")

    def processes(self):
        return {process["process"]: process for process in self.status()["processes"]}

    def stores(self):
        return self.status()["stores"]

    def digest(self):
        """{(what, key): hash}; a key that stands there twice fails."""
        rows = list(csv.DictReader(io.StringIO(self.run("digest", "--format", "csv").stdout)))
        table = {(row["what"], row["key"]): row["hash"] for row in rows}
        assert len(table) == len(rows), "something is stored twice"
        return table

    def wait(self, what, condition, seconds=60):
        """Until `condition` of the stores holds: woken by each hint that any service sends is not possible from here, so the
        stores are asked each 50 ms."""
        waiter = select.poll()
        waited = 0.0
        while True:
            stores = self.stores()
            if condition(stores):
                return stores
            if waited > seconds:
                raise AssertionError(f"{what}: not within {seconds} s: {stores}")
            waiter.poll(50)
            waited += 0.05

    def wait_explained(self, seconds=120):
        return self.wait("all explained", lambda s: s["todo"] == 0 and s["results"] > 0, seconds)

    def wait_ready(self, seconds=60):
        self.wait("all ready", lambda _: all(p["state"] == "ready" for p in self.processes().values()), seconds)

    def kill(self, name):
        return self.signal(name, signal.SIGKILL)

    def signal(self, name, number):
        """Send a process a signal; False if it is down at the moment."""
        process = self.processes().get(name)
        if process is None or not process["pid"]:
            return False
        try:
            os.kill(process["pid"], number)
        except ProcessLookupError:
            return False
        return True


def fetch(address_file, path):
    """(code, text) of a process' own page, (0, "") while it has none."""
    try:
        with open(address_file) as file:
            address = file.read().strip()
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def metric(address_file, name):
    _, text = fetch(address_file, "/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def keys(*words):
    return subprocess.run([os.path.join(BIN, "bookrunner"), "keys", *words], capture_output=True, text=True)


def mount(directory, size):
    os.makedirs(directory, mode=0o700)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", directory], capture_output=True, text=True)
    return done.returncode == 0


def fill(path, leave):
    """A file that takes the space of its file system but for `leave` bytes."""
    with open(path, "wb", buffering=0) as out:
        free = os.statvfs(os.path.dirname(path))
        out.write(b"\0" * max(0, free.f_bavail * free.f_bsize - leave))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """Another host: a directory of its own with the models, and one explainer that reaches the ranker over tcp."""

    def __init__(self, root, name, port, key_directory, models):
        self.dir = os.path.join(root, name)
        os.makedirs(self.dir)
        shutil.copytree(models, os.path.join(self.dir, "models"))
        with open(os.path.join(self.dir, "bookrunner.yaml"), "w") as file:
            file.write(f"work: {{connect: 'tcp://127.0.0.1:{port}', keys: '{key_directory}'}}\n"
                       "http: {port: 0, telemetry_port: 0}\n")
        self.page = os.path.join(self.dir, "run", "explainer-1.http")
        self.log = open(os.path.join(self.dir, "log.txt"), "w")
        self.process = subprocess.Popen([os.path.join(BIN, "bookrunner-explainer"), "--dir", self.dir, "--name", "1"],
                                        stdout=self.log, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        code = self.process.wait(30)
        self.log.close()
        if kind is not None:
            with open(self.log.name) as file:
                print(file.read())
        else:
            assert code == 0, f"the explainer at {self.dir} ended with {code}"


def simulate(directory, size="tiny", seed=1):
    subprocess.run([os.path.join(BIN, "bookrunner"), "simulate", directory, "--size", size, "--seed", str(seed)],
                   check=True, capture_output=True, text=True)


def copy_investors(market, copies):
    """Every investor of a market folder once more, so many times: they bid on nothing, but they are ranked."""
    with open(os.path.join(market, "investors.csv")) as file:
        rows = list(csv.DictReader(file))
    with open(os.path.join(market, "investors.csv"), "a") as out:
        writer = csv.DictWriter(out, rows[0])
        for copy in range(copies):
            writer.writerows(dict(row, investor_id=f"{row['investor_id']}-{copy}") for row in rows)


def cut_market(source, target, until):
    """The part of a simulated market that is known on the day `until`: bonds announced and bids made by then."""
    os.makedirs(target)
    bonds = set()
    for name in os.listdir(source):
        if name in ("schema.yaml", "investors.csv"):
            shutil.copy(os.path.join(source, name), target)
    with open(os.path.join(source, "bonds.csv")) as file, open(os.path.join(target, "bonds.csv"), "w") as out:
        rows = csv.DictReader(file)
        writer = csv.DictWriter(out, rows.fieldnames)
        writer.writeheader()
        for row in rows:
            if row["announce_date"] <= until:
                bonds.add(row["bond_id"])
                writer.writerow(row)
    with open(os.path.join(source, "bids.csv")) as file, open(os.path.join(target, "bids.csv"), "w") as out:
        rows = csv.DictReader(file)
        writer = csv.DictWriter(out, rows.fieldnames)
        writer.writeheader()
        for row in rows:
            if row["bid_date"] <= until and row["bond_id"] in bonds:
                writer.writerow(row)
