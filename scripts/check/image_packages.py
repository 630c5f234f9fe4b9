"""Install the packages of each role's image, print their sizes, and write bills of materials.

Without Docker: the same lock, pruned in the same way, in .local/image/ROLE. The bills are
.local/image/ROLE.cdx.json, in CycloneDX, written by the package cyclonedx-bom.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)
from scripts.install import installers, prune, role_lock  # noqa: E402

PLACE: Final = ROOT / ".local" / "image"
WRITER: Final = ROOT / ".venv-sbom"
_LARGEST: Final = 4


def main() -> int:
    own = [str(ROOT / "scripts" / "install"), str(WRITER), "requirements/sbom.txt"]
    subprocess.run([sys.executable, *own], cwd=ROOT, check=True)
    print("| role | packages | MB | largest |\n|---|---|---|---|")
    for role in role_lock.UNUSED:
        venv = installed(role)
        sizes = sizes_of(venv)
        largest = ", ".join(f"{name} {size // 10**6}" for name, size in sizes.most_common(_LARGEST))
        packages = len(list(site_of(venv).glob("*.dist-info")))
        print(f"| `{role}` | {packages} | {sizes.total() / 1e6:.0f} | {largest} |")
        write_bill(venv, PLACE / f"{role}.cdx.json")
    return 0


def installed(role: str) -> Path:
    """A new environment with the packages of *role*, as the Dockerfile makes it."""
    venv, lock = PLACE / role, PLACE / f"{role}.txt"
    shutil.rmtree(venv, ignore_errors=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    lock.write_text(role_lock.lock_of((ROOT / "requirements.txt").read_text(), role))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    installers.install(venv, lock, lambda news: print(news, file=sys.stderr))
    prune.prune(venv)
    return venv


def site_of(venv: Path) -> Path:
    (site,) = venv.glob("lib/python*/site-packages")
    return site


def sizes_of(venv: Path) -> Counter[str]:
    """Bytes by package folder, without the bytecode that is made at run time."""
    site = site_of(venv)
    sizes: Counter[str] = Counter()
    for path in files_in(site):
        sizes[path.relative_to(site).parts[0]] += path.stat().st_size
    return sizes


def files_in(site: Path) -> Iterator[Path]:
    return (path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")


def write_bill(venv: Path, bill: Path) -> None:
    """Write the bill of materials of *venv*, checked against CycloneDX's schema."""
    options = ["--output-reproducible", "--validate", "--output-file", str(bill)]
    options += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    command = [installers.python_of(WRITER), "-m", "cyclonedx_py", "environment", *options]
    subprocess.run([*command, str(venv)], check=True, capture_output=True)


if __name__ == "__main__":
    usage.check(__doc__)
    sys.exit(main())
