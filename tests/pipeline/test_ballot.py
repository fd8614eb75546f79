"""People's votes on pairs of issuers: five each, by five people, whoever asks at the same moment; what is refused says why; what is acknowledged stays, also when the
ingester is killed; nobody is told how others voted before he has; and no list, figure or snapshot is another because of them."""

import concurrent.futures
import csv
import io
import os
import subprocess
import tempfile
import urllib.request

from installation import BIN, Installation, cut_market, fill, mount, simulate
from test_notes import Desk, audit, restart

RATERS = [f"rater{i}" for i in range(9)]
CONFIG = ("access: {user_header: X-User, proxy: 127.0.0.1, desk: [" + ", ".join(RATERS) + "], operators: [root]}\n"
          "item_based: {sampling: SAMPLING, seed: 4}\n")


class Rater(Desk):
    def __init__(self, place, user):
        super().__init__(place)
        self.n = 0
        self.be(user)

    def question(self, code=200):
        return self.get("/pairs/question", code)

    def vote(self, ticket, vote, code=201, key=None):
        self.n += 1
        key = key or f"{self.headers['X-User']}-{self.n}"
        return self.post({"ticket": ticket, "vote": vote}, key, code, "/pairs/votes")

    def undo(self, key=None):
        self.n += 1
        return self.post({}, key or f"undo-{self.n}", 200, "/pairs/undo")["withdrawn"]


def pair_of(question):
    return question["x"]["issuer"], question["y"]["issuer"]


def try_send(place, rater, key, x, y, value, ballast=0):
    """To the ingester itself, past the desk: what became of it, "" when the batch was refused as a whole or nobody answered."""
    words = [rater, key, x, y, value, str(ballast)]
    done = subprocess.run([os.path.join(BIN, "send_vote"), place.dir, *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def send(place, *vote):
    word = try_send(place, *vote)
    assert word, vote
    return word


def asked(raters):
    """A question is one pair, described on both sides, the same until it is answered, and says nothing of others."""
    ann, bob = raters[:2]
    one = ann.question()
    assert one == ann.question() and one["n"] == 1
    assert pair_of(bob.question()) == pair_of(one), "all are asked the same first, so that fives get complete"
    assert set(one) == {"n", "x", "y", "ticket"}
    for side in (one["x"], one["y"]):
        assert side["bonds"] >= 1 and side["investors"] >= 1, side
        names = [feature["name"] for feature in side["latest"]["features"]]
        assert "industry" in names and all(feature["label"] for feature in side["latest"]["features"]), side
        bonds = ann.get(f"/bonds?q={side['issuer']}&limit=1000&state=issued")["bonds"] + ann.get(f"/bonds?q={side['issuer']}&limit=1000")["bonds"]
        bonds = {bond["id"]: bond["issue_date"] for bond in bonds if bond["issuer"] == side["issuer"]}
        assert bonds[side["latest"]["id"]] == side["latest"]["issue_date"] == max(bonds.values()), (side, bonds)
    assert pair_of(one)[0] != pair_of(one)[1]
    chinese = ann.get("/pairs/question?lang=zh")
    assert pair_of(chinese) == pair_of(one) and chinese["x"]["latest"]["features"][0]["label"] != one["x"]["latest"]["features"][0]["label"]
    return one


def voted(place, raters):
    """Five raters; the sixth, and the same one twice, are refused."""
    first = asked(raters)
    x, y = pair_of(first)
    late = raters[6].question()["ticket"]
    for i, rater in enumerate(raters[:5]):
        one = rater.question()
        assert pair_of(one) == (x, y), f"{i}: {pair_of(one)}"
        rater.vote(one["ticket"], "maybe", 422)
        raters[7].vote(one["ticket"], "yes", 409)
        answer = rater.vote(one["ticket"], "yes" if i < 3 else "no", 201, "first")
        assert rater.vote(one["ticket"], "yes" if i < 3 else "no", 200, "first") == answer, "the same key, the same answer"
        rater.vote(one["ticket"], "no" if i < 3 else "yes", 409, "first")
        assert "voted on this pair already" in rater.vote(one["ticket"], "yes", 409)["detail"]
        assert "voted on this pair already" in rater.vote(one["ticket"], "skip", 409)["detail"]
        assert pair_of(rater.question()) != (x, y)
    assert "five votes" in raters[6].vote(late, "yes", 409)["detail"]
    assert pair_of(raters[6].question()) != (x, y), "what has its five votes is asked no more"
    figures = raters[0].get("/pairs")
    assert (figures["pairs"], figures["complete"], figures["votes"], figures["raters"]) == (1, 1, 5, 5), figures
    assert figures["valid"] == {"3": 1, "4": 0, "5": 0} and figures["share_valid"] == 0.6 and abs(figures["observed"] - 0.4) < 1e-9
    assert abs(figures["fleiss_kappa"] - (0.4 - 0.52) / 0.48) < 1e-9 and len(figures["words"]) == 3
    assert raters[0].get("/pairs?lang=zh")["words"][0] != figures["words"][0]
    for threshold, valid in ((3, "yes"), (4, "no"), (5, "no")):
        rows = raters[0].get(f"/pairs/table?threshold={threshold}")
        assert rows["pairs"] == [{"x": x, "y": y, "votes": 5, "yes": 3, "valid": valid}] and rows["total"] == 1
    for wrong in ("threshold=6", "threshold=0", "limit=1001", "threshold=x"):
        raters[0].get(f"/pairs/table?{wrong}", 400)
    return x, y


def refused(place, raters, x, y):
    """By the ingester, whoever sends: the reason names column and cause, and nothing of it is written."""
    head = place.stores()["ledger_head"]
    for rater, pair, value, wanted in (
            ("new", (x, "nobody"), "yes", "rejected issuer_id: unknown pair: there is no issuer nobody"),
            ("new", ("nobody", y), "yes", "rejected subject: unknown pair: there is no issuer nobody"),
            ("new", (x, x), "yes", "rejected subject: X and Y are the same issuer"),
            ("new", (x, ""), "yes", "rejected issuer_id: "),
            ("new", (x, y), "perhaps", "rejected value: "),
            ("new", (x, y), "yes", "rejected subject: the pair has its five votes"),
            ("new", (x, y), "", "rejected value: there is nothing to take back"),
            ("rater0", (x, y), "no", "rejected user: this rater has voted on this pair already")):
        answer = send(place, rater, f"{rater} {pair} {value}", *pair, value)
        assert answer.startswith(wanted), f"{answer} instead of {wanted}"
    assert place.stores()["ledger_head"] == head
    rejects = raters[0].get("/rejects?limit=1")["rows"]
    assert rejects[0]["id"] == f"{x} {y} rater0" and rejects[0]["column"] == "user", rejects
    raters[0].vote("", "yes", 409)
    raters[0].vote("0" * 64 + raters[0].question()["ticket"][64:], "yes", 409)
    for body in (b"{", b"[]"):
        raters[0].post(body, "wrong", 400, "/pairs/votes")
    raters[0].post({"ticket": raters[0].question()["ticket"], "vote": "yes"}, "x", 400, "/pairs/votes", drop=["Idempotency-Key"])
    raters[0].post({"ticket": raters[0].question()["ticket"], "vote": "yes"}, "x", 403, "/pairs/votes", drop=["X-Bookrunner-Token"])
    reader = Rater(place, "carl")
    reader.question(403)
    reader.post({}, "x", 403, "/pairs/undo")
    assert reader.get("/pairs")["complete"] == 1


def undone(place, raters):
    """Withdrawn, then again; a skip is no vote, does not come back, and may be taken back, too."""
    ann, eve = raters[0], raters[8]
    one = ann.question()
    ann.vote(one["ticket"], "yes")
    two = ann.question()
    assert pair_of(two) != pair_of(one)
    assert ann.undo("back") and ann.undo("back"), "the same key takes back no more"
    assert pair_of(ann.question()) == pair_of(one), "what was taken back comes again"
    assert ann.get("/pairs")["votes"] == 5 and ann.get("/pairs/table")["total"] == 1
    ann.vote(ann.question()["ticket"], "no")
    row = ann.get("/pairs/table")["pairs"][1]
    assert row == {"x": pair_of(one)[0], "y": pair_of(one)[1], "votes": 1, "yes": None, "valid": "open"}, "nobody is told how it stands"
    assert not eve.undo(), "there is nothing of hers"
    assert pair_of(eve.question()) == pair_of(one), "what was begun comes first"
    eve.vote(eve.question()["ticket"], "skip")
    after = eve.question()
    assert pair_of(after) != pair_of(one) and after["n"] == 2
    assert eve.get("/pairs")["votes"] == 6
    restart(place, "ingester")
    restart(place, "desk")
    ann.__init__(place, "rater0")
    eve.__init__(place, "rater8")
    assert pair_of(eve.question()) == pair_of(after), "a skip is remembered"
    assert eve.undo() and pair_of(eve.question()) == pair_of(one)
    eve.vote(eve.question()["ticket"], "yes", key="again")


def at_once(place, raters):
    """Many at the same moment, over the desk and past it: exactly five are taken."""
    tickets = [rater.question() for rater in raters]
    pairs = {pair_of(question) for question in tickets[2:7]}
    assert len(pairs) == 1, "the begun one is asked of all who have not voted"
    x, y = pairs.pop()

    def vote(rater, ticket, i):
        while True:
            code, answer = rater.ask("POST", "/pairs/votes", {"ticket": ticket, "vote": "yes" if i % 2 else "no"}, {"Idempotency-Key": f"at-once-{i}"})
            if code != 429:
                return code, answer

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        over = [pool.submit(vote, raters[i], tickets[i]["ticket"], i) for i in range(2, 7)]
        past = [pool.submit(send, place, f"other{i}", f"other{i}", x, y, "yes") for i in range(8)]
        codes = [done.result()[0] for done in over]
        words = [done.result() for done in past]
    assert set(codes) <= {201, 409} and all(word.startswith(("accepted", "rejected subject: the pair has its five votes")) for word in words), (codes, words)
    rows = [row for row in raters[0].get("/pairs/table?limit=1000")["pairs"] if (row["x"], row["y"]) == (x, y)]
    before = 2  # of the undone
    taken = codes.count(201) + sum(word.startswith("accepted") for word in words)
    assert taken + before == 5 and rows[0]["votes"] == 5, (codes, words, rows)
    votes = [n for n in audit(place) if n["topic"] == "pair" and (n["subject"], n["issuer"]) == (x, y)]
    last = {note["user"]: note["value"] for note in votes}
    assert sum(value in ("yes", "no") for value in last.values()) == 5, last
    fresh = [send(place, f"fresh{i}", f"fresh{i}", y, x, "no") for i in range(2)]
    assert all(word.startswith("accepted") for word in fresh), "the other way round it is another pair"


def in_one_batch(place, raters):
    """Votes that come in one message and are written in one transaction see each other."""
    votes = {(row["x"], row["y"]) for row in raters[0].get("/pairs/table?limit=1000")["pairs"]}
    issuers = sorted({issuer for pair in votes for issuer in pair})
    x, y = next((x, y) for x in issuers for y in issuers if x != y and (x, y) not in votes)
    words = send(place, "b0,b1,b1,b2,b3,b4,b5,b0", "batch", x, y, "yes").splitlines()
    assert [word.split(":")[0].strip() for word in words] == ["accepted"] * 2 + ["rejected user"] + ["accepted"] * 3 + ["rejected subject", "rejected user"], words
    assert "five votes" in words[6] and "voted on this pair already" in words[2], words
    again = send(place, "b0,b1,b1,b2,b3,b4,b5,b0", "batch", x, y, "yes").splitlines()
    assert [word.split()[0] for word in again] == ["duplicate"] * 2 + ["rejected"] + ["duplicate"] * 3 + ["rejected"] * 2, again
    assert sum(note["topic"] == "pair" and (note["subject"], note["issuer"]) == (x, y) for note in audit(place)) == 5


def killed(place, raters):
    """The ingester dies between votes: what was acknowledged is there once, the rest can be sent again, and the sixth stays refused."""
    taken = 0
    question = raters[1].question()
    x, y = pair_of(question)
    for i in range(12):
        if i % 4 == 1:
            place.kill("ingester")
        word = try_send(place, f"killer{i}", f"kill-{i}", x, y, "yes")
        if not word:  # the same once more
            place.wait_ready()
            word = send(place, f"killer{i}", f"kill-{i}", x, y, "yes")
        assert word.startswith(("accepted", "duplicate", "rejected subject: the pair has its five votes")), word
        taken += not word.startswith("rejected")
    place.wait_ready()
    before = [row["votes"] for row in raters[0].get("/pairs/table?limit=1000")["pairs"] if (row["x"], row["y"]) == (x, y)]
    assert before == [5], before
    assert send(place, "killer0", "kill-0", x, y, "yes").startswith(("duplicate", "rejected")), "the same note again"
    assert len({n["user"] for n in audit(place) if n["topic"] == "pair" and (n["subject"], n["issuer"]) == (x, y) and n["value"]}) >= taken


def past_pairs(investors, own):
    return {(bid["issuer"], own): bid["votes"] for investor in investors for bid in investor["past_bids"] if not bid["same_issuer"]}


def told_alike(place, rater):
    """List, why not, what if and command: a past bid of a pair that its five raters call no reason is shown nowhere; one that they call a reason says how many; before all have voted nothing is said."""
    bond = sorted(b["id"] for b in rater.get("/bonds?limit=1000")["bonds"] if b["list"] and b["list"]["investors"])[0]
    own = rater.get(f"/bonds/{bond}")["issuer"]
    listed = lambda: rater.get(f"/bonds/{bond}/recommendations")["investors"]
    voted = {(row["x"], row["y"]) for row in rater.get("/pairs/table?limit=1000")["pairs"]}
    good, bad = [pair for pair in sorted(past_pairs(listed(), own)) if pair not in voted][:2]
    with_bad = next(i["id"] for i in listed() if any(bid["issuer"] == bad[0] for bid in i["past_bids"]))
    for i in range(5):
        assert past_pairs(listed(), own)[good] is None and past_pairs(listed(), own)[bad] is None, "before all have voted"
        for pair, value in ((good, "yes" if i else "no"), (bad, "yes" if i < 2 else "no")):
            answer = send(place, f"filter{i}", f"filter {pair} {i}", *pair, value)
            assert answer.startswith("accepted"), answer
    place.wait("the desk has seen them", lambda _: bad not in past_pairs(listed(), own))
    assert past_pairs(listed(), own)[good] == {"valid": 4, "of": 5}
    alone = rater.get(f"/bonds/{bond}/investors/{with_bad}")["past_bids"]
    assert alone == next(i["past_bids"] for i in listed() if i["id"] == with_bad) and bad[0] not in [bid["issuer"] for bid in alone]
    what_if = rater.post({"features": {}}, "what", 200, f"/bonds/{bond}/what-if")["investors"]
    assert past_pairs(what_if, own) == past_pairs(listed(), own)
    told = place.json("explain", bond)["investors"]
    assert past_pairs(told, own) == past_pairs(listed(), own), "the command says the same"
    rows = place.run("explain", bond, "--format", "csv").stdout
    assert "past bids" in rows and f",past bids,{bad[0]}," not in rows and f",past bids,{good[0]}," in rows, rows
    assert f"because they bid on {good[0]}: " in place.run("explain", bond).stdout


def shown_past(desk, bond, investor, x):
    """What the list, the page of one investor and the CSV say of the bids on X."""
    one = next(i for i in desk.get(f"/bonds/{bond}/recommendations")["investors"] if i["id"] == investor)
    alone = desk.get(f"/bonds/{bond}/investors/{investor}")
    assert one["past_bids"] == alone["past_bids"], (one["past_bids"], alone["past_bids"])
    with urllib.request.urlopen(urllib.request.Request(f"http://{desk.address[0]}:{desk.address[1]}/api/v1/bonds/{bond}/recommendations.csv", headers=desk.headers)) as answer:
        row = next(row for row in csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig"))) if row["investor"] == investor)
    said = [past for past in one["past_bids"] if past["issuer"] == x]
    assert (f"{x} (" in row["because they bid on"]) == bool(said), row
    return said


def seen(place, desk, x, y, n):
    place.wait(f"the desk has seen {n} votes on {x}, {y}",
               lambda _: (x, y, n) in [(row["x"], row["y"], row["votes"]) for row in desk.get("/pairs/table?limit=1000")["pairs"]])


def filtered(place, desk):
    """A pair that stands on a list is shown until five people have spoken and too few said yes; how they voted is not told before."""
    voted = {(row["x"], row["y"]) for row in desk.get("/pairs/table?limit=1000")["pairs"]}
    found = []
    for bond in [b for b in desk.get("/bonds?limit=1000")["bonds"] if b["list"] and not b["list"]["pending"]]:
        for investor in desk.get(f"/bonds/{bond['id']}/recommendations")["investors"]:
            found += [(bond["id"], investor["id"], past["issuer"], bond["issuer"]) for past in investor["past_bids"]
                      if not past["same_issuer"] and (past["issuer"], bond["issuer"]) not in voted]
    bond, investor, x, y = found[0]
    for i in range(5):
        assert shown_past(desk, bond, investor, x)[0]["votes"] is None
        assert send(place, f"judge{i}", f"judge{i}", x, y, "yes" if i < 2 else "no").startswith("accepted")
        seen(place, desk, x, y, i + 1)
    assert shown_past(desk, bond, investor, x) == [], "two of five are no three"
    assert send(place, "judge4", "judge4-back", x, y, "").startswith("accepted")
    seen(place, desk, x, y, 4)
    assert shown_past(desk, bond, investor, x)[0]["votes"] is None, "an open pair is given"
    assert send(place, "judge4", "judge4-again", x, y, "yes").startswith("accepted")
    seen(place, desk, x, y, 5)
    assert shown_past(desk, bond, investor, x)[0]["votes"] == {"valid": 3, "of": 5}


def unmoved(place, before, head):
    def others(digest):
        return {key: value for key, value in digest.items() if not (key[0] == "row" and key[1].startswith("note "))}
    place.wait("the ranker has passed the votes", lambda s: s["ranker_offset"] >= place.stores()["ledger_head"])
    assert place.stores()["ledger_head"] > head["ledger_head"]
    assert others(place.digest()) == before, "a vote moved something"
    place.run("train", "--seed", "7", "--force")
    versions = {event["snapshot"] for event in place.json("snapshots", "list")}
    assert len(versions) == 1, f"the same training after votes made another snapshot: {versions}"


def to_the_end(place, rater):
    """One by one through all that there is, each pair once; then there is nothing to ask."""
    seen, skipped = set(), 0
    while True:
        code, one = rater.ask("GET", "/pairs/question")
        if code == 204:
            break
        assert code == 200 and pair_of(one) not in seen, one
        seen.add(pair_of(one))
        rater.vote(one["ticket"], "skip" if len(seen) % 3 else "no")
        if len(seen) == 40:
            return len(seen)
        skipped += 1
    return len(seen)


def disputed(place, raters):
    """By disagreement: other pairs first than at random, and still one after the other."""
    random = [pair_of(rater.question()) for rater in raters[7:8]]
    with open(place.path("bookrunner.yaml")) as file:
        text = file.read()
    with open(place.path("bookrunner.yaml"), "w") as file:
        file.write(text.replace("sampling: random", "sampling: disagreement"))
    restart(place, "desk")
    rater = Rater(place, RATERS[7])
    one = rater.question()
    assert pair_of(one) != random[0], "an order by disagreement is another than one by lot"
    rater.vote(one["ticket"], "yes")
    assert pair_of(rater.question()) != pair_of(one)


def rolled_back(part):
    """A batch that the disk has no room for is lost as a whole, and so is the vote in it: it may be given again, and so may a fifth."""
    with Installation(explainers=0) as place:
        if not mount(place.path("ledger"), "24m"):
            print("skipped: a full disk (this user may not mount a tmpfs)")
            return
        try:
            place.up()
            place.run("import", part)
            with open(os.path.join(part, "bonds.csv")) as file:
                issuers = sorted({row["issuer_id"] for row in csv.DictReader(file)})
            x, *others = issuers
            for i in range(4):
                assert send(place, f"r{i}", f"r{i}", x, others[0], "yes").startswith("accepted")
            fill(place.path("ledger", "ballast"), 1 << 20)
            n = 0
            while try_send(place, "r4", f"r4-{n}", x, others[n], "yes", 999):
                n += 1
                assert n < 20, "the disk is never full"
            os.remove(place.path("ledger", "ballast"))
            for i in range(n):
                assert send(place, "r4", f"again-{i}", x, others[i], "yes").startswith("rejected user"), i
            assert send(place, "r4", "again", x, others[n], "yes").startswith("accepted"), "what was lost is counted"
            assert send(place, "r4", "once more", x, others[n], "no").startswith("rejected user")
            votes = [note for note in audit(place) if note["topic"] == "pair" and note["user"] == "r4"]
            assert len(votes) == n + 1, votes
        finally:
            place.run("down", check=False)
            subprocess.run(["umount", place.path("ledger")], check=True)


def main():
    with tempfile.TemporaryDirectory(prefix="bookrunner-ballot-") as root:
        market, part = os.path.join(root, "market"), os.path.join(root, "part")
        simulate(market)
        cut_market(market, part, "2024-10-01")
        small = os.path.join(root, "small")
        cut_market(market, small, "2022-03-01")
        rolled_back(small)
        with Installation(explainers=1, config=CONFIG.replace("SAMPLING", "random")) as place:
            place.up()
            place.run("import", part)
            nobody = Desk(place).be(RATERS[0])
            assert nobody.ask("GET", "/pairs/question") == (204, None), "without lists there is nothing to ask"
            assert nobody.get("/pairs")["observed"] is None and nobody.get("/pairs/table")["pairs"] == []
            place.run("close-day", "2024-10-01", "--no-wait")
            place.run("train", "--seed", "7")
            place.wait_explained()
            bonds = lambda: [b["list"] for b in nobody.get("/bonds?limit=1000")["bonds"] if b["list"]]
            place.wait("the desk shows them", lambda _: bonds() and not any(shown["pending"] for shown in bonds()))
            def others(digest):
                return {key: value for key, value in digest.items() if not (key[0] == "row" and key[1].startswith("note "))}
            before, head = others(place.digest()), place.stores()
            raters = [Rater(place, name) for name in RATERS]
            x, y = voted(place, raters)
            refused(place, raters, x, y)
            undone(place, raters)
            raters = [Rater(place, name) for name in RATERS]
            at_once(place, raters)
            in_one_batch(place, raters)
            killed(place, raters)
            told_alike(place, raters[0])
            n = to_the_end(place, raters[5])
            filtered(place, raters[0])
            unmoved(place, before, head)
            disputed(place, raters)
            rows = audit(place)
            whole = Desk(place).be("root").get("/audit?limit=1000")
            assert whole["intact"] and whole["total"] == len(rows) and {note["topic"] for note in whole["notes"]} == {"pair"}
            print(f"{len(rows)} notes; the last rater was asked {n} pairs")


main()
