"""Send PNGs to the API from the command line: many, in parallel, and as often as it takes.

Each file has an Idempotency-Key made of its content, its path and what is asked for. So a request
whose answer was lost can be repeated, and so can the whole command: nothing is sent twice.
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

from .upload_files import Source, save
from .upload_report import Order, Report, say, table
from .upload_requests import RefusedError, Requests, StoppedError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2

_FIRST_POLL_S: Final = 0.2
_MAX_POLL_S: Final = 3.0
#: What the requests under way still get after Ctrl-C.
_GRACE_S: Final = 1.0


def upload(sources: Sequence[Source], order: Order, *, as_json: bool = False) -> int:
    """Send all of *sources*, show how it goes, and say at the end what became of each.

    Returns DONE when all were taken (with `is_waiting`: processed, and saved), else FAILED.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; what became of each until then has been said.
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
        # What is known of each, at any time: Ctrl-C does not wait for an answer.
        self._reports = {s.path: Report(s.path, "not sent", detail="stopped") for s in sources}
        self._ended: SimpleQueue[Report] = SimpleQueue()
        self._left: SimpleQueue[Source] = SimpleQueue()
        for source in sources:
            self._left.put(source)
        # What is sent as a group keeps its order only if it is sent in order.
        count = 1 if "group" in order.fields else order.parallel
        # Daemons, because a request may hang for longer than anybody waits after Ctrl-C.
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def run(self) -> Iterator[Report]:
        """Reports in the order in which they come."""
        for thread in self._threads:
            thread.start()
        for _ in self._reports:
            yield self._ended.get()

    def stop(self) -> None:
        """Begin nothing new, and give what is under way a moment to end."""
        self._stopping.set()
        deadline = monotonic() + _GRACE_S
        for thread in self._threads:
            if thread.ident is not None:  # else Ctrl-C came before it was started
                thread.join(max(0.0, deadline - monotonic()))

    def reports(self) -> list[Report]:
        return list(self._reports.values())

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                source = self._left.get_nowait()
            except Empty:
                return
            self._ended.put(self._note(self._send_reported(source)))

    def _note(self, report: Report) -> Report:
        self._reports[report.path] = report
        return report

    def _send_reported(self, source: Source) -> Report:
        try:
            return self._send(source)
        except RefusedError as exc:
            return Report(source.path, "refused", detail=str(exc))
        except StoppedError:
            return self._reports[source.path]
        except (OSError, HTTPError) as exc:
            return Report(source.path, "not sent", detail=str(exc))
        except Exception as exc:  # whatever it is, it is about one file; the others go on
            return replace(self._reports[source.path], detail=f"{type(exc).__name__}: {exc}")

    def _send(self, source: Source) -> Report:
        data = source.path.read_bytes()
        self._note(Report(source.path, "not sent", detail="stopped before it was answered"))
        taken = self._requests.post(source.path, data)
        return self._finish(taken, source) if self._order.is_waiting else taken

    def _finish(self, taken: Report, source: Source) -> Report:
        """What becomes of the image of *taken*, and of its result."""
        self._note(replace(taken, detail="stopped"))
        try:
            image = self._wait(taken)
        except (RefusedError, HTTPError) as exc:
            return replace(taken, detail=str(exc))
        if image.status != "processed" or not (source.target or self._order.on_result):
            return image
        self._note(replace(image, status="not saved", detail="stopped"))
        try:
            self._bring(image, source)
        except (RefusedError, HTTPError, OSError) as exc:
            return replace(image, status="not saved", detail=str(exc))
        return replace(image, detail=str(source.target or ""))

    def _bring(self, image: Report, source: Source) -> None:
        """Raises RefusedError, HTTPError, OSError."""
        data = self._requests.result(image)
        if source.target:
            save(data, source.target)
        if self._order.on_result:
            self._order.on_result(source.path, data)

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
