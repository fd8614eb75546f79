"""What people do goes through the ingester into the ledger: acknowledged means committed, once, by whom it was, unchanged since; it moves no list
and no snapshot; and whoever may not write, does not."""

import json
import os
import signal
import socket
import subprocess
import tempfile

from installation import BIN, Installation, cut_market, simulate

HOSTILE = ["<script>alert(1)</script>", "\u202egnp.exe", "'; DROP TABLE notes; --", "王", "=cmd|'/c calc'!A1", "a" * 128, "%00%0a"]


class Desk:
    """Requests to the desk, byte by byte: what an HTTP library would repair is sent as it is."""

    def __init__(self, place):
        with open(place.path("run", "desk.http")) as file:
            host, port = file.read().strip().rsplit(":", 1)
        self.address = (host, int(port))
        self.headers = {"Host": f"localhost:{port}"}
        self.token = ""

    def ask(self, method, path, body=None, headers=(), drop=()):
        """(code, answer) of one request; `headers` over the usual ones, without those in `drop`."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = dict(self.headers, Connection="close")
        if method == "POST":
            usual.update({"Content-Length": str(len(data)), "Content-Type": "application/json", "X-Bookrunner-Token": self.token})
        usual.update(headers)
        lines = [f"{method} /api/v1{path} HTTP/1.1"] + [f"{k}: {v}" for k, v in usual.items() if k not in drop]
        with socket.create_connection(self.address, timeout=30) as link:
            link.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            try:
                link.sendall(data)
            except OSError:
                pass  # refused by its head
            answer = b""
            while piece := link.recv(1 << 16):
                answer += piece
        head, _, text = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), json.loads(text) if text else None

    def get(self, path, code=200, **more):
        got, answer = self.ask("GET", path, **more)
        assert got == code, f"{path}: {got} instead of {code}: {answer}"
        return answer

    def be(self, user=None):
        if user is not None:
            self.headers["X-User"] = user
        self.token = self.get("/me")["token"]
        return self

    def post(self, body, key, code, path="/notes", headers=(), drop=()):
        got, answer = self.ask("POST", path, body, dict({"Idempotency-Key": key}, **dict(headers)), drop)
        assert got == code, f"{key}: {got} instead of {code}: {answer}"
        return answer


def call(bond, investor, value="called"):
    return {"topic": "call", "bond": bond, "investor": investor, "value": value}


def holding(desk, bond):
    return [(n["topic"], n["investor"], n["subject"], n["value"], n["user"]) for n in desk.get(f"/bonds/{bond}/notes")["notes"]]


def restart(place, name):
    old = place.processes()[name]["pid"]
    place.kill(name)
    place.wait(f"{name} started again", lambda _: place.processes()[name]["pid"] not in (0, None, old))
    place.wait_ready()


def pair(place):
    """A bond with a list, and two of its investors."""
    lists = [key.split(" ") for what, key in place.digest() if what == "list"]
    shown = place.json("explain", lists[0][0])
    return lists[0][0], [investor["id"] for investor in shown["investors"][:2]]


def written(place, desk, bond, investors):
    """Same key twice, other content, undo, another's word over one's own."""
    one, two = investors
    first = desk.post(call(bond, one), "k1", 201)
    assert first["user"] == "ann" and len(first["id"]) == 64, first
    assert holding(desk, bond) == [("call", one, "", "called", "ann")], "what was acknowledged is not shown"
    assert desk.post(call(bond, one), "k1", 200) == first, "the same key has another answer"
    restart(place, "ingester")
    assert desk.post(call(bond, one), "k1", 200) == first, "the same key has another answer after a restart"
    desk.post(call(bond, one, "declined"), "k1", 409)
    desk.post(call(bond, two), "k1", 409)
    desk.post({"topic": "reason", "bond": bond, "investor": one, "subject": "rating", "value": "useful", "snapshot": "abc"}, "k2", 201)
    desk.be("bob")
    second = desk.post(call(bond, one, "interested"), "k1", 201)  # another user's key is another key
    assert second["record"] > first["record"]
    assert sorted(holding(desk, bond)) == [("call", one, "", "interested", "bob"), ("reason", one, "rating", "useful", "ann")]
    desk.post(call(bond, one, ""), "k3", 201)
    assert holding(desk, bond) == [("reason", one, "rating", "useful", "ann")], "an empty value does not withdraw"


def refused(place, desk, bond, investor):
    """Each is refused, and nothing of it is written."""
    before = place.stores()["ledger_head"]
    good = call(bond, investor)
    for value in ("", "a b", "k" * 65, "k;", "ü"):
        desk.post(good, value, 400)
    desk.post(good, "r", 400, drop=["Idempotency-Key"])
    desk.post(good, "r", 403, drop=["X-Bookrunner-Token"])
    desk.post(good, "r", 403, headers={"X-Bookrunner-Token": "0" * 64})
    desk.post(good, "r", 403, headers={"Origin": "http://evil.example"})
    desk.post(good, "r", 403, headers={"Origin": "null"})
    desk.post(good, "r", 403, headers={"Sec-Fetch-Site": "cross-site"})
    desk.post(good, "r", 415, headers={"Content-Type": "text/plain"})
    desk.post(good, "r", 415, drop=["Content-Type"])
    desk.post(good, "r", 413, headers={"Content-Length": str((64 << 10) + 1)})
    desk.post(json.dumps(good).encode() + b" " * (64 << 10), "r", 413)
    for body in (b"", b"{", b"[]", b"\xff", b'{"topic":"call","topic":"call"}', b"nul\0"):
        desk.post(body, "r", 400)
    for change in ({"topic": "choice"}, {"topic": "action"}, {"topic": 1}, {"value": "maybe"}, {"value": None}, {"subject": "rating"},
                   {"topic": "reason"}, {"topic": "reason", "subject": "a" * 129, "value": "wrong"},
                   {"topic": "reason", "subject": "a\nb", "value": "wrong"}, {"snapshot": "v" * 129}, {"bond": ["x"]}):
        desk.post(dict(good, **change), "r", 422)
    for name in HOSTILE:
        desk.post(dict(good, bond=name), "r", 404)
        desk.post(dict(good, investor=name), "r", 404)
    desk.get("/notes", 405)
    assert desk.ask("DELETE", "/notes")[0] == 405
    desk.get("/bonds/nobond/notes", 404)
    assert place.stores()["ledger_head"] == before, "something that was refused is in the ledger"


def roles(desk, bond, investor):
    for user, code in (("carl", 403), ("ann", 201), ("root", 201)):
        desk.be(user).post(call(bond, investor), f"role-{user}", code)
    token = desk.be("ann").token
    desk.headers["X-User"] = "bob"
    desk.token = token
    desk.post(call(bond, investor), "another's token", 403)
    desk.be("ann").get("/audit", 403)
    assert desk.be("root").get("/me")["role"] == "operator"
    desk.get("/bonds", 401, drop=["X-User"])
    for user in ("", "a" * 129, "a\x01"):
        desk.get("/bonds", 401, headers={"X-User": user})
    desk.be("ann")


def hostile_texts(desk, bond, investor):
    """Names are data: they come back as they were, as JSON, to whoever reads."""
    for i, name in enumerate(HOSTILE):
        note = {"topic": "reason", "bond": bond, "investor": investor, "subject": name, "value": "wrong", "snapshot": name}
        desk.post(note, f"hostile-{i}", 201)
    subjects = [n[2] for n in holding(desk, bond) if n[0] == "reason" and n[3] == "wrong"]
    assert sorted(subjects) == sorted(HOSTILE), subjects
    for i, name in enumerate(HOSTILE):
        desk.post({"topic": "reason", "bond": bond, "investor": investor, "subject": name, "value": ""}, f"undo-{i}", 201)


def killed(place, desk, bond, investor):
    """The ingester is killed again and again while notes come: each acknowledged one is there, once; the others can be sent again."""
    keys, open_keys = [f"kill-{i}" for i in range(30)], set()
    records = {}
    for i, key in enumerate(keys):
        if i % 10 == 4:
            place.kill("ingester")
        elif i == 17:  # it has the note, and dies before it says so
            place.wait_ready()
            assert place.signal("ingester", signal.SIGSTOP)
        code, answer = desk.ask("POST", "/notes", call(bond, investor, "called" if i % 2 else "declined"), {"Idempotency-Key": key})
        assert code in (201, 503), f"{key}: {code} {answer}"
        if code == 201:
            records[key] = answer["record"]
        else:
            assert "ingester" in answer["detail"], answer
            open_keys.add(key)
        if i == 17:
            assert place.kill("ingester")
    assert "kill-17" in open_keys, "a note is acknowledged that a stopped ingester took"
    place.wait_ready()
    for key in sorted(open_keys):
        i = keys.index(key)
        code, answer = desk.ask("POST", "/notes", call(bond, investor, "called" if i % 2 else "declined"), {"Idempotency-Key": key})
        assert code in (200, 201), f"{key}: {code} {answer}"
        records[key] = answer["record"]
    assert len(set(records.values())) == len(keys), "two notes are one"
    rows = audit(place)
    assert {int(r["record"]) for r in rows} >= set(records.values()), "an acknowledged note is not in the ledger"


def audit(place, code=0):
    done = place.run("audit", "--format", "json", check=False)
    assert done.returncode == code, f"exit {done.returncode} instead of {code}: {done.stderr}"
    return json.loads(done.stdout)


def audited(place, desk):
    rows = audit(place)
    desk.be("root")
    whole = desk.get("/audit?limit=1000")
    assert whole["intact"] and whole["total"] == len(rows) == len(whole["notes"])
    shown = [(n["record"], n["chain"], n["user"], n["value"], n["subject"], n["bond"], n["time"]) for n in whole["notes"]]
    told = [(int(r["record"]), r["chain"], r["user"], r["value"], r["subject"], r["bond"], r["time"]) for r in reversed(rows)]
    assert shown == told, "desk and command tell different things"
    page = desk.get("/audit?limit=3&offset=2")
    assert [n["record"] for n in page["notes"]] == [s[0] for s in shown[2:5]]
    desk.get("/audit?limit=1001", 400)
    assert desk.get(f"/audit?offset={len(rows)}")["notes"] == []
    for form, lines in (("ndjson", len(rows)), ("csv", len(rows) + 1)):
        assert len(place.run("audit", "--format", form).stdout.splitlines()) == lines
    desk.be("ann")


def unmoved(place, before, head):
    """Notes are no market data: no list, explanation, figure or snapshot is another, and making them again makes the same."""
    def others(digest):
        return {key: value for key, value in digest.items() if not (key[0] == "row" and key[1].startswith("note "))}
    place.wait("the ranker has passed the notes", lambda s: s["ranker_offset"] >= place.stores()["ledger_head"])
    stores = place.stores()
    assert stores["ledger_head"] > head["ledger_head"]
    assert stores["lists"] == head["lists"] and stores["results"] == head["results"] and stores["todo"] == 0, (head, stores)
    assert others(place.digest()) == before, "a note moved something"
    place.run("rank")
    place.wait_explained()
    assert others(place.digest()) == before, "lists made again after notes are others"
    place.run("replay", "--all")
    place.run("train", "--seed", "7", "--force")
    versions = {event["snapshot"] for event in place.json("snapshots", "list")}
    assert len(versions) == 1, f"the same training after notes made another snapshot: {versions}"


def stopped(place, desk, bond, investor):
    """An ingester that hangs: the answer is 503 in time, and who only reads is served meanwhile."""
    place.signal("ingester", signal.SIGSTOP)
    try:
        answer = desk.post(call(bond, investor), "hanging", 503)
        assert "has not answered within" in answer["detail"], answer
        desk.get("/bonds")
    finally:
        place.signal("ingester", signal.SIGCONT)
    place.wait_ready()
    desk.ask("POST", "/notes", call(bond, investor), {"Idempotency-Key": "hanging"})
    assert len([n for n in audit(place) if n["value"] == "called" and n["user"] == "ann"]) > 0


def broken(place):
    """One note whose chain does not follow: the command names it, and so does the desk."""
    place.run("down")
    done = subprocess.run([os.path.join(BIN, "forge_note"), place.path("ledger")], capture_output=True, text=True, check=True)
    record = int(done.stdout)
    done = place.run("audit", check=False)
    assert done.returncode == 5 and f"ledger record {record} " in done.stderr, (done.returncode, done.stderr)
    assert "forged" in done.stdout
    place.up()
    place.wait_ready()
    answer = Desk(place).be("root").get("/audit")
    assert not answer["intact"] and answer["broken_record"] == record, answer


def without_a_proxy(place, bond, investor):
    """Everyone is "local", with the role of the configuration, and only pages of this host are answered."""
    with open(place.path("bookrunner.yaml")) as file:
        lines = file.readlines()
    with open(place.path("bookrunner.yaml"), "w") as file:
        file.writelines(line for line in lines if not line.startswith("access:"))
    place.run("down")
    place.up()
    place.wait_ready()
    desk = Desk(place).be()
    assert desk.get("/me") == {"user": "local", "role": "read", "token": desk.token, "languages": ["en", "zh"], "version": "0.1.0"}
    desk.post(call(bond, investor), "local", 403)
    for host in ("evil.example", "localhost.evil.example", ""):
        desk.get("/bonds", 421, headers={"Host": host})
        desk.post(call(bond, investor), "local", 421, headers={"Host": host})
    desk.get("/bonds", headers={"X-User": "root"})
    desk.get("/audit", 403, headers={"X-User": "root"})


def elsewhere(place):
    """The header is believed from the proxy's address alone."""
    with open(place.path("bookrunner.yaml")) as file:
        text = file.read()
    with open(place.path("bookrunner.yaml"), "w") as file:
        file.write(text.replace("proxy: 127.0.0.1", "proxy: 127.0.0.2"))
    place.run("down")
    place.up()
    place.wait_ready()
    desk = Desk(place)
    for path in ("/me", "/bonds", "/audit"):
        desk.get(path, 401, headers={"X-User": "root"})
    with open(place.path("bookrunner.yaml"), "w") as file:
        file.write(text)


def main():
    with tempfile.TemporaryDirectory(prefix="bookrunner-notes-") as root:
        market, part = os.path.join(root, "market"), os.path.join(root, "part")
        simulate(market)
        cut_market(market, part, "2024-10-01")
        access = "access: {user_header: X-User, proxy: 127.0.0.1, desk: [ann, bob], operators: [root]}\n"
        with Installation(explainers=1, config=access) as place:
            place.up()
            place.run("import", part)
            place.run("close-day", "2024-10-01", "--no-wait")
            place.run("train", "--seed", "7")
            place.wait_explained()
            before, head = place.digest(), place.stores()
            bond, investors = pair(place)
            desk = Desk(place).be("ann")
            written(place, desk, bond, investors)
            desk.be("ann")
            refused(place, desk, bond, investors[0])
            roles(desk, bond, investors[0])
            hostile_texts(desk, bond, investors[1])
            killed(place, desk, bond, investors[1])
            stopped(place, desk, bond, investors[0])
            audited(place, desk)
            unmoved(place, before, head)
            elsewhere(place)
            broken(place)
            without_a_proxy(place, bond, investors[0])


if __name__ == "__main__":
    main()
