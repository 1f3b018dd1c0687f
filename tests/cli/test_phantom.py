"""``phantom``: the verb's orders, its files, and what it says when it cannot."""

import csv
from pathlib import Path

import pydicom
import pytest

from mrnet_core.api.cohorts import CohortReport
from mrnet_core.cli import main, phantom

COLUMNS = (
    "exam,patient,split,side,age,sex,field_tesla,abnormal,acl,meniscus,lesions,"
    "report_abnormal,report_acl,report_meniscus"
)


@pytest.fixture
def ordered(monkeypatch):
    """Orders that the verb gives, instead of carrying them out."""
    orders = []

    def take(order, progress=None):
        orders.append(order)
        return CohortReport(3, 0, 1.0)

    monkeypatch.setattr(phantom, "make_cohort", take)
    return orders


def test_three_small_exams_as_dicom(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["phantom", str(out), "--exams", "3", "--seed", "9", "--dicom", "--size", "small", "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "3 synthetic exams" in printed.err
    lines = (out / "exams.csv").read_text().splitlines()
    assert lines[0] == COLUMNS
    rows = list(csv.DictReader(lines))
    assert [row["exam"] for row in rows] == ["0000", "0001", "0002"]
    assert [row["split"] for row in rows] == ["train", "tuning", "validation"]
    for row in rows:
        folders = [path for path in (out / row["exam"]).iterdir() if path.is_dir()]
        assert len(folders) == 4
        for folder in folders:
            first = pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True)
            assert first.PatientAge == f"{int(row['age']):03d}Y"
            assert first.SeriesDescription.startswith("SYNTHETIC")
        for plane in ("sagittal", "coronal", "axial"):
            assert (out / "masks" / f"{row['exam']}_{plane}.npz").is_file()


def test_words_become_an_order(ordered):
    words = "phantom out --exams 520 --seed 7 --cohort paper --mrnet --size full --jobs 2 --resume"
    assert main(words.split()) == 0
    (order,) = ordered
    assert (order.out, order.exams, order.seed, order.paper) == (Path("out"), 520, 7, True)
    assert (order.form, order.size, order.jobs, order.resume) == ("mrnet", "full", 2, True)


def test_the_default_is_dicom_in_full_size_and_the_paper_needs_no_count(ordered):
    assert main(["phantom", "out", "--seed", "7", "--cohort", "paper"]) == 0
    assert (ordered[0].form, ordered[0].size, ordered[0].exams) == ("dicom", "full", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed 1", "--exams is missing"),
        ("--seed 1 --exams 2", "at least 3 exams"),
        ("--seed -1 --exams 3", "--seed must be 0 or more"),
        ("--seed 1 --exams 0 --cohort paper", "at least 1 training exam"),
        ("--seed 1 --exams 3 --device abacus", "give cpu, cuda or cuda:N"),
        ("--seed 1 --exams 3 --jobs 0", "--jobs must be 1 or more"),
    ],
)
def test_an_order_at_fault_is_one_sentence_and_status_2(tmp_path, capsys, words, message):
    assert main(["phantom", str(tmp_path / "out"), *words.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out" / "exams.csv").exists()


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["phantom", str(tmp_path), "--exams", "3", "--seed", "1"]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_stopped_run_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    def stopped(order, progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(phantom, "make_cohort", stopped)
    assert main(["phantom", str(tmp_path / "out"), "--exams", "3", "--seed", "1"]) == 1
    assert "with --resume goes on" in capsys.readouterr().err


def test_two_forms_at_once_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["phantom", "out", "--exams", "3", "--seed", "1", "--dicom", "--mrnet"])
    assert "not allowed with" in capsys.readouterr().err


def test_progress_names_exams_rate_and_time_left(capsys):
    phantom._show(30, 120, 15.0)
    assert "30 of 120 exams, 15.0 a minute, 6 min left" in capsys.readouterr().err
