"""Any number of explainers, here or over the network, gives the same bytes; what is changed behind the stores' backs is found out; and
over the network only who has a listed key gets work."""

import glob
import os
import re
import shutil
import socket
import tempfile

from installation import Host, Installation, fetch, free_port, keys, metric, simulate


# A search that takes long, one job at a time: all explainers are needed.
CREDIT = "credit: 1"
SLOW = "ranking: {objective: plain, certify: true}\n"


def work(place, market, models=None):
    place.begin(market, models)
    place.run("rank", "--test")


def rows(digest, what):
    return {key: value for (kind, key), value in digest.items() if kind == what}


def one_explainer(market, root):
    # It holds jobs of more days than it keeps populations for: none may be left lying until its lease ends.
    with Installation(explainers=1, config=SLOW + "work: {credit: 16, lease_ms: 60000}\n") as place:
        work(place, market)
        place.wait_explained(45)
        again = metric(place.path("run", "ranker.http"), "bookrunner_redeliveries_total")
        assert again == 0, f"{again} jobs were dealt out again though nothing went wrong"
        digest = place.digest()
        place.run("down")
        models = os.path.join(root, "models")
        shutil.copytree(place.path("models"), models)
    lists, explanations = rows(digest, "backtest"), rows(digest, "backtest explanations")
    assert sorted(lists) == sorted(explanations) and len(lists) > 50, (len(lists), len(explanations))
    return digest, models


def three_explainers(market, models, expected):
    with Installation(explainers=3, config=SLOW + f"work: {{{CREDIT}}}\n") as place:
        work(place, market, models)
        place.wait_explained()
        assert place.digest() == expected, "three explainers give other bytes than one"
        done = [metric(place.path("run", f"explainer-{i}.http"), DONE) for i in (1, 2, 3)]
        assert min(done) > 0 and sum(done) >= len(rows(expected, "backtest explanations")), done
        place.run("replay", "--all")
        place.run("down")
        damage(place)
        return done


def found_out(place, what, *commands):
    for command in commands:
        done = place.run(*command, check=False)
        assert done.returncode in (1, 5) and what in done.stdout + done.stderr, f"{command}: {done}"


def damage(place):
    """Bytes changed in the files: whoever reads them must say so, and the service must go on serving nothing wrong."""
    store = place.path("recommendations", "data.mdb")
    with open(store, "rb") as file:
        good = file.read()
    somebody = re.search(rb"I0[0-9]{4}", good).group()
    with open(store, "wb") as file:  # somebody in the lists turned into another one
        file.write(good.replace(somebody, b"J" + somebody[1:]))
    found_out(place, "checksum does not match", ("replay", "--all"), ("digest",))
    with open(store, "wb") as file:
        file.write(good)
    place.run("replay", "--all")
    snapshot = max(glob.glob(place.path("models", "*.mdb")), key=os.path.getsize)
    with open(snapshot, "r+b") as file:
        file.seek(os.path.getsize(snapshot) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))
    found_out(place, os.path.basename(snapshot), ("replay", "--all"))


# --- over the network ---

DONE = 'bookrunner_messages_total{stage="explain",outcome="done"}'


def plain_peer(port):
    """A ZMTP 3.0 greeting without keys and the announcement of a worker: the ranker hangs up after its own greeting of 64 bytes at most."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + b"\0" * 31)
        ready = b"\x05READY" + b"\x0bSocket-Type" + b"\0\0\0\x06DEALER"
        heard = b""
        try:
            peer.sendall(b"\x04" + bytes([len(ready)]) + ready)
            while part := peer.recv(4096):
                heard += part
        except ConnectionError:
            pass
    assert len(heard) <= 64, heard


def network(market, models, root, expected):
    server, other = os.path.join(root, "keys"), os.path.join(root, "other")
    for words, code in ((("new", server), 0), (("new", other), 0), (("add", server, "far"), 0), (("add", server, "far"), 1),
                        (("add", server, "../far"), 1), (("new", server), 1), (("add", server), 2)):
        done = keys(*words)
        assert done.returncode == code, (words, done)
    for name in ("server.key", "for-far/client.key"):
        assert os.stat(os.path.join(server, name)).st_mode & 0o777 == 0o600, name
    for name in ("", "clients", "for-far"):
        assert os.stat(os.path.join(server, name)).st_mode & 0o777 == 0o700, name
    unlisted = os.path.join(other, "for-explainer")  # a good pair that this ranker does not list
    shutil.copy(os.path.join(server, "server.pub"), unlisted)
    port = free_port()
    remote = SLOW + f"work: {{listen: 'tcp://127.0.0.1:{port}', keys: '{server}'}}\n"
    with Installation(explainers=0, config=remote) as place, Host(root, "stranger", port, unlisted, models) as stranger:
        work(place, market, models)
        place.wait("the stranger gives up being ready",
                   lambda _: "is not heard" in fetch(stranger.page, "/readyz")[1])
        plain_peer(port)
        stores = place.stores()
        assert stores["results"] == 0 and stores["todo"] == len(rows(expected, "backtest")), stores
        assert metric(place.path("run", "ranker.http"), "bookrunner_explainers") == 0
        with Host(root, "host", port, os.path.join(server, "for-far"), models) as host:
            place.wait_explained()
            assert place.digest() == expected, "an explainer over the network gives other bytes"
            assert metric(host.page, DONE) >= len(rows(expected, "backtest explanations"))
        assert metric(stranger.page, DONE) == 0 and fetch(stranger.page, "/livez")[0] == 200
        restarts = {name: process["restarts"] for name, process in place.processes().items()}
        assert not any(restarts.values()), restarts
        # Listed at last, it must come in by itself though it was refused for good.
        shutil.copy(os.path.join(unlisted, "client.pub"), os.path.join(server, "clients", "late.pub"))
        assert place.kill("ranker")
        place.wait("the stranger, now listed, is heard", lambda _: fetch(stranger.page, "/readyz")[0] == 200)


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-workers-")
    market = os.path.join(root, "market")
    simulate(market)
    expected, models = one_explainer(market, root)
    done = three_explainers(market, models, expected)
    print(f"{len(expected)} things equal with one explainer and with three ({', '.join(f'{n:.0f}' for n in done)} jobs)")
    network(market, models, root, expected)
    print("equal over the network too; nothing went to a stranger")
    shutil.rmtree(root)


main()
