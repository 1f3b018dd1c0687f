"""Multi-reader multi-case analyses against loops over readers and cases, with missing reads, and under the null."""

import time
from itertools import product

import numpy as np
import pytest

from mrnet_core import stats
from mrnet_core.stats import ReaderStudy

NAMES = ("assisted", "unassisted")


def simulated(rng, readers=4, n_pos=15, n_neg=15, gain=0.0, *, binary=False):
    """Readers, cases and their interactions as normal effects (after Roe and Metz 1997)."""
    truth = np.r_[np.ones(n_pos, int), np.zeros(n_neg, int)]
    n = truth.size

    def effect(sd, *shape):
        return rng.normal(0.0, sd, shape)

    # A reader's skill is an effect on the positives only.
    skill = effect(0.25, 1, readers, 1) + effect(0.2, 2, readers, 1) + np.array([gain, 0.0])[:, None, None]
    scores = 1.5 * truth + truth * skill + effect(0.55, 1, 1, n) + effect(0.3, 2, 1, n) + effect(0.7, 2, readers, n)
    if binary:
        scores = (scores > 0.75).astype(float)
    return ReaderStudy(truth, scores, NAMES, tuple(f"R{k}" for k in range(readers)))


def with_holes(study, rng, share=0.2):
    scores = np.where(rng.random(study.scores.shape) < share, np.nan, study.scores)
    return ReaderStudy(study.truth, scores, study.treatments, study.readers)


def beats(x, y):
    return 1.0 if x > y else 0.5 if x == y else 0.0


def slow_area(truth, score):
    positive, negative = score[truth == 1], score[truth == 0]
    return np.mean([[beats(x, y) for x in positive] for y in negative])


def slow_jackknife_covariance(study, figure):
    """Covariance of all cells by leaving out one case at a time."""
    cells = list(product(range(2), range(len(study.readers))))
    n = study.truth.size
    left = np.array(
        [[figure(np.delete(study.truth, k), np.delete(study.scores[t, r], k)) for k in range(n)] for t, r in cells]
    )
    centred = left - left.mean(axis=1, keepdims=True)
    return cells, (n - 1) / n * centred @ centred.T


def components_of(cells, covariance):
    """Mean covariance of the same cell, same reader, same treatment, and neither."""
    kinds = {"error": [], "cov1": [], "cov2": [], "cov3": []}
    for (i, (t, r)), (j, (u, s)) in product(enumerate(cells), enumerate(cells)):
        kind = "error" if (t, r) == (u, s) else "cov1" if r == s else "cov2" if t == u else "cov3"
        kinds[kind].append(covariance[i, j])
    return {name: np.mean(values) for name, values in kinds.items()}


@pytest.mark.parametrize("metric", ["auc", "accuracy"])
def test_jackknife_components_equal_leaving_out_each_case(metric):
    study = simulated(np.random.default_rng(1), readers=3, n_pos=9, n_neg=7, binary=metric == "accuracy")
    figure = slow_area if metric == "auc" else lambda truth, read: np.mean(truth == read)
    want = components_of(*slow_jackknife_covariance(study, figure))
    got = stats.obuchowski_rockette(study, metric).components
    for name, value in want.items():
        assert getattr(got, name) == pytest.approx(value, rel=1e-9), name


def slow_unbiased_covariance(study, cell1, cell2):
    """Product of areas less the mean product over pairs that share neither positive nor negative."""
    (t, r), (u, s) = cell1, cell2
    pos, neg = np.flatnonzero(study.truth == 1), np.flatnonzero(study.truth == 0)

    def won(t, r, i, j):
        return beats(study.scores[t, r, i], study.scores[t, r, j])

    apart = [
        won(t, r, i, j) * won(u, s, k, m)
        for i, k in product(pos, pos)
        for j, m in product(neg, neg)
        if i != k and j != m
    ]
    areas = [slow_area(study.truth, study.scores[cell]) for cell in (cell1, cell2)]
    return areas[0] * areas[1] - np.mean(apart)


def test_unbiased_components_equal_the_loop_over_pairs_of_pairs():
    study = simulated(np.random.default_rng(2), readers=2, n_pos=5, n_neg=4)
    cells = list(product(range(2), range(2)))
    covariance = np.array([[slow_unbiased_covariance(study, a, b) for b in cells] for a in cells])
    want = components_of(cells, covariance)
    got = stats.obuchowski_rockette(study, "auc", covariance="unbiased").components
    for name, value in want.items():
        assert getattr(got, name) == pytest.approx(value, rel=1e-9), name


def test_fixed_case_analysis_is_the_paired_t_test_over_readers():
    study = simulated(np.random.default_rng(3), readers=6, gain=0.5)
    found = stats.obuchowski_rockette(study, "auc")
    t = stats.paired_t(found.figures[1], found.figures[0])
    got = found.fixed_cases.differences[0]
    assert (got.estimate, got.statistic, got.df) == pytest.approx((t.estimate, t.statistic, t.df))
    assert (got.lower, got.upper, got.p_two_sided) == pytest.approx((t.lower, t.upper, t.p_two_sided))
    assert found.fixed_cases.test.p_value == pytest.approx(t.p_two_sided)


def slow_gallas(study, first, second, metric):
    """Figures and unbiased covariance of two treatments by loops over all pairs of reads, missing ones left out."""
    pos, neg = np.flatnonzero(study.truth == 1), np.flatnonzero(study.truth == 0)
    units = product(pos, neg) if metric == "auc" else product(np.arange(study.truth.size), (None,))
    units = list(units)

    def successes(t):
        found = {}
        for r, (i, j) in product(range(len(study.readers)), units):
            x, y = study.scores[t, r, i], 0.0 if j is None else study.scores[t, r, j]
            if not (np.isnan(x) or np.isnan(y)):
                found[r, i, j] = float(x == study.truth[i]) if j is None else beats(x, y)
        return found

    a, b = successes(first), successes(second)
    apart = [
        x * y for (r, i, j), x in a.items() for (s, k, m), y in b.items() if r != s and i != k and (j is None or j != m)
    ]
    means = [np.mean(list(values.values())) for values in (a, b)]
    return means, means[0] * means[1] - np.mean(apart)


@pytest.mark.parametrize("metric", ["auc", "accuracy"])
@pytest.mark.parametrize("holes", [0.0, 0.25])
def test_u_statistics_equal_the_loop_over_all_pairs_of_reads(metric, holes):
    rng = np.random.default_rng(4)
    study = with_holes(simulated(rng, readers=3, n_pos=5, n_neg=4, binary=metric == "accuracy"), rng, holes)
    found = stats.gallas(study, metric)
    variances = []
    for t in range(2):
        means, variance = slow_gallas(study, t, t, metric)
        assert found.singles[t].estimate == pytest.approx(means[0], abs=1e-13)
        assert found.singles[t].variance == pytest.approx(variance, abs=1e-13)
        variances.append(variance)
    _, covariance = slow_gallas(study, 0, 1, metric)
    assert found.differences[0].variance == pytest.approx(sum(variances) - 2 * covariance, abs=1e-13)


def test_v_statistic_of_one_figure_is_the_variance_over_bootstrap_worlds():
    # iMRMC's "MLE": the ideal bootstrap. Redraw readers, positives and negatives many times and compare.
    rng = np.random.default_rng(5)
    study = simulated(rng, readers=4, n_pos=8, n_neg=8)
    won = (np.sign(study.scores[0][:, None, study.truth == 1] - study.scores[0][:, study.truth == 0, None]) + 1) / 2
    drawn = [
        won[np.ix_(rng.integers(0, 4, 4), rng.integers(0, 8, 8), rng.integers(0, 8, 8))].mean() for _ in range(20000)
    ]
    assert stats.gallas(study, "auc", estimator="vstat").singles[0].variance == pytest.approx(np.var(drawn), rel=0.05)


def test_a_complete_study_weighs_readers_equally_in_both_analyses():
    study = simulated(np.random.default_rng(6))
    found = stats.obuchowski_rockette(study, "auc")
    singles = stats.gallas(study, "auc").singles
    assert [one.estimate for one in singles] == pytest.approx(found.figures.mean(axis=1).tolist())


def test_missing_reads_send_obuchowski_rockette_to_gallas():
    study = with_holes(simulated(np.random.default_rng(7)), np.random.default_rng(1), 0.01)
    with pytest.raises(stats.StatisticsError, match=r"missing read.*gallas"):
        stats.obuchowski_rockette(study, "auc")
    assert np.isfinite(stats.gallas(study, "auc").differences[0].p_value)


def test_records_of_gallas_hold_its_numbers_under_the_same_words():
    study = with_holes(simulated(np.random.default_rng(7)), np.random.default_rng(1))
    found = stats.gallas(study, "auc")
    table = {(r.block, r.row, r.quantity): r.value for r in found.records()}
    difference, first = found.differences[0], found.singles[0]
    assert table["difference", "assisted - unassisted", "Estimate"] == difference.estimate
    assert table["difference", "assisted - unassisted", "p-value"] == difference.p_value
    assert table["condition_mean", "assisted", "StdErr"] ** 2 == pytest.approx(first.variance)
    assert table["condition_mean", "assisted", "t"] == pytest.approx((first.estimate - 0.5) / np.sqrt(first.variance))
    complete = stats.obuchowski_rockette(simulated(np.random.default_rng(7)), "auc").records()
    assert set(table) <= {(r.block, r.row, r.quantity) for r in complete} | {
        ("condition_mean", name, quantity) for name in NAMES for quantity in ("t", "p-value")
    }


def test_one_reader_gets_the_fixed_reader_answer_and_a_reason():
    study = simulated(np.random.default_rng(8), readers=1)
    found = stats.obuchowski_rockette(study, "auc", covariance="delong")
    assert np.isnan(found.random.differences[0].p_two_sided)
    assert "one reader" in found.random.differences[0].note
    assert "one reader" in found.fixed_cases.test.note
    paired = stats.auc_paired(study.truth, study.scores[0, 0], study.scores[1, 0])
    got = found.fixed_readers.differences[0]
    assert (got.estimate, got.statistic) == pytest.approx((paired.estimate, paired.statistic))
    alone = stats.gallas(study, "auc").differences[0]
    assert np.isnan(alone.variance)
    assert "two readers" in alone.note


def test_identical_treatments_leave_no_variance_and_say_so():
    study = simulated(np.random.default_rng(9))
    twice = ReaderStudy(study.truth, np.stack([study.scores[0]] * 2), NAMES, study.readers)
    found = stats.obuchowski_rockette(twice, "auc")
    for analysis in (found.random, found.fixed_readers, found.fixed_cases):
        assert analysis.differences[0].estimate == 0.0
        assert np.isnan(analysis.differences[0].p_two_sided)
        assert "not above 0" in analysis.differences[0].note
        assert np.isnan(analysis.test.p_value)
    assert "variance is 0" in stats.gallas(twice, "auc").differences[0].note


def test_reader_of_perfect_score_everywhere_gives_no_error():
    truth = np.array([1, 1, 1, 0, 0, 0])
    study = ReaderStudy(truth, np.broadcast_to(truth, (2, 3, 6)).astype(float), NAMES, ("a", "b", "c"))
    for metric in ("auc", "sensitivity", "specificity", "accuracy"):
        found = stats.obuchowski_rockette(study, metric)
        assert found.random.means[0].estimate == 1.0
        assert (found.random.means[0].lower, found.fixed_readers.means[0].lower) == (1.0, 1.0)
        assert stats.gallas(study, metric).singles[0].estimate == 1.0


def test_selected_readers_are_the_study_of_those_readers():
    study = simulated(np.random.default_rng(10))
    some = study.select(["R2", "R0"])
    np.testing.assert_array_equal(some.scores, study.scores[:, [2, 0]])
    with pytest.raises(stats.StatisticsError, match="reader 'X' is not in the study"):
        study.select(["X"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": np.zeros((2, 2, 3))}, "scores have shape"),
        ({"treatments": ("a", "a")}, "treatment 'a' is named twice"),
        ({"truth": [0, 1, 2, 1]}, r"truth\[2\] is 2"),
        ({"scores": np.full((2, 2, 4), np.inf)}, "infinity"),
    ],
)
def test_a_study_that_breaks_its_form_is_refused(changes, words):
    fields = {"truth": [0, 1, 0, 1], "scores": np.zeros((2, 2, 4)), "treatments": NAMES, "readers": ("x", "y")}
    with pytest.raises(stats.StatisticsError, match=words):
        ReaderStudy(**fields | changes)


def test_questions_a_study_cannot_answer_are_refused():
    study = simulated(np.random.default_rng(0))
    with pytest.raises(stats.StatisticsError, match="reads of 0 and 1"):
        stats.obuchowski_rockette(study, "sensitivity")
    with pytest.raises(stats.StatisticsError, match="must be one of auc"):
        stats.gallas(study, "kappa")
    with pytest.raises(stats.StatisticsError, match="covariance 'bootstrap'"):
        stats.obuchowski_rockette(study, "auc", covariance="bootstrap")
    with pytest.raises(stats.StatisticsError, match="'ustat' or 'vstat'"):
        stats.gallas(study, "auc", estimator="mle")
    one = ReaderStudy(study.truth, study.scores[:1], NAMES[:1], study.readers)
    with pytest.raises(stats.StatisticsError, match="one treatment"):
        stats.obuchowski_rockette(one, "auc")
    few = ReaderStudy([1, 0, 0], np.zeros((2, 2, 3)), NAMES, ("x", "y"))
    with pytest.raises(stats.StatisticsError, match="1 positive and 2 negative"):
        stats.obuchowski_rockette(few, "auc")


def test_tests_keep_their_level_without_a_difference_and_find_a_planted_one():
    rng = np.random.default_rng(21)
    repeats, rejected, found, differences, variances = 400, np.zeros(2), np.zeros(2), [], []
    for _ in range(repeats):
        null, planted = (
            simulated(rng, readers=5, n_pos=25, n_neg=25),
            simulated(rng, readers=5, n_pos=25, n_neg=25, gain=0.9),
        )
        for study, count in ((null, rejected), (planted, found)):
            random = stats.obuchowski_rockette(study, "auc").random.differences[0]
            gallas = stats.gallas(study, "auc").differences[0]
            count += [random.p_two_sided < 0.05, gallas.p_value < 0.05]
            if study is null:
                differences.append(gallas.estimate)
                variances.append(gallas.variance)
    assert np.all(rejected / repeats < 0.08)
    assert np.all(rejected / repeats > 0.015)
    assert np.all(found / repeats > 0.65)
    # The U-statistic variance is unbiased: its mean is the variance that the estimates show.
    assert np.mean(variances) == pytest.approx(np.var(differences, ddof=1), rel=0.2)


def test_the_analysis_of_a_whole_study_takes_well_under_3_seconds():
    rng = np.random.default_rng(0)
    studies = [
        (simulated(rng, readers=9, n_pos=60, n_neg=60), simulated(rng, readers=9, n_pos=60, n_neg=60, binary=True))
        for _ in range(3)
    ]
    start = time.perf_counter()
    for ratings, reads in studies:
        for metric, study in (("auc", ratings), ("sensitivity", reads), ("specificity", reads)):
            stats.obuchowski_rockette(study, metric).records()
            stats.gallas(study, metric)
    assert time.perf_counter() - start < 3.0
