"""services/desk/openapi.json says what the desk answers: its examples fit its schemas, it names the paths that the desk has, and what a running
installation answers to each of them, right or wrong, to whom it may and to whom it may not, fits as well."""

import json
import os
import re
import shutil
import signal
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from installation import Installation, cut_market, fetch, simulate

SOURCE = os.environ.get("BOOKRUNNER_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
FILE = os.path.join(SOURCE, "services", "desk", "openapi.json")
KNOWN = {"type", "required", "properties", "additionalProperties", "items", "enum", "oneOf", "$ref", "description", "format", "pattern", "minimum",
         "maximum", "minLength", "maxLength", "minItems", "maxItems", "default"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
FORMATS = {"date": r"\d{4}-\d\d-\d\d", "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}
DAYS = ["2024-10-01", "2024-10-02"]
USERS = {"read": "ann", "desk": "mei", "operator": "root"}
CONFIG = "access: {user_header: X-User, desk: [mei], operators: [root]}\nwork: {max_attempts: 1, lease_ms: 3000}\n"
UNKNOWN = "<script>\u202e"


def find(document, ref):
    assert ref.startswith("#/"), ref
    for name in ref[2:].split("/"):
        document = document[name]
    return document


def is_type(value, name):
    if name in ("number", "integer"):  # 9.28e+07 is an integer, too
        return isinstance(value, (int, float)) and not isinstance(value, bool) and (name == "number" or value == int(value))
    return isinstance(value, TYPES[name])


def members(document, schema, value, at):
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}: without {name}"
    for name, member in value.items():
        inner = properties.get(name, others)
        if inner is False:
            yield f"{at}: {name} is not in the file"
        elif inner is not True:
            yield from wrong(document, inner, member, f"{at}.{name}")


def wrong(document, schema, value, at="$"):
    """What of a value does not fit its schema, in the words of JSON Schema that the file uses."""
    assert set(schema) <= KNOWN, f"{at}: this test does not know {set(schema) - KNOWN}"
    if "$ref" in schema:
        yield from wrong(document, find(document, schema["$ref"]), value, at)
        return
    if "oneOf" in schema:
        tried = [list(wrong(document, one, value, at)) for one in schema["oneOf"]]
        if sum(not problems for problems in tried) != 1:
            yield from [f"{at}: fits not just one"] + sum(tried, [])
        return
    types = schema.get("type", [])
    if types and not any(is_type(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield f"{at}: {value!r:.60} is no {types}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r:.60} is none of {schema['enum']}"
    if isinstance(value, dict):
        yield from members(document, schema, value, at)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} items"
        for i, item in enumerate(value):
            yield from wrong(document, schema.get("items", {}), item, f"{at}[{i}]")
    if isinstance(value, str):
        pattern = schema.get("pattern", FORMATS.get(schema.get("format"), ""))
        if not re.search(pattern if "pattern" in schema else pattern and f"^{pattern}$", value) or \
                not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: {value!r:.60} is not as it should be"
    if is_type(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value} is out of range"


def self_test():
    schema = {"type": "object", "required": ["a"], "additionalProperties": False,
              "properties": {"a": {"type": ["integer", "null"], "minimum": 0}, "b": {"oneOf": [{"type": "string", "enum": ["x"]}, {"type": "null"}]},
                             "c": {"type": "array", "items": {"type": "string", "format": "date"}}}}
    for value in ({"a": 1}, {"a": 2e1}, {"a": None, "b": "x"}, {"a": 0, "b": None, "c": ["2024-01-01"]}):
        assert not list(wrong({}, schema, value)), value
    for value in ({}, {"a": -1}, {"a": 1.5}, {"a": True}, {"a": 1, "d": 1}, {"a": 1, "b": "y"}, {"a": 1, "c": ["1 May"]}, {"a": 1, "c": "x"}, [], None):
        assert list(wrong({}, schema, value)), value


def walk(value):
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from walk(inner)


def check_file(document):
    operations = [(path, method, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names), "an operationId stands there twice"
    for path, method, operation in operations:
        parameters = [find(document, p["$ref"]) if "$ref" in p else p for p in operation.get("parameters", [])]
        in_path = [p["name"] for p in parameters if p["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"\{(\w+)\}", path)), path
        assert method == "get" or {"token"} <= set(*operation["security"][:1]), f"{method} {path} without a token"
    n = 0
    for node in walk(document):
        if "$ref" in node:
            find(document, node["$ref"])
        if "schema" in node and "example" in node:
            problems = list(wrong(document, node["schema"], node["example"]))
            assert not problems, problems
            n += 1
    assert n > 40, n
    return operations


def role_of(operation):
    found = re.match(r"Role (\w+)\.", operation.get("description", ""))
    return found[1] if found else "read"


class Desk:
    """The API as some user sees it; what it answers is held against the file."""

    def __init__(self, place, document):
        self.page = place.path("run", "desk.http")
        self.document, self.n_keys, self.tokens = document, 0, {}
        self.seen = {(method, path): set() for path, methods in document["paths"].items() for method in methods}
        with open(self.page) as file:
            self.root = f"http://{file.read().strip()}"
        for user in USERS.values():
            self.tokens[user] = json.loads(self.ask("/api/v1/me", user=user)[2])["token"]

    def ask(self, path, method="GET", headers=None, body=None, user="root"):
        request = urllib.request.Request(self.root + path, data=body, method=method, headers={"X-User": user, **(headers or {})})
        if not user:
            request.remove_header("X-user")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def check(self, template, values, query="", method="GET", body=None, headers=None, user="root"):
        """One answer against the file: (code, what it says)"""
        path = template
        for name, value in values.items():
            path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
        code, got, text = self.ask("/api/v1" + path + query, method, headers, body, user)
        responses = self.document["paths"][template][method.lower()]["responses"]
        assert str(code) in responses, f"{method} {path}{query}: {code} is not in the file: {text[:200]}"
        self.seen[method.lower(), template].add(code)
        response = responses[str(code)]
        response = find(self.document, response["$ref"]) if "$ref" in response else response
        if code in (204, 304):
            return code, None
        kind = got["Content-Type"].split(";")[0]
        assert kind in response["content"], f"{path}{query}: {kind}"
        said = json.loads(text) if kind.endswith("json") else None
        if said is not None:
            problems = list(wrong(self.document, response["content"][kind]["schema"], said))
            assert not problems, (path + query, problems[:5])
        if code == 200 and method == "GET":
            self.check_tag("/api/v1" + path + query, text, user, template)
        return code, said

    def check_tag(self, path, text, user, template):
        for _ in range(5):  # it may move in between
            code, got, _ = self.ask(path, "HEAD", user=user)
            assert code == 200 and got["ETag"].startswith('"'), path
            code, _, body = self.ask(path, headers={"If-None-Match": got["ETag"]}, user=user)
            if code == 304 and body == b"":
                self.seen["get", template].add(304)
                return
        raise AssertionError(f"{path}: never 304")

    def get(self, template, values, query="", user="root"):
        code, said = self.check(template, values, query, user=user)
        assert code == 200, (template, values, query, code, said)
        return said

    def post(self, template, values, body, code, key=None, user="root", **other):
        """A POST with all it needs, but for what `other` has in its place (None: nothing). A body that is taken fits the file."""
        self.n_keys += 1
        headers = {"Content-Type": "application/json", "X-Bookrunner-Token": self.tokens[user], "Idempotency-Key": key or f"key-{self.n_keys}"}
        headers.update({name.replace("_", "-"): value for name, value in other.items()})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        got, said = self.check(template, values, "", "POST", data, {k: v for k, v in headers.items() if v is not None}, user)
        assert got == code, (template, body, got, said)
        if code in (200, 201):
            schema = self.document["paths"][template]["post"]["requestBody"]["content"]["application/json"]["schema"]
            problems = list(wrong(self.document, schema, body))
            assert not problems, (template, body, problems)
        return said


def routes(desk):
    _, text = fetch(desk.page, "/metrics")
    found = set(re.findall(r'bookrunner_http_request_duration_seconds_count\{route="(/api/v1/[^"]*)"', text))
    return {route.removeprefix("/api/v1") for route in found}


def check_paths(desk, document):
    there = routes(desk)
    assert "/bonds" in there and "/openapi.json" in there, there
    for route in there:
        named = any(path.startswith(route + "{") if route.endswith("/") else path == route for path in document["paths"])
        assert named, f"{route} is not in the file"
    for path in document["paths"]:
        assert path in there or any(route.endswith("/") and path.startswith(route) for route in there), f"the desk has no {path}"


def check_reading(desk, operations, values):
    """Each GET as it should be asked, and as it should not."""
    for path, method, _ in operations:
        if method != "get":
            continue
        desk.get(path, values)
        desk.check(path, values, "?lang=zh")
        desk.check(path, {name: UNKNOWN for name in values})
        desk.check(path, values, "?" + "&".join(f"{name}=x" for name in ("limit", "from", "state", "sort", "encoding", "hold", "backtests", "snapshot")))
        desk.check(path, values, "?offset=x")
        desk.check(path, values, "?q=" + "x" * 5000)
    for query in ("?backtests=true", "?from=2024-01-01&until=2024-09-01"):
        desk.get("/metrics/daily", values, query)
        desk.get("/metrics/monthly", values, query)
    first = desk.get("/metrics/snapshots", values)["snapshots"][-1]
    assert first["auc"] is not None, first
    assert len(desk.get("/metrics/calibration", values, f"?snapshot={first['snapshot']}")["bins"]) > 5
    assert desk.check("/metrics/calibration", values, "?snapshot=" + urllib.parse.quote(UNKNOWN))[0] == 404
    assert len(desk.get("/metrics/drift", values, f"?snapshot={first['snapshot']}")["fields"]) > 10
    for path in ("/bonds", "/investors", "/audit", "/metrics/snapshots", "/jobs", "/pairs/table"):
        page = desk.get(path, values, "?limit=1&offset=1")
        assert page["limit"] == 1 and page["offset"] == 1, page
        assert desk.check(path, values, "?limit=1001")[0] == 400 and desk.check(path, values, "?offset=100000001")[0] == 400
        assert desk.check(path, values, "?offset=100000000")[0] == 200
    everyone = [investor["id"] for investor in desk.get("/investors", values, "?limit=1000")["investors"]]
    listed = {investor["id"] for investor in desk.get("/bonds/{bond}/recommendations", values)["investors"]}
    for investor in [one for one in everyone if one not in listed][:4]:
        desk.get("/bonds/{bond}/investors/{investor}", dict(values, investor=investor))
    gates = desk.get("/bonds/{bond}/investors/{investor}/gates", values)
    desk.get("/bonds/{bond}/investors/{investor}/gates", values, "?hold=" + urllib.parse.quote(gates["hold"]))


def check_roles(desk, operations, values):
    """Whoever may less than the file says is refused, whoever may that much is not; nobody is nobody."""
    order = list(USERS)
    for path, method, operation in operations:
        headers = {"Content-Type": "application/json", "Idempotency-Key": "role"} if method == "post" else {}
        body = b"[" if method == "post" else None  # wrong, so that nothing is done
        for role, user in USERS.items():
            mine = dict(headers, **{"X-Bookrunner-Token": desk.tokens[user]}) if method == "post" else headers
            code, _ = desk.check(path, values, "", method.upper(), body, mine, user)
            refused = order.index(role) < order.index(role_of(operation))
            assert (code == 403) == refused, (path, method, user, code)
        assert desk.check(path, values, "", method.upper(), body, headers, "")[0] == 401, path


def check_refused(desk, operations, values):
    """What every POST refuses."""
    for path, method, operation in operations:
        if method != "post":
            continue
        desk.post(path, values, {}, 403, X_Bookrunner_Token=None)
        desk.post(path, values, {}, 403, X_Bookrunner_Token=desk.tokens["ann"])
        desk.post(path, values, {}, 403, Origin="http://elsewhere.example")
        desk.post(path, values, {}, 415, Content_Type="text/plain")
        desk.post(path, values, b"[" * 70000, 413)
        desk.post(path, values, b"{", 400)
        if any(p.get("$ref", "").endswith("/IdempotencyKey") for p in operation["parameters"]):
            desk.post(path, values, {}, 400, Idempotency_Key=None)


def check_notes(desk, values):
    call = {"topic": "call", "bond": values["bond"], "investor": values["investor"], "value": "called"}
    field = desk.get("/bonds/{bond}/recommendations", values)["investors"][0]["reasons"][0]["field"]
    reason = dict(call, topic="reason", subject=field, value="useful", snapshot="6963b67135e8f4578f0664381b6ff54c")
    desk.post("/notes", {}, call, 201, "one", "mei")
    desk.post("/notes", {}, call, 200, "one", "mei")
    desk.post("/notes", {}, dict(call, value="declined"), 409, "one", "mei")
    desk.post("/notes", {}, reason, 201, user="mei")
    for wrong_value in ("maybe", "useful"):
        desk.post("/notes", {}, dict(call, value=wrong_value), 422)
    desk.post("/notes", {}, dict(call, bond=UNKNOWN), 404)
    assert len(desk.get("/bonds/{bond}/notes", values)["notes"]) == 2
    audit = desk.get("/audit", values)
    assert audit["intact"] and audit["notes"][0]["snapshot"] == reason["snapshot"], audit


def check_what_if(desk, values):
    fields = {field["name"]: field for field in desk.get("/bonds/{bond}", values)["feature_fields"]}
    new = {}
    for kind in ("categorical", "ordinal", "continuous"):
        field = next(field for field in fields.values() if field["kind"] == kind and field["coded"])
        new[field["name"]] = 1.5 if kind == "continuous" else next(value for value in field["values"] if value != field["value"])
    for features in ({}, new, {name: None for name in new}):
        answer = desk.post("/bonds/{bond}/what-if", values, {"features": features, "limit": 3}, 200, user="ann")
        assert set(answer["changed"]) == set(features) and len(answer["investors"]) == 3, answer
    for body in ({}, {"features": {UNKNOWN: 1}}, {"features": {}, "limit": 0}, {"features": {"spread": "x"}}):
        desk.post("/bonds/{bond}/what-if", values, body, 422)
    desk.post("/bonds/{bond}/what-if", {"bond": UNKNOWN}, {"features": {}}, 404)


def check_study(desk):
    for n, choice in enumerate(("left", "tie", "skip")):
        question = desk.get("/study/question", {}, user="mei")
        answer = {"ticket": question["ticket"], "choice": choice, "milliseconds": 1200}
        assert question["n"] == n + 1, question
        desk.post("/study/answers", {}, dict(answer, choice="both"), 422, user="mei")
        desk.post("/study/answers", {}, answer, 201, choice, "mei")
        desk.post("/study/answers", {}, answer, 200, choice, "mei")
        desk.post("/study/answers", {}, answer, 409)  # another's ticket
    assert desk.post("/study/undo", {}, {}, 200, user="mei") == {"withdrawn": True}
    assert desk.post("/study/undo", {}, {}, 200) == {"withdrawn": False}
    study = desk.get("/study", {})
    assert (study["answers"], study["choices"], study["ties"], study["skips"]) == (2, 1, 1, 0), study


def check_pairs(desk):
    for n, vote in enumerate(("yes", "no", "skip")):
        question = desk.get("/pairs/question", {}, user="mei")
        answer = {"ticket": question["ticket"], "vote": vote}
        assert question["n"] == n + 1 and question["x"]["category"]["value"], question
        desk.post("/pairs/votes", {}, dict(answer, vote="both"), 422, user="mei")
        desk.post("/pairs/votes", {}, answer, 201, f"pair-{n}", "mei")
        desk.post("/pairs/votes", {}, answer, 200, f"pair-{n}", "mei")
        desk.post("/pairs/votes", {}, answer, 409)  # another's ticket
    assert desk.post("/pairs/undo", {}, {}, 200, user="mei") == {"withdrawn": True}
    assert desk.post("/pairs/undo", {}, {}, 200) == {"withdrawn": False}
    pairs = desk.get("/pairs", {})
    assert (pairs["pairs"], pairs["votes"], pairs["complete"], pairs["share_valid"]) == (2, 2, 0, 0.5), pairs
    assert [row["valid"] for row in desk.get("/pairs/table", {}, "?threshold=3")["pairs"]] == ["open", "open"]
    assert desk.check("/pairs/table", {}, "?threshold=6")[0] == 400


def check_dead(place, desk, market):
    """A day whose jobs are given up while nobody works: dead, some to do, and asked for again."""
    place.run("import", market)
    place.wait_explained()
    assert place.signal("explainer-1", signal.SIGSTOP)
    place.run("close-day", DAYS[1], "--no-wait")
    place.wait("the day is ranked", lambda stores: stores["ranker_offset"] == stores["ledger_head"])

    def given_up():  # of a bond's newest list
        return [job for job in desk.get("/jobs", {}, "?limit=1000")["jobs"] if job["bond"] is not None]
    place.wait("jobs given up", lambda _: given_up())
    dead = given_up()
    assert desk.get("/queue", {})["dead"] > 0
    shown = {"bond": dead[0]["bond"]}
    place.wait("the desk has seen it", lambda _: "failure" in desk.get("/bonds/{bond}/recommendations", shown))
    first = desk.get("/bonds/{bond}/recommendations", shown)["investors"][0]["id"]
    assert "failure" in desk.get("/bonds/{bond}/investors/{investor}", dict(shown, investor=first))
    assert place.signal("explainer-1", signal.SIGCONT)
    place.wait("none to do", lambda stores: stores["todo"] == 0)
    desk.post("/jobs/retry", {}, {"job": "0" * 64}, 404)
    desk.post("/jobs/retry", {}, {"job": "all"}, 422)
    assert desk.post("/jobs/retry", {}, {"job": dead[0]["job"]}, 200, "again") == {"jobs": 1}
    assert desk.post("/jobs/retry", {}, {"job": dead[0]["job"]}, 200, "again") == {"jobs": 1}
    desk.post("/jobs/retry", {}, {"job": ""}, 409, "again")
    desk.post("/jobs/retry", {}, {"job": ""}, 200)
    place.wait_explained()
    bonds = [bond["id"] for bond in desk.get("/bonds", {}, "?state=upcoming")["bonds"] if bond["list"]]
    lists = [desk.get("/bonds/{bond}/recommendations", {"bond": bond}) for bond in bonds]
    assert any("stability" in shown and any("kept" in one for one in shown["investors"]) for shown in lists), bonds


def check_rollback(desk):
    history = desk.get("/snapshots", {})
    before = history["history"][0]["snapshot"]
    assert history["served"] != before, history
    desk.post("/snapshots/rollback", {}, {"snapshot": "f" * 32}, 409)
    desk.post("/snapshots/rollback", {}, {"snapshot": UNKNOWN}, 422)
    assert desk.post("/snapshots/rollback", {}, {"snapshot": ""}, 200) == {"served": before}
    desk.post("/snapshots/rollback", {}, {"snapshot": before}, 409)


def check_rejects(place, desk, market, root):
    bad = os.path.join(root, "bad")
    os.makedirs(bad)
    shutil.copy(os.path.join(market, "schema.yaml"), bad)
    for name in ("bonds.csv", "investors.csv", "bids.csv"):
        with open(os.path.join(market, name)) as file, open(os.path.join(bad, name), "w") as out:
            out.write(file.readline() + ("X1,NONE,I00001,2021-01-01,1,1,,,\n" if name == "bids.csv" else ""))
    assert place.run("import", bad, check=False).returncode == 3
    rejects = desk.get("/rejects", {})
    assert rejects["rows"][0]["kind"] == "bid" and rejects["total"] == len(rejects["rows"]), rejects


def check_seen(desk):
    """No path was left out, and no operation was only refused."""
    never = [key for key, codes in desk.seen.items() if not codes & {200, 201, 204}]
    assert not never, f"never a good answer: {never}"
    for (method, path), codes in desk.seen.items():
        right = {"get": {200, 304, 401, 414}, "post": {400, 401, 403, 413, 415}}[method]
        assert right <= codes, (method, path, codes)
    return sum(len(codes) for codes in desk.seen.values())


def main():
    self_test()
    with open(FILE, "rb") as file:
        text = file.read()
    document = json.loads(text)
    operations = check_file(document)
    root = tempfile.mkdtemp(prefix="bookrunner-api-")
    whole = os.path.join(root, "all")
    simulate(whole)
    markets = [os.path.join(root, day) for day in DAYS]
    for day, market in zip(DAYS, markets):
        cut_market(whole, market, day)
    with Installation(explainers=1, config=CONFIG) as place:
        place.begin(markets[0])
        place.run("close-day", DAYS[0])
        place.wait_explained()
        desk = Desk(place, document)
        assert desk.ask("/api/v1/openapi.json")[2] == text, "the desk serves another file"
        check_paths(desk, document)
        check_dead(place, desk, markets[1])
        place.run("rank", "--test")
        place.wait_explained()
        place.run("evaluate", "--test")
        place.run("train", "--seed", "8", "--force")
        bond = desk.get("/bonds", {}, "?state=upcoming")["bonds"][0]["id"]
        lists = desk.get("/bonds/{bond}/recommendations", {"bond": bond})
        values = {"bond": bond, "investor": lists["investors"][0]["id"], "name": "test-range"}
        check_notes(desk, values)
        check_what_if(desk, values)
        check_study(desk)
        check_pairs(desk)
        check_rejects(place, desk, markets[0], root)
        check_reading(desk, operations, values)
        check_roles(desk, operations, values)
        check_refused(desk, operations, values)
        check_rollback(desk)
        n = check_seen(desk)
    shutil.rmtree(root)
    print(f"{len(document['paths'])} paths, {n} kinds of answers fit, right and wrong ones")


main()
