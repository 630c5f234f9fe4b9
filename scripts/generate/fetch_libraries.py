#!/usr/bin/env python3
"""Copy the JavaScript libraries of the page from npm into static/, at the versions pinned here.

Needs npm; run again after a change of the table: python -m scripts.generate.fetch_libraries
Each package must have the checksum in the table. The checksums of the copied files are written to
static/libraries.sha256, which a test compares with the files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from scripts import usage

ROOT: Final = Path(__file__).resolve().parents[2]
STATIC: Final = ROOT / "static"
CHECKSUMS: Final = STATIC / "libraries.sha256"
#: Bundles UTIF and the part of pako that it uses into one small module.
ESBUILD: Final = "esbuild@0.28.2"


@dataclass(frozen=True)
class Library:
    """A package on npm, and its files: path in the package to path in static/."""

    package: str
    #: The output of `npm view PACKAGE dist.integrity`.
    integrity: str
    files: Mapping[str, str] = field(default_factory=dict)


#: pdf.js decodes JPEG 2000 and JBIG2 by WebAssembly, which the content security policy forbids, or
#: by the two `nowasm` scripts. The legacy build also runs in browsers of 2024.
PDFJS: Final = Library(
    "pdfjs-dist@6.5.438",
    "sha512-vg8Pw1x+AFKy4AMDvhuWl5cOYV8d698UoEANoFFhc79hqXDnZQqnOXoxw3HG907WHOg1JYOvLhP756boddFxpA==",
    {
        "LICENSE": "pdfjs/LICENSE",
        "legacy/build/pdf.min.mjs": "pdfjs/pdf.min.js",
        "legacy/build/pdf.worker.min.mjs": "pdfjs/pdf.worker.min.js",
        "wasm/jbig2_nowasm_fallback.js": "pdfjs/decoders/jbig2_nowasm_fallback.js",
        "wasm/openjpeg_nowasm_fallback.js": "pdfjs/decoders/openjpeg_nowasm_fallback.js",
        "wasm/LICENSE_JBIG2": "pdfjs/decoders/LICENSE_JBIG2",
        "wasm/LICENSE_OPENJPEG": "pdfjs/decoders/LICENSE_OPENJPEG",
        "standard_fonts/LICENSE_FOXIT": "pdfjs/fonts/LICENSE_FOXIT",
        "standard_fonts/LICENSE_LIBERATION": "pdfjs/fonts/LICENSE_LIBERATION",
        **{
            f"standard_fonts/{name}": f"pdfjs/fonts/{name}"
            for name in (
                "FoxitDingbats.pfb",
                "FoxitFixed.pfb",
                "FoxitFixedBold.pfb",
                "FoxitFixedBoldItalic.pfb",
                "FoxitFixedItalic.pfb",
                "FoxitSerif.pfb",
                "FoxitSerifBold.pfb",
                "FoxitSerifBoldItalic.pfb",
                "FoxitSerifItalic.pfb",
                "FoxitSymbol.pfb",
                "LiberationSans-Bold.ttf",
                "LiberationSans-BoldItalic.ttf",
                "LiberationSans-Italic.ttf",
                "LiberationSans-Regular.ttf",
            )
        },
    },
)
UTIF: Final = Library(
    "utif2@4.1.0",
    "sha512-+oknB9FHrJ7oW7A2WZYajOcv4FcDR4CfoGB0dPNfxbi4GO05RRnFmt5oa23+9w32EanrYcSJWspUiJkLMs+37w==",
    {"LICENSE": "utif/LICENSE"},
)
PAKO: Final = Library(
    "pako@1.0.11",
    "sha512-4hLB8Py4zZce5s4yd9XzopqwVv/yGNhV1Bl8NTmCq1763HeK2+EwVTv+leGeL13Dnh2wfbqowVPXCIO0z4taYw==",
    {"LICENSE": "utif/LICENSE_PAKO"},
)


def main() -> None:
    with TemporaryDirectory() as folder:
        for library in (PDFJS, UTIF, PAKO):
            unpacked = _fetch(library, Path(folder))
            for source, target in library.files.items():
                (STATIC / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(unpacked / source, STATIC / target)
        _bundle_utif(Path(folder))
    CHECKSUMS.write_text(checksums())
    print(CHECKSUMS.read_text(), end="")


def checksums() -> str:
    """The contents of static/libraries.sha256, in the format of sha256sum."""
    folders = ("pdfjs", "utif")
    files = sorted(path for folder in folders for path in (STATIC / folder).rglob("*.*"))
    digests = ((hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in files)
    return "".join(f"{digest}  {path.relative_to(STATIC).as_posix()}\n" for digest, path in digests)


def _fetch(library: Library, folder: Path) -> Path:
    """The unpacked package, with a verified checksum."""
    name = library.package.partition("@")[0]
    described = subprocess.run(
        ["npm", "pack", library.package, "--json"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    archive = folder / json.loads(described.stdout)[0]["filename"]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != library.integrity:
        raise SystemExit(f"{library.package} is not what is expected: sha512-{digest}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / name, filter="data")
    return folder / name / "package"


def _bundle_utif(folder: Path) -> None:
    entry = folder / "utif.js"
    entry.write_text('export { default } from "./utif2/package/UTIF.js";\n')
    subprocess.run(
        [
            *("npx", "--yes", ESBUILD, str(entry), "--bundle", "--minify", "--format=esm"),
            f"--alias:pako={folder / 'pako/package/dist/pako_inflate.js'}",
            '--define:process.env.NODE_ENV="production"',
            "--log-level=error",
            f"--outfile={STATIC / 'utif/utif.min.js'}",
        ],
        cwd=folder,
        check=True,
    )


if __name__ == "__main__":
    usage.check(__doc__)
    main()
