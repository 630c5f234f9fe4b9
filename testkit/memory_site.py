"""The web side alone, its storage and queue in memory.

    memory_site.py PORT MAX_UPLOAD_BYTES [MAX_FILE_BYTES]

With MAX_FILE_BYTES no file can grow beyond it, as on a disk that is full.
"""

from __future__ import annotations

import resource
import signal
import sys

from app import create_app
from app.gate import Gate
from app.image_store import ImageStore
from app.lookout import Lookout, Watched
from app.metrics import QueueMetrics
from app.server import HttpServer
from app.settings import Settings
from app.waits import Waits
from testkit.fakes import MemoryBucket, MemoryQueue


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port, limit_bytes, *file_bytes = map(int, sys.argv[1:])
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes[0], file_bytes[0]))
    settings = Settings(port=port, max_upload_bytes=limit_bytes, web_threads=2)
    store = ImageStore(MemoryBucket(), MemoryBucket())
    jobs = MemoryQueue()
    lookout = Lookout(Watched(store, jobs), metrics=QueueMetrics())
    waits = Waits(1)
    gate = Gate(settings, lookout.check_room)
    app = create_app(settings, store=store, jobs=jobs, gate=gate, waits=waits, lookout=lookout)
    HttpServer(app, settings, gate, on_stop=waits.stop).run()


if __name__ == "__main__":
    main()
