"""What the configuration bans is no reason, what it keeps apart does not stand together, in both objectives, and replay makes it again; a name that
fits nothing is told once; where too little is left, the job says why and the explainer goes on."""

import os
import shutil
import tempfile

from installation import Installation, simulate

RULES = """\
ranking: {{reasons: 3, objective: {objective}, certify: true}}
explain:
  banned: ["activity.*", nothing_like_this]
  not_together: ["pref.* + pref.*"]
  max_evaluations: {most}
"""


def explained(place, models, market):
    place.begin(market, models)
    place.run("rank", "--test")


def check_reasons(place):
    bonds = {key.split()[0] for what, key in place.digest() if what == "backtest explanations"}
    n = 0
    for bond in sorted(bonds)[:8]:
        for investor in place.json("explain", bond)["investors"]:
            names = [reason["field"] for reason in investor["reasons"]]
            against = investor.get("against")
            assert len(names) == 3, names
            assert not any(name.startswith("activity.") for name in names), names
            assert sum(name.startswith("pref.") for name in names) <= 1, names
            assert against is None or not against["field"].startswith("activity."), against
            n += 1
    assert n > 50, n
    place.run("replay", "--all")
    with open(place.path("log", "ranker.log")) as log:
        told = [line for line in log if "RANK-FIELDS-UNKNOWN" in line]
    doctor = {finding["check"]: finding for finding in place.json("doctor", check=False)}
    assert "nothing_like_this" in doctor["vocabulary"]["text"], doctor
    assert len(told) == 1 and "nothing_like_this" in told[0] and "activity" not in told[0], told


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-vocabulary-")
    market, models = os.path.join(root, "market"), os.path.join(root, "models")
    simulate(market)
    for objective, most in (("plain", 0), ("backed", 40)):
        rules = RULES.format(objective=objective, most=most)
        with Installation(explainers=1, config=rules) as place:
            explained(place, models if os.path.isdir(models) else None, market)
            place.wait_explained()
            check_reasons(place)
            if not os.path.isdir(models):
                shutil.copytree(place.path("models"), models)
    with Installation(explainers=1, config='explain: {banned: ["*"]}\n') as place:
        explained(place, models, market)
        place.wait("all given up", lambda s: s["todo"] == 0 and s["dead"] > 50)
        bond = [key.split()[0] for what, key in place.digest() if what == "backtest"][0]
        shown = place.json("explain", bond)
        assert "6 reasons asked for" in shown["failure"], shown["failure"]
        restarts = {name: process["restarts"] for name, process in place.processes().items()}
        assert not any(restarts.values()), restarts
    print("banned and kept apart with both objectives, replayed; too little left is said")
    shutil.rmtree(root)


main()
