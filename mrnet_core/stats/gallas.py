"""Gallas' one-shot analysis of a multi-reader multi-case study: moments of U-statistics, missing reads allowed.

The reader-averaged figure of merit is a mean of successes over (reader, negative, positive); its variance follows from
eight second moments, sorted by which of reader, negative and positive two successes share. Agrees with the R package
iMRMC 2.1.0 ("Ustat" and "MLE" rows), of whose conventions three matter: degrees of freedom are rounded down, above 50
of them the normal distribution is used, and one treatment alone is tested against 0.5.

References
----------
Gallas BD. One-shot estimate of MRMC variance: AUC. Acad Radiol 2006;13:353-362.
Gallas BD, Bandos A, Samuelson FW, Wagner RF. A framework for random-effects ROC analysis: biases with the bootstrap and
other variance estimators. Commun Stat Theory Methods 2009;38:2586-2603.
Obuchowski NA, Gallas BD, Hillis SL. Multi-reader ROC studies with split-plot designs. Acad Radiol 2012;19:1508-1517
(degrees of freedom).
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from mrnet_core.stats.checks import check_level, normal_quantile, t_quantile
from mrnet_core.stats.mrmc import Figure, ReaderStudy, check_figure, success
from mrnet_core.stats.obuchowski_rockette_results import MrmcRecord
from mrnet_core.stats.results import NAN, Estimate, StatisticsError

NORMAL_FROM = 50.0
"""Above so many degrees of freedom iMRMC takes the normal distribution."""

ROUNDING = 1e-15
"""A variance of a difference below this is what rounding leaves of moments that lie in [0, 1]: it is 0."""

_PAIR = np.array([[1.0, 0.0], [-1.0, 1.0]])
_APART = np.kron(_PAIR, np.kron(_PAIR, _PAIR))
"""Sums over all pairs of successes into sums over pairs that differ in reader, negative, positive (eight kinds)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GallasEstimate(Estimate):
    """Reader-averaged figure of one treatment, or the difference of two (``treatments`` names one or both).

    Attributes
    ----------
    lower, upper, df, p_value
        By Student's t with the BDG degrees of freedom.
    normal, p_normal
        The same by the normal distribution.
    variance : float
        Of the estimate, over random readers and cases.
    first, second : float
        Figures of the two treatments (``second`` is NaN for a single one).
    n_readers, n_pos, n_neg : int
        Readers with a read, positives and negatives with a read; a class that the metric does not count is 0.
    moments : ndarray (8,)
        M1 to M8 of Gallas 2006 (of the covariance, for a difference: M of the two treatments' products).
    """

    treatments: tuple[str, ...]
    variance: float
    df: float
    p_value: float
    normal: Estimate
    p_normal: float
    n_readers: int
    n_pos: int
    n_neg: int
    first: float
    second: float
    moments: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gallas:
    """Every treatment alone, and every difference (first - second, in the order of the study)."""

    metric: str
    estimator: str
    singles: tuple[GallasEstimate, ...]
    differences: tuple[GallasEstimate, ...]

    def records(self) -> tuple[MrmcRecord, ...]:
        """The numbers in the form of the Obuchowski-Rockette records: analysis RRRC, estimator as ``cov_method``.

        A condition's p-value tests 0.5. Quantities that only the other analysis has are absent.
        """
        rows: list[MrmcRecord] = []
        method = {"ustat": "U-statistics", "vstat": "V-statistics"}[self.estimator]
        blocks = [("difference", one) for one in self.differences] + [("condition_mean", one) for one in self.singles]
        for block, one in blocks:
            error = float(np.sqrt(one.variance)) if one.variance >= 0.0 else NAN
            null = 0.0 if block == "difference" else 0.5
            table = {"Estimate": one.estimate, "StdErr": error, "df": one.df}
            table |= {"CI.Lower": one.lower, "CI.Upper": one.upper}
            table |= {"t": (one.estimate - null) / error if error > 0.0 else NAN, "p-value": one.p_value}
            row = " - ".join(one.treatments)
            rows += [MrmcRecord(self.metric, method, "RRRC", block, row, name, v) for name, v in table.items()]
        return tuple(rows)


@dataclass(frozen=True, eq=False)
class _Covariance:
    """Covariance of two reader-averaged figures, and what the degrees of freedom need."""

    value: float
    moments: NDArray[np.float64]
    biased_parts: NDArray[np.float64]  # negatives, positives, readers: biased variance components
    dfs: NDArray[np.float64]  # of the same three


@dataclass(frozen=True, eq=False)
class _Sums:
    """A treatment's successes and which exist, (readers, n_neg, n_pos), missing pairs 0 in both."""

    won: NDArray[np.float64]
    seen: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Figure of merit: readers weigh by their pairs."""
        pairs = self.seen.sum()
        return float(self.won.sum() / pairs) if pairs else NAN


def _sums_of_products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eight sums of products of two success arrays: same reader (4), then over all readers (4); in each, over the same
    pair, the same positive, the same negative, and all pairs."""

    def four(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[float]:
        return [
            float(np.sum(x * y)),
            float(np.sum(x.sum(axis=-2) * y.sum(axis=-2))),
            float(np.sum(x.sum(axis=-1) * y.sum(axis=-1))),
            float(np.sum(x.sum(axis=(-2, -1)) * y.sum(axis=(-2, -1)))),
        ]

    return np.array(four(a, b) + four(a.sum(axis=0), b.sum(axis=0)))


def _covariance(a: _Sums, b: _Sums, unbiased: bool) -> _Covariance:
    """Covariance of two treatments' figures from the eight moments."""
    numerator, denominator = _sums_of_products(a.won, b.won), _sums_of_products(a.seen, b.seen)
    apart_n, apart_d = _APART @ numerator, _APART @ denominator
    biased = np.divide(numerator, denominator, out=np.full(8, NAN), where=denominator > 0)
    moments = np.divide(apart_n, apart_d, out=np.full(8, NAN), where=apart_d > 0.5)
    whole = denominator[7]
    if not whole > 0 or not apart_d[7] > 0.5:
        return _Covariance(NAN, moments, np.full(3, NAN), np.full(3, NAN))
    weight = apart_d / whole - np.eye(8)[7]
    used = moments if unbiased else biased
    # A kind of pair that the design lacks has weight 0 and no moment.
    value = float(np.sum(np.where(apart_d > 0.5, weight * np.where(np.isnan(used), 0.0, used), 0.0)))
    return _Covariance(
        value=value,
        moments=moments,
        biased_parts=biased[[6, 5, 3]] - biased[7],
        dfs=np.round(whole / np.where(denominator[[6, 5, 3]] > 0, denominator[[6, 5, 3]], NAN) - 1.0),
    )


def _degrees(variance: float, parts: NDArray[np.float64], dfs: NDArray[np.float64]) -> float:
    """BDG degrees of freedom: Satterthwaite on the three mean squares, at least the smallest of theirs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = variance**2 / np.sum(parts**2 / dfs**3)
    return float(np.maximum(found, dfs.min()))


def _reason(value: float, variance: float) -> str:
    """Why there is no test or interval, or ""."""
    if np.isnan(value):
        return "no pair of reads to compare: the figure is undefined"
    if np.isnan(variance):
        return "the variance needs at least two readers and two cases of each class that share reads"
    if variance < 0.0:
        return "the unbiased estimate of the variance is negative: no test, no interval"
    if variance == 0.0:
        return "the estimated variance is 0: no test, and an interval without width"
    return ""


@dataclass(frozen=True, eq=False)
class _Setting:
    """What is asked of which study."""

    study: ReaderStudy
    metric: Figure
    level: float
    method: str


def _estimate(
    setting: _Setting, treatments: tuple[int, ...], figures: tuple[float, float], variance: float, parts: _Covariance
) -> GallasEstimate:
    """Intervals and p-values of one figure (tested against 0.5) or of a difference (against 0)."""
    level, method, single = setting.level, setting.method, len(treatments) == 1
    value = figures[0] if single else figures[0] - figures[1]
    df = _degrees(variance, parts.biased_parts, parts.dfs)
    usable = variance >= 0.0
    error = float(np.sqrt(variance)) if usable else NAN
    statistic = (value - (0.5 if single else 0.0)) / error if usable and error > 0.0 else NAN
    whole = np.inf if df > NORMAL_FROM else np.floor(df)
    half = normal_quantile(level) * error
    half_t = 0.0 if error == 0.0 else t_quantile(level, whole) * error
    p_normal = float(2.0 * norm.sf(abs(statistic)))
    note, sizes = _reason(value, variance), _sizes(setting.study, setting.metric, treatments)
    return GallasEstimate(
        estimate=value,
        lower=value - half_t,
        upper=value + half_t,
        level=level,
        method=method + ", t with BDG degrees of freedom",
        note=note,
        treatments=tuple(setting.study.treatments[k] for k in treatments),
        variance=variance,
        df=df if usable else NAN,
        p_value=p_normal if np.isinf(whole) else float(2.0 * t.sf(abs(statistic), whole)),
        normal=Estimate(
            estimate=value,
            lower=value - half,
            upper=value + half,
            level=level,
            method=method + ", normal",
            n=sizes["n"],
            note=note,
        ),
        p_normal=p_normal,
        first=figures[0],
        second=NAN if single else figures[1],
        moments=parts.moments,
        **sizes,
    )


def gallas(
    study: ReaderStudy,
    metric: Figure,
    *,
    estimator: Literal["ustat", "vstat"] = "ustat",
    level: float = 0.95,
) -> Gallas:
    """Analyse a reader study over random readers and cases, with or without missing reads.

    Parameters
    ----------
    study : ReaderStudy
        NaN marks a missing read; any design in which readers and treatments share cases.
    metric : {"auc", "sensitivity", "specificity", "accuracy"}
        For the last three the scores are reads of 0 and 1.
    estimator : {"ustat", "vstat"}
        Unbiased moments (U-statistics), or biased ones (V-statistics, iMRMC's "MLE": never negative, too large).
    level : float

    Returns
    -------
    Gallas
        With missing reads a reader counts by the pairs of cases read. A negative variance estimate (which U-statistics
        can give) leaves interval and p NaN with a note.
    """
    check_figure(metric)
    check_level(level)
    if estimator not in ("ustat", "vstat"):
        raise StatisticsError(f"estimator {estimator!r}: it must be 'ustat' or 'vstat'")
    unbiased = estimator == "ustat"
    won = success(study, metric)
    seen = ~np.isnan(won)
    sums = [_Sums(np.where(s, w, 0.0), s.astype(np.float64)) for w, s in zip(won, seen, strict=True)]
    method = f"Gallas, {'U' if unbiased else 'V'}-statistics, random readers and cases"
    alone = [_covariance(one, one, unbiased) for one in sums]
    setting = _Setting(study, metric, level, method)
    singles = [
        _estimate(setting, (i,), (sums[i].mean, NAN), alone[i].value, alone[i]) for i in range(len(study.treatments))
    ]
    differences = []
    for i, j in combinations(range(len(study.treatments)), 2):
        both = _covariance(sums[i], sums[j], unbiased)
        variance = alone[i].value + alone[j].value - 2.0 * both.value
        parts = _Covariance(
            value=both.value,
            moments=both.moments,
            biased_parts=alone[i].biased_parts + alone[j].biased_parts - 2.0 * both.biased_parts,
            dfs=np.minimum(alone[i].dfs, alone[j].dfs),
        )
        variance = 0.0 if abs(variance) < ROUNDING else variance
        differences.append(_estimate(setting, (i, j), (sums[i].mean, sums[j].mean), variance, parts))
    return Gallas(metric=metric, estimator=estimator, singles=tuple(singles), differences=tuple(differences))


def _sizes(study: ReaderStudy, metric: Figure, treatments: tuple[int, ...]) -> dict[str, int]:
    """Readers and cases that have a read under these treatments."""
    read = ~np.isnan(study.scores[list(treatments)])
    cases = read.any(axis=(0, 1))
    n_pos = int(np.sum(cases & (study.truth == 1))) if metric != "specificity" else 0
    n_neg = int(np.sum(cases & (study.truth == 0))) if metric != "sensitivity" else 0
    return {"n": n_pos + n_neg, "n_readers": int(read.any(axis=(0, 2)).sum()), "n_pos": n_pos, "n_neg": n_neg}
