"""Many exams to one table: a row for each, resumed without a mixture of models, and whole whatever stops it."""

import csv
import errno
import json
import os

import numpy as np
import pytest

from mrnet_core.api import scoring
from mrnet_core.api.exam_folders import find_exams
from mrnet_core.api.scoring import COLUMNS, score_exams
from mrnet_core.cli import main
from mrnet_core.domain import InputError, Plane, Split
from mrnet_core.store import Run, write_manifest
from tests.dicom import builder


def write_exam(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    for n, one in enumerate(builder.series("axial", **changes)):
        (folder / f"{n}.dcm").write_bytes(builder.to_bytes(one))


def rows_of(out):
    with out.open(newline="", encoding="utf-8") as file:
        return {row["exam"]: row for row in csv.DictReader(file)}


@pytest.fixture
def exams(tmp_path):
    """Three exams of one patient's folder, the second of another body part, and one that is no DICOM."""
    root = tmp_path / "exams"
    write_exam(root / "anna" / "a", StudyInstanceUID=builder.uid("a"))
    write_exam(root / "anna" / "b", StudyInstanceUID=builder.uid("b"), BodyPartExamined="BRAIN")
    (root / "c").mkdir()
    (root / "c" / "x.dcm").write_bytes(b"not DICOM")
    return find_exams(root)


@pytest.fixture
def other_run(random_run, tmp_path):
    """The same networks with other regressions."""
    run = tmp_path / "other"
    for name in Run.open(random_run).names():
        target = run / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((random_run / name).read_bytes())
    record = json.loads((run / "ensemble.json").read_text())
    record["regressions"][0]["intercept"] += 1
    (run / "ensemble.json").write_text(json.dumps(record))
    write_manifest(run, name="another", trained_on="x", synthetic=True)
    return run


def test_every_exam_has_a_row_and_a_bad_one_stops_none(random_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    assert score_exams(exams, out, model=str(random_run)) == (3, 1)
    assert out.read_text(encoding="utf-8").splitlines()[0].split(",") == list(COLUMNS)
    rows = rows_of(out)
    assert list(rows) == ["anna/a", "anna/b", "c"]
    assert "NOT A KNEE?" in rows["anna/b"]["warnings"]
    assert "no MR image was found" in rows["c"]["error"]


def test_scoring_goes_on_after_the_rows_it_has_and_drops_one_cut_short(random_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    good = {name: exams[name] for name in ("anna/a", "anna/b")}
    score_exams(good, out, model=str(random_run))
    whole = out.read_bytes()
    with pytest.raises(InputError, match="exists: give --resume"):
        score_exams(good, out, model=str(random_run))
    out.write_bytes(whole[:-20])
    seen = []
    score_exams(good, out, model=str(random_run), resume=True, progress=lambda done, failed: seen.append(done))
    assert out.read_bytes() == whole
    assert seen == [2]


def test_an_exam_that_failed_is_tried_again_on_resuming_and_the_rest_is_not(random_run, exams, tmp_path, monkeypatch):
    out = tmp_path / "scores.csv"
    score_exams(exams, out, model=str(random_run))
    before = rows_of(out)
    write_exam(exams["c"])
    read = []
    real = scoring.open_exam
    monkeypatch.setattr(scoring, "open_exam", lambda paths: read.append(paths) or real(paths))
    assert score_exams(exams, out, model=str(random_run), resume=True) == (3, 0)
    assert read == [[exams["c"]]]
    after = rows_of(out)
    assert {name: after[name] for name in ("anna/a", "anna/b")} == {name: before[name] for name in ("anna/a", "anna/b")}
    assert float(after["c"]["acl"]) > 0


def test_names_that_are_no_utf8_have_rows_of_scores_and_of_errors_and_are_gone_on_with(random_run, exams, tmp_path):
    root = exams["c"].parent
    odd, bad = (root / os.fsdecode(name) for name in (b"M\xfcller", b"N\xfc"))
    try:
        write_exam(odd, StudyInstanceUID=builder.uid("m"))
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (bad / "axial").mkdir(parents=True)
    np.save(bad / "axial" / "0001.npy", np.zeros((5, 256, 256), np.uint8))
    out = tmp_path / "scores.csv"
    assert score_exams(find_exams(root), out, model=str(random_run)) == (5, 2)
    rows = rows_of(out)
    assert float(rows["M\\xfcller"]["acl"]) > 0
    assert "N\\udcfc holds series to train on" in rows["N\\xfc"]["error"]
    seen = []
    score_exams(find_exams(root), out, model=str(random_run), resume=True, progress=lambda *counts: seen.append(counts))
    assert seen == [(4, 1), (5, 2)], "errors alone are tried again"
    assert rows_of(out) == rows


def test_an_error_of_an_exam_that_is_gone_keeps_its_row(random_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    score_exams(exams, out, model=str(random_run))
    del exams["c"]
    assert score_exams(exams, out, model=str(random_run), resume=True) == (3, 1)
    assert rows_of(out)["c"]["error"]


def test_a_table_of_another_model_is_not_gone_on_with(random_run, other_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    first = {"anna/a": exams["anna/a"]}
    score_exams(first, out, model=str(random_run))
    whole = out.read_bytes()
    with pytest.raises(InputError, match=r"was made by another model \(random\) than the one in use now \(another\)"):
        score_exams(exams, out, model=str(other_run), resume=True)
    note = tmp_path / "scores.csv.model.json"
    kept = note.read_bytes()
    for content in (b"{", b"[]", None):
        note.unlink() if content is None else note.write_bytes(content)
        with pytest.raises(InputError, match=r"scores\.csv\.model\.json, .* is missing or damaged: put it back"):
            score_exams(exams, out, model=str(random_run), resume=True)
    assert out.read_bytes() == whole
    note.write_bytes(kept)
    assert score_exams(exams, out, model=str(random_run), resume=True) == (3, 1)


def test_a_model_is_the_same_when_scores_were_added_to_its_folder(other_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    score_exams({"anna/a": exams["anna/a"]}, out, model=str(other_run))
    (other_run / "scores").mkdir()
    (other_run / "scores" / "localisation.json").write_text("{}")
    write_manifest(other_run, name="renamed", trained_on="x", synthetic=True)
    assert score_exams(exams, out, model=str(other_run), resume=True) == (3, 1)


def test_a_table_of_errors_alone_goes_on_with_any_model(random_run, other_run, exams, tmp_path):
    out = tmp_path / "scores.csv"
    score_exams({"c": exams["c"]}, out, model=str(random_run))
    assert score_exams(exams, out, model=str(other_run), resume=True) == (3, 1)
    assert json.loads((tmp_path / "scores.csv.model.json").read_text())["model"] == "another"


@pytest.fixture
def to_train_on(tmp_path):
    """Two exams in each of two splits, as MRNet-v1.0 holds them."""
    root = tmp_path / "data" / "MRNet-v1.0"
    pixels = np.random.default_rng(0).integers(0, 256, (5, 256, 256), np.uint8)
    for split in (Split.TRAIN, Split.TUNING):
        for plane in Plane:
            folder = root / split.folder / plane
            folder.mkdir(parents=True)
            (folder / ".DS_Store").touch()
            for exam in ("0001", "0002"):
                np.save(folder / f"{exam}.npy", pixels)
        (root / f"{split.folder}-acl.csv").write_text("0001,1\n0002,0\n")
    return root


@pytest.mark.parametrize("where", [".", "train", ".."])
def test_a_folder_to_train_on_is_refused_by_its_name_with_the_commands_that_take_it(to_train_on, capsys, where):
    out = to_train_on.parent / "scores.csv"
    status = main(["score", str((to_train_on / where).resolve()), "--out", str(out)])
    said = capsys.readouterr().err
    assert status == 2
    assert (
        f"{to_train_on} holds series to train on, as MRNet-v1.0 does (<plane>/<exam>.npy): `train --data` and" in said
    )
    assert "`score` wants each exam as a folder or zip of its own, of DICOM files or of one npy file named" in said
    assert not list(out.parent.glob("scores*"))


def test_series_by_plane_that_are_not_divided_yet_are_refused_with_the_command_that_divides_them(to_train_on, tmp_path):
    series = (to_train_on / "train").rename(tmp_path / "series")
    with pytest.raises(InputError, match=r"series holds series to train on, .*: `split --into DATA --series` takes it"):
        score_exams(find_exams(series), tmp_path / "scores.csv")


def test_a_folder_to_train_on_among_exams_has_a_row_that_says_what_it_is(random_run, exams, to_train_on, tmp_path):
    out = tmp_path / "scores.csv"
    found = {"anna/a": exams["anna/a"], "MRNet-v1.0": to_train_on, "c": exams["c"]}
    assert score_exams(found, out, model=str(random_run)) == (3, 2)
    rows = rows_of(out)
    assert rows["anna/a"]["acl"]
    assert rows["MRNet-v1.0"]["error"].startswith(f"{to_train_on} holds series to train on, as MRNet-v1.0 does")
    assert "no MR image was found" in rows["c"]["error"]


def test_an_exam_with_an_npy_series_beside_its_images_is_scored(random_run, exams, tmp_path):
    folder = exams["anna/a"] / "axial"
    folder.mkdir()
    np.save(folder / "mask.npy", np.zeros((5, 256, 256), np.uint8))
    assert score_exams({"a": exams["anna/a"]}, tmp_path / "scores.csv", model=str(random_run)) == (1, 0)


@pytest.mark.parametrize("content", [b"exam,acl\n", b"\xff\xfe", b"", None])
def test_what_is_no_table_of_this_command_is_left_alone(random_run, exams, tmp_path, content):
    out = tmp_path / "scores.csv"
    out.mkdir() if content is None else out.write_bytes(content)
    with pytest.raises(InputError, match=r"give --out another name"):
        score_exams(exams, out, model=str(random_run), resume=True)
    assert content is None or out.read_bytes() == content


def score(capsys, exams, out, run, *words):
    root = exams["c"].parent
    status = main(["score", str(root), "--out", str(out), "--model", str(run), *words])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return status, said.err


def is_open(descriptor, path):
    """The descriptor is the table's, and not a partial file's that is renamed afterwards."""
    return path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())


def test_a_full_disk_leaves_whole_rows_alone_and_says_how_to_go_on(random_run, exams, tmp_path, monkeypatch, capsys):
    out = tmp_path / "scores.csv"
    real = os.fsync
    added = []

    def full(descriptor):
        if is_open(descriptor, out):
            added.append(descriptor)
            if len(added) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(scoring.os, "fsync", full)
    status, said = score(capsys, exams, out, random_run)
    assert status == 2
    assert "cannot be written (No space left on device)" in said
    assert "the same command with --resume goes on" in said
    assert list(rows_of(out)) == ["anna/a"]
    assert out.read_bytes().endswith(b"\r\n")
    monkeypatch.setattr(scoring.os, "fsync", real)
    assert score(capsys, exams, out, random_run, "--resume")[0] == 0
    assert list(rows_of(out)) == ["anna/a", "anna/b", "c"]


@pytest.mark.parametrize("where", ["open_exam", "fsync"])
def test_ctrl_c_is_one_sentence_and_the_rows_before_it_stay(random_run, exams, tmp_path, monkeypatch, capsys, where):
    out = tmp_path / "scores.csv"
    calls = []
    target, real = (scoring, scoring.open_exam) if where == "open_exam" else (scoring.os, os.fsync)

    def stop(argument):
        if where == "open_exam" or is_open(argument, out):
            calls.append(argument)
            if len(calls) == 2:
                raise KeyboardInterrupt
        return real(argument)

    monkeypatch.setattr(target, where, stop)
    status, said = score(capsys, exams, out, random_run)
    assert status == 1
    assert "stopped; every exam scored so far is kept: the same command with --resume goes on" in said
    assert list(rows_of(out)) == ["anna/a"]
    monkeypatch.setattr(target, where, real)
    assert score(capsys, exams, out, random_run, "--resume")[0] == 0
    assert len(rows_of(out)) == 3
