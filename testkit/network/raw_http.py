"""Send raw HTTP over a socket, including malformed and slow requests."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DRIBBLE_EVERY_S = 0.5


def exchange(
    port: int, request: bytes, *, is_ended: bool = True, piece_bytes: int | None = None
) -> bytes:
    """Send raw bytes and read until the server closes; *is_ended* closes our side first."""
    size = piece_bytes or len(request) or 1
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server that refuses the first piece may close before the last piece is sent.
        with suppress(ConnectionError):
            for at in range(0, len(request), size):
                connection.sendall(request[at : at + size])
            if is_ended:
                connection.shutdown(socket.SHUT_WR)
        return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    answer = b""
    while data := connection.recv(65536):
        answer += data
    return answer


def send_until_answered(connection: socket.socket, head: bytes, body_bytes: int) -> int:
    """Send *head* and a body until a response arrives, as curl does; returns the bytes sent."""
    connection.sendall(head)
    connection.setblocking(False)
    sent, block = 0, b"\0" * 65536
    while sent < body_bytes:
        readable, writable, _ = select.select([connection], [connection], [], 5)
        if readable:
            break
        if writable:
            sent += connection.send(block[: body_bytes - sent])
    connection.setblocking(True)
    return sent


@contextmanager
def dribbling(port: int, count: int, first: bytes) -> Iterator[list[socket.socket]]:
    """*count* clients that send *first* and then a byte every half second, without end."""
    clients = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
    for client in clients:
        client.sendall(first)
    stopping = threading.Event()
    thread = threading.Thread(target=_dribble, args=(clients, stopping))
    thread.start()
    try:
        yield clients
    finally:
        stopping.set()
        thread.join()
        for client in clients:
            client.close()


def _dribble(clients: list[socket.socket], stopping: threading.Event) -> None:
    while not stopping.wait(DRIBBLE_EVERY_S):
        for client in clients:
            try:
                client.send(b"x")
            except OSError:
                continue  # the server has closed the connection


def seconds(started: float) -> float:
    return time.monotonic() - started
