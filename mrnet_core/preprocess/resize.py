"""Series to 256 × 256 pixels with the physical aspect kept: padded to a square in mm, then resampled, antialiased.

The square's side is the longer of the picture's height and width in mm; the shorter direction is padded with 0 on both
sides alike. Pixel ``i`` of the result covers ``[i, i + 1) · side / 256`` mm of the square.

0 is black, here and in ``intensity``. A series with values below 0 (a rescale, signed pixels) is shifted to start at 0;
one without is never shifted.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from mrnet_core.domain import MODEL_SIZE, ExamError, Series

LONE = 0.1
"""A lowest value that lies this share of the other values' range below them is padding that no attribute names."""


def resize_series(series: Series) -> NDArray[np.float32]:
    """A series as ``(S, 256, 256)`` float32 on its own intensity scale, its darkest value at 0 or above.

    Raises
    ------
    ExamError
        A pixel is not finite.
    """
    _, rows, columns = series.pixels.shape
    side = max(rows * series.row_spacing, columns * series.column_spacing)
    down = resampling(rows, series.row_spacing, side)
    across = resampling(columns, series.column_spacing, side)
    if not np.isfinite(series.pixels.sum(dtype=np.float64)):
        raise ExamError(f"the {series.plane} series holds pixel values that are not finite: leave that series out")
    black = _black(series.pixels)
    resized = np.empty((series.slices, MODEL_SIZE, MODEL_SIZE), np.float32)
    for picture, result in zip(series.pixels, resized, strict=True):
        picture = picture.astype(np.float32)
        if black is not None:
            picture = np.maximum(picture, black) - black
        rows_done = down @ picture
        result[:] = (across @ np.ascontiguousarray(rows_done.T)).T
    return resized


def _black(pixels: NDArray) -> np.float32 | None:
    """The value to become 0 in a series that has values below 0; None in any other.

    It is the darkest value, padding aside, and never above 0.
    """
    low, high = np.float32(pixels.min()), np.float32(pixels.max())
    if low >= 0:
        return None
    second = np.float32(pixels.min(initial=pixels.max(), where=pixels > pixels.min()))
    if second < high and second - low > LONE * (high - second):
        low = second
    return min(low, np.float32(0))


@lru_cache(maxsize=32)
def resampling(pixels: int, spacing: float, side: float) -> sparse.csr_array:
    """Weights ``(256, pixels)``, float32, that resample one axis: a triangle that reaches as far to each side as the
    larger of the two pixels is wide.

    Weights of one output pixel sum to 1, or to 0 where its centre lies in the padding. Same size and spacing give
    the identity.
    """
    step = side / MODEL_SIZE / spacing  # input pixels an output pixel
    offset = (side / spacing - pixels) / 2  # padding before the first pixel, in input pixels
    centres = (np.arange(MODEL_SIZE) + 0.5) * step - offset - 0.5  # on the input's index
    distance = np.abs(centres[:, None] - np.arange(pixels)[None, :])
    weights = np.clip(1 - distance / max(step, 1.0), 0, None)
    inside = (centres >= -0.5 - 1e-9) & (centres <= pixels - 0.5 + 1e-9)
    weights[~inside] = 0
    # An edge pixel has part of its triangle outside: what lies inside counts for all of it, so edges do not darken.
    weights[inside] /= weights[inside].sum(axis=1, keepdims=True)
    return sparse.csr_array(weights.astype(np.float32))  # few weights a row: five times as fast as a dense product
