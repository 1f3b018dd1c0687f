"""Student's t for paired and for independent values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from mrnet_core.stats.checks import as_scores, check_level, t_quantile
from mrnet_core.stats.results import NAN, Comparison, StatisticsError

CONSTANT = 10.0 * float(np.finfo(np.float64).eps)
"""A standard error below this share of the mean is rounding, and t would be noise (the rule of R's ``t.test``)."""


@dataclass(frozen=True, kw_only=True)
class PairedT(Comparison):
    """A paired t test; ``sd`` of the differences, ``one_sided_lower`` the bound that belongs to ``p_greater``."""

    sd: float
    one_sided_lower: float


def _undefined(mean: float, error: float, n: int, scale: float) -> str:
    """Why a t statistic cannot be formed, or ""."""
    if n < 2:
        return f"{n} value(s): a t test needs at least two"
    if error == 0.0 and mean == 0.0:
        return "every difference is 0: t is 0/0"
    if error < CONSTANT * scale:
        return "the values are essentially constant: their spread is only rounding, and t is undefined"
    return ""


def paired_t(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> PairedT:
    """Paired t test of ``after - before``.

    Parameters
    ----------
    before, after : array_like (n,)
        Two values a reader (or exam), in the same order.
    level : float
        Level of the two-sided interval.

    Returns
    -------
    PairedT
        ``p_greater`` is the paper's one-tailed p (assistance improves), the interval is two-sided as in Table 3.
        Where R stops ("data are essentially constant", one value) or answers NaN (all differences 0), statistic, p and
        interval are NaN and the note says which.
    """
    check_level(level)
    first = as_scores(before, name="before")
    difference = as_scores(after, first.size, "after") - first
    n = difference.size
    mean = float(difference.mean()) if n else NAN
    sd = float(difference.std(ddof=1)) if n > 1 else NAN
    error = sd / np.sqrt(n) if n > 1 else NAN
    note = _undefined(mean, error, n, abs(mean))
    statistic = mean / error if not note else NAN
    df = float(n - 1)
    half = t_quantile(level, df) * error if not note else NAN
    return PairedT(
        estimate=mean,
        lower=mean - half,
        upper=mean + half,
        level=level,
        method="paired t test, two-sided t interval",
        n=n,
        note=note,
        statistic=statistic,
        df=df,
        standard_error=error,
        p_two_sided=float(2.0 * t.sf(abs(statistic), df)),
        p_greater=float(t.sf(statistic, df)),
        p_less=float(t.cdf(statistic, df)),
        sd=sd,
        one_sided_lower=mean - float(t.ppf(level, df)) * error if not note else NAN,
    )


def two_sample_t(
    first: ArrayLike, second: ArrayLike, *, equal_variance: bool = True, level: float = 0.95
) -> Comparison:
    """t test of two independent samples, with the interval of mean(first) - mean(second).

    Parameters
    ----------
    first, second : array_like
    equal_variance : bool
        Pooled variance (Student), else Welch's.
    level : float

    Returns
    -------
    Comparison
        NaN with a note where a sample is too small or the values do not vary.
    """
    check_level(level)
    a, b = as_scores(first, name="first"), as_scores(second, name="second")
    if not (a.size and b.size):
        raise StatisticsError(f"{a.size} and {b.size} values: each sample needs at least one")
    difference = float(a.mean() - b.mean())
    ssa, ssb = float(((a - a.mean()) ** 2).sum()), float(((b - b.mean()) ** 2).sum())
    df, error, note = NAN, NAN, ""
    if equal_variance:
        df = float(a.size + b.size - 2)
        if df > 0:
            error = float(np.sqrt((ssa + ssb) / df * (1.0 / a.size + 1.0 / b.size)))
        else:
            note = "one value a sample: the variance cannot be estimated"
    elif a.size > 1 and b.size > 1:
        va, vb = ssa / (a.size - 1) / a.size, ssb / (b.size - 1) / b.size
        error = float(np.sqrt(va + vb))
        df = float((va + vb) ** 2 / (va**2 / (a.size - 1) + vb**2 / (b.size - 1))) if va + vb else NAN
    else:
        note = "Welch's test needs at least two values a sample"
    if not note and error <= CONSTANT * max(abs(a.mean()), abs(b.mean())):
        note = "the values are essentially constant within the samples: t is undefined"
    statistic = difference / error if not note else NAN
    half = t_quantile(level, df) * error if not note else NAN
    return Comparison(
        estimate=difference,
        lower=difference - half,
        upper=difference + half,
        level=level,
        method="two-sample t test, " + ("pooled variance" if equal_variance else "Welch"),
        n=a.size + b.size,
        note=note,
        statistic=statistic,
        df=df,
        standard_error=error,
        p_two_sided=float(2.0 * t.sf(abs(statistic), df)),
        p_greater=float(t.sf(statistic, df)),
        p_less=float(t.cdf(statistic, df)),
    )
