"""Predictive values at a stated prevalence, and likelihood ratios."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from mrnet_core.stats.checks import check_level, normal_quantile
from mrnet_core.stats.proportions import ConfusionMatrix, wilson
from mrnet_core.stats.results import NAN, Estimate, StatisticsError

EMPTY_CELL = "a cell of the table is empty, hence the score interval (Koopman)"


@dataclass(frozen=True)
class PredictiveValues:
    """Positive and negative predictive value at ``prevalence`` (``stated``: a person's choice, else the sample's)."""

    positive: Estimate
    negative: Estimate
    prevalence: float
    stated: bool


@dataclass(frozen=True)
class LikelihoodRatios:
    """Positive and negative likelihood ratio; the positive one is infinite where no negative was called positive."""

    positive: Estimate
    negative: Estimate


def predictive_values(
    matrix: ConfusionMatrix, *, prevalence: float | None = None, level: float = 0.95
) -> PredictiveValues:
    """Predictive values of a call.

    Parameters
    ----------
    matrix : ConfusionMatrix
    prevalence : float, optional
        Share of positives among the people to be examined, strictly between 0 and 1. Without it the sample's own:
        the plain proportions tp/(tp + fp) and tn/(tn + fn) with Wilson intervals.
    level : float

    Returns
    -------
    PredictiveValues

    Notes
    -----
    At a stated prevalence ``p``, with sensitivity ``se`` and specificity ``sp``::

        PPV = se p / (se p + (1 - sp)(1 - p))        logit PPV = log(se / (1 - sp)) + logit p
        NPV = sp (1 - p) / ((1 - se) p + sp (1 - p)) logit NPV = log(sp / (1 - se)) - logit p

    The interval is Mercaldo's on the logit scale: the variance of logit PPV is (1 - se)/(se n1) + sp/((1 - sp) n0) and
    of logit NPV se/((1 - se) n1) + (1 - sp)/(sp n0), the prevalence being taken as known. These are the variances of
    the log likelihood ratios, so the interval is that of the ratio, taken to the scale of the predictive value. Where a
    cell of the table is empty it has no answer, or none that holds the estimate once the cells are adjusted; there the
    score interval of the ratio takes its place (see :func:`likelihood_ratios`), and the note says so.

    References
    ----------
    Mercaldo ND, Lau KF, Zhou XH. Confidence intervals for predictive values with an emphasis to case-control studies.
    Stat Med 2007;26:2170-2183.
    """
    check_level(level)
    if prevalence is None:
        positive = wilson(matrix.tp, matrix.tp + matrix.fp, level=level)
        negative = wilson(matrix.tn, matrix.tn + matrix.fn, level=level)
        if not positive.n:
            positive = replace(positive, note="nothing was called positive: the predictive value is undefined")
        if not negative.n:
            negative = replace(negative, note="nothing was called negative: the predictive value is undefined")
        share = matrix.n_pos / matrix.n if matrix.n else NAN
        return PredictiveValues(positive=positive, negative=negative, prevalence=share, stated=False)
    if not 0.0 < prevalence < 1.0:
        raise StatisticsError(f"prevalence {prevalence!r}: it must lie between 0 and 1, for example 0.2 for 20 percent")
    return PredictiveValues(
        positive=_at_prevalence(matrix, prevalence, level, positive=True),
        negative=_at_prevalence(matrix, prevalence, level, positive=False),
        prevalence=float(prevalence),
        stated=True,
    )


def _at_prevalence(matrix: ConfusionMatrix, prevalence: float, level: float, *, positive: bool) -> Estimate:
    """One predictive value by Bayes' rule with its interval."""
    name = "positive" if positive else "negative"
    common = {"level": level, "n": matrix.n}
    if not (matrix.n_pos and matrix.n_neg):
        return Estimate(
            estimate=NAN,
            lower=NAN,
            upper=NAN,
            method="Bayes' rule",
            note=f"no {'positive' if not matrix.n_pos else 'negative'} exam: sensitivity or specificity is undefined",
            **common,
        )
    # Seen from the call: the class it means to find (hits), and the class it should have left alone (false calls).
    hits, n_hit, false, n_false, odds = (
        (matrix.tp, matrix.n_pos, matrix.fp, matrix.n_neg, logit(prevalence))
        if positive
        else (matrix.tn, matrix.n_neg, matrix.fn, matrix.n_pos, -logit(prevalence))
    )
    share = expit(odds)
    rate, false_rate = hits / n_hit, false / n_false
    called = rate * share + false_rate * (1.0 - share)
    if called == 0.0:
        note = f"nothing was called {name}: the predictive value is undefined"
        return Estimate(estimate=NAN, lower=NAN, upper=NAN, method="Bayes' rule", note=note, **common)
    empty = _has_empty_cell(hits, n_hit, false, n_false)
    lower, upper = _ratio_interval(hits, n_hit, false, n_false, level)
    return Estimate(
        estimate=float(rate * share / called),
        lower=_at_odds(lower, odds),
        upper=_at_odds(upper, odds),
        method="Bayes' rule; " + ("score interval (Koopman)" if empty else "Mercaldo's logit interval"),
        note=EMPTY_CELL if empty else "",
        **common,
    )


def _at_odds(ratio: float, log_odds: float) -> float:
    """The predictive value of a likelihood ratio (0 to infinity) at the log odds of the prevalence."""
    if ratio == 0.0:
        return 0.0
    return float(expit(np.log(ratio) + log_odds))


def likelihood_ratios(matrix: ConfusionMatrix, *, level: float = 0.95) -> LikelihoodRatios:
    """Likelihood ratios of a positive and of a negative call.

    Parameters
    ----------
    matrix : ConfusionMatrix
    level : float

    Returns
    -------
    LikelihoodRatios
        LR+ = sensitivity / (1 - specificity), LR- = (1 - sensitivity) / specificity. LR+ is infinite where no negative
        was called positive (and LR- where no negative was called negative); 0/0 is NaN.

    Notes
    -----
    The interval is Simel's on the log scale: the variance of log LR+ is 1/tp - 1/n1 + 1/fp - 1/n0. Where a cell is
    empty it is Koopman's score interval, which always holds the estimate and is open (0 or infinity) on the side that
    the data do not bound; the note says so.

    References
    ----------
    Simel DL, Samsa GP, Matchar DB. Likelihood ratios with confidence: sample size estimation for diagnostic test
    studies. J Clin Epidemiol 1991;44:763-770.
    Koopman PAR. Confidence intervals for the ratio of two binomial proportions. Biometrics 1984;40:513-517.
    """
    return LikelihoodRatios(
        positive=_ratio(matrix.tp, matrix.n_pos, matrix.fp, matrix.n_neg, level),
        negative=_ratio(matrix.fn, matrix.n_pos, matrix.tn, matrix.n_neg, level),
    )


def _ratio(a: int, n1: int, b: int, n0: int, level: float) -> Estimate:
    """(a/n1) / (b/n0) with its interval."""
    if not (n1 and n0) or (a == 0 and b == 0):
        note = "no exam of one class" if not (n1 and n0) else "no exam was called so: 0/0"
        return Estimate(
            estimate=NAN, lower=NAN, upper=NAN, level=level, method="log interval (Simel)", n=n1 + n0, note=note
        )
    empty = _has_empty_cell(a, n1, b, n0)
    lower, upper = _ratio_interval(a, n1, b, n0, level)
    notes = ([] if b else ["division by zero: the ratio is infinite"]) + ([EMPTY_CELL] if empty else [])
    return Estimate(
        estimate=(a / n1) / (b / n0) if b else float("inf"),
        lower=lower,
        upper=upper,
        level=level,
        method="score interval (Koopman)" if empty else "log interval (Simel)",
        n=n1 + n0,
        note="; ".join(notes),
    )


def _has_empty_cell(a: int, n1: int, b: int, n0: int) -> bool:
    return min(a, n1 - a, b, n0 - b) == 0


def _ratio_interval(a: int, n1: int, b: int, n0: int, level: float) -> tuple[float, float]:
    """Interval of (a/n1) / (b/n0), not both 0: the log interval, or the score interval where a cell is empty."""
    z = normal_quantile(level)
    if _has_empty_cell(a, n1, b, n0):
        lower = _score_limit(a, n1, b, n0, z) if a else 0.0
        # The score statistic is the same with the two samples in each other's place.
        return lower, 1.0 / _score_limit(b, n0, a, n1, z) if b else float("inf")
    centre = np.log(a / n1) - np.log(b / n0)
    half = z * np.sqrt(1.0 / a - 1.0 / n1 + 1.0 / b - 1.0 / n0)
    return float(np.exp(centre - half)), float(np.exp(centre + half))


def _score_limit(a: int, n1: int, b: int, n0: int, z: float) -> float:
    """The ratio below (a/n1) / (b/n0), with a > 0, whose score statistic is ``z``."""

    def excess(log_ratio: float) -> float:
        return _score_statistic(a, n1, b, n0, float(np.exp(log_ratio))) - z

    high = np.log(a / n1) - np.log(b / n0) if b else np.log(a / n1)
    while not b and excess(high) > 0:
        high += 1.0
    low = high - 1.0
    while excess(low) < 0:
        low -= 1.0
    return float(np.exp(brentq(excess, low, high)))


def _score_statistic(a: int, n1: int, b: int, n0: int, ratio: float) -> float:
    """How far a/n1 lies above ``ratio`` times b/n0, in standard errors at the likeliest proportions of that ratio."""
    difference = a / n1 - ratio * b / n0
    # The smaller root of N r p^2 - (r (n1 + b) + a + n0) p + (a + b) = 0 is the likeliest b/n0 given the ratio r.
    linear = ratio * (n1 + b) + a + n0
    root = np.sqrt(max(linear**2 - 4.0 * (n1 + n0) * ratio * (a + b), 0.0))
    second = min(2.0 * (a + b) / (linear + root), 1.0)
    first = min(ratio * second, 1.0)
    variance = first * (1.0 - first) / n1 + ratio**2 * second * (1.0 - second) / n0
    return difference / np.sqrt(variance) if variance > 0.0 else 0.0
