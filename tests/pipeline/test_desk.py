"""What the desk shows: bonds searched, filtered and in order as the files say; a list as CSV that a spreadsheet reads, with hostile names; whether a list is out
of date; the built page's files, or a plain page where there are none."""

import codecs
import csv
import gzip
import io
import json
import os
import shutil
import signal
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import installation
from installation import Installation, cut_market, simulate

DAYS = ["2024-10-01", "2024-10-08"]
PROGRAMS = ["bookrunner"] + ["bookrunner-" + name for name in ("ingester", "trainer", "ranker", "explainer", "evaluator", "desk")]


def own_programs(root):
    """The programs in a directory of their own, so that a page can be put beside them."""
    os.makedirs(os.path.join(root, "bin"))
    for name in PROGRAMS:
        shutil.copy(os.path.join(installation.BIN, name), os.path.join(root, "bin"))
    installation.BIN = os.environ["BOOKRUNNER_BIN"] = os.path.join(root, "bin")  # the supervisor looks there, too


def ask(place, path, **headers):
    with open(place.path("run", "desk.http")) as file:
        address = file.read().strip()
    request = urllib.request.Request(f"http://{address}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def post(place, path, body):
    """(code, answer) of a POST that nobody has sent before."""
    with open(place.path("run", "desk.http")) as file:
        address = file.read().strip()
    headers = {"Content-Type": "application/json", "X-Bookrunner-Token": api(place, "me")["token"], "Idempotency-Key": uuid.uuid4().hex}
    request = urllib.request.Request(f"http://{address}/api/v1/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def api(place, path):
    code, _, text = ask(place, "/api/v1/" + path)
    assert code == 200, (path, code, text)
    return json.loads(text)


# --- hostile names ---

def hostile(number, name):
    return (f"={name}", f"券商,\"{name}\"𠮷\u202e", f"＝{name}", f"<b>{name}</b>", name)[number % 5]


def rename_investors(market):
    with open(os.path.join(market, "investors.csv")) as file:
        names = dict.fromkeys(row["investor_id"] for row in csv.DictReader(file))
    names = {name: hostile(i, name) for i, name in enumerate(names)}
    for table in ("investors.csv", "bids.csv"):
        path = os.path.join(market, table)
        with open(path) as file:
            rows = list(csv.DictReader(file))
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(dict(row, investor_id=names[row["investor_id"]]) for row in rows)


# --- bonds ---

def files_bonds(market):
    with open(os.path.join(market, "bonds.csv")) as file:
        return {row["bond_id"]: row for row in csv.DictReader(file)}


def pages(place, query):
    """All bonds of a query, a page at a time."""
    found, total = [], 1
    while len(found) < total:
        page = api(place, f"bonds?{query}&limit=7&offset={len(found)}")
        assert page["limit"] == 7 and page["offset"] == len(found) and page["bonds"], page
        found, total = found + page["bonds"], page["total"]
    return found


def check_bonds(place, market):
    rows = files_bonds(market)
    issued = [bond["id"] for bond in pages(place, "state=issued&from=2024-08-01&until=2024-09-01")]
    right = sorted((row["issue_date"], bond) for bond, row in rows.items() if "2024-08-01" <= row["issue_date"] < "2024-09-01")
    assert issued == [bond for _, bond in reversed(right)] and len(issued) > 7, (issued, right)
    sorted_by = {key: [bond["id"] for bond in pages(place, f"state=issued&from=2024-08-01&until=2024-09-01&sort={key}")]
                 for key in ("issue", "id", "-id", "investors")}
    assert sorted_by["issue"] == issued[::-1] and sorted_by["id"] == sorted(issued) and sorted_by["-id"] == sorted(issued)[::-1], sorted_by
    assert sorted(sorted_by["investors"]) == sorted(issued)
    lengths = [bond["list"]["investors"] if bond["list"] else 0 for bond in pages(place, "sort=investors")]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > 0
    numbers = {"bond_id", "issuer_id"} | {f["name"] for f in api(place, f"bonds/{issued[0]}")["feature_fields"] if f["kind"] != "continuous"}
    for text in (rows[issued[0]]["issuer_id"].lower(), issued[0][-3:].lower(), "aa+", "no such text"):
        found = [bond["id"] for bond in pages(place, "state=issued&sort=id&q=" + urllib.parse.quote(text))] if text != "no such text" else [
            bond["id"] for bond in api(place, "bonds?state=issued&q=no+such+text")["bonds"]]
        right = sorted(bond for bond, row in rows.items()
                       if row["issue_date"] <= DAYS[0] and any(text in row[name].lower() for name in numbers if name in row))
        assert found == right, (text, len(found), len(right))
    assert api(place, "bonds")["business_day"] == DAYS[0]
    for wrong in ("sort=price", "sort=-investors", "from=x", "until=2024-13-01", "limit=1001", "state=sold"):
        assert ask(place, "/api/v1/bonds?" + wrong)[0] == 400, wrong
    return len(rows)


def check_features(place, bond):
    for lang in ("en", "zh"):
        shown = api(place, f"bonds/{bond}?lang={lang}")
        assert list(shown["features"]) == [field["name"] for field in shown["feature_fields"]]
        for field in shown["feature_fields"]:
            assert field["value"] == shown["features"][field["name"]], field
            assert field["coded"] == (field["value"] is not None), field
            assert field["kind"] == "continuous" or field["value"] in field["values"], field
    assert any(ord(c) > 255 for field in shown["feature_fields"] for c in field["label"]), "no Chinese label"


# --- CSV ---

def check_csv(place, bond):
    n_prefixed = 0
    for lang in ("en", "zh"):
        shown = api(place, f"bonds/{bond}/recommendations?lang={lang}")
        tables = []
        for encoding in ("utf-8", "gb18030"):
            code, headers, data = ask(place, f"/api/v1/bonds/{bond}/recommendations.csv?lang={lang}&encoding={encoding}")
            assert code == 200 and headers["Content-Type"] == f"text/csv; charset={encoding}", headers
            assert headers["Content-Disposition"].startswith("attachment; ") and bond in headers["Content-Disposition"]
            assert data.startswith(codecs.BOM_UTF8) == (encoding == "utf-8")
            text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
            assert text.count("\n") == text.count("\r\n") == len(shown["investors"]) + 1
            tables.append(list(csv.reader(io.StringIO(text, newline=""))))
        assert tables[0] == tables[1], "the encodings tell different things"
        titles, rows = tables[0][0], tables[0][1:]
        assert len(titles) == 3 + 6 + 1 + 6 + 2 and len(set(titles)) == len(titles), titles
        for row, investor in zip(rows, shown["investors"]):
            plain = [cell[1:] if cell[:1] == "'" else cell for cell in row]
            assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r", "＝") for cell in row), row
            n_prefixed += row != plain
            assert [plain[0], plain[1], float(plain[2])] == [str(investor["rank"]), investor["id"], investor["probability"]], row
            assert plain[3:9] == [reason["tag"] for reason in investor["reasons"]], row
            assert plain[9] == (investor["against"]["tag"] if investor["against"] else ""), row
            assert plain[10:16] == [reason["sentence"] for reason in investor["reasons"]], row
            assert plain[16] == ", ".join(f"{past['issuer']} ({past['bids']})" for past in investor["past_bids"]), row
    assert n_prefixed > 5, n_prefixed
    assert ask(place, f"/api/v1/bonds/{bond}/recommendations.csv?encoding=latin1")[0] == 400
    assert ask(place, "/api/v1/bonds/none/recommendations.csv")[0] == 404


def marked(place, bond, lang):
    _, headers, data = ask(place, f"/api/v1/bonds/{bond}/recommendations.csv?lang={lang}")
    return headers["ETag"], [row[-1] for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))][1:]


def check_marks(place, bond):
    """Each row says what the investor holds as now: called, another word, nothing."""
    investors = [investor["id"] for investor in api(place, f"bonds/{bond}/recommendations")["investors"]]
    tag, cells = marked(place, bond, "en")
    assert cells == [""] * len(investors)
    for i, value in ((0, "called"), (3, "interested"), (4, "declined"), (0, "declined")):
        assert post(place, "notes", {"topic": "call", "bond": bond, "investor": investors[i], "value": value})[0] == 201
    field = api(place, f"bonds/{bond}/recommendations")["investors"][1]["reasons"][0]["field"]
    note = {"topic": "reason", "bond": bond, "investor": investors[1], "subject": field, "value": "useful"}
    assert post(place, "notes", note)[0] == 201
    now, cells = marked(place, bond, "en")
    assert now != tag and cells == ["declined", "", "", "interested", "declined"] + [""] * (len(investors) - 5), cells
    assert marked(place, bond, "zh")[1][:5] == ["已拒绝", "", "", "有意向", "已拒绝"]
    for i in (0, 3, 4):
        assert post(place, "notes", {"topic": "call", "bond": bond, "investor": investors[i], "value": ""})[0] == 201
    assert marked(place, bond, "en") == (tag, [""] * len(investors))


# --- kept lists ---

def check_kept(place, bond):
    path = f"/api/v1/bonds/{bond}/recommendations"
    _, plain, text = ask(place, path)
    _, zipped, data = ask(place, path, Accept_Encoding="br, gzip;q=0.5")
    assert gzip.decompress(data) == text and zipped["Content-Encoding"] == "gzip" and plain["Content-Encoding"] is None
    assert plain["Vary"] == zipped["Vary"] == "Accept-Encoding" and plain["ETag"] != zipped["ETag"]
    assert ask(place, path, If_None_Match=plain["ETag"])[0] == 304
    assert ask(place, path, If_None_Match=zipped["ETag"], Accept_Encoding="gzip")[0] == 304
    assert ask(place, path, Accept_Encoding="gzip;q=0, identity")[2] == text
    assert ask(place, path + "?lang=zh")[2] != text


def stale_of(place, bond):
    stale = api(place, f"bonds/{bond}/recommendations")["stale"]
    return stale["reason"] if stale else ""


def check_stale(place, markets):
    upcoming = [bond["id"] for bond in api(place, "bonds?state=upcoming")["bonds"] if bond["issue_date"] > DAYS[1]]
    past = api(place, "bonds?state=issued")["bonds"][0]["id"]
    bond = upcoming[0]
    place.wait("not stale", lambda _: stale_of(place, bond) == "")
    assert place.signal("ranker", signal.SIGSTOP)
    start = time.monotonic()
    place.run("import", markets[1])
    place.run("close-day", DAYS[1], "--no-wait")
    seen = set()

    def silent():
        seen.add(stale_of(place, bond))
        return "not been heard" in stale_of(place, bond)

    while not silent():
        assert time.monotonic() - start < 30, seen
        time.sleep(0.2)
    took = time.monotonic() - start
    assert took < 13, took
    assert any("later day" in reason for reason in seen), seen
    assert place.signal("ranker", signal.SIGCONT)
    place.wait("all made", lambda _: stale_of(place, bond) == "", 30)
    assert api(place, f"bonds/{bond}/recommendations")["as_of"] > DAYS[0]
    assert stale_of(place, past) == ""
    assert api(place, f"bonds/{bond}/recommendations")["served"]
    place.run("train", "--seed", "9", "--force")
    place.wait("another one is served", lambda _: not api(place, f"bonds/{past}/recommendations")["served"])
    return took


# --- the list before ---

def check_earlier(place):
    """The second day's reasons begin with the first day's: the desk says what was kept, as the command does, and what it works out itself
    begins there, too: a bond that is changed into what it is has the list that it has."""
    place.wait_explained()
    lists = {key.split()[0] for what, key in place.digest() if what == "list"}
    n_with = n_moved = 0
    for bond in sorted(lists):
        shown, told = api(place, f"bonds/{bond}/recommendations"), place.json("explain", bond)
        assert shown["investors"] == told["investors"] and shown.get("stability") == told.get("stability"), bond
        if "stability" not in shown:
            continue
        n_with += sum("kept" in investor for investor in shown["investors"])
        n_moved += shown["stability"]["jaccard"] < 1
        code, answer = post(place, f"bonds/{bond}/what-if", {"features": {}})
        assert code == 200 and len(answer["investors"]) == len(shown["investors"]), (code, bond)
        for now, was in zip(answer["investors"], shown["investors"]):
            was.pop("kept", None)
            assert now.pop("was") == {"rank": was["rank"], "probability": was["probability"]} and now == was, (bond, now, was)
    assert n_with > 100 and n_moved > 0, (n_with, n_moved)
    return n_with


# --- the page ---

def check_without_page(place):
    code, headers, text = ask(place, "/")
    assert code == 200 and headers["Content-Type"] == "text/html; charset=utf-8" and b"BOOKRUNNER_WEB=OFF" in text and b"/api/v1/openapi.json" in text, text
    assert ask(place, "/assets/app-1.js")[0] == 404


def check_page(place, root):
    web = os.path.join(root, "share", "bookrunner", "web")
    os.makedirs(os.path.join(web, "assets"))
    files = {"index.html": b"<!doctype html><title>x</title>", "assets/app-1a2b.js": b"let a = 1;\n" * 1000, "assets/x.exe": b"no", "secret.txt": b"no"}
    for name, content in files.items():
        with open(os.path.join(web, name), "wb") as file:
            file.write(content)
    with gzip.open(os.path.join(web, "assets", "app-1a2b.js.gz"), "wb") as file:
        file.write(files["assets/app-1a2b.js"])
    os.symlink("/etc/passwd", os.path.join(web, "assets", "link.txt"))
    os.mkfifo(os.path.join(web, "assets", "pipe.txt"))
    before = place.processes()["desk"]["pid"]
    place.kill("desk")
    place.wait("the desk is back", lambda _: place.processes()["desk"]["pid"] not in (before, None) and place.processes()["desk"]["state"] == "ready")
    code, headers, text = ask(place, "/")
    assert code == 200 and text == files["index.html"] and headers["Cache-Control"] == "no-cache", headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ") and policy.endswith("require-trusted-types-for 'script'; trusted-types"), policy
    assert "unsafe" not in policy and ask(place, "/", If_None_Match=headers["ETag"])[0] == 304
    code, headers, text = ask(place, "/assets/app-1a2b.js")
    assert code == 200 and text == files["assets/app-1a2b.js"] and "immutable" in headers["Cache-Control"], headers
    assert headers["Content-Type"] == "text/javascript; charset=utf-8" and headers["Vary"] == "Accept-Encoding"
    code, headers, text = ask(place, "/assets/app-1a2b.js", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(text) == files["assets/app-1a2b.js"]
    for path in ("/assets/x.exe", "/assets/link.txt", "/assets/pipe.txt", "/assets/app-1a2b.js.gz", "/secret.txt", "/index.html", "/assets/", "/bonds/B1"):
        assert ask(place, path)[0] == 404, path


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-desk-")
    whole = os.path.join(root, "all")
    own_programs(root)
    simulate(whole)
    rename_investors(whole)
    markets = [os.path.join(root, day) for day in DAYS]
    for day, market in zip(DAYS, markets):
        cut_market(whole, market, day)
    with Installation(config="access: {local_role: desk}\n") as place:
        place.begin(markets[0])
        place.run("close-day", DAYS[0])
        place.run("rank", "--test")
        place.wait_explained()
        bond = api(place, "bonds?state=issued")["bonds"][0]["id"]
        place.wait("the desk has seen them", lambda _: not api(place, f"bonds/{bond}/recommendations")["pending"])
        check_without_page(place)
        n = check_bonds(place, markets[0])
        check_features(place, bond)
        check_csv(place, bond)
        check_marks(place, bond)
        check_kept(place, bond)
        took = check_stale(place, markets)
        n_with = check_earlier(place)
        check_page(place, root)
    shutil.rmtree(root)
    print(f"{n} bonds found and in order, CSV in two encodings, a stopped ranker told after {took:.1f} s, {n_with} investors "
          "as on the day before, the page's files")


main()
