"""The paper's augmentation: one rotation, shift and flip for all slices of a series, drawn anew each time.

The picture is sampled once (bilinear, zeros outside), with the slices as channels of one grid.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mrnet_core.config import TrainConfig


@dataclass(frozen=True)
class Transform:
    """Degrees anticlockwise on screen, pixels down and to the right, and whether left and right are swapped first."""

    degrees: float
    down: float
    right: float
    flipped: bool


IDENTITY = Transform(0.0, 0.0, 0.0, False)


def draw(generator: np.random.Generator, config: TrainConfig) -> Transform:
    """A transform within the configuration's limits; the same number of draws whatever they are."""
    turn, down, right = generator.uniform(-1, 1, 3)
    flipped = generator.random() < config.flip
    return Transform(
        float(turn * config.rotation_degrees),
        float(down * config.shift_pixels),
        float(right * config.shift_pixels),
        bool(flipped),
    )


def apply(stack: Tensor, transform: Transform) -> Tensor:
    """The transformed series.

    Parameters
    ----------
    stack
        ``(s, H, W)``, uint8 or float, on any device.
    transform
        What to do with every slice.

    Returns
    -------
    Tensor
        ``(s, H, W)`` float32 on the same device, values on the same scale.
    """
    picture = stack.to(torch.float32)
    if transform == IDENTITY:
        return picture
    rows, columns = stack.shape[-2:]
    angle = np.deg2rad(transform.degrees)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    # Where does each output pixel come from: back-shift, back-rotate, back-flip; coordinates x right, y down, in -1..1.
    x, y = -2 * transform.right / columns, -2 * transform.down / rows
    mirror = -1.0 if transform.flipped else 1.0
    theta = torch.tensor(
        [[mirror * cosine, -mirror * sine, mirror * (cosine * x - sine * y)], [sine, cosine, sine * x + cosine * y]],
        device=stack.device,
    )
    grid = functional.affine_grid(theta[None], [1, 1, rows, columns], align_corners=False)
    return functional.grid_sample(picture[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
