"""Do heatmaps point at the lesion? Grades against lesions whose place is known voxel by voxel.

Exams with the finding are graded, one plane's network at a time. A place on the picture is a CAM cell, centred on pixel
``31 + 32 i`` of 256; a cell hits a lesion when its centre lies within 36 pixels of the lesion's pixels in the same
slice.

Measures
    pointing game: the hottest cell of the hottest slice hits;
    right slice: the hottest slice shows the lesion;
    energy: the share of the map above zero, upsampled to pixels, that lies inside the lesion.
What they are held against
    chance: a cell (slice, pixel) of the knee taken blindly;
    prior: the exam's own hot spot tested on the other exams' lesions; low where the hot spots scatter;
    fixed place: the one relative depth and cell that hits most of the other exams' lesions, tested on the exam's own:
    what a network reaches that always points there without looking;
    untrained networks: the same grades of other sets of cases, one a random draw (``over_draws``).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Plane, Task
from mrnet_core.evaluation.scene import SEVERITY_WORDS, Lesion, Scene, check_length
from mrnet_core.models.cam import upsample_cam
from mrnet_core.stats import Comparison, Proportion, paired_t, wilson

DEPTHS = 48
"""Relative depths of a series among which the fixed place is chosen, more than most series have slices."""
CALLED = 0.5
"""An exam is called positive at this probability or above, as everywhere."""


@dataclass(frozen=True)
class Mark:
    """One lesion in one series, reduced to what grading needs.

    ``hits``: bool ``(s, 7, 7)``, cells that hit it. ``slices``: bool ``(s,)``, slices that show it. ``energy``: share
    of the map inside it; NaN where no value of the map is above zero. ``room``: its share of the knee's pixels.
    """

    lesion: Lesion
    hits: NDArray[np.bool_]
    slices: NDArray[np.bool_]
    energy: float
    room: float


@dataclass(frozen=True)
class Case:
    """One network's heatmap over one series of an exam with the finding, beside the lesions it should point at.

    ``knee``: bool ``(s, 7, 7)``, cells that lie in the knee. ``hot``: slice, row and column of the hottest cell of the
    hottest slice. ``invisible``: lesions of the task without a pixel in this series.
    """

    exam: str
    plane: Plane
    task: Task
    probability: float
    hot: tuple[int, int, int]
    knee: NDArray[np.bool_]
    marks: tuple[Mark, ...]
    invisible: tuple[Lesion, ...]


@dataclass(frozen=True)
class LocalisationGrade:
    """Grades of one network over the exams of a group.

    Attributes
    ----------
    network
        Which set of networks ("trained", "untrained").
    by, group
        ``all``; or a lesion's ``type``, ``severity`` or ``grade``, and its word. An exam stands in a group when a
        lesion of the group is visible, and is held against the lesions of the group only.
    n
        Exams graded. ``not_visible``: exams left out since no lesion of the group has a pixel in this plane.
    pointing, right_slice
        Proportions with Wilson intervals, n as above.
    pointing_chance, right_slice_chance, pointing_prior, pointing_fixed
        The same by chance; of the hot spots on other exams' lesions, and of one fixed place (NaN for a single exam).
    energy, energy_chance
        Means over exams whose map has a value above zero (``energy_gain.n`` of them); their paired difference with its
        t interval.
    called, called_elsewhere
        Exams called positive, and the proportion of those whose hot spot missed: right calls with a heatmap in the
        wrong place.
    """

    network: str
    plane: Plane
    task: Task
    by: str
    group: str
    n: int
    not_visible: int
    pointing: Proportion
    pointing_chance: float
    pointing_prior: float
    pointing_fixed: float
    right_slice: Proportion
    right_slice_chance: float
    energy: float
    energy_chance: float
    energy_gain: Comparison
    called: int
    called_elsewhere: Proportion

    def record(self) -> dict:
        """Plain values for JSON and tables, full precision; None where undefined, with the reason in ``note``."""
        values = {
            "network": self.network,
            "plane": self.plane.value,
            "task": self.task.value,
            "by": self.by,
            "group": self.group,
            "n": self.n,
            "not_visible": self.not_visible,
        }
        parts = {"pointing": self.pointing, "right_slice": self.right_slice, "called_elsewhere": self.called_elsewhere}
        for name, part in parts.items():
            values |= {name: part.estimate, f"{name}_lower": part.lower, f"{name}_upper": part.upper}
            values[f"{name}_x"] = part.x
        for name in ("pointing_chance", "pointing_prior", "pointing_fixed", "right_slice_chance"):
            values[name] = getattr(self, name)
        values |= {"energy": self.energy, "energy_chance": self.energy_chance, "called": self.called}
        gain = self.energy_gain
        values |= {"energy_gain": gain.estimate, "energy_gain_lower": gain.lower, "energy_gain_upper": gain.upper}
        values["energy_n"] = gain.n
        notes = dict.fromkeys(part.note for part in (*parts.values(), gain) if part.note)
        values["note"] = "; ".join(notes)
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }


def hot_spot(cam: NDArray[np.float32]) -> tuple[int, int, int]:
    """Slice, row and column (0-based cells) of the map's highest value, the first of equals."""
    return tuple(int(index) for index in np.unravel_index(int(np.argmax(cam)), cam.shape))


def build_case(task: Task, cam: NDArray[np.float32], probability: float, scene: Scene) -> Case | None:
    """Reduce one heatmap over a series to a case.

    Parameters
    ----------
    task, probability
        Of the network, and what it said.
    cam
        ``(s, 7, 7)``, before any scaling.
    scene
        What is true of the series.

    Returns
    -------
    Case or None
        None where no lesion makes the task positive.
    """
    ours = [seen for seen in scene.lesions if seen.lesion.counts_for(task)]
    if not ours:
        return None
    check_length(scene.exam, scene.plane, "heatmap", cam, len(scene.knee))
    warm = np.maximum(upsample_cam(cam), 0)
    total = float(warm.sum(dtype=np.float64))
    marks = tuple(
        Mark(
            lesion=seen.lesion,
            hits=seen.hits,
            slices=seen.slices,
            energy=float(warm[seen.mask].sum(dtype=np.float64)) / total if total > 0 else math.nan,
            room=seen.room,
        )
        for seen in ours
        if seen.slices.any()
    )
    invisible = tuple(seen.lesion for seen in ours if not seen.slices.any())
    return Case(scene.exam, scene.plane, task, float(probability), hot_spot(cam), scene.knee, marks, invisible)


def grade(cases: Iterable[Case], network: str = "trained") -> tuple[LocalisationGrade, ...]:
    """Grades by plane and task: of all exams, and by the lesions' type, severity and grade.

    Groups come in the order of planes and tasks, then ``all``, types, severities and grades by name.
    """
    cases = tuple(cases)
    grades = []
    for plane in Plane:
        for task in Task:
            own = [case for case in cases if (case.plane, case.task) == (plane, task)]
            if own:
                grades.append(_grade(network, own, "all", "all", lambda lesion: True))
            for by, word in _GROUPINGS.items():
                for group in _groups(own, word):
                    grades.append(_grade(network, own, by, group, lambda lesion, w=word, g=group: w(lesion) == g))
    return tuple(grades)


_GROUPINGS: dict[str, Callable[[Lesion], str]] = {
    "type": lambda lesion: lesion.type,
    "severity": lambda lesion: lesion.severity_word,
    "grade": lambda lesion: lesion.grade and f"{lesion.type}, {lesion.grade}",
}


def _groups(cases: Sequence[Case], word: Callable[[Lesion], str]) -> list[str]:
    found = {word(mark.lesion) for case in cases for mark in case.marks}
    found |= {word(lesion) for case in cases for lesion in case.invisible}
    found.discard("")
    order = {name: number for number, name in enumerate(SEVERITY_WORDS)}
    return sorted(found, key=lambda name: (order.get(name, 0), name))


def _grade(
    network: str, cases: Sequence[Case], by: str, group: str, belongs: Callable[[Lesion], bool]
) -> LocalisationGrade:
    shown, hidden = [], 0
    for case in cases:
        marks = [mark for mark in case.marks if belongs(mark.lesion)]
        if marks:
            shown.append((case, marks))
        elif any(belongs(lesion) for lesion in case.invisible):
            hidden += 1
    targets = [np.any([mark.hits for mark in marks], axis=0) for _, marks in shown]
    slices = [np.any([mark.slices for mark in marks], axis=0) for _, marks in shown]
    hit = [bool(target[case.hot]) for (case, _), target in zip(shown, targets, strict=True)]
    right = [bool(where[case.hot[0]]) for (case, _), where in zip(shown, slices, strict=True)]
    called = [case.probability >= CALLED for case, _ in shown]
    # Lesions of one exam may overlap; the shares of the whole are at most 1.
    energy = np.array([min(sum(mark.energy for mark in marks), 1.0) for _, marks in shown])
    room = np.array([min(sum(mark.room for mark in marks), 1.0) for _, marks in shown])
    warm = np.isfinite(energy)
    first = cases[0]
    return LocalisationGrade(
        network=network,
        plane=first.plane,
        task=first.task,
        by=by,
        group=group,
        n=len(shown),
        not_visible=hidden,
        pointing=wilson(sum(hit), len(hit)),
        pointing_chance=_mean([_share(target, case.knee) for (case, _), target in zip(shown, targets, strict=True)]),
        pointing_prior=_prior([case.hot for case, _ in shown], targets),
        pointing_fixed=_fixed(targets),
        right_slice=wilson(sum(right), len(right)),
        right_slice_chance=_mean([where.mean() for where in slices]),
        energy=_mean(energy[warm]),
        energy_chance=_mean(room[warm]),
        energy_gain=paired_t(room[warm], energy[warm]),
        called=sum(called),
        called_elsewhere=wilson(sum(c and not h for c, h in zip(called, hit, strict=True)), sum(called)),
    )


def over_draws(draws: Sequence[Sequence[LocalisationGrade]]) -> list[dict]:
    """Grades of several random draws of the same networks, as one record a group.

    Parameters
    ----------
    draws
        By draw, the grades of the same cases, in the same order.

    Returns
    -------
    list of dict
        ``network``, ``plane``, ``task``, ``by``, ``group``, ``n``, ``not_visible``, ``draws`` (how many); of
        ``pointing``, ``right_slice`` and ``energy`` the mean over draws and, as ``_lowest`` and ``_highest``, their
        range. None where no draw has the value.
    """
    records = []
    for grades in zip(*([grade.record() for grade in one] for one in draws), strict=True):
        names = ("network", "plane", "task", "by", "group", "n", "not_visible")
        if any(other[name] != grades[0][name] for other in grades for name in names):
            raise ValueError("the draws grade other cases, or in another order")
        record = {name: grades[0][name] for name in names} | {"draws": len(grades)}
        for name in ("pointing", "right_slice", "energy"):
            values = [grade[name] for grade in grades if grade[name] is not None]
            record[name] = _mean(values) if values else None
            record |= {f"{name}_lowest": min(values, default=None), f"{name}_highest": max(values, default=None)}
        records.append(record)
    return records


def _mean(values) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _share(target: NDArray[np.bool_], knee: NDArray[np.bool_]) -> float:
    """Of the cells that lie in the knee (or, at its edge, hit the lesion), those that hit."""
    return float(target.sum() / (knee | target).sum())


def _prior(spots: Sequence[tuple[int, int, int]], targets: Sequence[NDArray[np.bool_]]) -> float:
    """How often an exam's hot spot (slice at the same relative depth) hits another exam's lesions: mean over pairs."""
    if len(spots) < 2:
        return math.nan
    hits = np.zeros((len(spots), len(targets)), bool)
    for a, (k, row, column) in enumerate(spots):
        depth = (k + 0.5) / len(targets[a])
        for b, target in enumerate(targets):
            hits[a, b] = target[int(depth * len(target)), row, column]
    np.fill_diagonal(hits, False)
    return float(hits.sum() / (len(spots) * (len(spots) - 1)))


def _fixed(targets: Sequence[NDArray[np.bool_]]) -> float:
    """How often one place hits that is chosen on the other exams, the first of equals."""
    if len(targets) < 2:
        return math.nan
    depths = (np.arange(DEPTHS) + 0.5) / DEPTHS
    places = np.array([target[(depths * len(target)).astype(int)].ravel() for target in targets])  # (n, places)
    most = places.sum(axis=0)
    return _mean([own[np.argmax(most - own)] for own in places])
