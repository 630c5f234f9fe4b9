"""Compile loops over pixels to machine code that runs without the GIL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

Function = Callable[..., Any]


def _of_this_version(folder: str) -> str:
    """The folder for this version's machine code: in *folder*, or in `app/__pycache__` if it is "".

    A function's machine code has that of the functions which it calls in it, of other modules too,
    but numba compiles anew only where the function's own module has changed.
    """
    app = Path(__file__).parents[1]
    sources = [path.read_bytes() for path in sorted(app.rglob("*.py"))]
    with_loops = b"".join(source for source in sources if b"@compiled(" in source)
    name = f"numba-{hashlib.sha256(with_loops).hexdigest()[:16]}"
    return str((Path(folder) if folder else app / "__pycache__") / name)


numba.config.CACHE_DIR = _of_this_version(numba.config.CACHE_DIR)  # type: ignore[attr-defined]


def compiled(
    signature: str | None = None, *, may_fuse: bool = False
) -> Callable[[Function], Function]:
    """Make machine code for *signature* at import, and keep it for the next process.

    It is kept beside the modules or where NUMBA_CACHE_DIR says:
    https://numba.readthedocs.io/en/stable/developer/caching.html. A function without a signature
    becomes part of those that call it. With *may_fuse* a product and a sum may become one
    instruction: only where each of them is exact, so that the result is the same on processors
    with and without it.
    """
    fast = {"contract", "nsz"} if may_fuse else False

    def compile_(function: Function) -> Function:
        if signature is None:
            part: Function = numba.njit(nogil=True, fastmath=fast)(function)
            return part
        try:
            made: Function = numba.njit(signature, nogil=True, cache=True, fastmath=fast)(function)
        except Exception:  # no place to keep it, a full disk, or what was kept is damaged
            made = numba.njit(signature, nogil=True, fastmath=fast)(function)
        return made

    return compile_
