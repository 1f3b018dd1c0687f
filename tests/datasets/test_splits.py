import numpy as np
import pandas as pd
import pytest

from mrnet_core.datasets.splits import SplitRules, inner_split, read_exam_table, split_exams, split_table
from mrnet_core.domain import DatasetError, InputError, Split

TASKS = ["abnormal", "acl", "meniscus"]


def exams(n=600, seed=0, per_patient=1.2):
    generator = np.random.default_rng(seed)
    patients = generator.integers(0, int(n / per_patient), n)
    acl, meniscus = generator.random(n) < 0.2, generator.random(n) < 0.35
    abnormal = acl | meniscus | (generator.random(n) < 0.4)
    table = pd.DataFrame({"exam": [f"E{index:04d}" for index in range(n)], "patient": [f"P{p}" for p in patients]})
    return table.assign(abnormal=abnormal.astype(int), acl=acl.astype(int), meniscus=meniscus.astype(int))


def test_no_patient_is_in_two_sets_and_shares_are_kept():
    table = exams()
    splits = split_exams(table, SplitRules(at_least=15))
    sets = table.assign(split=splits.to_numpy()).groupby("patient")["split"].nunique()
    assert (sets == 1).all()
    counts = splits.value_counts()
    assert counts[Split.TUNING] == pytest.approx(120, abs=3)
    assert counts[Split.VALIDATION] == pytest.approx(120, abs=3)
    assert set(splits.index) == set(table["exam"])


def test_each_set_has_the_whole_tables_share_of_every_label():
    table = exams()
    splits = split_exams(table, SplitRules(at_least=15))
    whole = table[TASKS].mean()
    for split in Split:
        part = table[(splits == split).to_numpy()][TASKS].mean()
        assert (part - whole).abs().max() < 0.04, split


def test_tuning_and_validation_reach_the_positives_asked_for_even_beyond_their_prevalence():
    table = exams(n=600, seed=3)
    splits = split_exams(table, SplitRules(shares=(0.8, 0.1, 0.1), at_least=30))
    counts = split_table(splits, table)
    assert (counts.loc[["tuning", "validation"], TASKS] >= 30).all().all()
    assert counts.loc["train", "acl"] > 0


def test_the_same_seed_gives_the_same_split_and_another_another():
    table = exams()
    first, again = (split_exams(table, SplitRules(at_least=15, seed=4)) for _ in range(2))
    other = split_exams(table, SplitRules(at_least=15, seed=5))
    assert first.equals(again)
    assert not first.equals(other)


def test_exams_without_a_patient_are_patients_of_their_own():
    table = exams(n=300)
    table.loc[:, "patient"] = ""
    assert split_exams(table, SplitRules(at_least=10)).nunique() == 3


def test_too_few_positives_are_refused_with_the_count_and_the_need():
    table = exams(n=300)
    positives = int(table["acl"].sum())
    with pytest.raises(DatasetError, match=f"{positives} exams are positive for acl: 50 in the tuning .* need 101"):
        split_exams(table)


def test_patients_that_hold_too_many_positives_are_an_error_not_a_leak():
    table = exams(n=300)
    table.loc[table["acl"] == 1, "patient"] = "the one"
    with pytest.raises(DatasetError, match="patients with several exams leave too few positives of acl"):
        split_exams(table, SplitRules(at_least=5))


def test_an_exam_named_twice_is_refused():
    table = exams(n=300)
    table.loc[1, "exam"] = "E0000"
    with pytest.raises(DatasetError, match="exam E0000 stands in the table twice"):
        split_exams(table, SplitRules(at_least=5))


def test_rules_out_of_range_are_refused():
    with pytest.raises(InputError, match="three numbers above 0"):
        SplitRules(shares=(1.0, 0.0, 0.0))
    with pytest.raises(InputError, match="at least 1 positive"):
        SplitRules(at_least=0)


def test_a_table_with_a_label_that_is_none_is_refused_by_row(tmp_path):
    path = tmp_path / "exams.csv"
    path.write_text("exam,acl\nE1,1\nE2,maybe\n")
    with pytest.raises(DatasetError, match="row 3: acl is 'maybe'"):
        read_exam_table(path)
    path.write_text("name,acl\nE1,1\n")
    with pytest.raises(DatasetError, match="needs the column exam"):
        read_exam_table(path)


def test_the_inner_split_takes_its_share_of_every_combination_of_labels():
    labels = exams(n=800)[TASKS].to_numpy()
    chosen = inner_split(labels, 0.15)
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)
    assert np.abs(labels[chosen].mean(axis=0) - labels.mean(axis=0)).max() < 0.02
    assert np.array_equal(chosen, inner_split(labels, 0.15))


def test_an_inner_split_of_too_few_exams_is_refused():
    labels = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]])
    with pytest.raises(DatasetError, match="4 training exams are too few"):
        inner_split(labels, 0.15)


def test_an_inner_split_by_all_known_labels_is_the_same_for_every_choice_of_tasks():
    known = exams(n=800)[TASKS].to_numpy()
    whole = inner_split(known, 0.15)
    for chosen in ([1], [0, 2], [2, 1, 0]):
        assert np.array_equal(inner_split(known[:, chosen], 0.15, strata=known), whole)
        assert chosen == [2, 1, 0] or not np.array_equal(inner_split(known[:, chosen], 0.15), whole)


def test_a_known_label_that_is_not_trained_need_not_be_in_both_parts():
    known = np.column_stack([np.arange(80) % 2, np.ones(80, int)])
    assert inner_split(known[:, :1], 0.25, strata=known).sum() == 20
    with pytest.raises(DatasetError, match="both parts need positives and negatives"):
        inner_split(known, 0.25)
