"""Adjusted p-values from their definitions, and the smoother of pi0 against another implementation."""

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import brentq

from mrnet_core import stats
from mrnet_core.stats.multiplicity import LAMBDAS, smooth_at_end


def test_adjusted_p_values_equal_their_definitions():
    p = np.random.default_rng(1).random(15) ** 2
    m, order = p.size, np.sort(p)
    for k, value in enumerate(p):
        above = [j for j in range(m) if order[j] >= value]
        below = [j for j in range(m) if order[j] <= value]
        bh = min(1.0, min(m * order[j] / (j + 1) for j in above))
        by = min(1.0, min(sum(1 / i for i in range(1, m + 1)) * m * order[j] / (j + 1) for j in above))
        holm = min(1.0, max((m - j) * order[j] for j in below))
        assert stats.benjamini_hochberg(p).adjusted[k] == pytest.approx(bh)
        assert stats.benjamini_yekutieli(p).adjusted[k] == pytest.approx(by)
        assert stats.holm(p).adjusted[k] == pytest.approx(holm)


def test_false_discoveries_stay_at_the_rate_under_a_mixture():
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(400):
        null = rng.random(27) < 0.7
        p = np.where(null, rng.random(27), rng.beta(0.1, 5, 27))
        called = stats.benjamini_hochberg(p).adjusted < 0.1
        shares.append(np.sum(called & null) / max(1, called.sum()))
    assert np.mean(shares) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_the_smoother_equals_scipys_smoothing_spline_with_three_degrees_of_freedom(seed):
    y = np.random.default_rng(seed).normal(0.7, 0.1, 19)

    def trace(power):
        columns = [make_smoothing_spline(LAMBDAS, unit, lam=10.0**power)(LAMBDAS) for unit in np.eye(19)]
        return np.trace(np.array(columns))

    power = brentq(lambda value: trace(value) - 3.0, -6.0, 2.0, xtol=1e-12)
    want = make_smoothing_spline(LAMBDAS, y, lam=10.0**power)(LAMBDAS[-1])
    assert smooth_at_end(LAMBDAS, y) == pytest.approx(float(want), abs=1e-8)


def test_stated_pi0_scales_benjamini_hochberg():
    p = np.array([0.001, 0.02, 0.4, 0.9])
    half = stats.storey(p, pi0=0.5)
    np.testing.assert_allclose(half.adjusted, 0.5 * stats.benjamini_hochberg(p).adjusted)
    assert (half.pi0, half.pi0_method, half.m) == (0.5, "stated", 4)


def test_nan_is_kept_and_not_counted():
    got = stats.holm([0.01, np.nan, 0.04])
    assert got.m == 2
    assert got.adjusted[0] == pytest.approx(0.02)
    assert np.isnan(got.adjusted[1])
    assert np.isnan(stats.storey([np.nan]).pi0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": [0.1, 1.2]}, r"p\[1\] is .*1\.2"),
        ({"p": [0.1], "pi0": 0.0}, "above 0"),
        ({"p": [0.1], "pi0": "spline"}, "'smoother', 'bootstrap' or a share"),
        ({"p": [0.1], "lambdas": [0.1, 0.2]}, "one value or at least four"),
        ({"p": [0.1], "lambdas": 1.0}, "from 0 to below 1"),
        ({"p": [[0.1]]}, "one row"),
    ],
)
def test_p_values_and_settings_that_are_none_are_refused(arguments, words):
    with pytest.raises(stats.StatisticsError, match=words):
        stats.storey(**arguments)
