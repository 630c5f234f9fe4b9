"""Remove unused files from a virtual environment: `prune.py VENV`.

Standard library only. All packages stay, so that `pip check` succeeds; unused data files, unused
modules and the packages' own tests are removed. docs/decisions/0007-installing.md has the sizes.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)
from scripts.install import symbols  # noqa: E402

#: The first two are for the application, sts to signin for the credentials of AWS profiles, and the
#: others for the tests.
SERVICES = frozenset(
    ("s3", "sqs", "sts", "sso", "sso-oidc", "signin", "iam", "cloudformation", "ec2", "ecs")
)
#: The languages of translations/ with their countries; all locales inherit from root.
LOCALES = ("root", "en", "pt")
TESTED = ("llvmlite", "numba", "numpy")
#: Nothing here imports them, and the packages load without them.
UNUSED = (
    "boto3/data",  # boto3.resource()
    "google/api",
    "google/type",
    "numba/_*.h",
    "numba/cext",
    "numba/cuda",
    "numba/np/ufunc/*pool.*.so",  # the threads of loops with parallel=True
    "numba/np/ufunc/workqueue.*.so",
    "numpy/_core/_*_tests.*.so",
    "numpy/_core/_simd.*.so",  # for numpy's tests
    "numpy/_core/include",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/random/lib",
    "PIL/_avif.*.so",
    "pillow.libs/libavif-*",
)
#: The services that LocalStack runs (SERVICES in localstack.py), and those that they import.
EMULATED = ("core", "events", "lambda_", "s3", "sqs")
#: Packages that LocalStack does not load: its command line with its colours, tools to build
#: extensions, another web server; and the compiled part of two packages that work without it.
UNUSED_BY_LOCALSTACK = (
    "_cbor2.*.so",
    "cffi",
    "click",
    "hypercorn",
    "localstack/services/lambda_/*/",
    "localstack/testing",
    "markdown_it",
    "pycparser",
    "pygments",
    "rich",
    "yaml/_yaml.*.so",
    "*/test",
    "*/tests",
    "zope/interface/tests",
    "zope/interface/common/tests",
)
MARK = ".pruned"
#: The marks of earlier rules, which removed nothing that today's rules keep.
EARLIER = ("9fd75ccd1236c7c30f5542adb78b40a15600c1a02e8e9adc138059893609c191",)


def main() -> int:
    usage.check(__doc__, least=1, most=1)
    prune(Path(sys.argv[1]))
    return 0


def prune(venv: Path) -> None:
    """Remove the unused files of *venv*, and record the rules."""
    (venv / MARK).write_text(rules())
    for site in venv.glob("lib/python*/site-packages"):
        for path in superfluous(site):
            # Unlinking leaves uv's cache intact, which shares the files by hard links.
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for library in site.rglob("*.so"):
            symbols.strip(library)


def superfluous(site: Path) -> Iterator[Path]:
    is_localstack = (site / "localstack").is_dir()
    yield from data_of_botocore(site, frozenset(EMULATED) if is_localstack else SERVICES)
    for locale in list(site.glob("babel/locale-data/*.dat")):
        if locale.stem.partition("_")[0] not in LOCALES:
            yield locale
    for package in TESTED:
        # Outer folders first; the folders in them no longer exist when their turn comes.
        yield from (path for path in sorted(site.glob(f"{package}/**/tests/")) if path.is_dir())
    for pattern in (*UNUSED, *(UNUSED_BY_LOCALSTACK if is_localstack else ())):
        yield from list(site.glob(pattern))
    for parent in ("localstack/services", "localstack/aws/api"):
        for service in list(site.glob(f"{parent}/*/")):
            if service.is_dir() and service.name not in EMULATED:
                yield service


def data_of_botocore(site: Path, services: frozenset[str]) -> Iterator[Path]:
    """The folders of other services, and of all API versions but the latest, which boto3 takes."""
    for service in list(site.glob("botocore/data/*/")):
        if service.is_dir() and service.name not in services:
            yield service
        elif service.is_dir():
            yield from sorted(path for path in service.iterdir() if path.is_dir())[:-1]


def is_current(venv: Path) -> bool:
    """Whether *venv* was pruned by today's rules; other rules may have removed needed files."""
    try:
        return (venv / MARK).read_text() in (rules(), *EARLIER)
    except FileNotFoundError:
        return True  # never pruned


def rules() -> str:
    text = repr((sorted(SERVICES), LOCALES, TESTED, UNUSED, EMULATED, UNUSED_BY_LOCALSTACK))
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
