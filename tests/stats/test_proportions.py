"""Proportions, tables, predictive values and averages against definitions, twins and cited examples."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from mrnet_core import stats
from mrnet_core.stats import ConfusionMatrix
from mrnet_core.stats.predictive import _score_limit


@pytest.mark.parametrize(("x", "n", "level"), [(0, 5, 0.95), (5, 5, 0.9), (15, 21, 0.95), (7, 1000, 0.99)])
def test_wilson_bounds_solve_the_score_equation(x, n, level):
    got = stats.wilson(x, n, level=level)
    z = scipy.stats.norm.ppf(0.5 + level / 2)
    for bound in (got.lower, got.upper):
        assert (x / n - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / n, abs=1e-12)


def test_wilson_of_no_trials_is_nan_with_the_reason():
    got = stats.wilson(0, 0)
    assert np.isnan([got.estimate, got.lower, got.upper]).all()
    assert got.note.startswith("no trials")


def test_many_wilson_bounds_equal_them_one_by_one():
    lower, upper = stats.wilson_bounds([0, 3, 0], [4, 9, 0])
    for k, (x, n) in enumerate([(0, 4), (3, 9)]):
        one = stats.wilson(x, n)
        assert (lower[k], upper[k]) == (one.lower, one.upper)
    assert np.isnan([lower[2], upper[2]]).all()


@pytest.mark.parametrize(("x", "n", "words"), [(5, 4, "between 0"), (-1, 4, "between 0"), (1.5, 4, "whole number")])
def test_counts_that_are_none_are_refused(x, n, words):
    with pytest.raises(stats.StatisticsError, match=words):
        stats.wilson(x, n)


def test_newcombe_interval_equals_his_first_example():
    # Newcombe 1998, Table II, column (a), method 10: 56/70 - 48/80 gives 0.0524 to 0.3339.
    got = stats.chi2_two_proportions(56, 70, 48, 80)
    assert (round(got.lower, 4), round(got.upper, 4)) == (0.0524, 0.3339)


def test_a_group_without_trials_gives_nan_and_no_warning_of_numpy():
    got = stats.chi2_two_proportions(0, 0, 3, 5)
    assert np.isnan(got.p_two_sided)
    assert "no trials" in got.note


@pytest.mark.parametrize(("b", "c"), [(86, 150), (5, 5), (0, 7), (1, 2), (12, 3)])
def test_mcnemar_equals_statsmodels(b, c):
    table = [[10, b], [c, 20]]
    assert stats.mcnemar(b, c, method="exact").p_value == pytest.approx(
        statsmodels_mcnemar(table, exact=True).pvalue, rel=1e-12
    )
    plain = statsmodels_mcnemar(table, exact=False, correction=False)
    got = stats.mcnemar(b, c, method="uncorrected")
    assert (got.statistic, got.p_value) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-12)
    if b != c:  # R makes no correction for equal counts, statsmodels does
        corrected = statsmodels_mcnemar(table, exact=False, correction=True)
        assert stats.mcnemar(b, c).p_value == pytest.approx(corrected.pvalue, rel=1e-12)
    else:
        assert (stats.mcnemar(b, c).statistic, stats.mcnemar(b, c).p_value) == (0.0, 1.0)


def test_mcnemar_without_discordant_pairs_is_nan_and_exactly_1():
    assert np.isnan(stats.mcnemar(0, 0).p_value)
    assert stats.mcnemar(0, 0, method="exact").p_value == 1.0


def test_confusion_matrix_counts_and_names_metrics():
    got = stats.confusion_matrix([1, 1, 0, 0, 0], [1, 0, 1, 0, 0])
    assert got == ConfusionMatrix(tp=1, fp=1, fn=1, tn=2)
    assert (got.metric("sensitivity").x, got.metric("specificity").x, got.metric("accuracy").x) == (1, 2, 3)
    with pytest.raises(stats.StatisticsError, match="must be specificity, sensitivity or accuracy"):
        got.metric("kappa")
    with pytest.raises(stats.StatisticsError, match="2 calls for 1 labels"):
        stats.confusion_matrix([1], [1, 0])
    with pytest.raises(stats.StatisticsError, match="fp = -1"):
        ConfusionMatrix(tp=1, fp=-1, fn=0, tn=0)


def test_the_papers_model_has_its_negative_predictive_value_and_likelihood_ratio():
    # Table 2 at 0.5: abnormal 15/21 and 87/99, ACL 60/62 and 44/58 (../shared/paper: claims C7 and C8).
    abnormal = ConfusionMatrix(tp=87, fp=6, fn=12, tn=15)
    assert round(stats.predictive_values(abnormal).negative.estimate, 3) == 0.556
    acl = ConfusionMatrix(tp=44, fp=2, fn=14, tn=60)
    assert round(stats.likelihood_ratios(acl).negative.estimate, 2) == 0.25


def test_predictive_values_at_the_samples_prevalence_are_the_plain_shares():
    matrix = ConfusionMatrix(tp=44, fp=2, fn=14, tn=60)
    plain = stats.predictive_values(matrix)
    stated = stats.predictive_values(matrix, prevalence=58 / 120)
    assert plain.positive.estimate == pytest.approx(44 / 46)
    assert stated.positive.estimate == pytest.approx(44 / 46)
    assert stated.negative.estimate == pytest.approx(60 / 74)
    assert (plain.stated, stated.stated) == (False, True)


def numerical_delta(function, values, variances):
    """Standard error of a function of independent proportions by central differences."""
    total = 0.0
    for k, variance in enumerate(variances):
        up, down = list(values), list(values)
        up[k] += 1e-6
        down[k] -= 1e-6
        total += ((function(*up) - function(*down)) / 2e-6) ** 2 * variance
    return np.sqrt(total)


def test_predictive_intervals_equal_the_delta_method_done_by_numbers():
    matrix, prevalence, z = ConfusionMatrix(tp=30, fp=9, fn=6, tn=55), 0.2, scipy.stats.norm.ppf(0.975)
    se, sp = 30 / 36, 55 / 64
    variances = [se * (1 - se) / 36, sp * (1 - sp) / 64]

    def logit(p):
        return np.log(p / (1 - p))

    formulas = {
        "positive": lambda a, b: a * prevalence / (a * prevalence + (1 - b) * (1 - prevalence)),
        "negative": lambda a, b: b * (1 - prevalence) / ((1 - a) * prevalence + b * (1 - prevalence)),
    }
    got = stats.predictive_values(matrix, prevalence=prevalence)
    for name, formula in formulas.items():
        one = getattr(got, name)
        error = numerical_delta(lambda a, b, f=formula: logit(f(a, b)), [se, sp], variances)
        assert one.estimate == pytest.approx(formula(se, sp), rel=1e-12)
        assert logit(one.lower) == pytest.approx(logit(formula(se, sp)) - z * error, rel=1e-6)
        assert logit(one.upper) == pytest.approx(logit(formula(se, sp)) + z * error, rel=1e-6)


def test_likelihood_intervals_equal_the_delta_method_done_by_numbers():
    matrix, z = ConfusionMatrix(tp=30, fp=9, fn=6, tn=55), scipy.stats.norm.ppf(0.975)
    se, sp = 30 / 36, 55 / 64
    variances = [se * (1 - se) / 36, sp * (1 - sp) / 64]
    formulas = {"positive": lambda a, b: np.log(a / (1 - b)), "negative": lambda a, b: np.log((1 - a) / b)}
    got = stats.likelihood_ratios(matrix)
    for name, formula in formulas.items():
        one = getattr(got, name)
        half = z * numerical_delta(formula, [se, sp], variances)
        assert np.log(one.estimate) == pytest.approx(formula(se, sp), rel=1e-12)
        assert np.log(one.upper) - np.log(one.lower) == pytest.approx(2 * half, rel=1e-6)


def test_empty_cells_open_the_interval_on_their_side_and_say_how_it_was_made():
    matrix = ConfusionMatrix(tp=20, fp=0, fn=5, tn=30)
    ppv = stats.predictive_values(matrix, prevalence=0.1).positive
    ratio = stats.likelihood_ratios(matrix).positive
    assert (ppv.estimate, ppv.upper, ratio.estimate, ratio.upper) == (1.0, 1.0, np.inf, np.inf)
    assert 0 < ppv.lower < 1 < ratio.lower < np.inf
    assert ppv.lower == pytest.approx(ratio.lower * 0.1 / (ratio.lower * 0.1 + 0.9))
    assert "infinite" in ratio.note
    for one in (ppv, ratio):
        assert "a cell of the table is empty, hence the score interval" in one.note
        assert "Koopman" in one.method
    never = ConfusionMatrix(tp=0, fp=3, fn=25, tn=27)
    assert stats.likelihood_ratios(never).positive.lower == 0.0 == stats.predictive_values(never).positive.lower


def test_every_interval_of_small_tables_holds_its_estimate():
    """All 2 x 2 tables up to 5 and 4 exams, at several prevalences and levels."""
    values = []
    for n_pos, n_neg in itertools.product((1, 2, 5), (1, 4)):
        for tp, fp in itertools.product(range(n_pos + 1), range(n_neg + 1)):
            matrix = ConfusionMatrix(tp=tp, fp=fp, fn=n_pos - tp, tn=n_neg - fp)
            for level in (0.5, 0.95, 0.999):
                pairs = [stats.predictive_values(matrix, prevalence=p, level=level) for p in (None, 0.01, 0.5, 0.9)]
                pairs += [stats.likelihood_ratios(matrix, level=level)]
                values += [one for pair in pairs for one in (pair.positive, pair.negative)]
    defined = [one for one in values if not np.isnan(one.estimate)]
    assert len(defined) > 1000
    assert all(one.lower <= one.estimate <= one.upper for one in defined)
    assert all(one.lower < one.upper for one in defined)


def slow_score_statistic(a, n1, b, n0, ratio):
    """The score statistic with the likeliest proportions found by search."""
    ceiling = min(1.0, 1.0 / ratio)

    def unlikely(p0):
        p1 = ratio * p0
        terms = ((a, p1), (n1 - a, 1 - p1), (b, p0), (n0 - b, 1 - p0))
        return -sum(scipy.special.xlogy(count, max(p, 0.0)) for count, p in terms)

    p0 = scipy.optimize.minimize_scalar(unlikely, bounds=(0.0, ceiling), method="bounded", options={"xatol": 1e-12}).x
    p1 = ratio * p0
    return (a / n1 - ratio * b / n0) / np.sqrt(p1 * (1 - p1) / n1 + ratio**2 * p0 * (1 - p0) / n0)


@pytest.mark.parametrize("counts", [(5, 58, 0, 62), (0, 12, 3, 20), (15, 15, 3, 20), (7, 15, 20, 20), (4, 4, 9, 9)])
def test_the_score_interval_of_an_empty_cell_ends_where_a_slow_twin_reaches_the_normal_quantile(counts):
    a, n1, b, n0 = counts
    matrix = ConfusionMatrix(tp=a, fn=n1 - a, fp=b, tn=n0 - b)
    got = stats.likelihood_ratios(matrix).positive
    z = scipy.stats.norm.ppf(0.975)
    if a:
        assert slow_score_statistic(*counts, got.lower) == pytest.approx(z, abs=1e-4)
    if b:
        assert slow_score_statistic(*counts, got.upper) == pytest.approx(-z, abs=1e-4)


def test_the_score_interval_is_that_of_koopmans_example():
    """36 of 40 against 16 of 80: 2.94 to 7.15 (Koopman 1984); statsmodels gives the digits."""
    z = scipy.stats.norm.ppf(0.975)
    got = _score_limit(36, 40, 16, 80, z), 1 / _score_limit(16, 80, 36, 40, z)
    assert got == pytest.approx((2.94, 7.15), abs=0.005)
    want = confint_proportions_2indep(36, 40, 16, 80, method="score", compare="ratio", correction=False)
    assert got == pytest.approx(want, rel=1e-9)


def test_wilson_bounds_at_none_and_at_all_are_the_proportion_itself():
    assert all(stats.wilson(0, n).lower == 0.0 and stats.wilson(n, n).upper == 1.0 for n in range(1, 200))


def test_predictive_values_of_calls_never_made_are_nan_with_the_reason():
    nobody = ConfusionMatrix(tp=0, fp=0, fn=5, tn=5)
    for prevalence in (None, 0.3):
        got = stats.predictive_values(nobody, prevalence=prevalence).positive
        assert np.isnan(got.estimate)
        assert "nothing was called positive" in got.note
    assert np.isnan(stats.likelihood_ratios(nobody).positive.estimate)
    with pytest.raises(stats.StatisticsError, match="prevalence 20"):
        stats.predictive_values(nobody, prevalence=20)


def test_predictive_interval_covers_at_its_level():
    rng = np.random.default_rng(5)
    se, sp, prevalence, repeats = 0.85, 0.9, 0.25, 1500
    truth = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    tp, tn = rng.binomial(60, se, repeats), rng.binomial(60, sp, repeats)
    found = [
        stats.predictive_values(ConfusionMatrix(tp=a, fp=60 - b, fn=60 - a, tn=b), prevalence=prevalence).positive
        for a, b in zip(tp.tolist(), tn.tolist(), strict=True)
    ]
    assert 0.93 < np.mean([one.lower <= truth <= one.upper for one in found]) < 0.98


def test_macro_average_has_the_t_interval_of_its_readers():
    x, n = [8, 9, 5, 0], [10, 12, 10, 0]
    got = stats.macro_average(x, n)
    values = np.array([0.8, 0.75, 0.5])
    lower, upper = scipy.stats.t.interval(0.95, 2, values.mean(), scipy.stats.sem(values))
    assert (got.estimate, got.lower, got.upper, got.n) == pytest.approx((values.mean(), lower, upper, 3))
    assert "1 reader(s) without reads" in got.note
    assert np.isnan(stats.macro_average([3], [4]).sd)


def test_one_readers_micro_average_carries_no_warning():
    assert stats.micro_average([3], [4]).note == ""
    assert stats.micro_average([3, 3], [4, 4]).note == stats.POOLED
    with pytest.raises(stats.StatisticsError, match="0 <= x <= n"):
        stats.micro_average([5], [4])


@pytest.mark.parametrize("equal", [True, False])
def test_two_sample_t_equals_scipy(equal):
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=6), rng.normal(1, 2, size=4)
    got = stats.two_sample_t(a, b, equal_variance=equal)
    want = scipy.stats.ttest_ind(a, b, equal_var=equal)
    interval = want.confidence_interval(0.95)
    assert (got.statistic, got.p_two_sided, got.df) == pytest.approx((want.statistic, want.pvalue, want.df))
    assert (got.lower, got.upper) == pytest.approx((interval.low, interval.high))
    assert got.p_less == pytest.approx(scipy.stats.ttest_ind(a, b, equal_var=equal, alternative="less").pvalue)


def test_t_tests_without_spread_are_nan_with_the_reason():
    assert "essentially constant" in stats.two_sample_t([1.0, 1.0], [2.0, 2.0]).note
    assert "cannot be estimated" in stats.two_sample_t([1.0], [2.0]).note
    assert "Welch" in stats.two_sample_t([1.0], [2.0, 3.0], equal_variance=False).note
    with pytest.raises(stats.StatisticsError, match="each sample needs at least one"):
        stats.two_sample_t([], [1.0])
