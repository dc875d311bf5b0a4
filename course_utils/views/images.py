"""From a figure to an image file that is small or quickly made."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image


def render(fig: Figure, scale: float = 1.0) -> Image.Image:
    """Draw `fig` with `scale` pixels per pixel and return it as an RGB image.

    >>> render(Figure(figsize=(2, 1), dpi=100), scale=1.5).size
    (300, 150)
    """
    dpi, canvas_before = fig.get_dpi(), fig.canvas
    fig.set_dpi(dpi * scale)
    try:
        agg = FigureCanvasAgg(fig)  # of its own, so that its pixels are freed at once
        agg.draw()
        return pixels(agg)
    finally:
        fig.set_canvas(canvas_before)
        fig.set_dpi(dpi)


def pixels(agg: FigureCanvasAgg) -> Image.Image:
    """Return what was last drawn on `agg` as an RGB image (a copy).

    >>> agg = FigureCanvasAgg(Figure(figsize=(2, 1), dpi=100))
    >>> agg.draw()
    >>> pixels(agg).size
    (200, 100)
    """
    size = agg.get_width_height()
    shot = Image.frombuffer("RGBA", size, agg.buffer_rgba(), "raw", "RGBA", 0, 1)
    return shot.convert("RGB")


def quick_png(rgba: Any) -> bytes:
    """Return pixels (height, width, 4), uint8, as an RGB PNG file, made for speed.

    Pillow tries five filters per row; on a drawing with much white none of them is worth its
    time, and without them the file is made about three times faster and is no larger.

    Source: PNG specification, third edition, sections 5 (chunks) and 9 (filter type 0).

    >>> quick_png(np.zeros((2, 3, 4), np.uint8))[:4]
    b'\\x89PNG'
    """
    rgba = np.asarray(rgba)
    height, width = rgba.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # a row starts with its filter: 0, none
    for channel in range(3):
        rows[:, 1 + channel :: 3] = rgba[:, :, channel]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits each, RGB
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_palette(image: Image.Image, count: int) -> Image.Image:
    """Return an RGB image in at most `count` colors: the frequent ones exactly, the others nearly.

    Pillow's own methods tint large light areas or drop rare colors, such as a small red cross.

    >>> len(with_palette(Image.linear_gradient("L").convert("RGB"), 16).getcolors())
    16
    """
    frequent = sorted(image.getcolors(image.width * image.height), reverse=True)
    found = np.array([color for _, color in frequent], dtype=np.int32)
    chosen = list(range(min(max(count // 2, 1), len(found))))
    far = np.min([((found - found[k]) ** 2).sum(axis=1) for k in chosen], axis=0)
    while len(chosen) < min(count, len(found)):  # then always the color that is worst off
        chosen.append(int(np.argmax(far)))
        far = np.minimum(far, ((found - found[chosen[-1]]) ** 2).sum(axis=1))
    nearest = np.array([((found[chosen] - c) ** 2).sum(axis=1).argmin() for c in found], np.uint8)
    # Row by row: arrays as large as the picture would make up most of a lesson's memory.
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.int32)
    order = np.argsort(found @ weights)
    codes, nearest = (found @ weights)[order], nearest[order]
    rows = [nearest[np.searchsorted(codes, row @ weights)] for row in np.asarray(image)]
    result = Image.fromarray(np.array(rows), "P")
    result.putpalette(found[chosen].astype(np.uint8).tobytes())
    return result
