"""Send many PNGs to the API from the command line, in parallel and with retries.

Each file has an Idempotency-Key made of its content, its path and the form fields. So a request
whose response was lost can be repeated, and so can the whole command: no image is taken twice.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

from tqdm import tqdm
from urllib3.exceptions import HTTPError

from ..errors import PermanentError
from ..formats.files import save
from .upload_files import Source
from .upload_report import Order, Report, say, table
from .upload_requests import RefusedError, Requests, StoppedError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2

_FIRST_POLL_S: Final = 0.2
_MAX_POLL_S: Final = 3.0
#: Seconds that running requests still get after Ctrl-C.
_GRACE_S: Final = 1.0


def upload(sources: Sequence[Source], order: Order, *, as_json: bool = False) -> int:
    """Send all *sources*, show the progress, and print a report of each file at the end.

    Returns DONE if all were taken (with `is_waiting`: processed and saved), else FAILED.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the reports so far have been printed.
    """
    total = sum(source.size_bytes() for source in sources)
    sent = tqdm(total=total, unit="B", unit_scale=True, desc="sent", disable=None)
    done = tqdm(total=len(sources), unit=" images", desc="done", disable=None)
    client = _Client(order, sources, sent)
    shown: set[Path] = set()
    try:
        with sent, done:
            for report in client.run():
                done.update()
                if as_json:
                    tqdm.write(report.to_json(), file=sys.stdout)
                    shown.add(report.path)
    finally:
        client.stop()
        reports = client.reports()
        rest = [report.to_json() for report in reports if report.path not in shown]
        say(*(rest if as_json else [table(reports)]))
    return DONE if all(order.is_met_by(report) for report in reports) else FAILED


class _Client:
    def __init__(self, order: Order, sources: Sequence[Source], sent: tqdm[Any]) -> None:
        self._order = order
        self._stopping = threading.Event()
        self._requests = Requests(order, self._stopping, sent.update)
        # The latest report of each file, always up to date: Ctrl-C does not wait for a response.
        self._reports = {s: Report(s.shown, "not sent", detail="stopped") for s in sources}
        self._ended: SimpleQueue[Report] = SimpleQueue()
        self._left: SimpleQueue[Source] = SimpleQueue()
        for source in sources:
            self._left.put(source)
        # Files of a group keep their order only if they are sent one after another.
        count = 1 if "group" in order.fields else order.parallel
        # Daemon threads, because a hanging request must not delay the exit after Ctrl-C.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def run(self) -> Iterator[Report]:
        """The reports in the order in which the files finish."""
        for thread in self._threads:
            thread.start()
        for _ in self._reports:
            yield self._ended.get()

    def stop(self) -> None:
        """Start no new request, and give running requests _GRACE_S seconds to end."""
        self._stopping.set()
        deadline = monotonic() + _GRACE_S
        for thread in self._threads:
            if thread.ident is not None:  # None if Ctrl-C came before the thread was started
                thread.join(max(0.0, deadline - monotonic()))

    def reports(self) -> list[Report]:
        return list(self._reports.values())

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                source = self._left.get_nowait()
            except Empty:
                return
            self._ended.put(self._note(source, self._send_reported(source)))

    def _note(self, source: Source, report: Report) -> Report:
        self._reports[source] = report
        return report

    def _send_reported(self, source: Source) -> Report:
        try:
            return self._send(source)
        except RefusedError as exc:
            return Report(source.shown, "refused", detail=str(exc))
        except StoppedError:
            return self._reports[source]
        except (OSError, HTTPError, PermanentError) as exc:
            return Report(source.shown, "not sent", detail=str(exc))
        except Exception as exc:  # an unexpected error of one file must not stop the others
            return replace(self._reports[source], detail=f"{type(exc).__name__}: {exc}")

    def _send(self, source: Source) -> Report:
        data = source.png()
        self._note(
            source, Report(source.shown, "not sent", detail="stopped before it was answered")
        )
        taken = self._requests.post(source.shown, data)
        return self._finish(taken, source) if self._order.is_waiting else taken

    def _finish(self, taken: Report, source: Source) -> Report:
        """The final report of the image of *taken*, after its result is saved."""
        self._note(source, replace(taken, detail="stopped"))
        try:
            image = self._wait(taken)
        except (RefusedError, HTTPError) as exc:
            return replace(taken, detail=str(exc))
        if image.status != "processed" or not (source.target or self._order.on_result):
            return image
        self._note(source, replace(image, status="not saved", detail="stopped"))
        try:
            self._save_result(image, source)
        except (RefusedError, HTTPError, OSError) as exc:
            return replace(image, status="not saved", detail=str(exc))
        return replace(image, detail=str(source.target or ""))

    def _save_result(self, image: Report, source: Source) -> None:
        """Fetch the result of *image* and save it. Raises RefusedError, HTTPError, OSError."""
        data = self._requests.result(image)
        # Before the file: a page whose file cannot be saved must not be missing in the PDF.
        if self._order.on_result:
            self._order.on_result(source, data)
        if source.target:
            save(data, source.target)

    def _wait(self, image: Report) -> Report:
        deadline = monotonic() + self._order.timeout_s
        pause_s = _FIRST_POLL_S
        while image.status == "queued":
            if monotonic() >= deadline:
                return replace(image, detail=f"not finished after {self._order.timeout_s:g} s")
            self._requests.pause(min(pause_s, max(0.0, deadline - monotonic())))
            image = self._requests.look(image)
            pause_s = min(_MAX_POLL_S, pause_s * 1.5)
        return image
