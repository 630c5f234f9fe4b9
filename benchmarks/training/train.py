"""Draw pages, train the network on them, and write the weights of `auto`.

    python -m benchmarks.training.train FOLDER [--shards 20] [--steps 12000]
                                        [--out app/binarize/auto/surface.npz]

FOLDER keeps the drawn pages and the checkpoint: stopped, it goes on where it was. It needs torch
(requirements/training.txt) and the fonts of requirements/fonts.apt.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

from app.binarize.auto.page_maps import FEATURE_STEPS

from . import drawing
from .crops import counted, crop, importance, seen
from .network import Network, logits
from .sheet import INK
from .weights import write

BATCH: Final = 4
CHECKPOINT_S: Final = 60
#: A moving average of the weights is what is written: it is better than each of them.
AVERAGE: Final = 0.997


class Run:
    """A training that can be stopped and continued."""

    def __init__(self, folder: Path, seed: int, steps: int, rate: float) -> None:
        self.path, self.seed, self.steps, self.rate = folder / "checkpoint.pt", seed, steps, rate
        torch.manual_seed(seed)
        self.network = Network()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=1e-4)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.step, self.loss, self.seconds = 0, 1.0, 0.0
        #: Where it was started and continued: a checkpoint may have seen other pages before.
        self.stages: list[dict[str, Any]] = []
        if self.path.exists():
            self._load(torch.load(self.path))

    def _load(self, saved: Any) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average, self.step = saved["average"], saved["step"]
        self.loss, self.seconds = saved["loss"], saved["seconds"]
        self.stages = saved["stages"]

    def save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "loss": self.loss,
            "seconds": self.seconds,
            "stages": self.stages,
        }
        half = self.path.with_suffix(".half")
        torch.save(state, half)
        half.rename(self.path)

    def keep(self, out: Path) -> None:
        """Save the checkpoint, and write to *out* what was learned so far."""
        self.save()
        write(out, self.average, _provenance(self))

    def learn(self, batch: tuple[Any, ...]) -> float:
        part = self.step / self.steps
        rate = (
            self.rate * min(1, (self.step + 1) / 100) * (0.02 + 0.49 * (1 + np.cos(np.pi * part)))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = float(rate)
        loss = batch_loss(self.network, *batch)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        share = min(AVERAGE, self.step / (self.step + 20))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].mul_(share).add_(value, alpha=1 - share)
        return float(loss.item())


def batch_loss(
    network: Network,
    page: Any,
    ink: Any,
    counts: Any,
    importances: Any,
    found: Any,
    grays: Any,
    oy: int,
    ox: int,
) -> Any:
    """Wrong pixels, weighed so that little ink counts as much as much, and one minus F."""
    z = logits(network(found), grays, page, oy, ox).clamp(-15, 15)
    black = torch.sigmoid(z) * counts
    amount = ink.sum((1, 2, 3))
    weight = counts * importances / (amount / ink[0].numel()).clamp(0.02, 0.3)[:, None, None, None]
    wrong = (F.binary_cross_entropy_with_logits(z, ink, reduction="none") * weight).mean() / 10
    has_ink = (amount > 40).float()
    f = 2 * (black * ink).sum((1, 2, 3)) / (black.sum((1, 2, 3)) + amount + 1)
    return wrong + (has_ink * (1 - f)).sum() / has_ink.sum().clamp_min(1)


def _ink(truth: Any) -> Any:
    return (truth == INK).astype(np.float32)


def batch(rng: Any, pages: list[tuple[str, Any, Any]]) -> tuple[Any, ...]:
    chosen = [crop(rng, *pages[int(rng.integers(len(pages)))][1:]) for _ in range(BATCH)]
    maps = [seen(gray) for gray, _ in chosen]
    stacked = [torch.from_numpy(np.stack(each)) for each in zip(*maps, strict=True)]
    page = torch.from_numpy(np.stack([g for g, _ in chosen])).float()[:, None]
    oy, ox = (int(v) for v in rng.integers(0, 2, 2))
    judged = (
        torch.from_numpy(np.stack([each(t)[oy::2, ox::2] for _, t in chosen]))[:, None]
        for each in (_ink, counted, importance)
    )
    return (
        page,
        *judged,
        stacked[0] / FEATURE_STEPS,
        [g[:, None] for g in stacked[1:]],
        oy,
        ox,
    )


def main() -> None:
    arguments = _arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    shards = [drawing.shard(arguments.folder, seed) for seed in range(arguments.shards)]
    pages = [page for path in shards for page in drawing.load(path)]
    pages = [page for page in pages if page[0] not in arguments.leave]
    run = Run(arguments.folder, arguments.seed, arguments.steps, arguments.rate)
    if run.step < run.steps:
        run.stages.append(_stage(run.step, len(pages), arguments))
    print(f"{len(pages)} pages; step {run.step} of {run.steps}", flush=True)
    rng, started, saved = (
        np.random.default_rng([arguments.seed, run.step]),
        time.time(),
        time.time(),
    )
    while run.step < run.steps:
        run.loss = 0.99 * run.loss + 0.01 * run.learn(batch(rng, pages))
        run.seconds, started = run.seconds + time.time() - started, time.time()
        if run.step % 100 == 0:
            print(f"{run.step} {run.loss:.4f} {run.seconds:.0f} s", flush=True)
        if time.time() - saved > CHECKPOINT_S:
            run.keep(arguments.out)
            saved = time.time()
    run.keep(arguments.out)


def _stage(step: int, pages: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """What this command trains with, for the provenance of the weights."""
    kinds = (n for n, k in drawing.KINDS.items() if not k.is_held_out)
    return {
        "from_step": step,
        "command": f"python -m benchmarks.training.train FOLDER --shards {arguments.shards} "
        f"--steps {arguments.steps} --rate {arguments.rate} --seed {arguments.seed}",
        "pages": pages,
        "kinds": sorted(name for name in kinds if name not in arguments.leave),
        "drawing_code": drawing.drawing_code(),
        "training_code": drawing.hash_of(("crops", "network", "train")),
    }


def _provenance(run: Run) -> dict[str, Any]:
    return {
        "stages": run.stages,
        "steps": run.step,
        "seconds": round(run.seconds),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("app/binarize/auto/surface.npz"))
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leave", type=lambda names: names.split(","), default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
