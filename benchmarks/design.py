"""What a pipeline is made of, for the model of benchmarks/simulation.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    cpu_s: float
    delay_s: float = 0.0
    #: One at a time in the whole run, on whichever CPU: what is done by one interpreter.
    is_serial: bool = False


@dataclass(frozen=True)
class Design:
    """What the pipeline is made of. Stages of *work* end with the announcement."""

    upload: Sequence[Stage]
    work: Sequence[Stage]
    #: Of the image, after its announcement and before its place is free: deleting the message.
    after: Sequence[Stage]
    web_cpus: int
    worker_cpus: int
    #: Images that one worker has in hand.
    slots: int
    #: Whether web and workers are on the same CPUs, as on one machine.
    is_one_machine: bool = False
    partitions: int = 1
    #: SendMessage calls that one partition takes.
    calls_per_partition_s: float = math.inf
    visibility_timeout_s: float = 60.0
