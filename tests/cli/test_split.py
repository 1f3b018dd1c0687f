import os

import numpy as np
import pandas as pd
import pytest

from mrnet_core.cli import main
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import Plane, Split, Task

PLANES = (Plane.SAGITTAL, Plane.AXIAL)


@pytest.fixture
def table(tmp_path):
    """Sixty exams with ids that lost their zeros: a third torn, two thirds abnormal; patients of one or two exams."""
    exams = range(1, 61)
    frame = pd.DataFrame({"exam": exams, "patient": [f"P{exam // 3 * 2 + exam % 3 // 2}" for exam in exams]})
    frame = frame.assign(abnormal=[int(exam % 3 > 0) for exam in exams], acl=[int(exam % 3 == 1) for exam in exams])
    frame.to_csv(tmp_path / "exams.csv", index=False)
    return tmp_path / "exams.csv"


@pytest.fixture
def series(tmp_path):
    """Three slices of noise for each exam in two planes; half of the files have MRNet-v1.0's four digits."""
    generator = np.random.default_rng(3)
    for plane in PLANES:
        (tmp_path / "series" / plane).mkdir(parents=True)
        for exam in range(1, 61):
            name = f"{exam:04d}" if exam % 2 else f"{exam}"
            np.save(tmp_path / "series" / plane / f"{name}.npy", generator.integers(0, 256, (3, 256, 256), np.uint8))
    return tmp_path / "series"


def split(capsys, *words) -> tuple[int, str, str]:
    status = main(["split", *map(str, words)])
    return status, *capsys.readouterr()


def test_split_writes_a_table_shows_the_counts_and_names_the_next_step(capsys, table, tmp_path):
    status, out, err = split(capsys, table, "--out", tmp_path / "splits.csv", "--at-least", 4)
    assert (status, err) == (0, "")
    rows = pd.read_csv(tmp_path / "splits.csv")
    assert list(rows) == ["exam", "split"]
    assert rows["split"].value_counts().to_dict() == {"train": 36, "tuning": 12, "validation": 12}
    lines = out.splitlines()
    assert lines[0].split() == ["abnormal", "acl", "exams"]
    assert lines[2].split() == ["train", "24", "12", "36"]
    assert lines[-1].startswith("Next: the same with --into DATA --series DIR lays out the folder to train on")
    assert lines[-1].endswith("then python -m mrnet_core train --data DATA --out RUN --tasks abnormal,acl")


def test_shares_that_move_are_said_with_the_number_that_keeps_them(capsys, table, tmp_path):
    words = (table, "--out", tmp_path / "splits.csv", "--shares", "80:10:10")
    status, _, err = split(capsys, *words, "--at-least", 6)
    assert status == 0
    assert "note: the shares moved from 80:10:10 to 40:30:30 (training:tuning:validation): 6 of the 20" in err
    assert "positives of acl come with negatives as in the whole table; --at-least 2 keeps the shares" in err
    assert split(capsys, *words, "--at-least", 2)[2] == ""


def test_a_table_without_patients_is_divided_with_a_word_about_it(capsys, table, tmp_path):
    pd.read_csv(table).drop(columns="patient").to_csv(table, index=False)
    status, _, err = split(capsys, table, "--out", tmp_path / "splits.csv", "--at-least", 4)
    assert status == 0
    assert err.startswith("note: no column patient")
    data = tmp_path / "data"
    assert split(capsys, table, "--out", tmp_path / "again.csv", "--at-least", 4, "--into", data)[0] == 0
    assert not (data / "exams.csv").exists()


def test_a_patient_whose_id_has_blanks_around_it_is_one_patient(capsys, table, tmp_path):
    rows = pd.read_csv(table)
    ids = [f"{patient}{' ' * (place % 3)}" for place, patient in enumerate(rows["patient"])]
    rows.assign(patient=ids).to_csv(table, index=False)
    assert split(capsys, table, "--out", tmp_path / "splits.csv", "--at-least", 4, "--into", tmp_path / "data")[0] == 0
    sets = pd.read_csv(tmp_path / "splits.csv").assign(patient=rows["patient"])
    assert (sets.groupby("patient")["split"].nunique() == 1).all()
    assert pd.read_csv(tmp_path / "data" / "exams.csv")["patient"].tolist() == rows["patient"].tolist()


def test_labels_that_train_would_refuse_are_refused_before_anything_is_written(capsys, table, tmp_path):
    rows = pd.read_csv(table)
    rows.loc[4, ["abnormal", "acl"]] = 0, 1
    rows.to_csv(table, index=False)
    status, out, err = split(capsys, table, "--out", tmp_path / "splits.csv", "--at-least", 4)
    assert (status, out) == (2, "")
    assert "exams.csv, line 6 (row 5 of the data): a tear in an exam labelled normal: 5 (abnormal 0, acl 1)" in err
    assert not (tmp_path / "splits.csv").exists()


def test_a_refused_split_writes_nothing_and_says_what_works(capsys, table, series, tmp_path):
    words = (table, "--out", tmp_path / "splits.csv", "--into", tmp_path / "data", "--series", series)
    status, out, err = split(capsys, *words)
    assert (status, out) == (2, "")
    assert "20 exams are positive for acl" in err
    assert "the largest number that works is 9: give --at-least 9" in err
    assert not (tmp_path / "splits.csv").exists()
    assert not (tmp_path / "data").exists()
    assert split(capsys, *words, "--at-least", 9)[0] == 0


def test_a_file_that_is_no_table_of_split_is_left_alone_and_an_earlier_one_is_written_again(capsys, table, tmp_path):
    data = tmp_path / "data"
    for out in (table, tmp_path / "notes.csv", tmp_path / "empty.csv"):
        if out != table:
            out.write_text("exam,split,why\n1,train,x\n" if out.name == "notes.csv" else "")
        before = out.read_bytes()
        status, said, err = split(capsys, table, "--out", out, "--at-least", 4, "--into", data)
        assert (status, said) == (2, "")
        assert f"{out} exists and is no table of `split`: give --out another name" in err
        assert out.read_bytes() == before
    assert not data.exists()
    words = (table, "--out", tmp_path / "splits.csv", "--at-least", 4)
    assert split(capsys, *words)[0] == 0
    kept = (tmp_path / "splits.csv").read_bytes()
    assert split(capsys, *words, "--into", data)[0] == 0, "the next step that the first one names"
    assert (tmp_path / "splits.csv").read_bytes() == kept


def test_a_place_that_cannot_be_written_is_found_out_before_a_folder_is_laid_out(capsys, table, tmp_path):
    data = tmp_path / "data"
    folder = tmp_path / "folder"
    folder.mkdir()
    for out in (folder, table / "splits.csv"):
        status, said, err = split(capsys, table, "--out", out, "--at-least", 4, "--into", data)
        assert (status, said) == (2, "")
        assert f"{out} cannot be written (" in err
        assert not data.exists()
    new = tmp_path / "new" / "splits.csv"
    assert split(capsys, table, "--out", new, "--at-least", 4, "--into", data)[0] == 0
    assert [path.name for path in new.parent.iterdir()] == ["splits.csv"]


def test_a_laid_out_folder_is_one_that_train_opens_with_the_splits_of_the_table(capsys, table, series, tmp_path):
    data = tmp_path / "data"
    words = (table, "--out", tmp_path / "splits.csv", "--at-least", 4, "--into", data, "--series", series)
    status, out, _ = split(capsys, *words)
    assert status == 0
    options = "--planes sagittal,axial --tasks abnormal,acl"
    assert out.splitlines()[-1] == f"Next: python -m mrnet_core train --data {data} --out RUN {options}"
    folder = MRNetFolder.open(data, PLANES, (Task.ABNORMAL, Task.ACL))
    assert len(folder.check().digests) == 6
    kept = pd.read_csv(tmp_path / "splits.csv").set_index("exam")["split"]
    labels = pd.read_csv(table).set_index("exam")
    for place in Split:
        assert [int(exam) for exam in folder.exams[place]] == sorted(kept.index[kept == place.value])
        assert folder.labels[place, Task.ACL].tolist() == labels["acl"][map(int, folder.exams[place])].tolist()
    patients = pd.read_csv(table).set_index("exam")["patient"]
    assert {int(exam): patient for exam, patient in folder.patients.items()} == patients.to_dict()
    exam = folder.exams[Split.VALIDATION][0]
    source = next(path for path in (series / "axial").iterdir() if int(path.stem) == int(exam))
    assert np.array_equal(folder.series(Split.VALIDATION, Plane.AXIAL, exam), np.load(source))


def test_where_links_cannot_be_made_series_are_copied(capsys, table, series, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    data = tmp_path / "data"
    words = (table, "--out", tmp_path / "splits.csv", "--at-least", 4, "--into", data, "--series", series)
    assert split(capsys, *words)[0] == 0
    assert len(MRNetFolder.open(data, PLANES, (Task.ABNORMAL, Task.ACL)).check().digests) == 6


def test_without_series_the_folder_waits_for_them_and_the_next_step_says_where(capsys, table, tmp_path):
    data = tmp_path / "data"
    status, out, _ = split(capsys, table, "--out", tmp_path / "splits.csv", "--at-least", 4, "--into", data)
    assert status == 0
    assert f"at {data}/<train|valid|test>/<sagittal|coronal|axial>/<exam>.npy; then" in out.splitlines()[-1]
    assert (data / "valid" / "coronal").is_dir()
    assert len((data / "test-acl.csv").read_text().splitlines()) == 12


def test_what_cannot_be_laid_out_is_refused_before_anything_is_written(capsys, table, series, tmp_path):
    data = tmp_path / "data"
    words = (table, "--out", tmp_path / "splits.csv", "--at-least", 4, "--into", data, "--series", series)

    def refusal(*, rows=None):
        if rows is not None:
            rows.to_csv(table, index=False)
        status, out, err = split(capsys, *words)
        assert (status, out) == (2, "")
        assert not (tmp_path / "splits.csv").exists()
        return err

    whole = pd.read_csv(table)
    (series / "axial" / "12.npy").rename(series / "axial" / "kept")
    assert "lacks axial/12.npy: every exam needs each plane at hand" in refusal()
    (series / "axial" / "kept").rename(series / "axial" / "12.npy")
    named = whole.astype({"exam": str})
    assert "exam '../7' cannot name a file" in refusal(rows=named.replace({"exam": {"7": "../7"}}))
    assert "exams 7 and 007 are both 0007 in the folder" in refusal(rows=named.replace({"exam": {"8": "007"}}))
    assert not data.exists()
    data.mkdir()
    (data / "mine").touch()
    assert "is not empty: name a new folder with --into" in refusal(rows=whole)
    (data / "mine").unlink()
    assert split(capsys, *words)[0] == 0


def test_series_without_a_place_to_put_them_and_shares_that_are_none_are_refused(capsys, table, series, tmp_path):
    out = tmp_path / "splits.csv"
    assert "--into where to put them: give both" in split(capsys, table, "--out", out, "--series", series)[2]
    assert "give three numbers, for example 60:20:20" in split(capsys, table, "--out", out, "--shares", "60:20:x")[2]
    assert (
        "(training, tuning, validation), for example 60:20:20; got nan:20:20"
        in split(capsys, table, "--out", out, "--at-least", 4, "--shares", "nan:20:20")[2]
    )
    assert "a seed is a whole number from 0; got -1" in split(capsys, table, "--out", out, "--seed", -1)[2]
    assert not out.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ("--at-least", 4, "--into", tmp_path / "data", "--series", empty)
    assert "has no folder sagittal, coronal, axial" in split(capsys, table, "--out", out, *words)[2]
