"""Inside the joint and about it: menisci, cruciate and collateral ligaments, tendons, synovium, fluid."""

import numpy as np
import torch

from mrnet_core.phantom.anatomy_shapes import (
    Field,
    Table,
    above,
    below,
    blob,
    capsule,
    line,
    smooth_union,
)
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue, from_shank
from mrnet_core.phantom.anatomy_texture import LOBULES

MENISCI = {
    "medial": (-18.0, 4.0, 19.0, 21.5, -1.0),
    "lateral": (17.5, 4.0, 19.0, 17.5, 1.0),
}
"""Centre (x, y) and half-widths (x, y) of each rim in the shank's frame; which way x leaves the midline."""
MENISCUS_TISSUE = {"medial": Tissue.MEDIAL_MENISCUS, "lateral": Tissue.LATERAL_MENISCUS}
MENISCUS_BOX = {"medial": (-39, 0, -19, 27, -9, 6), "lateral": (-1, 39, -15, 23, -9, 6)}
RIM_BOX = {which: (*box[:5], 8) for which, box in MENISCUS_BOX.items()}
"""Bounds of each meniscus before the condyle carves it."""
PLATEAU = -3.4
"""Height of the tibial bone at y = 5 in the shank's frame."""
ACL_FEMUR = ((7.0, 16.5, 22.0), (7.5, 19.0, 16.5))
ACL_TIBIA = ((0.0, -8.5, -3.0), (1.5, -2.0, -3.5))
"""Ends of the anteromedial and posterolateral bundles; the tibial ones in the shank's frame."""
ACL_RADIUS = 3.0
ACL_FLAT = (1.25, 1.0, 1.0)
ACL_BOX = (-8, 16, -16, 26, -10, 30)
PCL_BOX = (-16, 8, -6, 38, -22, 22)
NOTCH_BOX = (-14, 15, -16, 40, -12, 30)


def meniscus_frame(space: Space, which: str, subject: Subject) -> tuple[Field, Field, Field]:
    """(rho, inner, height) of points: 1 at the rim, ``inner`` at the free edge; mm above the plateau's bone."""
    cx, cy, hx, hy, _ = MENISCI[which]
    u, v = line(space.x, cx, 1 / hx), line(space.sy, cy, 1 / hy)
    rho = u.mul_(u).addcmul_(v, v).sqrt_()
    if which == "medial":
        inner = v.clamp_(-1, 1).mul_(3.6).add_(9.6).mul_(-subject.meniscus / 20.0).add_(1)
    else:
        inner = torch.full_like(v, 1 - 10.5 * subject.meniscus / 18.0)
    return rho, inner, (space.sz - (PLATEAU + 0.09 * 5)).add_(space.sy, alpha=0.09)


def meniscus(space: Space, which: str, subject: Subject) -> Field:
    """A C-shaped wedge with roots near the spines; the condyle above carves it further."""
    rho, inner, height = meniscus_frame(space, which, subject)
    _, _, hx, _, outward = MENISCI[which]
    share = (rho - inner).div_(1 - inner).clamp_(0, 1)
    roof = height - share.mul_(6.2).add_(1.9)
    body = torch.maximum(inner.sub_(rho), rho.sub_(1)).mul_(hx)
    inward = (space.x * -outward).add_(5.5)  # positive past the root, towards the midline
    return torch.maximum(torch.maximum(body, roof), torch.maximum(inward, height.neg_().sub_(1.0)))


def acl(space: Space, subject: Subject) -> Field:
    """The anterior cruciate ligament: two bundles, fanning out."""
    first = capsule(space.x, space.y, space.z, ACL_FEMUR[0], from_shank(ACL_TIBIA[0], subject), ACL_RADIUS, ACL_FLAT)
    second = capsule(space.x, space.y, space.z, ACL_FEMUR[1], from_shank(ACL_TIBIA[1], subject), ACL_RADIUS, ACL_FLAT)
    return smooth_union(first, second, 2.0)


def acl_axis(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Femoral and tibial middle of the ligament in whole-knee coordinates."""
    tibial = [from_shank(end, subject) for end in ACL_TIBIA]
    return np.mean(ACL_FEMUR, axis=0), np.mean(tibial, axis=0)


def pcl(space: Space, subject: Subject) -> Field:
    """The posterior cruciate ligament: an arch from the medial condyle to behind the tibia."""
    knots = pcl_knots(subject)
    parts = [
        capsule(space.x, space.y, space.z, a, b, r)
        for a, b, r in zip(knots[:-1], knots[1:], (4.4, 4.2, 3.9), strict=True)
    ]
    return smooth_union(smooth_union(parts[0], parts[1], 2.5), parts[2], 2.5)


def pcl_knots(subject: Subject) -> list[tuple[float, float, float]]:
    """Points along the ligament, femur to tibia, in whole-knee coordinates."""
    return [
        (-6.5, 2.0, 10.5),
        (-3.5, 16.0, 11.0),
        from_shank((-1.0, 25.5, 4.0), subject),
        from_shank((0.0, 28.5, -13.0), subject),
    ]


def paint_notch(space: Space, subject: Subject) -> None:
    """Fat, synovium and a little fluid between the condyles."""
    inside = below(blob(space.x, space.y, space.z, (0.5, 12, 9), (13, 25, 19)), 0)
    noise = space.texture(LOBULES)
    space.put(inside & above(noise, 0.2), Tissue.SYNOVIUM)
    space.put(inside & above(noise, 2.0 - 0.6 * subject.fluid), Tissue.FLUID)


def paint_film(space: Space, bone: Field, cartilage: Field, subject: Subject) -> None:
    """The film of fluid on the cartilage, thicker in the recesses."""
    x, y, z = space.x, space.y, space.z
    reach = cartilage * (1 + (0.35 + 0.35 * subject.fluid) / subject.cartilage)
    space.put(below(bone, reach) & ~space.among((Tissue.AIR,)), Tissue.FILM)
    half = 0.4 + 1.3 * subject.fluid
    u, v = x * (1 / 22.0), line(z, 48, 1 / 16.0)
    limit = line(u.mul_(u).addcmul_(v, v), 1, -half)
    sheet = (y + (35.5 + 0.09 * 46)).sub_(z, alpha=0.09).addcmul_(x, x, value=0.006).abs_()
    space.put(below(sheet, limit), Tissue.FLUID)


def paint_meniscus(space: Space, which: str, subject: Subject) -> None:
    """One meniscus, before cartilage and bone carve it."""
    space.put(below(meniscus(space, which, subject), 0) & ~space.among((Tissue.AIR,)), MENISCUS_TISSUE[which])


def paint_cruciates(space: Space, subject: Subject, which: Tissue) -> None:
    """ACL or PCL, where there is no bone."""
    shape = acl(space, subject) if which == Tissue.ACL else pcl(space, subject)
    space.put(below(shape, 0) & space.soft() & ~space.among((Tissue.CARTILAGE,)), which)


_MCL_X = Table([50, 26, 16, 2, -8, -18, -30, -55], [-33.5, -36.8, -38.2, -39.0, -40.0, -37.5, -31.5, -18.5])
_ITB_X = Table([120, 60, 30, 15, 0, -10, -18], [49, 44, 40.5, 39.5, 40.5, 39.0, 34.0])
MCL_BOX = (-43, -15, -9, 14, -55, 28)
ITB_BOX = (31, 53, -26, 14, -18, 120)


def mcl(space: Space) -> Field:
    """The medial collateral ligament, a band from the epicondyle to the tibia's shaft."""
    across = (space.x - _MCL_X[space.row]).abs_().sub_(1.25)
    along = (space.z + 10).abs_().mul_(0.05).add_((space.y - 2.0).abs_()).sub_(6.5)
    return torch.maximum(across, along)


def iliotibial_band(space: Space) -> Field:
    """The iliotibial band, to Gerdy's tubercle."""
    across = (space.x - _ITB_X[space.row]).abs_().sub_(1.1)
    along = (8 - space.z).clamp_(min=0).mul_(0.35).add_(space.y).add_(6.0).abs_().sub_(9.0)
    return torch.maximum(across, along)


def paint_band(space: Space, band: Field, tissue: Tissue = Tissue.TENDON) -> None:
    """A band of ligament or tendon where there is no bone."""
    space.put(below(band, 0) & space.soft(), tissue)


def patellar_tendon(subject: Subject) -> tuple:
    """Ends, radius and flattening of the patellar tendon."""
    top = (1.5, -49.5, 14.0 + subject.patella)
    return top, from_shank((3.0, -27.5, -43.0), subject), 2.3, (5.5, 1.0, 1.0)


def quadriceps_tendon(subject: Subject) -> tuple:
    """Ends, radius and flattening of the quadriceps tendon."""
    return (1.5, -50.0, 44.0 + subject.patella), (0.0, -43.0, 96.0), 3.0, (5.5, 1.0, 1.0)


def cords(subject: Subject) -> list[tuple]:
    """Rods of ligament and tendon: (start, end, radius, flat) in whole-knee coordinates."""
    down = [from_shank(point, subject) for point in ((36.5, 21, -16), (26, 25, -6), (37, 24, -16), (-33, 20, -22))]
    return [
        ((37.8, 8.0, 22.0), down[0], 1.6, (1.0, 1.0, 1.0)),  # lateral collateral ligament
        ((38.0, 5.0, 11.0), down[1], 2.3, (1.0, 1.0, 1.0)),  # popliteus tendon
        ((38.5, 25.0, 12.0), down[2], 2.2, (1.0, 1.0, 1.0)),  # biceps tendon
        ((-27.0, 32.0, 8.0), down[3], 2.4, (1.0, 1.0, 1.0)),  # semimembranosus tendon
        ((-30.0, 41.0, 60.0), (-34.0, 30.0, -10.0), 1.9, (1.0, 1.0, 1.0)),  # semitendinosus tendon
        ((-38.0, 32.0, 60.0), (-38.5, 26.0, -10.0), 1.7, (1.0, 1.0, 1.0)),  # gracilis tendon
        ((-15.0, -16.5, -1.5), (15.0, -13.0, -1.5), 0.8, (1.0, 1.0, 1.0)),  # transverse ligament of the menisci
        ((-4.0, 22.0, 12.0), (14.0, 20.0, 0.0), 0.9, (1.0, 1.0, 1.0)),  # meniscofemoral ligament
    ]
