"""Many tests at once: p-values adjusted, and Storey's q-values.

NaN p-values stay NaN and are not counted in the family (as R's ``p.adjust`` does).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from statsmodels.stats.multitest import multipletests

from mrnet_core.stats.results import NAN, StatisticsError

LAMBDAS = 0.05 + 0.05 * np.arange(19)
"""Default thresholds of Storey's estimate of pi0: 0.05, 0.10 … 0.95 (R's qvalue)."""

SMOOTHER_DF = 3.0
"""Effective degrees of freedom of the smoothing spline over lambda (R's qvalue)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Adjusted:
    """p-values of a family and their adjusted values, in the order given; ``m`` counts those that are not NaN."""

    p: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    method: str
    m: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Storey(Adjusted):
    """q-values with the estimate of pi0, the share of true null hypotheses, that they rest on."""

    pi0: float
    pi0_method: str
    note: str


def _family(p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """p-values as an array, and which of them count."""
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise StatisticsError(f"p-values must be one row of numbers, got shape {values.shape}")
    known = ~np.isnan(values)
    wrong = np.flatnonzero(known & ~((values >= 0.0) & (values <= 1.0)))
    if wrong.size:
        raise StatisticsError(f"p[{wrong[0]}] is {values[wrong[0]]!r}: a p-value lies between 0 and 1")
    return values, known


def _adjust(p: ArrayLike, statsmodels_name: str, method: str) -> Adjusted:
    """One of statsmodels' adjustments, NaN kept."""
    values, known = _family(p)
    adjusted = np.full(values.shape, NAN)
    if known.any():
        adjusted[known] = multipletests(values[known], method=statsmodels_name)[1]
    return Adjusted(p=values, adjusted=adjusted, method=method, m=int(known.sum()))


def bonferroni(p: ArrayLike) -> Adjusted:
    """Bonferroni: m p, at most 1. Controls the chance of any false rejection."""
    return _adjust(p, "bonferroni", "Bonferroni")


def holm(p: ArrayLike) -> Adjusted:
    """Holm's step-down form of Bonferroni: the same control, never less powerful.

    References
    ----------
    Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
    """
    return _adjust(p, "holm", "Holm")


def hochberg(p: ArrayLike) -> Adjusted:
    """Hochberg's step-up form of Bonferroni (independent or positively dependent tests).

    References
    ----------
    Hochberg Y. A sharper Bonferroni procedure for multiple tests of significance. Biometrika 1988;75:800-802.
    """
    return _adjust(p, "simes-hochberg", "Hochberg")


def benjamini_hochberg(p: ArrayLike) -> Adjusted:
    """Benjamini and Hochberg's false discovery rate (independent or positively dependent tests): the paper's q.

    References
    ----------
    Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995;57:289-300.
    """
    return _adjust(p, "fdr_bh", "Benjamini-Hochberg")


def benjamini_yekutieli(p: ArrayLike) -> Adjusted:
    """Benjamini and Yekutieli's false discovery rate under any dependence.

    References
    ----------
    Benjamini Y, Yekutieli D. The control of the false discovery rate in multiple testing under dependency. Ann Stat
    2001;29:1165-1188.
    """
    return _adjust(p, "fdr_by", "Benjamini-Yekutieli")


def _thresholds(lambdas: ArrayLike | None) -> NDArray[np.float64]:
    """Lambda values: one, or at least four, in [0, 1)."""
    chosen = LAMBDAS if lambdas is None else np.sort(np.atleast_1d(np.asarray(lambdas, dtype=np.float64)))
    if chosen.ndim != 1 or 1 < chosen.size < 4 or np.any(~((chosen >= 0.0) & (chosen < 1.0))):
        raise StatisticsError(f"lambdas {chosen.tolist()}: give one value or at least four, each from 0 to below 1")
    return chosen


def raw_pi0(p: NDArray[np.float64], chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Storey's raw estimate of pi0 at each lambda."""
    return np.array([np.mean(p >= value) / (1.0 - value) for value in chosen])


def smooth_at_end(x: NDArray[np.float64], y: NDArray[np.float64], df: float = SMOOTHER_DF) -> float:
    """Value at the last x of the cubic smoothing spline of y over x with ``df`` effective degrees of freedom.

    Notes
    -----
    The natural cubic smoothing spline minimises sum (y - f)^2 + a * integral f''^2; its fit is (I + a K)^-1 y with
    K = Q R^-1 Q' (Green and Silverman 1994, section 2.3), and ``a`` is found so that the trace of that matrix is df.
    R's ``smooth.spline`` searches its parameter coarsely, so its values differ in the third or fourth digit.
    """
    n, h = x.size, np.diff(x)
    q, r = np.zeros((n, n - 2)), np.zeros((n - 2, n - 2))
    for j in range(n - 2):
        q[j : j + 3, j] = 1.0 / h[j], -1.0 / h[j] - 1.0 / h[j + 1], 1.0 / h[j + 1]
        r[j, j] = (h[j] + h[j + 1]) / 3.0
        if j:
            r[j, j - 1] = r[j - 1, j] = h[j] / 6.0
    values, vectors = np.linalg.eigh(q @ np.linalg.solve(r, q.T))
    values = np.clip(values, 0.0, None)
    scale = values.max()
    log_a = brentq(lambda power: np.sum(1.0 / (1.0 + 10.0**power * values / scale)) - df, -12.0, 14.0)
    fit = vectors @ ((vectors.T @ y) / (1.0 + 10.0**log_a * values / scale))
    return float(fit[-1])


def _estimate_pi0(p: NDArray[np.float64], chosen: NDArray[np.float64], how: str) -> tuple[float, str, str]:
    """pi0, how it was made, and why it is NaN."""
    if not p.size:
        return NAN, how, "no p-value"
    raw = raw_pi0(p, chosen)
    if chosen.size == 1:
        pi0, name = min(1.0, float(raw[0])), f"lambda = {chosen[0]:g}"
    elif p.max() < chosen[-1]:
        return NAN, how, f"no p-value at or above the largest lambda {chosen[-1]:g}: qvalue stops here as well"
    elif how == "smoother":
        pi0, name = min(1.0, smooth_at_end(chosen, raw)), "smoothing spline over lambda, 3 degrees of freedom"
    else:
        count, m = raw * (1.0 - chosen) * p.size, p.size
        error = count / (m**2 * (1.0 - chosen) ** 2) * (1.0 - count / m) + (raw - np.quantile(raw, 0.1)) ** 2
        pi0, name = min(1.0, float(raw[error == error.min()].min())), "bootstrap choice of lambda"
    if pi0 <= 0.0:
        return NAN, name, "the estimate of pi0 is not above 0: qvalue stops here as well; state pi0 or another lambda"
    return pi0, name, ""


def storey(
    p: ArrayLike, *, pi0: str | float = "smoother", lambdas: ArrayLike | None = None, pfdr: bool = False
) -> Storey:
    """Storey's q-values.

    Parameters
    ----------
    p : array_like
        One family of p-values; NaN is kept and not counted.
    pi0 : {"smoother", "bootstrap"} or float
        How the share of true null hypotheses is estimated over ``lambdas``, or the share itself: 1.0 gives
        Benjamini and Hochberg's values.
    lambdas : float or array_like, optional
        Thresholds; one number uses that threshold alone. Default :data:`LAMBDAS`.
    pfdr : bool
        Positive false discovery rate (0/0 = NaN at p = 0, as in qvalue).

    Returns
    -------
    Storey
        Where R's qvalue stops (no p-value at the largest lambda, pi0 not above 0), ``pi0`` and all q are NaN and
        ``note`` says why.

    References
    ----------
    Storey JD. A direct approach to false discovery rates. J R Stat Soc B 2002;64:479-498.
    Storey JD, Tibshirani R. Statistical significance for genomewide studies. PNAS 2003;100:9440-9445 (smoother).
    Storey JD, Taylor JE, Siegmund D. J R Stat Soc B 2004;66:187-205 (bootstrap, in qvalue's closed form).
    """
    values, known = _family(p)
    if isinstance(pi0, str):
        if pi0 not in ("smoother", "bootstrap"):
            raise StatisticsError(f"pi0 {pi0!r}: it must be 'smoother', 'bootstrap' or a share above 0 up to 1")
        share, name, note = _estimate_pi0(values[known], _thresholds(lambdas), pi0)
    else:
        if not 0.0 < pi0 <= 1.0:
            raise StatisticsError(f"pi0 {pi0!r}: a stated share must lie above 0 and be at most 1")
        share, name, note = float(pi0), "stated", ""
    adjusted = np.full(values.shape, NAN)
    if known.any() and not np.isnan(share):
        adjusted[known] = _q_values(values[known], share, pfdr)
    method = f"Storey q-value, pi0 {name}" + (", positive FDR" if pfdr else "")
    return Storey(p=values, adjusted=adjusted, method=method, m=int(known.sum()), pi0=share, pi0_method=name, note=note)


def _q_values(p: NDArray[np.float64], pi0: float, pfdr: bool) -> NDArray[np.float64]:
    """Step-up q-values with a given pi0."""
    m = p.size
    order = np.argsort(-p, kind="stable")
    sorted_p, rank = p[order], np.arange(m, 0, -1)
    below = rank * (1.0 - (1.0 - sorted_p) ** m) if pfdr else rank.astype(np.float64)
    # A p so small that 1 - (1 - p)^m rounds to 0 gives infinity, which no minimum takes; p = 0 gives 0/0.
    ratio = np.divide(m * sorted_p, below, out=np.where(sorted_p > 0.0, np.inf, NAN), where=below != 0.0)
    # minimum.accumulate carries a NaN on, as R's cummin does.
    q = np.empty(m)
    q[order] = pi0 * np.minimum(1.0, np.minimum.accumulate(ratio))
    return q
