"""Bootstrap over clusters (exams): all reads of an exam are drawn together. The generator is an argument."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrnet_core.stats.checks import check_level
from mrnet_core.stats.results import NAN, Estimate, StatisticsError

NO_SPREAD = "the resamples do not vary: an interval without width, which does not say how sure the value is"


@dataclass(frozen=True, kw_only=True)
class BootstrapEstimate(Estimate):
    """A statistic with its percentile interval.

    ``standard_error`` is the spread of the replicates; ``undefined`` counts replicates whose statistic was NaN (a
    resample without positives, say): they are left out of interval and standard error, and the note says so. Where the
    bounds are one value (every read right, say) the note is :data:`NO_SPREAD`: the bootstrap knows only what it drew.
    """

    standard_error: float
    replicates: int
    undefined: int


def _summary(estimate: float, drawn: NDArray[np.float64], n: int, level: float, method: str) -> BootstrapEstimate:
    """Percentile interval of the replicates that have a value."""
    defined = drawn[~np.isnan(drawn)]
    undefined = int(drawn.size - defined.size)
    if defined.size > 1:
        lower, upper = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        error = float(defined.std(ddof=1))
    else:
        lower, upper, error = NAN, NAN, NAN
    notes = (
        [f"{undefined} of {drawn.size} resamples left the statistic undefined and were left out"] if undefined else []
    )
    notes += [NO_SPREAD] if lower == upper else []
    return BootstrapEstimate(
        estimate=float(estimate),
        lower=float(lower),
        upper=float(upper),
        level=level,
        method=method,
        n=n,
        note="; ".join(notes),
        standard_error=error,
        replicates=int(drawn.size),
        undefined=undefined,
    )


def _check(n_clusters: int, rng: np.random.Generator, replicates: int, level: float) -> None:
    """What both forms need."""
    check_level(level)
    if not isinstance(rng, np.random.Generator):
        raise StatisticsError(f"rng must be a numpy Generator, for example numpy.random.default_rng(1), got {rng!r}")
    if n_clusters < 1 or replicates < 2:
        raise StatisticsError(f"{n_clusters} clusters and {replicates} replicates: at least 1 and 2 are needed")


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    n_clusters: int,
    *,
    rng: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> BootstrapEstimate:
    """Bootstrap any statistic over clusters.

    Parameters
    ----------
    statistic : callable
        Takes the 0-based indices of the drawn clusters (n_clusters,), gives a number, NaN where undefined.
    n_clusters : int
    rng : numpy.random.Generator
        The same generator state gives the same answer.
    replicates : int
    level : float

    Returns
    -------
    BootstrapEstimate
        ``estimate`` is the statistic of the clusters as they are.
    """
    _check(n_clusters, rng, replicates, level)
    everybody = np.arange(n_clusters)
    drawn = np.array([statistic(rng.integers(0, n_clusters, n_clusters)) for _ in range(replicates)], dtype=np.float64)
    return _summary(statistic(everybody), drawn, n_clusters, level, "bootstrap over clusters, percentile interval")


def bootstrap_ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 2000,
    level: float = 0.95,
) -> BootstrapEstimate:
    """Bootstrap of sum(numerator) / sum(denominator) over clusters, all replicates at once.

    Parameters
    ----------
    numerator, denominator : array_like (clusters,)
        For a micro-average: right reads and reads of each exam.
    rng, replicates, level
        As in :func:`bootstrap`.

    Returns
    -------
    BootstrapEstimate
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if top.ndim != 1 or top.shape != bottom.shape:
        raise StatisticsError(f"numerator {top.shape} and denominator {bottom.shape}: one number of each a cluster")
    if not (np.all(np.isfinite(top)) and np.all(np.isfinite(bottom))):
        raise StatisticsError("numerator and denominator must be finite: a missing read counts 0 in both")
    _check(top.size, rng, replicates, level)
    weights = rng.multinomial(top.size, np.full(top.size, 1.0 / top.size), size=replicates)
    totals = weights @ bottom
    drawn = np.divide(weights @ top, totals, out=np.full(replicates, NAN), where=totals != 0)
    estimate = top.sum() / bottom.sum() if bottom.sum() else NAN
    return _summary(estimate, drawn, top.size, level, "bootstrap over clusters, percentile interval")
