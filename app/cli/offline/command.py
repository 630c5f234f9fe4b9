"""Run the command `binarize`: parse its options, process the pages, write the files."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from operator import not_
from time import monotonic
from typing import Final

from ...domain.methods import DEFAULT_METHOD, METHODS, choose_method
from ...domain.ports import Binarized
from ...errors import PermanentError, PipelineError
from ...formats.pictures import Source
from ...png.limits import PngLimits
from ..output import discard_output
from ..upload_report import printable, say
from .inputs import Inputs, find_inputs
from .pool import Pool, Process
from .progress import Progress
from .summary import Summary
from .targets import Target, Wish, plan_targets
from .writing import Writer, shown

_EXIT_FAILED: Final = 1
_EXIT_USAGE: Final = 2
_EXIT_INTERRUPTED: Final = 130
#: After these errors no other file can be written either.
_FATAL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)

Complain = Callable[[str], None]


class _StoppedError(Exception):
    """No further file can be written."""


def run(
    options: argparse.Namespace, process: Process, limits: PngLimits, complain: Complain
) -> int:
    """Binarize the files of *options*; returns the exit code."""
    try:
        choose_method(METHODS, options.method or DEFAULT_METHOD).parse(dict(options.set))
        inputs = find_inputs(options.inputs, _read_pipe, limits)
        wish = Wish(options.out, options.format, options.pdf)
        targets = plan_targets(inputs.pages, wish)
        _check_standard_output(targets)
    except (OSError, ValueError, PipelineError) as exc:
        complain(printable(str(exc)))
        return _EXIT_USAGE
    except KeyboardInterrupt:  # listing a large folder takes a while
        return _EXIT_INTERRUPTED
    return _Run(options, inputs, targets, process).run()


def _read_pipe(most: int) -> bytes:
    if sys.stdin.isatty():
        raise ValueError("-: standard input is a terminal; redirect a file to it")
    return sys.stdin.buffer.read(most)


def _check_standard_output(targets: Sequence[Target]) -> None:
    if all(target.path for target in targets):
        return
    if sys.__stdout__ is None:
        raise ValueError("standard output is closed; name a file with -o")
    if sys.stdout.isatty():
        raise ValueError("the result would go to the terminal; name a file with -o, or pipe it on")


class _Run:
    """One run of the command."""

    def __init__(
        self,
        options: argparse.Namespace,
        inputs: Inputs,
        targets: Sequence[Target],
        process: Process,
    ) -> None:
        self._pages, self._process, self._parallel = inputs.pages, process, options.jobs
        self._is_dry = options.dry_run
        self._is_stuck = False
        # os.path.exists raises nothing for a name that is too long; saving reports it later.
        is_there = [
            not options.force and target.path is not None and os.path.exists(target.path)
            for target in targets
        ]
        self._there = list(compress(targets, is_there))
        self._targets = list(compress(targets, map(not_, is_there)))
        self._writer = Writer(self._targets, overwrite=options.force)
        self._summary = Summary()
        self._summary.left_alone = len(self._there)
        self._summary.left_out = inputs.left_out
        # With a result on standard output, messages must not go there.
        has_result = any(target.path is None for target in targets)
        self._tell: Callable[[str], None] = partial(print, file=sys.stderr) if has_result else say

    def run(self) -> int:
        if self._is_dry:
            return self._dry_run()
        began_at = monotonic()
        code = self._process_all()
        try:
            for line in self._summary.lines(monotonic() - began_at):
                self._tell(line)
        except BrokenPipeError:  # keep the exit code: the results are written
            discard_output()
        if self._is_stuck:
            # A thread that returns from C++ while the interpreter exits would abort the process.
            sys.stdout.flush()
            os._exit(code)
        return code

    def _dry_run(self) -> int:
        for target in self._there:
            self._tell(f"{printable(shown(target.path))} exists already")
        for target in self._targets:
            first = printable(self._pages[target.pages[0]].title)
            what = first if len(target.pages) == 1 else f"{len(target.pages)} pages, from {first},"
            self._tell(f"{what} -> {printable(shown(target.path))}")
        return _EXIT_FAILED if self._there else 0

    def _process_all(self) -> int:
        positions = self._writer.positions
        pool = Pool(positions, self._compute, self._parallel)
        with Progress(len(positions)) as progress:
            try:
                for position, result in pool.results():
                    self._take(position, result, progress.say)
                    progress.step()
            except KeyboardInterrupt:
                progress.say("stopped; run it again for the rest")
                return self._stop(pool, _EXIT_INTERRUPTED)
            except _StoppedError as exc:
                progress.say(str(exc))
                return self._stop(pool, _EXIT_FAILED)
            for target, missing in self._writer.unwritten():
                count = len(target.pages)
                self._fail(
                    f"{shown(target.path)} is not written: {missing} of {count} pages are missing",
                    progress.say,
                )
        return _EXIT_FAILED if self._summary.failed or self._there else 0

    def _compute(self, position: int) -> Binarized:
        page = self._pages[position]
        if page.fault:
            raise page.fault
        return self._process(page.source, page.number)

    def _take(self, position: int, result: Binarized | Exception, say: Complain) -> None:
        page = self._pages[position]
        if isinstance(result, Exception):
            self._fail(f"{page.title}: {_one_line(result, page.source)}", say)
            return
        self._summary.add(page.title, result)
        for fault in self._writer.take(position, result.png):
            if fault is None:
                self._summary.files += 1
            else:
                _check_goes_on(fault)
                self._fail(_one_line(fault), say)

    def _fail(self, sentence: str, say: Complain) -> None:
        self._summary.failed += 1
        say(printable(sentence))

    def _stop(self, pool: Pool[int], code: int) -> int:
        self._is_stuck = not pool.stop()
        return code


def _check_goes_on(fault: OSError) -> None:
    """Raise _StoppedError if no other file can be written after *fault* either."""
    if isinstance(fault, BrokenPipeError):
        raise _StoppedError("standard output was closed")
    if fault.errno in _FATAL:
        where = "" if fault.filename else "standard output: "
        raise _StoppedError(f"stopped: {where}{_one_line(fault)}")


def _one_line(fault: Exception, source: Source = b"") -> str:
    """*fault* in one line; names its file only if that is not *source*, the file of the page."""
    if isinstance(fault, PermanentError):
        return fault.detail
    if isinstance(fault, MemoryError):
        return "there is not enough memory for this page"
    if isinstance(fault, OSError) and fault.strerror:
        is_other = fault.filename and str(fault.filename) != str(source)
        return f"{fault.filename}: {fault.strerror}" if is_other else fault.strerror
    return f"{type(fault).__name__}: {fault}"
