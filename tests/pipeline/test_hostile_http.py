"""Hostile clients do not keep the desk from serving, and do not make it grow: slow heads, endless bodies, bad UTF-8, tricks with paths and lengths, and as many
connections as the machine allows."""

import http.client
import os
import re
import resource
import socket
import threading
import time

from installation import Installation, metric

CONNECTIONS = 10000


class Desk:
    def __init__(self, place):
        self.page = place.path("run", "desk.http")
        with open(self.page) as file:
            host, port = file.read().strip().rsplit(":", 1)
        self.address = (host, int(port))

    def connect(self, timeout=10):
        return socket.create_connection(self.address, timeout=timeout)

    def raw(self, request, timeout=10):
        """The codes of the answers; none when the connection was closed without one."""
        with self.connect(timeout) as client:
            try:
                client.sendall(request)
                got = b""
                while True:
                    piece = client.recv(65536)
                    if not piece:
                        break
                    got += piece
            except (ConnectionError, socket.timeout):
                pass
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]

    def good(self):
        """Seconds that a good client waits for a right answer."""
        start = time.monotonic()
        client = http.client.HTTPConnection(*self.address, timeout=10)
        client.request("GET", "/api/v1/status")
        answer = client.getresponse()
        assert answer.status == 200 and b"ledger_head" in answer.read()
        client.close()
        return time.monotonic() - start

    def memory(self):
        return metric(self.page, "process_resident_memory_bytes")


def get(target, *headers):
    return b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n"


def check_targets(desk):
    for target, codes in ((b"/api/v1/..%2f..%2fetc/passwd", "400"), (b"/assets/..%2f..%2f..%2fetc%2fpasswd", "400"), (b"/../etc/passwd", "400"),
                          (b"/assets/%2e%2e/%2e%2e/x", "400"), (b"/assets/%00", "400"), (b"/api/v1/bonds/%ff%fe", "400"),
                          (b"/api/v1/bonds/%c0%af", "400"), (b"/api/v1/bonds/%zz", "400"), (b"/api/v1/bonds/\xff\xfe", "400"), (b"//etc/passwd", "404"),
                          (b"//", "404"), (b"/assets/", "404"), (b"/assets//etc/passwd", "404"), (b"/api/v1/bonds/" + b"a" * 129, "404"),
                          (b"/" + b"a" * 5000, "414"), (b"/" + b"a" * 60000, "414"), (b"/api/v1/bonds?" + b"&".join(b"a%d=1" % i for i in range(40)), "414"),
                          (b"/api/v1/bonds?q=%00", "400"), (b"/api/v1/bonds?q=%ff", "400"), (b"/api/v1/bonds?q=" + b"%3Cscript%3E" * 100, "200"),
                          (b"http://other.example/api/v1/status", "400 404 421"), (b"*", "400 404"), (b"", "400 404")):
        got = desk.raw(get(target))
        assert len(got) == 1 and str(got[0]) in codes.split(), (target[:40], got)


def check_framing(desk):
    """What another server could read as two requests is refused, and the second is never answered."""
    inner = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    n = b"%d" % len(inner)
    for headers in ([b"Content-Length: 0", b"Content-Length: " + n], [b"Content-Length: " + n, b"Content-Length: 0"],
                    [b"Content-Length: " + n, b"Transfer-Encoding: chunked"], [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
                    [b"Transfer-Encoding: xchunked"], [b"Transfer-Encoding : chunked"], [b"Content-Length: +" + n], [b"Content-Length: 0x10"],
                    [b"Content-Length: -1"], [b"Content-Length: 99999999999999999999999"], [b"Content-Length: " + n + b", 0"],
                    [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"]):
        for method in (b"GET", b"POST"):
            body = b"0\r\n\r\n" + inner if any(b"Transfer" in h for h in headers) else inner
            request = method + b" /api/v1/bonds HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body
            got = desk.raw(request)
            assert all(400 <= code < 500 for code in got), (method, headers, got)


def check_bodies(desk):
    before = desk.memory()
    got = desk.raw(b"POST /api/v1/bonds HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 100000)
    assert not got or got[0] in (405, 413), got
    sent = 0
    with desk.connect() as client:
        try:
            client.sendall(b"POST /api/v1/bonds HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            while sent < 1 << 30:
                client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except (ConnectionError, socket.timeout):
            pass
    assert sent < 64 << 20, f"the desk read {sent} bytes of a body"
    assert desk.memory() - before < 8e6, (before, desk.memory())


def check_noise(desk):
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 50, b"\x00" * 4000, b"GET\r\n\r\n", b"G" * 100000, b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 20000,
                  b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"b" * 200000 + b"\r\n\r\n"):
        got = desk.raw(noise, timeout=2)
        assert all(code >= 400 for code in got), (noise[:20], got)


def drip(desk, stop, n=40):
    """Heads that never end, a byte at a time."""
    clients = [desk.connect() for _ in range(n)]
    for client in clients:
        client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
    while not stop.wait(0.5):
        for client in clients:
            try:
                client.send(b"a")
            except OSError:
                pass
    for client in clients:
        client.close()


def flood(desk, stop, counts, opened):
    """Connections that ask for nothing, or for a list that they do not read; more as soon as they are shut."""
    n = 0
    while not stop.is_set() and n < CONNECTIONS:
        try:
            client = desk.connect(1)
            if n % 4 == 0:
                client.sendall(get(b"/api/v1/openapi.json") * 4)
            opened.append(client)
            n += 1
        except OSError:
            stop.wait(0.01)
    counts.append(n)


def check_flood(desk):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = desk.memory()
    stop, counts, opened, waits = threading.Event(), [], [], []
    threads = [threading.Thread(target=drip, args=(desk, stop)), threading.Thread(target=flood, args=(desk, stop, counts, opened))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 15
    try:
        while time.monotonic() < end and (threads[1].is_alive() or len(waits) < 50):
            waits.append(desk.good())
            stop.wait(0.02)
        grown = desk.memory() - before
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for client in opened:
            client.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert counts[0] > 1000 and len(waits) >= 50, (counts, len(waits))
    assert max(waits) < 5 and sorted(waits)[len(waits) // 2] < 1, sorted(waits)[-5:]
    assert grown < 64e6, grown
    return counts[0], max(waits), grown


def check_socket():
    """http.listen = unix:/PATH: a socket of mode 0660, taken over from a process that died, taken away at the end."""
    with Installation(explainers=1) as place:
        path = place.path("desk.socket")
        with open(place.path("bookrunner.yaml")) as file:
            text = file.read().replace("http: {", f"http: {{listen: 'unix:{path}', ")
        with open(place.path("bookrunner.yaml"), "w") as file:
            file.write(text)
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.close()
        place.up()
        place.wait_ready()
        assert os.stat(path).st_mode & 0o777 == 0o660, oct(os.stat(path).st_mode)
        assert place.processes()["desk"]["http"] == f"unix:{path}", place.processes()["desk"]
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(path)
        client.sendall(get(b"/api/v1/status"))
        assert client.recv(1000).startswith(b"HTTP/1.1 200 "), "no answer over the socket"
        client.close()
        place.run("down")
        assert not os.path.exists(path), "the socket stays"


def main():
    with Installation(explainers=1) as place:
        place.up()
        place.wait_ready()
        desk = Desk(place)
        pid = place.processes()["desk"]["pid"]
        desk.good()
        check_targets(desk)
        check_framing(desk)
        check_bodies(desk)
        check_noise(desk)
        n, worst, grown = check_flood(desk)
        desk.good()
        process = place.processes()["desk"]
        assert process["pid"] == pid and process["restarts"] == 0, process
    check_socket()
    print(f"{n} connections, a good client waited {worst * 1e3:.0f} ms at most, memory grew by {grown / 1e6:.1f} MB")


main()
