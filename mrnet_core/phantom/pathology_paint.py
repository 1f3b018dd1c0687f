"""Lesions painted into a healthy knee, each only in the window that it can reach, with its mask."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mrnet_core.phantom import pathology_joint as joint
from mrnet_core.phantom import pathology_meniscus as meniscus
from mrnet_core.phantom.anatomy import Affine, Knee, Space, Subject, box_bounds
from mrnet_core.phantom.pathology import Lesion

Mask = NDArray[np.bool_]
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
_ORDER = {kind: n for n, kind in enumerate(_PAINTERS)}


def lesion_boxes(affine: Affine, subject: Subject, lesions: tuple[Lesion, ...]) -> list[NDArray[np.float64]]:
    """Index bounds of each lesion on a lattice of voxels."""
    if not lesions:
        return []
    return list(box_bounds(affine, [_PAINTERS[lesion.type][0](lesion, subject) for lesion in lesions], subject))


def paint_lesions(
    space: Space, windows: list[tuple[slice, slice] | None], subject: Subject, lesions: tuple[Lesion, ...]
) -> list[Mask | None]:
    """Paint each lesion into ``space`` in place; returns one mask a lesion, of the space's shape, None: not here."""
    masks: list[Mask | None] = [None] * len(lesions)
    for n in sorted(range(len(lesions)), key=lambda n: _ORDER[lesions[n].type]):
        window = windows[n]
        if window is None:
            continue
        cut = (slice(None), *window)
        painted = _PAINTERS[lesions[n].type][1](space.crop(cut), lesions[n], subject)
        if painted.any():
            whole = np.zeros(space.x.shape, bool)
            whole[cut] = painted
            masks[n] = whole
    return masks


def measure(lesion: Lesion, others: tuple[Lesion, ...], knee: Knee, step: float = 0.0) -> float:
    """Painted volume of a lesion, mm³ of the subject's own knee, on a lattice over its box.

    ``others``: every lesion of the exam, ``lesion`` among them; ``step``: mm of the lattice, 0: one that suits the box.
    """
    subject = knee.subject
    box, shank = _PAINTERS[lesion.type][0](lesion, subject)
    corners = _whole_bounds(box, shank, subject)
    size = corners[1] - corners[0]
    step = step or max(0.5, float(np.cbrt(size.prod() / 150_000)))
    shape = tuple(int(n) for n in np.ceil(size / step) + 1)
    affine = Affine(corners[0], np.eye(3) * step, shape)
    parts, boxes = knee.windows(affine, knee.parts), lesion_boxes(affine, subject, others)
    space = Space.at(*affine.points(np.arange(shape[0], dtype=float)), subject)
    knee.paint(space, lambda n: _window(parts[n], shape))
    masks = paint_lesions(space, [_window(bounds, shape) for bounds in boxes], subject, others)
    mask = masks[others.index(lesion)]
    count = 0 if mask is None else int(mask.sum())
    return count * step**3 * subject.scale**3 * subject.breadth


def _whole_bounds(box, shank: bool, subject: Subject) -> NDArray[np.float64]:
    unit = Affine(np.zeros(3), np.eye(3), (1, 1, 1))
    return box_bounds(unit, [(box, shank)], subject)[0].T


def _window(bounds: NDArray[np.float64], shape) -> tuple[slice, slice] | None:
    if bounds[0, 1] < 0 or bounds[0, 0] > shape[0] - 1:
        return None
    top, bottom = max(int(bounds[1, 0]), 0), min(int(bounds[1, 1]) + 2, shape[1])
    left, right = max(int(bounds[2, 0]), 0), min(int(bounds[2, 1]) + 2, shape[2])
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None
