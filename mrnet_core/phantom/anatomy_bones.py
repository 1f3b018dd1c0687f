"""Femur, tibia, fibula and patella with cortex, marrow, growth-plate scars and articular cartilage."""

import numpy as np

from mrnet_core.phantom.anatomy_shapes import Field, Loft, blob, ellipsoid, smooth_cut, smooth_union, table
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue
from mrnet_core.phantom.anatomy_texture import SIDE, TRABECULAE, tiles

FEMUR_BOX = (-42, 42, -40, 38, -4, 170)
TIBIA_BOX = (-44, 44, -36, 36, -150, 12)
FIBULA_BOX = (24, 47, 8, 34, -150, -10)
PATELLA_BOX = (-26, 30, -62, -28, 0, 64)
_FEMUR_SHAFT = Loft.through(
    [
        (26, 0, -6, 34, 21),
        (40, 0, -7, 31, 21),
        (55, 0, -6, 25, 18.5),
        (70, 0, -5, 20, 16),
        (90, 0, -5, 16.5, 14.5),
        (120, 0, -6, 14.5, 14),
        (170, 0, -7, 14.5, 14),
    ]
)
_TIBIA = Loft.through(
    [
        (12, 0, 4, 38, 24),
        (-4, 0, 4, 38.5, 24.5),
        (-10, 0, 4, 38.5, 24),
        (-17, 0, 3, 36, 22.5),
        (-27, 0, 1, 29, 20),
        (-40, 0, -1, 21, 17.5),
        (-60, 0, -2, 16, 16),
        (-90, -1, -2, 13.5, 15),
        (-150, -2, -2, 12.5, 14),
    ]
)
_FIBULA = Loft.through(
    [
        (-14, 35, 21, 3, 3),
        (-18, 35, 21, 8, 8),
        (-27, 35.5, 21, 9, 9),
        (-38, 36, 20, 6.5, 7),
        (-55, 36, 19, 5, 5.5),
        (-150, 33, 17, 5, 6),
    ]
)
_FEMUR_CORTEX = table([-10, 40, 60, 80, 110], [1.1, 1.2, 1.9, 3.2, 4.6])
_TIBIA_CORTEX = table([10, -25, -45, -70, -110], [1.2, 1.2, 2.0, 3.4, 4.6])


def femur(space: Space, subject: Subject) -> Field:
    """Two condyles, trochlea, metaphysis and shaft, with the notch cut out."""
    x, y, z = space.x, space.y, space.z
    medial = smooth_union(
        ellipsoid(x, y, z, (-21, 12, 21.5), (14, 20, 19.5)), ellipsoid(x, y, z, (-21, -3, 27), (15.5, 27, 25)), 6
    )
    lateral = smooth_union(
        ellipsoid(x, y, z, (21.5, 11, 21.5), (14, 19.5, 19.5)), ellipsoid(x, y, z, (21.5, -4, 27), (15.5, 29.5, 25)), 6
    )
    bone = np.minimum(medial, lateral)
    bone = smooth_union(bone, blob(x, y, z, (0, -6, 31), (30, 21, 24)), 7)
    shaft = smooth_cut(_FEMUR_SHAFT.distance(x, y, space.row), 36 - z, 8)
    bone = smooth_union(bone, shaft, 9)
    half = np.clip(y * 0.11 + 8.2, 6.0, 10.8)
    half *= subject.notch
    walls = np.abs(x - 0.5)
    walls -= half
    roof = (z - 6.5 - 0.85 * (y + 6)) * 0.76
    bone = smooth_cut(bone, -smooth_cut(walls, roof, 6), 3)
    u, v = x - 1.0, y + 47.5
    groove = np.sqrt(u * u + v * v) - (19.5 - 0.004 * (z - 26) * (z - 26))
    return smooth_cut(bone, -groove, 4)


def femoral_cartilage(space: Space, subject: Subject) -> Field:
    """Thickness of the femur's cartilage in mm: thickest on the trochlea, thinning out towards every margin."""
    x, y, z = np.abs(space.x), space.y, space.z
    front = np.clip((-13 - y) * (1 / 6.0), 0, 1)
    reach = np.clip((31 - z) * (1 / 8.0), 0, 1)
    np.maximum(reach, front * np.clip((46 - z) * (1 / 7.0), 0, 1), out=reach)
    reach *= np.clip((36.5 - x - 8 * front * np.clip((z - 10) * (1 / 14.0), 0, 1)) * (1 / 4.0), 0, 1)
    reach *= np.maximum(np.clip((x - 8.5) * (1 / 3.0), 0, 1), np.clip((-6 - y) * (1 / 4.0), 0, 1))
    front *= 0.4
    front += 1
    reach *= front
    reach *= subject.cartilage
    return reach


def tibia(space: Space, subject: Subject) -> Field:
    """Plateau with spines, metaphysis, tuberosity and shaft."""
    x, y, z = space.x, space.sy, space.sz
    bone = _TIBIA.distance(x, y, space.shank_row, square=True)
    bone = smooth_union(bone, blob(x, y, z, (3, -17, -40), (10, 8, 17)), 8)
    u = (np.abs(x - 0.5) - 5.5) * (1 / 3.4)
    v = (y - 5) * (1 / 9.0)
    hill = np.exp(-(u * u) - v * v)
    hill *= 8.0
    hill += -3.4 - 0.09 * (y - 5)
    dish = (np.abs(x) - 20) * (1 / 15.0)
    hill += 0.9 * (dish * dish - 1) * (np.abs(dish) < 1) * np.where(x < 0, np.float32(1.0), np.float32(-0.3))
    bone = smooth_cut(bone, z - hill, 3.5)
    u, v = (x - 1.0) * (1 / 1.5), y - 31
    return smooth_cut(bone, 6.5 - np.sqrt(u * u + v * v), 4)


def patella(space: Space, subject: Subject) -> Field:
    """Knee cap: rounded front, ridged back."""
    x, y, z = space.x, space.y, space.z - (29 + subject.patella)
    bone = blob(x, y, z, (1.5, -45.0, 0.0), (22.5, 11, 20.5))
    back = y + 36.4 + 0.32 * np.abs(x - 1.0) + 0.0035 * z * z
    return smooth_cut(bone, back, 4)


def paint_bone(space: Space, bone: Field, thickness, subject: Subject, codes=(Tissue.CORTEX, Tissue.MARROW)) -> None:
    """Cortex of the given thickness (mm, number or field) over marrow, red here and there in the metaphysis."""
    space.put(bone < 0, codes[0])
    inner = bone + thickness < 0
    space.put(inner, codes[1])


def paint_femur(space: Space, bone: Field, subject: Subject) -> None:
    """Cartilage, cortex, marrow, red marrow and the growth plate's scar."""
    x, y, z = space.x, space.y, space.z
    space.put((bone > 0) & (bone < femoral_cartilage(space, subject)), Tissue.CARTILAGE)
    paint_bone(space, bone, _FEMUR_CORTEX[space.row], subject)
    noise = tiles()[TRABECULAE * SIDE**3 + space.voxel]
    inner = space.tissue == Tissue.MARROW
    red = inner & (noise + 0.055 * (z - 52) + 2.6 * subject.red_marrow > 3.0) & (z > 34) & (z < 95)
    space.put(red, Tissue.RED_MARROW)
    scar = np.abs(z - 31 - 0.004 * y * y + 0.003 * x * x - 0.7 * noise) < 0.35 + 0.55 * subject.physis
    space.put(scar & inner & (subject.physis > 0.15), Tissue.SCLEROSIS)


def paint_tibia(space: Space, bone: Field, subject: Subject) -> None:
    """The same for the tibia."""
    x, y, z = space.x, space.sy, space.sz
    u, v = (np.abs(x - 0.5) - 20.0) * (1 / 15.5), (y - 4) * (1 / 21.5)
    thick = np.clip((1 - u * u - v * v) * 4.0, 0, 1)
    thick *= subject.cartilage
    space.put((bone > 0) & (bone < thick) & (z > -7.5), Tissue.CARTILAGE)
    paint_bone(space, bone, _TIBIA_CORTEX[space.shank_row], subject)
    noise = tiles()[TRABECULAE * SIDE**3 + space.voxel]
    inner = space.tissue == Tissue.MARROW
    red = inner & (noise - 0.05 * (z + 45) + 2.2 * subject.red_marrow > 3.1) & (z < -28) & (z > -85)
    space.put(red, Tissue.RED_MARROW)
    scar = np.abs(z + 18 + 0.006 * (y + 5) * (y + 5) - 0.7 * noise) < 0.35 + 0.5 * subject.physis
    space.put(scar & inner & (subject.physis > 0.15), Tissue.SCLEROSIS)


def paint_fibula(space: Space, subject: Subject) -> None:
    """Head, neck and shaft of the fibula."""
    bone = _FIBULA.distance(space.x, space.sy, space.shank_row)
    bone = smooth_cut(bone, space.sz + 15, 4)
    paint_bone(space, bone, np.clip(-0.03 * space.sz, 1.1, 2.2), subject)


def paint_patella(space: Space, subject: Subject) -> None:
    """Knee cap with the thickest cartilage of the body."""
    bone = patella(space, subject)
    u, v = (space.x - 1.5) * (1 / 19.5), (space.z - (30 + subject.patella)) * (1 / 16.0)
    thick = np.clip((1 - u * u - v * v) * 3.0, 0, 1)
    thick *= subject.cartilage * 1.4
    space.put((space.y > -45) & (bone > 0) & (bone < thick), Tissue.CARTILAGE)
    paint_bone(space, bone, 1.3, subject, (Tissue.KNEECAP_CORTEX, Tissue.KNEECAP_MARROW))
