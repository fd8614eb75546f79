"""Every process is killed with SIGKILL, several times, while days are worked; the outcome must be the one of an undisturbed run: every
acknowledged row in the ledger exactly once, every recommendation explained exactly once, all bytes equal."""

import glob
import os
import random
import shutil
import signal
import tempfile

from installation import Installation, cut_market, simulate

DAYS = ["2024-10-01", "2024-10-08", "2024-10-15", "2024-10-22"]
# The search of the paper's objective with a certificate takes longest: more can happen to it.
SLOW = "ranking: {objective: plain, certify: true}\n"
VICTIMS = ["ingester", "ranker", "explainer-1", "explainer-2", "evaluator", "trainer", "desk"]
ROUNDS = 4  # kills of each process


def work_day(place, market, day):
    place.run("import", market)
    place.run("close-day", day, "--no-wait")


def finish(place):
    head = place.stores()["ledger_head"]
    place.wait("all ranked and evaluated",
               lambda s: s["ranker_offset"] >= head and s["evaluator_offset"] >= head and s["todo"] == 0 and s["results"] > 0, 180)


def undisturbed(markets):
    with Installation(config=SLOW) as place:
        place.up()
        place.run("import", markets[0])
        place.run("train", "--seed", "7")
        for day, market in zip(DAYS, markets):
            work_day(place, market, day)
        place.run("rank", "--test")
        finish(place)
        models = tempfile.mkdtemp(prefix="bookrunner-models-")
        place.run("down")
        shutil.copytree(place.path("models"), models, dirs_exist_ok=True)
        return place.digest(), models


def kill_while(place, process, victims):
    """Kill one after the other while `process` (a command) runs, then see it end well."""
    kills = 0
    while process.poll() is None and victims:
        kills += place.kill(victims.pop())
        try:
            process.wait(0.15)
        except Exception:
            pass
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, f"{process.args}: exit {process.returncode}\n{output}\n{errors}"
    return kills


def disturbed(markets, models, seed):
    rng = random.Random(seed)
    kills = 0
    with Installation(config=SLOW) as place:
        shutil.copytree(models, place.path("models"))
        os.chmod(place.path("models"), 0o700)
        place.up()
        for day, market in zip(DAYS, markets):
            victims = VICTIMS * (ROUNDS // len(DAYS))
            rng.shuffle(victims)
            kills += kill_while(place, place.start("import", market), victims)
            kills += kill_while(place, place.start("close-day", day, "--no-wait"), victims)
            for victim in victims:
                kills += place.kill(victim)
        # Explainers that hang are dealt jobs and then die with them in hand: those jobs must go to others.
        place.wait_ready()
        for victim in ("explainer-1", "explainer-2"):
            place.signal(victim, signal.SIGSTOP)
        victims = ["explainer-1", "explainer-2", "ranker"] * ROUNDS + ["explainer-1", "explainer-2"]
        ranking = place.start("rank", "--test")
        place.wait("jobs of the hanging explainers dealt out again", lambda _: count_in_logs(place, "DISPATCH-REDELIVER") > 0)
        kills += kill_while(place, ranking, victims)
        while victims and place.stores()["todo"] > 0:
            kills += place.kill(victims.pop())
        finish(place)
        restarts = sum(process["restarts"] for process in place.processes().values())
        digest = place.digest()
        replayed = place.run("replay", "--all")
        place.run("down")
        redelivered = count_in_logs(place, "DISPATCH-REDELIVER")
    assert restarts >= kills // 2, f"{kills} kills but only {restarts} restarts"
    return digest, kills, redelivered, replayed.stdout


def count_in_logs(place, event):
    count = 0
    for name in glob.glob(place.path("log", "*.log")):
        with open(name, errors="replace") as file:
            count += sum(event in line for line in file)
    return count


def compare(expected, found):
    missing = sorted(set(expected) - set(found))
    added = sorted(set(found) - set(expected))
    changed = sorted(key for key in expected if key in found and expected[key] != found[key])
    assert not missing, f"{len(missing)} missing, the first: {missing[:3]}"
    assert not added, f"{len(added)} that should not be there, the first: {added[:3]}"
    assert not changed, f"{len(changed)} differ, the first: {changed[:3]}"


def main():
    whole = tempfile.mkdtemp(prefix="bookrunner-market-")
    folder = os.path.join(whole, "all")
    simulate(folder)
    markets = []
    for i, day in enumerate(DAYS):
        markets.append(os.path.join(whole, f"until-{day}"))
        cut_market(folder, markets[i], day)
    expected, models = undisturbed(markets)
    kinds = {}
    for what, _ in expected:
        kinds[what] = kinds.get(what, 0) + 1
    print("undisturbed:", kinds)
    assert kinds["list"] == kinds["explanations"] > 10 and kinds["quality"] > 5, kinds
    assert kinds["backtest"] == kinds["backtest explanations"] > 10, kinds
    found, kills, redelivered, replayed = disturbed(markets, models, seed=1)
    compare(expected, found)
    assert kills >= len(VICTIMS) * ROUNDS // 2, f"only {kills} kills hit"
    assert redelivered > 0, "no job was ever dealt out again: the kills proved nothing"
    print(f"{kills} kills, {redelivered} jobs dealt out again: the same {len(found)} things; replay: {replayed.splitlines()[-1]}")
    shutil.rmtree(whole)
    shutil.rmtree(models)


main()
