"""Convert the samples of a PNG to gray on white, opacity and chroma.

Section numbers are those of the PNG specification, third edition (W3C,
https://www.w3.org/TR/png-3/). `decode.decode` documents the rules.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .chroma import LEAST_CHROMA, chroma_of
from .format import CHANNELS, GRAY, PALETTE, RGB, RGBA, PngInfo

Bytes = NDArray[np.uint8]


class Pixels(NamedTuple):
    """Gray on white, with opacity and chroma; None where all is opaque or colourless."""

    gray: Bytes
    alpha: Bytes | None = None
    chroma: Bytes | None = None


#: A function from rows of bytes, (n, row bytes), and the width to (n, width) pixels.
Rule = Callable[[Bytes, int], Pixels]


def color_channels(info: PngInfo) -> int:
    return 3 if info.color_type in (RGB, RGBA) else 1


def pixel_rule(info: PngInfo, sample_bits: int, *, with_chroma: bool) -> Rule:
    """The function that converts rows of samples, which use *sample_bits* bits, to pixels."""
    if info.color_type == GRAY and info.bit_depth == 8 and not info.transparency:
        return _unchanged
    if info.color_type == PALETTE or (info.color_type == GRAY and info.bit_depth <= 8):
        tables = _palette_tables(info) if info.color_type == PALETTE else _gray_tables(info)
        return partial(_look_up, _packed(tables, info.bit_depth, with_chroma=with_chroma))
    return partial(_mix, info, sample_bits, with_chroma and color_channels(info) == 3)


def _unchanged(rows: Bytes, width: int) -> Pixels:
    return Pixels(rows)


def _gray_tables(info: PngInfo) -> Pixels:
    """Tables with the pixel for each sample value of up to 8 bits: (2^depth,) uint8."""
    most = (1 << info.bit_depth) - 1
    table = (np.arange(most + 1) * (255 // most)).astype(np.uint8)
    opacity = np.full_like(table, 255)
    if info.transparency:
        # Section 11.3.1.1: bits beyond the depth must be ignored.
        key = struct.unpack(">H", info.transparency)[0] & most
        table[key], opacity[key] = 255, 0
    return Pixels(table, opacity)


def _palette_tables(info: PngInfo) -> Pixels:
    """Tables with the pixel for each index, also past the end of PLTE: (2^depth,) uint8."""
    colors = np.zeros((1, 256, 3), np.uint8)
    entries = np.frombuffer(info.palette, np.uint8).reshape(-1, 3)
    colors[0, : len(entries)] = entries
    alpha = np.full(256, 255, np.uint8)
    alpha[: len(info.transparency)] = np.frombuffer(info.transparency, np.uint8)
    gray, chroma = (
        _on_white(_luma(colors), alpha[np.newaxis]),
        _chroma_on_white(chroma_of(colors), alpha),
    )
    count = 1 << info.bit_depth
    return Pixels(gray[0, :count], alpha[:count], chroma[0, :count])


def _packed(tables: Pixels, bit_depth: int, *, with_chroma: bool) -> Pixels:
    """*tables* indexed by whole bytes; None for a table that would have no effect."""
    gray, alpha, chroma = tables
    has_chroma = with_chroma and chroma is not None and chroma.max() > LEAST_CHROMA
    return Pixels(
        _packed_table(gray, bit_depth),
        None if alpha is None or alpha.min() == 255 else _packed_table(alpha, bit_depth),
        _packed_table(chroma, bit_depth) if chroma is not None and has_chroma else None,
    )


def _packed_table(table: Bytes, bit_depth: int) -> Bytes:
    """The values of the pixels in each byte, the leftmost in the high bits: (256, pixels)."""
    shifts = np.arange(8 - bit_depth, -1, -bit_depth)
    samples = (np.arange(256)[:, np.newaxis] >> shifts) & ((1 << bit_depth) - 1)
    packed: Bytes = table[samples]
    return packed


def _look_up(tables: Pixels, rows: Bytes, width: int) -> Pixels:
    gray, *others = tables
    found = [None if table is None else _unpacked(table, rows, width) for table in others]
    return Pixels(_unpacked(gray, rows, width), *found)


def _unpacked(packed_table: Bytes, rows: Bytes, width: int) -> Bytes:
    if packed_table.shape[1] == 1:
        return _as_bytes(cv2.LUT(rows, packed_table[:, 0]))
    pixels: Bytes = packed_table[rows].reshape(len(rows), -1)[:, :width]
    return pixels


def _mix(info: PngInfo, sample_bits: int, with_chroma: bool, rows: Bytes, width: int) -> Pixels:
    """The pixels of gray, colour and alpha samples of 8 or 16 bits."""
    samples = rows.reshape(len(rows), width, CHANNELS[info.color_type], info.bit_depth // 8)
    high = _high_bytes(info, sample_bits, samples)
    gray = _luma(high) if color_channels(info) == 3 else high[..., 0]
    chroma = chroma_of(high) if with_chroma else None
    alpha = _opacity(info, samples, high)
    if alpha is not None:
        gray = _on_white(gray, alpha)
        chroma = None if chroma is None else _chroma_on_white(chroma, alpha)
    if chroma is not None and chroma.max() <= LEAST_CHROMA:
        chroma = None
    return Pixels(gray, alpha, chroma)


def _high_bytes(info: PngInfo, sample_bits: int, samples: Bytes) -> Bytes:
    """The highest 8 of the used bits of each sample: (n, width, channels)."""
    high = np.ascontiguousarray(samples[..., 0])
    if sample_bits < info.bit_depth:
        colors = slice(color_channels(info))
        high[..., colors] = samples.view(">u2")[..., colors, 0] >> (sample_bits - 8)
    return high


def _opacity(info: PngInfo, samples: Bytes, high: Bytes) -> Bytes | None:
    """The opacity of each pixel; None where all are opaque."""
    channels = CHANNELS[info.color_type]
    if channels in (2, 4):
        alpha = _as_bytes(cv2.extractChannel(high, channels - 1))
    elif info.transparency:
        alpha = np.where(_is_transparent(info, samples), np.uint8(0), np.uint8(255))
    else:
        return None
    return None if alpha.min() == 255 else alpha


def _luma(colors: Bytes) -> Bytes:
    code = cv2.COLOR_RGBA2GRAY if colors.shape[2] == 4 else cv2.COLOR_RGB2GRAY
    return _as_bytes(cv2.cvtColor(colors, code))


def _on_white(gray: Bytes, alpha: Bytes) -> Bytes:
    opacity = alpha.astype(np.uint16)
    # At most 255 * 255 + 127, which fits 16 bits.
    return ((gray * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def _chroma_on_white(chroma: Bytes, alpha: Bytes) -> Bytes:
    """The chroma of colours of opacity *alpha* on white."""
    return ((chroma * alpha.astype(np.uint16) + 127) // 255).astype(np.uint8)


def _is_transparent(info: PngInfo, samples: Bytes) -> NDArray[np.bool_]:
    """A mask of the pixels whose samples all equal the tRNS colour: (n, width)."""
    sample_bytes = samples.shape[3]
    key = np.frombuffer(info.transparency, np.uint8).reshape(-1, 2)[:, 2 - sample_bytes :]
    equal: NDArray[np.bool_] = np.all(samples == key, axis=(2, 3))
    return equal


def _as_bytes(pixels: NDArray[np.generic]) -> Bytes:
    return pixels.astype(np.uint8, copy=False)
