"""Predictive values at a stated prevalence, and likelihood ratios."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from mrnet_core.stats.checks import check_level, normal_quantile
from mrnet_core.stats.proportions import ConfusionMatrix, wilson
from mrnet_core.stats.results import NAN, Estimate, StatisticsError


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
    of logit NPV se/((1 - se) n1) + (1 - sp)/(sp n0), the prevalence being taken as known. Where a cell of the table is
    empty that has no answer, and the interval (never the estimate) is made from se and sp with z^2/2 added to each
    cell ("adjusted logit"); the method says so.

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
    """One predictive value by Bayes' rule with the (adjusted) logit interval."""
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
    z = normal_quantile(level)
    adjusted = min(hits, n_hit - hits, false, n_false - false) == 0
    if adjusted:
        rate_i, n1 = (hits + z * z / 2.0) / (n_hit + z * z), n_hit + z * z
        false_i, n0 = (false + z * z / 2.0) / (n_false + z * z), n_false + z * z
    else:
        rate_i, n1, false_i, n0 = rate, n_hit, false_rate, n_false
    centre = np.log(rate_i / false_i) + odds
    half = z * np.sqrt((1.0 - rate_i) / (rate_i * n1) + (1.0 - false_i) / (false_i * n0))
    return Estimate(
        estimate=float(rate * share / called),
        lower=float(expit(centre - half)),
        upper=float(expit(centre + half)),
        method=f"Bayes' rule; Mercaldo's {'adjusted ' if adjusted else ''}logit interval",
        **common,
    )


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
    empty, 1/2 is added to every cell for the interval (never for the estimate), and the method says so.

    References
    ----------
    Simel DL, Samsa GP, Matchar DB. Likelihood ratios with confidence: sample size estimation for diagnostic test
    studies. J Clin Epidemiol 1991;44:763-770.
    """
    return LikelihoodRatios(
        positive=_ratio(matrix.tp, matrix.n_pos, matrix.fp, matrix.n_neg, level),
        negative=_ratio(matrix.fn, matrix.n_pos, matrix.tn, matrix.n_neg, level),
    )


def _ratio(a: int, n1: int, b: int, n0: int, level: float) -> Estimate:
    """(a/n1) / (b/n0) with the log interval."""
    z = normal_quantile(level)
    if not (n1 and n0) or (a == 0 and b == 0):
        note = "no exam of one class" if not (n1 and n0) else "no exam was called so: 0/0"
        return Estimate(
            estimate=NAN, lower=NAN, upper=NAN, level=level, method="log interval (Simel)", n=n1 + n0, note=note
        )
    empty = a == 0 or b == 0
    a_i, b_i, n1_i, n0_i = (a + 0.5, b + 0.5, n1 + 1.0, n0 + 1.0) if empty else (a, b, n1, n0)
    centre = np.log(a_i / n1_i) - np.log(b_i / n0_i)
    half = z * np.sqrt(1.0 / a_i - 1.0 / n1_i + 1.0 / b_i - 1.0 / n0_i)
    return Estimate(
        estimate=(a / n1) / (b / n0) if b else float("inf"),
        lower=float(np.exp(centre - half)),
        upper=float(np.exp(centre + half)),
        level=level,
        method="log interval (Simel)" + ("; 1/2 added to each cell for the interval" if empty else ""),
        n=n1 + n0,
        note="" if b else "division by zero: the ratio is infinite",
    )
