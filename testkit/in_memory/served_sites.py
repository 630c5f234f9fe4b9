"""Sites over real sockets, one for each fault: `python -m testkit.in_memory.served_sites`.

Prints one line of JSON, site by site its port and the ids of its images, then serves until it is
killed.
"""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import dataclass
from typing import Any

from app.access.tokens import hash_token
from app.domain.ports import Message
from app.server.pace import Moved
from app.server.server import HttpServer
from app.settings import Settings
from testkit.in_memory.site import Site
from testkit.network.ports import free_port
from testkit.png.scans import header, pixels, png

MAX_UPLOAD_BYTES = 100_000
BROKEN = png(header(40, 30), pixels([b"\0" * 40] * 20))


def main() -> None:
    sites = {
        "sound": site(),
        "guarded": site(api_tokens=f"ana:{hash_token('one')}"),
        "limited": site(rate_limit="1/day"),
        "full": site(max_queue_depth=1),
        "narrow": site(max_group_depth=1),
        "tight": site(api_tokens=f"ana:{hash_token('one')}", max_owner_depth=1),
        "without storage": site(),
        "without queue": site(),
        "broken": site(),
        "busy": site(),
        "crowded": site(trusted_proxy_hops=1, max_connections_per_client=1),
    }
    ids = {
        name: {"port": serve(found, is_busy=name == "busy"), **images(found)}
        for name, found in sites.items()
    }
    for number in range(2):
        message = Message("{}", group=str(number), deduplication_id=str(number))
        sites["full"].jobs.send(message)
    sites["full"].wiring.monitor.look()  # the uploads above were counted less than 2 s ago
    sites["without storage"].inputs.is_down = True
    sites["without queue"].jobs.is_down = True
    sites["broken"].inputs.put_once = lambda *_, **__: 1 / 0  # type: ignore[method-assign]
    print(json.dumps(ids), flush=True)
    signal.pause()


def site(**settings: Any) -> Site:
    return Site(Settings(port=free_port(), max_upload_bytes=MAX_UPLOAD_BYTES, **settings))


def images(found: Site) -> dict[str, str]:
    """The id of an image in each state, for a site that needs no token."""
    failed = found.upload(BROKEN).get_json()
    found.work()
    queued = found.upload().get_json()
    return {"failed": failed.get("image_id"), "queued": queued.get("image_id")}


@dataclass(frozen=True)
class Full:
    """A connection that holds the whole budget, and whose client is not slow."""

    client: str = "203.0.113.9"

    def moved_lately(self, now: float) -> Moved | None:
        return None

    def cut(self) -> None:
        raise AssertionError("it is not slow")


def serve(found: Site, *, is_busy: bool) -> int:
    services = found.app.extensions["image_pipeline"]
    server = HttpServer(found.app, services.settings, services.gate, on_stop=found.waits.stop)
    if is_busy:
        server.budget.hold(Full(), server.budget.limit_bytes)
    threading.Thread(target=server.run, daemon=True).start()
    port: int = services.settings.port
    return port


if __name__ == "__main__":
    main()
