"""The web server alone, with storage and queue in memory.

    python -m testkit.in_memory.memory_site PORT MAX_UPLOAD_BYTES [MAX_FILE_BYTES]

MAX_FILE_BYTES limits the size of every file, as on a full disk.
"""

from __future__ import annotations

import resource
import signal
import sys

from app.images.store import ImageStore
from app.settings import Settings
from testkit.in_memory.fakes import MemoryBucket, MemoryQueue
from testkit.in_memory.wired import wired


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    port, limit_bytes, *file_bytes = map(int, sys.argv[1:])
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes[0], file_bytes[0]))
    settings = Settings(port=port, max_upload_bytes=limit_bytes, web_threads=2)
    store = ImageStore(MemoryBucket(), MemoryBucket())
    jobs = MemoryQueue()
    wired(settings, store, jobs).server.run()


if __name__ == "__main__":
    main()
