"""Crossover effects against a least-squares model with unit effects, planted effects, and the null."""

import numpy as np
import pytest

from mrnet_core import stats


def simulated(rng, n=(6, 4), treatment=0.0, period=0.0, carryover=0.0):
    """Outcomes in periods 1 and 2 of units that start with control (n[0]) or treatment (n[1])."""
    treated_first = np.repeat([0, 1], n)
    unit = rng.normal(0.8, 0.05, treated_first.size)
    one = unit + treatment * treated_first + rng.normal(0, 0.03, unit.size)
    two = unit + period + treatment * (1 - treated_first) + carryover * treated_first + rng.normal(0, 0.03, unit.size)
    return one, two, treated_first


def least_squares(one, two, treated_first):
    """Treatment and period effect with their t statistics from the model with a mean for every unit."""
    n = one.size
    y = np.r_[one, two]
    x = np.zeros((2 * n, n + 2))
    x[np.arange(2 * n), np.tile(np.arange(n), 2)] = 1.0
    x[n:, n] = 1.0
    x[:, n + 1] = np.r_[treated_first, 1 - treated_first]
    b, _, _, _ = np.linalg.lstsq(x, y, rcond=None)
    df = n - 2
    variance = np.sum((y - x @ b) ** 2) / df
    error = np.sqrt(variance * np.diag(np.linalg.inv(x.T @ x)))
    return b[n + 1], b[n + 1] / error[n + 1], b[n], b[n] / error[n], df


@pytest.mark.parametrize("seed", range(4))
def test_treatment_and_period_effects_equal_the_model_with_unit_effects(seed):
    data = simulated(np.random.default_rng(seed), treatment=0.05, period=0.02)
    treatment, t1, period, t2, df = least_squares(*data)
    got = stats.crossover(*data)
    assert (got.treatment.estimate, got.treatment.statistic) == pytest.approx((treatment, t1))
    assert (got.period.estimate, got.period.statistic) == pytest.approx((period, t2))
    assert got.treatment.df == got.period.df == df
    assert (got.n_control_first, got.n_treated_first) == (6, 4)


def test_each_planted_effect_is_found_by_its_own_interval_and_no_other():
    rng = np.random.default_rng(1)
    names = ("treatment", "period", "carryover")
    for planted in names:
        got = stats.crossover(*simulated(rng, n=(400, 400), **{planted: 0.06}))
        for name in names:
            effect = getattr(got, name)
            if name == planted:
                assert effect.lower <= 0.06 <= effect.upper
                assert effect.p_two_sided < 1e-6
            elif planted != "carryover":
                assert effect.lower <= 0.0 <= effect.upper


def test_without_effects_each_test_rejects_at_its_level():
    rng = np.random.default_rng(2)
    repeats = 1000
    rejected = np.zeros(3)
    for _ in range(repeats):
        got = stats.crossover(*simulated(rng))
        rejected += [part.p_two_sided < 0.05 for part in (got.treatment, got.period, got.carryover)]
    assert np.all(np.abs(rejected / repeats - 0.05) < 0.021)


def test_one_order_for_all_or_one_unit_a_group_is_nan_with_the_reason():
    got = stats.crossover([0.8, 0.9], [0.9, 0.9], [0, 0])
    assert "same order" in got.treatment.note
    assert np.isnan(got.carryover.p_two_sided)
    assert "cannot be estimated" in stats.crossover([0.8, 0.9], [0.9, 0.95], [0, 1]).period.note
    with pytest.raises(stats.StatisticsError, match="1 scores for 2 labels"):
        stats.crossover([0.8], [0.9], [0, 1])
