"""Remove from a virtual environment what no part of the project reads: `prune.py VENV`.

Standard library only. Whole packages stay whole for `pip check`; data files and the packages' own
tests go. docs/decisions/0007-installing.md has the sizes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

#: The first two for the application; sts to signin for credentials, which botocore asks for by
#: profile; the others for the tests.
SERVICES = frozenset(
    ("s3", "sqs", "sts", "sso", "sso-oidc", "signin", "iam", "cloudformation", "ec2", "ecs")
)
#: The languages of translations/ with their countries; root has what all of them inherit.
LOCALES = ("root", "en", "pt")
TESTED = ("llvmlite", "numba", "numpy")
#: It colours the output of LocalStack's command line, which is not used here.
UNUSED_BY_LOCALSTACK = ("pygments",)
MARK = ".pruned"


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    prune(Path(sys.argv[1]))
    return 0


def prune(venv: Path) -> None:
    """Remove the superfluous files, and note by which rules."""
    (venv / MARK).write_text(rules())
    for site in venv.glob("lib/python*/site-packages"):
        for path in superfluous(site):
            # Only unlinked: uv shares the files themselves with its cache.
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def superfluous(site: Path) -> Iterator[Path]:
    for service in list(site.glob("botocore/data/*/")):
        if service.is_dir() and service.name not in SERVICES:
            yield service
    for locale in list(site.glob("babel/locale-data/*.dat")):
        if locale.stem.partition("_")[0] not in LOCALES:
            yield locale
    for package in TESTED:
        # The outermost first; what is inside it is gone when its turn comes.
        yield from (path for path in sorted(site.glob(f"{package}/**/tests/")) if path.is_dir())
    if (site / "localstack").is_dir():
        for pattern in UNUSED_BY_LOCALSTACK:
            yield from list(site.glob(pattern))


def is_current(venv: Path) -> bool:
    """False when other rules have pruned *venv*: they may have taken what is needed now."""
    try:
        return (venv / MARK).read_text() == rules()
    except FileNotFoundError:
        return True  # nothing is missing


def rules() -> str:
    return hashlib.sha256(
        repr((sorted(SERVICES), LOCALES, TESTED, UNUSED_BY_LOCALSTACK)).encode()
    ).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
