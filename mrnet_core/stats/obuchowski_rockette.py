"""Obuchowski and Rockette's analysis of a multi-reader multi-case study with Hillis' degrees of freedom.

The figure of merit of reader j under treatment i is the response of a two-way table without replication; the errors of
its cells are correlated because the same cases are read everywhere, and their covariance is estimated from the cases.
Agrees with the R package MRMCaov 0.3.0 (including that fixed-reader differences do not clip Cov2 - Cov3 at 0 while the
random-reader ones do).

References
----------
Obuchowski NA, Rockette HE. Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests: an ANOVA
approach with dependent observations. Commun Stat Simul Comput 1995;24:285-308.
Hillis SL. A comparison of denominator degrees of freedom methods for multiple observer ROC analysis. Stat Med
2007;26:596-619.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f, norm, t

from mrnet_core.stats.checks import check_level, normal_quantile, t_quantile
from mrnet_core.stats.delong import covariance_of_placements, placements
from mrnet_core.stats.mrmc import Figure, ReaderStudy, check_figure, right_reads, success
from mrnet_core.stats.obuchowski_rockette_results import (
    ObuchowskiRockette,
    ORAnalysis,
    ORComponents,
    ORContrast,
    ORMean,
    ORTest,
)
from mrnet_core.stats.results import NAN, StatisticsError

Covariance = Literal["jackknife", "delong", "unbiased"]


def _area_covariance(study: ReaderStudy, method: Covariance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas (k,) and their covariance (k, k) over the cases, k = treatments x readers."""
    rows = study.scores.reshape(-1, study.truth.size)
    v10, v01 = placements(rows[:, study.truth == 1], rows[:, study.truth == 0])
    area, n_pos, n_neg = v10.mean(axis=1), v10.shape[1], v01.shape[1]
    if method == "delong":
        return area, covariance_of_placements(v10, v01)
    if method == "jackknife":
        # Leaving out a case leaves (n A - its placement) / (n - 1); the pseudo-values' covariance over all n cases.
        n = n_pos + n_neg
        left = [(m * area[:, None] - v) / (m - 1) for m, v in ((n_pos, v10), (n_neg, v01))]
        return area, np.atleast_2d(np.cov(np.concatenate(left, axis=1))) * (n - 1) ** 2 / n
    won = success(study, "auc").reshape(rows.shape[0], n_neg, n_pos)
    flat, by_pos, by_neg = won.reshape(rows.shape[0], -1), won.sum(axis=1), won.sum(axis=2)
    total = flat.sum(axis=1)
    # Products of two pairs that share no case estimate the product of the true areas without bias.
    apart = np.outer(total, total) - by_pos @ by_pos.T - by_neg @ by_neg.T + flat @ flat.T
    return area, np.outer(area, area) - apart / (n_pos * (n_pos - 1) * n_neg * (n_neg - 1))


def _figures_and_covariance(
    study: ReaderStudy, metric: Figure, method: Covariance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Figures (T, R) and covariance (T, R, T, R)."""
    shape = study.scores.shape[:2]
    n_pos = int(study.truth.sum())
    n_neg = study.truth.size - n_pos
    few, what = {
        "auc": (min(n_pos, n_neg), "of each class"),
        "sensitivity": (n_pos, "positive ones"),
        "specificity": (n_neg, "negative ones"),
        "accuracy": (n_pos + n_neg, "of any class"),
    }[metric]
    if few < 2:
        raise StatisticsError(
            f"{n_pos} positive and {n_neg} negative cases: the covariance of {metric} needs at least two {what}"
        )
    if metric == "auc":
        figures, covariance = _area_covariance(study, method)
    else:
        right = right_reads(study, metric).reshape(shape[0] * shape[1], -1)
        # For a mean the three methods are one: the sample covariance over n.
        figures, covariance = right.mean(axis=1), np.atleast_2d(np.cov(right)) / right.shape[1]
    return figures.reshape(shape), covariance.reshape(*shape, *shape)


NO_SPREAD = 1e-28
"""A mean square of figures (which lie in [0, 1]) below this is the rounding of 1e-16, squared: it is 0."""

NO_COVARIANCE = 1e-12
"""A difference of covariances below this share of the error variance is rounding: it is 0."""


@dataclass(frozen=True, eq=False)
class _Parts:
    """What the three analyses share."""

    figures: NDArray[np.float64]
    covariance: NDArray[np.float64]  # (T, R, T, R)
    ms_t: float
    ms_tr: float
    ms_r: NDArray[np.float64]  # (T,) between readers under each treatment
    var: NDArray[np.float64]  # (T,) mean error variance
    cov2: NDArray[np.float64]  # (T,)
    components: ORComponents
    study: ReaderStudy
    level: float


def _spread(mean_square: float) -> float:
    """A mean square without the rounding of equal figures."""
    return 0.0 if mean_square < NO_SPREAD else mean_square


def _excess(difference: float, error: float) -> float:
    """A difference of covariances without rounding."""
    return 0.0 if abs(difference) < NO_COVARIANCE * error else difference


def _mean(values: NDArray[np.float64]) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if values.size else NAN


def _parts(study: ReaderStudy, metric: Figure, method: Covariance, level: float) -> _Parts:
    """Mean squares and covariance components."""
    figures, covariance = _figures_and_covariance(study, metric, method)
    n_t, n_r = figures.shape
    centred = figures - figures.mean()
    by_t, by_r = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - by_t[:, None] - by_r[None, :]
    ms_t = _spread(float(n_r * np.sum(by_t**2) / (n_t - 1)))
    ms_r_all = float(n_t * np.sum(by_r**2) / (n_r - 1)) if n_r > 1 else NAN
    ms_tr = _spread(float(np.sum(rest**2) / ((n_t - 1) * (n_r - 1)))) if n_r > 1 else NAN
    same_t = np.broadcast_to(np.eye(n_t, dtype=bool)[:, None, :, None], covariance.shape)
    same_r = np.broadcast_to(np.eye(n_r, dtype=bool)[None, :, None, :], covariance.shape)
    error, cov1 = _mean(covariance[same_t & same_r]), _mean(covariance[~same_t & same_r])
    cov2, cov3 = _mean(covariance[same_t & ~same_r]), _mean(covariance[~same_t & ~same_r])
    off = ~np.eye(n_r, dtype=bool)
    return _Parts(
        figures=figures,
        covariance=covariance,
        ms_t=ms_t,
        ms_tr=ms_tr,
        ms_r=figures.var(axis=1, ddof=1) if n_r > 1 else np.full(n_t, NAN),
        var=np.array([np.trace(covariance[i, :, i, :]) / n_r for i in range(n_t)]),
        cov2=np.array([_mean(covariance[i, :, i, :][off]) for i in range(n_t)]),
        components=ORComponents(
            reader=(ms_r_all - ms_tr) / n_t - cov1 + cov3,
            treatment_reader=ms_tr - error + cov1 + cov2 - cov3,
            error=error,
            cov1=cov1,
            cov2=cov2,
            cov3=cov3,
        ),
        study=study,
        level=level,
    )


NO_VARIANCE = "the estimated variance of the difference is not above 0: no test, no interval"

ONE_READER = "one reader: the spread between readers cannot be estimated; read the fixed-reader analysis"


@dataclass(frozen=True)
class _Difference:
    """A difference before its test: df None asks for the normal distribution; a note says why there is no test."""

    estimate: float
    error: float
    df: float | None
    label: str
    method: str
    note: str = ""
    reader: str | None = None


def _contrasts(parts: _Parts, error: float, df: float | None, method: str, note: str) -> tuple[ORContrast, ...]:
    """Differences of every two treatments with one standard error."""
    means, names = parts.figures.mean(axis=1), parts.study.treatments
    return tuple(
        _contrast(parts, _Difference(float(means[a] - means[b]), error, df, f"{names[a]} - {names[b]}", method, note))
        for a, b in combinations(range(len(names)), 2)
    )


def _contrast(parts: _Parts, given: _Difference) -> ORContrast:
    """One difference with its t or z test and interval."""
    error, df, note = given.error, given.df, given.note
    if not note and not error > 0.0:
        note, error = NO_VARIANCE, NAN
    statistic, half = NAN, NAN
    if not note:
        statistic = given.estimate / error
        half = error * (normal_quantile(parts.level) if df is None else t_quantile(parts.level, df))
    tail = norm.sf if df is None else lambda value: t.sf(value, df)
    return ORContrast(
        estimate=given.estimate,
        lower=given.estimate - half,
        upper=given.estimate + half,
        level=parts.level,
        method=given.method,
        n=len(parts.study.readers) if given.reader is None else 1,
        note=note,
        statistic=statistic,
        df=df,
        standard_error=error,
        p_two_sided=float(2.0 * tail(abs(statistic))),
        p_greater=float(tail(statistic)),
        p_less=float(tail(-statistic)),
        label=given.label,
        reader=given.reader,
    )


def _means(
    parts: _Parts,
    errors: NDArray[np.float64],
    dfs: NDArray[np.float64] | None,
    spread: NDArray[np.float64],
    method: str,
) -> tuple[ORMean, ...]:
    """Mean of each treatment over readers."""
    one = len(parts.study.readers) < 2 and dfs is not None
    rows = []
    for i, name in enumerate(parts.study.treatments):
        value, df = float(parts.figures[i].mean()), None if dfs is None else float(dfs[i])
        half = errors[i] * (normal_quantile(parts.level) if df is None else t_quantile(parts.level, df))
        if errors[i] == 0.0:
            half = 0.0
        rows.append(
            ORMean(
                estimate=value,
                lower=float(np.clip(value - half, 0.0, 1.0)),
                upper=float(np.clip(value + half, 0.0, 1.0)),
                level=parts.level,
                method=method,
                n=len(parts.study.readers),
                note=ONE_READER if one else "",
                treatment=name,
                standard_error=float(errors[i]),
                df=df,
                spread=float(spread[i]),
                cov2=float(parts.cov2[i]),
            )
        )
    return tuple(rows)


def _f_test(parts: _Parts, denominator: float, df2: float, note: str) -> ORTest:
    """F test of equal treatments."""
    df1 = len(parts.study.treatments) - 1.0
    if not note and not denominator > 0.0:
        note = "the denominator is 0: the readers differ in no way between treatments, and F is undefined"
    statistic = NAN if note else parts.ms_t / denominator
    # Infinite df2 (readers without spread of their own): F becomes chi-squared over df1.
    p = chi2.sf(statistic * df1, df1) if np.isinf(df2) else f.sf(statistic, df1, df2)
    return ORTest(parts.ms_t, parts.ms_tr, denominator, statistic, df1, df2, float(p), note)


def _hillis(mean_square: NDArray[np.float64] | float, extra: NDArray[np.float64] | float, df: float):
    """Hillis' denominator degrees of freedom, df (MS + extra)^2 / MS^2; infinite without MS, NaN for 0/0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return df * (np.asarray(mean_square) + extra) ** 2 / np.asarray(mean_square) ** 2


def _random(parts: _Parts) -> ORAnalysis:
    """Random readers and cases."""
    n_t, n_r = parts.figures.shape
    note = ONE_READER if n_r < 2 else ""
    method = "Obuchowski-Rockette, random readers and cases, Hillis df"
    c = parts.components
    extra = n_r * max(_excess(c.cov2 - c.cov3, c.error), 0.0) if n_r > 1 else NAN
    denominator = parts.ms_tr + extra
    df2 = float(_hillis(parts.ms_tr, extra, (n_t - 1.0) * (n_r - 1.0)))
    shared = np.maximum(parts.cov2, 0.0)
    return ORAnalysis(
        name="RRRC",
        test=_f_test(parts, denominator, df2, note),
        differences=_contrasts(parts, float(np.sqrt(2.0 / n_r * denominator)), df2, method, note),
        means=_means(
            parts,
            np.sqrt(parts.ms_r / n_r + shared),
            np.asarray(_hillis(parts.ms_r, n_r * shared, n_r - 1.0)),
            parts.ms_r,
            method,
        ),
    )


def _fixed_readers(parts: _Parts) -> ORAnalysis:
    """Fixed readers, random cases."""
    n_t, n_r = parts.figures.shape
    method = "Obuchowski-Rockette, fixed readers, random cases"
    c = parts.components
    others = (n_r - 1.0) * (c.cov2 - c.cov3) if n_r > 1 else 0.0
    denominator = _excess(c.error - c.cov1 + others, c.error)
    note = "" if denominator > 0.0 else NO_VARIANCE
    statistic = (n_t - 1.0) * parts.ms_t / denominator if not note else NAN
    shared = (n_r - 1.0) * np.maximum(parts.cov2, 0.0) if n_r > 1 else 0.0
    names = parts.study.treatments
    by_reader = []
    for r, reader in enumerate(parts.study.readers):
        block = parts.covariance[:, r, :, r]
        own = np.trace(block) / n_t - (block.sum() - np.trace(block)) / (n_t * (n_t - 1.0))
        error = float(np.sqrt(2.0 * max(_excess(own, np.trace(block) / n_t), 0.0)))
        for a, b in combinations(range(n_t), 2):
            difference = float(parts.figures[a, r] - parts.figures[b, r])
            label = f"{names[a]} - {names[b]}"
            by_reader.append(_contrast(parts, _Difference(difference, error, None, label, method, reader=reader)))
    return ORAnalysis(
        name="FRRC",
        test=ORTest(
            parts.ms_t, parts.ms_tr, denominator, statistic, n_t - 1.0, None, float(chi2.sf(statistic, n_t - 1.0)), note
        ),
        differences=_contrasts(parts, float(np.sqrt(2.0 / n_r * max(denominator, 0.0))), None, method, note),
        means=_means(parts, np.sqrt((parts.var + shared) / n_r), None, parts.var, method),
        reader_differences=tuple(by_reader),
    )


def _fixed_cases(parts: _Parts) -> ORAnalysis:
    """Random readers, fixed cases."""
    n_t, n_r = parts.figures.shape
    note = ONE_READER if n_r < 2 else ""
    method = "Obuchowski-Rockette, random readers, fixed cases"
    df2 = (n_t - 1.0) * (n_r - 1.0)
    return ORAnalysis(
        name="RRFC",
        test=_f_test(parts, parts.ms_tr, df2, note),
        differences=_contrasts(parts, float(np.sqrt(2.0 / n_r * parts.ms_tr)), df2, method, note),
        means=_means(parts, np.sqrt(parts.ms_r / n_r), np.full(n_t, n_r - 1.0), parts.ms_r, method),
    )


def obuchowski_rockette(
    study: ReaderStudy, metric: Figure, *, covariance: Covariance = "jackknife", level: float = 0.95
) -> ObuchowskiRockette:
    """Analyse a complete (factorial) reader study.

    Parameters
    ----------
    study : ReaderStudy
        At least two treatments, no missing read.
    metric : {"auc", "sensitivity", "specificity", "accuracy"}
        For the last three the scores are reads of 0 and 1.
    covariance : {"jackknife", "delong", "unbiased"}
        How the error covariance of areas is estimated; for a proportion the three are one (sample covariance over n),
        called "jackknife".
    level : float

    Returns
    -------
    ObuchowskiRockette
        With one reader the analyses over random readers are NaN with a note.

    Raises
    ------
    StatisticsError
        For a missing read (:func:`mrnet_core.stats.gallas` takes those), one treatment, or fewer than two cases of a
        class that the metric counts.

    Notes
    -----
    RRRC tests F = MS(T) / [MS(TR) + r max(Cov2 - Cov3, 0)] with Hillis' degrees of freedom; FRRC the chi-squared
    (t - 1) MS(T) / [Var - Cov1 + (r - 1)(Cov2 - Cov3)]; RRFC F = MS(T) / MS(TR), which for two treatments is the
    two-sided paired t test over readers.
    """
    check_figure(metric)
    check_level(level)
    if covariance not in get_args(Covariance):
        raise StatisticsError(f"covariance {covariance!r}: it must be one of {', '.join(get_args(Covariance))}")
    if not study.is_complete:
        missing = int(np.isnan(study.scores).sum())
        raise StatisticsError(
            f"{missing} missing read(s): Obuchowski-Rockette needs every read; use gallas(), which takes missing reads"
        )
    if len(study.treatments) < 2:
        raise StatisticsError("one treatment: Obuchowski-Rockette compares at least two")
    method: Covariance = covariance if metric == "auc" else "jackknife"
    parts = _parts(study, metric, method, level)
    return ObuchowskiRockette(
        metric=metric,
        covariance=method,
        treatments=study.treatments,
        readers=study.readers,
        figures=parts.figures,
        components=parts.components,
        random=_random(parts),
        fixed_readers=_fixed_readers(parts),
        fixed_cases=_fixed_cases(parts),
    )
