"""Read the samples of /metrics."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import Metrics


class Counts:
    """The samples of one scrape; a missing sample is None."""

    def __init__(self, text: str) -> None:
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    @classmethod
    def of(cls, metrics: Metrics) -> Counts:
        return cls(metrics.expose().decode())

    def get(self, name: str, **labels: str) -> float | None:
        return self._values.get((f"image_pipeline_{name}", frozenset(labels.items())))

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Every value of *name* that is not 0, by the values of its labels in their order."""
        found = {}
        for (sample, labels), value in self._values.items():
            if sample == f"image_pipeline_{name}" and value:
                found[tuple(text for _, text in sorted(labels))] = value
        return found
