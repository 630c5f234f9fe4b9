"""The bounds of all histograms, and the label for unknown values."""

from typing import Final

from prometheus_client import disable_created_metrics

#: For steps and requests; 60 s is the longest wait for a CPU.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
#: For the time from upload to outcome: a retry takes a minute, an outage longer.
LONG_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
BYTES: Final = tuple(4**n * 1024 for n in range(9))  # 1 KiB to 64 MiB
#: The label of every unexpected value, so that clients cannot create series.
OTHER: Final = "other"

# Drop the `_created` series; nothing queries them.
disable_created_metrics()  # type: ignore[no-untyped-call]
