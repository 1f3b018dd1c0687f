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
    theta = torch.tensor(matrix(transform, *stack.shape[-2:]), device=stack.device)
    return sample(picture, theta)


def matrix(transform: Transform, rows: int, columns: int) -> list[list[float]]:
    """Where each output pixel comes from, ``(2, 3)``: back-shift, back-rotate, back-flip; x right, y down, in -1..1."""
    angle = np.deg2rad(transform.degrees)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    x, y = -2 * transform.right / columns, -2 * transform.down / rows
    mirror = -1.0 if transform.flipped else 1.0
    return [[mirror * cosine, -mirror * sine, mirror * (cosine * x - sine * y)], [sine, cosine, sine * x + cosine * y]]


def sample(picture: Tensor, theta: Tensor) -> Tensor:
    """Slices ``(s, H, W)`` float32 read at the places that ``theta`` ``(2, 3)`` names; zeros outside."""
    grid = functional.affine_grid(theta[None], [1, 1, *picture.shape[-2:]], align_corners=False)
    return functional.grid_sample(picture[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
