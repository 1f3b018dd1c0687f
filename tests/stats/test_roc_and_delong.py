"""ROC curves, operating points and areas against slow twins and scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from mrnet_core import stats


def scored(rng, n_pos=13, n_neg=9, levels=6):
    """Scores with ties."""
    truth = np.r_[np.ones(n_pos, int), np.zeros(n_neg, int)]
    return truth, np.round(rng.normal(truth * 1.2, 1.0) * levels / 3) / levels


def slow_area_and_variance(truth, score):
    """DeLong's structural components by loops over pairs."""
    positive, negative = score[truth == 1], score[truth == 0]

    def beats(x, y):
        return 1.0 if x > y else 0.5 if x == y else 0.0

    v10 = [sum(beats(x, y) for y in negative) / len(negative) for x in positive]
    v01 = [sum(beats(x, y) for x in positive) / len(positive) for y in negative]
    area = sum(v10) / len(v10)
    s10 = sum((v - area) ** 2 for v in v10) / (len(v10) - 1)
    s01 = sum((v - area) ** 2 for v in v01) / (len(v01) - 1)
    return area, s10 / len(v10) + s01 / len(v01)


@pytest.mark.parametrize("seed", range(5))
def test_area_and_variance_equal_the_loop_over_pairs(seed):
    truth, score = scored(np.random.default_rng(seed))
    got = stats.auc(truth, score)
    assert (got.estimate, got.variance) == pytest.approx(slow_area_and_variance(truth, score), abs=1e-14)
    assert got.estimate == pytest.approx(sklearn.metrics.roc_auc_score(truth, score), abs=1e-14)
    assert stats.roc_curve(truth, score).area == pytest.approx(got.estimate, abs=1e-14)


def test_covariance_of_many_columns_holds_the_pairs():
    rng = np.random.default_rng(3)
    truth, _ = scored(rng)
    columns = np.stack([scored(rng)[1] for _ in range(4)])
    whole = stats.delong_covariance(truth, columns)
    for i in range(4):
        for j in range(i):
            pair = stats.auc_paired(truth, columns[i], columns[j])
            assert whole.covariance[i, j] == pytest.approx(pair.covariance, abs=1e-15)
            assert whole.auc[i] - whole.auc[j] == pytest.approx(pair.estimate, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_curve_equals_scikit_learn_with_every_threshold(seed):
    truth, score = scored(np.random.default_rng(seed))
    curve = stats.roc_curve(truth, score)
    fpr, tpr, thresholds = sklearn.metrics.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.fpr, fpr, atol=1e-15)
    np.testing.assert_allclose(curve.tpr, tpr, atol=1e-15)
    assert (curve.tp[0], curve.fp[0]) == (0, 0)
    assert (curve.tp[-1], curve.fp[-1]) == (curve.n_pos, curve.n_neg)


def test_operating_point_counts_exams_at_or_above_the_threshold():
    truth, score = scored(np.random.default_rng(1))
    for threshold in [*np.unique(score), 0.123, -99.0, 99.0, np.inf, -np.inf]:
        point = stats.operating_point(truth, score, threshold)
        called = score >= threshold
        assert point.matrix.tp == np.sum(called & (truth == 1))
        assert point.matrix.fp == np.sum(called & (truth == 0))
        assert (point.sensitivity.x, point.specificity.x) == (point.matrix.tp, point.matrix.tn)
        assert point.accuracy.x == np.sum(called == (truth == 1))


@pytest.mark.parametrize("wanted", [0.0, 0.3, 1 / 3, 0.7, 0.9, 1.0])
def test_point_at_a_specificity_is_the_most_sensitive_one_allowed(wanted):
    truth, score = scored(np.random.default_rng(2), n_neg=10)
    got = stats.operating_point_at_specificity(truth, score, wanted)
    best = max(
        np.mean(score[truth == 1] >= t)
        for t in [*np.unique(score), np.inf]
        if np.sum(score[truth == 0] < t) >= wanted * 10 - 1e-9
    )
    assert got.specificity.estimate >= wanted
    assert got.sensitivity.estimate == best
    as_good = [t for t in np.unique(score) if np.mean(score[truth == 1] >= t) == best]
    assert got.threshold == max(as_good, default=np.inf)
    assert stats.operating_point(truth, score, got.threshold).matrix == got.matrix


def test_operating_points_walk_the_whole_curve():
    truth, score = scored(np.random.default_rng(4))
    curve = stats.roc_curve(truth, score)
    points = stats.operating_points(curve, level=0.9)
    assert [p.threshold for p in points] == list(curve.thresholds)
    assert all(p.sensitivity.level == 0.9 for p in points)


def test_exams_rebuilt_from_rank_steps_have_those_steps():
    steps, n_pos = [2, 2, 5, 6], 7
    truth, score = stats.ranked_scores(steps, n_pos)
    assert (truth.sum(), truth.size) == (7, 11)
    negative = np.sort(score[truth == 0])[::-1]
    assert [int(np.sum(score[truth == 1] > value)) for value in negative] == steps
    assert np.all((score > 0) & (score <= 1))
    assert np.unique(score).size == 11
    assert stats.auc(truth, score).estimate == pytest.approx(sum(steps) / (7 * 4))


def test_rank_steps_that_fall_are_refused():
    with pytest.raises(stats.StatisticsError, match="must not fall"):
        stats.ranked_scores([3, 2], 5)
    with pytest.raises(stats.StatisticsError, match="n_pos = 5"):
        stats.ranked_scores([3, 6], 5)


def test_a_curve_without_one_class_is_refused():
    with pytest.raises(stats.StatisticsError, match="at least one of each"):
        stats.roc_curve([1, 1], [0.1, 0.2])


def test_area_of_one_class_is_nan_with_the_reason():
    got = stats.auc([1, 1, 1], [0.1, 0.2, 0.3])
    assert np.isnan([got.estimate, got.lower, got.variance]).all()
    assert "3 positive and 0 negative" in got.note
    assert np.isnan(stats.auc_paired([1, 1], [0.1, 0.2], [0.3, 0.4]).p_two_sided)


def test_direction_is_never_turned_round():
    assert stats.auc([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]).estimate == 0.0


@pytest.mark.parametrize(
    ("truth", "score", "words"),
    [
        ([0, 2], [0.1, 0.2], r"y_true\[1\] is 2"),
        ([0, np.nan], [0.1, 0.2], "must be 0 or 1"),
        ([0, 1], [0.1, np.nan], r"y_score\[1\] is nan"),
        ([0, 1], [0.1], "1 scores for 2 labels"),
        ([[0, 1]], [0.1, 0.2], "one row"),
        (["no", "yes"], [0.1, 0.2], "numbers 0 and 1"),
    ],
)
def test_labels_and_scores_that_are_none_are_named(truth, score, words):
    with pytest.raises(stats.StatisticsError, match=words):
        stats.auc(truth, score)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, float("nan")])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(stats.StatisticsError, match="confidence level"):
        stats.auc([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.9], level=level)


def test_delong_interval_covers_and_paired_test_keeps_its_level():
    # Two equally good, correlated models on 120 exams; the true area is that of two normals one apart.
    rng = np.random.default_rng(11)
    truth = np.r_[np.ones(60, int), np.zeros(60, int)]
    area, repeats = 0.7602499389065233, 600  # Phi(1 / sqrt(2))
    covered = rejected = 0
    for _ in range(repeats):
        shared = rng.normal(size=120)
        one, two = (truth + np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=120) for _ in range(2))
        got = stats.auc_paired(truth, one, two)
        covered += got.auc1.lower <= area <= got.auc1.upper
        rejected += got.p_two_sided < 0.05
    assert 0.92 < covered / repeats < 0.975
    assert 0.025 < rejected / repeats < 0.08
