"""A knee as implicit functions in three dimensions, painted as tissues.

Knee coordinates, in mm: ``x`` towards the lateral side, ``y`` posterior, ``z`` towards the head; the joint line is z = 0.
A left and a right knee share these coordinates; ``acquisition`` mirrors ``x`` into the patient's left or right.
Shapes are simple (ellipsoids, capsules, wedges) and synthetic; a later phantom may replace them behind ``paint``.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class Tissue(IntEnum):
    """What a point is made of; ``physics`` knows each one's proton density and relaxation times."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTEX = 4
    MARROW = 5
    CARTILAGE = 6
    MENISCUS = 7
    LIGAMENT = 8
    ACL = 9
    FLUID = 10
    VESSEL = 11
    TORN_ACL = 12
    TEAR = 13
    OEDEMA = 14
    SYNOVIUM = 15


@dataclass(frozen=True)
class Subject:
    """One person's knee: proportions drawn once, in mm unless said."""

    scale: float
    """Overall size, 1 = the mean."""
    fat: float
    """Thickness of the subcutaneous fat."""
    flexion: float
    """Degrees of flexion of the tibia about the joint line."""
    muscle: float
    """Muscle bulk, 1 = the mean."""
    notch: float
    """Width of the intercondylar notch, 1 = the mean."""
    patella: float
    """Height of the patella above its mean."""
    cartilage: float
    """Thickness of the articular cartilage."""
    fluid: float
    """Normal joint fluid, 0 to 1."""
    offset: tuple[float, float, float]
    """Where the knee lies in the scanner: (lateral, posterior, head)."""

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "Subject":
        """A subject of ordinary variation."""
        g = generator
        return cls(
            scale=float(np.clip(g.normal(1.0, 0.045), 0.88, 1.12)),
            fat=float(np.clip(g.gamma(9.0, 0.9), 3.0, 18.0)),
            flexion=float(np.clip(g.normal(6.0, 4.0), -2.0, 16.0)),
            muscle=float(np.clip(g.normal(1.0, 0.08), 0.8, 1.2)),
            notch=float(np.clip(g.normal(1.0, 0.08), 0.8, 1.2)),
            patella=float(np.clip(g.normal(0.0, 2.5), -6, 6)),
            cartilage=float(np.clip(g.normal(2.4, 0.3), 1.6, 3.2)),
            fluid=float(g.uniform(0.1, 0.6)),
            offset=(float(g.normal(0, 4)), float(g.normal(0, 4)), float(g.normal(0, 5))),
        )


ACL_FEMUR = np.array([8.0, 13.0, 17.0])
ACL_TIBIA = np.array([-2.0, -9.0, -3.0])
"""Ends of the ACL: medial wall of the lateral femoral condyle, anterior intercondylar tibia."""
MENISCUS_CENTRE = {"medial": (-21.0, 3.0), "lateral": (20.0, 4.0)}
"""Centres of the C shapes in the (x, y) plane."""
_MENISCUS_HALF = {"medial": (17.0, 22.0), "lateral": (17.0, 18.0)}


def ellipsoid(points: Points, centre, radii) -> NDArray[np.float32]:
    """Signed distance in mm, approximate: negative inside an axis-parallel ellipsoid."""
    x, y, z = points
    cx, cy, cz = centre
    rx, ry, rz = radii
    q = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)
    return ((q - 1) * min(radii)).astype(np.float32)


def capsule(points: Points, start, end, radius: float, flat: float = 1.0) -> NDArray[np.float32]:
    """Signed distance to a rod from ``start`` to ``end``; ``flat`` stretches it along x."""
    x, y, z = points
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    axis = end - start
    t = ((x - start[0]) * axis[0] + (y - start[1]) * axis[1] + (z - start[2]) * axis[2]) / float(axis @ axis)
    t = np.clip(t, 0, 1)
    dx = (x - start[0] - t * axis[0]) / flat
    dy, dz = y - start[1] - t * axis[1], z - start[2] - t * axis[2]
    return (np.sqrt(dx * dx + dy * dy + dz * dz) - radius).astype(np.float32)


def smooth_union(a: NDArray, b: NDArray, blend: float) -> NDArray[np.float32]:
    """Union of two shapes with a rounded seam of ``blend`` mm."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend, 0, 1)
    return (b + (a - b) * h - blend * h * (1 - h)).astype(np.float32)


def femur(points: Points, notch: float) -> NDArray[np.float32]:
    """Two condyles, metaphysis and shaft, with the notch cut out."""
    bone = smooth_union(
        ellipsoid(points, (-22, 6, 20), (17, 29, 20)), ellipsoid(points, (22, 6, 20), (17, 28, 20)), 6.0
    )
    bone = smooth_union(bone, ellipsoid(points, (0, -10, 30), (34, 19, 24)), 8.0)
    bone = smooth_union(bone, capsule(points, (0, 0, 45), (0, 2, 130), 14.0, flat=1.15), 16.0)
    return np.maximum(bone, -ellipsoid(points, (0, 20, 6), (9.5 * notch, 25, 21)))


def tibia(points: Points) -> NDArray[np.float32]:
    """Plateau with spines, metaphysis and shaft; its top lies at z = -4."""
    x, y, z = points
    head = ellipsoid((x, y, z), (0, 5, -16), (40, 27, 24))
    shaft = capsule(points, (0, 4, -30), (0, 8, -130), 14.0)
    bone = smooth_union(head, shaft, 18.0)
    bone = smooth_union(bone, ellipsoid(points, (3, -20, -40), (10, 8, 14)), 8.0)
    spines = 4.0 * np.exp(-(((np.abs(x) - 4.5) / 3.0) ** 2) - ((y - 5) / 8.0) ** 2)
    top = z + 4.0 - spines + 0.0016 * ((np.abs(x) - 21) ** 2) * (np.abs(x) < 40) * -1.0
    return np.maximum(bone, top.astype(np.float32))


def meniscus(points: Points, which: str) -> NDArray[np.float32]:
    """A C-shaped wedge, thick at its rim, open towards the middle of the joint; negative inside."""
    x, y, z = points
    cx, cy = MENISCUS_CENTRE[which]
    hx, hy = _MENISCUS_HALF[which]
    rho = np.sqrt(((x - cx) / hx) ** 2 + ((y - cy) / hy) ** 2)
    width = 0.55
    height = 0.6 + 4.4 * np.clip((rho - (1 - width)) / width, 0, 1)
    inside_rim = (rho - 1.0) * hx
    inside_edge = ((1 - width) - rho) * hx
    middle = -1.0 if which == "medial" else 1.0
    opening = (7.0 - middle * x) - 6.0 * np.clip(np.abs(y - cy) / hy - 0.55, 0, 1) * 2
    slab = np.abs(z + 0.3) - height * 0.95
    return np.maximum.reduce([inside_rim, inside_edge, slab, opening * 0.6]).astype(np.float32)


def acl(points: Points) -> NDArray[np.float32]:
    """The anterior cruciate ligament, a rod of two bundles; negative inside."""
    return capsule(points, ACL_FEMUR, ACL_TIBIA, 3.9, flat=1.2)


def pcl(points: Points) -> NDArray[np.float32]:
    """The posterior cruciate ligament, arched."""
    return np.minimum(capsule(points, (-6, 2, 13), (-3, 18, 8), 4.6), capsule(points, (-3, 18, 8), (0, 28, -12), 4.4))


def flexed(points: Points, degrees: float) -> Points:
    """Points seen from the tibia, turned by ``degrees`` about the joint's transverse axis at (y, z) = (6, 12)."""
    x, y, z = points
    a = np.float32(np.deg2rad(degrees))
    dy, dz = y - 6, z - 12
    return x, 6 + np.cos(a) * dy - np.sin(a) * dz, 12 + np.sin(a) * dy + np.cos(a) * dz


def leg(points: Points, subject: Subject) -> NDArray[np.float32]:
    """Outer surface of the skin: signed distance in mm, tapering towards foot and head."""
    x, y, z = points
    width = 49 + 0.05 * z + 30 * (subject.muscle - 1) + subject.fat * 0.6
    depth = 51 + 0.05 * np.abs(z) + subject.fat * 0.6
    q = np.sqrt((x / width) ** 2 + ((y - 4) / depth) ** 2)
    front = ellipsoid(points, (2, -40, 14 + subject.patella), (28, 20, 34)) - subject.fat * 0.35
    return smooth_union(((q - 1) * 55).astype(np.float32), front, 10.0)


def paint(points: Points, subject: Subject) -> NDArray[np.uint8]:
    """Tissue of each point. Later structures are painted over earlier ones, so that the condyles carve the menisci.

    Parameters
    ----------
    points
        Knee coordinates in mm, three float32 arrays of one shape.
    subject
        Whose knee.

    Returns
    -------
    uint8 array of ``Tissue`` values, of the points' shape.
    """
    x, y, z = (np.asarray(axis, np.float32) / np.float32(subject.scale) for axis in points)
    whole = (x, y, z)
    shank = flexed(whole, subject.flexion)
    tissue = np.zeros(x.shape, np.uint8)

    surface = leg(whole, subject)
    tissue[surface < 0] = Tissue.SKIN
    tissue[surface < -1.6] = Tissue.FAT
    muscles = _muscles(whole, shank, subject)
    tissue[(muscles < 0) & (surface < -1.6 - subject.fat)] = Tissue.MUSCLE
    _paint_joint(tissue, whole, shank, surface, subject)

    bone_femur, bone_tibia = femur(whole, subject.notch), tibia(shank)
    joint = (np.abs(z + 1) < 14) & (np.abs(x) < 46) & (np.abs(y - 4) < 40)
    for which in MENISCUS_CENTRE:
        tissue[(meniscus(shank, which) < 0) & joint] = Tissue.MENISCUS
    carved = (bone_femur < subject.cartilage) & (z < 24) & (y > -34)
    tissue[carved & ((z < 8) | (y < -18)) & (bone_femur > 0) & (np.abs(x) < 37)] = Tissue.CARTILAGE
    tissue[(bone_tibia < subject.cartilage) & (bone_tibia > 0) & (shank[2] > -7) & (np.abs(x) > 6)] = Tissue.CARTILAGE
    for bone in (bone_femur, bone_tibia, _fibula(shank)):
        tissue[bone < 0] = Tissue.CORTEX
        tissue[bone < -1.3] = Tissue.MARROW
    knee_cap = _patella(whole, subject)
    tissue[(knee_cap < subject.cartilage) & (y > -42) & (knee_cap > 0) & (np.abs(x - 2) < 18)] = Tissue.CARTILAGE
    tissue[knee_cap < 0] = Tissue.CORTEX
    tissue[knee_cap < -1.3] = Tissue.MARROW

    soft = ~np.isin(tissue, (Tissue.CORTEX, Tissue.MARROW))
    tissue[soft & (pcl(whole) < 0)] = Tissue.LIGAMENT
    tissue[soft & (acl(whole) < 0)] = Tissue.ACL
    tissue[soft & (_tendons(whole, shank, subject) < 0)] = Tissue.LIGAMENT
    return tissue


def _paint_joint(tissue, whole: Points, shank: Points, surface, subject: Subject) -> None:
    """Synovium and normal fluid of the joint, Hoffa's fat, vessels."""
    inner = surface < -4
    notch = ellipsoid(whole, (0, 10, 6), (12, 26, 17))
    tissue[(notch < 0) & inner] = Tissue.SYNOVIUM
    gap = ellipsoid(shank, (0, 4, -1), (40, 30, 6))
    tissue[(gap < 0) & inner] = Tissue.SYNOVIUM
    film = ellipsoid(shank, (0, 4, -1), (39, 29, 1.2 + 1.2 * subject.fluid))
    tissue[(film < 0) & inner] = Tissue.FLUID
    hoffa = ellipsoid(whole, (0, -30, -3), (26, 15, 22))
    tissue[(hoffa < 0) & inner] = Tissue.FAT
    pouch = ellipsoid(whole, (0, -30, 48), (20, 1.0 + 2.2 * subject.fluid, 17))
    tissue[(pouch < 0) & inner] = Tissue.FLUID
    for centre, radius in (((3.0, 40.0), 3.6), ((8.0, 44.0), 4.6)):
        vessel = np.hypot(whole[0] - centre[0], whole[1] - centre[1] - 0.03 * np.abs(whole[2])) - radius
        tissue[(vessel < 0) & inner] = Tissue.VESSEL


def _muscles(whole: Points, shank: Points, subject: Subject) -> NDArray[np.float32]:
    """Muscle bellies; the gaps between them stay fat."""
    m = subject.muscle
    bellies = (
        (whole, (-22, 26, 90), (-25, 30, 8), 19 * m, 1.0),  # semimembranosus, medial gastrocnemius
        (shank, (-20, 34, 2), (-18, 32, -110), 17 * m, 1.25),
        (shank, (21, 35, 2), (19, 33, -110), 16 * m, 1.25),  # lateral gastrocnemius
        (whole, (24, 26, 90), (31, 26, 10), 16 * m, 1.0),  # biceps femoris
        (whole, (-30, -8, 95), (-31, -14, 42), 19 * m, 1.0),  # vastus medialis
        (whole, (29, -8, 95), (30, -14, 48), 18 * m, 1.0),  # vastus lateralis
        (whole, (0, -28, 110), (0, -28, 76), 13 * m, 1.6),  # rectus and intermedius
        (shank, (24, -6, -30), (22, -2, -120), 16 * m, 1.0),  # anterior compartment
        (shank, (0, 22, -28), (0, 22, -110), 12 * m, 2.2),  # popliteus, soleus
    )
    distance = None
    for space, start, end, radius, flat in bellies:
        belly = capsule(space, start, end, radius, flat)
        distance = belly if distance is None else np.minimum(distance, belly)
    return distance


def _fibula(shank: Points) -> NDArray[np.float32]:
    return smooth_union(
        ellipsoid(shank, (34, 19, -22), (8, 8, 9)), capsule(shank, (34, 20, -28), (33, 20, -130), 5.5), 5.0
    )


def _patella(whole: Points, subject: Subject) -> NDArray[np.float32]:
    return ellipsoid(whole, (2, -46, 16 + subject.patella), (21, 9.5, 21))


def _tendons(whole: Points, shank: Points, subject: Subject) -> NDArray[np.float32]:
    """Patellar and quadriceps tendons, collateral ligaments, iliotibial band."""
    p = subject.patella
    return np.minimum.reduce(
        [
            capsule(whole, (2, -49, -2 + p), (3, -32, -42), 2.5, flat=4.0),
            capsule(whole, (2, -49, 34 + p), (0, -42, 90), 3.0, flat=4.0),
            capsule(shank, (-40, 4, 18), (-36, 2, -42), 1.5, flat=1.0),
            capsule(shank, (40, 10, 16), (36, 17, -16), 1.7, flat=1.0),
            capsule(shank, (43, -4, 60), (34, -18, -14), 1.6, flat=1.0),
        ]
    )
