"""Two-period crossover: treatment, period and carry-over effects, one outcome a unit (reader) and period.

Each unit is measured under both conditions, half of them control first, half treatment first. In the model
``outcome = unit + period + treatment + carry-over of the first period's condition into the second``, the three effects
are differences of the two sequence groups, so each has a two-sample t test (pooled variance).

References
----------
Grizzle JE. The two-period change-over design and its use in clinical trials. Biometrics 1965;21:467-480.
Hills M, Armitage P. The two-period cross-over clinical trial. Br J Clin Pharmacol 1979;8:7-20.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mrnet_core.stats.checks import as_labels, as_scores, check_level
from mrnet_core.stats.paired import two_sample_t
from mrnet_core.stats.results import NAN, Comparison


@dataclass(frozen=True)
class Crossover:
    """The three effects of a two-period crossover.

    Attributes
    ----------
    treatment : Comparison
        Treatment - control, free of the period effect.
    period : Comparison
        Second period - first period, free of the treatment effect.
    carryover : Comparison
        Carry-over of the treatment - carry-over of the control, into the second period. The other two effects assume
        that it is 0; its test is a weak one, for it compares units and not changes within units.
    n_control_first, n_treated_first : int
    """

    treatment: Comparison
    period: Comparison
    carryover: Comparison
    n_control_first: int
    n_treated_first: int


def crossover(
    first_period: ArrayLike, second_period: ArrayLike, treated_first: ArrayLike, *, level: float = 0.95
) -> Crossover:
    """Analyse a two-period crossover.

    Parameters
    ----------
    first_period, second_period : array_like (units,)
        Outcome of each unit in period 1 and in period 2, whatever the condition.
    treated_first : array_like of 0/1 (units,)
        1: treatment in period 1 and control in period 2; 0: the other way round.
    level : float

    Returns
    -------
    Crossover
        NaN with a note where a sequence group is empty, both hold one unit, or nothing varies.

    Notes
    -----
    With ``d`` = half the second outcome minus half the first: treatment = mean d (control first) - mean d (treated
    first). With ``e`` = half the treated outcome minus half the control one: period = mean e (control first) - mean e
    (treated first). With the sum of both outcomes: carry-over = mean sum (treated first) - mean sum (control first).
    """
    check_level(level)
    sequence = as_labels(treated_first, "treated_first")
    one = as_scores(first_period, sequence.size, "first_period")
    two = as_scores(second_period, sequence.size, "second_period")
    control, treated = sequence == 0, sequence == 1
    half = (two - one) / 2.0
    gain = np.where(treated, -half, half)
    total = one + two

    def compare(first: np.ndarray, second: np.ndarray, method: str) -> Comparison:
        if not (first.size and second.size):
            return _empty(level, sequence.size, method)
        return replace(two_sample_t(first, second, level=level), method=method)

    return Crossover(
        treatment=compare(half[control], half[treated], "crossover treatment effect, two-sample t on half differences"),
        period=compare(gain[control], gain[treated], "crossover period effect (Hills-Armitage), two-sample t"),
        carryover=compare(total[treated], total[control], "crossover carry-over (Grizzle), two-sample t on the sums"),
        n_control_first=int(control.sum()),
        n_treated_first=int(treated.sum()),
    )


def _empty(level: float, n: int, method: str) -> Comparison:
    """The answer when everybody had the same sequence."""
    return Comparison(
        estimate=NAN,
        lower=NAN,
        upper=NAN,
        level=level,
        method=method,
        n=n,
        note="every unit had the same order of conditions: period and treatment cannot be told apart",
        statistic=NAN,
        df=NAN,
        standard_error=NAN,
        p_two_sided=NAN,
        p_greater=NAN,
        p_less=NAN,
    )
