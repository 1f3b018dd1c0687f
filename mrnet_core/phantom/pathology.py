"""Lesions painted into a knee, each with its mask: ACL tear, meniscal tear, effusion, marrow oedema.

Plain on purpose: this first phantom is there to be learned from scratch. Any lesion makes the exam abnormal (the paper's
definition); effusion and oedema come with and without tears, so that company alone gives no tear away for certain.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Task
from mrnet_core.phantom.anatomy import (
    ACL_FEMUR,
    ACL_TIBIA,
    MENISCUS_CENTRE,
    Points,
    Subject,
    Tissue,
    acl,
    capsule,
    ellipsoid,
    flexed,
    meniscus,
)

PATHOLOGIES = ("normal", "acl", "meniscus", "both", "other")
"""What an exam can be asked for; ``other`` is abnormal without a tear."""


@dataclass(frozen=True)
class Lesion:
    """One lesion: its type in words, and its extent in mm (meaning stated by type)."""

    type: str
    """``acl tear``, ``meniscal tear``, ``effusion``, ``marrow oedema`` or ``popliteal cyst``."""
    place: str
    extent: float
    where: tuple[float, ...] = field(default=())


def labels_of(lesions: tuple[Lesion, ...]) -> dict[Task, bool]:
    """The three labels by the paper's definitions."""
    types = {lesion.type for lesion in lesions}
    return {
        Task.ABNORMAL: bool(types),
        Task.ACL: "acl tear" in types,
        Task.MENISCUS: "meniscal tear" in types,
    }


def draw_lesions(generator: np.random.Generator, pathology: str) -> tuple[Lesion, ...]:
    """Lesions of an exam of the given ``pathology`` (one of ``PATHOLOGIES``)."""
    g = generator
    lesions: list[Lesion] = []
    if pathology in ("acl", "both"):
        lesions.append(
            Lesion(
                "acl tear", "anterior cruciate ligament", float(g.uniform(9.0, 13.0)), (float(g.uniform(0.35, 0.65)),)
            )
        )
    if pathology in ("meniscus", "both"):
        which = "medial" if g.random() < 0.62 else "lateral"
        angle = float(g.uniform(35, 75) if g.random() < 0.75 else g.uniform(-60, 20))
        lesions.append(Lesion("meniscal tear", f"{which} meniscus", float(g.uniform(7.5, 11.0)), (angle,)))
    tears = bool(lesions)
    if pathology == "other" or (tears and g.random() < 0.45):
        kinds = ["effusion", "marrow oedema", "popliteal cyst"]
        count = 1 + int(g.random() < 0.4)
        for kind in g.choice(kinds, size=count, replace=False, p=(0.45, 0.4, 0.15)):
            lesions.append(_other(g, str(kind)))
    return tuple(lesions)


def _other(g: np.random.Generator, kind: str) -> Lesion:
    if kind == "effusion":
        return Lesion(kind, "joint and suprapatellar recess", float(g.uniform(7.0, 12.0)))
    if kind == "popliteal cyst":
        return Lesion(kind, "medial popliteal fossa", float(g.uniform(8.0, 13.0)))
    place = ("lateral femoral condyle", "medial femoral condyle", "lateral tibial plateau", "medial tibial plateau")
    side = int(g.integers(4))
    x = 22.0 if side % 2 == 0 else -22.0
    z = 16.0 if side < 2 else -14.0
    where = (x + float(g.normal(0, 3)), float(g.uniform(-6, 18)), z + float(g.normal(0, 2)))
    return Lesion(kind, place[side], float(g.uniform(9.0, 14.0)), where)


def paint_lesions(
    tissue: NDArray[np.uint8], points: Points, subject: Subject, lesions: tuple[Lesion, ...]
) -> list[NDArray[np.bool_]]:
    """Paint each lesion into ``tissue`` (in place); returns one mask a lesion, of the points' shape."""
    x, y, z = (np.asarray(axis, np.float32) / np.float32(subject.scale) for axis in points)
    whole, shank = (x, y, z), flexed((x, y, z), subject.flexion)
    painters = {
        "acl tear": _paint_acl_tear,
        "meniscal tear": _paint_meniscal_tear,
        "effusion": _paint_effusion,
        "marrow oedema": _paint_oedema,
        "popliteal cyst": _paint_cyst,
    }
    masks = []
    # Fluid first: a torn ligament is seen through an effusion.
    order = sorted(range(len(lesions)), key=lambda n: lesions[n].type not in ("effusion", "popliteal cyst"))
    painted = {}
    for n in order:
        painted[n] = painters[lesions[n].type](tissue, whole, shank, lesions[n])
    masks = [painted[n] for n in range(len(lesions))]
    return masks


def _soft(tissue: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (tissue != Tissue.CORTEX) & (tissue != Tissue.MARROW) & (tissue != Tissue.AIR)


def _paint_acl_tear(tissue, whole: Points, shank: Points, lesion: Lesion) -> NDArray[np.bool_]:
    """A swollen, bright mass where the middle of the ligament was; stumps remain."""
    middle = ACL_FEMUR + lesion.where[0] * (ACL_TIBIA - ACL_FEMUR)
    axis = (ACL_TIBIA - ACL_FEMUR) / np.linalg.norm(ACL_TIBIA - ACL_FEMUR)
    half = lesion.extent
    mass = capsule(whole, middle - axis * half * 0.8, middle + axis * half * 0.8, lesion.extent * 0.85)
    mask = (mass < 0) & _soft(tissue) & (tissue != Tissue.LIGAMENT) & (tissue != Tissue.CARTILAGE)
    tissue[mask] = Tissue.TORN_ACL
    # Torn fibres: dark strands that no longer run from end to end.
    strands = (acl(whole) < -1.5) & mask & (np.sin(whole[0] * 2.1 + whole[2] * 1.3) > 0.75)
    tissue[strands] = Tissue.LIGAMENT
    return mask


def _paint_meniscal_tear(tissue, whole: Points, shank: Points, lesion: Lesion) -> NDArray[np.bool_]:
    """A wide cleft of fluid signal through the wedge, with fluid and a swollen rim beside it."""
    which = lesion.place.split()[0]
    x, y, z = shank
    cx, cy = MENISCUS_CENTRE[which]
    outward = -1.0 if which == "medial" else 1.0
    angle = np.deg2rad(lesion.where[0])
    px, py = cx + outward * 13.0 * np.cos(angle), cy + 17.0 * np.sin(angle)
    near = ellipsoid(shank, (px, py, -0.3), (lesion.extent * 1.15, lesion.extent * 1.3, 6.5))
    wedge = meniscus(shank, which)
    cleft = (near < 0) & (wedge < 2.0) & (np.abs(z + 0.3 - 0.25 * (y - py)) < 3.4)
    cyst = ellipsoid(
        shank, (px + outward * 5.5 * np.cos(angle), py + 6.5 * np.sin(angle), -0.3), (5.5, 6.5, lesion.extent * 0.75)
    )
    mask = (cleft | (cyst < 0)) & _soft(tissue)
    tissue[mask] = Tissue.TEAR
    return mask


def _paint_effusion(tissue, whole: Points, shank: Points, lesion: Lesion) -> NDArray[np.bool_]:
    """Fluid in the suprapatellar recess and beside the condyles."""
    pouch = ellipsoid(whole, (0, -32, 46), (27, lesion.extent, 26))
    gutters = np.minimum(
        ellipsoid(whole, (36, -14, 16), (4.5, 18, lesion.extent + 8)),
        ellipsoid(whole, (-36, -14, 16), (4.5, 18, lesion.extent + 8)),
    )
    free = _soft(tissue) & ~np.isin(tissue, (Tissue.SKIN, Tissue.LIGAMENT, Tissue.CARTILAGE))
    mask = (np.minimum(pouch, gutters) < 0) & free
    tissue[mask] = Tissue.FLUID
    return mask


def _paint_oedema(tissue, whole: Points, shank: Points, lesion: Lesion) -> NDArray[np.bool_]:
    """A patch of oedema in the marrow."""
    space = whole if lesion.where[2] > 0 else shank
    patch = ellipsoid(space, lesion.where, (lesion.extent, lesion.extent * 1.1, lesion.extent * 0.9))
    x, y, z = space
    patch = patch + 1.6 * np.sin(x * 0.5) * np.sin(y * 0.6) * np.sin(z * 0.55)
    mask = (patch < 0) & (tissue == Tissue.MARROW)
    tissue[mask] = Tissue.OEDEMA
    return mask


def _paint_cyst(tissue, whole: Points, shank: Points, lesion: Lesion) -> NDArray[np.bool_]:
    """A cyst between semimembranosus and the medial gastrocnemius."""
    cyst = ellipsoid(whole, (-14, 40, 4), (lesion.extent * 0.8, lesion.extent * 0.7, lesion.extent * 1.7))
    mask = (cyst < 0) & _soft(tissue) & (tissue != Tissue.SKIN)
    tissue[mask] = Tissue.FLUID
    return mask
