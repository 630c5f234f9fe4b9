"""Write the plots and tables of docs/benchmarks.md and docs/scaling.md from the results.

    python3 scripts/install .venv requirements/benchmarks.txt
    ./.venv/bin/python -m benchmarks.report.plots

Needs matplotlib; application and tests do not. The same results give the same bytes: the files have
no date, and stable ids.
"""

from __future__ import annotations

from statistics import fmean

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from benchmarks.report import tables
from benchmarks.report.pipeline_tables import overload_title
from benchmarks.report.rows import Figures

IMAGES = tables.ROOT / "docs" / "images"
#: Seconds of an overload averaged per point, for a small plot with little noise.
BIN_S = 3
mpl.rcParams |= {
    "svg.hashsalt": "image-pipeline",
    "svg.fonttype": "none",  # keep text as text: small and searchable
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.facecolor": "white",
}


def main() -> None:
    measured, projected = tables.results()
    save("pipeline-latency", latency(measured))
    save("pipeline-overload", overload(measured))
    save("scaling-model", model(projected))
    save("scaling-burst", bursts(projected))
    for document in tables.DOCUMENTS:
        text = document.read_text()
        document.write_text(tables.rendered(text, measured, projected))


def save(name: str, figure: Figure) -> None:
    figure.tight_layout()
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def plain(title: str) -> str:
    return title.replace("`", "")


def latency(measured: Figures) -> Figure:
    figure, axes = plt.subplots(figsize=(7, 4))
    for one in measured["subjects"].values():
        rates = [rung["rate_per_s"] for rung in one["rungs"]]
        p95 = [rung["latency_ms"]["p95"] for rung in one["rungs"]]
        axes.plot(rates, p95, marker="o", markersize=3, label=plain(one["title"]))
    axes.set(xlabel="images a second", ylabel="upload to announcement, p95, ms", yscale="log")
    axes.set_xlim(left=0)
    axes.legend(fontsize=8)
    return figure


def overload(measured: Figures) -> Figure:
    runs = measured["overload"]
    figure, all_axes = plt.subplots(len(runs), figsize=(7, 2 * len(runs)), squeeze=False)
    for axes, run in zip(all_axes[:, 0], runs, strict=True):
        for name, counts in run["by_second"].items():
            means = [fmean(counts[at : at + BIN_S]) for at in range(0, len(counts), BIN_S)]
            axes.plot(range(0, len(counts), BIN_S), means, linewidth=1, label=name)
        axes.set_title(plain(overload_title(measured, run)), fontsize=9, loc="left")
        axes.set_ylabel("images a second")
    all_axes[0, 0].legend(ncols=4, fontsize=8)
    all_axes[-1, 0].set_xlabel("seconds")
    return figure


def model(projected: Figures) -> Figure:
    figure, axes = plt.subplots(figsize=(7, 3))
    rungs = projected["validation"]["rungs"]
    rates = [rung["rate_per_s"] for rung in rungs]
    for place, name in enumerate(("p50", "p95")):
        (line,) = axes.plot(
            rates, [r["measured_ms"][place] for r in rungs], marker="o", label=f"{name}, measured"
        )
        axes.plot(
            rates,
            [r["model_ms"][place] for r in rungs],
            linestyle="--",
            color=line.get_color(),
            label=f"{name}, model",
        )
    axes.set(xlabel="images a second", ylabel="ms", yscale="log")
    axes.legend(fontsize=8)
    return figure


def bursts(projected: Figures) -> Figure:
    runs = projected["bursts"]
    figure, all_axes = plt.subplots(len(runs), figsize=(7, 2 * len(runs)), sharex=True)
    for axes, run in zip(all_axes, runs, strict=True):
        minutes = [at / 60 for at in run["timeline"]["at_s"]]
        axes.plot(minutes, run["timeline"]["waiting"], color="tab:red", label="waiting")
        axes.set_ylabel("images waiting")
        axes.set_title(
            f"{run['rate']:,} images a second, ten times that for five minutes",
            fontsize=9,
            loc="left",
        )
        other = axes.twinx()
        other.plot(minutes, run["timeline"]["tasks"], color="tab:blue", label="tasks")
        other.set_ylabel("tasks")
        other.set_ylim(bottom=0)
        other.grid(visible=False)
        axes.legend(loc="upper left", bbox_to_anchor=(0.6, 1), fontsize=8)
        other.legend(loc="upper left", bbox_to_anchor=(0.8, 1), fontsize=8)
    all_axes[-1].set_xlabel("minutes")
    return figure


if __name__ == "__main__":
    main()
