"""Over a slow link a population block goes once, in parts, with heartbeats in between: nobody takes the other for gone."""

import csv
import os
import shutil
import socket
import tempfile
import threading

from installation import Host, Installation, copy_investors, free_port, keys, metric, simulate

RATE = 400_000  # bytes a second towards the explainer
PIECE = 16_384
PART = 256 * 1024
COPIES = 50  # of every investor, so that the block has many parts
JOBS = 2


class SlowLink:
    """A port that passes everything on to another one, slowly in the direction of who connects."""

    def __init__(self, target):
        self.target = target
        self.passed = 0
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def copy(self, source, sink, rate):
        try:
            while not self.ended.is_set() and (piece := source.recv(PIECE)):
                sink.sendall(piece)
                if rate:
                    self.passed += len(piece)
                    self.ended.wait(len(piece) / rate)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            threading.Thread(target=self.copy, args=(near, far, 0), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, RATE), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, kind, value, trace):
        self.ended.set()
        self.listener.close()


def count_in(path, event):
    with open(path) as file:
        return sum(event in line for line in file)


def over_the_link(root, market, bonds, key_directory):
    port = free_port()
    remote = f"work: {{listen: 'tcp://127.0.0.1:{port}', keys: '{key_directory}'}}\n"
    with Installation(explainers=0, config=remote) as place, SlowLink(port) as link:
        place.up()
        place.run("import", market)
        place.run("train", "--seed", "7")
        copy_investors(market, COPIES)
        place.run("import", market)
        models = place.path("models")
        with Host(root, "far", link.port, os.path.join(key_directory, "for-explainer"), models) as host:
            place.run("rank", *bonds)
            stores = place.wait("all explained over the slow link", lambda s: s["todo"] == 0, 90)
            assert metric(host.page, "bookrunner_explanations_total") == 50 * JOBS
        assert stores["results"] == JOBS and stores["dead"] == 0, stores
        assert metric(place.path("run", "ranker.http"), "bookrunner_redeliveries_total") == 0
        assert count_in(place.path("log", "ranker.log"), "DISPATCH-WORKER-READY") == 1
        assert count_in(host.log.name, "EXPLAIN-RECONNECT") == 0
        stored = metric(place.path("run", "ranker.http"), "bookrunner_store_used_bytes")  # the block, once, and little else
        assert 8 * PART < stored and 0.8 * stored < link.passed < 1.2 * stored, (stored, link.passed)
        return link.passed


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-link-")
    market, key_directory = os.path.join(root, "market"), os.path.join(root, "keys")
    simulate(market)
    assert keys("new", key_directory).returncode == 0
    with open(os.path.join(market, "bonds.csv")) as file:
        rows = list(csv.DictReader(file))
    day = rows[-1]["issue_date"]
    bonds = [row["bond_id"] for row in rows if row["issue_date"] == day][:JOBS]
    assert len(bonds) == JOBS, f"{day} has too few bonds"
    passed = over_the_link(root, market, bonds, key_directory)
    shutil.rmtree(root)
    print(f"{passed} bytes went over a link of {RATE} bytes a second, none of them twice")


main()
