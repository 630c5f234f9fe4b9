"""Run LocalStack on 127.0.0.1 only.

The default server of LocalStack 4.12 uses only the port of GATEWAY_LISTEN and listens on every
interface, whatever its address is (localstack/runtime/server/twisted.py).
"""

from __future__ import annotations

import functools
import runpy

from twisted.internet import endpoints  # type: ignore[import-not-found]

endpoints.TCP4ServerEndpoint = functools.partial(
    endpoints.TCP4ServerEndpoint, interface="127.0.0.1"
)
runpy.run_module("localstack.runtime.main", run_name="__main__")
