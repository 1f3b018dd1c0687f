"""Lesions of the cruciate and collateral ligaments, the marrow, the cartilage and the joint's fluid."""

from functools import lru_cache

import numpy as np
import torch

from mrnet_core.phantom import anatomy_bones as bones
from mrnet_core.phantom import anatomy_joint as joint
from mrnet_core.phantom.anatomy_shapes import Field, ball_box, blob, capsule
from mrnet_core.phantom.anatomy_space import IN_BONE, Space, Subject, Tissue
from mrnet_core.phantom.anatomy_texture import LOBULES, SEPTA, STRIPES, TRABECULAE
from mrnet_core.phantom.pathology import Lesion

Mask = torch.Tensor
_MARROW = (Tissue.MARROW, Tissue.RED_MARROW, Tissue.KNEECAP_MARROW, Tissue.SCLEROSIS)
_FIRM = (Tissue.SKIN, Tissue.CARTILAGE, Tissue.LIGAMENT, Tissue.TENDON, Tissue.ACL, Tissue.PCL)
_MENISCI = (Tissue.MEDIAL_MENISCUS, Tissue.LATERAL_MENISCUS)


def acl_box(lesion: Lesion, subject: Subject):
    """Bounds of the ACL with the swelling about it."""
    return (-14, 20, -22, 30, -12, 32), False


def pcl_box(lesion: Lesion, subject: Subject):
    """Bounds of the PCL."""
    return joint.PCL_BOX, False


def effusion_box(lesion: Lesion, subject: Subject):
    """Bounds of the joint's recesses."""
    return (-46, 46, -50, 44, -14, 80), False


def cyst_box(lesion: Lesion, subject: Subject):
    """Bounds of a popliteal cyst, growing down the calf."""
    return (-32, 0, 26, 54, -18 - lesion.extent * 0.8, 24 + lesion.extent * 0.3), False


def plica_box(lesion: Lesion, subject: Subject):
    """Bounds of the medial patellofemoral recess."""
    return (-36, 4, -50, -14, 2, 54), False


def osteoarthritis_box(lesion: Lesion, subject: Subject):
    """Bounds of one compartment."""
    return ((-46, -2) if lesion.place.startswith("medial") else (2, 46)) + (-34, 36, -22, 24), False


def contusion_box(lesion: Lesion, subject: Subject):
    """Bounds of the patch; tibial ones in the shank's frame."""
    return ball_box(lesion.where[:3], [lesion.extent * 0.72] * 3), "tibial" in lesion.place


def fracture_box(lesion: Lesion, subject: Subject):
    """Bounds of the line and the oedema about it."""
    return ball_box(lesion.where[:3], [lesion.extent * 0.8] * 3), "tibial" in lesion.place


def mcl_box(lesion: Lesion, subject: Subject):
    """Bounds of the medial collateral ligament with the oedema about it."""
    return (-50, -15, -16, 20, -50, 34), False


def band_box(lesion: Lesion, subject: Subject):
    """Bounds of the space beneath the iliotibial band."""
    return (31, 50, -22, 16, -8, 44), False


def soft_but(space: Space, *tissues: Tissue) -> Mask:
    """Inside the leg and neither bone nor one of ``tissues``."""
    return ~space.among((Tissue.AIR, *IN_BONE, *tissues))


def _loose(space: Space) -> Mask:
    """Soft tissue that fluid can displace."""
    return soft_but(space, *_FIRM, *_MENISCI, Tissue.MUSCLE, Tissue.ARTERY, Tissue.VEIN)


def _ramp(field: Field, width: float = 1.0) -> Field:
    """``field / width`` between 0 and 1."""
    return (field * (1 / width)).clamp_(0, 1)


def _along_acl(space: Space, subject: Subject) -> tuple[Field, tuple[Field, Field, Field], float]:
    """Position along the ligament (0 femur, 1 tibia), offsets from its axis, and its length in mm."""
    femoral, tibial = joint.acl_axis(subject)
    axis = tibial - femoral
    length = float(np.linalg.norm(axis))
    d = [coordinate - float(p) for coordinate, p in zip((space.x, space.y, space.z), femoral, strict=True)]
    t = sum(offset * float(a / length**2) for offset, a in zip(d, axis, strict=True))
    off = tuple(offset - t * float(a) for offset, a in zip(d, axis, strict=True))
    return t, off, length


def paint_acl_tear(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Torn fibres and fluid where the ligament was, swollen beyond it the more complete the tear.

    Where a tear is torn most, a low-grade one leaves more than half of the fibres, a high-grade one less, a complete
    one none.
    """
    t, off, length = _along_acl(space, subject)
    shape = joint.acl(space, subject)
    middle, _, seed = lesion.where
    half = lesion.extent / 2 / length
    wave = torch.sin(1.1 * space.x + seed) * torch.sin(0.9 * space.y + 2 * seed) * torch.sin(0.8 * space.z + 3 * seed)
    near = torch.abs(t - middle) - half * (1 + 0.25 * wave)
    free = soft_but(space, Tissue.CARTILAGE, Tissue.PCL, Tissue.TENDON, *_MENISCI)
    if lesion.grade == "complete":
        swelling = -0.1 + 1.0 * lesion.severity - 1.5 * (near * length).clamp(min=-4) * 0.25
        torn = (shape < swelling * (1 + 0.3 * wave)) & (near < 0)
    else:
        swelling = 0.3 + 0.9 * lesion.severity if lesion.grade == "high-grade partial" else 0.4
        torn = (shape < swelling) & (near < 0) & (_across(off, lesion) > _torn_side(lesion, subject))
    mask = torn & free
    noise = space.texture(STRIPES)
    space.put(mask, Tissue.TORN_FIBRES)
    space.put(mask & (noise > 0.9) & (shape > -1.5), Tissue.FLUID)
    # Fibres that hang on; in a complete tear only towards its ends.
    strands = mask & (noise < -(0.7 if lesion.grade == "low-grade partial" else 1.25)) & (shape < 0)
    if lesion.grade == "complete":
        strands &= torch.abs(t - middle) > 0.5 * half
    space.put(strands, Tissue.ACL)
    return mask


def _across(off: tuple[Field, Field, Field], lesion: Lesion) -> Field:
    """How far points lie towards the torn side of the ligament, mm."""
    side = lesion.where[1]
    return off[0] * float(np.cos(side)) + (off[1] - off[2]) * float(0.7 * np.sin(side))


@lru_cache(64)
def _torn_side(lesion: Lesion, subject: Subject) -> float:
    """The value of ``_across`` beyond which a partial tear's share of the ligament's cross-section lies."""
    share = {"low-grade partial": 0.27 + 0.4 * lesion.severity, "high-grade partial": 0.66 + 0.36 * lesion.severity}
    femoral, tibial = joint.acl_axis(subject)
    first = femoral + lesion.where[0] * (tibial - femoral)
    axis = np.arange(-9, 9.01, 0.5)
    x, y = (torch.from_numpy(part.astype(np.float32))[None] for part in np.meshgrid(axis, axis, indexing="ij"))
    # The plane at right angles to the ligament.
    across = torch.from_numpy(np.float32(tibial - femoral))
    z = -(x * across[0] + y * across[1]) / across[2]
    section = Space.at(x + float(first[0]), y + float(first[1]), z + float(first[2]), subject)
    fibres = joint.acl(section, subject) < 0
    _, off, _ = _along_acl(section, subject)
    return float(torch.quantile(_across(off, lesion)[fibres], 1 - share[lesion.grade]))


def paint_mucoid(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A thick ligament of raised signal whose fibres run on (the celery stalk)."""
    t, off, _ = _along_acl(space, subject)
    shape = joint.acl(space, subject)
    free = soft_but(space, Tissue.CARTILAGE, Tissue.PCL, Tissue.TENDON, *_MENISCI)
    mask = (shape < 0.6 + 1.8 * lesion.severity) & (t > 0.06) & (t < 0.97) & free
    space.put(mask, Tissue.MUCOID)
    fibres = torch.abs(torch.sin(1.05 * off[0] + 0.9 * (off[1] - off[2]) + lesion.where[2])) < 0.36
    space.put(mask & fibres & (shape < 1.2), Tissue.ACL)
    return mask


def paint_ganglion(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A cyst beside or within the ligament, lobed, with the fibres intact about it."""
    t, off, length = _along_acl(space, subject)
    middle, side, seed = lesion.where
    lobes = 1 + 0.2 * torch.sin(0.8 * space.x + seed) * torch.sin(0.7 * space.z + seed)
    across, deep = 3.2 * float(np.cos(side)), 2.2 * float(np.sin(side))
    along = (t - middle) * length
    u = along * along * (2 / lesion.extent) ** 2
    r = 2.4 + 0.22 * lesion.extent
    u += ((off[0] - across) ** 2 + (off[1] - deep) ** 2 + off[2] ** 2) * (1 / r**2)
    free = soft_but(space, Tissue.CARTILAGE, Tissue.PCL, Tissue.TENDON, *_MENISCI)
    mask = (u < lobes) & free
    space.put(mask, Tissue.GANGLION)
    return mask


def paint_acl_sprain(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Oedema about the ligament and a haze within; the fibres run on from end to end."""
    t, _, length = _along_acl(space, subject)
    shape = joint.acl(space, subject)
    near = torch.abs(t - lesion.where[0]) < lesion.extent / 2 / length
    sleeve = (shape > -0.3) & (shape < 0.7 + 1.2 * lesion.severity) & near
    free = soft_but(space, Tissue.CARTILAGE, Tissue.PCL, Tissue.TENDON, *_MENISCI)
    noise = space.texture(LOBULES)
    mask = sleeve & free & (noise > -0.2)
    space.put(mask, Tissue.SOFT_OEDEMA)
    return mask


def paint_pcl_tear(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Swollen, bright fibres over a stretch of the ligament."""
    shape = joint.pcl(space, subject)
    centre = np.asarray(joint.pcl_knots(subject)[1 + int(lesion.where[0] > 0.5)])
    away = blob(space.x, space.y, space.z, centre, [lesion.extent * 0.6] * 3)
    free = soft_but(space, Tissue.CARTILAGE, Tissue.TENDON, *_MENISCI)
    mask = (shape < 0.5 + 1.8 * lesion.severity) & (away < 0) & free
    space.put(mask, Tissue.TORN_FIBRES)
    space.put(mask & (space.texture(STRIPES) < -1.0), Tissue.PCL)
    return mask


def paint_effusion(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Fluid that fills the suprapatellar recess, the gutters and the back of the joint. ``extent``: mm of its depth."""
    x, y, z, e = space.x, space.y, space.z, lesion.extent
    bow = y + 35.0 - 0.09 * (z - 46) + 0.008 * x * x
    depth = _ramp(1 - ((z - 49) * (1 / (14 + 0.9 * e))) ** 2) * _ramp(1 - (x * (1 / 30.0)) ** 2)
    pouch = torch.abs(bow) - 0.55 * e * depth
    bone = bones.femur(space, subject)
    rounded = _ramp(40 - z, 14.0) * _ramp(14 - y, 12.0) * _ramp(z + 3, 5.0)
    film = bone - (subject.cartilage + 0.2 + 0.16 * e) * torch.sqrt(torch.where(y > 16, _ramp(36 - z, 12.0), rounded))
    sides = (y < 16) & (torch.abs(x) > 18) & (y > -34)
    behind = (y > 22) & (z > 2) & (z < 34) & (torch.abs(torch.abs(x) - 20) < 13)
    notch = (torch.abs(x) < 9) & (y > -10) & (y < 22) & (z > -3) & (z < 22) & (space.texture(LOBULES) > 1.3 - 0.07 * e)
    loose = _loose(space)
    where = (pouch < 0) | ((film < 0) & (sides | behind)) | (notch & (bone > 0))
    mask = where & loose & (bone > -0.5)
    space.put(mask, Tissue.FLUID)
    return mask


def paint_cyst(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A cyst between semimembranosus and the medial gastrocnemius, with a neck towards the joint."""
    e = lesion.extent
    bag = blob(space.x, space.y, space.z, (-16, 42, 6 - 0.25 * e), (3.0 + 0.16 * e, 2.4 + 0.13 * e, e / 2))
    neck = capsule(space.x, space.y, space.z, (-17, 31, 12), (-16, 41, 6), 1.2 + 0.03 * e)
    wave = 0.5 * torch.sin(0.5 * space.z + lesion.where[2])
    mask = (torch.minimum(bag + wave, neck) < 0) & soft_but(space, Tissue.SKIN)
    space.put(mask, Tissue.FLUID)
    return mask


def paint_plica(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A thickened dark band in a little fluid, medial to the patella."""
    x, y, z = space.x, space.y, space.z
    start, end = (-14.0, -39.0, 44.0), (-17.0, -33.0, 44.0 - lesion.extent)
    band = capsule(x, y, z, start, end, 1.0 + 0.6 * lesion.severity, (2.2, 1.0, 1.0))
    loose = _loose(space)
    mask = (band < 2.2 + 1.6 * lesion.severity) & loose
    space.put(mask, Tissue.FLUID)
    space.put(mask & (band < 0), Tissue.LIGAMENT)
    return mask


def paint_contusion(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A cloud of raised water in the marrow."""
    y, z = (space.sy, space.sz) if "tibial" in lesion.place else (space.y, space.z)
    r = lesion.extent / 2
    patch = blob(space.x, y, z, lesion.where[:3], (r, r * 1.05, r * 0.85))
    patch += 1.2 * space.texture(SEPTA) + 0.35 * space.texture(TRABECULAE)
    mask = (patch < 0) & space.among(_MARROW)
    if lesion.severity < 0.4:
        space.put(mask, Tissue.OEDEMA)
    else:
        space.put(mask, Tissue.CONTUSION)
    return mask


def paint_fracture(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """A dark line through oedema."""
    y, z = (space.sy, space.sz) if "tibial" in lesion.place else (space.y, space.z)
    *centre, tilt, seed = lesion.where
    r = lesion.extent / 2
    noise = space.texture(TRABECULAE)
    cloud = blob(space.x, y, z, centre, (r, r * 1.1, r)) + 1.6 * noise
    slope = float(np.tan(np.deg2rad(tilt)))
    line = torch.abs(z - centre[2] - slope * (space.x - centre[0]) - 0.9 * torch.sin(0.5 * y + seed) - 0.35 * noise)
    mask = (cloud < 0) & space.among(_MARROW)
    space.put(mask, Tissue.CONTUSION)
    space.put(mask & (line < 0.7 + 0.4 * lesion.severity), Tissue.CORTEX)
    return mask


def paint_osteoarthritis(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Cartilage worn through over the load-bearing part, sclerosis and oedema beneath, spurs at the margins."""
    side = -1.0 if lesion.place.startswith("medial") else 1.0
    x, y, z = space.x, space.y, space.z
    centre_y, _ = lesion.where
    r = lesion.extent / 2
    worn = blob(x, y, z, (side * 21, centre_y, -0.5), (r, r * 1.35, 4.5 + 2 * lesion.severity)) < 0
    lost = worn & (space.tissue == Tissue.CARTILAGE) & (space.texture(LOBULES) < 1.2)
    space.put(lost, Tissue.FLUID)
    deep = blob(x, y, z, (side * 22, centre_y, 0), (r * 0.9, r * 1.2, 9 + 5 * lesion.severity))
    noise = space.texture(TRABECULAE)
    bed = (deep + 1.6 * noise < 0) & space.among(_MARROW)
    space.put(bed, Tissue.OEDEMA)
    space.put(bed & (deep < -5.5), Tissue.SCLEROSIS)
    grown = torch.zeros_like(space.tissue, dtype=torch.bool)
    for height in (5.5, -6.0):
        spur = blob(x, y, z, (side * 34.6, centre_y, height), (2.6 + 2.6 * lesion.severity, 12, 2.8))
        outgrowth = (spur < 0) & soft_but(space, Tissue.SKIN)
        grown |= outgrowth
        space.put(outgrowth, Tissue.CORTEX)
        space.put(grown & (spur < -1.0), Tissue.MARROW)
    return lost | bed | grown


def paint_mcl_sprain(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Oedema about the ligament, within it when severe."""
    band = joint.mcl(space)
    height = torch.abs(space.z - 2) < lesion.extent / 2
    noise = space.texture(LOBULES)
    band += 0.9 * (noise - 0.3) + 0.12 * (torch.abs(space.y - 2) - 2).clamp_(min=0)
    about = (band < 1.0 + 2.2 * lesion.severity) & height & soft_but(space, Tissue.SKIN)
    about &= ~space.among((Tissue.CARTILAGE, *_MENISCI))
    mask = about & ((noise > -0.6) | (band > 0)) & ((band > 0) | (lesion.severity > 0.55))
    space.put(mask, Tissue.SOFT_OEDEMA)
    return mask


def paint_band_syndrome(space: Space, lesion: Lesion, subject: Subject) -> Mask:
    """Oedema and a little fluid between the iliotibial band and the lateral epicondyle."""
    r = lesion.extent / 2
    place = blob(space.x, space.y, space.z, (38.5, -4, 16), (3.2 + 2.0 * lesion.severity, r * 0.75, r))
    noise = space.texture(LOBULES)
    free = soft_but(space, Tissue.SKIN, Tissue.CARTILAGE, Tissue.TENDON, Tissue.LIGAMENT)
    mask = (place + 0.8 * noise < 0) & free
    space.put(mask, Tissue.SOFT_OEDEMA)
    space.put(mask & (noise > 0.9), Tissue.FLUID)
    return mask
