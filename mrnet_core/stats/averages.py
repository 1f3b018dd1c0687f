"""Averages over readers: pooled reads (micro) and the mean of the readers (macro)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrnet_core.stats.bootstrap import BootstrapEstimate, bootstrap_ratio
from mrnet_core.stats.checks import check_level, t_quantile
from mrnet_core.stats.proportions import wilson
from mrnet_core.stats.results import NAN, Estimate, Proportion, StatisticsError

POOLED = (
    "pooled reads of the same exams are not independent: the interval takes each read as a trial of its own and is "
    "usually too narrow"
)
"""The warning beside every micro-average over more than one reader."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MacroAverage(Estimate):
    """Mean of the readers' proportions; ``sd`` between readers, ``values`` one a reader with a read."""

    sd: float
    values: NDArray[np.float64]


def _reader_counts(x: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts of readers as whole numbers of one shape."""
    successes, trials = np.asarray(x, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if successes.ndim != 1 or successes.shape != trials.shape or not successes.size:
        raise StatisticsError(f"x {successes.shape} and n {trials.shape}: one count of each a reader is needed")
    if np.any((successes < 0) | (successes > trials) | (successes % 1 != 0) | (trials % 1 != 0)):
        raise StatisticsError("x and n must be whole numbers with 0 <= x <= n for every reader")
    return successes.astype(np.int64), trials.astype(np.int64)


def micro_average(x: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Proportion:
    """Pooled proportion of all readers' reads, sum(x) / sum(n), with Wilson's interval.

    Parameters
    ----------
    x, n : array_like of int (readers,)
        Each reader's right reads and reads.
    level : float

    Returns
    -------
    Proportion
        With more than one reader, ``note`` is :data:`POOLED`; :func:`micro_average_by_exam` resamples exams.
    """
    successes, trials = _reader_counts(x, n)
    pooled = wilson(int(successes.sum()), int(trials.sum()), level=level)
    method = "pooled reads, Wilson score interval"
    return replace(pooled, method=method, note=pooled.note or (POOLED if successes.size > 1 else ""))


def macro_average(x: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> MacroAverage:
    """Mean of the readers' proportions with a t interval over readers.

    A reader without reads is left out, and the note says so. With one reader the spread is NaN.
    """
    check_level(level)
    successes, trials = _reader_counts(x, n)
    values = successes[trials > 0] / trials[trials > 0]
    left_out = int(np.sum(trials == 0))
    notes = [f"{left_out} reader(s) without reads left out"] if left_out else []
    mean = float(values.mean()) if values.size else NAN
    sd = float(values.std(ddof=1)) if values.size > 1 else NAN
    half = t_quantile(level, values.size - 1) * sd / np.sqrt(values.size) if values.size > 1 else NAN
    if values.size < 2:
        notes.append("fewer than two readers: no spread between readers")
    return MacroAverage(
        estimate=mean,
        lower=float(mean - half),
        upper=float(mean + half),
        level=level,
        method="mean of readers, t interval over readers",
        n=int(values.size),
        note="; ".join(notes),
        sd=sd,
        values=values,
    )


def micro_average_by_exam(
    correct: ArrayLike, *, rng: np.random.Generator, replicates: int = 2000, level: float = 0.95
) -> BootstrapEstimate:
    """Micro-average with an interval from resampling exams, each with all its reads.

    Parameters
    ----------
    correct : array_like (readers, exams)
        1 for a right read, 0 for a wrong one, NaN for a missing one.
    rng : numpy.random.Generator
    replicates : int
    level : float

    Returns
    -------
    BootstrapEstimate
        ``n`` is the number of exams. Readers are held fixed; only the exams are taken as a sample.
    """
    reads = np.asarray(correct, dtype=np.float64)
    if reads.ndim != 2:
        raise StatisticsError(f"correct must have shape (readers, exams), got {reads.shape}")
    known = ~np.isnan(reads)
    if np.any(known & (reads != 0.0) & (reads != 1.0)):
        raise StatisticsError("correct must hold 1 (right), 0 (wrong) or NaN (missing)")
    return bootstrap_ratio(np.nansum(reads, axis=0), known.sum(axis=0), rng=rng, replicates=replicates, level=level)
