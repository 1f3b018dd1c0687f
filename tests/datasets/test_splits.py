import re
from dataclasses import replace

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
    with pytest.raises(
        DatasetError, match=f"{positives} exams are positive for acl: 50 in the tuning .* need 102; .* 29"
    ):
        split_exams(table)
    assert split_exams(table, SplitRules(at_least=29)).nunique() == 3


def test_patients_that_hold_too_many_positives_are_an_error_not_a_leak():
    table = exams(n=300)
    table.loc[table["acl"] == 1, "patient"] = "the one"
    with pytest.raises(DatasetError, match=r"patients with several exams \(up to \d+\) .* no smaller number works"):
        split_exams(table, SplitRules(at_least=5))


def test_patients_that_allow_fewer_positives_only_are_refused_with_the_number_that_works():
    table = exams(n=300, per_patient=1)
    torn = table.index[table["acl"] == 1]
    table.loc[torn, "patient"] = [f"one of three {place % 3}" for place in range(len(torn))]
    each = len(torn) // 3
    with pytest.raises(
        DatasetError, match=rf"stay in one set.* the largest number that works is {each}: give --at-least"
    ):
        split_exams(table, SplitRules(at_least=each + 3))
    assert split_table(split_exams(table, SplitRules(at_least=each)), table)["acl"].min() >= each


def test_too_few_negatives_are_refused_as_too_few_positives_are():
    table = exams(n=300).assign(abnormal=1)
    table.loc[:2, TASKS] = 0
    with pytest.raises(DatasetError, match=r"3 exams are negative for abnormal: .* need 4; no smaller number works"):
        split_exams(table, SplitRules(at_least=5))


@pytest.mark.parametrize("seed", range(5))
def test_sets_that_grow_for_their_positives_bring_negatives_along(seed):
    table = exams(n=150, seed=seed)
    counts = split_table(split_exams(table, SplitRules((0.8, 0.1, 0.1), at_least=10, seed=seed)), table)
    assert (counts.loc[["tuning", "validation"], TASKS] >= 10).all().all()
    assert (counts.loc[["tuning", "validation"], "exams"] > 30).all()  # beyond their share of 15
    rates = counts[TASKS].div(counts["exams"], axis=0)
    assert (rates.loc[["tuning", "validation"]] - table[TASKS].mean()).abs().max().max() < 0.05


def test_whatever_the_table_every_set_has_both_labels_and_its_positives_or_the_error_says_what_works():
    made = refused = 0
    for seed in range(150):
        generator = np.random.default_rng(seed)
        n = int(generator.integers(12, 200))
        table = exams(n, seed, per_patient=float(generator.choice([1, 1.3, 4])))
        rules = SplitRules(tuple(generator.uniform(0.05, 1, 3)), int(generator.integers(1, 12)), seed)
        try:
            splits = split_exams(table, rules)
        except DatasetError as error:
            refused += 1
            works = re.search(r"--at-least (\d+)", str(error))
            if works is None:
                continue
            assert int(works[1]) < rules.at_least
            splits = split_exams(table, replace(rules, at_least=int(works[1])))
            rules = replace(rules, at_least=int(works[1]))
        made += 1
        counts = split_table(splits, table)
        assert (counts.loc[["tuning", "validation"], TASKS] >= rules.at_least).all().all(), seed
        assert (counts[TASKS] > 0).all().all(), seed
        assert counts[TASKS].lt(counts["exams"], axis=0).all().all(), seed
        assert counts["exams"].sum() == n
        assert (table.assign(split=splits.to_numpy()).groupby("patient")["split"].nunique() == 1).all(), seed
    assert made > 100
    assert refused > 20


def test_an_exam_named_twice_is_refused():
    table = exams(n=300)
    table.loc[1, "exam"] = "E0000"
    with pytest.raises(DatasetError, match="exam E0000 stands in the table twice"):
        split_exams(table, SplitRules(at_least=5))


@pytest.mark.parametrize("share", [0.0, -1.0, float("nan"), float("inf"), 1e308])
def test_shares_out_of_range_are_refused_wherever_they_stand(share):
    for place in range(3):
        shares = tuple(share if place == index else 0.5 for index in range(3))
        with pytest.raises(
            InputError, match=r"three numbers above 0, up to 1,000,000 \(training, .* for example 60:20"
        ):
            SplitRules(shares=shares)


@pytest.mark.parametrize("shares", [(), (0.6, 0.4), (0.4, 0.2, 0.2, 0.2), (0.0, 0.0, 0.0)])
def test_shares_that_are_not_three_or_all_zero_are_refused(shares):
    with pytest.raises(InputError, match="shares are three numbers above 0"):
        SplitRules(shares=shares)


def test_positives_and_seeds_out_of_range_are_refused():
    for number in (0, -3, 10**30):
        with pytest.raises(InputError, match=f"at least 1 positive of each label is needed, .*; got {number}"):
            SplitRules(at_least=number)
    with pytest.raises(InputError, match="a seed is a whole number from 0; got -1"):
        SplitRules(seed=-1)


def read(tmp_path, text):
    path = tmp_path / "exams.csv"
    path.write_text(text, encoding="utf-8")
    return read_exam_table(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exam,acl\nE1,1\nE2,maybe\n", r"exams\.csv, line 3 \(row 2 of the data\): acl must be 0 or 1; got 'maybe'"),
        ("exam,acl\nE1,1\nE2,\n", r"line 3 .*: acl is empty; it must be 0 or 1"),
        ("exam,acl\nE1,1\n,0\n", r"line 3 .*: exam is empty"),
        ("exam,acl\nE1,1\n E1 ,0\n", r"line 3 .*: exam E1 stands already in line 2; keep one of the two rows"),
        ("exam,acl\nE1,1\nE2\n", r"line 3 .*: 1 cells where the header has 2"),
        ("name,acl\nE1,1\n", "lacks the column exam"),
        ("exam,patient\nE1,P1\n", "needs at least one column of abnormal, acl, meniscus; its header is exam, patient"),
    ],
)
def test_a_table_that_breaks_its_form_is_refused_by_row(tmp_path, text, words):
    with pytest.raises(DatasetError, match=words):
        read(tmp_path, text)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file"):
        read_exam_table(tmp_path / "none.csv")


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_white_space_the_headers_case_and_what_parts_the_cells_count_for_nothing(tmp_path, comma):
    rows = ("\ufeffExam, PATIENT ,Acl", "E1,P000 , 1", " E2,P000\u00a0,0.0", "", "E3,  P1,1.0", "E4, ,0", "E5,NA,0")
    table = read(tmp_path, "\n".join(rows).replace(",", comma))
    assert table["exam"].tolist() == ["E1", "E2", "E3", "E4", "E5"]
    assert table["patient"].tolist() == ["P000", "P000", "P1", "", ""]
    assert table["acl"].tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("abnormal,acl,meniscus", "0,1,0", "abnormal 0, acl 1, meniscus 0"),
        ("meniscus,abnormal", "1,0", "abnormal 0, meniscus 1"),
    ],
)
def test_a_tear_in_an_exam_labelled_normal_is_refused_by_row(tmp_path, header, row, said):
    fine = ",".join("1" for _ in header.split(","))
    words = rf"exams\.csv, line 3 \(row 2 of the data\): a tear in an exam labelled normal: E2 \({said}\); correct its"
    with pytest.raises(DatasetError, match=words):
        read(tmp_path, f"exam,{header}\nE1,{fine}\nE2,{row}\n")
    assert len(read(tmp_path, f"exam,{header}\nE1,{fine}\nE2,{row.replace('1', '0')}\n")) == 2


def test_the_inner_split_takes_its_share_of_every_combination_of_labels():
    labels = exams(n=800)[TASKS].to_numpy()
    chosen = inner_split(labels, 0.15)
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)
    assert np.abs(labels[chosen].mean(axis=0) - labels.mean(axis=0)).max() < 0.02
    assert np.array_equal(chosen, inner_split(labels, 0.15))


def test_the_inner_split_keeps_groups_together_and_its_share():
    table = exams(n=800, per_patient=2)
    labels, patients = table[TASKS].to_numpy(), np.unique(table["patient"], return_inverse=True)[1]
    chosen = inner_split(labels, 0.15, groups=patients)
    sets = [set(patients[part]) for part in (chosen, ~chosen)]
    assert not sets[0] & sets[1]
    assert chosen.mean() == pytest.approx(0.15, abs=0.03)
    alone = inner_split(labels, 0.15)
    assert set(patients[alone]) & set(patients[~alone])
    assert np.array_equal(inner_split(labels, 0.15, groups=np.arange(800)), alone)


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
