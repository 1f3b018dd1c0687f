"""Artefacts of some series: ghosts of motion and pulsation, wrap."""

from dataclasses import dataclass

import numpy as np
import torch

from mrnet_core.domain import Plane

GHOST_SHARE, WRAP_SHARE = 0.12, 0.06
"""Share of series with ghosts of motion, and with wrap, plain enough to see."""


@dataclass(frozen=True)
class Artefact:
    """What disturbs one series. Strengths are shares of the signal, 0 for none."""

    ghost: float
    ghost_shift: float
    """Shift of the ghosts along the phase axis, share of its length."""
    wrap: int
    """Pixels of the leg's far end folded over, 0 for none."""
    phase_axis: int
    """1: rows, 2: columns of the (S, H, W) picture."""


def draw_artefacts(generator: np.random.Generator, plane: Plane) -> Artefact:
    """Artefacts of one series; most have only the faint ghost of pulsation."""
    g = generator
    moved, folded = g.random() < GHOST_SHARE, g.random() < WRAP_SHARE
    strong, faint, shift, fold = (
        g.uniform(0.04, 0.11),
        g.uniform(0.004, 0.012),
        g.uniform(0.07, 0.2),
        g.integers(10, 30),
    )
    return Artefact(
        ghost=float(strong if moved else faint),
        ghost_shift=float(shift),
        wrap=int(fold) if folded and plane is not Plane.AXIAL else 0,
        phase_axis=2 if plane is Plane.CORONAL else 1,
    )


def add_artefacts(picture: torch.Tensor, artefact: Artefact) -> None:
    """Disturb ``picture`` (S, H, W) in place."""
    axis = artefact.phase_axis
    shift = max(round(artefact.ghost_shift * picture.shape[axis]), 1)
    ghost = picture.roll(shift, axis).sub_(picture.roll(-shift, axis)).abs_()
    picture.add_(ghost.mul_(artefact.ghost))
    if artefact.wrap:
        # The leg beyond the field of view at the foot end, seen over the head end (and the other way round).
        n = artefact.wrap
        top, bottom = picture[:, :n].clone(), picture[:, -n:].clone()
        fade = torch.linspace(0.5, 0.0, n, dtype=torch.float32, device=picture.device)[None, :, None]
        picture[:, :n].add_(bottom.flip(1).mul_(fade))
        picture[:, -n:].add_(top.flip(1).mul_(fade.flip(1)))
