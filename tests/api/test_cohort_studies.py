"""The reader study and the shortcut of a cohort on disk."""

import csv
import json

import pytest

from mrnet_core.api.cohort_studies import read_cases, shortcut, write_reader_study
from mrnet_core.domain import DatasetError, Split, Task
from mrnet_core.phantom.layout import EXAMS_CSV, write_lines, write_table
from mrnet_core.phantom.readers import READS_COLUMNS

TORN = {"type": "acl tear", "label": "acl", "channel": "acl tear", "severity": 0.5, "visible_pixels": {"axial": 100}}
WET = {"type": "effusion", "label": "", "channel": "other lesion", "severity": 0.5, "visible_pixels": None}


def row(exam, split, acl, abnormal):
    empty = dict.fromkeys(EXAMS_CSV, "")
    return empty | {"exam": exam, "split": split, "abnormal": abnormal, "acl": acl, "meniscus": "0"}


@pytest.fixture
def cohort(tmp_path):
    """Four kinds of exam in each split: torn and wet 3, torn 1, wet 1, neither 3 (two splits alike)."""
    kinds = [("1", "1", [TORN, WET])] * 3 + [("1", "1", [TORN])] + [("0", "1", [WET])] + [("0", "0", [])] * 3
    rows, records = [], []
    for split in (Split.TRAIN, Split.VALIDATION):
        for acl, abnormal, lesions in kinds:
            name = f"{len(rows):04d}"
            rows.append(row(name, split.value, acl, abnormal))
            records.append({"exam": name, "split": split.value, "lesions": lesions})
    write_table(rows, tmp_path / "exams.csv", EXAMS_CSV)
    write_lines(records, tmp_path / "lesions.jsonl")
    return tmp_path


def test_the_shortcuts_auc_is_the_one_counted_by_hand(cohort):
    found = {entry["task"]: entry for entry in shortcut(cohort)["tasks"]}
    # Torn against whole, 4 x 4 pairs: wet beats dry, equals tie. Wet torn (3): 3 dry wins, 1 tie; dry torn: 3 ties.
    assert found["acl"]["auc"] == pytest.approx((3 * 3.5 + 1.5) / 16)
    assert (found["acl"]["n_pos"], found["acl"]["n_neg"]) == (4, 4)


def test_a_task_without_both_classes_has_no_auc_but_a_reason(cohort):
    found = {entry["task"]: entry for entry in shortcut(cohort)["tasks"]}
    assert found["meniscus"]["auc"] is None
    assert "one class is absent" in found["meniscus"]["note"]
    json.dumps(shortcut(cohort), allow_nan=False)


def test_cases_are_the_validation_exams_with_what_could_be_seen(cohort):
    cases = read_cases(cohort)
    assert [case.exam for case in cases] == [f"{n:04d}" for n in range(8, 16)]
    assert cases[0].truth == {Task.ABNORMAL: True, Task.ACL: True, Task.MENISCUS: False}
    assert cases[0].conspicuity[Task.ACL] == pytest.approx(0.5)
    assert cases[-1].conspicuity == dict.fromkeys(Task, 0.0)


def test_the_reader_study_is_written_in_the_contracts_three_tables(cohort, tmp_path):
    probabilities = {(case.exam, task): 0.5 for case in read_cases(cohort) for task in Task}
    write_reader_study(cohort, probabilities, tmp_path / "readers", seed=3)
    tables = {}
    for name in ("reads", "reference", "model"):
        with (tmp_path / "readers" / f"{name}.csv").open(newline="") as file:
            tables[name] = list(csv.DictReader(file))
    assert tuple(tables["reads"][0]) == READS_COLUMNS
    assert len(tables["reads"]) == 9 * 8 * 3 * 2
    assert len(tables["reference"]) == len(tables["model"]) == 8 * 3


def test_the_cohorts_own_reference_is_kept(cohort, tmp_path):
    own = [
        {"exam": case.exam, "task": task.value, "majority": 1, "rater1": 1, "rater2": 1, "rater3": 0}
        for case in read_cases(cohort)
        for task in Task
    ]
    write_table(own, cohort / "reference.csv", tuple(own[0]))
    probabilities = {(case.exam, task): 0.5 for case in read_cases(cohort) for task in Task}
    write_reader_study(cohort, probabilities, tmp_path / "readers")
    assert (tmp_path / "readers" / "reference.csv").read_bytes() == (cohort / "reference.csv").read_bytes()


def test_a_folder_that_is_no_cohort_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"has no exams\.csv: name a finished cohort"):
        shortcut(tmp_path)


def test_an_exam_without_a_line_of_lesions_is_named(cohort):
    lines = (cohort / "lesions.jsonl").read_text().splitlines(keepends=True)
    (cohort / "lesions.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(DatasetError, match="exam 0015"):
        read_cases(cohort)
