"""The published numbers from the paper's counts, held against the print and against R's reconstruction of it."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mrnet_core import paper
from mrnet_core.datasets.published import Counts, read_published
from mrnet_core.domain import ArtifactError, Metric, Task
from mrnet_core.evaluation.counts import counts_of_published
from mrnet_core.evaluation.printed import printed_numbers
from mrnet_core.evaluation.published import prints_as, recompute
from mrnet_core.evaluation.tables import differences
from mrnet_core.evaluation.validation import operating_view, validate_published
from mrnet_core.store import PUBLISHED

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "expected"
TASK_WORDS = {"abnormality": "abnormal", "acl": "acl", "meniscus": "meniscus"}


@pytest.fixture(scope="module")
def counts():
    return read_published(PUBLISHED)


@pytest.fixture(scope="module")
def evidence(counts):
    return recompute(counts)


def records(evidence, pattern):
    return [record for record in evidence.records if re.fullmatch(pattern, record.id)]


def test_every_record_is_equal_unless_a_contradiction_says_why_not(evidence):
    for record in evidence.records:
        if record.status == "differs":
            assert re.match(r"C[1-8]: ", record.note), record
        elif record.status == "equal":
            assert record.recomputed is not None
            assert record.note == ""
        else:
            assert record.recomputed is None
            assert record.note


def test_only_the_known_records_differ(evidence):
    differing = {record.id for record in evidence.records if record.status == "differs"}
    row = {f"table2.meniscus.{metric}.radiologists{end}" for metric in Metric for end in ("", ".lower", ".upper")}
    intervals = {f"discussion.auc.{task}.upper" for task in Task}
    claims = {"discussion.npv.abnormal", "discussion.rule-out.acl", "methods.both.percent", "table1.meniscus.reference"}
    assert differing == row | intervals | claims


def test_all_19_printed_q_values_and_all_27_of_tables_2_and_3_p_values_come_out(evidence):
    q_values = records(evidence, r"(table2|table3|s4)\..*\.q")
    assert len(q_values) == 19
    assert {record.status for record in q_values} == {"equal"}
    p_values = records(evidence, r"(table2|table3|s4)\..*\.p")
    assert len(p_values) == 19
    assert {record.status for record in p_values} == {"equal"}


def test_the_record_of_the_contract_has_its_numbers(evidence):
    (record,) = records(evidence, r"table2\.acl\.sensitivity\.p")
    assert (record.where, record.printed, record.status) == ("Table 2", "0.002", "equal")
    assert record.recomputed == pytest.approx(0.0018399113518255182, rel=1e-8)


def test_table_2_is_rs_reconstruction_of_it(evidence):
    expected = pd.read_csv(REFERENCE / "paper_table2_reconstruction.csv")
    expected["task"] = expected["task"].map(TASK_WORDS)
    both = expected.merge(evidence.table2, on=["task", "metric"], suffixes=("_r", ""))
    assert len(both) == 9
    np.testing.assert_array_equal(both["model_x"], both["model_x_r"])
    np.testing.assert_array_equal(both["rad_x"], both["rad_tested_x"])
    np.testing.assert_allclose(both["rad_lower"], both["rad_tested_wlo"], atol=1e-10)
    np.testing.assert_allclose(both["p_yates"], both["p_tested_yates"], rtol=1e-8)


def test_table_3_has_the_sums_that_r_found_to_reproduce_the_print(evidence, counts):
    """The sum of the readers' count differences and of their squares, for the rows without a missing read."""
    expected = pd.read_csv(REFERENCE / "paper_table3_integer_solutions.csv")
    expected = expected[expected["p_and_q_ok"]]
    table = counts_of_published(counts).pivot_table(index=["task", "metric", "reader"], columns="assisted", values="x")
    change = table[1] - table[0]
    checked = 0
    for (task, metric), rows in expected.groupby(["task", "metric"]):
        if (task, metric) == ("meniscus", "sensitivity"):
            continue
        own = change.loc[TASK_WORDS[task], metric]
        assert (own.sum(), (own**2).sum()) in set(zip(rows["S1"], rows["S2"], strict=True)), (task, metric)
        checked += 1
    assert checked >= 7


def test_unprinted_p_values_lie_in_the_bounds_that_the_printed_q_values_leave(evidence):
    bounds = pd.read_csv(REFERENCE / "paper_unseen_p_bounds.csv")
    ordered = np.sort(evidence.family["p"])
    for row in bounds.itertuples():
        assert row.analytic_lower - 1e-9 <= ordered[row.rank - 1] <= row.analytic_upper + 1e-9, row


def test_the_family_is_table_2_then_table_3_then_s4(evidence):
    assert list(evidence.family.columns) == ["task", "metric", "test", "p", "q"]
    assert list(evidence.family["test"]) == ["table2"] * 9 + ["table3"] * 9 + ["s4"] * 9
    m, p = 27, evidence.family["p"].to_numpy()
    ranked = np.argsort(p)
    by_hand = np.minimum.accumulate((p[ranked] * m / np.arange(1, m + 1))[::-1])[::-1]
    np.testing.assert_allclose(evidence.family["q"].to_numpy()[ranked], np.minimum(by_hand, 1), atol=1e-12)


def test_the_missing_read_needs_both_of_the_papers_choices(counts):
    """C2: 61 for sensitivity and 120 for accuracy reproduce Table 3; 62 or 119 do not."""
    table = counts_of_published(counts)
    missing = (table["task"] == "meniscus") & (table["assisted"] == 1) & (table["n"] != table["n_reads_expected"])
    (reader,) = table[missing]["reader"]
    for metric, other, printed in (("sensitivity", 62, paper.TABLE3), ("accuracy", 119, paper.TABLE3)):
        row = printed[(Task.MENISCUS, Metric(metric))]
        for changed in (False, True):
            trial = table.copy()
            cell = (trial["task"] == "meniscus") & (trial["reader"] == reader) & (trial["assisted"] == 1)
            if changed:
                trial.loc[cell & (trial["metric"] == metric), "n"] = other
            found = differences(trial).set_index(["task", "metric"]).loc[("meniscus", metric)]
            agrees = prints_as(found["mean_difference"], row[0]) and prints_as(found["p_one_tailed"], row[3])
            assert agrees is not changed


def test_the_printed_meniscus_row_is_the_assisted_one(evidence):
    rows = evidence.averages.query("readers == 'radiologist' and task == 'meniscus' and assisted == 1").set_index(
        "metric"
    )
    for metric in Metric:
        row = rows.loc[metric.value]
        for value, printed in zip(
            (row["micro"], row["micro_lower"], row["micro_upper"]),
            paper.TABLE2[(Task.MENISCUS, metric)][3:6],
            strict=True,
        ):
            assert prints_as(value, printed)


def test_the_eight_contradictions_come_with_evidence(evidence):
    assert [entry.id for entry in evidence.contradictions] == [f"C{i}" for i in range(1, 9)]
    words = {entry.id: entry.evidence for entry in evidence.contradictions}
    for id_, fragment in {
        "C1": "362/406 = 0.892",
        "C2": "47 of 61",
        "C3": "62 exams with a tear and 58",
        "C4": "0.980",
        "C5": "PD-weighted",
        "C6": "14.2%",
        "C7": "0.556",
        "C8": "0.25",
    }.items():
        assert fragment in words[id_], id_


def test_the_printed_half_point_lies_on_every_curve(evidence):
    validation = validate_published(evidence)
    for task, entry in validation.tasks.items():
        view = operating_view(validation, task, entry.marked)
        own = evidence.counts.model[task]
        assert (view.point.matrix.tp, view.point.matrix.fp) == (own.tp, own.fp)
        assert view.threshold is None
        assert len(entry.points) == own.p + own.n + 1


def test_record_ids_are_unique_and_kappas_are_not_recomputable(evidence):
    ids = [entry.id for entry in printed_numbers()]
    assert len(ids) == len(set(ids))
    kappas = records(evidence, r"results\.kappa\..*")
    assert len(kappas) == 9
    assert {record.status for record in kappas} == {"not recomputable"}


@pytest.mark.parametrize(
    ("value", "printed", "agrees"),
    [
        (0.00184, "0.002", True),
        (0.0025001, "0.002", False),
        (-0.0041, "−0.004", True),
        (0.0041, "−0.004", False),
        (0.0009, "<0.001", True),
        (0.0011, "<0.001", False),
        (38.16, "38.2%", True),
        (1104, "1,104", True),
        (0.8825, "0.882", True),
        (0.8825, "0.883", True),
    ],
)
def test_printed_digits_are_compared_digit_for_digit(value, printed, agrees):
    assert prints_as(value, printed) is agrees


def test_words_are_no_printed_number():
    with pytest.raises(ValueError, match="no printed number"):
        prints_as(0.5, "high")


def test_a_damaged_count_is_refused(tmp_path):
    for file in PUBLISHED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / "reader_counts.csv").read_text().replace("abnormal,rad,97", "abnormal,rad,98")
    (tmp_path / "reader_counts.csv").write_text(text)
    with pytest.raises(ArtifactError, match="damaged"):
        read_published(tmp_path)
    (tmp_path / "reader_counts.csv").unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_published(tmp_path)


def test_counts_beyond_their_denominators_are_refused():
    with pytest.raises(ArtifactError, match="within their denominators"):
        Counts(tp=5, p=4, fp=0, n=3)
