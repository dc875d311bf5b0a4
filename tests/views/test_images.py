"""Image files: nothing that matters is lost."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.views import images


def test_palette_keeps_rare_colors_and_stays_close():
    rng = np.random.default_rng(0)
    pixels = np.full((60, 60, 3), 255, np.uint8)
    pixels[:30] = rng.integers(200, 256, (30, 60, 3))
    pixels[50, 50] = (192, 0, 0)
    result = images.with_palette(Image.fromarray(pixels), 64).convert("RGB")
    result = np.asarray(result).astype(int)
    assert result[50, 50].tolist() == [192, 0, 0]
    assert (np.delete(result[30:50], 50, axis=1) == 255).all()
    assert np.abs(result - pixels).max() <= 40


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_quick_png_is_read_back_exactly_by_another_decoder(height, width, seed):
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(images.quick_png(rgba))))
    assert (decoded == rgba[:, :, :3]).all()
