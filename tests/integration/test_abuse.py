"""Clients that exceed their share of bytes or connections do not harm the others."""

from __future__ import annotations

import json
import select
import signal
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import urllib3

from benchmarks.service.non_readers import deleted_bytes
from testkit.in_memory.served import Served, serving
from testkit.network.http_requests import http_request
from testkit.network.raw_http import exchange, read_to_end, seconds
from testkit.png.pngs import GRAY, IEND, SIGNATURE, idat, ihdr
from testkit.png.scans import page_png
from testkit.timing.waiting import assert_within, is_alive, wait_until

MAX_UPLOAD_BYTES = 8_000_000
BUDGET_BYTES = 30_000_000
#: Memory that the kernel and the interpreter may take in addition.
LEEWAY_BYTES = 40_000_000
ELSEWHERE = "127.0.0.2"
BODY_HEAD = (
    b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b"Content-Length: 7900000\r\n\r\n"
)
#: Four bodies of this size take slightly less than the budget, and each less than a share.
HELD_BYTES = 6_500_000
#: Four bodies of this size leave less room than a download needs, but enough for another 11 s.
GREEDY_BYTES = 6_100_000


def large_png() -> bytes:
    """A PNG of 6 MB: its rows are not compressed."""
    rows = zlib.compress(bytes(3001 * 2000), 0)
    return SIGNATURE + ihdr(3000, 2000, color_type=GRAY) + idat(rows) + IEND


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(MAX_UPLOAD_BYTES, MAX_BUFFERED_BYTES=str(BUDGET_BYTES)) as found:
        yield found


@pytest.fixture(scope="module")
def original(served: Served) -> str:
    return upload(served, large_png()).json()["original"]["href"]


def upload(served: Served, data: bytes) -> urllib3.BaseHTTPResponse:
    url = f"http://127.0.0.1:{served.port}/upload"
    return http_request("POST", url, fields={"image": ("a.png", data)}, retries=False)


def connect(served: Served, address: str = "127.0.0.1", *, receive_bytes: int = 0) -> socket.socket:
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.bind((address, 0))
    client.settimeout(10)
    client.connect(("127.0.0.1", served.port))
    return client


def ask(client: socket.socket, path: str) -> None:
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())


def temporary_bytes(served: Served) -> int:
    """The total size of the server's open temporary files, which are deleted; without its log."""
    sizes = map(deleted_bytes, Path(f"/proc/{served.process.pid}/fd").iterdir())
    return sum(size for size in sizes if size > 500_000)


@contextmanager
def clients(served: Served, count: int, address: str) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(connect(served, address, receive_bytes=4096)) for _ in range(count)
        ]


# --- buffered bytes -------------------------------------------------------------------------------


def test_clients_that_read_nothing_take_at_most_the_budget_and_others_are_served(
    served: Served, original: str
) -> None:
    before = served.memory_bytes
    most_files = most_memory = 0
    downloads = []
    with clients(served, 60, ELSEWHERE) as attackers:
        for attacker in attackers:
            ask(attacker, original)
        for _ in range(10):
            assert is_alive(f"http://127.0.0.1:{served.port}")
            assert upload(served, page_png()).status == 202
            downloads.append(download(served, original))
            most_files = max(most_files, temporary_bytes(served))
            most_memory = max(most_memory, served.memory_bytes - before)

    print(f"60 clients read nothing: {most_files} bytes in files, {most_memory} more in memory")
    assert all(downloads)
    assert most_files <= BUDGET_BYTES + MAX_UPLOAD_BYTES
    assert most_memory <= LEEWAY_BYTES + BUDGET_BYTES
    # Connections that are kept open for the next request hold no bytes either.
    wait_until(lambda: temporary_bytes(served) == 0, within_s=60)


def download(served: Served, path: str) -> bool:
    """Download as a client should: retry after the time in Retry-After."""
    for _ in range(10):
        answer = http_request("GET", f"http://127.0.0.1:{served.port}{path}", retries=False)
        if answer.status == 200:
            return answer.data == large_png()
        assert (answer.status, answer.json()["code"]) == (503, "busy")
        time.sleep(float(answer.headers["Retry-After"]))
    return False


def test_a_slow_reader_is_not_cut_to_serve_non_readers(served: Served, original: str) -> None:
    with connect(served, receive_bytes=65536) as slow, clients(served, 20, ELSEWHERE) as others:
        ask(slow, original)
        received = 0
        for other in others:
            ask(other, original)
        while data := slow.recv(20_000):
            received += len(data)
            time.sleep(0.001)

    assert received > len(large_png())


def test_a_stalled_body_is_cut_for_one_that_arrives(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            client = stack.enter_context(connect(served, ELSEWHERE))
            with suppress(ConnectionError):  # the server may cut this one
                client.sendall(BODY_HEAD + bytes(HELD_BYTES))

        wait_until(lambda: upload(served, large_png()).status == 202)
        assert temporary_bytes(served) <= BUDGET_BYTES


def test_an_answered_upload_holds_no_bytes_while_its_connection_stays_open(
    served: Served,
) -> None:
    body, content_type = urllib3.encode_multipart_formdata({"image": ("a.png", large_png())})
    with ExitStack() as stack:
        for _ in range(2 * BUDGET_BYTES // len(body)):
            pool = stack.enter_context(urllib3.HTTPConnectionPool("127.0.0.1", served.port))
            answer = pool.urlopen("POST", "/upload", body, {"Content-Type": content_type})
            assert answer.status == 202


class Senders:
    """Clients that send a part of a body at once, and the rest at a fixed rate."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._stack = ExitStack()
        #: The rate in bytes per second, and when it began.
        self._rates: dict[socket.socket, tuple[int, float]] = {}
        self._sent: Counter[socket.socket] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Senders:
        wait_until(lambda: temporary_bytes(self._served) == 0, within_s=60)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._stack.close()

    def add(self, address: str, first_bytes: int, bytes_per_s: int) -> socket.socket:
        client = self._stack.enter_context(connect(self._served, address))
        client.sendall(BODY_HEAD + bytes(first_bytes))
        self._rates[client] = bytes_per_s, time.monotonic()
        return client

    def _send(self) -> None:
        while not self._stopping.wait(0.1):
            for client, (bytes_per_s, since) in list(self._rates.items()):
                due = int(bytes_per_s * (time.monotonic() - since)) - self._sent[client]
                self._sent[client] += due
                with suppress(OSError):  # the server has cut this client
                    client.sendall(bytes(due))


def test_a_trickle_from_many_addresses_does_not_block_others(served: Served, original: str) -> None:
    with Senders(served) as senders, connect(served, receive_bytes=65536) as reader:
        page = upload(served, page_png()).json()["original"]["href"]
        ask(reader, page)
        honest = senders.add("127.0.0.9", 1_900_000, 50_000)
        attackers = [senders.add(f"127.0.1.{n}", HELD_BYTES, 2200) for n in range(1, 5)]
        wait_until(lambda: temporary_bytes(served) > 4 * HELD_BYTES + 1_800_000, within_s=60)
        assert all(is_open(one) for one in [honest, *attackers])
        assert status(served, original) == 503  # their average rate is still high

        wait_until(lambda: status(served, original) == 200, within_s=60)

        assert [is_open(one) for one in attackers].count(False) == 1
        assert is_open(honest)
        assert read_to_end(reader).endswith(page_png())


def test_a_client_over_its_share_is_cut_for_other_clients_only(
    served: Served, original: str
) -> None:
    with Senders(served) as senders:
        greedy = [senders.add(ELSEWHERE, GREEDY_BYTES, 120_000) for _ in range(4)]
        wait_until(lambda: temporary_bytes(served) > 4 * GREEDY_BYTES - 100_000, within_s=60)
        assert status(served, original, ELSEWHERE) == 503
        assert all(is_open(one) for one in greedy)

        # Clients are not cut in the first 0.1 s of a transfer; a fast machine is here earlier.
        wait_until(lambda: status(served, original) == 200, within_s=60)

        assert [is_open(one) for one in greedy].count(False) == 1


def status(served: Served, path: str, address: str = "127.0.0.1") -> int:
    """The status of a download, which gets its buffer at once or is refused."""
    with connect(served, address) as client:
        ask(client, path)
        return int(read_to_end(client).split(b" ", 2)[1])


def is_open(client: socket.socket) -> bool:
    """Whether the server has neither responded to *client* nor cut it."""
    return not select.select([client], [], [], 0)[0]


# --- connections ----------------------------------------------------------------------------------


def test_idle_connections_of_one_address_do_not_block_others() -> None:
    with (
        serving(50_000, MAX_CONNECTIONS_PER_CLIENT="50") as served,
        clients(served, 1000, ELSEWHERE) as idle,
    ):
        assert is_alive(f"http://127.0.0.1:{served.port}")

        wait_until(lambda: is_closed(idle[-1]))
        assert not is_closed(idle[0])
        idle[0].close()
        wait_until(lambda: answers(served, ELSEWHERE))


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def answers(served: Served, address: str) -> bool:
    with connect(served, address) as client, suppress(ConnectionError):
        ask(client, "/healthz")
        return b" 200 " in client.recv(1000)
    return False


def test_behind_a_proxy_the_requests_of_each_client_are_counted() -> None:
    with (
        serving(50_000, MAX_CONNECTIONS_PER_CLIENT="2", TRUSTED_PROXY_HOPS="1") as served,
        connect(served) as first,
        connect(served) as second,
    ):
        for client in (first, second):
            client.sendall(request_of("203.0.113.1", length=5))
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")

        refused = exchange(served.port, request_of("203.0.113.1"))
        other = exchange(served.port, request_of("203.0.113.2"))
        first.sendall(b"12345")
        wait_until(lambda: b" 404 " in exchange(served.port, request_of("203.0.113.1")))

    assert b" 429 " in refused
    assert b"too-many-connections" in refused
    assert b"Retry-After: " in refused
    assert b" 404 " in other


def request_of(client: str, *, length: int = 0) -> bytes:
    return (
        f"POST /nowhere HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n"
        f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()


# --- stopping -------------------------------------------------------------------------------------

BODY, CONTENT_TYPE = urllib3.encode_multipart_formdata({"image": ("a.png", page_png())})
HEAD = (
    f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode()


def stop(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_listening(served))


def is_listening(served: Served) -> bool:
    connections = psutil.Process(served.process.pid).net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN for one in connections)


def test_a_stop_waits_for_the_rest_of_a_half_received_body() -> None:
    with serving(50_000) as served, connect(served) as client, connect(served) as idle:
        client.sendall(HEAD + BODY[:50])
        assert is_alive(f"http://127.0.0.1:{served.port}")
        began_at = time.monotonic()
        stop(served)

        assert read_to_end(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port))
        client.sendall(BODY[50:])
        head, _, body = read_to_end(client).partition(b"\r\n\r\n")
        served.process.wait(60)

    assert b" 202 " in head
    assert b"Connection: close" in head
    assert json.loads(body)["status"] == "queued"
    assert_within(seconds(began_at), 5)


def test_a_missing_body_delays_a_stop_by_the_grace_period() -> None:
    with serving(50_000, GRACE_PERIOD_S="1") as served, connect(served) as client:
        client.sendall(HEAD + BODY[:50])
        assert is_alive(f"http://127.0.0.1:{served.port}")
        began_at = time.monotonic()
        stop(served)
        served.process.wait(60)

    assert seconds(began_at) >= 1
    assert_within(seconds(began_at), 4)


def test_a_second_signal_cuts_requests_in_progress() -> None:
    with serving(50_000) as served, connect(served) as client:
        client.sendall(HEAD + BODY[:50])
        assert is_alive(f"http://127.0.0.1:{served.port}")
        stop(served)
        began_at = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)

    assert_within(seconds(began_at), 3)


def test_a_server_with_idle_connections_stops_at_once() -> None:
    with serving(50_000) as served, clients(served, 20, "127.0.0.1"):
        assert is_alive(f"http://127.0.0.1:{served.port}")
        began_at = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(60)

    assert_within(seconds(began_at), 2)
