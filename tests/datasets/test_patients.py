"""Patients of a data folder: read from exams.csv, kept in one set, and what is said where they are not known."""

import numpy as np
import pytest

from mrnet_core.datasets.patients import (
    NO_PATIENTS,
    UNKNOWN_PATIENT,
    groups_of,
    patient_words,
    patients_in_two_splits,
    read_patients,
)
from mrnet_core.domain import DatasetError, Split


def folder(tmp_path, text):
    (tmp_path / "exams.csv").write_text(text)
    return tmp_path


def test_patients_are_read_by_exam_with_zeros_filled_up_and_blanks_left_out(tmp_path):
    root = folder(tmp_path, "exam,patient,side\n1,A 7,L\n0002,A 7,R\n3,,L\n4, N A ,R\n")
    assert read_patients(root, 4) == {"0001": "A 7", "0002": "A 7", "0004": "N A"}


@pytest.mark.parametrize(
    "text",
    ["exam;patient\n1;A\n2;A\n", "Exam,Patient\r\n1,A\r\n2,A\r\n", "\ufeffexam\tPATIENT \n1\tA\n2\tA\n"],
)
def test_semicolons_tabs_and_capitals_name_the_patients_as_split_takes_them(tmp_path, text):
    assert read_patients(folder(tmp_path, text), 4) == {"0001": "A", "0002": "A"}


def test_what_programs_write_for_nothing_is_no_patient(tmp_path):
    rows = "".join(f"{exam},{word}\n" for exam, word in enumerate(UNKNOWN_PATIENT))
    assert read_patients(folder(tmp_path, f"exam,patient\n{rows}90,A\n"), 4) == {"0090": "A"}


def test_rows_that_do_not_fit_the_header_are_refused_where_they_would_lose_the_patients(tmp_path):
    for text, message in (
        ("exam,patient\n1,A,\n2,A,\n", r"exams\.csv, line 2 \(row 1 of the data\): 3 cells where the header has 2"),
        ("exam,patient\n1,A\n2\n", r"line 3 \(row 2 of the data\): 1 cells where the header has 2"),
        ("exam,patient\n1,A\n,B\n", "line 3 .*: exam is empty; give every row a"),
        ("exam,patient,exam\n1,A,2\n", "has the column exam twice; keep one"),
    ):
        with pytest.raises(DatasetError, match=message):
            read_patients(folder(tmp_path, text), 4)
    assert read_patients(folder(tmp_path, "exam,side\n1,L,\n2\n"), 4) == {}, "no patients are in it"
    for raw in ("exam,side\n1,L\n".encode("utf-16"), "exam,patient\n1,Müller\n".encode("latin-1")):
        (tmp_path / "exams.csv").write_bytes(raw)
        with pytest.raises(DatasetError, match="is no UTF-8 text"):
            read_patients(tmp_path, 4)


@pytest.mark.parametrize("text", ["exam,side\n1,L\n", "id,patient\n1,A\n"])
def test_another_table_of_that_name_names_none(tmp_path, text):
    assert read_patients(folder(tmp_path, text), 4) == {}
    assert read_patients(tmp_path / "nowhere", 4) == {}


def test_a_table_that_cannot_be_read_or_names_two_patients_of_an_exam_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="names two patients of exam 0001: A and B"):
        read_patients(folder(tmp_path, "exam,patient\n1,A\n0001,B\n"), 4)
    with pytest.raises(DatasetError, match=r"exams\.csv cannot be read as a CSV table"):
        read_patients(folder(tmp_path, ""), 4)


def test_a_patient_in_two_sets_is_named_with_the_exams():
    exams = {Split.TRAIN: ("0001", "0002"), Split.TUNING: ("0003",), Split.VALIDATION: ("0004",)}
    patients = {"0001": "A", "0002": "A", "0003": "B", "0004": "A"}
    (words,) = patients_in_two_splits(exams, patients)
    assert words.startswith("patients have exams in two splits: A (0001 in train, 0004 in test); keep each")
    assert patients_in_two_splits(exams, patients | {"0004": "C"}) == []


def test_exams_without_a_patient_are_patients_of_their_own():
    groups = groups_of(("0001", "0002", "0003", "0004"), {"0001": "0004", "0003": "0004"})
    assert groups[0] == groups[2]
    assert len(np.unique(groups)) == 3


def test_what_is_said_of_a_model_depends_on_whose_exams_are_known():
    exams = {Split.TRAIN: ("0001", "0002"), Split.TUNING: ("0003",)}
    assert patient_words(exams, {}) == NO_PATIENTS
    assert patient_words(exams, {"0001": "A", "0002": "B", "0003": "C"}) == ""
    assert patient_words(exams, {"0001": "A"}).startswith(
        "Of 2 exams the data folder names no patient: that no patient"
    )
