"""The network of `app.binarize.auto.surface` in torch: for training only.

Activations are in units of one; `app.binarize.auto.surface` counts them in steps of
1 / FEATURE_STEPS.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import nn

from app.binarize.auto.page_maps import FEATURE_STEPS, FEATURES

#: Channels at 1/8, 1/16, 1/32 and 1/64, and outputs: see `surface`.
CHANNELS: Final = (16, 32, 32, 32)
OUTPUTS: Final = 10
#: How often the difference between a pixel and the mean around it is added (-) or taken away (+).
MOST_SHARP: Final = 4.0
#: Gray values over which black goes to white in training, as a share of the contrast.
SOFTNESS: Final = 0.12


def rounded(x: Any) -> Any:
    """*x* in the steps of the engine, with the gradient of *x*."""
    return x + ((x * FEATURE_STEPS).round() / FEATURE_STEPS - x).detach()


class Limited(torch.autograd.Function):
    """x within +-most. What is at the limit can come back, and is not driven further beyond."""

    @staticmethod
    def forward(context: Any, x: Any, most: float) -> Any:
        context.save_for_backward(x)
        context.most = most
        return x.clamp(-most, most)

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        (x,) = context.saved_tensors
        is_outward = (x.abs() >= context.most) & (x * gradient < 0)
        return gradient.masked_fill(is_outward, 0), None


def enlarged(x: Any, factor: int) -> Any:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """x + relu(mix(filter(x))): a 3 x 3 filter for each channel, then a mix of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 3, groups=channels, bias=False)
        self.mix = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.filter.weight.copy_(0.15 * torch.randn_like(self.filter.weight))
            self.filter.weight[:, :, 1, 1] += 1
            self.mix.weight.mul_(0.5)

    def forward(self, x: Any) -> Any:
        return rounded(
            x + F.relu(self.mix(rounded(self.filter(F.pad(x, (1, 1, 1, 1), mode="replicate")))))
        )


class Network(nn.Module):
    """Down to 1/64 and up again; what is coarse is added to what is fine."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = CHANNELS
        self.enter = nn.Conv2d(FEATURES, a, 1)
        self.down = nn.ModuleList([nn.Conv2d(m, n, 1) for m, n in ((a, b), (b, c), (c, d))])
        self.up = nn.ModuleList(
            [nn.Conv2d(n, m, 1, bias=False) for m, n in ((a, b), (b, c), (c, d))]
        )
        self.first = nn.ModuleList([Block(a), Block(b), nn.Sequential(Block(c), Block(c))])
        self.deep = nn.Sequential(Block(d), Block(d), Block(d))
        self.last = nn.ModuleList([nn.Sequential(Block(a), Block(a)), Block(b), Block(c)])
        self.leave = nn.Conv2d(a, OUTPUTS, 1)
        with torch.no_grad():
            self.leave.weight.mul_(0.2)
            self.leave.bias.copy_(torch.tensor([0.03] * 4 + [0.3, 0.1, 0.05, 0, 0, 0]))

    def forward(self, features: Any) -> Any:
        levels = [self.first[0](rounded(F.relu(self.enter(features))))]
        for i in range(2):
            levels.append(self.first[i + 1](self.narrower(i, levels[i])))
        x = self.deep(self.narrower(2, levels[2]))
        for i in (2, 1, 0):
            x = self.last[i](rounded(levels[i] + enlarged(rounded(self.up[i](x)), 2)))
        return self.leave(x)

    def narrower(self, i: int, x: Any) -> Any:
        return rounded(F.relu(self.down[i](rounded(F.avg_pool2d(x, 2)))))


def threshold(outputs: Any, grays: Any) -> tuple[Any, Any]:
    """(gray threshold at 1/4, sharpness at 1/8), as in `app.binarize.auto.surface`.

    *grays* are contrast, paper, far, farther at 1/8; dark, darkest at 1/4; dark at 1/8.
    """
    contrast, paper, far, farther, cell_dark, cell_darkest, dark = grays

    def cells(x: Any) -> Any:
        return F.interpolate(x, scale_factor=2, mode="nearest")

    at_8 = (
        outputs[:, 6:7] * (paper - dark)
        - outputs[:, 7:8] * (far - paper)
        - outputs[:, 8:9] * (farther - paper)
    )
    bright = cells(paper)
    t = bright - F.pixel_shuffle(contrast * outputs[:, :4], 2) - cells(at_8)
    t = (
        t
        - cells(outputs[:, 4:5]) * (bright - cell_dark)
        - cells(outputs[:, 5:6]) * (bright - cell_darkest)
    )
    return t.clamp(-128, 383), Limited.apply(outputs[:, 9:10], MOST_SHARP)


def logits(outputs: Any, grays: Any, page: Any, oy: int, ox: int) -> Any:
    """How surely each second pixel, from (oy, ox) on, is ink."""
    t, sharpness = threshold(outputs, grays)
    mean = F.avg_pool2d(F.pad(page[:, :, oy:, ox:], (2, 2, 2, 2), mode="replicate"), 5, 2)
    value = page[:, :, oy::2, ox::2]
    value = value + enlarged(sharpness, 4) * (
        mean[:, :, : value.shape[2], : value.shape[3]] - value
    )
    width = enlarged(grays[0], 4) * SOFTNESS
    return (enlarged(t, 2) - value) / width
