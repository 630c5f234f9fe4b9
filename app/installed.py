"""Report missing packages in one line, before an import fails with a traceback.

Standard library only.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

#: The import names of the packages of pyproject.toml; isal and zlib-ng may be missing.
PACKAGES: Final = (
    *("babel", "boto3", "cv2", "flask", "flask_cors", "numba", "numpy", "obstore"),
    *("opentelemetry", "prometheus_client", "pydantic", "pydantic_settings", "structlog"),
    *("PIL", "tqdm", "waitress"),
)
#: As in scripts/install.py: exists while an installation is not finished.
_UNFINISHED: Final = ".unfinished"


def fault(program: str) -> str | None:
    """A line about *program* if a package is missing, or the installation was cut short."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing and not Path(sys.prefix, _UNFINISHED).exists():
        return None
    some = f" ({', '.join(missing)})" if 0 < len(missing) < len(PACKAGES) else ""
    return f"{program}: the packages are not installed here{some}; type ./alvura start"
