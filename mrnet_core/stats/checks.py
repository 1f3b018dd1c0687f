"""Arguments into arrays, or a sentence that says what is wrong with them."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from mrnet_core.stats.results import StatisticsError


def check_level(level: float) -> float:
    """Return a confidence level, which must lie strictly between 0 and 1.

    Raises
    ------
    StatisticsError
        For anything else, 95 among it.
    """
    if not 0.0 < level < 1.0:
        raise StatisticsError(
            f"confidence level {level!r}: it must lie between 0 and 1, for example 0.95 for 95 percent"
        )
    return float(level)


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile of a confidence level (1.96 for 0.95)."""
    return float(norm.ppf(0.5 + check_level(level) / 2.0))


def t_quantile(level: float, df: float) -> float:
    """Two-sided Student quantile of a confidence level with ``df`` degrees of freedom (infinity: the normal one)."""
    return float(t.ppf(0.5 + check_level(level) / 2.0, df))


def as_labels(values: ArrayLike, name: str = "y_true") -> NDArray[np.int64]:
    """Labels of 0 and 1 as integers, in one dimension.

    Raises
    ------
    StatisticsError
        For other values, with the first one and its 0-based place.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name}: labels must be the numbers 0 and 1 ({error})") from error
    if array.ndim != 1:
        raise StatisticsError(f"{name}: labels must be one row of values, got shape {array.shape}")
    wrong = np.flatnonzero((array != 0.0) & (array != 1.0))
    if wrong.size:
        raise StatisticsError(f"{name}[{wrong[0]}] is {array[wrong[0]]:g}: a label must be 0 or 1")
    return array.astype(np.int64)


def as_scores(values: ArrayLike, n: int | None = None, name: str = "y_score") -> NDArray[np.float64]:
    """Finite scores in one dimension, ``n`` of them.

    Raises
    ------
    StatisticsError
        For NaN, infinity, or another number of scores.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name}: scores must be numbers ({error})") from error
    if array.ndim != 1:
        raise StatisticsError(f"{name}: scores must be one row of values, got shape {array.shape}")
    if n is not None and array.size != n:
        raise StatisticsError(f"{name}: {array.size} scores for {n} labels; there must be one a label")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise StatisticsError(f"{name}[{wrong[0]}] is {array[wrong[0]]}: a score must be a finite number")
    return array


def as_probabilities(values: ArrayLike, n: int | None = None, name: str = "probability") -> NDArray[np.float64]:
    """Scores that lie between 0 and 1."""
    array = as_scores(values, n, name)
    wrong = np.flatnonzero((array < 0.0) | (array > 1.0))
    if wrong.size:
        raise StatisticsError(f"{name}[{wrong[0]}] is {array[wrong[0]]!r}: a probability lies between 0 and 1")
    return array


def as_counts(x: object, n: object) -> tuple[int, int]:
    """Successes and trials as whole numbers with ``0 <= x <= n``.

    Raises
    ------
    StatisticsError
        For anything else.
    """
    pair = []
    for name, value in (("x", x), ("n", n)):
        whole = isinstance(value, Integral) or (isinstance(value, float | np.floating) and float(value).is_integer())
        if not whole:
            raise StatisticsError(f"{name} = {value!r}: a count must be a whole number")
        pair.append(int(value))  # type: ignore[call-overload]
    successes, trials = pair
    if not 0 <= successes <= trials:
        raise StatisticsError(f"x = {successes} of n = {trials}: successes must lie between 0 and the trials")
    return successes, trials
