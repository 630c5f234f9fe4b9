"""HTTP requests with a timeout for busy machines."""

from __future__ import annotations

from typing import Any

import urllib3


def http_request(method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
    """`urllib3.request`, with a minute for the response; by default it waits for three seconds."""
    return urllib3.request(method, url, **{"timeout": 60.0} | more)  # noqa: TID251
