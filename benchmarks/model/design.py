"""The description of a pipeline for the model of simulation.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    cpu_s: float
    delay_s: float = 0.0
    #: Serialized over the whole run, on any CPU: work of one interpreter.
    is_serial: bool = False


@dataclass(frozen=True)
class Design:
    """A pipeline's stages and limits. The stages of *work* end with the announcement."""

    upload: Sequence[Stage]
    work: Sequence[Stage]
    #: Work after the announcement that still occupies the slot: deleting the message.
    after: Sequence[Stage]
    web_cpus: int
    worker_cpus: int
    #: Images that one worker processes at the same time.
    slots: int
    #: Whether web and workers share CPUs, as on one machine.
    is_one_machine: bool = False
    partitions: int = 1
    #: SendMessage calls per second that one partition accepts.
    calls_per_partition_s: float = math.inf
    visibility_timeout_s: float = 60.0
    #: Waiting images of one group, and of all, over which uploads are refused.
    max_group_depth: float = math.inf
    max_queue_depth: float = math.inf
