"""Simulated readers: the reference is the truth, experts miss the subtle and heed the model."""

import numpy as np
import pytest

from mrnet_core.domain import InputError, Split, Task
from mrnet_core.phantom import plan_cohort
from mrnet_core.phantom.cohort import CATEGORY_LABELS
from mrnet_core.phantom.readers import (
    MODEL_COLUMNS,
    PAPER_KAPPA,
    READS_COLUMNS,
    REFERENCE_COLUMNS,
    ReaderCase,
    case_of,
    conger_kappa,
    simulate_reader_study,
    simulate_reference,
)


def make_cases(seed=0, subtle=None):
    """The paper's 120 validation exams; conspicuity drawn, or the same for all."""
    generator = np.random.default_rng(seed)
    cases = []
    for entry in plan_cohort(1, paper=True, seed=5):
        if entry.split is not Split.VALIDATION:
            continue
        category = entry.pathology if entry.pathology in CATEGORY_LABELS else "other"
        truth = dict(zip(Task, CATEGORY_LABELS[category], strict=True))
        seen = {task: float(truth[task]) * (float(generator.random()) if subtle is None else subtle) for task in Task}
        mimicry = dict.fromkeys(Task, 0.0)
        if category != entry.pathology:
            mimicry[Task.ACL if "acl" in entry.pathology or "mucoid" in entry.pathology else Task.MENISCUS] = 0.6
        cases.append(ReaderCase(f"{entry.k:04d}", truth, seen, mimicry))
    return cases


def fair_model(cases):
    """Right on every case, and sure of it; wrong on none."""
    return {(case.exam, task): 0.95 if case.truth[task] else 0.05 for case in cases for task in Task}


@pytest.fixture(scope="module")
def cases():
    return make_cases()


@pytest.fixture(scope="module")
def study(cases):
    return simulate_reader_study(cases, fair_model(cases), 7)


def accuracy(reads, cases, task, assisted, wanted=None):
    truth = {case.exam: case.truth[task] for case in cases}
    part = [row for row in reads if row["task"] == task.value and row["assisted"] == assisted]
    right = [row["read"] == truth[row["exam"]] for row in part if wanted is None or truth[row["exam"]] == wanted]
    return float(np.mean(right))


def test_every_expert_reads_every_exam_and_task_twice(study, cases):
    assert len(study.reads) == 9 * 120 * 3 * 2
    assert len({(row["reader"], row["exam"], row["task"], row["assisted"]) for row in study.reads}) == len(study.reads)
    assert all(tuple(row) == READS_COLUMNS for row in study.reads)
    assert all(tuple(row) == REFERENCE_COLUMNS for row in study.reference)
    assert all(tuple(row) == MODEL_COLUMNS for row in study.model)


def test_seven_radiologists_and_two_surgeons_cross_over_as_in_the_paper(study):
    readers = {(row["reader"], row["role"], row["group"]) for row in study.reads}
    assert sorted((role, group) for _, role, group in readers) == (
        [("radiologist", 1)] * 4 + [("radiologist", 2)] * 3 + [("surgeon", 1)] * 2
    )
    for row in study.reads:
        unassisted_first = row["group"] == 1
        assert (row["period"] == 1) == (unassisted_first == (row["assisted"] == 0))


def test_each_reading_goes_through_the_exams_in_an_order_of_its_own(study):
    orders = {}
    for row in study.reads:
        orders.setdefault((row["reader"], row["period"]), {})[row["exam"]] = row["order"]
    for order in orders.values():
        assert sorted(order.values()) == list(range(1, 121))
    assert len({tuple(sorted(order.items())) for order in orders.values()}) == 18


def test_confidence_lies_above_50_exactly_where_the_read_is_positive(study):
    assert all((row["confidence"] > 50) == (row["read"] == 1) and 0 <= row["confidence"] <= 100 for row in study.reads)


def test_a_torn_read_is_never_a_normal_one(study):
    reads = {(row["reader"], row["assisted"], row["exam"], row["task"]): row["read"] for row in study.reads}
    for (reader, assisted, exam, task), read in reads.items():
        if task != "abnormal" and read:
            assert reads[reader, assisted, exam, "abnormal"] == 1


def test_subtle_lesions_are_missed_more_often_than_plain_ones():
    for task in (Task.ACL, Task.MENISCUS):
        seen = {}
        for conspicuity in (0.0, 1.0):
            cases = make_cases(subtle=conspicuity)
            reads = simulate_reader_study(cases, fair_model(cases), 7).reads
            seen[conspicuity] = accuracy(reads, cases, task, 0, wanted=True)
        assert seen[1.0] > seen[0.0] + 0.1, task


def test_a_good_model_helps_and_a_contrary_one_harms(cases, study):
    contrary = {key: 1 - value for key, value in fair_model(cases).items()}
    misled = simulate_reader_study(cases, contrary, 7).reads
    for task in Task:
        alone = accuracy(study.reads, cases, task, 0)
        assert accuracy(study.reads, cases, task, 1) > alone > accuracy(misled, cases, task, 1)
        assert accuracy(misled, cases, task, 0) == alone


def test_experts_are_neither_blind_nor_perfect(study, cases):
    for task in Task:
        assert 0.7 < accuracy(study.reads, cases, task, 0) < 0.97, task


def test_the_same_seed_reads_the_same_and_another_seed_differently(study, cases):
    assert simulate_reader_study(cases, fair_model(cases), 7) == study
    assert simulate_reader_study(cases, fair_model(cases), 8).reads != study.reads


def test_a_reader_sees_an_exam_alike_in_any_order_of_the_cohort(study, cases):
    backwards = simulate_reader_study(cases[::-1], fair_model(cases), 7)
    fixed = {(r["reader"], r["exam"], r["task"], r["assisted"]): r["confidence"] for r in study.reads}
    assert all(fixed[r["reader"], r["exam"], r["task"], r["assisted"]] == r["confidence"] for r in backwards.reads)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_specialists_majority_is_the_truth_and_their_kappas_are_near_the_papers(cases, seed):
    rows = simulate_reference(cases, seed)
    for task in Task:
        part = [row for row in rows if row["task"] == task.value]
        assert [bool(row["majority"]) for row in part] == [case.truth[task] for case in cases]
        votes = np.array([[row["rater1"], row["rater2"], row["rater3"]] for row in part])
        assert ((votes.sum(axis=1) >= 2) == np.array([row["majority"] for row in part], bool)).all()
        assert abs(conger_kappa(votes) - PAPER_KAPPA[task]) < 0.03, task


def test_no_specialist_calls_a_tear_in_a_normal_exam(cases):
    rows = {(row["exam"], row["task"]): row for row in simulate_reference(cases, 3)}
    for case in cases:
        for rater in ("rater1", "rater2", "rater3"):
            torn = rows[case.exam, "acl"][rater] or rows[case.exam, "meniscus"][rater]
            assert not torn or rows[case.exam, "abnormal"][rater]


def test_congers_kappa_agrees_with_a_case_worked_by_hand():
    # Two raters, 10 cases: both 1 on 4, both 0 on 3, apart on 3 (rater 1 alone on 2): Cohen's kappa,
    # (0.7 - (0.6 * 0.5 + 0.4 * 0.5)) / (1 - 0.5) = 0.4.
    votes = np.array([[1, 1]] * 4 + [[0, 0]] * 3 + [[1, 0]] * 2 + [[0, 1]])
    assert conger_kappa(votes) == pytest.approx(0.4)
    assert np.isnan(conger_kappa(np.ones((5, 3), int)))


def test_an_exams_conspicuity_is_its_plainest_lesion_and_a_mimic_counts_only_where_intact():
    record = {
        "lesions": [
            {"label": "acl", "channel": "acl tear", "severity": 0.2, "visible_pixels": {"sagittal": 1000, "axial": 0}},
            {"label": "acl", "channel": "acl tear", "severity": 0.5, "visible_pixels": {"sagittal": 3, "axial": 0}},
            {"label": "", "channel": "hard negative acl", "severity": 0.9, "visible_pixels": None},
            {"label": "", "channel": "hard negative meniscus", "severity": 0.4, "visible_pixels": None},
        ]
    }
    case = case_of({"exam": "0001", "abnormal": "1", "acl": "1", "meniscus": "0"}, record)
    assert case.conspicuity == pytest.approx({Task.ABNORMAL: 0.9, Task.ACL: 0.6, Task.MENISCUS: 0.0})
    assert case.mimicry == pytest.approx({Task.ABNORMAL: 0.0, Task.ACL: 0.0, Task.MENISCUS: 0.4})


def test_a_missing_probability_or_an_exam_twice_is_refused(cases):
    with pytest.raises(InputError, match=r"probability of acl must be 0 to 1; got None"):
        simulate_reader_study(cases, {k: v for k, v in fair_model(cases).items() if k[1] is not Task.ACL}, 0)
    with pytest.raises(InputError, match="is there twice"):
        simulate_reader_study([cases[0], cases[0]], fair_model(cases), 0)
    with pytest.raises(InputError, match="there are none"):
        simulate_reader_study([], {}, 0)


def test_a_conspicuity_beyond_one_is_refused():
    with pytest.raises(InputError, match="conspicuity of acl must be 0 to 1"):
        ReaderCase("0001", dict.fromkeys(Task, True), dict.fromkeys(Task, 0.0) | {Task.ACL: 1.5}, {})
