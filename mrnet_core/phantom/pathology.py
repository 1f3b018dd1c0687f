"""What ails a knee: kinds of lesion, their record, how often they come together, and the labels that follow.

Labels are the paper's (Bien et al. 2018, Methods): an ACL tear of any grade is ACL-positive; mucoid degeneration, a
ganglion and a sprain are ACL-intact but abnormal; a meniscal tear is signal that reaches the surface on at least two
slices, or deformity; degenerative signal that does not reach it, and a meniscus after surgery, are meniscus-intact but
abnormal; any lesion makes the exam abnormal. Shares are of ordinary practice, set by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mrnet_core.domain import Task

PATHOLOGIES = ("normal", "acl", "meniscus", "both", "other")
"""Combinations of labels an exam can be asked for; ``other`` is abnormal without a tear, hard negatives among them."""
HARD_NEGATIVES = {
    Task.ACL: ("mucoid degeneration", "acl ganglion", "acl sprain"),
    Task.MENISCUS: ("intrasubstance degeneration", "post-surgical meniscus"),
}
OTHER = (
    *("effusion", "contusion", "fracture", "osteoarthritis", "pcl tear", "mcl sprain"),
    *("iliotibial band syndrome", "plica", "popliteal cyst"),
)
KINDS = ("acl tear", "meniscal tear", *HARD_NEGATIVES[Task.ACL], *HARD_NEGATIVES[Task.MENISCUS], *OTHER)
"""Every kind of lesion, by the word in its record."""
LESION_CHANNELS = ("acl tear", "meniscal tear", "other lesion", "hard negative acl", "hard negative meniscus")
ACL_GRADES = {"low-grade partial": 0.2, "high-grade partial": 0.22, "complete": 0.58}
MENISCUS_GRADES = {
    "horizontal": 0.28,
    "vertical": 0.16,
    "radial": 0.16,
    "bucket-handle": 0.09,
    "complex": 0.24,
    "root": 0.07,
}
MEDIAL_SHARE = 0.68
"""Share of meniscal tears that are medial."""
_OTHER_SHARE = {
    "effusion": 0.22,
    "contusion": 0.12,
    "fracture": 0.05,
    "osteoarthritis": 0.15,
    "pcl tear": 0.03,
    "mcl sprain": 0.06,
    "iliotibial band syndrome": 0.03,
    "plica": 0.03,
    "popliteal cyst": 0.07,
    "mucoid degeneration": 0.06,
    "acl ganglion": 0.03,
    "acl sprain": 0.05,
    "intrasubstance degeneration": 0.09,
    "post-surgical meniscus": 0.05,
}
"""How an abnormal exam without a tear comes about."""


@dataclass(frozen=True)
class Lesion:
    """One lesion as a record.

    ``type``: one of ``KINDS``; ``place``: anatomical words; ``extent``: mm, the greatest dimension wanted; ``grade``:
    of a tear, else empty; ``severity``: 0 subtle to 1 plain; ``volume_mm3``: what was painted, on a fine lattice;
    ``where``: numbers for the painter; ``company``: part of another lesion's injury.
    """

    type: str
    place: str
    extent: float
    grade: str = ""
    severity: float = 0.5
    volume_mm3: float = 0.0
    where: tuple[float, ...] = ()
    company: bool = False

    @property
    def label(self) -> str:
        """The task it makes positive besides abnormal: ``acl``, ``meniscus`` or empty."""
        return {"acl tear": "acl", "meniscal tear": "meniscus"}.get(self.type, "")

    @property
    def channel(self) -> str:
        """Which of ``LESION_CHANNELS`` it belongs to."""
        if self.type in LESION_CHANNELS:
            return self.type
        for task, kinds in HARD_NEGATIVES.items():
            if self.type in kinds:
                return f"hard negative {task}"
        return "other lesion"

    def words(self) -> str:
        """The record in one phrase for a reader."""
        what = f"{self.grade} {self.type}" if self.grade else self.type
        return f"{what}, {self.place}, {self.extent:.0f} mm"


def labels_of(lesions: tuple[Lesion, ...]) -> dict[Task, bool]:
    """The three labels by the paper's definitions."""
    found = {lesion.label for lesion in lesions}
    return {Task.ABNORMAL: bool(lesions), Task.ACL: "acl" in found, Task.MENISCUS: "meniscus" in found}


def draw_lesions(generator: np.random.Generator, pathology: str, age: int = 38) -> tuple[Lesion, ...]:
    """Lesions of an exam of the given ``pathology`` (one of ``PATHOLOGIES`` or ``KINDS``), with the company they keep.

    Age (years) tilts the shares: degeneration and osteoarthritis rise with it.
    """
    g = generator
    if pathology in KINDS:
        return (_draw(g, pathology, age),)
    kinds: list[str] = []
    lesions: list[Lesion] = []
    if pathology in ("acl", "both"):
        tear = _acl_tear(g, age)
        lesions += [tear, *_acl_company(g, tear)]
    if pathology in ("meniscus", "both"):
        lesions.append(_meniscal_tear(g, age))
        old = float(np.clip((age - 30) / 40, 0, 1))
        kinds += [
            kind
            for kind, share in (("effusion", 0.45), ("osteoarthritis", 0.08 + 0.3 * old), ("contusion", 0.15))
            if g.random() < share
        ]
        kinds += ["popliteal cyst"] if g.random() < 0.08 else []
    if pathology == "acl" and g.random() < 0.14:
        kinds.append(str(g.choice(HARD_NEGATIVES[Task.MENISCUS])))
    if pathology == "meniscus" and g.random() < 0.10:
        kinds.append(str(g.choice(HARD_NEGATIVES[Task.ACL])))
    if pathology == "other":
        share = np.array(list(_OTHER_SHARE.values()))
        tilt = np.array([_age_tilt(kind, age) for kind in _OTHER_SHARE])
        share = share * tilt / (share * tilt).sum()
        kinds += [
            str(kind) for kind in g.choice(list(_OTHER_SHARE), size=1 + int(g.random() < 0.35), replace=False, p=share)
        ]
        # Fluid and bruises are common without a tear too, or they would give the tears away.
        kinds += [kind for kind, share in (("effusion", 0.35), ("contusion", 0.15)) if g.random() < share]
        kinds = list(dict.fromkeys(kinds))
    present = {lesion.type for lesion in lesions}
    lesions += [_draw(g, kind, age) for kind in kinds if kind not in present]
    return tuple(lesions)


def _age_tilt(kind: str, age: int) -> float:
    old = float(np.clip((age - 38) / 30, -0.8, 1.0))
    return (
        1 + old if kind in ("osteoarthritis", "intrasubstance degeneration", "mucoid degeneration") else 1 - 0.4 * old
    )


def _draw(g: np.random.Generator, kind: str, age: int) -> Lesion:
    drawers: dict[str, Callable[[np.random.Generator, int], Lesion]] = {
        "acl tear": _acl_tear,
        "meniscal tear": _meniscal_tear,
    }
    return drawers[kind](g, age) if kind in drawers else _other(g, kind)


def _word(g: np.random.Generator, shares: dict[str, float]) -> str:
    return str(g.choice(list(shares), p=list(shares.values())))


def _acl_tear(g: np.random.Generator, age: int) -> Lesion:
    grade = _word(g, ACL_GRADES)
    low, high = {"low-grade partial": (0.0, 0.4), "high-grade partial": (0.3, 0.7), "complete": (0.3, 1.0)}[grade]
    severity = float(g.uniform(low, high))
    middle = float(np.clip(g.normal(0.42, 0.13), 0.2, 0.75))
    place = "proximal third" if middle < 0.33 else "distal third" if middle > 0.62 else "mid-substance"
    # where: middle along the ligament, direction of the torn side, seed of its waves
    where = (middle, float(g.uniform(0, 2 * np.pi)), float(g.uniform(0, 100)))
    return Lesion("acl tear", place, 6.0 + 6.5 * severity, grade, severity, where=where)


def _acl_company(g: np.random.Generator, tear: Lesion) -> list[Lesion]:
    """Pivot-shift contusions, effusion, a sprain: likelier the worse the tear; an old tear has lost them."""
    company = []
    if g.random() < 0.2 + 0.35 * tear.severity:
        for place in ("lateral femoral condyle", "posterolateral tibial plateau"):
            if g.random() < 0.8:
                company.append(_contusion(g, place))
    if g.random() < 0.35 + 0.25 * tear.severity:
        company.append(_other(g, "effusion"))
    if g.random() < 0.14:
        company.append(_other(g, "mcl sprain"))
    return [Lesion(**{**lesion.__dict__, "company": True}) for lesion in company]


def _meniscal_tear(g: np.random.Generator, age: int) -> Lesion:
    which = "medial" if g.random() < MEDIAL_SHARE else "lateral"
    grade = _word(g, MENISCUS_GRADES)
    if grade == "root":
        which = "medial" if g.random() < 0.8 else "lateral"
    severity = float(g.beta(1.6, 1.3))
    third = g.random()
    posterior = 0.72 if which == "medial" else 0.5
    body = 0.2 if which == "medial" else 0.3
    angle = (
        g.uniform(38, 82)
        if third < posterior
        else g.uniform(-20, 35)
        if third < posterior + body
        else g.uniform(
            -70 if which == "medial" else -50, -25
        )  # further forward the condyle leaves the lateral one little
    )
    if grade == "bucket-handle":
        angle = g.uniform(10, 40)
    if grade == "root":
        angle = 100.0
    horn = {"root": "posterior root", "bucket-handle": "body and posterior horn"}.get(grade) or _horn(angle)
    extent = {
        "horizontal": 10 + 8 * severity,
        "vertical": 10 + 8 * severity,
        "radial": 6 + 4 * severity,
        "bucket-handle": 26 + 12 * severity,
        "complex": 11 + 8 * severity,
        "root": 6 + 4 * severity,
    }[grade]
    # where: angle in degrees, share of the width, height, slope, seed of its waves
    where = (
        float(angle),
        float(g.uniform(0.42, 0.7)),
        float(g.uniform(2.0, 3.2)),
        float(g.normal(0, 0.8)),
        float(g.uniform(0, 100)),
    )
    return Lesion("meniscal tear", f"{which} meniscus, {horn}", float(extent), grade, severity, where=where)


def _horn(angle: float) -> str:
    return "posterior horn" if angle > 36 else "body" if angle > -22 else "anterior horn"


def moved_along(lesion: Lesion, degrees: float) -> Lesion:
    """A lesion of a meniscus (but a root or bucket-handle tear) further back along it."""
    angle, *rest = lesion.where
    which = lesion.place.split(",")[0]
    return replace(lesion, where=(angle + degrees, *rest), place=f"{which}, {_horn(angle + degrees)}")


_CONTUSION_PLACES = {
    "lateral femoral condyle": (22.0, -8.0, 9.0),
    "medial femoral condyle": (-21.0, -4.0, 9.0),
    "posterolateral tibial plateau": (23.0, 17.0, -11.0),
    "lateral tibial plateau": (22.0, -2.0, -11.0),
    "medial tibial plateau": (-22.0, 4.0, -11.0),
    "patella": (-6.0, -44.0, 27.0),
}
"""Centres (x, y, z) mm; tibial ones in the shank's frame."""


def _contusion(g: np.random.Generator, place: str = "") -> Lesion:
    place = place or str(g.choice(list(_CONTUSION_PLACES)))
    severity = float(g.beta(1.6, 1.4))
    centre = np.array(_CONTUSION_PLACES[place]) + g.normal(0, 2.0, 3)
    return Lesion(
        "contusion", place, 13 + 14 * severity, "", severity, where=(*map(float, centre), float(g.uniform(0, 100)))
    )


def _other(g: np.random.Generator, kind: str) -> Lesion:
    """Any lesion but a tear of the ACL or a meniscus."""
    severity = float(g.beta(1.6, 1.4))
    seed = float(g.uniform(0, 100))
    if kind == "contusion":
        return _contusion(g)
    if kind == "fracture":
        place = str(g.choice(["lateral tibial plateau", "medial tibial plateau", "patella", "lateral femoral condyle"]))
        centre = np.array(_CONTUSION_PLACES[place]) + g.normal(0, 2.0, 3)
        tilt = float(g.uniform(-40, 40))
        return Lesion(kind, place, 18 + 12 * severity, "", severity, where=(*map(float, centre), tilt, seed))
    if kind == "osteoarthritis":
        which = str(g.choice(["medial", "lateral"], p=[0.72, 0.28]))
        return Lesion(
            kind,
            f"{which} femorotibial compartment",
            12 + 14 * severity,
            "",
            severity,
            where=(float(g.normal(0, 4)), seed),
        )
    if kind in HARD_NEGATIVES[Task.MENISCUS]:
        which = "medial" if g.random() < 0.7 else "lateral"
        angle = float(g.uniform(40, 78) if g.random() < 0.75 else g.uniform(-15, 35))
        horn = "posterior horn" if angle > 36 else "body"
        extent = 10 + 9 * severity if kind == "intrasubstance degeneration" else 14 + 14 * severity
        where = (angle, float(g.uniform(0.45, 0.7)), seed)
        return Lesion(kind, f"{which} meniscus, {horn}", float(extent), "", severity, where=where)
    place, low, high = {
        "effusion": ("joint and suprapatellar recess", 5.0, 16.0),
        "mucoid degeneration": ("anterior cruciate ligament", 24.0, 32.0),
        "acl ganglion": ("anterior cruciate ligament", 8.0, 17.0),
        "acl sprain": ("anterior cruciate ligament", 14.0, 26.0),
        "pcl tear": ("posterior cruciate ligament", 9.0, 20.0),
        "mcl sprain": ("medial collateral ligament", 25.0, 50.0),
        "iliotibial band syndrome": ("iliotibial band over the lateral epicondyle", 18.0, 34.0),
        "plica": ("medial patellofemoral recess", 18.0, 30.0),
        "popliteal cyst": ("medial popliteal fossa", 16.0, 48.0),
    }[kind]
    where = (float(g.uniform(0.3, 0.65)), float(g.uniform(0, 2 * np.pi)), seed)
    return Lesion(kind, place, low + (high - low) * severity, "", severity, where=where)
