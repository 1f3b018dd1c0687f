"""One synthetic exam: exam k of seed s depends on (s, k) alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import InputError, Plane, Series, Side, Split, Task
from mrnet_core.phantom.acquisition import Grid, Scanner, acquire, draw_grid
from mrnet_core.phantom.anatomy import Subject
from mrnet_core.phantom.pathology import PATHOLOGIES, Lesion, draw_lesions, labels_of

SIZES = ("small", "full")
REPORT_ERROR = 0.02
"""Share of report labels that differ from the truth."""
PATHOLOGY_SHARE = {"normal": 0.22, "acl": 0.19, "meniscus": 0.19, "both": 0.18, "other": 0.22}
"""How often each is drawn where none is asked for: near balance, so that small cohorts train."""
_STREAMS = {"subject": 0, "lesions": 1, "scanner": 2, "report": 3}


@dataclass(frozen=True)
class PhantomExam:
    """One synthetic exam: series in the standard orientation, with the truth about it.

    ``masks``: by plane, one bool array ``(S, H, W)`` a lesion, in the order of ``lesions``.
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


@dataclass(frozen=True)
class PlannedExam:
    """A place in a cohort: which exam, which patient, which split; and what the plan fixes beyond that.

    ``pathology``, ``age``, ``sex`` and ``report_labels`` are drawn from (seed, k) where they are None.
    """

    k: int
    patient: str
    split: Split
    pathology: str | None = None
    age: int | None = None
    sex: str | None = None
    report_labels: Mapping[Task, bool] | None = None


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
) -> PhantomExam:
    """Make exam ``k`` of ``seed``.

    Parameters
    ----------
    seed, k
        Whole numbers from 0; together they fix every pixel.
    size
        ``full`` (18 to 28 slices a series) or ``small`` (8 to 12).
    pathology
        One of ``PATHOLOGIES``; None draws it from (seed, k).
    planned
        Patient and split in a cohort; None: a cohort of one.
    planes
        Planes to acquire; leaving one out changes nothing in the others.

    Raises
    ------
    InputError
        A negative seed or k, an unknown size or pathology.
    """
    if seed < 0 or k < 0:
        raise InputError(f"seed and exam number must be 0 or more; got {seed} and {k}")
    if size not in SIZES:
        raise InputError(f"size {size!r} is unknown; choose one of {', '.join(SIZES)}")
    if pathology is not None and pathology not in PATHOLOGIES:
        raise InputError(f"pathology {pathology!r} is unknown; choose one of {', '.join(PATHOLOGIES)}")
    person, tears, machine = (_generator(seed, k, _STREAMS[name]) for name in ("subject", "lesions", "scanner"))
    subject = Subject.draw(person)
    side = Side.LEFT if person.random() < 0.5 else Side.RIGHT
    age, sex = int(np.clip(person.normal(38, 16), 14, 85)), "F" if person.random() < 0.415 else "M"
    drawn = str(tears.choice(list(PATHOLOGY_SHARE), p=list(PATHOLOGY_SHARE.values())))
    lesions = draw_lesions(tears, pathology or drawn)
    scanner = Scanner.draw(machine)
    labels = labels_of(lesions)
    series, grids, masks = {}, {}, {}
    for number, plane in enumerate(Plane):
        if plane not in planes:
            continue
        own = _generator(seed, k, 10 + number)
        grids[plane] = draw_grid(own, plane, size)
        series[plane], masks[plane] = acquire(grids[plane], plane, subject, side, lesions, scanner, own)
    planned = planned or PlannedExam(k, f"P{k:05d}", Split.VALIDATION)
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
        lesions=lesions,
        labels=labels,
        report_labels=_report(_generator(seed, k, _STREAMS["report"]), labels),
        series={plane: replace(one, uid=series_uid(seed, k, plane)) for plane, one in series.items()},
        grids=grids,
        masks=masks,
    )


def series_uid(seed: int, k: int, plane: Plane) -> str:
    """SeriesInstanceUID of a synthetic series, fixed by (seed, k, plane); under DICOM's UUID root (PS3.5 B.2)."""
    return uid(seed, k, f"series {plane}")


def uid(seed: int, k: int, what: str) -> str:
    """A DICOM UID fixed by (seed, k, what), under the UUID root."""
    words = np.random.SeedSequence([seed, k, *what.encode()]).generate_state(4)
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
