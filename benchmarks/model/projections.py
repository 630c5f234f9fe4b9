"""Validate the model against the measurements, then project rates beyond this machine.

    ./.venv/bin/python -m benchmarks.model.projections [--measured FILE] [--out FILE]

Reads benchmarks/results/pipeline.json and deploy/, and writes benchmarks/results/projections.json
in less than a minute. CPU per image is measured at the sustained rate; sizes, limits and scaling
policies are those of deploy/. AWS latency is assumed: 40 ms per S3 call and 20 ms per SQS call, as
in benchmarks/service/worker.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.model.cost import (
    cost_per_million,
    demand,
    through_nat_per_million,
    waiting_per_million,
)
from benchmarks.model.fairness import fairness
from benchmarks.model.fleets import (
    RATES,
    bursts,
    constant_load,
    day,
    grid,
    keda_burst,
    sensitivity,
)
from benchmarks.model.keda_grid import keda_grid
from benchmarks.model.steady import fleet, slots, steady
from benchmarks.model.usage import SUBJECTS, usage_of
from benchmarks.model.validation import validation
from benchmarks.report.saved import RESULTS

#: The three rates that docs/scaling.md is about.
TOLD = (10, 1_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--measured", type=Path, default=RESULTS / "pipeline.json")
    parser.add_argument("--out", type=Path, default=RESULTS / "projections.json")
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text())
    options.out.write_text(json.dumps(projected(measured), indent=1) + "\n")


def projected(measured: dict[str, Any]) -> dict[str, Any]:
    usages = {method: usage_of(measured, subject) for method, subject in SUBJECTS.items()}
    of, auto = fleet(), usages["auto"]
    at_rest = [steady(m, u, rate) for m, u in usages.items() for rate in TOLD]
    latencies_ms = [one["latency_ms"][0] for one in at_rest if one["method"] == "auto"]
    return {
        "validation": validation(measured),
        "usage": {method: vars(usage) for method, usage in usages.items()},
        "demand": {m: {str(r): demand(r, u, of) for r in TOLD} for m, u in usages.items()},
        "cost": {m: {str(r): cost_per_million(r, u, of) for r in TOLD} for m, u in usages.items()},
        "through_nat": through_nat_per_million(auto),
        "slots": [slots(usages["otsu"], per_cpu) for per_cpu in (6, 12, 20)],
        "steady": at_rest,
        "waiting": waiting_per_million(latencies_ms[0] / 1000),
        "constant": [constant_load(auto, rate) for rate in RATES],
        "bursts": [bursts(auto, rate) for rate in TOLD],
        "keda": [keda_burst(auto, rate) for rate in TOLD[:2]],
        "grid": grid(auto),
        "keda_grid": keda_grid(auto),
        "sensitivity": sensitivity(auto),
        "day": day(auto),
        "fairness": fairness(auto),
    }


if __name__ == "__main__":
    main()
