"""Where points lie in the knee, what they can be made of, and whose knee it is.

Knee coordinates, in mm of the mean subject: ``x`` towards the lateral side, ``y`` posterior, ``z`` towards the head;
the joint line is z = 0. A left and a right knee share them; ``acquisition`` mirrors ``x`` into the patient's left or
right.
The tibia, the menisci and the calf are drawn in the shank's frame (x, sy, sz), turned about the condyles by flexion.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import torch

from mrnet_core.phantom.anatomy_shapes import Field, look_up, z_index
from mrnet_core.phantom.anatomy_texture import SIDE, tile_index, tiles

PIVOT = (6.0, 23.0)
"""Axis of flexion, (y, z): through the centres of the condyles."""


Window = tuple[slice, slice, slice] | None
"""Along samples, rows and columns; None: nothing there."""


class Tissue(IntEnum):
    """What a point is made of; ``physics`` knows each one's proton density and relaxation times."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTEX = 4
    MARROW = 5
    CARTILAGE = 6
    MEDIAL_MENISCUS = 7
    LATERAL_MENISCUS = 8
    LIGAMENT = 9
    TENDON = 10
    ACL = 11
    PCL = 12
    FLUID = 13
    SYNOVIUM = 14
    FASCIA = 15
    ARTERY = 16
    VEIN = 17
    NERVE = 18
    KNEECAP_CORTEX = 19
    KNEECAP_MARROW = 20
    RED_MARROW = 21
    SCLEROSIS = 22
    OEDEMA = 23
    CONTUSION = 24
    TORN_FIBRES = 25
    MUCOID = 26
    TEAR = 27
    DEGENERATION = 28
    SOFT_OEDEMA = 29
    SCAR = 30
    GANGLION = 31
    FILM = 32
    """The film of fluid on cartilage, thinner than any voxel: fluid and its neighbours mixed."""


BONE = (Tissue.CORTEX, Tissue.MARROW, Tissue.RED_MARROW, Tissue.SCLEROSIS)
KNEECAP = (Tissue.KNEECAP_CORTEX, Tissue.KNEECAP_MARROW)
IN_BONE = (*BONE, *KNEECAP, Tissue.OEDEMA, Tissue.CONTUSION)
"""Tissues inside a bone."""


@dataclass(frozen=True)
class Subject:
    """One person's knee: proportions drawn once, in mm unless said."""

    scale: float
    """Overall size, 1 = the mean man."""
    breadth: float
    """Width for its height, 1 = the mean."""
    fat: float
    """Thickness of the subcutaneous fat at its thickest."""
    flexion: float
    """Degrees of flexion."""
    drawer: float
    """mm by which the tibia stands forward of its place."""
    muscle: float
    """Muscle bulk, 1 = the mean."""
    streaks: float
    """Fat within the muscles, 0 to 1: rises with age."""
    notch: float
    """Width of the intercondylar notch, 1 = the mean."""
    patella: float
    """Height of the patella above its mean."""
    cartilage: float
    """Thickness of the articular cartilage."""
    meniscus: float
    """Width of the menisci, 1 = the mean."""
    fluid: float
    """Normal joint fluid, 0 to 1."""
    red_marrow: float
    """Share of the metaphyses that is red marrow, 0 to 1: falls with age, higher in women."""
    physis: float
    """How plain the scar of the growth plate is, 0 to 1."""
    offset: tuple[float, float, float]
    """Where the knee lies in the scanner: (lateral, posterior, head)."""
    turn: tuple[float, float, float]
    """How the leg is turned in the scanner: degrees about the lateral, posterior and long axis."""
    wander: tuple[float, ...]
    """Small displacements (standard normal) that shape bellies, vessels and septa."""
    tile: tuple[int, int, int]
    """Shift of the texture, voxels."""

    @classmethod
    def draw(cls, generator: np.random.Generator, age: int, sex: str) -> "Subject":
        """A subject of ordinary variation for age (years) and sex (``F`` or ``M``)."""
        g = generator
        woman = sex == "F"
        old = float(np.clip((age - 20) / 50, 0, 1))
        return cls(
            scale=float(np.clip(g.normal(0.92 if woman else 1.0, 0.035), 0.84, 1.08)),
            breadth=float(np.clip(g.normal(0.98 if woman else 1.0, 0.02), 0.93, 1.05)),
            fat=float(np.clip(g.gamma(9.0, 1.25 if woman else 0.85), 3.5, 19.0)),
            flexion=float(np.clip(g.normal(5.0, 4.0), -2.0, 14.0)),
            drawer=0.0,
            muscle=float(np.clip(g.normal(0.96 if woman else 1.03, 0.07), 0.8, 1.18)),
            streaks=float(np.clip(g.normal(0.2 + 0.5 * old, 0.15), 0, 1)),
            notch=float(np.clip(g.normal(0.96 if woman else 1.02, 0.08), 0.8, 1.2)),
            patella=float(np.clip(g.normal(0.0, 2.5), -6, 6)),
            cartilage=float(np.clip(g.normal(2.45 - 0.35 * old, 0.22), 1.5, 3.0)),
            meniscus=float(np.clip(g.normal(1.0, 0.07), 0.85, 1.15)),
            fluid=float(g.uniform(0.1, 0.8)),
            red_marrow=float(np.clip(g.normal(0.5 - 0.5 * old + 0.2 * woman, 0.2), 0, 1)),
            physis=float(np.clip(g.normal(0.9 - 0.6 * old, 0.25), 0, 1)),
            offset=(float(g.normal(0, 4)), float(g.normal(0, 4)), float(g.normal(0, 5))),
            turn=(float(g.normal(0, 1.5)), float(g.normal(0, 2.5)), float(g.normal(4, 5))),
            wander=tuple(float(value) for value in g.normal(0, 1, 96)),
            tile=tuple(int(value) for value in g.integers(0, 128, 3)),
        )


@dataclass(frozen=True, eq=False)
class Space:
    """Points of the knee, tensors ``(n, rows, columns)`` on one device: whole-knee and shank coordinates in mm."""

    x: Field
    y: Field
    z: Field
    sy: Field
    sz: Field
    row: torch.Tensor
    """Table rows (``z_index``) of z, int32."""
    shank_row: torch.Tensor
    """Table rows of sz."""
    voxel: torch.Tensor
    """Voxel of the texture tiles, int32."""
    tissue: torch.Tensor
    """uint8, painted in place."""

    @classmethod
    def at(cls, x: Field, y: Field, z: Field, subject: Subject) -> "Space":
        """An unpainted space of points given in whole-knee coordinates."""
        sy, sz = shank_frame(y, z, subject)
        return cls(
            *(x, y, z, sy, sz, z_index(z), z_index(sz)),
            tile_index(x, y, z, subject.tile),
            torch.zeros(x.shape, dtype=torch.uint8, device=x.device),
        )

    def crop(self, cut: tuple[slice, ...]) -> "Space":
        """The part of the space in a window; it shares memory."""
        return Space(*(getattr(self, name)[cut] for name in self.__dataclass_fields__))

    def put(self, where: torch.Tensor, tissue: Tissue) -> None:
        """Paint a tissue where ``where`` holds."""
        # In bytes: twenty times as fast on a CPU as masked_fill_.
        self.tissue.mul_((~where).view(torch.uint8)).add_(where.view(torch.uint8), alpha=int(tissue))

    def among(self, tissues: tuple[Tissue, ...]) -> torch.Tensor:
        """Where the tissue is one of ``tissues``."""
        return among(self.tissue, tissues)

    def soft(self) -> torch.Tensor:
        """Inside the leg and not bone."""
        return ~among(self.tissue, (Tissue.AIR, *IN_BONE))

    def texture(self, tile: int) -> Field:
        """A texture tile's noise (``anatomy_texture``) at the points."""
        return look_up(tiles(str(self.voxel.device))[tile * SIDE**3 : (tile + 1) * SIDE**3], self.voxel)


def among(tissue: torch.Tensor, tissues: tuple[Tissue, ...]) -> torch.Tensor:
    """Where a painting's tissue is one of ``tissues``."""
    found = None
    for first, length in _runs(tissues):
        # Bytes wrap below 0, so that one comparison finds a run of values.
        one = (tissue - first if first else tissue.clone()).lt_(length).view(torch.bool)
        found = one if found is None else found.logical_or_(one)
    return found


@cache
def _runs(tissues: tuple[Tissue, ...]) -> list[tuple[int, int]]:
    """(first value, length) of each run of successive values."""
    values = sorted({int(tissue) for tissue in tissues})
    firsts = [value for value in values if value - 1 not in values]
    return [(first, next(n for n in range(1, 99) if first + n not in values)) for first in firsts]


def shank_frame(y, z, subject: Subject):
    """(sy, sz) of points: the shank turned by flexion and moved by the drawer."""
    angle = np.deg2rad(subject.flexion)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    dy, dz = y - PIVOT[0], z - PIVOT[1]
    return dy * c + dz * s + (PIVOT[0] + subject.drawer), dz * c - dy * s + PIVOT[1]


def from_shank(point, subject: Subject) -> tuple[float, float, float]:
    """Whole-knee coordinates of a point of the shank's frame."""
    angle = np.deg2rad(subject.flexion)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    dy, dz = point[1] - PIVOT[0] - subject.drawer, point[2] - PIVOT[1]
    return float(point[0]), dy * c - dz * s + PIVOT[0], dy * s + dz * c + PIVOT[1]
