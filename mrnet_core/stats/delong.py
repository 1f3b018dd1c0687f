"""Area under the ROC curve with DeLong's variance, and tests of two areas.

The direction is fixed: a higher score means more positive, and an area below 0.5 is reported as it is (pROC's
``direction = "<"``).

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach. Biometrics 1988;44:837-845.
Sun X, Xu W. Fast implementation of DeLong's algorithm. IEEE Signal Process Lett 2014;21:1389-1393 (placements by rank).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata, t

from mrnet_core.stats.checks import as_labels, as_scores, normal_quantile, t_quantile
from mrnet_core.stats.results import NAN, Comparison, Estimate, StatisticsError


@dataclass(frozen=True, kw_only=True)
class AucEstimate(Estimate):
    """An area with DeLong's interval, clipped to [0, 1] as pROC does; the unclipped bounds stand beside it."""

    variance: float
    n_pos: int
    n_neg: int
    unclipped_lower: float
    unclipped_upper: float


@dataclass(frozen=True, kw_only=True)
class AucComparison(Comparison):
    """Difference ``auc1 - auc2`` with its test; ``covariance`` is 0 for independent samples."""

    auc1: AucEstimate
    auc2: AucEstimate
    covariance: float


@dataclass(frozen=True, eq=False)
class DelongCovariance:
    """Areas of k score columns on the same exams, and their covariance.

    Attributes
    ----------
    auc : ndarray (k,)
    covariance : ndarray (k, k)
        NaN with fewer than two positives or negatives.
    n_pos, n_neg : int
    """

    auc: NDArray[np.float64]
    covariance: NDArray[np.float64]
    n_pos: int
    n_neg: int


def placements(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Placement values: where each exam stands among the exams of the other class.

    Parameters
    ----------
    positive : ndarray (k, n_pos)
    negative : ndarray (k, n_neg)
        Scores of k columns (readers, models), without NaN.

    Returns
    -------
    v10 : ndarray (k, n_pos)
        Share of negatives a positive scores above, ties counted half; the mean is the area.
    v01 : ndarray (k, n_neg)
        Share of positives a negative scores below, ties counted half.
    """
    n_pos, n_neg = positive.shape[-1], negative.shape[-1]
    everybody = rankdata(np.concatenate([positive, negative], axis=-1), axis=-1)
    v10 = (everybody[..., :n_pos] - rankdata(positive, axis=-1)) / n_neg
    v01 = 1.0 - (everybody[..., n_pos:] - rankdata(negative, axis=-1)) / n_pos
    return v10, v01


def covariance_of_placements(v10: NDArray[np.float64], v01: NDArray[np.float64]) -> NDArray[np.float64]:
    """DeLong's covariance matrix (k, k) from placements (k, n_pos) and (k, n_neg)."""
    n_pos, n_neg = v10.shape[-1], v01.shape[-1]
    if n_pos < 2 or n_neg < 2:
        return np.full((v10.shape[0], v10.shape[0]), NAN)
    return np.atleast_2d(np.cov(v10)) / n_pos + np.atleast_2d(np.cov(v01)) / n_neg


def delong_covariance(y_true: ArrayLike, scores: ArrayLike) -> DelongCovariance:
    """Areas and covariance of several score columns on the same exams.

    Parameters
    ----------
    y_true : array_like of 0/1 (n,)
    scores : array_like (k, n)
        One row a model or reader, finite.

    Returns
    -------
    DelongCovariance

    Raises
    ------
    StatisticsError
        When a class is absent or scores are not finite numbers of that shape.
    """
    truth = as_labels(y_true)
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2:
        raise StatisticsError(f"scores must have shape (k, exams), got {rows.shape}")
    for k, row in enumerate(rows):
        as_scores(row, truth.size, f"scores[{k}]")
    is_pos = truth == 1
    n_pos, n_neg = int(is_pos.sum()), int((~is_pos).sum())
    if not (n_pos and n_neg):
        raise StatisticsError(f"{n_pos} positive and {n_neg} negative exams: an area needs at least one of each")
    v10, v01 = placements(rows[:, is_pos], rows[:, ~is_pos])
    return DelongCovariance(
        auc=v10.mean(axis=1), covariance=covariance_of_placements(v10, v01), n_pos=n_pos, n_neg=n_neg
    )


def _auc_estimate(area: float, variance: float, n_pos: int, n_neg: int, level: float) -> AucEstimate:
    """The area with its interval and the reason for what is missing."""
    half = normal_quantile(level) * np.sqrt(variance)
    lower, upper = float(area - half), float(area + half)
    if np.isnan(area):
        note = f"{n_pos} positive and {n_neg} negative exams: an area needs at least one of each"
    elif np.isnan(variance):
        note = f"{n_pos} positive and {n_neg} negative exams: DeLong's variance needs at least two of each"
    elif variance == 0.0:
        note = "the estimated variance is 0, so the interval has no width; it says nothing about the true spread"
    else:
        note = ""
    return AucEstimate(
        estimate=float(area),
        lower=float(np.clip(lower, 0.0, 1.0)),
        upper=float(np.clip(upper, 0.0, 1.0)),
        level=level,
        method="DeLong, clipped to [0, 1]",
        n=n_pos + n_neg,
        note=note,
        variance=float(variance),
        n_pos=n_pos,
        n_neg=n_neg,
        unclipped_lower=lower,
        unclipped_upper=upper,
    )


def auc(y_true: ArrayLike, y_score: ArrayLike, *, level: float = 0.95) -> AucEstimate:
    """Area under the ROC curve with DeLong's interval.

    Parameters
    ----------
    y_true : array_like of 0/1
    y_score : array_like
        Higher means more positive.
    level : float

    Returns
    -------
    AucEstimate
        With one positive or one negative exam, variance and interval are NaN (pROC: NA); with none, the area too.
        A variance of 0 (perfect order, or one score for all) gives an interval without width and a note.

    Examples
    --------
    Of the six pairs of a positive and a negative four are in order and one is tied:

    >>> auc([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.6, 0.1]).estimate == 4.5 / 6
    True
    """
    truth = as_labels(y_true)
    score = as_scores(y_score, truth.size)
    n_pos = int(truth.sum())
    n_neg = truth.size - n_pos
    if not (n_pos and n_neg):
        return _auc_estimate(NAN, NAN, n_pos, n_neg, level)
    found = delong_covariance(truth, score[None, :])
    return _auc_estimate(float(found.auc[0]), float(found.covariance[0, 0]), n_pos, n_neg, level)


def auc_paired(y_true: ArrayLike, score1: ArrayLike, score2: ArrayLike, *, level: float = 0.95) -> AucComparison:
    """DeLong's z test of two areas on the same exams.

    Parameters
    ----------
    y_true : array_like of 0/1
    score1, score2 : array_like
    level : float

    Returns
    -------
    AucComparison
        ``estimate`` is auc1 - auc2. Two equal areas whose difference has variance 0 give z = 0 and p = 1, as pROC; a
        difference with variance 0 gives an infinite z (pROC too) and a note.
    """
    truth = as_labels(y_true)
    rows = np.stack([as_scores(score1, truth.size, "score1"), as_scores(score2, truth.size, "score2")])
    n_pos = int(truth.sum())
    n_neg = truth.size - n_pos
    if n_pos and n_neg:
        found = delong_covariance(truth, rows)
        areas, covariance = found.auc, found.covariance
    else:
        areas, covariance = np.full(2, NAN), np.full((2, 2), NAN)
    first, second = (_auc_estimate(areas[k], covariance[k, k], n_pos, n_neg, level) for k in range(2))
    difference = first.estimate - second.estimate
    variance = covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1]
    # Identical columns leave a rounding of the variance, of either sign.
    if variance < 1e-13 * (covariance[0, 0] + covariance[1, 1]):
        variance = 0.0
    error = float(np.sqrt(variance))
    note = first.note if np.isnan(error) else ""
    if error == 0.0:
        note = "the difference has an estimated variance of 0: z is set to 0 for equal areas, else it is infinite"
        z = 0.0 if difference == 0.0 else float(np.copysign(np.inf, difference))
    else:
        z = difference / error
    half = normal_quantile(level) * error
    return AucComparison(
        estimate=difference,
        lower=difference - half,
        upper=difference + half,
        level=level,
        method="DeLong paired z test",
        n=truth.size,
        note=note,
        statistic=z,
        df=None,
        standard_error=error,
        p_two_sided=float(2.0 * norm.sf(abs(z))),
        p_greater=float(norm.sf(z)),
        p_less=float(norm.cdf(z)),
        auc1=first,
        auc2=second,
        covariance=float(covariance[0, 1]),
    )


def auc_unpaired(
    y_true1: ArrayLike, score1: ArrayLike, y_true2: ArrayLike, score2: ArrayLike, *, level: float = 0.95
) -> AucComparison:
    """DeLong's test of two areas on two independent samples of exams.

    Returns
    -------
    AucComparison
        ``estimate`` is auc1 - auc2; the statistic is referred to Student's t with Welch-Satterthwaite degrees of
        freedom on the samples' exams (as pROC does), and the interval uses the same t.
    """
    first, second = auc(y_true1, score1, level=level), auc(y_true2, score2, level=level)
    difference = first.estimate - second.estimate
    variance = first.variance + second.variance
    error = float(np.sqrt(variance))
    note = first.note or second.note if np.isnan(error) else ""
    df, statistic = NAN, NAN
    if error == 0.0:
        note = "both areas have an estimated variance of 0: the statistic is undefined"
    elif not np.isnan(error):
        df = variance**2 / (first.variance**2 / (first.n - 1) + second.variance**2 / (second.n - 1))
        statistic = difference / error
    half = t_quantile(level, df) * error
    return AucComparison(
        estimate=difference,
        lower=difference - half,
        upper=difference + half,
        level=level,
        method="DeLong unpaired test, Welch-Satterthwaite t",
        n=first.n + second.n,
        note=note,
        statistic=statistic,
        df=df,
        standard_error=error,
        p_two_sided=float(2.0 * t.sf(abs(statistic), df)),
        p_greater=float(t.sf(statistic, df)),
        p_less=float(t.cdf(statistic, df)),
        auc1=first,
        auc2=second,
        covariance=0.0,
    )
