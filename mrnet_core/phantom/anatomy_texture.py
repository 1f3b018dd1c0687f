"""Texture fixed to the knee: tileable noise at several scales, read by position, so that the planes agree.

One set of tiles serves every exam; a subject shifts them by whole voxels.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft

SIDE = 128
"""Voxels along each axis of a tile."""
VOXEL = 0.5
"""mm a voxel: the tile repeats every 64 mm."""
TRABECULAE, FIBRES, LOBULES, STRIPES, SEPTA, STREAKS = range(6)
"""Which tile: marrow, muscle, fat and soft tissue, ligament, walls in fat, fat between muscle bundles."""
_SEED = 20_181_127


@cache
def tiles(device: str = "cpu") -> torch.Tensor:
    """Flat float32 tiles ``(6 * SIDE**3,)``, each of mean 0 and standard deviation 1, clipped to ±4."""
    return torch.from_numpy(_made()) if device == "cpu" else tiles().to(device)


@cache
def _made() -> NDArray[np.float32]:
    g = np.random.Generator(np.random.Philox(_SEED))
    made = [
        _mix(g, ((0.8, (1, 1, 1), 0.75), (2.2, (1, 1, 1), 0.45), (9.0, (1, 1, 1), 0.5))),
        _mix(g, ((0.9, (1, 1, 6), 0.6), (2.2, (1, 1, 5), 0.5), (8.0, (1, 1, 2), 0.6))),
        _mix(g, ((0.9, (1, 1, 1), 0.4), (2.5, (1, 1, 1.6), 0.7), (7.0, (1, 1, 1), 0.5))),
        _mix(g, ((0.8, (1, 2.5, 2.5), 0.8), (2.0, (1, 2.5, 2.5), 0.6))),
        _mix(g, ((5.6, (1, 1, 1.6), 1.0), (3.0, (1, 1, 1.5), 0.15))),
        _mix(g, ((3.6, (1, 1, 8), 1.0), (2.2, (1, 1, 6), 0.1))),
    ]
    made[TRABECULAE] = _standard(made[TRABECULAE] + 0.35 * np.maximum(made[TRABECULAE] - 2.2, 0) ** 2)
    return np.concatenate([np.clip(tile, -4, 4).ravel() for tile in made]).astype(np.float32)


def tile_index(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, shift: tuple[int, int, int]) -> torch.Tensor:
    """Flat voxel (int32) of a tile for each point (mm)."""
    index = None
    for axis, offset in zip((z, y, x), shift, strict=True):
        # The constant keeps the sum positive, so that truncation is a floor.
        part = (axis * (1 / VOXEL)).add_(offset + 8 * SIDE).to(torch.int32).bitwise_and_(SIDE - 1)
        index = part if index is None else index.mul_(SIDE).add_(part)
    return index


def _mix(g: np.random.Generator, octaves) -> NDArray[np.float32]:
    """Gaussian noise filtered to a sum of the given widths (mm), each stretched along (x, y, z) and weighted."""
    frequency = fft.fftfreq(SIDE, VOXEL).astype(np.float32)
    half = fft.rfftfreq(SIDE, VOXEL).astype(np.float32)
    total = np.zeros((SIDE, SIDE, SIDE // 2 + 1), np.float32)
    for width, stretch, weight in octaves:
        x, y, z = (
            np.exp(-2 * (np.pi * axis * width * s / 2) ** 2)
            for axis, s in zip((half, frequency, frequency), stretch, strict=True)
        )
        shape = z[:, None, None] * y[None, :, None] * x[None, None, :]
        total += weight * shape / np.sqrt(np.mean(shape**2))
    white = fft.rfftn(g.standard_normal((SIDE, SIDE, SIDE), dtype=np.float32))
    return _standard(fft.irfftn(white * total, s=(SIDE, SIDE, SIDE)))


def _standard(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return (values - values.mean()) / values.std()
