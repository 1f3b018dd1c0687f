"""ROC curves and operating points.

Positive is 1, a higher score means more positive, and an exam is called positive when its score is at or above the
threshold. The direction is never turned round: an area below 0.5 stays below 0.5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid
from sklearn.metrics import confusion_matrix_at_thresholds

from mrnet_core.stats.checks import as_labels, as_scores, check_level
from mrnet_core.stats.proportions import ConfusionMatrix
from mrnet_core.stats.results import Proportion, StatisticsError


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The empirical curve: one point a threshold, from nobody called to everybody called.

    Attributes
    ----------
    thresholds : ndarray (k,)
        Descending; the first is infinity (nobody called), then each distinct score.
    fp, tp : ndarray (k,) of int
        Negatives and positives with a score at or above the threshold.
    n_pos, n_neg : int
    """

    thresholds: NDArray[np.float64]
    fp: NDArray[np.int64]
    tp: NDArray[np.int64]
    n_pos: int
    n_neg: int

    @property
    def fpr(self) -> NDArray[np.float64]:
        """False positive rate, 1 - specificity."""
        return self.fp / self.n_neg

    @property
    def tpr(self) -> NDArray[np.float64]:
        """True positive rate, the sensitivity."""
        return self.tp / self.n_pos

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Share of the positives called positive."""
        return self.tpr

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Share of the negatives called negative."""
        return (self.n_neg - self.fp) / self.n_neg

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoidal rule (= Mann-Whitney, ties counted half)."""
        return float(trapezoid(self.tp, self.fp)) / (self.n_pos * self.n_neg)

    def index_at(self, threshold: float) -> int:
        """Point of the curve reached when exams at or above ``threshold`` are called positive."""
        if np.isnan(threshold):
            raise StatisticsError("threshold is NaN: it must be a number")
        # The curve changes only at scores: the point is the last whose threshold is not below the chosen one.
        return int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1

    def index_at_specificity(self, specificity: float) -> int:
        """Most sensitive point whose specificity is at least the chosen one (0 to 1).

        Points equal in sensitivity are decided for the higher specificity.
        """
        if not 0.0 <= specificity <= 1.0:
            raise StatisticsError(f"specificity {specificity!r}: it must lie between 0 and 1")
        # Counts, not rates: 0.9 of 10 negatives must not fail by a rounding of 9/10.
        allowed = np.flatnonzero(self.n_neg - self.fp >= specificity * self.n_neg - 1e-9)
        best = allowed[self.tp[allowed] == self.tp[allowed].max()]
        return int(best[0])

    def matrix(self, index: int) -> ConfusionMatrix:
        """Confusion matrix of a point."""
        tp, fp = int(self.tp[index]), int(self.fp[index])
        return ConfusionMatrix(tp=tp, fp=fp, fn=self.n_pos - tp, tn=self.n_neg - fp)


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold with its table and rates."""

    threshold: float
    matrix: ConfusionMatrix
    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion


def roc_curve(y_true: ArrayLike, y_score: ArrayLike) -> RocCurve:
    """The empirical ROC curve with every distinct score as a threshold.

    Parameters
    ----------
    y_true : array_like of 0/1
    y_score : array_like
        Finite scores.

    Returns
    -------
    RocCurve

    Raises
    ------
    StatisticsError
        When a class is absent: there is no curve then.
    """
    truth = as_labels(y_true)
    score = as_scores(y_score, truth.size)
    n_pos = int(truth.sum())
    n_neg = truth.size - n_pos
    if not (n_pos and n_neg):
        raise StatisticsError(f"{n_pos} positive and {n_neg} negative exams: an ROC curve needs at least one of each")
    _, fp, _, tp, thresholds = confusion_matrix_at_thresholds(truth, score)
    return RocCurve(
        thresholds=np.concatenate([[np.inf], thresholds]).astype(np.float64),
        fp=np.concatenate([[0], fp]).astype(np.int64),
        tp=np.concatenate([[0], tp]).astype(np.int64),
        n_pos=n_pos,
        n_neg=n_neg,
    )


def _point(threshold: float, matrix: ConfusionMatrix, level: float) -> OperatingPoint:
    """Rates of a table."""
    return OperatingPoint(
        threshold=float(threshold),
        matrix=matrix,
        sensitivity=matrix.sensitivity(level=level),
        specificity=matrix.specificity(level=level),
        accuracy=matrix.accuracy(level=level),
    )


def operating_point(y_true: ArrayLike, y_score: ArrayLike, threshold: float, *, level: float = 0.95) -> OperatingPoint:
    """Table and rates when exams with a score at or above ``threshold`` are called positive.

    Raises
    ------
    StatisticsError
        When a class is absent.
    """
    curve = roc_curve(y_true, y_score)
    return _point(threshold, curve.matrix(curve.index_at(threshold)), level)


def operating_point_at_specificity(
    y_true: ArrayLike, y_score: ArrayLike, specificity: float, *, level: float = 0.95
) -> OperatingPoint:
    """The most sensitive operating point whose specificity is at least the chosen one.

    Its threshold is a score of the data (infinity when only "nobody called" is specific enough).
    """
    curve = roc_curve(y_true, y_score)
    index = curve.index_at_specificity(specificity)
    return _point(float(curve.thresholds[index]), curve.matrix(index), level)


def operating_points(curve: RocCurve, *, level: float = 0.95) -> tuple[OperatingPoint, ...]:
    """Every point of a curve with its table and rates, in the order of the curve."""
    check_level(level)
    return tuple(_point(float(t), curve.matrix(i), level) for i, t in enumerate(curve.thresholds))


def ranked_scores(positives_above: ArrayLike, n_pos: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Exams rebuilt from the steps of a printed ROC curve.

    Parameters
    ----------
    positives_above : array_like of int
        For the k-th highest-scoring negative exam (k = 1, 2, …), how many positive exams score above it; must not fall.
    n_pos : int
        Number of positive exams.

    Returns
    -------
    y_true : ndarray of int (n_pos + n_neg,)
    y_score : ndarray of float
        Ranks in (0, 1], the highest first. They are ranks and no probabilities: only their order means anything.
    """
    steps = np.asarray(positives_above)
    if steps.ndim != 1 or not steps.size or np.any(steps != np.floor(steps)):
        raise StatisticsError("positives_above must be one row of whole numbers, one a negative exam")
    if np.any(np.diff(steps) < 0) or steps[0] < 0 or steps[-1] > n_pos:
        raise StatisticsError(f"positives_above must not fall and must stay between 0 and n_pos = {n_pos}")
    # A negative that follows `s` positives stands at place s + (negatives before it).
    truth = np.ones(n_pos + steps.size, dtype=np.int64)
    truth[steps.astype(np.int64) + np.arange(steps.size)] = 0
    return truth, np.arange(truth.size, 0, -1) / truth.size
