"""Remove unused files from a virtual environment: `prune.py VENV`.

Standard library only. All packages stay, so that `pip check` succeeds; unused data files and the
packages' own tests are removed. docs/decisions/0007-installing.md has the sizes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

#: The first two are for the application, sts to signin for the credentials of AWS profiles, and the
#: others for the tests.
SERVICES = frozenset(
    ("s3", "sqs", "sts", "sso", "sso-oidc", "signin", "iam", "cloudformation", "ec2", "ecs")
)
#: The languages of translations/ with their countries; all locales inherit from root.
LOCALES = ("root", "en", "pt")
TESTED = ("llvmlite", "numba", "numpy")
#: pygments colours the output of LocalStack's command line, which is not used here.
UNUSED_BY_LOCALSTACK = ("pygments",)
MARK = ".pruned"


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    prune(Path(sys.argv[1]))
    return 0


def prune(venv: Path) -> None:
    """Remove the unused files of *venv*, and record the rules."""
    (venv / MARK).write_text(rules())
    for site in venv.glob("lib/python*/site-packages"):
        for path in superfluous(site):
            # Unlinking leaves uv's cache intact, which shares the files by hard links.
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def superfluous(site: Path) -> Iterator[Path]:
    for service in list(site.glob("botocore/data/*/")):
        if service.is_dir() and service.name not in SERVICES:
            yield service
    for locale in list(site.glob("babel/locale-data/*.dat")):
        if locale.stem.partition("_")[0] not in LOCALES:
            yield locale
    for package in TESTED:
        # Outer folders first; the folders in them no longer exist when their turn comes.
        yield from (path for path in sorted(site.glob(f"{package}/**/tests/")) if path.is_dir())
    if (site / "localstack").is_dir():
        for pattern in UNUSED_BY_LOCALSTACK:
            yield from list(site.glob(pattern))


def is_current(venv: Path) -> bool:
    """Whether *venv* was pruned by the current rules; others may have removed needed files."""
    try:
        return (venv / MARK).read_text() == rules()
    except FileNotFoundError:
        return True  # never pruned


def rules() -> str:
    return hashlib.sha256(
        repr((sorted(SERVICES), LOCALES, TESTED, UNUSED_BY_LOCALSTACK)).encode()
    ).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
