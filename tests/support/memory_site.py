"""The web side alone, its storage and queue in memory: `memory_site.py PORT MAX_UPLOAD_BYTES`."""

from __future__ import annotations

import signal
import sys

from app import create_app
from app.image_store import ImageStore
from app.server import HttpServer
from app.settings import Settings
from tests.support.fakes import MemoryBucket, MemoryQueue


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port, limit_bytes = map(int, sys.argv[1:])
    settings = Settings(port=port, max_upload_bytes=limit_bytes, web_threads=2)
    store = ImageStore(MemoryBucket(), MemoryBucket())
    HttpServer(create_app(settings, store=store, jobs=MemoryQueue()), settings).run()


if __name__ == "__main__":
    main()
