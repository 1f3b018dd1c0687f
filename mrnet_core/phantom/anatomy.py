"""The whole knee: its parts, where each can lie, and the order they are painted in.

Later parts are painted over earlier ones: meniscus, then cartilage, then cortex, then marrow, so that the condyle
carves the meniscus into a wedge. Each part is computed only in the window of the picture that its bounding box covers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.phantom import anatomy_bones as bones
from mrnet_core.phantom import anatomy_joint as joint
from mrnet_core.phantom import anatomy_soft as soft
from mrnet_core.phantom.anatomy_shapes import capsule_box
from mrnet_core.phantom.anatomy_space import IS_BONE, KNEECAP, Space, Subject, Tissue, shank_frame

__all__ = ["STRUCTURES", "Affine", "Knee", "Space", "Subject", "Tissue", "structure_masks"]

STRUCTURES = ("acl", "medial meniscus", "lateral meniscus", "pcl", "cartilage", "fluid", "patella", "bone")
"""Structures a mask can be had of."""
Box = tuple[float, ...]
Window = tuple[slice, slice] | None


@dataclass(frozen=True)
class Affine:
    """Knee coordinates of voxel indices: ``origin + index @ steps`` (mm; steps: one row an index axis)."""

    origin: NDArray[np.float64]
    steps: NDArray[np.float64]
    shape: tuple[int, int, int]

    def points(self, slices: NDArray[np.float64], jitter=0.0) -> tuple[NDArray[np.float32], ...]:
        """(x, y, z) of the voxels at fractional slice indices, arrays ``(n, H, W)``; ``jitter`` adds to the index."""
        _, height, width = self.shape
        k = np.asarray(slices, np.float32)[:, None, None] + np.float32(jitter)
        i, j = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
        found = []
        for axis in range(3):
            plane = (self.origin[axis] + i * self.steps[1, axis] + j * self.steps[2, axis]).astype(np.float32)
            found.append(plane + k * np.float32(self.steps[0, axis]))
        return tuple(found)

    def bounds(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Index bounds ``(n, 3, 2)`` of boxes given by their corners ``(n, 8, 3)``."""
        index = (boxes - self.origin) @ np.linalg.inv(self.steps)
        return np.stack([index.min(axis=1), index.max(axis=1)], axis=-1)


@dataclass(frozen=True)
class Part:
    """A structure: where it can lie and what paints it."""

    box: Box
    shank: bool
    paint: Callable[[Space], None]


class Knee:
    """A subject's knee, ready to be painted slice by slice."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.soft = soft.Soft(subject)
        bellies = [Part(b.box, False, _nothing) for b in self.soft.upper]
        bellies += [Part(b.box, True, _nothing) for b in self.soft.lower]
        self.bellies = bellies
        self.before, self.after = self._parts()
        fixed = [Part(bones.FEMUR_BOX, False, _nothing), Part(bones.TIBIA_BOX, True, _nothing)]
        self.parts = [*bellies, *self.before, *fixed, *self.after]

    def _parts(self) -> tuple[list[Part], list[Part]]:
        s = self.subject
        before = [
            Part(vessel.box, False, lambda space, v=vessel, t=tissue: soft.paint_vessel(space, v, t))
            for vessel, tissue in self.soft.vessels
        ]
        before += [
            Part(soft.twig_box(twig), False, lambda space, t=twig: soft.paint_twig(space, t))
            for twig in self.soft.twigs
        ]
        before.append(Part(joint.NOTCH_BOX, False, lambda space: joint.paint_notch(space, s)))
        after = [
            Part(bones.FIBULA_BOX, True, lambda space: bones.paint_fibula(space, s)),
            Part(bones.PATELLA_BOX, False, lambda space: bones.paint_patella(space, s)),
            Part(joint.PCL_BOX, False, lambda space: joint.paint_cruciates(space, s, Tissue.PCL)),
            Part(joint.ACL_BOX, False, lambda space: joint.paint_cruciates(space, s, Tissue.ACL)),
            Part(joint.MCL_BOX, False, lambda space: space.put((joint.mcl(space) < 0) & space.soft(), Tissue.LIGAMENT)),
            Part(
                joint.ITB_BOX,
                False,
                lambda space: space.put((joint.iliotibial_band(space) < 0) & space.soft(), Tissue.TENDON),
            ),
        ]
        for rod in (joint.patellar_tendon(s), joint.quadriceps_tendon(s), *joint.cords(s)):
            after.append(Part(capsule_box(*rod), False, lambda space, r=rod: joint.paint_tendon(space, r)))
        return before, after

    def windows(self, affine: Affine, parts: list[Part]) -> NDArray[np.float64]:
        """Index bounds ``(n, 3, 2)`` of parts on a lattice of voxels."""
        return box_bounds(affine, [(part.box, part.shank) for part in parts], self.subject)

    def paint(self, space: Space, at: Callable[[int], Window]) -> None:
        """Paint the healthy knee into ``space``; ``at(n)``: the window of part n, None: not here."""
        s, count = self.subject, len(self.bellies)
        fascia = soft.paint_leg(space, s)
        cuts = [(part.shank, _cut(at(n))) for n, part in enumerate(self.bellies)]
        soft.paint_muscles(space, fascia, self.soft, s, cuts)
        for n, part in enumerate(self.before, count):
            window = at(n)
            if window is not None:
                part.paint(space.crop(_cut(window)))
        bones_at = count + len(self.before)
        self._paint_joint(space, at(bones_at), at(bones_at + 1))
        for n, part in enumerate(self.after, bones_at + 2):
            window = at(n)
            if window is not None:
                part.paint(space.crop(_cut(window)))

    def _paint_joint(self, space: Space, thigh: Window, shin: Window) -> None:
        """Film, menisci, cartilage and bone of femur and tibia, in the order that carves the menisci."""
        s = self.subject
        upper = lower = None
        if thigh is not None:
            upper = space.crop(_cut(thigh))
            femur = bones.femur(upper, s)
            joint.paint_film(upper, femur, s)
        if shin is not None:
            lower = space.crop(_cut(shin))
            tibia = bones.tibia(lower, s)
            flat = (np.abs(lower.sz) < 11)[0].any(axis=1)
            rows = np.flatnonzero(flat)
            if rows.size:
                near = lower.crop((slice(None), slice(rows[0], rows[-1] + 1)))
                for which in joint.MENISCI:
                    joint.paint_meniscus(near, which, s)
        if upper is not None:
            bones.paint_femur(upper, femur, s)
        if lower is not None:
            bones.paint_tibia(lower, tibia, s)


def box_bounds(affine: Affine, boxes: list[tuple[Box, bool]], subject: Subject) -> NDArray[np.float64]:
    """Index bounds ``(n, 3, 2)`` of boxes, each in the whole knee's frame or (True) the shank's."""
    corners = np.array([_corners(box) for box, _ in boxes], float).reshape(len(boxes), 8, 3)
    for n, (_, shank) in enumerate(boxes):
        if shank:
            corners[n] = _unbend(corners[n], subject)
    return affine.bounds(corners)


def structure_masks(tissue: NDArray[np.uint8], fluid_tissue: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Where each of ``STRUCTURES`` is, from the healthy tissue; fluid from the tissue with its lesions."""
    kneecap = np.isin(tissue, KNEECAP)
    return {
        "acl": tissue == Tissue.ACL,
        "medial meniscus": tissue == Tissue.MEDIAL_MENISCUS,
        "lateral meniscus": tissue == Tissue.LATERAL_MENISCUS,
        "pcl": tissue == Tissue.PCL,
        "cartilage": tissue == Tissue.CARTILAGE,
        "fluid": fluid_tissue == Tissue.FLUID,
        "patella": kneecap,
        "bone": IS_BONE[tissue] & ~kneecap,
    }


def _corners(box: Box) -> list[tuple[float, float, float]]:
    return [(x, y, z) for x in box[0:2] for y in box[2:4] for z in box[4:6]]


def _unbend(corners: NDArray[np.float64], subject: Subject) -> NDArray[np.float64]:
    """Whole-knee coordinates of points of the shank's frame."""
    zero = np.array(shank_frame(0.0, 0.0, subject))
    columns = np.array([shank_frame(1.0, 0.0, subject), shank_frame(0.0, 1.0, subject)]) - zero
    flat = (corners[:, 1:] - zero) @ np.linalg.inv(columns)
    return np.column_stack([corners[:, 0], flat])


def _cut(window: Window) -> tuple[slice, ...] | None:
    return None if window is None else (slice(None), *window)


def _nothing(space: Space) -> None:
    """Parts that ``Knee.paint`` paints itself."""
