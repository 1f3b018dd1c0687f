"""Whether probabilities mean what they say: reliability curve, Brier score, calibration intercept and slope."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from mrnet_core.stats.checks import as_labels, as_probabilities, check_level, normal_quantile
from mrnet_core.stats.proportions import wilson_bounds
from mrnet_core.stats.results import NAN, Estimate, StatisticsError


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Observed share of positives against the mean predicted probability, one entry a bin that holds exams.

    Attributes
    ----------
    predicted, observed, lower, upper : ndarray (bins,)
        Mean probability, share of positives, its Wilson bounds.
    x, n : ndarray (bins,) of int
        Positives and exams.
    edges : ndarray (bins, 2)
        Borders of each bin: above the first, up to and with the second (the lowest bin holds its lower border too).
    level : float
    method : str
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    x: NDArray[np.int64]
    n: NDArray[np.int64]
    edges: NDArray[np.float64]
    level: float
    method: str


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic recalibration: logit P(y = 1) = intercept + slope * logit p.

    Well calibrated is slope 1, intercept 0 and in_the_large 0 (the intercept with the slope held at 1: above 0 the
    probabilities are too low on the whole). A slope below 1 says that they are too extreme.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate


def _labels_and_probabilities(
    y_true: ArrayLike, probability: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Both, of one length, at least one."""
    truth = as_labels(y_true)
    p = as_probabilities(probability, truth.size)
    if not truth.size:
        raise StatisticsError("no exam: calibration needs at least one")
    return truth, p


def brier_score(y_true: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean squared distance of probability and label: 0 is perfect, 0.25 is "always one half".

    Returns
    -------
    Estimate
        With a normal interval for the mean of the exams' squared distances, clipped to [0, 1]; one exam: NaN.
    """
    truth, p = _labels_and_probabilities(y_true, probability)
    z = normal_quantile(level)
    loss = (p - truth) ** 2
    half = z * loss.std(ddof=1) / np.sqrt(loss.size) if loss.size > 1 else NAN
    return Estimate(
        estimate=float(loss.mean()),
        lower=float(np.clip(loss.mean() - half, 0.0, 1.0)),
        upper=float(np.clip(loss.mean() + half, 0.0, 1.0)),
        level=level,
        method="Brier score, normal interval of the mean",
        n=int(loss.size),
        note="" if loss.size > 1 else "one exam: no spread",
    )


def reliability_curve(
    y_true: ArrayLike,
    probability: ArrayLike,
    *,
    bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
    level: float = 0.95,
) -> ReliabilityCurve:
    """Bin exams by probability and compare with what was observed.

    Parameters
    ----------
    y_true : array_like of 0/1
    probability : array_like
        Between 0 and 1.
    bins : int
    strategy : {"uniform", "quantile"}
        Bins of equal width on [0, 1], or of equal numbers of exams.
    level : float
        Level of the Wilson bounds.

    Returns
    -------
    ReliabilityCurve
        Bins without exams are left out.
    """
    truth, p = _labels_and_probabilities(y_true, probability)
    check_level(level)
    if bins != int(bins) or bins < 1:
        raise StatisticsError(f"bins = {bins!r}: it must be a whole number, 1 or above")
    if strategy == "uniform":
        edges = np.linspace(0.0, 1.0, int(bins) + 1)
    elif strategy == "quantile":
        edges = np.quantile(p, np.linspace(0.0, 1.0, int(bins) + 1))
    else:
        raise StatisticsError(f"strategy {strategy!r}: it must be 'uniform' or 'quantile'")
    place = np.searchsorted(edges[1:-1], p, side="left")
    n = np.bincount(place, minlength=int(bins))
    kept = n > 0
    x = np.bincount(place, weights=truth, minlength=int(bins))[kept].astype(np.int64)
    predicted = np.bincount(place, weights=p, minlength=int(bins))[kept] / n[kept]
    lower, upper = wilson_bounds(x, n[kept], level=level)
    return ReliabilityCurve(
        predicted=predicted,
        observed=x / n[kept],
        lower=lower,
        upper=upper,
        x=x,
        n=n[kept],
        edges=np.stack([edges[:-1], edges[1:]], axis=1)[kept],
        level=level,
        method=f"{int(bins)} bins of equal {'width' if strategy == 'uniform' else 'numbers'}, Wilson score interval",
    )


def _undefined(truth: NDArray[np.int64], line: NDArray[np.float64]) -> tuple[str, str]:
    """Why slope and intercept, and why the intercept alone, have no finite estimate ("" where they have one)."""
    if not np.all(np.isfinite(line)):
        reason = "a probability of exactly 0 or 1 has no logit"
        return reason, reason
    positive, negative = line[truth == 1], line[truth == 0]
    if not (positive.size and negative.size):
        reason = f"{positive.size} positive and {negative.size} negative exams: at least one of each is needed"
        return reason, reason
    if line.min() == line.max():
        return "every probability is the same: the slope is undetermined", ""
    if negative.max() <= positive.min() or positive.max() <= negative.min():
        return "the probabilities separate the classes: the likelihood has no maximum", ""
    return "", ""


def calibration_line(y_true: ArrayLike, probability: ArrayLike, *, level: float = 0.95) -> CalibrationLine:
    """Calibration slope and intercept by logistic regression on the logit of the probability.

    Parameters
    ----------
    y_true : array_like of 0/1
    probability : array_like
        Between 0 and 1.
    level : float
        Level of the Wald intervals.

    Returns
    -------
    CalibrationLine
        NaN with a note where the regression has no answer: a probability of exactly 0 or 1, one class only, one
        probability for all, or probabilities that separate the classes.

    References
    ----------
    Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565.
    Van Calster B et al. Calibration: the Achilles heel of predictive analytics. BMC Med 2019;17:230.
    """
    truth, p = _labels_and_probabilities(y_true, probability)
    z = normal_quantile(level)
    with np.errstate(divide="ignore"):
        line = logit(p)
    both_note, large_note = _undefined(truth, line)

    def estimate(value: float, error: float, what: str, note: str) -> Estimate:
        return Estimate(
            estimate=float(value),
            lower=float(value - z * error),
            upper=float(value + z * error),
            level=level,
            method=f"logistic recalibration, {what}, Wald interval",
            n=int(truth.size),
            note=note,
        )

    values, errors, large, large_error = (NAN, NAN), (NAN, NAN), NAN, NAN
    if not both_note:
        fit = GLM(truth, np.stack([np.ones(line.size), line], axis=1), family=Binomial()).fit(tol=1e-12, maxiter=200)
        values, errors = tuple(fit.params), tuple(fit.bse)
    if not large_note:
        fit = GLM(truth, np.ones((line.size, 1)), family=Binomial(), offset=line).fit(tol=1e-12, maxiter=200)
        large, large_error = float(fit.params[0]), float(fit.bse[0])
    return CalibrationLine(
        slope=estimate(values[1], errors[1], "slope", both_note),
        intercept=estimate(values[0], errors[0], "intercept", both_note),
        in_the_large=estimate(large, large_error, "intercept with slope 1", large_note),
    )
