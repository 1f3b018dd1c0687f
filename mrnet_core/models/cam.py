"""From a class activation map's 7 × 7 cells to the picture's 256 × 256 pixels.

Where a cell lies: AlexNet's last cell ``i`` is centred on pixel ``31 + 32 i`` (0-based) of 256, from the geometry of
its convolutions and pools. Stretching 7 × 7 corner to corner would put it up to 13 pixels off.
"""

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import CAM_SIZE, MODEL_SIZE

CELL_FIRST = 31
"""Pixel at the centre of cell 0: conv 11/4 pad 2 puts it at 3, the three pools 3/2 add 4, 8 and 16."""
CELL_STEP = 32
"""Pixels between the centres of neighbouring cells: strides 4 × 2 × 2 × 2."""
CELL_CENTRES = CELL_FIRST + CELL_STEP * np.arange(CAM_SIZE)
CELL_CENTRES.setflags(write=False)


def _weights() -> NDArray[np.float32]:
    """Linear interpolation as a matrix ``(256, 7)``; beyond the outer centres the border cell's value goes on."""
    pixels = np.arange(MODEL_SIZE)
    cells = np.eye(CAM_SIZE)
    columns = [np.interp(pixels, CELL_CENTRES, cells[cell]) for cell in range(CAM_SIZE)]
    return np.stack(columns, axis=1).astype(np.float32)


_WEIGHTS = _weights()


def upsample_cam(cam: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps ``(s, 7, 7)`` on the pixels ``(s, 256, 256)``: bilinear between the cells' true centres, float32.

    Outside the outermost centres the border cells extend outwards. At a centre the value is the cell's own, so the peak
    stays what it was. Values keep their sign and scale; see :func:`scale_cams`.
    """
    cam = np.asarray(cam, np.float32)
    if cam.ndim != 3 or cam.shape[1:] != (CAM_SIZE, CAM_SIZE):
        raise ValueError(f"maps must be (s, {CAM_SIZE}, {CAM_SIZE}); got {cam.shape}")
    return np.matmul(np.matmul(_WEIGHTS, cam), _WEIGHTS.T)


def scale_cams(maps: NDArray[np.float32], *, per_slice: bool = False) -> NDArray[np.float32]:
    """Maps of one network over one series to 0-1 for display: divided by the peak, zero and below become zero.

    Parameters
    ----------
    maps
        ``(s, h, w)``, cells or (better: upsample first, then scale) pixels, before any scaling.
    per_slice
        False: by the peak over the whole series, so that a cold slice looks cold. True: each slice by its own peak.

    Returns
    -------
    ``(s, h, w)`` float32 in 0-1; all zero where no value is above zero.
    """
    warm = np.maximum(np.asarray(maps, np.float32), 0)
    if warm.ndim != 3 or 0 in warm.shape:
        raise ValueError(f"maps must be (s, h, w) with no empty axis; got {warm.shape}")
    peak = warm.max(axis=(1, 2), keepdims=True) if per_slice else warm.max(keepdims=True)
    return np.divide(warm, peak, out=np.zeros_like(warm), where=peak > 0)
