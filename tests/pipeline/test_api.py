"""services/desk/openapi.json says what the desk answers: its examples fit its schemas, it names the paths that the desk has, and what a running
installation answers, right or wrong, fits as well."""

import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from installation import Installation, fetch, simulate

SOURCE = os.environ.get("BOOKRUNNER_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
FILE = os.path.join(SOURCE, "services", "desk", "openapi.json")
KNOWN = {"type", "required", "properties", "additionalProperties", "items", "enum", "oneOf", "$ref", "description", "format", "pattern", "minimum",
         "maximum", "minLength", "minItems", "maxItems", "default"}
# Named in the file before the desk has them: nothing is asked of these.
LATER = {"/me", "/notes", "/bonds/{bond}/notes", "/audit", "/bonds/{bond}/investors/{investor}", "/bonds/{bond}/what-if",
         "/bonds/{bond}/investors/{investor}/gates", "/investors", "/study/question", "/study/answers", "/study/undo", "/study", "/study/example",
         "/metrics/snapshots", "/metrics/calibration", "/metrics/drift", "/processes", "/queue", "/jobs", "/jobs/retry", "/snapshots/rollback", "/rejects"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
FORMATS = {"date": r"\d{4}-\d\d-\d\d", "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"}


def find(document, ref):
    assert ref.startswith("#/"), ref
    for name in ref[2:].split("/"):
        document = document[name]
    return document


def is_type(value, name):
    if name in ("number", "integer"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
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
        if not re.search(pattern if "pattern" in schema else pattern and f"^{pattern}$", value) or len(value) < schema.get("minLength", 0):
            yield f"{at}: {value!r:.60} is not as it should be"
    if is_type(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value} is out of range"


def self_test():
    schema = {"type": "object", "required": ["a"], "additionalProperties": False,
              "properties": {"a": {"type": ["integer", "null"], "minimum": 0}, "b": {"oneOf": [{"type": "string", "enum": ["x"]}, {"type": "null"}]},
                             "c": {"type": "array", "items": {"type": "string", "format": "date"}}}}
    for value in ({"a": 1}, {"a": None, "b": "x"}, {"a": 0, "b": None, "c": ["2024-01-01"]}):
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


class Desk:
    def __init__(self, place, document):
        self.page = place.path("run", "desk.http")
        self.document = document
        with open(self.page) as file:
            self.root = f"http://{file.read().strip()}"

    def ask(self, path, method="GET", headers=None, body=None):
        request = urllib.request.Request(self.root + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def check(self, template, values, query="", method="GET", body=None, headers=None):
        """One answer against the file; its code."""
        path = template
        for name, value in values.items():
            path = path.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
        code, got, text = self.ask("/api/v1" + path + query, method, headers, body)
        responses = self.document["paths"][template][method.lower()]["responses"]
        assert str(code) in responses, f"{method} {path}{query}: {code} is not in the file: {text[:200]}"
        response = responses[str(code)]
        response = find(self.document, response["$ref"]) if "$ref" in response else response
        if code in (204, 304):
            return code
        kind = got["Content-Type"].split(";")[0]
        assert kind in response["content"], f"{path}{query}: {kind}"
        if kind.endswith("json"):
            problems = list(wrong(self.document, response["content"][kind]["schema"], json.loads(text)))
            assert not problems, (path + query, problems[:5])
        if code == 200 and method == "GET":
            self.check_tag("/api/v1" + path + query, text)
        return code

    def check_tag(self, path, text):
        code, got, _ = self.ask(path, "HEAD")
        assert code == 200 and got["ETag"].startswith('"'), path
        again, _, body = self.ask(path)
        if again == 200 and body == text:  # it did not move in between
            code, _, body = self.ask(path, headers={"If-None-Match": got["ETag"]})
            assert code == 304 and body == b"", (path, code)


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
    asked = [path for path in document["paths"] if path not in LATER]
    for path in asked:
        assert path in there or any(route.endswith("/") and path.startswith(route) for route in there), f"the desk has no {path}"
    return asked


def main():
    self_test()
    with open(FILE, "rb") as file:
        text = file.read()
    document = json.loads(text)
    operations = check_file(document)
    root = tempfile.mkdtemp(prefix="bookrunner-api-")
    market = os.path.join(root, "market")
    simulate(market)
    with Installation() as place:
        place.begin(market)
        place.run("rank", "--test")
        place.wait_explained()
        desk = Desk(place, document)
        assert desk.ask("/api/v1/openapi.json")[2] == text, "the desk serves another file"
        there = check_paths(desk, document)
        bonds = json.loads(desk.ask("/api/v1/bonds")[2])["bonds"]
        lists = json.loads(desk.ask(f"/api/v1/bonds/{bonds[0]['id']}/recommendations")[2])
        values = {"bond": bonds[0]["id"], "investor": lists["investors"][0]["id"], "name": "test-range"}
        unknown = {name: "<script>\u202e" for name in values}
        codes = {}
        for path, method, _ in operations:
            if path not in there:
                continue
            if method == "get":
                codes[path] = desk.check(path, values)
                desk.check(path, values, "?lang=zh")
                desk.check(path, unknown)
                desk.check(path, values, "?limit=x&from=x&state=x&sort=x&encoding=x&hold=x")
            else:
                desk.check(path, values, method="POST", body=b"{}")
        for path in ("/bonds", "/bonds/{bond}", "/bonds/{bond}/recommendations", "/status", "/snapshots", "/metrics/daily", "/openapi.json"):
            assert codes[path] == 200, (path, codes[path])
    shutil.rmtree(root)
    print(f"{len(there)} of {len(document['paths'])} paths are there; answers fit, right and wrong ones")


main()
