"""Calibration against scikit-learn, another optimiser, and planted miscalibration."""

import numpy as np
import pytest
import scipy.optimize
import sklearn.calibration
import sklearn.metrics
from scipy.special import expit, logit

from mrnet_core import stats


def drawn(seed, n=400, slope=1.0, intercept=0.0):
    """Exams whose true log odds are intercept + slope * logit of the stated probability."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 1.5, n)
    return (rng.random(n) < expit(intercept + slope * logit(p))).astype(int), p


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_curve_equals_scikit_learn(strategy):
    truth, p = drawn(1, n=150)
    p = np.round(p, 1)  # values on the borders of bins
    got = stats.reliability_curve(truth, p, strategy=strategy, bins=5)
    observed, predicted = sklearn.calibration.calibration_curve(truth, p, n_bins=5, strategy=strategy)
    np.testing.assert_allclose(got.observed, observed, atol=1e-14)
    np.testing.assert_allclose(got.predicted, predicted, atol=1e-14)
    assert got.n.sum() == 150
    for k in range(len(got.n)):
        one = stats.wilson(int(got.x[k]), int(got.n[k]))
        assert (got.lower[k], got.upper[k]) == (one.lower, one.upper)
        assert got.edges[k, 0] <= got.predicted[k] <= got.edges[k, 1]


def test_brier_score_equals_scikit_learn():
    truth, p = drawn(2)
    got = stats.brier_score(truth, p)
    assert got.estimate == pytest.approx(sklearn.metrics.brier_score_loss(truth, p), abs=1e-15)
    assert got.lower < got.estimate < got.upper
    assert np.isnan(stats.brier_score([1], [0.4]).lower)


def test_calibration_line_is_the_maximum_of_the_likelihood():
    truth, p = drawn(3, slope=0.6, intercept=0.4)
    line = logit(p)

    def loss(b, offset):
        eta = b[0] + (line if offset else b[1] * line)
        return np.sum(np.logaddexp(0, eta) - truth * eta)

    got = stats.calibration_line(truth, p)
    best = scipy.optimize.minimize(loss, [0.0, 1.0], args=(False,), tol=1e-12).x
    assert (got.intercept.estimate, got.slope.estimate) == pytest.approx(tuple(best), abs=1e-5)
    large = scipy.optimize.minimize(loss, [0.0], args=(True,), tol=1e-12).x[0]
    assert got.in_the_large.estimate == pytest.approx(large, abs=1e-5)
    # Standard error from the observed information at the maximum.
    mean = expit(best[0] + best[1] * line)
    design = np.stack([np.ones_like(line), line], axis=1)
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ (design * (mean * (1 - mean))[:, None]))))
    assert got.slope.upper - got.slope.lower == pytest.approx(2 * 1.959963984540054 * error[1], rel=1e-4)


def test_planted_miscalibration_is_recovered_and_good_calibration_covered():
    truth, p = drawn(4, n=20000, slope=0.5, intercept=-0.7)
    got = stats.calibration_line(truth, p)
    assert got.slope.lower <= 0.5 <= got.slope.upper
    assert got.intercept.lower <= -0.7 <= got.intercept.upper
    covered = np.zeros(3)
    for seed in range(200):
        one = stats.calibration_line(*drawn(100 + seed, n=300))
        for k, (part, value) in enumerate(((one.slope, 1.0), (one.intercept, 0.0), (one.in_the_large, 0.0))):
            covered[k] += part.lower <= value <= part.upper
    assert np.all(covered / 200 > 0.9)


@pytest.mark.parametrize(
    ("truth", "p", "words", "large_too"),
    [
        ([0, 1, 1], [0.0, 0.5, 0.7], "exactly 0 or 1", True),
        ([1, 1, 1], [0.2, 0.5, 0.7], "3 positive and 0 negative", True),
        ([0, 1, 1], [0.2, 0.5, 0.7], "separate the classes", False),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], "same", False),
    ],
)
def test_calibration_lines_without_an_answer_are_nan_with_the_reason(truth, p, words, large_too):
    got = stats.calibration_line(truth, p)
    assert np.isnan([got.slope.estimate, got.slope.lower, got.intercept.estimate]).all()
    assert words in got.slope.note
    assert np.isnan(got.in_the_large.estimate) == large_too


def test_probabilities_outside_0_and_1_and_bad_bins_are_refused():
    with pytest.raises(stats.StatisticsError, match=r"probability\[1\] is .*1\.2"):
        stats.brier_score([0, 1], [0.3, 1.2])
    with pytest.raises(stats.StatisticsError, match="bins = 0"):
        stats.reliability_curve([0, 1], [0.3, 0.2], bins=0)
    with pytest.raises(stats.StatisticsError, match="'uniform' or 'quantile'"):
        stats.reliability_curve([0, 1], [0.3, 0.2], strategy="even")
    with pytest.raises(stats.StatisticsError, match="no exam"):
        stats.brier_score([], [])
