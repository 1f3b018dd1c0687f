"""One synthetic exam: exam k of seed s depends on (s, k) alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core.domain import InputError, Plane, Series, Side, Split, Task
from mrnet_core.phantom.acquisition import Grid, Scanner, acquire, draw_grid
from mrnet_core.phantom.anatomy import Knee, Subject
from mrnet_core.phantom.pathology import KINDS, PATHOLOGIES, Lesion, draw_lesions, labels_of
from mrnet_core.phantom.pathology_paint import measure, seated
from mrnet_core.phantom.physics import PROTON_DENSITY, SEQUENCES, Sequence

SIZES = ("small", "full")
REPORT_ERROR = 0.02
"""Share of report labels that differ from the truth."""
PATHOLOGY_SHARE = {"normal": 0.22, "acl": 0.19, "meniscus": 0.19, "both": 0.18, "other": 0.22}
"""How often each is drawn where none is asked for: near balance, so that small cohorts train."""
_OF_THE_DAY = ("flexion", "fluid", "offset", "turn")
"""What of a subject is another in every exam; the rest is the body's own."""
_STREAMS = {"subject": 0, "lesions": 1, "scanner": 2, "report": 3}


@dataclass(frozen=True)
class PhantomExam:
    """One synthetic exam: series in the standard orientation, with the truth about it.

    ``masks``: by plane, one bool array ``(S, H, W)`` a lesion, in the order of ``lesions``; ``structures``: by plane, a
    bool array ``(S, H, W)`` a structure of ``STRUCTURES``, empty unless asked for; ``sequences``: by plane;
    ``identity``: what it was asked for beyond seed and k, in words that its UIDs are made from, empty for an ordinary
    exam; ``cohort``: of whose plan it is, else empty.
    """

    exam_id: str
    seed: int
    k: int
    patient: str
    split: Split
    side: Side
    age: int
    sex: str
    field_tesla: float
    manufacturer: str
    lesions: tuple[Lesion, ...]
    labels: Mapping[Task, bool]
    report_labels: Mapping[Task, bool]
    series: Mapping[Plane, Series]
    grids: Mapping[Plane, Grid]
    masks: Mapping[Plane, tuple[NDArray[np.bool_], ...]]
    structures: Mapping[Plane, Mapping[str, NDArray[np.bool_]]] = field(default_factory=dict)
    sequences: Mapping[Plane, Sequence] = field(default_factory=lambda: dict(SEQUENCES))
    identity: str = ""
    cohort: str = ""

    def uid(self, what: str) -> str:
        """A DICOM UID that belongs to this exam and to no other of its seed and k."""
        return uid(self.seed, self.k, what, self.identity)


@dataclass(frozen=True)
class PlannedExam:
    """A place in a cohort: which exam, which patient, which split; and what the plan fixes beyond that.

    ``pathology``, ``age``, ``sex`` and ``report_labels`` are drawn from (seed, k) where they are None. ``body``: the
    patient's first exam, where this is a later one: the knee is that exam's, at the same side or mirrored. ``cohort``
    names the plan where patients of one number are others than in a plain cohort.
    """

    k: int
    patient: str
    split: Split
    pathology: str | None = None
    age: int | None = None
    sex: str | None = None
    report_labels: Mapping[Task, bool] | None = None
    body: int | None = None
    cohort: str = ""


def _generator(seed: int, k: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, k, stream])))


def make_exam(
    seed: int,
    k: int,
    *,
    size: str = "full",
    pathology: str | None = None,
    planned: PlannedExam | None = None,
    planes: tuple[Plane, ...] = tuple(Plane),
    lesions: tuple[Lesion, ...] | None = None,
    without: int | None = None,
    structures: bool = False,
    sequences: Mapping[Plane, str] | None = None,
    device: torch.device | str = "cpu",
) -> PhantomExam:
    """Make exam ``k`` of ``seed``.

    Parameters
    ----------
    seed, k
        Whole numbers from 0; together they fix every pixel.
    size
        ``full`` (mostly 20 to 30 slices a series) or ``small`` (8 to 12).
    pathology
        One of ``PATHOLOGIES`` or ``KINDS``; None takes the plan's, else draws it from (seed, k).
    planned
        Patient and split in a cohort, and what else its plan fixes; None: a cohort of one.
    planes
        Planes to acquire; leaving one out changes nothing in the others.
    lesions
        Records to paint instead of those drawn: ``()`` gives the twin without any. Knee and noise stay the same.
    without
        Index of a lesion to leave out: the twin without it.
    structures
        Also give the masks of ``STRUCTURES``.
    sequences
        By plane, the name of another sequence: ``PD`` for the sagittal.
    device
        Where it is computed. Another device gives the same exam, but for float rounding: a grey level in few pixels.

    Raises
    ------
    InputError
        A negative seed or k, an unknown size, pathology or sequence, no lesion ``without``.
    """
    planned = planned or PlannedExam(k, f"P{k:05d}", Split.VALIDATION)
    pathology = pathology or planned.pathology
    _check(seed, k, size, pathology)
    chosen = _sequences(sequences)
    scanner = Scanner.draw(_generator(seed, k, _STREAMS["scanner"]))
    scans = {}
    with torch.inference_mode():
        side, age, sex, subject, drawn = _person(seed, k, pathology, planned)
        knee = Knee(subject)
        kept = _kept(drawn if lesions is None else lesions, without)
        kept = tuple(replace(lesion, volume_mm3=round(measure(lesion, kept, knee), 1)) for lesion in kept)
        for number, plane in enumerate(Plane):
            if plane in planes:
                own = _generator(seed, k, 10 + number)
                grid = draw_grid(own, plane, size)
                wanted = plane, grid, chosen[plane], knee, side, kept, scanner, own
                scans[plane] = acquire(*wanted, structures=structures, device=device)
    identity = _identity(size, pathology, planned, lesions, without, chosen)
    labels = labels_of(kept)
    reported = planned.report_labels or _report(_generator(seed, k, _STREAMS["report"]), labels)
    return PhantomExam(
        exam_id=f"{k:04d}",
        seed=seed,
        k=k,
        patient=planned.patient,
        split=planned.split,
        side=side,
        age=age,
        sex=sex,
        field_tesla=scanner.field_tesla,
        manufacturer=scanner.manufacturer,
        lesions=kept,
        labels=labels,
        report_labels=dict(reported),
        series={
            plane: replace(scan.series, uid=uid(seed, k, f"series {plane}", identity)) for plane, scan in scans.items()
        },
        grids={plane: scan.grid for plane, scan in scans.items()},
        masks={plane: scan.masks for plane, scan in scans.items()},
        structures={plane: scan.structures for plane, scan in scans.items()} if structures else {},
        sequences={plane: scan.sequence for plane, scan in scans.items()},
        identity=identity,
        cohort=planned.cohort,
    )


def _check(seed: int, k: int, size: str, pathology: str | None) -> None:
    if seed < 0 or k < 0:
        raise InputError(f"seed and exam number must be 0 or more; got {seed} and {k}")
    if size not in SIZES:
        raise InputError(f"size {size!r} is unknown; choose one of {', '.join(SIZES)}")
    if pathology is not None and pathology not in (*PATHOLOGIES, *KINDS):
        raise InputError(f"pathology {pathology!r} is unknown; choose one of {', '.join((*PATHOLOGIES, *KINDS))}")


def _sequences(wanted: Mapping[Plane, str] | None) -> dict[Plane, Sequence]:
    chosen = dict(SEQUENCES)
    for plane, name in (wanted or {}).items():
        if plane is Plane.SAGITTAL and name == PROTON_DENSITY.name:
            chosen[plane] = PROTON_DENSITY
        elif name != SEQUENCES[plane].name:
            raise InputError(f"{plane} has no sequence {name!r}; sagittal has T2 FS and PD, coronal T1, axial PD FS")
    return chosen


def _person(seed: int, k: int, pathology: str | None, planned: PlannedExam):
    """Side, age, sex, subject and drawn lesions of an exam."""
    side, age, sex, subject = _body(seed, k, planned)
    if planned.body is not None:
        known = _body(seed, planned.body, replace(planned, age=age, sex=sex))[-1]
        subject = replace(known, **{name: getattr(subject, name) for name in _OF_THE_DAY})
    tears = _generator(seed, k, _STREAMS["lesions"])
    word = str(tears.choice(list(PATHOLOGY_SHARE), p=list(PATHOLOGY_SHARE.values())))
    drawn = draw_lesions(tears, pathology or word, age)
    # The tibia slides forward without its ligament; it stays there in the twin without the tear.
    slack = max((lesion.severity for lesion in drawn if lesion.grade == "complete"), default=0.0)
    subject = replace(subject, drawer=-4.0 * slack)
    return side, age, sex, subject, tuple(seated(lesion, Knee(subject)) for lesion in drawn)


def _body(seed: int, k: int, planned: PlannedExam) -> tuple[Side, int, str, Subject]:
    """Side, age, sex and subject as the stream of exam ``k`` draws them."""
    person = _generator(seed, k, _STREAMS["subject"])
    side = Side.LEFT if person.random() < 0.5 else Side.RIGHT
    age, sex = int(np.clip(person.normal(38, 16), 14, 85)), "F" if person.random() < 0.415 else "M"
    age = age if planned.age is None else planned.age
    sex = planned.sex or sex
    return side, age, sex, Subject.draw(person, age, sex)


def _kept(lesions: tuple[Lesion, ...], without: int | None) -> tuple[Lesion, ...]:
    if without is None:
        return tuple(lesions)
    if not 0 <= without < len(lesions):
        raise InputError(f"there is no lesion {without} to leave out; this exam has {len(lesions)}, counted from 0")
    return tuple(lesion for n, lesion in enumerate(lesions) if n != without)


def _identity(
    size: str,
    pathology: str | None,
    planned: PlannedExam,
    lesions: tuple[Lesion, ...] | None,
    without: int | None,
    sequences: Mapping[Plane, Sequence],
) -> str:
    """What makes an exam another than the ordinary one of its seed and k: other pixels, or another patient."""
    asked = {
        "cohort": planned.cohort,
        "size": "" if size == "full" else size,
        "pathology": pathology,
        "age": planned.age,
        "sex": planned.sex,
        "body": planned.body,
        "lesions": lesions,
        "without": without,
        "sequences": [sequences[plane].name for plane in Plane if sequences[plane] is not SEQUENCES[plane]],
    }
    return ", ".join(f"{name} {value}" for name, value in asked.items() if value not in (None, "", []))


def uid(seed: int, k: int, what: str, identity: str) -> str:
    """A DICOM UID fixed by what is given, under the UUID root (PS3.5 B.2); ``identity``: of ``PhantomExam``."""
    words = np.random.SeedSequence([seed, k, *f"{what} {identity}".rstrip().encode()]).generate_state(4)
    number = 0
    for word in words:
        number = (number << 32) | int(word)
    return f"2.25.{number}"


def _report(generator: np.random.Generator, truth: Mapping[Task, bool]) -> dict[Task, bool]:
    """Labels of a report with a few errors; a reported tear is always reported abnormal."""
    flips = generator.random(len(Task)) < REPORT_ERROR
    report = {task: bool(truth[task]) ^ bool(flip) for task, flip in zip(Task, flips, strict=True)}
    report[Task.ABNORMAL] = report[Task.ABNORMAL] or report[Task.ACL] or report[Task.MENISCUS]
    return report
