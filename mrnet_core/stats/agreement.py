"""Agreement between raters: Fleiss' kappa, its exact form (Conger's), Cohen's kappa, and the majority."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.stats.inter_rater import cohens_kappa

from mrnet_core.stats.checks import normal_quantile
from mrnet_core.stats.results import NAN, Estimate, StatisticsError

JACKKNIFE = ", jackknife interval over subjects, clipped to [-1, 1]"


@dataclass(frozen=True, kw_only=True)
class Kappa(Estimate):
    """A kappa; ``n`` is the number of subjects used.

    ``statistic`` (z) and ``p_value`` test "no agreement beyond chance" and exist for the ordinary Fleiss and for
    Cohen's kappa; they are NaN for the exact one, for which irr gives none either.
    """

    raters: int
    subjects_dropped: int
    statistic: float
    p_value: float


def _is_missing(value: object) -> bool:
    """A rating that is not there: None, NaN, empty text or NA."""
    return value is None or (isinstance(value, float | np.floating) and np.isnan(value)) or value in ("", "NA")


def rating_codes(ratings: ArrayLike | Sequence[Sequence[object]]) -> tuple[NDArray[np.int64], int]:
    """Ratings as category numbers, subjects with any missing rating dropped (as irr does).

    Parameters
    ----------
    ratings : (subjects, raters)
        Numbers or words; missing is NaN, None, "" or "NA".

    Returns
    -------
    codes : ndarray (kept subjects, raters)
        0-based numbers of the categories in use.
    dropped : int
        Subjects left out.
    """
    try:
        table = np.asarray(ratings)
    except ValueError as error:
        raise StatisticsError(f"ratings must be a full table, one row a subject ({error})") from error
    if table.ndim != 2 or table.shape[1] < 2:
        raise StatisticsError(f"ratings must have shape (subjects, raters) with two raters at least, got {table.shape}")
    if np.issubdtype(table.dtype, np.number):
        missing = np.isnan(table.astype(np.float64))
    else:
        missing = np.array([[_is_missing(value) for value in row] for row in table], dtype=bool).reshape(table.shape)
    kept = table[~missing.any(axis=1)]
    if not kept.size:
        return np.zeros(kept.shape, dtype=np.int64), table.shape[0]
    if kept.dtype == object:
        try:
            kept = kept.astype(np.float64)  # 1, 1.0 and "1" are one category
        except ValueError:
            kept = kept.astype(str)
    _, codes = np.unique(kept, return_inverse=True)
    return codes.reshape(kept.shape).astype(np.int64), table.shape[0] - kept.shape[0]


def _kappas(codes: NDArray[np.int64], exact: bool) -> tuple[float, NDArray[np.float64]]:
    """Kappa of all subjects, and of all but each one (jackknife), from sums over subjects."""
    subjects, raters = codes.shape
    one_hot = codes[:, :, None] == np.arange(codes.max() + 1)
    counts = one_hot.sum(axis=1)
    agree = (np.sum(counts**2, axis=1) - raters) / (raters * (raters - 1))

    def kappa(n: ArrayLike, agreement: ArrayLike, by_rater: NDArray[np.int64]) -> NDArray[np.float64]:
        # by_rater (..., raters, categories): how often each rater used each category.
        size = np.asarray(n, dtype=np.float64)
        share = by_rater / size[..., None, None]
        mean = share.mean(axis=-2)
        chance = np.sum(mean**2, axis=-1)
        if exact:
            # Conger 1980: two different raters agree by chance; raters' own marginals differ by this variance.
            chance = chance - np.sum(share.var(axis=-2, ddof=1), axis=-1) / raters
        observed = np.asarray(agreement) / size
        undefined = chance >= 1.0 - 1e-12
        return np.where(undefined, NAN, (observed - chance) / np.where(undefined, 1.0, 1.0 - chance))

    totals = one_hot.sum(axis=0)
    whole = float(kappa(np.float64(subjects), agree.sum(), totals))
    if subjects < 2:
        return whole, np.full(subjects, NAN)
    rest = kappa(np.full(subjects, subjects - 1.0), agree.sum() - agree, totals - one_hot)
    return whole, rest


def fleiss_kappa(ratings: ArrayLike | Sequence[Sequence[object]], *, exact: bool = False, level: float = 0.95) -> Kappa:
    """Agreement of several raters beyond chance.

    Parameters
    ----------
    ratings : (subjects, raters)
        Categories as numbers or words; a subject with a missing rating (NaN, None, "", "NA") is dropped, as in irr.
    exact : bool
        False: Fleiss 1971, chance agreement from the pooled categories. True: "exact Fleiss kappa" of R's
        ``irr::kappam.fleiss(exact = TRUE)``, which is Conger's: chance agreement of two different raters, each with its
        own categories; with two raters it is Cohen's kappa.
    level : float

    Returns
    -------
    Kappa
        The interval is the jackknife over subjects (normal); it has no width when all subjects agree. One category
        only: kappa is 0/0, NaN with a note, as in irr.

    Examples
    --------
    Two raters agree on 6 of 8 subjects; each says 1 half of the time, so chance agreement is 1/2:

    >>> fleiss_kappa([[1, 1], [0, 0], [1, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]).estimate
    0.5

    References
    ----------
    Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378-382.
    Conger AJ. Integration and generalization of kappas for multiple raters. Psychol Bull 1980;88:322-328.
    """
    z = normal_quantile(level)
    codes, dropped = rating_codes(ratings)
    subjects, raters = codes.shape
    if subjects:
        value, rest = _kappas(codes, exact)
    else:
        value, rest = NAN, np.full(0, NAN)
    note = ""
    if not subjects:
        note = "no subject was rated by every rater"
    elif np.isnan(value):
        note = "every rating is the same category: agreement by chance is certain, and kappa is 0/0"
    usable = subjects > 1 and not np.any(np.isnan(rest)) and not note
    error = float(np.sqrt((subjects - 1) / subjects * np.sum((rest - rest.mean()) ** 2))) if usable else NAN
    if not note and not usable:
        note = "no interval: leaving out one subject leaves a single category or no subject"
    statistic = _fleiss_z(codes, value) if not exact and subjects and not np.isnan(value) else NAN
    return Kappa(
        estimate=value,
        lower=float(np.clip(value - z * error, -1.0, 1.0)),
        upper=float(np.clip(value + z * error, -1.0, 1.0)),
        level=level,
        method=("exact Fleiss kappa (Conger)" if exact else "Fleiss kappa") + JACKKNIFE,
        n=subjects,
        note=note,
        raters=raters,
        subjects_dropped=dropped,
        statistic=statistic,
        p_value=float(2.0 * norm.sf(abs(statistic))),
    )


def _fleiss_z(codes: NDArray[np.int64], value: float) -> float:
    """Kappa over its standard error when there is no agreement beyond chance (Fleiss, Nee, Landis 1979)."""
    subjects, raters = codes.shape
    share = np.bincount(codes.ravel()) / codes.size
    spread = float(np.sum(share * (1.0 - share)))
    inside = spread**2 - float(np.sum(share * (1.0 - share) * (1.0 - 2.0 * share)))
    return value / (np.sqrt(2.0 * inside / (subjects * raters * (raters - 1))) / spread)


def cohen_kappa(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Kappa:
    """Cohen's unweighted kappa of two raters with its large-sample interval.

    Parameters
    ----------
    first, second : array_like (subjects,)
        Categories; a subject with a missing rating is dropped.
    level : float

    Returns
    -------
    Kappa
        z and p test kappa = 0. One category in both: NaN with a note.

    References
    ----------
    Fleiss JL, Cohen J, Everitt BS. Large sample standard errors of kappa and weighted kappa. Psychol Bull
    1969;72:323-327 (as computed by statsmodels).
    """
    z = normal_quantile(level)
    columns = [np.asarray(first, dtype=object), np.asarray(second, dtype=object)]
    if columns[0].ndim != 1 or columns[0].shape != columns[1].shape:
        raise StatisticsError(f"first {columns[0].shape} and second {columns[1].shape}: one rating of each a subject")
    codes, dropped = rating_codes(np.stack(columns, axis=1))
    categories = int(codes.max()) + 1 if codes.size else 0
    value, error, statistic, p = NAN, NAN, NAN, NAN
    if categories > 1:
        table = np.zeros((categories, categories))
        np.add.at(table, (codes[:, 0], codes[:, 1]), 1)
        found = cohens_kappa(table)
        value, error = float(found.kappa), float(found.std_kappa)
        statistic = value / float(found.std_kappa0) if found.std_kappa0 else NAN
        p = float(2.0 * norm.sf(abs(statistic)))
    note = "" if categories > 1 else "fewer than two categories in use: kappa is 0/0"
    return Kappa(
        estimate=value,
        lower=float(np.clip(value - z * error, -1.0, 1.0)),
        upper=float(np.clip(value + z * error, -1.0, 1.0)),
        level=level,
        method="Cohen kappa, large-sample interval, clipped to [-1, 1]",
        n=int(codes.shape[0]),
        note=note,
        raters=2,
        subjects_dropped=dropped,
        statistic=statistic,
        p_value=p,
    )


def majority(ratings: ArrayLike) -> NDArray[np.generic]:
    """The category that more than half of the raters of a subject chose.

    Parameters
    ----------
    ratings : array_like (subjects, raters)
        Missing ratings (NaN, None, "", "NA") do not vote.

    Returns
    -------
    ndarray (subjects,)
        In the type of ``ratings``.

    Raises
    ------
    StatisticsError
        Where no category has more than half of the votes (an even tie, or nobody voted), naming the 0-based subject.
    """
    table = np.asarray(ratings)
    if table.ndim != 2:
        raise StatisticsError(f"ratings must have shape (subjects, raters), got {table.shape}")
    chosen = []
    for place, row in enumerate(table):
        votes = [value for value in row if not _is_missing(value)]
        categories = sorted(set(votes), key=votes.index)
        winner = [value for value in categories if 2 * votes.count(value) > len(votes)]
        if not winner:
            raise StatisticsError(
                f"subject {place} (0-based): no category has more than half of the {len(votes)} vote(s); "
                "give the majority yourself or an odd number of raters"
            )
        chosen.append(winner[0])
    return np.array(chosen, dtype=table.dtype)
