"""Report missing packages in one line, before an import fails with a traceback.

Standard library only.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_ENGINE: Final = ("cv2", "numba", "numpy")
_PAGES: Final = ("babel", "flask", "flask_cors", "waitress")
_CLIENT: Final = ("PIL", "tqdm")
#: The import names of the required packages of pyproject.toml; isal and zlib-ng may be missing.
PACKAGES: Final = (
    *("boto3", "obstore", "opentelemetry", "prometheus_client", "pydantic", "pydantic_settings"),
    *("structlog", *_ENGINE, *_PAGES, *_CLIENT),
)
#: The packages that the image of one role lacks (scripts/install/role_lock.py), by command.
UNUSED: Final = {
    "web": (*_ENGINE, *_CLIENT),
    **dict.fromkeys(
        ("worker", "setup", "announce-again", "reconcile", "redrive", "watch"), (*_PAGES, "PIL")
    ),
}
#: As in scripts/install/environment.py: exists while an installation is not finished.
_UNFINISHED: Final = ".unfinished"


def fault(program: str, command: str | None = None) -> str | None:
    """A line about *program* if a package is missing, or the installation was interrupted.

    Packages that *command* never loads may be missing.
    """
    wanted = [name for name in PACKAGES if name not in UNUSED.get(command or "", ())]
    missing = [name for name in wanted if find_spec(name) is None]
    if not missing and not Path(sys.prefix, _UNFINISHED).exists():
        return None
    some = f" ({', '.join(missing)})" if 0 < len(missing) < len(wanted) else ""
    return f"{program}: the packages are not installed here{some}; type ./alvura start"
