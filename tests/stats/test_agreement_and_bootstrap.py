"""Kappas against their definitions, and the bootstrap over exams."""

from itertools import combinations

import numpy as np
import pytest
import sklearn.metrics
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from mrnet_core import stats


def rated(seed, subjects=40, raters=4, categories=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, categories, subjects)
    noise = rng.integers(0, categories, (subjects, raters))
    return np.where(rng.random((subjects, raters)) < 0.6, truth[:, None], noise)


def slow_conger(ratings):
    """Mean over pairs of raters of observed and of chance agreement (Conger 1980)."""
    observed, chance = [], []
    for a, b in combinations(range(ratings.shape[1]), 2):
        x, y = ratings[:, a], ratings[:, b]
        observed.append(np.mean(x == y))
        chance.append(sum(np.mean(x == c) * np.mean(y == c) for c in np.unique(ratings)))
    return (np.mean(observed) - np.mean(chance)) / (1 - np.mean(chance))


@pytest.mark.parametrize("seed", range(4))
def test_exact_fleiss_kappa_is_congers_mean_over_pairs(seed):
    ratings = rated(seed)
    assert stats.fleiss_kappa(ratings, exact=True).estimate == pytest.approx(slow_conger(ratings), abs=1e-13)


@pytest.mark.parametrize("seed", range(4))
def test_ordinary_fleiss_kappa_equals_statsmodels(seed):
    ratings = rated(seed)
    want = statsmodels_fleiss(aggregate_raters(ratings)[0])
    assert stats.fleiss_kappa(ratings).estimate == pytest.approx(want, abs=1e-13)


def test_exact_kappa_of_two_raters_is_cohens():
    ratings = rated(9, raters=2)
    cohen = stats.cohen_kappa(ratings[:, 0], ratings[:, 1])
    want = sklearn.metrics.cohen_kappa_score(ratings[:, 0], ratings[:, 1])
    assert cohen.estimate == pytest.approx(want, abs=1e-13)
    assert stats.fleiss_kappa(ratings, exact=True).estimate == pytest.approx(want, abs=1e-13)


@pytest.mark.parametrize("exact", [False, True])
def test_kappa_interval_is_the_jackknife_over_subjects(exact):
    ratings = rated(2)
    n = len(ratings)
    left = np.array([stats.fleiss_kappa(np.delete(ratings, k, axis=0), exact=exact).estimate for k in range(n)])
    error = np.sqrt((n - 1) / n * np.sum((left - left.mean()) ** 2))
    got = stats.fleiss_kappa(ratings, exact=exact)
    assert got.upper - got.lower == pytest.approx(2 * 1.959963984540054 * error, rel=1e-9)


def test_kappa_intervals_cover_at_their_level():
    rng = np.random.default_rng(1)
    # Three raters who agree with a fair coin's truth with chance 0.9: kappa of two is 1 - 4 * 0.9 * 0.1 = 0.64.
    hits = 0
    for _ in range(300):
        truth = rng.integers(0, 2, 120)
        ratings = np.where(rng.random((120, 3)) < 0.9, truth[:, None], 1 - truth[:, None])
        fleiss = stats.fleiss_kappa(ratings, exact=True)
        hits += fleiss.lower <= 0.64 <= fleiss.upper
    assert 0.91 < hits / 300 < 0.985


def test_subjects_with_a_missing_rating_are_dropped_whatever_missing_looks_like():
    words = [["a", "a", "b"], ["b", None, "b"], ["b", "b", "b"], ["a", "", "a"], ["a", "a", "a"]]
    got = stats.fleiss_kappa(words)
    assert (got.n, got.subjects_dropped) == (3, 2)
    numbers = np.array([[0, 0, 1], [1, np.nan, 1], [1, 1, 1], [0, np.nan, 0], [0, 0, 0]])
    assert stats.fleiss_kappa(numbers).estimate == got.estimate
    mixed = np.array([[0, 0.0, "1"], [1, None, 1], [1, 1, 1.0], [0, "NA", 0], [0, 0, 0]], dtype=object)
    assert stats.fleiss_kappa(mixed).estimate == got.estimate


def test_kappa_of_one_category_or_no_subject_is_nan_with_the_reason():
    assert "same category" in stats.fleiss_kappa([[1, 1], [1, 1]]).note
    assert "no subject" in stats.fleiss_kappa([[1, None], [None, 1]]).note
    assert "fewer than two categories" in stats.cohen_kappa([1, 1], [1, 1]).note
    assert np.isnan(stats.cohen_kappa([1, 1], [1, 1]).estimate)


def test_ratings_that_are_no_table_are_refused():
    with pytest.raises(stats.StatisticsError, match="two raters at least"):
        stats.fleiss_kappa([[1], [0]])
    with pytest.raises(stats.StatisticsError, match="full table"):
        stats.fleiss_kappa([[1, 2], [0]])
    with pytest.raises(stats.StatisticsError, match="one rating of each"):
        stats.cohen_kappa([1, 0], [1])


def test_majority_takes_more_than_half_and_names_the_tie():
    assert stats.majority([[1, 0, 1], [0, 0, 0], [0, 1, 1]]).tolist() == [1, 0, 1]
    assert stats.majority([["no", "", "no"], ["yes", "yes", "no"]]).tolist() == ["no", "yes"]
    with pytest.raises(stats.StatisticsError, match=r"subject 1 .*2 vote"):
        stats.majority([[1, 1], [1, 0]])
    with pytest.raises(stats.StatisticsError, match="0 vote"):
        stats.majority(np.array([[np.nan, np.nan]]))


def test_the_same_generator_state_gives_the_same_bootstrap():
    values = np.arange(30.0)

    def mean(indices):
        return float(values[indices].mean())

    one, two = (stats.bootstrap(mean, 30, rng=np.random.default_rng(4), replicates=200) for _ in range(2))
    assert one == two
    assert one.estimate == 14.5


def test_bootstrap_standard_error_of_a_mean_is_the_known_one():
    values = np.random.default_rng(0).normal(size=80)
    generic = stats.bootstrap(lambda i: float(values[i].mean()), 80, rng=np.random.default_rng(1), replicates=3000)
    ratio = stats.bootstrap_ratio(values, np.ones(80), rng=np.random.default_rng(2), replicates=3000)
    known = values.std() / np.sqrt(80)
    assert generic.standard_error == pytest.approx(known, rel=0.06)
    assert ratio.standard_error == pytest.approx(known, rel=0.06)
    assert (ratio.lower, ratio.upper) == pytest.approx((generic.lower, generic.upper), abs=0.03)


def test_bootstrap_counts_and_leaves_out_undefined_replicates():
    values = np.array([1.0, 0.0, 0.0])

    def share(indices):
        return float(values[indices].mean()) if values[indices].any() else float("nan")

    got = stats.bootstrap(share, 3, rng=np.random.default_rng(0), replicates=300)
    assert 60 < got.undefined < 120  # (2/3)^3 of 300 is 89
    assert f"{got.undefined} of 300" in got.note
    assert got.lower >= 1 / 3


def test_interval_by_exam_is_wider_than_pooled_when_readers_agree():
    rng = np.random.default_rng(3)
    same = np.tile(rng.random(120) < 0.8, (7, 1)).astype(float)
    by_exam = stats.micro_average_by_exam(same, rng=np.random.default_rng(1))
    pooled = stats.micro_average(same.sum(axis=1), np.full(7, 120))
    assert by_exam.estimate == pooled.estimate
    # Seven equal readers hold the information of one: the interval by exam is about sqrt(7) times wider.
    assert (by_exam.upper - by_exam.lower) / (pooled.upper - pooled.lower) == pytest.approx(np.sqrt(7), rel=0.1)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_an_interval_by_exam_without_width_says_what_it_does_not_say(right):
    got = stats.micro_average_by_exam(np.full((1, 20), right), rng=np.random.default_rng(1), replicates=100)
    assert (got.lower, got.estimate, got.upper) == (right, right, right)
    assert got.note == stats.NO_SPREAD
    varied = stats.micro_average_by_exam(np.eye(1, 20) * right, rng=np.random.default_rng(1), replicates=100)
    assert (varied.note == "") == (right == 1.0)


def test_missing_reads_leave_the_denominator_of_the_bootstrap():
    reads = np.array([[1.0, np.nan, 0.0], [1.0, 1.0, 1.0]])
    got = stats.micro_average_by_exam(reads, rng=np.random.default_rng(1), replicates=50)
    assert (got.estimate, got.n) == (0.8, 3)
    with pytest.raises(stats.StatisticsError, match=r"1 .right., 0 .wrong. or NaN"):
        stats.micro_average_by_exam([[2.0]], rng=np.random.default_rng(1))


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(stats.StatisticsError, match="numpy Generator"):
        stats.bootstrap_ratio([1.0], [1.0], rng=1)
    with pytest.raises(stats.StatisticsError, match="must be finite"):
        stats.bootstrap_ratio([np.nan], [1.0], rng=np.random.default_rng(1))
