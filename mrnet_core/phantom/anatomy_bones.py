"""Femur, tibia, fibula and patella with cortex, marrow, growth-plate scars and articular cartilage."""

import torch

from mrnet_core.phantom.anatomy_shapes import (
    Field,
    Loft,
    Table,
    above,
    below,
    blob,
    ellipsoid,
    line,
    smooth_cut,
    smooth_union,
)
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue
from mrnet_core.phantom.anatomy_texture import TRABECULAE

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
_FEMUR_CORTEX = Table([-10, 40, 60, 80, 110], [1.1, 1.2, 1.9, 3.2, 4.6])
_TIBIA_CORTEX = Table([10, -25, -45, -70, -110], [1.2, 1.2, 2.0, 3.4, 4.6])


def femur(space: Space, subject: Subject) -> Field:
    """Two condyles, trochlea, metaphysis and shaft, with the notch cut out."""
    x, y, z = space.x, space.y, space.z
    medial = smooth_union(
        ellipsoid(x, y, z, (-21, 12, 21.5), (14, 20, 19.5)), ellipsoid(x, y, z, (-21, -3, 27), (15.5, 27, 25)), 6
    )
    lateral = smooth_union(
        ellipsoid(x, y, z, (21.5, 11, 21.5), (14, 19.5, 19.5)), ellipsoid(x, y, z, (21.5, -4, 27), (15.5, 29.5, 25)), 6
    )
    bone = torch.minimum(medial, lateral)
    bone = smooth_union(bone, blob(x, y, z, (0, -6, 31), (30, 21, 24)), 7)
    shaft = smooth_cut(_FEMUR_SHAFT.distance(x, y, space.row), 36 - z, 8)
    bone = smooth_union(bone, shaft, 9)
    half = line(y, -8.2 / 0.11, 0.11).clamp_(6.0, 10.8).mul_(subject.notch)
    walls = (x - 0.5).abs_().sub_(half)
    roof = line(z, 6.5 + 0.85 * 6, 0.76).sub_(y, alpha=0.85 * 0.76)
    bone = smooth_cut(bone, smooth_cut(walls, roof, 6).neg_(), 3)
    u, v, w = x - 1.0, y + 47.5, z - 26
    groove = line(u.mul_(u).addcmul_(v, v).sqrt_().addcmul_(w, w, value=0.004), 19.5, -1.0)
    return smooth_cut(bone, groove, 4)


def femoral_cartilage(space: Space, subject: Subject) -> Field:
    """Thickness of the femur's cartilage in mm: thickest on the trochlea, thinning out towards every margin."""
    x, y, z = space.x.abs(), space.y, space.z
    front = _ramp(y, -13, -6)
    reach = torch.maximum(_ramp(z, 31, -8), _ramp(z, 46, -7).mul_(front))
    margin = _ramp(z, 10, 14).mul_(front).mul_(8).add_(x)
    reach.mul_(_ramp(margin, 36.5, -4))
    reach.mul_(torch.maximum(_ramp(x, 8.5, 3), _ramp(y, -6, -4)))
    return reach.mul_(front.mul_(0.4).add_(1)).mul_(subject.cartilage)


def _ramp(field: Field, start: float, width: float) -> Field:
    """From 0 at ``start`` to 1 over ``width`` mm; a negative width: on the other side."""
    return line(field, start, 1 / width).clamp_(0, 1)


def tibia(space: Space, subject: Subject) -> Field:
    """Plateau with spines, metaphysis, tuberosity and shaft."""
    x, y, z = space.x, space.sy, space.sz
    bone = _TIBIA.distance(x, y, space.shank_row, square=True)
    bone = smooth_union(bone, blob(x, y, z, (3, -17, -40), (10, 8, 17)), 8)
    u = line((x - 0.5).abs_(), 5.5, 1 / 3.4)
    v = line(y, 5, 1 / 9.0)
    hill = u.mul_(u).addcmul_(v, v).neg_().exp_().mul_(8.0)
    hill.sub_(y, alpha=0.09).add_(0.09 * 5 - 3.4)
    dish = line(x.abs(), 20, 1 / 15.0)
    dish = dish.mul_(dish).sub_(1).clamp_(max=0)
    # A dish on the medial side, a low dome on the lateral one.
    hill.add_(dish.mul_(_ramp(x, 0, -1e-9).mul_(1.3).sub_(0.3)), alpha=0.9)
    bone = smooth_cut(bone, z - hill, 3.5)
    u, v = line(x, 1.0, 1 / 1.5), y - 31
    return smooth_cut(bone, line(u.mul_(u).addcmul_(v, v).sqrt_(), 6.5, -1.0), 4)


def patella(space: Space, subject: Subject) -> Field:
    """Knee cap: rounded front, ridged back."""
    x, y, z = space.x, space.y, space.z - (29 + subject.patella)
    bone = blob(x, y, z, (1.5, -45.0, 0.0), (22.5, 11, 20.5))
    back = (y + 36.4).add_((x - 1.0).abs_(), alpha=0.32).addcmul_(z, z, value=0.0035)
    return smooth_cut(bone, back, 4)


def paint_bone(space: Space, bone: Field, thickness, codes=(Tissue.CORTEX, Tissue.MARROW)) -> None:
    """Cortex of the given thickness (mm, number or field) over marrow."""
    space.put(below(bone, 0), codes[0])
    space.put(below(bone + thickness, 0), codes[1])


def paint_femur(space: Space, bone: Field, cartilage: Field, subject: Subject) -> None:
    """Cartilage, cortex, marrow, red marrow and the growth plate's scar."""
    x, y, z = space.x, space.y, space.z
    space.put(above(bone, 0) & below(bone, cartilage), Tissue.CARTILAGE)
    paint_bone(space, bone, _FEMUR_CORTEX[space.row])
    noise = space.texture(TRABECULAE)
    inner = space.among((Tissue.MARROW,))
    red = above(line(z, 52, 0.055).add_(noise), 3.0 - 2.6 * subject.red_marrow)
    space.put(red & inner & below((z - 64.5).abs_(), 30.5), Tissue.RED_MARROW)
    if subject.physis > 0.15:
        scar = (z - 31).addcmul_(y, y, value=-0.004).addcmul_(x, x, value=0.003).sub_(noise, alpha=0.7).abs_()
        space.put(below(scar, 0.35 + 0.55 * subject.physis) & inner, Tissue.SCLEROSIS)


def paint_tibia(space: Space, bone: Field, subject: Subject) -> None:
    """The same for the tibia."""
    x, y, z = space.x, space.sy, space.sz
    thick = _rounded(line((x - 0.5).abs_(), 20, 1 / 15.5), line(y, 4, 1 / 21.5), 4.0)
    thick.mul_(subject.cartilage)
    space.put(above(torch.minimum(bone, z + 7.5), 0) & below(bone, thick), Tissue.CARTILAGE)
    paint_bone(space, bone, _TIBIA_CORTEX[space.shank_row])
    noise = space.texture(TRABECULAE)
    inner = space.among((Tissue.MARROW,))
    red = above(line(z, -45, -0.05).add_(noise), 3.1 - 2.2 * subject.red_marrow)
    space.put(red & inner & below((z + 56.5).abs_(), 28.5), Tissue.RED_MARROW)
    if subject.physis > 0.15:
        v = y + 5
        scar = (z + 18).addcmul_(v, v, value=0.006).sub_(noise, alpha=0.7).abs_()
        space.put(below(scar, 0.35 + 0.5 * subject.physis) & inner, Tissue.SCLEROSIS)


def _rounded(u: Field, v: Field, steep: float) -> Field:
    """1 in the middle of the unit circle, falling to 0 at its rim; works in ``u``."""
    return _ramp(u.mul_(u).addcmul_(v, v), 1, -1 / steep)


def paint_fibula(space: Space, subject: Subject) -> None:
    """Head, neck and shaft of the fibula."""
    bone = _FIBULA.distance(space.x, space.sy, space.shank_row)
    bone = smooth_cut(bone, space.sz + 15, 4)
    paint_bone(space, bone, (space.sz * -0.03).clamp_(1.1, 2.2))


def paint_patella(space: Space, subject: Subject) -> None:
    """Knee cap with the thickest cartilage of the body."""
    bone = patella(space, subject)
    thick = _rounded(line(space.x, 1.5, 1 / 19.5), line(space.z, 30 + subject.patella, 1 / 16.0), 3.0)
    thick.mul_(subject.cartilage * 1.4)
    space.put(above(torch.minimum(bone, space.y + 45), 0) & below(bone, thick), Tissue.CARTILAGE)
    paint_bone(space, bone, 1.3, (Tissue.KNEECAP_CORTEX, Tissue.KNEECAP_MARROW))
