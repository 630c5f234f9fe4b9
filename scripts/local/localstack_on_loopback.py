"""Run LocalStack on 127.0.0.1 only; `localstack.py start` runs this.

The default server of LocalStack 4.12 uses only the port of GATEWAY_LISTEN and listens on every
interface, whatever its address is (localstack/runtime/server/twisted.py).
"""

from __future__ import annotations

import functools
import runpy
import sys
from pathlib import Path

# Appended, so that LocalStack's packages take precedence over this tree.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from scripts import usage

usage.check(__doc__)

from twisted.internet import endpoints  # type: ignore[import-not-found] # noqa: E402

endpoints.TCP4ServerEndpoint = functools.partial(
    endpoints.TCP4ServerEndpoint, interface="127.0.0.1"
)
runpy.run_module("localstack.runtime.main", run_name="__main__")
