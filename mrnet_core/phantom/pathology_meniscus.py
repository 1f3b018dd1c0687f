"""Tears of the menisci, and what only looks like one: degeneration within, a meniscus after surgery."""

import numpy as np
import torch

from mrnet_core.phantom import anatomy_bones as bones
from mrnet_core.phantom.anatomy_joint import MENISCI, MENISCUS_BOX, MENISCUS_TISSUE, meniscus, meniscus_frame
from mrnet_core.phantom.anatomy_shapes import Field, blob, capsule
from mrnet_core.phantom.anatomy_space import Space, Subject, Tissue, from_shank
from mrnet_core.phantom.anatomy_texture import LOBULES
from mrnet_core.phantom.pathology import Lesion
from mrnet_core.phantom.pathology_joint import soft_but

Mask = torch.Tensor
RADIUS = 17.0
"""mm of arc for a radian along the meniscus."""
SKIN = 0.9
"""mm of intact meniscus that degenerative signal leaves between itself and every surface."""
_MENISCUS = (Tissue.MEDIAL_MENISCUS, Tissue.LATERAL_MENISCUS)


def which_meniscus(lesion: Lesion) -> str:
    """``medial`` or ``lateral``, the first word of the place."""
    return lesion.place.split()[0]


def box(lesion: Lesion, subject: Subject):
    """Bounds, in the shank's frame: the meniscus with room for a cyst and a displaced fragment."""
    x0, x1, y0, y1, z0, z1 = MENISCUS_BOX[which_meniscus(lesion)]
    return (x0 - 7, x1 + 7, y0 - 2, y1 + 5, z0, z1 + 6), True


def frame(space: Space, lesion: Lesion, subject: Subject) -> tuple[Field, Field, Field, Field]:
    """(share of the width from the free edge, mm along the arc from the lesion, height, wave) of points."""
    which = which_meniscus(lesion)
    cx, cy, hx, hy, outward = MENISCI[which]
    rho, inner, height = meniscus_frame(space, which, subject)
    share = (rho - inner) / (1 - inner)
    angle = torch.atan2((space.sy - cy) * (1 / hy), (space.x - cx) * (outward / hx))
    arc = angle - float(np.deg2rad(lesion.where[0]))
    arc = (arc + np.pi).remainder_(2 * np.pi).sub_(np.pi).mul_(RADIUS)
    seed = lesion.where[-1]
    wave = torch.sin(0.55 * arc + seed) * 0.5 + 0.5 * torch.sin(1.3 * arc + 7.0 * share + 2 * seed)
    return share, arc, height, wave


def paint_tear(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A tear of the lesion's grade: signal that reaches the surface, or deformity."""
    body = space.tissue == MENISCUS_TISSUE[which_meniscus(lesion)]
    grade, half = lesion.grade, lesion.extent / 2
    if grade == "root":
        return _root(space, lesion, subject, body)
    share, arc, height, wave = frame(space, lesion, subject)
    if grade == "bucket-handle":
        return _bucket_handle(space, lesion, subject, body, share, arc)
    width = 0.85 + 0.75 * lesion.severity
    near = torch.abs(arc) < half * (1 + 0.15 * wave)
    level = lesion.where[2] + lesion.where[3] * (share - 0.5) + 0.5 * wave
    horizontal = near & (torch.abs(height - level - 1.2 * share) < width) & (share < 0.88)
    vertical = near & (torch.abs(share - lesion.where[1] - 0.05 * wave) < width / 10.5)
    radial = (torch.abs(arc + 2.2 * (share - 0.3) + 0.5 * wave) < width * 1.7) & (share < 0.7 + 0.3 * lesion.severity)
    cleft = {
        "horizontal": horizontal,
        "vertical": vertical,
        "radial": radial,
        "complex": horizontal | radial | (vertical & (height < level)) | (near & (share < 0.22)),
    }[grade]
    mask = cleft & body
    space.put(mask, Tissue.TEAR)
    if grade in ("horizontal", "complex"):
        mask = mask | _cyst(space, lesion)
    mask = mask | _fraying(space, lesion, mask, near, share)
    return mask


def _fraying(space: Space, lesion: Lesion, cleft: Mask, near: Mask, share: Field) -> Mask:
    """Signal of torn, swollen tissue about the cleft: the plainer the tear the more of it."""
    noise = space.texture(LOBULES)
    body = space.among(_MENISCUS)
    frayed = body & near & (noise > 1.5 - 1.7 * lesion.severity) & (share < 0.85)
    space.put(frayed, Tissue.DEGENERATION)
    return frayed


def _cyst(space: Space, lesion: Lesion) -> Mask:
    """A parameniscal cyst outside the rim, in the plainest tears."""
    if lesion.severity < 0.6:
        return torch.zeros_like(space.tissue, dtype=torch.bool)
    cx, cy, hx, hy, outward = MENISCI[which_meniscus(lesion)]
    angle = np.deg2rad(lesion.where[0])
    centre = (cx + outward * (hx + 1.5) * float(np.cos(angle)), cy + (hy + 1.5) * float(np.sin(angle)), -0.8)
    size = 2.0 + 5.0 * (lesion.severity - 0.6)
    bag = blob(space.x, space.sy, space.sz, centre, (size, size * 1.3, size))
    mask = (bag < 0) & soft_but(space, Tissue.CARTILAGE, Tissue.SKIN)
    space.put(mask, Tissue.GANGLION)
    return mask


def _root(space: Space, lesion: Lesion, subject: Subject, body: Mask) -> Mask:
    """A gap beside the posterior root, and the body extruded over the tibia's edge."""
    which = which_meniscus(lesion)
    cx, cy, hx, _, outward = MENISCI[which]
    gap_at = outward * (8.5 + 1.5 * lesion.where[1])
    wave = torch.sin(space.sz + lesion.where[-1])
    gap = body & (space.sy > cy + 4) & (torch.abs(space.x - gap_at + 0.6 * wave) < 1.3 + 1.3 * lesion.severity)
    space.put(gap, Tissue.TEAR)
    rho, _, height = meniscus_frame(space, which, subject)
    out = (rho > 0.97) & ((rho - 1) * hx < 0.6 + 2.4 * lesion.severity) & (height > 0.3) & (height < 5.0)
    out &= ((space.x - cx) * outward > 9) & soft_but(space, Tissue.SKIN, *_MENISCUS)
    out &= space.tissue != Tissue.CARTILAGE
    space.put(out, MENISCUS_TISSUE[which])
    frayed = _fraying(space, lesion, gap, (torch.abs(space.x - gap_at) < 4.5) & (space.sy > cy + 4), rho * 0)
    return gap | out | frayed


def _bucket_handle(space: Space, lesion: Lesion, subject: Subject, body: Mask, share: Field, arc: Field) -> Mask:
    """The inner part turned into the notch; what is left is thin and blunt, with fluid in the gap."""
    _, _, _, _, outward = MENISCI[which_meniscus(lesion)]
    lost = body & (share < lesion.where[1] * 0.9 + 0.1) & (torch.abs(arc) < lesion.extent / 2)
    space.put(lost, Tissue.FLUID)
    x = outward * (5.5 + 1.5 * lesion.where[3])
    ends = [from_shank((x, y, z), subject) for y, z in ((-9.0, 2.0), (13.0, 5.0))]
    radius = 2.0 + 1.1 * lesion.severity
    handle = capsule(space.x, space.y, space.z, *ends, radius)
    free = soft_but(space, Tissue.CARTILAGE, Tissue.PCL, Tissue.ACL, *_MENISCUS)
    fragment = (handle < 0) & free
    space.put((handle < 0.9) & free, Tissue.FLUID)
    space.put(fragment, MENISCUS_TISSUE[which_meniscus(lesion)])
    return lost | ((handle < 0.9) & free)


def depth_below_surface(space: Space, lesion: Lesion, subject: Subject) -> Field:
    """mm from each point to the nearest surface of the meniscus as the cartilage above and below leaves it."""
    own = -meniscus(space, which_meniscus(lesion), subject)
    above = bones.femur(space, subject) - subject.cartilage
    below = bones.tibia(space, subject) - subject.cartilage
    return torch.minimum(own, torch.minimum(above, below))


def paint_degeneration(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Mucoid signal within the substance: it leaves ``SKIN`` mm to every surface."""
    share, arc, height, wave = frame(space, lesion, subject)
    body = space.tissue == MENISCUS_TISSUE[which_meniscus(lesion)]
    near = (torch.abs(arc) < lesion.extent / 2) & (torch.abs(share - 0.62) < 0.3)
    inside = depth_below_surface(space, lesion, subject) > SKIN * (1.25 - 0.35 * lesion.severity)
    mask = body & near & inside & (torch.abs(height - 3.0 - 0.9 * share - 0.3 * wave) < 0.9 + 0.8 * lesion.severity)
    space.put(mask, Tissue.DEGENERATION)
    return mask


def paint_post_surgical(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """After partial meniscectomy: the inner part gone with a smooth edge, a little scar in what is left."""
    share, arc, _, _ = frame(space, lesion, subject)
    body = space.tissue == MENISCUS_TISSUE[which_meniscus(lesion)]
    taper = ((lesion.extent / 2 - torch.abs(arc)) * (1 / 5.0)).clamp_(0, 1)
    edge = (0.25 + 0.35 * lesion.severity) * taper
    gone = body & (share < edge)
    space.put(gone, Tissue.FILM)
    scar = body & (share >= edge) & (share < edge + 0.12) & (taper > 0)
    space.put(scar, Tissue.SCAR)
    return gone | scar
