"""The whole knee: its parts, where each can lie, and the order they are painted in.

Later parts are painted over earlier ones: meniscus, then cartilage, then cortex, then marrow, so that the condyle
carves the meniscus into a wedge. Each part is computed only in the window of the picture that its bounding box covers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core.phantom import anatomy_bones as bones
from mrnet_core.phantom import anatomy_joint as joint
from mrnet_core.phantom import anatomy_soft as soft
from mrnet_core.phantom.anatomy_shapes import Field, capsule, capsule_box
from mrnet_core.phantom.anatomy_space import IN_BONE, KNEECAP, Space, Subject, Tissue, Window, among, shank_frame

__all__ = ["STRUCTURES", "Affine", "Knee", "Space", "Subject", "Tissue", "structure_masks"]

STRUCTURES = ("acl", "medial meniscus", "lateral meniscus", "pcl", "cartilage", "fluid", "patella", "bone")
"""Structures a mask can be had of."""
Box = tuple[float, ...]


@dataclass(frozen=True)
class Affine:
    """Knee coordinates of voxel indices: ``origin + index @ steps`` (mm; steps: one row an index axis)."""

    origin: NDArray[np.float64]
    steps: NDArray[np.float64]
    shape: tuple[int, int, int]
    _made: dict[str, list[torch.Tensor]] = field(default_factory=dict, repr=False, compare=False)

    def points(
        self, slices: NDArray[np.float64], jitter=0.0, device: torch.device | str = "cpu"
    ) -> tuple[torch.Tensor, ...]:
        """(x, y, z) of the voxels at fractional slice indices, ``(n, H, W)``; ``jitter`` adds to the index."""
        k = torch.tensor(np.asarray(slices, np.float32), device=device)[:, None, None]
        k = k + torch.as_tensor(jitter, dtype=torch.float32, device=device)
        return tuple(
            torch.add(plane, k, alpha=float(step))
            for plane, step in zip(self._planes(str(device)), self.steps[0], strict=True)
        )

    def _planes(self, device: str) -> list[torch.Tensor]:
        """Coordinates of slice 0, ``(1, H, W)`` each, made once for a device."""
        if device not in self._made:
            i, j = (torch.arange(size, dtype=torch.float64, device=device) for size in self.shape[1:])
            self._made[device] = [
                (i[:, None] * down + float(origin) + j * across)[None].to(torch.float32)
                for origin, down, across in zip(self.origin, *self.steps[1:].tolist(), strict=True)
            ]
        return self._made[device]

    def bounds(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Index bounds ``(n, 3, 2)`` of boxes given by their corners ``(n, 8, 3)``."""
        index = (boxes - self.origin) @ np.linalg.inv(self.steps)
        return np.stack([index.min(axis=1), index.max(axis=1)], axis=-1)


@dataclass(frozen=True)
class Part:
    """A structure: where it can lie and what paints it."""

    box: Box
    shank: bool = False
    """The box is in the shank's frame."""
    paint: Callable[[Space], None] | None = None
    """None: painted together with others."""


class Knee:
    """A subject's knee, ready to be painted slice by slice."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.soft = soft.Soft(subject)
        self.rods = [joint.patellar_tendon(subject), joint.quadriceps_tendon(subject), *joint.cords(subject)]
        self.groups = self._groups()
        """In the order they are painted."""
        self.parts = [part for group in self.groups.values() for part in group]

    def _groups(self) -> dict[str, list[Part]]:
        s = self.subject
        return {
            "bellies": [Part(b.box) for b in self.soft.upper] + [Part(b.box, True) for b in self.soft.lower],
            "vessels": [
                Part(vessel.box, False, lambda space, v=vessel, t=tissue: soft.paint_vessel(space, v, t))
                for vessel, tissue in self.soft.vessels
            ],
            "twigs": [Part(capsule_box(*twig)) for twig in self.soft.twigs],
            "notch": [Part(joint.NOTCH_BOX, False, lambda space: joint.paint_notch(space, s))],
            "joint": [
                Part(bones.FEMUR_BOX),
                Part(bones.TIBIA_BOX, True),
                *(Part(box, True) for box in joint.RIM_BOX.values()),
            ],
            "organs": [
                Part(bones.FIBULA_BOX, True, lambda space: bones.paint_fibula(space, s)),
                Part(bones.PATELLA_BOX, False, lambda space: bones.paint_patella(space, s)),
                Part(joint.PCL_BOX, False, lambda space: joint.paint_cruciates(space, s, Tissue.PCL)),
                Part(joint.ACL_BOX, False, lambda space: joint.paint_cruciates(space, s, Tissue.ACL)),
                Part(joint.MCL_BOX, False, lambda space: joint.paint_band(space, joint.mcl(space), Tissue.LIGAMENT)),
                Part(joint.ITB_BOX, False, lambda space: joint.paint_band(space, joint.iliotibial_band(space))),
            ],
            "rods": [Part(capsule_box(*rod)) for rod in self.rods],
        }

    def windows(self, affine: Affine, parts: list[Part]) -> NDArray[np.float64]:
        """Index bounds ``(n, 3, 2)`` of parts on a lattice of voxels."""
        return box_bounds(affine, [(part.box, part.shank) for part in parts], self.subject)

    def paint(self, space: Space, at: Callable[[int], Window]) -> None:
        """Paint the healthy knee into ``space``; ``at(n)``: the window of part n, None: not here."""
        windows = map(at, range(len(self.parts)))
        here = {name: list(islice(windows, len(group))) for name, group in self.groups.items()}
        fascia = soft.paint_leg(space, self.subject)
        cuts = [(part.shank, cut) for part, cut in zip(self.groups["bellies"], here["bellies"], strict=True)]
        soft.paint_muscles(space, fascia, self.soft, self.subject, cuts)
        _paint(space, self.groups["vessels"], here["vessels"])
        soft.paint_twigs(space, self.soft.twigs, here["twigs"])
        _paint(space, self.groups["notch"], here["notch"])
        self._paint_joint(space, *here["joint"])
        _paint(space, self.groups["organs"], here["organs"])
        joint.paint_band(space, nearest_rod(space, self.rods, here["rods"]))

    def _paint_joint(self, space: Space, thigh: Window, shin: Window, *menisci: Window) -> None:
        """Film, menisci, cartilage and bone of femur and tibia, in the order that carves the menisci."""
        s = self.subject
        if thigh is not None:
            upper = space.crop(thigh)
            femur, cartilage = bones.femur(upper, s), bones.femoral_cartilage(upper, s)
            joint.paint_film(upper, femur, cartilage, s)
        for which, window in zip(joint.MENISCI, menisci, strict=True):
            if window is not None:
                joint.paint_meniscus(space.crop(window), which, s)
        if thigh is not None:
            bones.paint_femur(upper, femur, cartilage, s)
        if shin is not None:
            lower = space.crop(shin)
            bones.paint_tibia(lower, bones.tibia(lower, s), s)


def _paint(space: Space, parts: list[Part], windows: list[Window]) -> None:
    for part, window in zip(parts, windows, strict=True):
        if window is not None:
            part.paint(space.crop(window))


def nearest_rod(space: Space, rods: list[tuple], windows: list[Window]) -> Field:
    """Signed distance to the nearest of many rods (arguments of ``capsule``), each looked for in its window only."""
    nearest = torch.full_like(space.x, 9)
    for rod, cut in zip(rods, windows, strict=True):
        if cut is not None:
            part = nearest[cut]
            torch.minimum(part, capsule(space.x[cut], space.y[cut], space.z[cut], *rod), out=part)
    return nearest


def box_bounds(affine: Affine, boxes: list[tuple[Box, bool]], subject: Subject) -> NDArray[np.float64]:
    """Index bounds ``(n, 3, 2)`` of boxes, each in the whole knee's frame or (True) the shank's."""
    corners = np.array([_corners(box) for box, _ in boxes], float).reshape(len(boxes), 8, 3)
    for n, (_, shank) in enumerate(boxes):
        if shank:
            corners[n] = _unbend(corners[n], subject)
    return affine.bounds(corners)


def structure_masks(tissue: torch.Tensor, fluid_tissue: torch.Tensor) -> dict[str, torch.Tensor]:
    """Where each of ``STRUCTURES`` is, from the healthy tissue; fluid from the tissue with its lesions."""
    kneecap = among(tissue, KNEECAP)
    return {
        "acl": among(tissue, (Tissue.ACL,)),
        "medial meniscus": among(tissue, (Tissue.MEDIAL_MENISCUS,)),
        "lateral meniscus": among(tissue, (Tissue.LATERAL_MENISCUS,)),
        "pcl": among(tissue, (Tissue.PCL,)),
        "cartilage": among(tissue, (Tissue.CARTILAGE,)),
        "fluid": among(fluid_tissue, (Tissue.FLUID,)),
        "patella": kneecap,
        "bone": among(tissue, IN_BONE) & ~kneecap,
    }


def _corners(box: Box) -> list[tuple[float, float, float]]:
    return [(x, y, z) for x in box[0:2] for y in box[2:4] for z in box[4:6]]


def _unbend(corners: NDArray[np.float64], subject: Subject) -> NDArray[np.float64]:
    """Whole-knee coordinates of points of the shank's frame."""
    zero = np.array(shank_frame(0.0, 0.0, subject))
    columns = np.array([shank_frame(1.0, 0.0, subject), shank_frame(0.0, 1.0, subject)]) - zero
    flat = (corners[:, 1:] - zero) @ np.linalg.inv(columns)
    return np.column_stack([corners[:, 0], flat])
