"""An explainer on a very slow host keeps its jobs for as long as it names them in its heartbeats; one that stands still loses
them to another. A job that takes too long is given up, and done when it is asked for again."""

import csv
import json
import os
import shutil
import signal
import tempfile
import threading

from installation import Installation, copy_investors, fetch, metric, simulate

WORK = "ranking: {objective: plain, certify: true, top: 600, reasons: 16}\n"
JOBS = 3
RUNS_S, STANDS_S = 0.04, 0.96


class Brake:
    """While it holds, a process runs a twenty-fifth of the time."""

    def __init__(self, pid):
        self.pid = pid
        self.released = threading.Event()
        self.thread = threading.Thread(target=self.hold)

    def hold(self):
        while not self.released.wait(RUNS_S):
            os.kill(self.pid, signal.SIGSTOP)
            self.released.wait(STANDS_S)
            os.kill(self.pid, signal.SIGCONT)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.released.set()
        self.thread.join()


def last_bonds(market):
    with open(os.path.join(market, "bonds.csv")) as file:
        return [row["bond_id"] for row in csv.DictReader(file)][-JOBS:]


def ranker_metric(place, name):
    return metric(place.path("run", "ranker.http"), name)


def slow_host(market, models):
    with Installation(explainers=1, config=WORK + "work: {lease_ms: 3000, max_attempts: 1}\n") as place:
        place.begin(market, models)
        with Brake(place.processes()["explainer-1"]["pid"]):
            place.run("rank", *last_bonds(market))
            stores = place.wait("all explained", lambda s: s["todo"] == 0, 200)
            explainer = place.path("run", "explainer-1.http")
            seconds = metric(explainer, "bookrunner_explain_job_duration_seconds_sum") / JOBS
        assert stores["results"] == JOBS and stores["dead"] == 0, stores
        assert seconds > 4, f"jobs of {seconds:.1f} s are not slow: neither silence nor a lease would have shown"
        assert ranker_metric(place, "bookrunner_redeliveries_total") == 0
    return seconds


def standing_still(market, models):
    with Installation(explainers=2, config=WORK + "work: {lease_ms: 60000, credit: 1}\n") as place:
        place.begin(market, models)
        place.wait_ready()
        assert place.signal("explainer-2", signal.SIGSTOP)
        place.run("rank", *last_bonds(market))
        place.wait_explained(30)
        assert ranker_metric(place, "bookrunner_redeliveries_total") > 0
        assert place.signal("explainer-2", signal.SIGCONT)


def check_given_up(place, bonds):
    jobs = {job["bond"]: job for job in place.json("jobs", "list")}
    assert sorted(jobs) == sorted(bonds), jobs
    for bond, job in jobs.items():
        assert job["state"] == "dead" and job["attempts"] == 1 and "max_work_ms" in job["reason"], job
        shown = place.json("explain", bond)
        assert not shown["pending"] and shown["failure"] == job["reason"] and "reasons" not in shown["investors"][0], shown
        assert "jobs retry " + job["job"] in place.run("explain", bond).stdout
        place.wait("the desk says so", lambda _: "max_work_ms" in fetch(place.path("run", "desk.http"), f"/api/v1/bonds/{bond}/recommendations")[1])
        place.wait("the desk has seen it", lambda _: json.loads(fetch(place.path("run", "desk.http"), f"/api/v1/bonds/{bond}")[1])
                   ["list"]["dead"])
    return jobs


def given_up(market, models):
    """Jobs that take too long are dead, with the reason; asked for again on a host that is not slow, they are done."""
    bonds = last_bonds(market)
    with Installation(explainers=1, config=WORK + "work: {max_work_ms: 2500, max_attempts: 1}\n") as place:
        place.begin(market, models)
        with Brake(place.processes()["explainer-1"]["pid"]):
            place.run("rank", *bonds)
            place.wait("all given up", lambda s: s["dead"] == JOBS, 100)
        jobs = check_given_up(place, bonds)
        assert place.run("jobs", "retry", "0" * 64, check=False).returncode == 1
        assert place.run("jobs", "retry", check=False).returncode == 2
        assert place.json("jobs", "retry", jobs[bonds[0]]["job"]) == {"jobs": 1}
        place.wait("one explained", lambda s: s["results"] == 1 and s["todo"] == 0 and s["dead"] == JOBS - 1)
        assert place.json("jobs", "retry", "--all") == {"jobs": JOBS - 1}
        place.wait("all explained", lambda s: s["results"] == JOBS and s["todo"] == 0 and s["dead"] == 0)
        assert place.json("jobs", "list") == []
        shown = place.json("explain", bonds[0])
        assert "failure" not in shown and len(shown["investors"][0]["reasons"]) == 16, shown
        assert place.json("jobs", "retry", "--all") == {"jobs": 0}


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-slow-")
    market, models = os.path.join(root, "market"), os.path.join(root, "models")
    simulate(market)
    copy_investors(market, 1)
    seconds = slow_host(market, models)
    standing_still(market, models)
    given_up(market, models)
    shutil.rmtree(root)
    print(f"{JOBS} jobs of {seconds:.1f} s with leases of 3 s, each dealt out once")


main()
