"""What the desk works out when it is asked: why not this investor, what if the bond were another, the gates of one search. An unchanged bond gives the
stored list, a listed investor his stored reasons; what the model does not know is refused; more at once than can be worked are answered or told so."""

import concurrent.futures
import csv
import datetime
import json
import os
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from installation import Installation, simulate

SAME = ("reasons", "against", "support", "certified", "probability", "rank", "past_bids")
CONFIG = "access: {user_header: X-User, desk: [ann, bob], operators: [eve]}\n"


class Desk:
    """The API as one user sees it."""

    def __init__(self, place, user):
        self.user, self.n_asked = user, 0
        with open(place.path("run", "desk.http")) as file:
            self.base = f"http://{file.read().strip()}/api/v1/"
        self.token = ""
        self.token = self.get("me")["token"]

    def ask(self, path, body=None, raw=None, headers=()):
        """(code, answer, headers)"""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, dict(headers))
        request.add_header("X-User", self.user)
        if data is not None:
            request.add_header("Content-Type", "application/json")
            request.add_header("X-Bookrunner-Token", self.token)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None, answer.headers
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None, error.headers

    def get(self, path):
        code, answer, _ = self.ask(path)
        assert code == 200, (path, code, answer)
        return answer

    def write(self, path, body, key=None):
        """A POST that changes something: (code, answer)"""
        self.n_asked += 1
        key = key or f"{self.user}-{self.n_asked}"
        return self.ask(path, body, headers={"Idempotency-Key": key})[:2]

    def what_if(self, bond, features, limit=50):
        code, answer, _ = self.ask(f"bonds/{bond}/what-if", {"features": features, "limit": limit})
        assert code == 200, (code, answer)
        return answer


def same(one, other):
    for name in SAME:
        assert json.dumps(one[name]) == json.dumps(other[name]), (name, one[name], other[name])


def check_what_if(desk, bond, features):
    stored = desk.get(f"bonds/{bond}/recommendations")
    unchanged = desk.what_if(bond, {})
    assert unchanged["changed"] == {} and unchanged["snapshot"] == stored["snapshot"]
    for now, was in zip(unchanged["investors"], stored["investors"], strict=True):
        assert now["id"] == was["id"] and now["was"] == {"rank": was["rank"], "probability": was["probability"]}
        same(now, was)
    for now, was in zip(desk.what_if(bond, {"subject_rating": features["subject_rating"]}, 3)["investors"], stored["investors"][:3], strict=True):
        same(now, was)  # its own value is no change
    moved = 0
    for rating in ("AAA", "AA+", "AA"):
        if rating == features["subject_rating"]:
            continue
        answer = desk.what_if(bond, {"subject_rating": rating, "spread": 9.5})
        assert answer["changed"] == {"subject_rating": [features["subject_rating"], rating], "spread": [features["spread"], 9.5]}, answer["changed"]
        assert len(answer["investors"]) == len(stored["investors"]) and answer["milliseconds"] > 0
        chances = [investor["probability"] for investor in answer["investors"]]
        assert chances == sorted(chances, reverse=True)
        assert all(len(investor["reasons"]) == 6 for investor in answer["investors"])
        before = {investor["id"]: investor["past_bids"] for investor in stored["investors"]}
        stayed = [investor["past_bids"] == before[investor["id"]] for investor in answer["investors"] if investor["id"] in before]
        assert stayed and all(stayed), "another feature is no other issuer"
        moved += [i["id"] for i in answer["investors"]] != [i["id"] for i in stored["investors"]]
        for investor in answer["investors"]:
            alone = desk.get(f"bonds/{bond}/investors/{investor['id']}")
            assert investor["was"] == {"rank": alone["rank"], "probability": alone["probability"]}
            break
    assert moved > 0, "no list has moved"
    # Back again: nothing of the other bonds was kept.
    assert desk.what_if(bond, {})["investors"] == unchanged["investors"]
    chinese = desk.ask(f"bonds/{bond}/what-if?lang=zh", {"features": {}})[1]
    assert chinese["investors"][0]["reasons"][0]["tag"] != unchanged["investors"][0]["reasons"][0]["tag"]


def check_why_not(desk, bond):
    stored = desk.get(f"bonds/{bond}/recommendations")
    for listed in stored["investors"][::7]:
        answer = desk.get(f"bonds/{bond}/investors/{listed['id']}")
        assert answer["listed"] and not answer["excluded"]
        same(answer, listed)
    ids = {investor["id"] for investor in stored["investors"]}
    everyone = desk.get("investors?limit=1000")
    assert everyone["total"] == len(everyone["investors"])
    ranks, cut = set(), stored["investors"][-1]
    for other in [i["id"] for i in everyone["investors"] if i["id"] not in ids][:12]:
        answer = desk.get(f"bonds/{bond}/investors/{other}")
        assert not answer["listed"] and answer["snapshot"] == stored["snapshot"]
        assert answer["cut"] == {"rank": cut["rank"], "probability": cut["probability"]}
        assert len(answer["reasons"]) == 6
        if not answer["excluded"]:
            assert cut["rank"] < answer["rank"] <= answer["eligible"] and answer["probability"] <= cut["probability"]
            assert answer["rank"] not in ranks
            ranks.add(answer["rank"])
    assert len(ranks) > 3, ranks
    for path, code in ((f"bonds/{bond}/investors/nobody", 404), ("bonds/none/investors/I00001", 404),
                       (f"bonds/{bond}/investors/", 404), (f"bonds/{bond}/investors/" + "x" * 3000, 404)):
        assert desk.ask(path)[0] in (code,), (path, desk.ask(path))
    found = desk.get("investors?q=" + urllib.parse.quote(cut["id"].lower()))
    assert {"id": cut["id"]} in found["investors"], found


def table(market, name):
    with open(os.path.join(market, name), newline="") as file:
        return list(csv.DictReader(file))


def past_of(market, as_of):
    """(investor, issuer) to (bids, last), by the tables: what was known before the day, on bonds issued before."""
    with open(os.path.join(market, "schema.yaml")) as file:
        late = int((re.search(r"^late_days: *(\d+)", file.read(), re.M) or [0, 0])[1])
    bonds = {row["bond_id"]: row for row in table(market, "bonds.csv")}
    past = {}
    for bid in table(market, "bids.csv"):
        bond, day = bonds[bid["bond_id"]], bid["bid_date"]
        closes = str(datetime.date.fromisoformat(bond["issue_date"]) + datetime.timedelta(days=late))
        known = bid.get("known_from") or str(datetime.date.fromisoformat(day) + datetime.timedelta(days=1))
        if bond["announce_date"] <= day <= closes and max(day, bond["issue_date"]) < as_of and known <= as_of:
            n, last = past.get((bid["investor_id"], bond["issuer_id"]), (0, ""))
            past[bid["investor_id"], bond["issuer_id"]] = n + 1, max(last, day)
    return past


def check_past_bids(desk, market, bond):
    """What past bids are said to be is what the tables say, of the listed and the others; the bond's own issuer is there if it was bid on, and first."""
    stored = desk.get(f"bonds/{bond}/recommendations")
    own = desk.get(f"bonds/{bond}")["issuer"]
    past = past_of(market, stored["as_of"])
    ids = [investor["id"] for investor in stored["investors"]]
    others = [i["id"] for i in desk.get("investors?limit=1000")["investors"] if i["id"] not in ids][:40]
    shown = {investor["id"]: investor["past_bids"] for investor in stored["investors"]}
    shown.update((other, desk.get(f"bonds/{bond}/investors/{other}")["past_bids"]) for other in others)
    n_weighed = n_own = 0
    for investor, bids in shown.items():
        assert len(bids) <= 3 and len({bid["issuer"] for bid in bids}) == len(bids)
        for bid in bids:
            assert (bid["bids"], bid["last"]) == past[investor, bid["issuer"]], (investor, bid)
            assert bid["same_issuer"] == (bid["issuer"] == own) and bid["votes"] is None and bid["last"] in bid["sentence"]
        assert [bid["same_issuer"] for bid in bids] == [(investor, own) in past] * len(bids[:1]) + [False] * len(bids[1:]), (investor, bids)
        weights = [bid["weight"] for bid in bids if not bid["same_issuer"]]
        assert weights == sorted(weights, reverse=True) and all(0 < weight <= 1 for weight in weights) and sum(weights) < 1.000001
        n_weighed += len(weights)
        n_own += len(bids) > len(weights)
    return n_weighed, n_own


def check_refusals(desk, bond):
    for features, code in (({"subject_rating": "ZZZ"}, 422), ({"nothing": "AAA"}, 422), ({"subject_rating": 3}, 422), ({"spread": "high"}, 422),
                           ({"subject_rating": ["AA"]}, 422), ({"subject_rating": {"is": "AA"}}, 422), ({"x" * 10000: "AA"}, 422),
                           ({"subject_rating": "x" * 10000}, 422), ({"<script>\u202e": "\u202e"}, 422), ({"subject_rating": None}, 200)):
        got, answer, _ = desk.ask(f"bonds/{bond}/what-if", {"features": features})
        assert got == code, (features, got, answer)
        assert code == 200 or answer["status"] == code
    for body in ({}, {"features": []}, {"features": {}, "limit": 0}, {"features": {}, "limit": 1.5}, {"features": {}, "limit": "9"},
                 {"features": {}, "limit": 1e300}, {"features": None}):
        assert desk.ask(f"bonds/{bond}/what-if", body)[0] == 422, body
    deep = b'{"features": ' + b'{"a":' * 10000 + b"1" + b"}" * 10000 + b"}"
    for raw in (b"", b"[]", b"{", b"\xff\xfe", b'{"features": {"spread": NaN}}', b'{"features": {"spread": 1e999}}', deep,
                b'{"features": {"subject_rating": "AA", "subject_rating": "A"}}', b'{"features": {}, "features": {}}', b'{"features": {"a": "\\u0000"}}'):
        assert desk.ask(f"bonds/{bond}/what-if", raw=raw)[0] == 400, raw[:60]
    assert desk.ask(f"bonds/{bond}/what-if", raw=b" " * (70 << 10))[0] == 413
    assert desk.ask("bonds/none/what-if", {"features": {}})[0] == 404
    assert desk.ask(f"bonds/{bond}/what-else", {"features": {}})[0] == 404
    assert desk.ask(f"bonds/{bond}/what-if", {"features": {}})[0] == 200, "still there"


def check_crowd(desk, bond, features):
    """Five fit: one is worked and four wait. More are answered or told to come back; cached lists are answered meanwhile."""
    def one(number):
        return desk.ask(f"bonds/{bond}/what-if", {"features": {"spread": 1.0 + number / 7}})
    with concurrent.futures.ThreadPoolExecutor(24) as crowd:
        asked = [crowd.submit(one, number) for number in range(60)]
        for _ in range(20):
            desk.get(f"bonds/{bond}/recommendations")
        answers = [answer.result() for answer in asked]
    codes = [code for code, _, _ in answers]
    assert set(codes) <= {200, 429} and codes.count(200) >= 5, codes
    for code, answer, headers in answers:
        assert code == 200 or headers["Retry-After"] == "1"
        assert code == 429 or len(answer["investors"]) > 0
    alone = desk.what_if(bond, {"spread": 1.0})["investors"]
    for number, (code, answer, _) in enumerate(answers):
        assert code == 429 or number > 0 or answer["investors"] == alone, "neighbours change nothing"


def check_gates(desk, bond):
    investor = desk.get(f"bonds/{bond}/recommendations")["investors"][0]["id"]
    answer = desk.get(f"bonds/{bond}/investors/{investor}/gates")
    n = len(answer["steps"])
    assert n == 101 and [curve["field"] for curve in answer["curves"]][0] == answer["hold"]
    for curve in answer["curves"]:
        assert len(curve["free"]) == n and len(curve["held"]) == n
        assert all(0.0 <= gate <= 1.0 for gate in curve["free"] + curve["held"])
    held, other = answer["curves"]
    assert set(held["held"]) == {0} and held["free"][-1] > 0 and other["free"] != other["held"]
    assert desk.get(f"bonds/{bond}/investors/{investor}/gates?hold={urllib.parse.quote(answer['hold'])}")["curves"] == answer["curves"]
    assert desk.ask(f"bonds/{bond}/investors/{investor}/gates?hold=nothing")[0] == 422


def all_shown(desk):
    """Has the desk seen that every list is explained? A question is drawn from the lists it knows at that moment."""
    bonds = desk.get("bonds?limit=1000")["bonds"]
    return any(bond["list"] for bond in bonds) and not any(bond["list"]["pending"] for bond in bonds if bond["list"])


def question(rater):
    code, answer, _ = rater.ask("study/question")
    assert code == 200, (code, answer)
    return answer


def check_question(rater):
    one, again = question(rater), question(rater)
    assert one == again, "until it is answered the same question comes"
    text = json.dumps(one)
    assert "backed" not in text and "gumbel" not in text, "blind"
    assert one["bond"]["features"] and len(one["left"]) == 6 and len(one["right"]) == 6
    assert {r["field"] for r in one["left"]} != {r["field"] for r in one["right"]}
    for side in ("left", "right"):
        gains = [reason["gain"] for reason in one[side]]
        assert gains == sorted(gains, reverse=True), "the order does not tell the method"
    return one


def check_answers(ann, bob):
    first = check_question(ann)
    assert first["n"] == 1
    body = {"ticket": first["ticket"], "choice": "left", "milliseconds": 1234}
    assert bob.write("study/answers", body)[0] == 409, "a ticket is its rater's"
    for wrong in ({"choice": "up"}, {"choice": None}, {"milliseconds": -1}, {"milliseconds": "1"}):
        assert ann.write("study/answers", {**body, **wrong})[0] == 422, wrong
    for wrong in ("", "x" * 5000, first["ticket"][:-2], first["ticket"] + "00", "0" * 64 + first["ticket"][64:], 7):
        assert ann.write("study/answers", {**body, "ticket": wrong})[0] == 409, wrong
    code, answer = ann.write("study/answers", body, "one")
    assert code == 201, (code, answer)
    assert ann.write("study/answers", body, "one") == (200, answer), "the same key, the same answer"
    assert ann.write("study/answers", {**body, "choice": "tie"}, "one")[0] == 409
    second = check_question(ann)
    assert second["n"] == 2 and (second["bond"]["id"], second["investor"]) != (first["bond"]["id"], first["investor"])
    assert ann.write("study/answers", {"ticket": second["ticket"], "choice": "right"})[0] == 201
    assert ann.write("study/undo", {}, "back") == (200, {"withdrawn": True})
    assert ann.write("study/undo", {}, "back") == (200, {"withdrawn": True}), "the same key withdraws no more"
    assert question(ann)["investor"] == second["investor"] and question(ann)["n"] == 2
    assert ann.write("study/undo", {}) == (200, {"withdrawn": True})
    assert ann.write("study/undo", {}) == (200, {"withdrawn": False}), "nothing is left"
    back = question(ann)
    assert (back["bond"]["id"], back["investor"], back["left"]) == (first["bond"]["id"], first["investor"], first["left"])
    other = question(bob)
    assert (other["bond"]["id"], other["investor"]) != (first["bond"]["id"], first["investor"]), "each rater has an order of his own"


def check_study(place, reader):
    ann, bob, eve = Desk(place, "ann"), Desk(place, "bob"), Desk(place, "eve")
    assert reader.ask("study/question")[0] == 403 and reader.write("study/undo", {})[0] == 403
    empty = reader.get("study")
    assert empty["methods"] == ["backed", "gumbel"] and empty["answers"] == 0 and empty["share"] is None and not empty["shown"]
    check_answers(ann, bob)
    assert reader.get("study")["answers"] == 0, "a withdrawn answer does not count"
    asked, sides = set(), []
    for rater in (ann, bob):
        for n, choice in enumerate(["left"] * 6 + ["right"] * 3 + ["tie", "skip"]):
            one = question(rater)
            pair = (rater.user, one["bond"]["id"], one["investor"])
            assert one["n"] == n + 1 and pair not in asked
            asked.add(pair)
            assert rater.write("study/answers", {"ticket": one["ticket"], "choice": choice, "milliseconds": n})[0] == 201
    notes = [note for note in eve.get("audit?limit=1000")["notes"] if note["topic"] == "choice" and note["value"]]
    wins = 0
    for note in notes[:22]:
        winner, side, _, _ = note["value"].split()
        assert note["subject"] == "backed:gumbel" and side in ("left", "right")
        wins += winner == "backed"
        sides.append(side)
    assert len(set(sides)) == 2, "both sides come up"
    study = reader.get("study")
    assert (study["answers"], study["ties"], study["skips"], study["raters"], study["choices"]) == (22, 2, 2, 2, 18), study
    assert study["first"] == wins and study["share"] == wins / 18 and study["interval"] == "t over raters"
    assert study["low"] < study["share"] < study["high"] and not study["shown"] and study["verdict"] == "not shown"
    example = reader.get("study/example")
    assert (round(example["share"], 3), round(example["low"], 3), round(example["high"], 3), round(example["p"], 2)) == (0.521, 0.483, 0.559, 0.28)
    assert example["answers"] == 660 and not example["shown"] and 4300 < example["needed"] < 4450


def main():
    with tempfile.TemporaryDirectory(prefix="bookrunner-compute-") as root, Installation(config=CONFIG) as place:
        market = os.path.join(root, "market")
        simulate(market)
        place.begin(market)
        place.run("rank", "--test")
        place.wait_explained()
        desk = Desk(place, "reader")
        place.wait("the desk shows them", lambda _: all_shown(desk))
        bonds = sorted(key.split()[0] for what, key in place.digest() if what == "backtest explanations")
        bond = bonds[0]
        features = desk.get(f"bonds/{bond}")["features"]
        check_what_if(desk, bond, features)
        check_why_not(desk, bond)
        seen = [check_past_bids(desk, market, one) for one in bonds[:6]]
        assert sum(weighed for weighed, _ in seen) > 50 and sum(own for _, own in seen) > 5, seen
        check_refusals(desk, bond)
        check_crowd(desk, bond, features)
        check_gates(desk, bond)
        check_study(place, desk)


main()
