"""Proportions, two-by-two tables and what is read off them.

Positive is 1. A confusion matrix counts calls against the reference: ``tp`` positives called positive, ``fn`` positives
called negative, ``tn`` and ``fp`` likewise for the negatives.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, chi2, chi2_contingency, fisher_exact
from statsmodels.stats.proportion import proportion_confint

from mrnet_core.stats.checks import as_counts, as_labels, check_level
from mrnet_core.stats.results import NAN, Comparison, Proportion, StatisticsError, Test

Metric = Literal["specificity", "sensitivity", "accuracy"]


def wilson_bounds(
    x: ArrayLike, n: ArrayLike, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score bounds of many proportions at once.

    Parameters
    ----------
    x, n : array_like of int
        Successes and trials, of one shape or broadcast to one. Where ``n`` is 0 the bounds are NaN.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : ndarray

    Raises
    ------
    StatisticsError
        When a count is negative, fractional or above its trials.

    References
    ----------
    Wilson EB. Probable inference, the law of succession, and statistical inference. JASA 1927;22:209-212.
    """
    check_level(level)
    successes, trials = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(n, dtype=np.float64))
    fits = (successes == np.floor(successes)) & (trials == np.floor(trials)) & (successes >= 0) & (successes <= trials)
    if not np.all(fits):
        raise StatisticsError("x and n must be whole numbers with 0 <= x <= n")
    empty = trials == 0
    lower, upper = proportion_confint(successes, np.where(empty, 1.0, trials), alpha=1.0 - level, method="wilson")
    # At 0 and n one bound is the proportion itself; arithmetic would miss it by a last digit.
    lower, upper = np.where(successes == 0, 0.0, lower), np.where(successes == trials, 1.0, upper)
    return np.where(empty, NAN, lower), np.where(empty, NAN, upper)


def wilson(x: int, n: int, *, level: float = 0.95) -> Proportion:
    """A proportion with Wilson's score interval.

    Parameters
    ----------
    x, n : int
        Successes and trials. With no trials estimate and interval are NaN.
    level : float
        Confidence level.

    Returns
    -------
    Proportion

    Examples
    --------
    The model's specificity for abnormality in the paper's Table 2, printed as 0.714 (0.500, 0.862):

    >>> row = wilson(15, 21)
    >>> round(row.estimate, 3), round(row.lower, 3), round(row.upper, 3)
    (0.714, 0.5, 0.862)
    """
    x, n = as_counts(x, n)
    lower, upper = wilson_bounds(x, n, level=level)
    return Proportion(
        estimate=x / n if n else NAN,
        lower=float(lower),
        upper=float(upper),
        level=level,
        method="Wilson score interval",
        n=n,
        x=x,
        note="" if n else "no trials: the proportion is undefined",
    )


@dataclass(frozen=True, kw_only=True)
class TwoProportions(Comparison):
    """Pearson's chi-squared test of two independent proportions.

    ``p_two_sided`` is the p-value of the test, whose statistic has no side: ``p_greater`` and ``p_less`` are NaN.
    ``min_expected`` below 5 is the usual warning against the test; ``p_fisher`` is Fisher's exact p-value beside it.
    """

    first: Proportion
    second: Proportion
    yates: bool
    min_expected: float
    p_fisher: float


def chi2_two_proportions(
    x1: int, n1: int, x2: int, n2: int, *, yates: bool = True, level: float = 0.95
) -> TwoProportions:
    """Compare x1/n1 with x2/n2 by Pearson's chi-squared test with 1 degree of freedom.

    Parameters
    ----------
    x1, n1, x2, n2 : int
        Successes and trials of the two groups.
    yates : bool
        Continuity correction of min(0.5, |O - E|), as R's ``chisq.test`` and ``prop.test`` make it by default.
    level : float
        Confidence level of the interval.

    Returns
    -------
    TwoProportions
        ``estimate`` is x1/n1 - x2/n2 with Newcombe's interval from the two Wilson intervals (which is not the test
        turned round, so interval and test can disagree near the border).

    Notes
    -----
    When every trial or none is a success the expected counts hold zeros: statistic and p are NaN, as in R.

    References
    ----------
    Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med 1998;17:873-890.
    """
    first, second = wilson(x1, n1, level=level), wilson(x2, n2, level=level)
    table = np.array([[first.x, first.n - first.x], [second.x, second.n - second.x]], dtype=np.float64)
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total if total else np.full((2, 2), NAN)
    if np.any(expected == 0.0) or not total:
        statistic, p = NAN, NAN
        note = (
            "a group has no trials" if not (first.n and second.n) else "every trial has the same outcome"
        ) + ": the chi-squared statistic is 0/0"
    else:
        answer = chi2_contingency(table, correction=yates)
        statistic, p, note = float(answer.statistic), float(answer.pvalue), ""
    difference, lower, upper = _newcombe(first, second)
    return TwoProportions(
        estimate=difference,
        lower=lower,
        upper=upper,
        level=level,
        method=f"Pearson chi-squared test {'with' if yates else 'without'} Yates' correction; Newcombe interval",
        n=first.n + second.n,
        note=note,
        statistic=statistic,
        df=1.0,
        standard_error=NAN,
        p_two_sided=p,
        p_greater=NAN,
        p_less=NAN,
        first=first,
        second=second,
        yates=yates,
        min_expected=float(expected.min()),
        p_fisher=float(fisher_exact(table.astype(np.int64)).pvalue) if total else NAN,
    )


def _newcombe(first: Proportion, second: Proportion) -> tuple[float, float, float]:
    """Difference of two proportions with the bounds made from their own Wilson bounds."""
    difference = first.estimate - second.estimate
    below = np.hypot(first.estimate - first.lower, second.upper - second.estimate)
    above = np.hypot(first.upper - first.estimate, second.estimate - second.lower)
    return difference, float(difference - below), float(difference + above)


def mcnemar(
    only_first: int, only_second: int, *, method: Literal["corrected", "uncorrected", "exact"] = "corrected"
) -> Test:
    """McNemar's test of two paired proportions, from the discordant pairs.

    Parameters
    ----------
    only_first, only_second : int
        Pairs in which only the first (only the second) succeeded.
    method : {"corrected", "uncorrected", "exact"}
        Chi-squared with or without the continuity correction of 1 (R's ``mcnemar.test``, which makes none when the two
        counts are equal), or the exact two-sided binomial test.

    Returns
    -------
    Test
        With no discordant pair the chi-squared statistic is 0/0: statistic and p are NaN (exact: p is 1).

    References
    ----------
    McNemar Q. Note on the sampling error of the difference between correlated proportions. Psychometrika
    1947;12:153-157.
    """
    if method not in ("corrected", "uncorrected", "exact"):
        raise StatisticsError(f"method {method!r}: it must be 'corrected', 'uncorrected' or 'exact'")
    (b, _), (c, _) = as_counts(only_first, only_first), as_counts(only_second, only_second)
    n = b + c
    if method == "exact":
        p = min(1.0, 2.0 * float(binom.cdf(min(b, c), n, 0.5)))
        return Test(statistic=float(min(b, c)), df=None, p_value=p, method="McNemar, exact binomial", n=n)
    name = f"McNemar, chi-squared {'with' if method == 'corrected' else 'without'} continuity correction"
    if n == 0:
        return Test(statistic=NAN, df=1.0, p_value=NAN, method=name, n=0, note="no discordant pair: 0/0")
    correction = 1.0 if method == "corrected" and b != c else 0.0
    statistic = (abs(b - c) - correction) ** 2 / n
    return Test(statistic=statistic, df=1.0, p_value=float(chi2.sf(statistic, 1)), method=name, n=n)


@dataclass(frozen=True)
class ConfusionMatrix:
    """Calls against the reference; whole counts, none negative."""

    tp: int
    fp: int
    fn: int
    tn: int

    def __post_init__(self) -> None:
        for name in ("tp", "fp", "fn", "tn"):
            value = getattr(self, name)
            if value != int(value) or value < 0:
                raise StatisticsError(f"{name} = {value!r}: a count must be a whole number, 0 or above")

    @property
    def n_pos(self) -> int:
        """Positives of the reference."""
        return self.tp + self.fn

    @property
    def n_neg(self) -> int:
        """Negatives of the reference."""
        return self.tn + self.fp

    @property
    def n(self) -> int:
        """All exams."""
        return self.n_pos + self.n_neg

    def sensitivity(self, *, level: float = 0.95) -> Proportion:
        """Share of the positives called positive, with Wilson's interval."""
        return wilson(self.tp, self.n_pos, level=level)

    def specificity(self, *, level: float = 0.95) -> Proportion:
        """Share of the negatives called negative, with Wilson's interval."""
        return wilson(self.tn, self.n_neg, level=level)

    def accuracy(self, *, level: float = 0.95) -> Proportion:
        """Share of all exams called right, with Wilson's interval."""
        return wilson(self.tp + self.tn, self.n, level=level)

    def metric(self, name: Metric, *, level: float = 0.95) -> Proportion:
        """One of ``specificity``, ``sensitivity``, ``accuracy`` by its name."""
        if name not in ("specificity", "sensitivity", "accuracy"):
            raise StatisticsError(f"metric {name!r}: it must be specificity, sensitivity or accuracy")
        return getattr(self, name)(level=level)


def confusion_matrix(y_true: ArrayLike, y_called: ArrayLike) -> ConfusionMatrix:
    """Count calls (0/1) against labels (0/1).

    Raises
    ------
    StatisticsError
        When values are not 0 and 1 or the lengths differ.
    """
    truth, called = as_labels(y_true), as_labels(y_called, "y_called")
    if truth.size != called.size:
        raise StatisticsError(f"{called.size} calls for {truth.size} labels; there must be one a label")
    tp, fp = int(np.sum(truth & called)), int(np.sum((1 - truth) & called))
    return ConfusionMatrix(tp=tp, fp=fp, fn=int(truth.sum()) - tp, tn=int((1 - truth).sum()) - fp)
