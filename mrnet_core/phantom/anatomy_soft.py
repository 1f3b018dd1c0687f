"""The leg about the joint: skin, subcutaneous fat with septa, fascia, muscles with fat planes, vessels and nerve."""

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core.phantom.anatomy_shapes import Field, Loft, above, below, line, look_up
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue, Window, among, from_shank
from mrnet_core.phantom.anatomy_texture import SEPTA, STREAKS

SKIN = 1.5
"""mm."""
_BATCH = 2_000_000
"""Voxels of twigs computed together."""
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
    front = line(bent, -4, -1 / 48.0).clamp_(0, 1)
    front.mul_(front).mul_(0.26).add_(1)
    return _FASCIA.distance(front.mul_(space.x), bent, space.row)


def _bent(space: Space) -> Field:
    """y in the frame of the skin: the whole knee's above the joint, the shank's below, blended between."""
    blend = line(space.z, 12, -1 / 40.0).clamp_(0, 1)
    return torch.lerp(space.y, space.sy, blend)


def paint_leg(space: Space, subject: Subject) -> Field:
    """Skin, subcutaneous fat with septa, fascia and deep fat; returns the distance to the fascia."""
    fascia = envelope(space, subject)
    fat = line(space.y, -55, 1 / 60.0).clamp_(0, 1).mul_(0.72 * subject.fat).add_(0.28 * subject.fat + 0.8)
    depth = torch.sub(fascia, fat, out=fat)
    space.put(below(depth, SKIN), Tissue.SKIN)
    fatty = below(depth, 0)
    space.put(fatty, Tissue.FAT)
    walls = space.texture(SEPTA)
    thick = above(fascia, 0).float().mul_(0.095 - 0.095 / 1.7).add_(0.095 / 1.7)
    septa = below(walls.abs(), thick) & fatty
    space.put(septa, Tissue.FASCIA)
    strands = below(torch.maximum(walls.sub_(2.0).abs_().sub_(0.03), fascia + 3), 0)
    space.put(strands & fatty, Tissue.SYNOVIUM)
    space.put(below(fascia.abs(), 0.45), Tissue.FASCIA)
    return fascia


def paint_muscles(space: Space, fascia: Field, soft: Soft, subject: Subject, windows) -> None:
    """Bellies with fat between neighbours and streaks within; ``windows``: where each can reach."""
    nearest = torch.full_like(space.x, 99)
    second = torch.full_like(space.x, 99)
    for belly, (lower, cut) in zip([*soft.upper, *soft.lower], windows, strict=True):
        if cut is None:
            continue
        y = space.sy[cut] if lower else space.y[cut]
        row = space.shank_row[cut] if lower else space.row[cut]
        d = belly.distance(space.x[cut], y, row)
        near, next_ = nearest[cut], second[cut]
        torch.minimum(next_, torch.maximum(near, d), out=next_)
        torch.minimum(near, d, out=near)
    second.sub_(nearest)
    muscle = below(torch.maximum(nearest, fascia + 0.9), 0) & above(second, 0.8)
    streak = below(space.texture(STREAKS).abs_(), 0.01 + 0.045 * subject.streaks)
    space.put(muscle, Tissue.MUSCLE)
    space.put(muscle & streak, Tissue.FAT)


def paint_vessel(space: Space, vessel: Loft, tissue: Tissue) -> None:
    """A vessel or nerve with its wall."""
    d = vessel.distance(space.x, space.y, space.row)
    inside = ~space.among((Tissue.AIR,))
    if tissue == Tissue.ARTERY:
        space.put(below(d, 0.9) & inside, Tissue.SYNOVIUM)
    space.put(below(d, 0) & inside, tissue)


def paint_twigs(space: Space, twigs: list[tuple], windows: list[Window]) -> None:
    """Small veins in fat or muscle.

    All at once, on the voxels of their windows: one by one they would keep a GPU longer than the rest of the knee.
    """
    shape = space.x.shape
    batch: list[tuple[tuple, NDArray[np.int64]]] = []
    for twig, window in zip(twigs, windows, strict=True):
        if window is not None:
            batch.append((twig, _voxels(window, shape)))
        if sum(voxels.size for _, voxels in batch) > _BATCH:
            _paint_rods(space, batch)
            batch = []
    if batch:
        _paint_rods(space, batch)


def _paint_rods(space: Space, rods: list[tuple[tuple, NDArray[np.int64]]]) -> None:
    device = space.x.device
    which = torch.from_numpy(np.repeat(np.arange(len(rods)), [voxels.size for _, voxels in rods])).to(device)
    at = torch.from_numpy(np.concatenate([voxels for _, voxels in rods])).to(device)
    values = np.array([_rod(*rod) for rod, _ in rods], np.float32).T.copy()
    x0, y0, z0, ax, ay, az, inverse, radius2 = torch.from_numpy(values).to(device).index_select(1, which)
    x, y, z = (look_up(axis.reshape(-1), at) for axis in (space.x, space.y, space.z))
    x.sub_(x0)
    y.sub_(y0)
    z.sub_(z0)
    along = (x * ax).addcmul_(y, ay).addcmul_(z, az).mul_(inverse).clamp_(0, 1).neg_()
    x.addcmul_(along, ax)
    y.addcmul_(along, ay)
    z.addcmul_(along, az)
    inside = x.mul_(x).addcmul_(y, y).addcmul_(z, z) < radius2
    inside &= among(look_up(space.tissue.reshape(-1), at), (Tissue.FAT, Tissue.MUSCLE, Tissue.FASCIA))
    # Voxels outside are marked in one that does not exist: windows overlap, so each mark must be the same.
    marked = torch.zeros(space.x.numel() + 1, dtype=torch.bool, device=device)
    marked.index_fill_(0, torch.where(inside, at, space.x.numel()), True)
    space.put(marked[:-1].view(space.x.shape), Tissue.VEIN)


def _voxels(window: Window, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat index of each voxel of a window."""
    samples, rows, columns = (np.arange(size)[one] for one, size in zip(window, shape, strict=True))
    return ((samples[:, None, None] * shape[1] + rows[:, None]) * shape[2] + columns).ravel()


def _rod(start, end, radius: float) -> tuple[float, ...]:
    """Start, axis, inverse of its squared length and squared radius of a capsule."""
    axis = np.subtract(end, start)
    return (*start, *axis, float(1 / (axis @ axis)), radius**2)


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
