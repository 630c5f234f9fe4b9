"""Ask the kernel what it holds of a connection, and have it let go."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress


def unsent_bytes(connection: socket.socket) -> int:
    """What the kernel still holds for the other side; 0 where it does not say (not Linux)."""
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ
    except (OSError, ValueError):
        return 0
    return int(struct.unpack("i", answer)[0])


def reset_when_closed(connection: socket.socket) -> None:
    """Have `close` drop what is not sent: the kernel would keep megabytes of it for minutes."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
