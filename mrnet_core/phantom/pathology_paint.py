"""Knees and lesions painted on a lattice of voxels, each part only in the window that it can reach."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core.phantom import pathology_joint as joint
from mrnet_core.phantom import pathology_meniscus as meniscus
from mrnet_core.phantom.anatomy import Affine, Knee, Space, Subject, Window, box_bounds
from mrnet_core.phantom.anatomy_texture import SIDE
from mrnet_core.phantom.pathology import Lesion, moved_along

SUB_SLICES = 3
"""Samples across a slice that are averaged: partial volume."""
Painted = tuple[Window, torch.Tensor] | None
"""A lesion's window and its mask there; None: not here."""
_PAINTERS: dict[str, tuple[Callable, Callable]] = {
    # kind: (box and frame of a lesion, painter)
    "effusion": (joint.effusion_box, joint.paint_effusion),
    "popliteal cyst": (joint.cyst_box, joint.paint_cyst),
    "plica": (joint.plica_box, joint.paint_plica),
    "osteoarthritis": (joint.osteoarthritis_box, joint.paint_osteoarthritis),
    "contusion": (joint.contusion_box, joint.paint_contusion),
    "fracture": (joint.fracture_box, joint.paint_fracture),
    "mcl sprain": (joint.mcl_box, joint.paint_mcl_sprain),
    "iliotibial band syndrome": (joint.band_box, joint.paint_band_syndrome),
    "mucoid degeneration": (joint.acl_box, joint.paint_mucoid),
    "acl ganglion": (joint.acl_box, joint.paint_ganglion),
    "acl sprain": (joint.acl_box, joint.paint_acl_sprain),
    "pcl tear": (joint.pcl_box, joint.paint_pcl_tear),
    "acl tear": (joint.acl_box, joint.paint_acl_tear),
    "intrasubstance degeneration": (meniscus.box, meniscus.paint_degeneration),
    "post-surgical meniscus": (meniscus.box, meniscus.paint_post_surgical),
    "meniscal tear": (meniscus.box, meniscus.paint_tear),
}
"""In the order they are painted: fluid first, so that a torn ligament is seen through an effusion."""
LEAST_TEAR = 32.0
"""mm³ that a meniscal tear paints at least, where any place of its meniscus lets it."""
_MOVES = (0, 8, -8, 16, -16, 24, -24, 32, -32)
"""Degrees."""
_ORDER = {kind: n for n, kind in enumerate(_PAINTERS)}


class Painter:
    """Paints a knee and its lesions on slices of one lattice of voxels, as many at a time as the caller wants.

    Windows are decided slice by slice, so that what is painted does not depend on how many are painted together.
    """

    def __init__(
        self, affine: Affine, knee: Knee, lesions: tuple[Lesion, ...], device: torch.device | str = "cpu"
    ) -> None:
        self.affine, self.knee, self.lesions, self.device = affine, knee, lesions, torch.device(device)
        self._parts = _Windows(knee.windows(affine, knee.parts), affine.shape)
        self._lesions = _Windows(lesion_boxes(affine, knee.subject, lesions), affine.shape)

    def paint(
        self, slices: NDArray[np.float64], steps: NDArray[np.float64], keep_healthy: bool = False
    ) -> tuple[Space, list[Painted], torch.Tensor | None]:
        """Paint neighbouring slices, each sampled at ``slice + steps``.

        Returns
        -------
        space, masks, healthy
            The painted space ``(len(slices) * len(steps), H, W)``, samples of a slice together; a mask a lesion; and
            the tissue without lesions where ``keep_healthy``.
        """
        reach = (float(steps[1]) - float(steps[0])) / 2 if len(steps) > 1 else 0.0
        jitter = 0.0
        if reach:
            scatter = torch.from_numpy(_jitter(self.affine.shape[1:])[: len(steps)]).to(self.device)
            jitter = (scatter * reach).repeat(len(slices), 1, 1)
        at = (np.asarray(slices, float)[:, None] + steps).ravel()
        space = Space.at(*self.affine.points(at, jitter, self.device), self.knee.subject)
        ends = np.asarray(slices) + float(steps.min()) - reach, np.asarray(slices) + float(steps.max()) + reach
        self.knee.paint(space, self._parts.within(*ends, len(steps)).__getitem__)
        healthy = space.tissue.clone() if keep_healthy else None
        windows = self._lesions.within(*ends, len(steps))
        return space, paint_lesions(space, windows, self.knee.subject, self.lesions), healthy


class _Windows:
    """Where parts lie on a lattice: rows and columns once and for all, samples by the slices that are painted."""

    def __init__(self, bounds: NDArray[np.float64], shape: tuple[int, int, int]) -> None:
        self._bounds = bounds.reshape(-1, 3, 2)
        low = np.maximum(self._bounds[:, 1:, 0].astype(int), 0)
        high = np.minimum(self._bounds[:, 1:, 1].astype(int) + 2, shape[1:])
        self._flat = [
            (slice(int(top), int(bottom)), slice(int(left), int(right))) if top < bottom and left < right else None
            for (top, left), (bottom, right) in zip(low, high, strict=True)
        ]

    def within(self, low: NDArray[np.float64], high: NDArray[np.float64], samples: int) -> list[Window]:
        """The window of each part; slice ``i`` reaches from ``low[i]`` to ``high[i]`` and has ``samples``."""
        here = (self._bounds[:, 0, 1, None] >= low) & (self._bounds[:, 0, 0, None] <= high)
        first, last = here.argmax(axis=1), here.shape[1] - here[:, ::-1].argmax(axis=1)
        return [
            (slice(a * samples, b * samples), *flat) if there and flat else None
            for there, a, b, flat in zip(here.any(axis=1), first.tolist(), last.tolist(), self._flat, strict=True)
        ]


def lesion_boxes(affine: Affine, subject: Subject, lesions: tuple[Lesion, ...]) -> NDArray[np.float64]:
    """Index bounds ``(n, 3, 2)`` of each lesion on a lattice of voxels."""
    return box_bounds(affine, [_PAINTERS[lesion.type][0](lesion, subject) for lesion in lesions], subject)


def paint_lesions(space: Space, windows: list[Window], subject: Subject, lesions: tuple[Lesion, ...]) -> list[Painted]:
    """Paint each lesion into ``space`` in place; returns each one's window and its mask there."""
    masks: list[Painted] = [None] * len(lesions)
    for n in sorted(range(len(lesions)), key=lambda n: _ORDER[lesions[n].type]):
        window = windows[n]
        if window is not None:
            masks[n] = window, _PAINTERS[lesions[n].type][1](space.crop(window), lesions[n], subject)
    return masks


def measure(lesion: Lesion, others: tuple[Lesion, ...], knee: Knee, step: float = 0.0) -> float:
    """Painted volume of a lesion, mm³ of the subject's own knee, on a lattice over its box; always on the CPU.

    ``others``: every lesion of the exam, ``lesion`` among them; ``step``: mm of the lattice, 0: one that suits the box.
    """
    subject = knee.subject
    box, shank = _PAINTERS[lesion.type][0](lesion, subject)
    corners = _whole_bounds(box, shank, subject)
    size = corners[1] - corners[0]
    step = step or max(0.5, float(np.cbrt(size.prod() / 150_000)))
    shape = tuple(int(n) for n in np.ceil(size / step) + 1)
    painter = Painter(Affine(corners[0], np.eye(3) * step, shape), knee, others)
    _, masks, _ = painter.paint(np.arange(shape[0], dtype=float), np.zeros(1))
    painted = masks[others.index(lesion)]
    count = 0 if painted is None else int(painted[1].sum())
    return count * step**3 * subject.scale**3 * subject.breadth


def seated(lesion: Lesion, knee: Knee) -> Lesion:
    """A meniscal tear moved along its meniscus, by no more than needed, to where there is enough of it to be torn.

    Condyles leave little of some menisci here and there, and a label without a tear to see would teach nothing. Other
    lesions are returned as they are.
    """
    if lesion.type != "meniscal tear" or lesion.grade in ("root", "bucket-handle"):
        return lesion
    places = [lesion if not degrees else moved_along(lesion, degrees) for degrees in _MOVES]
    volumes: list[float] = []
    for place in places:
        volumes.append(measure(place, (place,), knee, step=0.8))
        if volumes[-1] >= LEAST_TEAR:
            return place
    return places[int(np.argmax(volumes))]


def _whole_bounds(box, shank: bool, subject: Subject) -> NDArray[np.float64]:
    unit = Affine(np.zeros(3), np.eye(3), (1, 1, 1))
    return box_bounds(unit, [(box, shank)], subject)[0].T


@lru_cache(8)  # matrices are few
def _jitter(shape: tuple[int, int]) -> NDArray[np.float32]:
    """A fixed scatter (SUB_SLICES, H, W) of the samples' places, so that slanted surfaces show no terraces."""
    return np.random.Generator(np.random.Philox(SIDE)).uniform(-0.4, 0.4, (SUB_SLICES, *shape)).astype(np.float32)
