"""``predict`` and ``score``: the contract's JSON, one sentence on stderr, and the right status."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mrnet_core.cli import main
from mrnet_core.domain import Plane, Task
from tests.dicom import builder

DEFAULT = Path(__file__).resolve().parents[3] / "shared/exams/knee-right-siemens-1.5t"
EXAM = Path(os.environ.get("MRNET_TEST_EXAM", DEFAULT))


@pytest.fixture(scope="module")
def exam(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exams") / "exam"
    folder.mkdir()
    pd = builder.series("sagittal", series="pd", EchoTime=20.0)
    for n, one in enumerate([*builder.knee(), *pd]):
        (folder / f"{n}.dcm").write_bytes(builder.to_bytes(one))
    (folder / "broken.dcm").write_bytes(b"")
    return folder


def predict(capsys, *arguments):
    status = main(["predict", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def as_json(out: str) -> dict:
    """Exactly one object, without NaN or Infinity."""

    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    return json.loads(out, parse_constant=refuse)


def test_the_json_has_the_keys_of_the_contract_and_full_precision(exam, random_run, capsys):
    status, out, err = predict(capsys, exam, "--model", random_run, "--json")
    assert (status, err) == (0, "")
    answer = as_json(out)
    assert set(answer) >= {
        *("planes", "refused", "skipped_files", "planes_used", "probabilities", "by_plane", "model", "warnings"),
    }
    assert answer["planes_used"] == list(Plane)
    sagittal = answer["planes"]["sagittal"]
    assert sagittal["series"] == "SAGITTAL sagittal"
    assert sagittal["series_uid"] == builder.uid("study sagittal")
    assert sagittal["slices"] == builder.SLICES
    assert sagittal["warnings"] == []
    (refused,) = answer["refused"]
    assert refused["series_uid"] == builder.uid("study pd")
    assert "nearer to the paper's" in refused["reason"]
    assert (
        answer["skipped_files"] == [{"position": 9, "reason": "the file is empty"}]
        or answer["skipped_files"][0]["reason"] == "the file is empty"
    )
    assert set(answer["probabilities"]) == set(Task)
    assert all(0 < value < 1 for value in answer["probabilities"].values())
    assert set(answer["by_plane"]) == set(Plane)
    assert set(answer["model"]) >= {"name", "trained_on", "synthetic", "engine", "version"}
    assert any("synthetic" in warning for warning in answer["warnings"])
    assert "Secret" not in out


def test_a_missing_plane_is_null_and_one_plane_answers_with_its_own_network(random_run, capsys, tmp_path):
    for n, one in enumerate(builder.series("axial")):
        (tmp_path / f"{n}.dcm").write_bytes(builder.to_bytes(one))
    status, out, _ = predict(capsys, tmp_path, "--model", random_run, "--json")
    answer = as_json(out)
    assert status == 0
    assert answer["planes"]["sagittal"] is None
    assert answer["planes"]["coronal"] is None
    assert answer["planes_used"] == ["axial"]
    assert answer["probabilities"] == answer["by_plane"]["axial"]
    assert any("No sagittal and no coronal series" in warning for warning in answer["warnings"])


def test_a_series_chosen_by_hand_is_taken(exam, random_run, capsys):
    chosen = f"sagittal={builder.uid('study pd')}"
    _, out, _ = predict(capsys, exam, "--model", random_run, "--json", "--series", chosen)
    sagittal = as_json(out)["planes"]["sagittal"]
    assert sagittal["series"] == "SAGITTAL pd"
    assert any("Stand-in" in warning for warning in sagittal["warnings"])


def test_the_text_says_which_model_answered_and_how_to_take_the_runner_up(exam, random_run, capsys):
    status, out, _ = predict(capsys, exam, "--model", random_run)
    assert status == 0
    assert "Model: random, trained on nothing" in out
    assert f"to take it: --series sagittal={builder.uid('study pd')}" in out
    assert "skipped   1 file(s)" in out
    assert "Research use only" in out


def test_heatmaps_are_saved_beside_the_answer(exam, random_run, capsys, tmp_path):
    predict(capsys, exam, "--model", random_run, "--json", "--save-heatmaps", tmp_path / "maps")
    assert len(list((tmp_path / "maps").glob("*.npz"))) == 9
    with np.load(tmp_path / "maps" / "coronal_acl.npz") as saved:
        assert saved["cam"].shape == (builder.SLICES, 7, 7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere/at/all"], "No such file"),
        (["EXAM", "--series", "sagittal"], "give PLANE=UID"),
        (["EXAM", "--series", "oblique=1.2"], "with a plane of sagittal, coronal, axial"),
        (["EXAM", "--series", "axial=1", "--series", "axial=2"], "names the axial plane twice"),
        (["EXAM", "--series", "axial=1.2.3"], "series 1.2.3 cannot be read as the axial one"),
        (["EXAM", "--side", "left"], "no series is of the left knee"),
        (["EXAM", "--model", "/nowhere"], "/nowhere"),
    ],
)
def test_a_fault_of_the_input_is_status_2_and_one_sentence(exam, random_run, capsys, arguments, words):
    arguments = [str(exam) if one == "EXAM" else one for one in arguments]
    if "--model" not in arguments:
        arguments += ["--model", str(random_run)]
    status, out, err = predict(capsys, *arguments, "--json")
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_score_writes_a_table_of_every_exam(exam, random_run, capsys, tmp_path):
    out = tmp_path / "scores.csv"
    assert main(["score", str(exam.parent), "--out", str(out), "--model", str(random_run)]) == 0
    assert "1 exams in" in capsys.readouterr().err
    with out.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["exam"] == "exam"
    assert row["planes_used"] == "sagittal coronal axial"
    assert 0 < float(row["abnormal"]) < 1
    assert row["error"] == ""


@pytest.mark.skipif(not EXAM.is_dir(), reason=f"no real exam at {EXAM.name} (MRNET_TEST_EXAM names its folder)")
def test_the_real_exam_is_read_from_end_to_end(random_run, capsys):
    status, out, _ = predict(capsys, EXAM, "--model", random_run, "--json")
    answer = as_json(out)
    assert status == 0
    assert [answer["planes"][plane]["slices"] for plane in Plane] == [24, 22, 28]
    assert len(answer["refused"]) == 3
    assert answer["skipped_files"] == []
    assert answer["side"] == "right"
