"""`python -m app`: the same as `python -m app.main`, and what `./alvura VERB` runs."""

from __future__ import annotations

import sys

if len(sys.argv) == 1:
    sys.exit("app: type ./alvura start for the whole pipeline, or ./alvura --help")

from .main import main

if __name__ == "__main__":
    sys.exit(main(prog="alvura"))
