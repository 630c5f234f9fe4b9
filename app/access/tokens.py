"""Find the owner of a bearer token (RFC 6750), given only the hashes of all tokens.

A token is 256 random bits, so its SHA-256 cannot be inverted and needs no salt.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from pathlib import Path
from typing import Final

from ..domain.representation import OWNER_PATTERN
from ..observability import logs

logger = logs.get_logger(__name__)

#: Lets secret scanners recognise a leaked token.
_PREFIX: Final = "ipt_"
_ENTRY: Final = re.compile(OWNER_PATTERN.strip("^$") + r":[0-9a-f]{64}")
_RELOAD_S: Final = 1.0

#: Pairs of name and hexadecimal SHA-256. A name has several entries while its token is rotated.
Entries = tuple[tuple[str, str], ...]


def make_token() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def parse_tokens(text: str) -> Entries:
    """Read `name:sha256` entries between commas or line ends; `#` begins a comment.

    Raises:
        ValueError: an entry has another form. The message quotes at most the entry's name, in case
            the rest is a token.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    for word in words:
        if not _ENTRY.fullmatch(word):
            name = word.partition(":")[0][:16] if ":" in word else "without a name"
            raise ValueError(f"the entry {name} is not name:sha256 (64 hexadecimal digits)")
    return tuple((name, digest) for name, _, digest in (word.partition(":") for word in words))


class Tokens:
    """The tokens of a setting and of a file; changes to the file are picked up. Thread-safe.

    Raises:
        ValueError, OSError: the file cannot be read.
    """

    def __init__(self, text: str | None = None, path: Path | None = None) -> None:
        self._fixed = parse_tokens(text or "")
        self._path = path
        self._lock = threading.Lock()
        self._stamp: object = None
        self._from_file: Entries = ()
        self._looked_at = 0.0
        if path:
            self._reload(path)

    @property
    def are_required(self) -> bool:
        """Whether requests need a token. An empty file also requires one, and so admits nobody."""
        return bool(self._fixed or self._path)

    def owner_of(self, token: str) -> str | None:
        """The name of the owner of *token*; None for an unknown token."""
        digest, owner = hash_token(token), None
        # Compare with every entry, so that the response time does not reveal a match's position.
        for name, known in self._entries():
            if hmac.compare_digest(digest, known):
                owner = name
        return owner

    def _entries(self) -> Entries:
        if self._path and time.monotonic() - self._looked_at > _RELOAD_S:
            try:
                self._reload(self._path)
            except (OSError, ValueError) as exc:
                logger.error("tokens not reloaded", path=str(self._path), reason=str(exc))
        return self._fixed + self._from_file

    def _reload(self, path: Path) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                self._from_file = parse_tokens(path.read_text())
                self._stamp = stamp
