"""The ports that tests give to their servers."""

from __future__ import annotations

import socket

from testkit.network import ports
from testkit.network.ports import free_port


def test_no_port_is_given_twice() -> None:
    given = [free_port() for _ in range(300)]

    assert len(set(given)) == 300
    # The system gives higher ones to outgoing connections.
    assert max(given) < 32_768


def test_a_port_that_somebody_listens_on_is_left_out() -> None:
    following = ports.FIRST + (free_port() - ports.FIRST + 1) % ports.COUNT
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", following))
        taken.listen()

        assert free_port() != following
