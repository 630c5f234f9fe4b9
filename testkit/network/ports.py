"""Find a port on loopback that nobody listens on."""

from __future__ import annotations

import itertools
import os
import socket
from typing import Final

#: Below the ports that systems give to outgoing connections: from 32,768 on Linux, from 49,152 on
#: macOS. A port of those can be taken before the server under test listens.
FIRST: Final = 10_000
COUNT: Final = 20_000

#: Each test process begins elsewhere: neighbours in process ids are 1,009 ports apart.
_places = itertools.count(os.getpid() * 1_009)


def free_port() -> int:
    """A port that nobody listens on; never one that this process was given lately."""
    return next(port for place in _places if _is_free(port := FIRST + place % COUNT))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
