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
    """Pixels of the leg beyond each end of the phase axis that are folded into the field of view, 0 for none."""
    phase_axis: int
    """1: rows, 2: columns of the (S, H, W) picture."""


READOUT_AXIS = {Plane.SAGITTAL: 2, Plane.CORONAL: 1, Plane.AXIAL: 2}
"""Axis of (S, H, W) along which a series is read out: fat is displaced along it, ghosts and wrap lie along the other.

Sagittal: phase encoding head to foot, so that the popliteal artery's ghosts miss the joint; coronal: left to right;
axial: front to back."""


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
        # The leg goes on beyond the field of view only towards head and foot.
        wrap=int(fold) if folded and plane is Plane.SAGITTAL else 0,
        phase_axis=3 - READOUT_AXIS[plane],
    )


def add_artefacts(picture: torch.Tensor, artefact: Artefact) -> torch.Tensor:
    """Fold and disturb ``picture``, which reaches ``artefact.wrap`` pixels beyond both ends of the phase axis.

    Returns the field of view alone, ``(S, H, W)``.
    """
    axis = artefact.phase_axis
    if artefact.wrap:
        n, size = artefact.wrap, picture.shape[axis] - 2 * artefact.wrap
        before, picture, after = picture.split([n, size, n], axis)
        # What lies beyond one end shows at the other, fainter the further from the coil.
        fade = torch.linspace(0.5, 0.0, n, dtype=torch.float32, device=picture.device)
        fade = fade[:, None] if axis == 1 else fade
        picture = picture.clone()
        picture.narrow(axis, 0, n).add_(after * fade)
        picture.narrow(axis, size - n, n).add_(before * fade.flip(0))
    shift = max(round(artefact.ghost_shift * picture.shape[axis]), 1)
    ghost = picture.roll(shift, axis).sub_(picture.roll(-shift, axis)).abs_()
    return picture.add_(ghost.mul_(artefact.ghost))
