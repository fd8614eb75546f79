"""Methods of explanation side by side, and the toy world: what `compare` and `toy` say fits together, what cannot be is refused with its reason, and a
snapshot without masks is compared by the methods that need none."""

import csv
import json
import math
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

from installation import BIN, Installation, simulate

SHARES = ("diversity", "hrd", "aesv", "aesv_others", "aesv_true", "sufficient", "true_share", "weak", "alone", "redundant")
MERITS = SHARES + ("rationality", "stratified", "support")
METHODS = ("plain", "backed", "gumbel", "gumbel-zero", "ig-m", "random")
MASKLESS = ("gumbel-zero", "gumbel-average", "lime", "kernel-shap", "weighted-shap", "ig", "eg", "recxplainer-l", "recxplainer-mlp", "random")
BONDS, TOP, REASONS = 3, 10, 6
SMALL = ("compare", "--bonds", str(BONDS), "--top", str(TOP), "--k", str(REASONS))
NO_MASKS = {f"BOOKRUNNER_TRAINING_{phase}MASK_{kind}": "0" for phase in ("", "FINAL_") for kind in ("ALGORITHM1", "FEW")}
# Table 9 of the paper, to its two digits: names of the set to its sufficient value; the one that the paper leaves
# out by hand: of low quality nine in ten are cheap, 0.9 * (0.8 + 0.1) + 0.1 * 0.1.
TABLE9 = {"price1": 0.86, "price2": 0.86, "quality": 0.77, "color": 0.55, "price1 color": 0.91, "price2 color": 0.91,
          "price1 price2": 0.86, "price1 quality": 0.85, "price2 quality": 0.85, "price1 price2 color": 0.91,
          "price1 quality color": 0.90, "price2 quality color": 0.90, "price1 price2 quality": 0.85, "quality color": 0.82}


def rows_of(*path):
    with open(os.path.join(*path), newline="") as file:
        return list(csv.DictReader(file))


def without_times(text):
    return re.sub(r'"ms": [0-9.e+-]+', "", text)


def field_pattern(market):
    """What the schema calls the features, as the pattern of an investor field's name."""
    with open(os.path.join(market, "schema.yaml")) as file:
        bond_part, investor_part = file.read().split("\ninvestor_features:")
    features = [re.escape(name) for name in re.findall(r'name: "(.+?)"\n', investor_part)]
    preferences = [re.escape(part.split('"')[0]) for part in bond_part.split('- name: "')[1:] if "preference: true" in part]
    assert len(features) > 5 and len(preferences) > 5, (features, preferences)
    windows = r"\.(?:30|365)"
    return re.compile(f"(?:{'|'.join(features)}|activity\\..+|pref\\.(?:{'|'.join(preferences)})\\..+{windows})")


def check_figures(said, version, known):
    assert said["version"] == version and said["bonds"] == BONDS and said["reasons"] == REASONS, said
    assert said["explanations"] == BONDS * TOP, said["explanations"]
    assert [row["method"] for row in said["methods"]] == list(METHODS)
    for row in said["methods"]:
        assert set(row) == {"method", "ms", "by_bond", *MERITS} and set(row["by_bond"]) == set(MERITS), row
        assert row["ms"] > 0
        for name in MERITS:
            value, by_bond = row[name], row["by_bond"][name]
            assert len(by_bond) == BONDS, (row["method"], name, by_bond)
            if name in ("aesv_true", "true_share") and not known:
                assert value is None and by_bond == [None] * BONDS, (row["method"], name, value)
            else:
                low, high = (0, 1) if name in SHARES else (-1, 1) if name != "support" else (0, 300)
                assert low <= value <= high, (row["method"], name, value)
        # Every bond has as many sets, so the jackknife of a mean is the bonds' means and has their mean.
        for name in ("sufficient", "support", "alone", "aesv", "redundant"):
            assert math.isclose(sum(row["by_bond"][name]) / BONDS, row[name], abs_tol=1e-9), (row["method"], name)


def check_order(said):
    rows = {row["method"]: row for row in said["methods"]}
    assert said["plain_at_or_above_gumbel"] >= 0.95, said["plain_at_or_above_gumbel"]
    assert said["plain_minus_gumbel_lowest_logit"] > -0.1, said["plain_minus_gumbel_lowest_logit"]
    best, worst = (choose(rows, key=lambda name: rows[name]["sufficient"]) for choose in (max, min))
    assert (best, worst) == ("plain", "random"), {name: row["sufficient"] for name, row in rows.items()}
    assert rows["random"]["diversity"] > rows["plain"]["diversity"]
    assert rows["plain"]["true_share"] > rows["random"]["true_share"] > 0, {name: row["true_share"] for name, row in rows.items()}


def check_sets(directory, market, said):
    """Every explanation once; its logits come to the means, over all and by bond, that stand in the table."""
    sets = rows_of(directory, "sets.csv")
    assert len(sets) == BONDS * TOP * len(METHODS), len(sets)
    assert len({(row["bond"], row["investor"], row["method"]) for row in sets}) == len(sets)
    bonds = {row["bond_id"] for row in rows_of(market, "bonds.csv")}
    investors = {row["investor_id"] for row in rows_of(market, "investors.csv")}
    known = field_pattern(market)
    for row in sets:
        assert row["bond"] in bonds and row["investor"] in investors, row
        reasons = [row[f"reason_{k}"] for k in range(1, REASONS + 1)]
        assert len(set(reasons)) == REASONS and all(known.fullmatch(name) for name in reasons), row
    for method in said["methods"]:
        f = [1 / (1 + math.exp(-float(row["logit"]))) for row in sets if row["method"] == method["method"]]
        assert math.isclose(sum(f) / len(f), method["sufficient"], abs_tol=1e-6), method["method"]
        for bond, value in enumerate(method["by_bond"]["sufficient"]):
            assert math.isclose(sum(f[bond * TOP:(bond + 1) * TOP]) / TOP, value, abs_tol=1e-5), (method["method"], bond)


def check_files(directory, market, said):
    names = set(os.listdir(directory))
    wanted = {"table3.csv", "table4.csv", "methods.csv", "methods.json", "sets.csv", "figure5.svg"}
    assert wanted <= names and names - wanted in (set(), {"figure4a.svg", "figure4b.svg"}), names
    with open(os.path.join(directory, "methods.json")) as file:
        assert json.load(file) == said
    assert [row["method"] for row in rows_of(directory, "methods.csv")] == list(METHODS)
    table3, table4 = rows_of(directory, "table3.csv"), rows_of(directory, "table4.csv")
    assert [row["method"] for row in table3] == ["ig-m", "gumbel", "plain", "backed", "random"], table3
    assert [row["method"] for row in table4] == ["gumbel", "gumbel-zero"], table4
    of = {row["method"]: row for row in said["methods"]}
    for row in table3 + table4:
        for name in ("rationality", "diversity", "hrd", "aesv"):
            assert abs(float(row[name]) - of[row["method"]][name]) <= 0.5001e-4, (row, name)
        assert abs(float(row["time_s"]) * 1e3 - of[row["method"]]["ms"]) <= 0.5001e-3, row
    for name in names:
        if name.endswith(".svg"):
            root = xml.etree.ElementTree.parse(os.path.join(directory, name)).getroot()
            assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
    texts = [text.text for text in xml.etree.ElementTree.parse(os.path.join(directory, "figure5.svg")).getroot().iter()]
    assert set(METHODS) <= set(texts), texts
    check_sets(directory, market, said)


def compared(place, market, version):
    words = (*SMALL, "--methods", ",".join(METHODS))
    out = place.path("out")
    first = place.run(*words, "--market", market, "--out", out, "--format", "json").stdout
    said = json.loads(first)
    check_figures(said, version, known=True)
    check_order(said)
    check_files(out, market, said)
    again = place.run(*words, "--market", market, "--format", "json").stdout
    assert without_times(again) == without_times(first), "the same comparison says something else"
    unknown = json.loads(place.run(*words, "--format", "json").stdout)
    check_figures(unknown, version, known=False)
    for row, other in zip(said["methods"], unknown["methods"]):
        assert all(row[name] == other[name] for name in MERITS if name not in ("aesv_true", "true_share")), row["method"]


def shown(place):
    """As a table; and with more investors asked for than there are, all of them."""
    text = place.run("compare", "--bonds", "1", "--top", "5000000000", "--k", "1", "--methods", "random,plain", "--out",
                     place.path("few")).stdout
    methods, ahead = text.split("\n\n")
    assert [line.split()[0] for line in methods.splitlines()] == ["method", "random", "plain"], text
    assert "aesv_true" in methods, methods
    assert ahead.startswith("random against the best of the others"), text
    first = [line.split()[0] for line in ahead.splitlines()[1:]]
    assert "aesv" in first and not {"aesv_true", "true_share"} & set(first), "ahead in what nobody knows"
    sets = rows_of(place.path("few"), "sets.csv")
    assert 2 * TOP < len(sets) <= 600 and "reason_1" in sets[0] and "reason_2" not in sets[0], len(sets)
    assert not os.path.exists(place.path("few", "table4.csv"))


def refused(place, market, words, cause, code=1):
    done = place.run("compare", "--bonds", "1", "--top", "2", *words, check=False)
    assert done.returncode == code and cause in done.stderr and done.stdout == "", (words, done.returncode, done.stderr)
    assert len(done.stderr.strip().splitlines()) == (2 if code == 2 else 1), done.stderr


def bad_input(place, market):
    plain = ("--methods", "plain")
    refused(place, market, ("--methods", "plain,nothing"), "no method nothing")
    refused(place, market, ("--methods", "plain,"), "there is no method")
    refused(place, market, ("--methods", "plain,ig,plain"), "method plain is named twice")
    for k in ("0", "17", "4294967302"):
        refused(place, market, (*plain, "--k", k), "there can be 1 to 16")
    refused(place, market, (*plain, "--k", "-1"), "--k", code=2)
    refused(place, market, (*plain, "--top", "0"), "lists without investors")
    refused(place, market, (*plain, "--version", "../models"), "not a snapshot's version")
    refused(place, market, (*plain, "--version", "0" * 32), "0" * 32)
    refused(place, market, (*plain, "--market", place.dir), "truth")
    refused(place, market, (*plain, "--out", place.path("no", "such", "place")), "No such file")
    refused(place, market, (*plain, "--out", os.path.join(market, "schema.yaml")), "Not a directory")


def without_masks(place, market, masked):
    """A snapshot of which nothing is known with fields hidden: no guess is made by what needs that."""
    place.run("down")
    os.environ.update(NO_MASKS)
    place.up()
    for name in NO_MASKS:
        del os.environ[name]
    version = place.json("train", "--force")["version"]
    refused(place, market, ("--methods", "plain"), "plain needs mask embeddings, and the snapshot was trained without masks")
    refused(place, market, ("--methods", "random,gumbel"), "gumbel needs mask embeddings")
    said = place.json("compare", "--bonds", "1", "--top", "1", "--k", "2", "--out", place.path("maskless"))
    assert said["version"] == version and tuple(row["method"] for row in said["methods"]) == MASKLESS, said
    assert not any(name.startswith("figure4") for name in os.listdir(place.path("maskless")))
    bond = rows_of(market, "bonds.csv")[-1]["bond_id"]
    place.run("rank", bond)
    place.wait("given up", lambda stores: stores["dead"] == 1)
    job, = place.json("jobs", "list")
    assert job["bond"] == bond and job["state"] == "dead" and "trained without masks" in job["reason"], job
    # The explainer that gave up does the next job, which is of a snapshot with masks.
    explainer = place.processes()["explainer-1"]
    place.run("snapshots", "rollback", masked)
    place.run("rank", bond)
    place.wait("explained", lambda stores: stores["results"] == 1 and stores["todo"] == 0)
    assert len(place.json("explain", bond)["investors"][0]["reasons"]) == 6
    now = place.processes()["explainer-1"]
    assert now["pid"] == explainer["pid"] and now["restarts"] == 0, now


def toy():
    """It needs no data directory, and none of the configuration."""
    done = subprocess.run([os.path.join(BIN, "bookrunner"), "toy", "--format", "json"], check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    sets = {re.sub("=[a-z]+|,", "", row["selected"]): row for row in said["table9"]}
    assert set(sets) == set(TABLE9), sorted(sets)
    for name, value in TABLE9.items():
        row = sets[name]
        assert row["size"] == len(name.split()) and abs(row["exact"] - value) <= 0.005 + 1e-9, row
    for row in said["table9"]:
        assert abs(row["estimate"] - row["exact"]) <= 0.03, row
    for size in (1, 2, 3):
        assert sum(row["gumbel"] for row in said["table9"] if row["size"] == size) == 1, size
    methods = [row["method"] for row in said["table1"]]
    assert methods == ["lime", "kernel_shap", "ig", "eg", "kernel_shap_m", "weighted_shap"], methods
    for row in said["table1"]:
        assert all(-1 <= row[name] <= 1 for name in ("price1", "price2", "quality", "color")), row
        assert min(row["price1"], row["price2"]) > row["quality"], row


with tempfile.TemporaryDirectory() as temp, Installation(explainers=1) as box:
    folder = os.path.join(temp, "market")
    simulate(folder)
    box.up()
    box.run("import", folder)
    masked = box.json("train")["version"]
    compared(box, folder, masked)
    shown(box)
    bad_input(box, folder)
    without_masks(box, folder, masked)
toy()
print(f"{len(METHODS)} methods side by side, {len(MASKLESS)} without masks")
