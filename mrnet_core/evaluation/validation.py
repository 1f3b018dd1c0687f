"""A model's scores against labels: ROC curve, AUC, operating points, calibration, and two models on the same exams.

Positive is 1 and an exam is called positive at or above a threshold. An operating point is named by its index on the
curve: 0 calls nobody, the last calls everybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core.datasets.reads import LabelledScores
from mrnet_core.domain import InputError, Metric, Task
from mrnet_core.evaluation.provenance import UNKNOWN, Provenance
from mrnet_core.evaluation.published import PublishedEvidence
from mrnet_core.paper import MODEL_THRESHOLD
from mrnet_core.stats import (
    AucComparison,
    AucEstimate,
    Estimate,
    LikelihoodRatios,
    OperatingPoint,
    PredictiveValues,
    ReliabilityCurve,
    RocCurve,
    auc,
    auc_paired,
    brier_score,
    calibration_line,
    likelihood_ratios,
    predictive_values,
    reliability_curve,
    roc_curve,
)

RANKS_ONLY = (
    "Figure 5 of the paper gives the order of the exams' scores, not the probabilities: a threshold can step over "
    "operating points only, and calibration cannot be told."
)
SAME_EXAMS_WARNING = (
    "A threshold chosen on these exams and measured on the same exams looks better than it will be on new ones."
)
SHORTCUT_WORDS = "Shortcut: a regression on effusion and contusion alone, which the network must beat, rather than 0.5."
"""What a synthetic cohort's ``shortcut`` is."""
OPERATING_COLUMNS = ("task", "rule", "threshold", "metric", "x", "n", "estimate", "lower", "upper", "note")


@dataclass(frozen=True)
class Calibration:
    """How far probabilities can be taken at their word (slope and intercept of logit(y) on logit(p))."""

    brier: Estimate
    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate
    reliability: ReliabilityCurve


@dataclass(frozen=True)
class OperatingPoints(Sequence):
    """The operating points of a curve, each made when it is asked for: a big table has thousands."""

    curve: RocCurve | None
    level: float

    def __len__(self) -> int:
        return 0 if self.curve is None else len(self.curve.thresholds)

    def __getitem__(self, index: int) -> OperatingPoint:
        if not 0 <= index < len(self):
            raise IndexError(index)
        matrix = self.curve.matrix(index)
        rates = {metric.value: matrix.metric(metric.value, level=self.level) for metric in Metric}
        return OperatingPoint(threshold=float(self.curve.thresholds[index]), matrix=matrix, **rates)


@dataclass(frozen=True)
class TaskValidation:
    """One task. ``curve`` is None where a class is absent (``area.note`` says so); ``marked``: its index at 0.5."""

    task: Task
    y_true: NDArray[np.int64]
    y_score: NDArray[np.float64]
    area: AucEstimate
    curve: RocCurve | None
    points: "OperatingPoints"
    marked: int
    calibration: Calibration | None
    comparison: AucComparison | None = None
    second: AucEstimate | None = None

    @property
    def n_pos(self) -> int:
        """Exams with the finding."""
        return int(self.y_true.sum())

    @property
    def n_neg(self) -> int:
        """Exams without it."""
        return int(len(self.y_true) - self.y_true.sum())


@dataclass(frozen=True)
class Validation:
    """A model's validation, and readers of the same exams where there are any.

    ``probabilities`` is False where scores are ranks; ``no_calibration`` then says why there is no calibration.
    ``per_reader`` has the columns of :mod:`mrnet_core.evaluation.tables`, or is None. Of a synthetic cohort,
    ``shortcut`` gives the AUC of effusion and contusion alone: what a network must beat, rather than 0.5.
    """

    tasks: Mapping[Task, TaskValidation]
    probabilities: bool
    no_calibration: str = ""
    per_reader: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    level: float = 0.95
    source: Provenance = UNKNOWN
    synthetic: bool = False
    shortcut: Mapping[Task, float] = field(default_factory=dict)


@dataclass(frozen=True)
class OperatingView:
    """One operating point with all that follows from it."""

    task: Task
    index: int
    threshold: float | None
    point: OperatingPoint
    predictive: PredictiveValues
    ratios: LikelihoodRatios


def validate_scores(scores: LabelledScores, *, level: float = 0.95, bins: int = 10) -> Validation:
    """Validation of one score table, with the paired DeLong test where there are two."""
    tasks = {}
    for task in scores.tasks:
        y_true, y_score = scores.y_true[task].astype(int), scores.y_score[task]
        second = comparison = None
        if scores.y_score2 is not None:
            comparison = auc_paired(y_true, y_score, scores.y_score2[task], level=level)
            second = auc(y_true, scores.y_score2[task], level=level)
        tasks[task] = _task(
            task,
            y_true,
            y_score,
            level,
            calibration=_calibration(y_true, y_score, bins, level),
            comparison=comparison,
            second=second,
        )
    return Validation(tasks, probabilities=True, notes=scores.notes, level=level)


def validate_published(evidence: PublishedEvidence) -> Validation:
    """The paper's validation set as Figure 5 shows it: ranks, the printed 0.5 point, and the nine readers."""
    tasks = {}
    for task in Task:
        counts = evidence.counts.model[task]
        view = _task(task, evidence.labels[task], evidence.ranks[task], 0.95)
        at_half = (view.curve.fp == counts.fp) & (view.curve.tp == counts.tp)
        tasks[task] = _task(task, view.y_true, view.y_score, 0.95, marked=int(np.flatnonzero(at_half)[0]))
    return Validation(
        tasks,
        probabilities=False,
        no_calibration=RANKS_ONLY,
        per_reader=evidence.per_reader,
        source=evidence.source,
    )


def _task(
    task, y_true, y_score, level, *, marked=None, calibration=None, comparison=None, second=None
) -> TaskValidation:
    both = 0 < y_true.sum() < len(y_true)
    curve = roc_curve(y_true, y_score) if both else None
    if marked is None:
        marked = curve.index_at(MODEL_THRESHOLD) if curve else 0
    return TaskValidation(
        task=task,
        y_true=y_true,
        y_score=y_score,
        area=auc(y_true, y_score, level=level),
        curve=curve,
        points=OperatingPoints(curve, level),
        marked=int(marked),
        calibration=calibration,
        comparison=comparison,
        second=second,
    )


def _calibration(y_true: NDArray, y_score: NDArray, bins: int, level: float) -> Calibration:
    line = calibration_line(y_true, y_score, level=level)
    return Calibration(
        brier=brier_score(y_true, y_score, level=level),
        slope=line.slope,
        intercept=line.intercept,
        in_the_large=line.in_the_large,
        reliability=reliability_curve(y_true, y_score, bins=bins, level=level),
    )


def operating_view(validation: Validation, task: Task, index: int, *, prevalence: float | None = None) -> OperatingView:
    """What follows from the operating point ``index`` of a task's curve.

    Raises
    ------
    InputError
        No such point, or a prevalence outside 0 to 1.
    """
    entry = validation.tasks[task]
    if not 0 <= index < len(entry.points):
        raise InputError(f"the curve of {task} has the operating points 0 to {len(entry.points) - 1}; got {index}")
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(f"a prevalence lies between 0 and 1; got {prevalence:g}")
    point = entry.points[index]
    threshold = point.threshold if validation.probabilities and np.isfinite(point.threshold) else None
    return OperatingView(
        task=task,
        index=index,
        threshold=threshold,
        point=point,
        predictive=predictive_values(point.matrix, prevalence=prevalence, level=validation.level),
        ratios=likelihood_ratios(point.matrix, level=validation.level),
    )


def index_at_threshold(validation: Validation, task: Task, threshold: float) -> int:
    """The operating point in force at a threshold on the probability."""
    return int(validation.tasks[task].curve.index_at(threshold))


def index_at_specificity(validation: Validation, task: Task, specificity: float) -> int:
    """The most sensitive operating point whose specificity is at least the chosen one.

    Raises
    ------
    InputError
        A specificity outside 0 to 1.
    """
    if not 0 <= specificity <= 1:
        raise InputError(f"a specificity lies between 0 and 1; got {specificity:g}")
    return int(validation.tasks[task].curve.index_at_specificity(specificity))


def nearest_index(validation: Validation, task: Task, false_positive_rate: float, sensitivity: float) -> int:
    """The operating point nearest to a place in the ROC square (a click)."""
    curve = validation.tasks[task].curve
    return int(np.argmin((curve.fpr - false_positive_rate) ** 2 + (curve.tpr - sensitivity) ** 2))


def operating_table(validation: Validation, specificity: float = 0.9) -> pd.DataFrame:
    """Specificity, sensitivity and accuracy at 0.5 and at the chosen specificity; ``rule`` names which."""
    rows = []
    for task, entry in validation.tasks.items():
        if entry.curve is None:
            continue
        chosen = index_at_specificity(validation, task, specificity)
        # At 0.5 the threshold is 0.5 itself, not the score that the curve turns at.
        cases = [("threshold 0.5", entry.marked, MODEL_THRESHOLD), (f"specificity >= {specificity:g}", chosen, None)]
        for rule, index, threshold in cases:
            view = operating_view(validation, task, index)
            for metric in Metric:
                value = getattr(view.point, metric.value)
                at = view.threshold if threshold is None else threshold
                rows.append(
                    (
                        *(task.value, rule, np.nan if at is None else at, metric.value, value.x, value.n),
                        *(value.estimate, value.lower, value.upper, _note(at, value.note)),
                    )
                )
    return pd.DataFrame(rows, columns=OPERATING_COLUMNS)


def _note(threshold: float | None, note: str) -> str:
    return note or ("" if threshold is not None else "no finite threshold: nobody is called positive")
