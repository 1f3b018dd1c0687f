"""Tables a person hands in: every bad row is named, every tolerable spelling is read."""

from pathlib import Path

import numpy as np
import pytest

from mrnet_core.datasets.reads import read_labelled_scores, read_roles, read_study
from mrnet_core.datasets.tables import MAX_BYTES, TableFile, read_table
from mrnet_core.domain import DatasetError, InputError, Task

READS = "reader,role,exam,task,assisted,read\n"
REFERENCE = "exam,task,majority\nE1,acl,1\nE2,acl,0\n"
GOOD = (
    READS + "A,radiologist,E1,acl,0,1\nA,radiologist,E2,acl,0,0\nA,radiologist,E1,acl,1,1\nA,radiologist,E2,acl,1,0\n"
)


def table(text, name="reads.csv"):
    return TableFile(name, text.encode() if isinstance(text, str) else text)


def study(reads=GOOD, reference=REFERENCE, model=None):
    return read_study(
        table(reads), table(reference, "reference.csv"), None if model is None else table(model, "model.csv")
    )


def test_reads_are_spread_over_readers_tasks_conditions_and_exams():
    found = study()
    assert found.reads.shape == (1, 1, 2, 2)
    assert found.tasks == (Task.ACL,)
    np.testing.assert_array_equal(found.reads[0, 0], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(found.truth, [[1, 0]])
    assert found.confidence is None
    assert found.groups == ("",)


@pytest.mark.parametrize("cell", ["", "NA"])
def test_an_empty_read_is_a_missing_one_and_so_is_an_absent_row(cell):
    found = study(GOOD.replace("E2,acl,1,0", f"E2,acl,1,{cell}"))
    assert np.isnan(found.reads[0, 0, 1, 1])
    absent = study(GOOD.replace("A,radiologist,E2,acl,1,0\n", ""))
    np.testing.assert_array_equal(found.reads, absent.reads)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("E2,acl,1,0", "E2,acl,1,2"), r"line 5 \(row 4 of the data\): read must be 0, 1 or empty.*got '2'"),
        (
            ("E2,acl,0,0", "E2,acl,maybe,0"),
            r"line 3 .*assisted must be 0 \(unassisted\) or 1 \(assisted\); got 'maybe'",
        ),
        (("E2,acl,0,0", "E2,acl,,0"), r"line 3 .*assisted is empty"),
        (("E2,acl,0,0", "E9,acl,0,0"), r"line 3 .*exam 'E9' is not in the reference"),
        (("E2,acl,0,0", "E2,knee,0,0"), r"line 3 .*task must be one of abnormal, acl, meniscus; got 'knee'"),
        (("E2,acl,0,0", "E2,meniscus,0,0"), r"line 3 .*the reference standard has no task 'meniscus'"),
        (("E2,acl,0,0", "E1,acl,0,0"), r"line 3 .*stands already in line 2"),
        (
            ("A,radiologist,E2,acl,0,0", "A,surgeon,E2,acl,0,0"),
            r"line 3 .*role 'surgeon' here and 'radiologist' in line 2",
        ),
        (("A,radiologist,E2,acl,0,0", ",radiologist,E2,acl,0,0"), r"line 3 .*reader is empty"),
        (("E2,acl,0,0", "E2,acl,0,0,7"), r"line 3 .*7 cells where the header has 6"),
        (("role,", ""), r"lacks the column role"),
        (("reader,", "read,"), r"column read twice"),
    ],
)
def test_a_bad_row_of_reads_is_named(change, message):
    with pytest.raises(DatasetError, match=message):
        study(GOOD.replace(*change, 1))


def test_a_read_that_stands_twice_is_found_however_its_condition_is_written():
    with pytest.raises(DatasetError, match=r"line 6 .*assisted 1.* stands already in line 4"):
        study(GOOD + "A,radiologist,E1,acl,1.0,0\n")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("B,Radiologist,E1,acl,1,0\n", r"line 6 .*role 'Radiologist' is written 'radiologist' elsewhere"),
        ("a,radiologist,E1,acl,1,0\n", r"line 6 .*reader 'a' is written 'A' elsewhere"),
        ("B,All,E1,acl,1,0\n", r"line 6 .*role 'all' is what the tables call all readers together"),
    ],
)
def test_words_that_would_be_taken_for_others_are_refused(row, message):
    with pytest.raises(DatasetError, match=message):
        study(GOOD + row)


def test_confidence_is_that_the_finding_is_there_and_a_column_that_means_something_else_is_refused():
    def rows(confidences):
        lines = GOOD.splitlines()
        given = [f"{line},{confidence}" for line, confidence in zip(lines[1:], confidences, strict=True)]
        return "\n".join([f"{lines[0]},confidence", *given])

    assert study(rows((90, 10, 80, 20))).notes == ()
    assert study(rows((50, 50, "", 20))).notes == ()
    assert study(rows((90, 90, 80, 20))).notes == (
        "Of 4 reads 1 go against their confidence: confidence runs from 0 (the finding is surely absent) to 100 "
        "(surely present), whatever the answer.",
    )
    with pytest.raises(DatasetError, match=r"reads.csv: of 4 reads 3 go against .*; turn the column round"):
        study(rows((10, 90, 20, 20)))


def test_confidence_period_and_order_are_checked_too():
    optional = GOOD.replace("read\n", "read,confidence,period,order\n")
    lines = optional.splitlines()
    rows = [f"{line},80,{1 + i // 2},{i}" for i, line in enumerate(lines[1:])]
    good = "\n".join([lines[0], *rows])
    found = study(good)
    np.testing.assert_array_equal(found.period[0, 0], [[1, 1], [2, 2]])
    with pytest.raises(DatasetError, match=r"line 2 .*confidence must be a number from 0 to 100; got '180'"):
        study(good.replace(",80,1,0", ",180,1,0"))
    with pytest.raises(DatasetError, match=r"line 2 .*period must be 1 or 2; got '3'"):
        study(good.replace(",80,1,0", ",80,3,0"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("exam,task,rater1,rater2\nE1,acl,1,0\nE2,acl,0,0\n", r"line 2 .*tied"),
        ("exam,task,rater1,majority\nE1,acl,1,1\nE2,acl,0,1\n", r"line 3 .*not the raters' majority"),
        ("exam,task,rater1\nE1,acl,\nE2,acl,0\n", r"line 2 .*no rater answered"),
        ("exam,task,label\nE1,acl,1\n", r"needs a column majority, or rater1 to raterN"),
        ("exam,task,majority\nE1,acl,1\nE1,acl,1\n", r"line 3 .*stands already in line 2"),
    ],
)
def test_a_bad_reference_is_named(reference, message):
    with pytest.raises(DatasetError, match=message):
        study(reference=reference)


def test_the_raters_majority_is_taken_where_none_is_given():
    found = study(reference="exam,task,rater1,rater2,rater3\nE1,acl,1,0,1\nE2,acl,0,,0\n")
    np.testing.assert_array_equal(found.truth, [[1, 0]])
    assert found.raters.shape == (1, 2, 3)


def test_a_model_answers_every_exam_of_a_task_or_none():
    with pytest.raises(DatasetError, match="no probability for exam 'E2', task acl"):
        study(model="exam,task,probability\nE1,acl,0.5\n")
    with pytest.raises(DatasetError, match=r"line 2 .*from 0 to 1; got '1.5'"):
        study(model="exam,task,probability\nE1,acl,1.5\n")
    extra = study(model="exam,task,probability\nE1,acl,0.5\nE2,acl,0.1\nE7,acl,0.3\n")
    assert "1 probabilities of exams or tasks outside" in extra.notes[0]


def test_a_task_that_nobody_read_is_left_out_with_a_word():
    found = study(reference=REFERENCE + "E1,meniscus,1\nE2,meniscus,0\n")
    assert found.tasks == (Task.ACL,)
    assert "Nobody read meniscus" in found.notes[0]


def test_semicolons_tabs_marks_and_windows_line_ends_are_read():
    for text in (
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip(),
    ):
        np.testing.assert_array_equal(study(text).reads, study().reads)


def test_blank_lines_do_not_shift_the_line_that_is_named():
    with pytest.raises(DatasetError, match=r"line 4 \(row 2 of the data\)"):
        study(GOOD.replace("A,radiologist,E2,acl,0,0", "\nA,radiologist,E2,acl,0,5", 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (READS.encode(), "no data row"),
        (b"\xff\xfe\x00r", "no UTF-8 text"),
        (b"reader,role\0", "zero bytes"),
        (b"x" * (MAX_BYTES + 1), "a table may have 64 MB"),
    ],
)
def test_a_file_that_is_no_table_is_refused(data, message):
    with pytest.raises(DatasetError, match=message):
        read_table(table(data), ("reader",))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_table(Path(tmp_path / "none.csv"), ("reader",))


def test_roles_are_listed_in_order_of_appearance():
    more = GOOD + "B,surgeon,E1,acl,0,1\n"
    assert read_roles(table(more)) == ("radiologist", "surgeon")


SCORES = "exam,task,probability\nE1,acl,0.9\nE2,acl,0.2\nE3,acl,0.4\n"
LABELS = "exam,task,label\nE2,acl,0\nE1,acl,1\n"


def test_scores_are_laid_beside_the_labels_of_the_same_exams():
    found = read_labelled_scores(table(SCORES, "scores.csv"), table(LABELS, "labels.csv"))
    assert found.exams[Task.ACL] == ("E2", "E1")
    np.testing.assert_array_equal(found.y_score[Task.ACL], [0.2, 0.9])
    assert "1 scores of scores.csv have no label" in found.notes[0]


def test_a_label_without_a_score_is_refused_and_so_are_tables_without_a_common_task():
    with pytest.raises(DatasetError, match=r"scores.csv has no score for exam 'E4', task acl"):
        read_labelled_scores(table(SCORES, "scores.csv"), table(LABELS + "E4,acl,1\n", "labels.csv"))
    with pytest.raises(DatasetError, match="no task has both"):
        read_labelled_scores(table(SCORES, "scores.csv"), table("exam,task,label\nE1,meniscus,1\n", "labels.csv"))


def test_tables_with_a_column_a_task_are_read_as_score_and_a_cohort_write_them():
    scores = (
        "exam,abnormal,acl,planes_used,axial_acl,error\nE1,0.9,0.25,axial,0.2,\nE2,0.4,0.75,axial,0.1,\nE3,,,,,broken\n"
    )
    labels = "exam,patient,abnormal,acl,meniscus,report_acl\nE1,P1,1,0,0,1\nE2,P2,0,1,1,0\n"
    found = read_labelled_scores(table(scores, "scores.csv"), table(labels, "exams.csv"))
    assert found.exams == {Task.ABNORMAL: ("E1", "E2"), Task.ACL: ("E1", "E2")}
    np.testing.assert_array_equal(found.y_score[Task.ACL], [0.25, 0.75])
    np.testing.assert_array_equal(found.y_true[Task.ACL], [0, 1])
    assert found.notes == ("scores.csv has no scores for meniscus: left out.",)


def test_a_bad_cell_of_a_column_a_task_is_named_by_its_row_and_an_empty_table_is_refused():
    labels = table("exam,acl\nE1,1\nE2,0\n", "labels.csv")
    with pytest.raises(DatasetError, match=r"s.csv, line 3 \(row 2 of the data\): probability must be a number"):
        read_labelled_scores(table("exam,abnormal,acl\nE1,0.5,0.5\nE2,0.5,much\n", "s.csv"), labels)
    with pytest.raises(DatasetError, match=r"s\.csv has columns acl and no value in them"):
        read_labelled_scores(table("exam,acl\nE1,\nE2,NA\n", "s.csv"), labels)
    with pytest.raises(DatasetError, match=r"line 3 .*exam E1, task acl stands already in line 2"):
        read_labelled_scores(table("exam,acl,meniscus\nE1,0.5,0.5\nE1,0.5,0.5\n", "s.csv"), labels)
