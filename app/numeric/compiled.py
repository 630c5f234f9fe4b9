"""Compile loops over pixels to machine code that runs without the GIL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numba

Function = Callable[..., Any]
_MAKES_LOOPS: Final = re.compile(rb"@compiled\(|^from numba", re.MULTILINE)


def _of_this_version(folder: str) -> str:
    """The cache folder of this version: in *folder*, or in `app/__pycache__` if it is "".

    The machine code of a function includes that of the functions it calls, also from other modules,
    but numba recompiles it only when the module of the function itself has changed.
    """
    app = Path(__file__).parents[1]
    sources = [path.read_bytes() for path in sorted(app.rglob("*.py"))]
    with_loops = b"".join(source for source in sources if _MAKES_LOOPS.search(source))
    name = f"numba-{hashlib.sha256(with_loops).hexdigest()[:16]}"
    return str((Path(folder) if folder else app / "__pycache__") / name)


numba.config.CACHE_DIR = _of_this_version(numba.config.CACHE_DIR)  # type: ignore[attr-defined]


def is_first_time() -> bool:
    """Whether this version's loops were never compiled here, which takes about 20 s of CPU."""
    return not Path(numba.config.CACHE_DIR).exists()  # type: ignore[attr-defined]


def compiled(
    signature: str | None = None, *, may_fuse: bool = False
) -> Callable[[Function], Function]:
    """A decorator that compiles a function for *signature* at import, with a cache on disk.

    The cache is beside the modules or in NUMBA_CACHE_DIR:
    https://numba.readthedocs.io/en/stable/developer/caching.html. A function without a signature
    is compiled into its callers. With *may_fuse* a product and a sum may become one instruction;
    use it only where both are exact, so that processors with and without the instruction agree.
    """
    # Python's check of each divisor would prevent the vectorization of loops with divisions.
    how: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    how["fastmath"] = {"contract", "nsz"} if may_fuse else False

    def compile_(function: Function) -> Function:
        if signature is None:
            part: Function = numba.njit(forceinline=True, **how)(function)
            return part
        try:
            made: Function = numba.njit(signature, cache=True, **how)(function)
        except Exception:  # no writable cache folder, a full disk, or a damaged cache
            made = numba.njit(signature, **how)(function)
        return made

    return compile_
