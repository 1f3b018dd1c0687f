"""The paper cohort holds the paper's Table 1; a plan never depends on how much of it is made."""

import numpy as np
import pytest

from mrnet_core.domain import InputError, Split, Task
from mrnet_core.phantom import KINDS, PATHOLOGIES, plan_cohort
from mrnet_core.phantom.cohort import (
    CATEGORIES,
    CATEGORY_LABELS,
    HARD_NEGATIVE_SHARE,
    PAPER_COUNTS,
    REPORT_RATES,
    joint_counts,
)

# Bien et al. 2018, Table 1: exams, patients, women, abnormal, ACL, meniscus, both (by report; validation: by report).
TABLE_1 = {
    Split.TRAIN: (1130, 1088, 480, 913, 208, 397, 125),
    Split.TUNING: (120, 111, 50, 95, 54, 52, 31),
    Split.VALIDATION: (120, 113, 39, 96, 57, 59, 38),
}
AGES = {Split.TRAIN: (38.3, 16.9), Split.TUNING: (36.3, 16.9), Split.VALIDATION: (37.1, 14.8)}
REFERENCE = (99, 58, 65, 40)
"""Validation by the reference standard."""


@pytest.fixture(scope="module")
def plan():
    return plan_cohort(None, paper=True, seed=11)


def of(plan, split):
    return [entry for entry in plan if entry.split is split]


def truth(entry):
    category = entry.pathology if entry.pathology in CATEGORY_LABELS else "other"
    return CATEGORY_LABELS[category]


def counts(labels):
    array = np.array(labels)
    return (*array.sum(axis=0).tolist(), int((array[:, 1] & array[:, 2]).sum()))


@pytest.mark.parametrize("split", list(Split))
def test_a_split_has_table_1s_exams_patients_women_and_reported_findings(plan, split):
    part = of(plan, split)
    reported = [[entry.report_labels[task] for task in Task] for entry in part]
    women = sum(entry.sex == "F" for entry in part)
    found = (len(part), len({entry.patient for entry in part}), women, *counts(reported))
    assert found == TABLE_1[split]


def test_the_validation_truth_is_table_1s_reference_standard(plan):
    assert counts([truth(entry) for entry in of(plan, Split.VALIDATION)]) == REFERENCE


@pytest.mark.parametrize("split", list(Split))
def test_ages_lie_near_table_1(plan, split):
    ages = np.array([entry.age for entry in of(plan, split)])
    mean, sd = AGES[split]
    assert abs(ages.mean() - mean) < 1
    assert abs(ages.std(ddof=1) - sd) < 1
    assert ages.min() >= 10


def test_no_patient_is_in_two_splits_and_a_patient_is_one_person(plan):
    seen = {}
    for entry in plan:
        split, sex, age = seen.setdefault(entry.patient, (entry.split, entry.sex, entry.age))
        assert (split, sex) == (entry.split, entry.sex)
        assert abs(age - entry.age) <= 2


@pytest.mark.parametrize("split", list(Split))
def test_every_kind_of_hard_negative_is_in_every_split(plan, split):
    assert set(HARD_NEGATIVE_SHARE) <= {entry.pathology for entry in of(plan, split)}


def test_the_training_part_of_a_small_cohort_holds_every_kind_of_hard_negative():
    for seed in range(20):
        small = plan_cohort(None, paper=True, small=True, seed=seed)
        assert set(HARD_NEGATIVE_SHARE) <= {entry.pathology for entry in of(small, Split.TRAIN)}


def test_every_planned_pathology_is_one_that_the_knee_can_show(plan):
    assert {entry.pathology for entry in plan} <= {*PATHOLOGIES, *KINDS}


@pytest.mark.parametrize("split", [Split.TRAIN, Split.TUNING])
def test_report_errors_follow_the_stated_rates(split):
    cells = joint_counts(split)
    expected = cells.sum(axis=1, keepdims=True) * REPORT_RATES
    assert cells.sum(axis=0).tolist() == list(PAPER_COUNTS[split])
    assert np.abs(cells - expected).max() < 2
    assert (cells[expected == 0] == 0).all()


def test_reports_err_in_the_plan_as_the_table_of_errors_says(plan):
    rows = {category: i for i, category in enumerate(CATEGORIES)}
    labels = {value: category for category, value in CATEGORY_LABELS.items()}
    found = np.zeros((5, 5), int)
    for entry in of(plan, Split.TRAIN):
        reported = labels[tuple(bool(entry.report_labels[task]) for task in Task)]
        found[rows[labels[truth(entry)]], rows[reported]] += 1
    assert (found == joint_counts(Split.TRAIN)).all()


def test_fewer_training_exams_leave_every_other_exam_as_it_was(plan):
    part = plan_cohort(300, paper=True, seed=11)
    assert len(part) == 540
    assert part[:300] == plan[:300]
    assert part[300:] == plan[1130:]


def test_the_beginning_of_the_training_set_has_nearly_its_shares(plan):
    first = plan[:200]
    for task, count in zip(Task, TABLE_1[Split.TRAIN][3:6], strict=True):
        share = np.mean([entry.report_labels[task] for entry in first])
        assert abs(share - count / 1130) < 0.03, task


def test_a_small_paper_cohort_is_the_first_tenth_of_each_split(plan):
    small = plan_cohort(None, paper=True, small=True, seed=11)
    assert [len(of(small, split)) for split in Split] == [113, 12, 12]
    assert all(entry == next(one for one in plan if one.k == entry.k) for entry in small)


def test_another_seed_plans_other_exams_and_the_same_seed_the_same(plan):
    assert plan_cohort(None, paper=True, seed=11) == plan
    assert plan_cohort(None, paper=True, seed=12) != plan


@pytest.mark.parametrize(("exams", "parts"), [(3, (1, 1, 1)), (10, (6, 2, 2)), (7, (5, 1, 1)), (100, (60, 20, 20))])
def test_a_plain_cohort_is_divided_60_20_20(exams, parts):
    plan = plan_cohort(exams)
    assert [entry.k for entry in plan] == list(range(exams))
    assert tuple(len(of(plan, split)) for split in Split) == parts
    assert len({entry.patient for entry in plan}) == exams


@pytest.mark.parametrize("exams", [None, 0, 2])
def test_a_plain_cohort_of_fewer_than_three_exams_is_refused(exams):
    with pytest.raises(InputError, match="at least 3 exams"):
        plan_cohort(exams)


def test_a_paper_cohort_without_training_exams_is_refused():
    with pytest.raises(InputError, match="at least 1 training exam"):
        plan_cohort(0, paper=True)
