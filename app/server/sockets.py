"""Query and drop the bytes that the kernel buffers for a connection."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress


def unsent_bytes(connection: socket.socket) -> int:
    """The bytes the kernel still has to send; 0 on systems that cannot tell (not Linux)."""
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ
    except (OSError, ValueError):
        return 0
    return int(struct.unpack("i", answer)[0])


def reset_when_closed(connection: socket.socket) -> None:
    """Let `close` drop unsent bytes: the kernel would otherwise keep megabytes for minutes."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
