"""Bad files, bad rows, a full disk and a wrong order of commands against a running installation: each gets its message (file, line,
cause) and its exit code, what is good goes in, nothing crashes, memory stays small, and nothing that was acknowledged is lost."""

import csv
import http.client
import os
import re
import shutil
import subprocess
import tempfile

from installation import Installation, cut_market, fill, mount, simulate

SCHEMA = """\
market: bad-input
windows_days: [30, 365]
bond_features:
  - {name: rating, kind: ordinal, values: [AAA, AA, A], preference: true}
  - {name: industry, kind: categorical, values: [银行, 钢铁, steel], preference: true}
  - {name: coupon, kind: continuous, bins: 4}
investor_features:
  - {name: org_type, kind: categorical, group: attribute}
"""
BONDS = "bond_id,issuer_id,announce_date,issue_date,rating,industry,coupon"
INVESTORS = "investor_id,effective_from,org_type"
BIDS = "bid_id,bond_id,investor_id,bid_date,amount"
MAX_PEAK_MB = 100
LONG_LINE = 100 << 20


class Folder:
    """A good market of one bond, two investors and two bids, all with ids of its own, that a case then spoils."""

    def __init__(self, root, name):
        self.name = name
        self.path = os.path.join(root, name)
        self.bonds = [BONDS, f"{name}-b,S1,2024-01-02,2024-01-10,AA,steel,3.5"]
        self.investors = [INVESTORS, f"{name}-i1,2020-01-01,fund", f"{name}-i2,2020-01-01,bank"]
        self.bids = [BIDS, f"{name}-1,{name}-b,{name}-i1,2024-01-09,10", f"{name}-2,{name}-b,{name}-i2,2024-01-09,20.5"]
        self.good = {f"bond {name}-b", f"investor {name}-i1 2020-01-01", f"investor {name}-i2 2020-01-01",
                     f"bid {name}-1", f"bid {name}-2"}
        os.makedirs(self.path)
        self.write("schema.yaml", SCHEMA.encode())

    def write(self, file, content):
        with open(os.path.join(self.path, file), "wb") as out:
            out.write(content)

    def save(self, encoding="utf-8", before=b"", end="\n"):
        for file, lines in (("bonds", self.bonds), ("investors", self.investors), ("bids", self.bids)):
            self.write(file + ".csv", before + "".join(line + end for line in lines).encode(encoding))
        return self


def rejects(place):
    """[(file, line, column, reason, raw)] of the last import that rejected something."""
    with open(place.path("rejects-bad-input.csv"), newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "line", "column", "reason", "raw"], rows[0]
    return rows[1:]


def ledger(place):
    return {key: value for (what, key), value in place.digest().items() if what == "row"}


def add(place, folder, code, said=""):
    done = place.run("import", folder.path, check=False)
    assert done.returncode == code, f"{folder.name}: exit {done.returncode} instead of {code}\n{done.stdout}{done.stderr}"
    assert said in done.stderr, f"{folder.name}: {said!r} is not in {done.stderr!r}"
    missing = folder.good - set(ledger(place))
    assert not missing, f"{folder.name}: good rows are missing: {missing}"
    return done


def add_rejected(place, folder, *expected):
    """Import; exactly these rows come back. Each is (file, line, column, part of the reason, raw)."""
    add(place, folder, 3, "rejected, each with its reason in")
    found = rejects(place)
    assert len(found) == len(expected), f"{folder.name}: {found}"
    for row, (file, line, column, reason, raw) in zip(found, expected):
        assert row[0] == file and row[1] == str(line) and row[2] == column and row[4] == raw, f"{folder.name}: {row}"
        assert reason in row[3], f"{folder.name}: {reason!r} is not in {row[3]!r}"


def rows_of_one_kind(place, root):
    truncated = Folder(root, "truncated").save()
    bad = 'truncated-3,truncated-b,"trunc'
    truncated.write("bids.csv", ("\n".join(truncated.bids) + "\n" + bad).encode())
    add_rejected(place, truncated, ("bids.csv", 4, "investor_id", "file ends inside a quoted field", bad))

    unknown = Folder(root, "unknown")
    unknown.bids.append("unknown-3,nobond,unknown-i1,2024-01-09,1")
    unknown.bids.append("unknown-4,unknown-b,noone,2024-01-09,1")
    add_rejected(place, unknown.save(), ("bids.csv", 4, "bond_id", "nobond", unknown.bids[3]),
                 ("bids.csv", 5, "investor_id", "noone", unknown.bids[4]))

    early = Folder(root, "early")
    early.bids.insert(1, "early-3,early-b,early-i1,2024-01-01,1")
    add_rejected(place, early.save(), ("bids.csv", 2, "bid_date", "2024-01-01", early.bids[1]))
    assert "2024-01-02" in rejects(place)[0][3], "the announcement's day is not named"

    twice = Folder(root, "twice")
    twice.bids.append("twice-1,twice-b,twice-i1,2024-01-09,11")
    twice.bids.append(twice.bids[2])
    add_rejected(place, twice.save(), ("bids.csv", 4, "", "this bid is known with other content (ledger record ", twice.bids[3]))

    closed = Folder(root, "closed")
    closed.bonds.append("closed-x,S1,2024-01-02,2024-01-10,BBB,steel,3.5")
    closed.bonds.append("closed-y,S1,2024-01-02,2024-01-10,AA,鋼,3.5")
    add_rejected(place, closed.save(), ("bonds.csv", 3, "rating", "'BBB' is not one of AAA, AA, A", closed.bonds[2]),
                 ("bonds.csv", 4, "industry", "银行, 钢铁, steel", closed.bonds[3]))

    zero = Folder(root, "zero")
    zero.bids.insert(1, "zero-3,zero-b,zero-\0i1,2024-01-09,1")
    add_rejected(place, zero.save(),
                 ("bids.csv", 2, "", "NUL byte at byte 20 of the line", zero.bids[1].replace("\0", "\ufffd")))


def whole_files(place, root):
    header = Folder(root, "header")
    header.bids[0] = "bid_id,bond_id,investor,bid_date,amount"
    header.good -= {"bid header-1", "bid header-2"}
    add_rejected(place, header.save(), ("bids.csv", 1, "", "the header lacks investor_id", ""))
    done = add(place, header, 3, "bids.csv line 1: the header lacks investor_id; it has bid_id,")
    assert "column not in the schema, ignored: bids.csv: investor" in done.stderr, done.stderr

    nothing = Folder(root, "nothing")
    os.remove(os.path.join(nothing.path, "schema.yaml"))
    nothing.good = set()
    add(place, nothing, 1, "nothing/schema.yaml: No such file or directory")
    bare = Folder(root, "bare").save()
    os.remove(os.path.join(bare.path, "schema.yaml"))
    bare.good = set()
    add(place, bare, 1, "bare/schema.yaml: No such file or directory")
    assert not any("bare" in key for key in ledger(place)), "rows without a schema were taken"

    both = Folder(root, "both").save()
    both.write("bonds.ndjson", b"")
    both.good = set()
    add(place, both, 1, "holds both bonds.csv and bonds.ndjson: one of them must go")
    assert not any("both" in key for key in ledger(place)), "one of two files was guessed to be meant"


def long_logs(place):
    """Logs at their bound are set aside at the next start."""
    os.mkdir(place.path("log"))
    names = ("ranker.log", "supervisor.log")
    for name in names:
        with open(place.path("log", name), "wb") as out:
            out.write(b"x" * (8 << 20))
    place.up()
    for name in names:
        assert os.path.getsize(place.path("log", name + ".1")) == 8 << 20 > os.path.getsize(place.path("log", name)) > 0


def schemas(root):
    """A later schema that rows of the ledger do not fit is refused, one that they fit is taken; the ingester lives through both."""
    first = Folder(root, "first").save()
    later = Folder(root, "later")
    later.bonds[1] = later.bonds[1].replace("AA,", "AAA,")
    later.save()
    schema = SCHEMA.replace("windows_days:", "revision: 1\nwindows_days:", 1)
    with Installation(explainers=1) as place:
        long_logs(place)
        place.run("import", first.path)
        ingester = place.processes()["ingester"]["pid"]
        later.write("schema.yaml", schema.replace("AAA, AA, A]", "AAA, A]").encode())
        dry = place.run("import", later.path, "--dry-run", "--format", "csv", check=False)
        predicted = list(csv.DictReader(dry.stdout.splitlines()))
        done = place.run("import", later.path, "--format", "csv", check=False)
        assert dry.returncode == done.returncode == 3, (dry, done)
        assert predicted == list(csv.DictReader(done.stdout.splitlines())), (dry.stdout, done.stdout)
        row = rejects(place)
        assert len(row) == 1 and row[0][0] == "schema.yaml" and row[0][2] == "schema", row
        assert "ledger record 2 does not fit it" in row[0][3] and "'AA' is not one of AAA, A" in row[0][3], row
        later.write("schema.yaml", schema.replace("AAA, AA, A]", "AAA, AA, A, B]").encode())
        dry = place.run("import", later.path, "--dry-run", "--format", "csv").stdout
        done = place.run("import", later.path, "--format", "csv").stdout
        assert dry == done, (dry, done)
        assert place.processes()["ingester"]["pid"] == ingester, "the ingester was started again"
        assert {"schema", "schema revision 1"} <= set(ledger(place)), ledger(place)


def encodings(place, root):
    chinese = Folder(root, "中文")
    chinese.bonds[1] = chinese.bonds[1].replace("steel", "钢铁")
    chinese.investors[1] = chinese.investors[1].replace("fund", "基金公司")
    add(place, chinese.save("gb18030"), 0)
    before = place.digest()
    done = add(place, chinese.save("utf-8", b"\xef\xbb\xbf", "\r\n"), 0)
    assert place.digest() == before, "UTF-8 with mark and CRLF says something else than GB18030"
    counts = list(csv.DictReader(place.run("import", chinese.path, "--format", "csv").stdout.splitlines()))
    assert {row["file"]: int(row["duplicates"]) for row in counts} == {
        "schema.yaml": 1, "bonds.csv": 1, "investors.csv": 2, "bids.csv": 2}, counts

    columns = Folder(root, "columns")
    columns.bids = [line + more for line, more in zip(columns.bids, (",colour", ",red", ",blue"))]
    done = add(place, columns.save(), 0, "column not in the schema, ignored: bids.csv: colour")
    assert "rejected" not in done.stderr, done.stderr


def long_line(place, root):
    """A line of 100 MB is one rejected line, and costs neither the command nor the ingester its size in memory."""
    folder = Folder(root, "long").save()
    with open(os.path.join(folder.path, "bids.csv"), "wb") as out:
        out.write((folder.bids[0] + "\n" + folder.bids[1] + "\nlong-3,").encode())
        for _ in range(LONG_LINE >> 20):
            out.write(b"x" * (1 << 20))
        out.write(("\n" + folder.bids[2] + "\n").encode())
    process = place.start("import", folder.path)
    process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 3, process.returncode
    row = rejects(place)
    assert len(row) == 1 and row[0][:2] == ["bids.csv", "3"] and "line longer than" in row[0][3], row[0][:4]
    assert row[0][4].startswith("long-3,xxx") and len(row[0][4]) <= 1024, len(row[0][4])
    assert folder.good <= set(ledger(place)), "the lines around it are missing"
    peaks = {"import": usage.ru_maxrss / 1024, "ingester": place.processes()["ingester"]["peak_rss_mb"]}
    assert max(peaks.values()) < MAX_PEAK_MB, peaks
    os.remove(os.path.join(folder.path, "bids.csv"))
    return peaks


def commands(place):
    done = place.run("import", check=False)
    assert done.returncode == 2 and "usage: bookrunner import DIR" in done.stderr, done
    done = place.run("up", "--detach", check=False)
    assert done.returncode == 1 and "it is up already in" in done.stderr, done
    processes = place.processes()
    assert all(process["state"] == "ready" and process["restarts"] == 0 for process in processes.values()), processes


def not_running(root):
    folder = Folder(root, "alone").save()
    with Installation() as place:
        done = place.run("import", folder.path, "--timeout", "1", check=False)
        assert done.returncode == 4 and "is `bookrunner up` running?" in done.stderr, done


def ready(place, process):
    """What /readyz of a process says, and its bookrunner_store_full."""
    host, port = place.processes()[process]["http"].removeprefix("http://").rsplit(":", 1)
    texts = []
    for path in ("/readyz", "/metrics"):
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", path)
        texts.append(connection.getresponse().read().decode())
        connection.close()
    return texts[0], int(re.search(r"^bookrunner_store_full\{.*\} (\d)$", texts[1], re.M)[1])


def full_disk(root):
    """The ledger's disk fills up half-way through an import; what was acknowledged stays, and the rest goes in when there is room."""
    market = os.path.join(root, "market")
    small = os.path.join(root, "small")
    simulate(market)
    cut_market(market, small, "2022-03-01")
    with Installation(explainers=1) as place:
        directory = place.path("ledger")
        if not mount(directory, "24m"):
            print("skipped: a full disk (this user may not mount a tmpfs)")
            return
        try:
            place.up()
            place.run("import", small)
            acknowledged = ledger(place)
            fill(place.path("ledger", "ballast"), 2 << 20)
            done = place.run("import", market, check=False)
            assert done.returncode == 1 and "the ingester takes no rows" in done.stderr and "disk full" in done.stderr, done
            kept = ledger(place)
            assert acknowledged.items() <= kept.items(), "acknowledged rows are gone while the disk is full"
            done = place.run("import", market, check=False)
            assert done.returncode == 1, "a disk that is still full"
            assert ready(place, "ingester") == ("ok\n", 1), ready(place, "ingester")
            os.remove(place.path("ledger", "ballast"))
            place.run("import", market)
            after = ledger(place)
            assert kept.items() <= after.items(), "acknowledged rows are gone after the disk had room again"
            assert ready(place, "ingester") == ("ok\n", 0), ready(place, "ingester")
            rows = list(csv.DictReader(place.run("import", market, "--format", "csv").stdout.splitlines()))
            assert all(row["rows"] == row["duplicates"] for row in rows), rows
            restarts = {name: process["restarts"] for name, process in place.processes().items()}
            assert not any(restarts.values()), restarts
            print(f"full disk: {len(acknowledged)} rows, {len(kept)} when it was full, {len(after)} in the end")
        finally:
            place.run("down", check=False)
            subprocess.run(["umount", directory], check=True)


DAY = "2024-10-01"


def is_full(place, process):
    said, gauge = ready(place, process)
    return "disk full" in said and gauge == 1


def work_a_day(place, market):
    place.up()
    place.run("import", market)
    place.run("train", "--seed", "7")


def close(place, *others):
    """Close the day and wait until it is ranked, explained and evaluated; `others` are called before each is."""
    place.run("close-day", DAY, "--no-wait")
    head = place.stores()["ledger_head"]
    for other, done in zip(others or (lambda: None,) * 2, (
            lambda s: s["ranker_offset"] >= head and s["todo"] == 0 and s["lists"] == s["results"] > 0,
            lambda s: s["evaluator_offset"] >= head)):
        other()
        place.wait("the day worked", done)
    place.run("evaluate", "--test")


def full_stores(root):
    """The disks of the other three writers fill up in the midst of a day: each says so, keeps its place, and has done the same as without in the end."""
    market = os.path.join(root, "day")
    simulate(os.path.join(root, "all"))
    cut_market(os.path.join(root, "all"), market, DAY)
    with Installation(explainers=1) as place:
        work_a_day(place, market)
        close(place)
        expected = place.digest()
    stores = ("models", "recommendations", "metrics")
    with Installation(explainers=1) as place:
        mounted = [store for store in stores if mount(place.path(store), "24m")]
        if len(mounted) < len(stores):
            print("skipped: full disks (this user may not mount a tmpfs)")
            return
        try:
            work_a_day(place, market)
            before = {name: process["pid"] for name, process in place.processes().items()}

            def until_room(store, process):
                place.wait(process + " says that the disk is full", lambda _: is_full(place, process))
                os.remove(place.path(store, "ballast"))

            def ranker():
                place.wait("the ranker says that the disk is full", lambda _: is_full(place, "ranker"))
                done = place.run("rank", "--timeout", "1", check=False)
                assert done.returncode == 4 and "disk full" in done.stderr, done
                until_room("recommendations", "ranker")

            for store in stores:
                fill(place.path(store, "ballast"), 0 if store == "metrics" else 48 << 10)
            done = place.run("train", "--seed", "8", check=False)
            assert done.returncode == 1 and "disk full" in done.stderr, done
            assert is_full(place, "trainer"), ready(place, "trainer")
            close(place, ranker, lambda: until_room("metrics", "evaluator"))
            os.remove(place.path("models", "ballast"))
            place.wait("ready again", lambda _: all(ready(place, name) == ("ok\n", 0) for name in ("trainer", "ranker", "evaluator")))
            assert place.digest() == expected, "a full disk changed what was done"
            place.run("train", "--seed", "8")
            after = {name: process["pid"] for name, process in place.processes().items()}
            assert after == before, "a process was started again"
            for name in ("trainer", "ranker", "evaluator"):
                with open(place.path("log", name + ".log")) as log:
                    assert log.read().count("SERVICE-STORE-FULL") == 1, f"{name} did not say it once"
        finally:
            place.run("down", check=False)
            for store in mounted:
                subprocess.run(["umount", place.path(store)], check=True)


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-bad-")
    try:
        with Installation(explainers=1) as place:
            place.up()
            rows_of_one_kind(place, root)
            whole_files(place, root)
            encodings(place, root)
            peaks = long_line(place, root)
            commands(place)
        schemas(root)
        not_running(root)
        full_disk(root)
        full_stores(root)
        print("peaks in MB with a line of 100 MB:", {name: round(value) for name, value in peaks.items()})
    finally:
        shutil.rmtree(root)


main()
