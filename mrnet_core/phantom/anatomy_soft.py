"""The leg about the joint: skin, subcutaneous fat with septa, fascia, muscles with fat planes, vessels and nerve."""

import numpy as np

from mrnet_core.phantom.anatomy_shapes import Field, Loft, capsule, capsule_box
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue, from_shank
from mrnet_core.phantom.anatomy_texture import SEPTA, SIDE, STREAKS, tiles

SKIN = 1.5
"""mm."""
_FASCIA = Loft.through(
    [
        (170, 0, -3, 58, 56),
        (100, 0, -3, 54, 54),
        (60, 0, -1, 50, 53),
        (45, 0, -1.5, 48, 55),
        (28, 0, -1.5, 46.5, 55.5),
        (10, 0, 1, 45.5, 53),
        (-5, 0, 4, 45.5, 50),
        (-22, 0, 8.5, 46, 46.5),
        (-45, 0, 13, 48, 46),
        (-80, 0, 15, 50, 48),
        (-150, 0, 16, 46, 46),
    ]
)
_UPPER = (
    # vastus medialis, vastus lateralis, rectus and intermedius
    [
        (170, -26, -14, 24, 27),
        (100, -27, -14, 23, 22),
        (70, -31, -12, 17, 22),
        (48, -37, -14, 10, 19),
        (30, -39, -17, 5, 11),
        (18, -39, -19, 1, 3),
    ],
    [(170, 27, -16, 25, 27), (100, 29, -15, 22, 22), (75, 33, -14, 14, 17), (58, 36, -14, 6, 10), (46, 36, -14, 1, 2)],
    [(170, 0, -32, 28, 17), (100, 0, -33, 26, 15), (82, 0, -34, 16, 7), (66, 0, -36, 4, 1)],
    # biceps femoris, semimembranosus, semitendinosus, sartorius
    [
        (170, 22, 30, 20, 19),
        (100, 26, 28, 18, 16),
        (55, 31, 29, 14, 15),
        (30, 35, 28, 9, 12),
        (8, 38, 26, 4.5, 7),
        (-6, 38, 24, 1, 2),
    ],
    [
        (170, -18, 32, 20, 19),
        (100, -19, 30, 18, 15),
        (60, -22, 33, 17, 15),
        (30, -26, 37, 12, 12),
        (10, -30, 37, 6, 7),
        (-2, -30, 32, 1, 1),
    ],
    [(170, 0, 42, 13, 11), (100, -4, 42, 10, 8), (75, -10, 46, 8, 7), (50, -16, 48, 5, 5), (30, -24, 48, 1, 1)],
    [
        (170, -40, 8, 10, 14),
        (100, -43, 12, 7, 12),
        (60, -42.5, 19, 5, 11),
        (25, -41.5, 22, 3.5, 10),
        (-5, -40.5, 20, 2.2, 8),
        (-28, -36, 12, 1, 3),
    ],
)
_LOWER = (
    # gastrocnemius medial and lateral
    [
        (40, -17, 34, 3, 2),
        (24, -17, 38, 13, 8),
        (2, -16, 42, 18, 12),
        (-28, -18, 43.5, 25, 15.5),
        (-70, -19, 43, 25, 15),
        (-150, -19, 44, 22, 13),
    ],
    [
        (34, 19, 33, 2, 2),
        (20, 19, 38, 11, 8),
        (2, 18, 42, 17, 11.5),
        (-28, 18, 43, 23, 15),
        (-70, 19, 43, 23, 14),
        (-150, 18, 44, 20, 12),
    ],
    # popliteus, soleus
    [(-2, 22, 27, 3, 2), (-14, 10, 30, 18, 4), (-32, -2, 25, 21, 8), (-55, -8, 22, 16, 8), (-82, -9, 20, 3, 3)],
    [(-28, 18, 33, 8, 3), (-50, 8, 32, 24, 7), (-90, 4, 34, 30, 11), (-150, 2, 35, 30, 13)],
    # anterior compartment, peroneals, tibialis posterior
    [(-16, 27, -10, 2, 2), (-30, 27, -7, 10, 10), (-60, 26, -5, 15, 17), (-150, 24, -3, 15, 18)],
    [(-20, 41, 6, 1, 2), (-40, 42, 6, 5, 9), (-80, 41, 8, 9, 13), (-150, 38, 9, 9, 13)],
    [(-45, 16, 14, 3, 3), (-70, 17, 13, 11, 9), (-150, 15, 12, 13, 11)],
)
_ARTERY = [
    (170, -10, 22, 3, 3),
    (60, -4, 30, 3.2, 3.2),
    (20, 2, 37, 3, 3),
    (-5, 3, 37, 2.9, 2.9),
    (-35, 6, 31, 2.7, 2.7),
    (-90, 6, 26, 2.2, 2.2),
    (-150, 4, 24, 2, 2),
]
_VEIN = [
    (170, -6, 28, 3.4, 3.4),
    (60, 1, 36, 3.4, 3.2),
    (20, 6, 43, 3.4, 3.0),
    (-5, 8, 43, 3.2, 3.0),
    (-35, 10, 36, 2.9, 2.7),
    (-90, 11, 28, 2.4, 2.4),
    (-150, 9, 26, 2, 2),
]
_NERVE = [
    (170, 10, 40, 5, 3),
    (60, 9, 42, 4, 3),
    (20, 11, 48, 3.5, 2.8),
    (-20, 9, 46, 2.8, 2.5),
    (-60, 10, 32, 2.5, 2.2),
    (-150, 8, 28, 2, 2),
]
_SAPHENOUS = [
    (170, -50, 18, 1.8, 1.8),
    (60, -51, 26, 1.8, 1.8),
    (0, -47.5, 28, 1.7, 1.7),
    (-60, -49, 22, 1.7, 1.7),
    (-150, -46, 12, 1.6, 1.6),
]


class Soft:
    """A subject's soft parts, shaped once and read for every slice."""

    def __init__(self, subject: Subject) -> None:
        w = subject.wander
        self.upper = [
            Loft.through(knots, grow=subject.muscle, shift=(w[2 * n] * 1.2, w[2 * n + 1] * 1.0))
            for n, knots in enumerate(_UPPER)
        ]
        self.lower = [
            Loft.through(knots, grow=subject.muscle, shift=(w[20 + 2 * n] * 1.2, w[21 + 2 * n] * 1.0))
            for n, knots in enumerate(_LOWER)
        ]
        self.vessels = [
            (Loft.through(knots, shift=(w[40 + n] * 1.5, w[50 + n] * 1.2), margin=2), tissue)
            for n, (knots, tissue) in enumerate(
                [
                    (_ARTERY, Tissue.ARTERY),
                    (_VEIN, Tissue.VEIN),
                    (_NERVE, Tissue.NERVE),
                    (_saphenous(subject), Tissue.VEIN),
                ]
            )
        ]
        self.twigs = _twigs(subject)


def envelope(space: Space, subject: Subject) -> Field:
    """Signed distance to the deep fascia; positive in the subcutaneous fat."""
    bent = _bent(space)
    front = np.clip((bent + 4) * (-1 / 48.0), 0, 1)
    front *= front
    front *= 0.26
    return _FASCIA.distance(space.x * (1 + front), bent, space.row)


def _bent(space: Space) -> Field:
    """y in the frame of the skin: the whole knee's above the joint, the shank's below, blended between."""
    blend = np.clip((space.z - 12) * (-1 / 40.0), 0, 1)
    blend *= space.sy - space.y
    blend += space.y
    return blend


def paint_leg(space: Space, subject: Subject) -> Field:
    """Skin, subcutaneous fat with septa, fascia and deep fat; returns the distance to the fascia."""
    fascia = envelope(space, subject)
    fat = np.clip((space.y + 55) * (1 / 60.0), 0, 1)
    fat *= 0.72 * subject.fat
    fat += 0.28 * subject.fat + 0.8
    depth = fascia - fat
    space.put(depth < SKIN, Tissue.SKIN)
    space.put(depth < 0, Tissue.FAT)
    walls = tiles()[SEPTA * SIDE**3 + space.voxel]
    ridge = np.abs(walls)
    ridge *= np.where(fascia > 0, np.float32(1.0), np.float32(1.7))
    fatty = space.tissue == Tissue.FAT
    space.put((ridge < 0.095) & fatty, Tissue.FASCIA)
    strands = np.abs(walls - 1.25) < 0.065
    space.put(strands & fatty & (fascia < -3), Tissue.SYNOVIUM)
    space.put(np.abs(fascia) < 0.45, Tissue.FASCIA)
    return fascia


def paint_muscles(space: Space, fascia: Field, soft: Soft, subject: Subject, windows) -> None:
    """Bellies with fat between neighbours and streaks within; ``windows``: where each can reach."""
    nearest = np.full(space.x.shape, 99, np.float32)
    second = np.full(space.x.shape, 99, np.float32)
    for belly, (lower, cut) in zip([*soft.upper, *soft.lower], windows, strict=True):
        if cut is None:
            continue
        y = space.sy[cut] if lower else space.y[cut]
        row = space.shank_row[cut] if lower else space.row[cut]
        d = belly.distance(space.x[cut], y, row)
        near, next_ = nearest[cut], second[cut]
        np.minimum(next_, np.maximum(near, d), out=next_)
        np.minimum(near, d, out=near)
    second -= nearest
    muscle = (nearest < 0) & (second > 0.8) & (fascia < -0.9)
    streak = np.abs(tiles()[STREAKS * SIDE**3 + space.voxel]) < 0.01 + 0.045 * subject.streaks
    space.put(muscle, Tissue.MUSCLE)
    space.put(muscle & streak, Tissue.FAT)


def paint_vessel(space: Space, vessel: Loft, tissue: Tissue) -> None:
    """A vessel or nerve with its wall."""
    d = vessel.distance(space.x, space.y, space.row)
    inside = space.tissue != Tissue.AIR
    if tissue == Tissue.ARTERY:
        space.put((d < 0.9) & inside, Tissue.SYNOVIUM)
    space.put((d < 0) & inside, tissue)


def paint_twig(space: Space, twig: tuple) -> None:
    """A small vein in fat or muscle."""
    start, end, radius = twig
    d = capsule(space.x, space.y, space.z, start, end, radius)
    free = (space.tissue == Tissue.FAT) | (space.tissue == Tissue.MUSCLE) | (space.tissue == Tissue.FASCIA)
    space.put((d < 0) & free, Tissue.VEIN)


def twig_box(twig: tuple) -> tuple[float, ...]:
    """Bounds of a twig."""
    return capsule_box(*twig)


def _saphenous(subject: Subject) -> list[tuple]:
    return [(z, x - subject.fat * 0.35 + 2, y, a, b) for z, x, y, a, b in _SAPHENOUS]


def _twigs(subject: Subject) -> list[tuple]:
    """Small veins: genicular branches about the condyles, in Hoffa's fat, in the calf and beneath the skin."""
    g = np.random.Generator(np.random.Philox([*subject.tile, 7]))
    homes = [
        *([((-37, -8, 30), (5, 12, 12), 0.9)] * 4),
        *([((37, -4, 30), (5, 12, 12), 0.9)] * 4),
        *([((0, -36, 4), (14, 5, 8), 0.7)] * 5),
        *([((0, 30, 32), (20, 6, 10), 1.1)] * 8),
        *([((0, 44, -45), (22, 6, 25), 1.1)] * 8),
        *([((0, 52, 0), (34, 3, 45), 1.0)] * 5),
        *([((-46, 10, 0), (2, 20, 45), 1.0)] * 4),
        *([((30, 8, -50), (10, 8, 20), 0.9)] * 4),
    ]
    twigs = []
    for centre, spread, radius in homes:
        start = np.asarray(centre) + g.normal(0, 0.6, 3) * spread
        along = g.normal(0, 1, 3) * (0.5, 0.5, 1.0)
        end = start + along / np.linalg.norm(along) * g.uniform(5, 16)
        if start[2] < -10:
            start, end = np.array(from_shank(start, subject)), np.array(from_shank(end, subject))
        twigs.append((tuple(map(float, start)), tuple(map(float, end)), radius * float(g.uniform(0.7, 1.3))))
    return twigs
