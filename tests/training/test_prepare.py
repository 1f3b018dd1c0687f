"""A run before its first step, and one that goes on: the same data, the same settings, one training at a time."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from mrnet_core.api.runs import Engine, ensemble, train
from mrnet_core.cli import main
from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.datasets.patients import NO_PATIENTS, UNCHECKED
from mrnet_core.domain import ArtifactError, DatasetError, InputError, InstallationError, Plane, Split, Task
from mrnet_core.store import DEMO_RUN, Run
from mrnet_core.training import history, loop, prepare
from mrnet_core.training.data import training_sets
from mrnet_core.training.network import network_name
from mrnet_core.training.prepare import held, prepare_run
from mrnet_core.training.sweep import clear_checkpoints

ROOT = Path(__file__).resolve().parents[2]
QUICK = TrainConfig(
    planes=(Plane.AXIAL,), tasks=(Task.ACL,), epochs=1, initialisation="random", learning_rate=1e-4, precision="float32"
)


def run_of(data, run, config=QUICK, **options):
    train(data, run, config, device="cpu", engine=Engine(), **options)
    return run


@pytest.fixture
def data(write_folder, tmp_path):
    """A folder that a test may change."""
    return write_folder(tmp_path / "data", {Split.TRAIN: 8, Split.TUNING: 8})


def test_a_run_keeps_a_copy_of_the_file_it_starts_from_and_no_word_of_where_that_lay(few_exams, tmp_path, monkeypatch):
    start, run = tmp_path / "elsewhere" / "first.safetensors", tmp_path / "run"
    config = TrainConfig(planes=(Plane.AXIAL,), tasks=(Task.ACL,), epochs=1, initialisation=str(start))
    with pytest.raises(InputError, match=r"first.safetensors: no such file"):
        prepare_run(few_exams, run, config, "cpu", resume=False)
    assert not run.exists()
    start.parent.mkdir()
    demo = DEMO_RUN / "weights"
    start.write_bytes((demo / "axial_acl.safetensors").read_bytes())
    setting, _ = prepare_run(few_exams, run, config, "cpu", resume=False)
    assert "elsewhere" not in (run / "config.json").read_text()
    start.write_bytes((demo / "axial_meniscus.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"run was begun from another first.safetensors: give that file"):
        prepare_run(few_exams, run, config, "cpu", resume=True)
    start.unlink()
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo / "axial_meniscus.safetensors", start.name)  # another file of that name, where nobody pointed
    for asked in (config, setting.config):  # the same command again, and the run's own config.json
        again, _ = prepare_run(few_exams, run, asked, "cpu", resume=True)
        assert again.config == setting.config
        model, words = loop.first_model(again.config, run, loop.Job(Plane.AXIAL, (Task.ACL,), 1), Task.ACL)
        assert words.startswith("file first.safetensors (SHA-256")
        assert model.channels == 3


def test_the_card_says_what_a_start_from_a_network_of_this_project_was_trained_on(few_exams, tmp_path):
    start, alone = DEMO_RUN / "weights" / "axial_acl.safetensors", tmp_path / "alone.safetensors"
    shutil.copy(start, alone)
    said = "The weights of axial_acl.safetensors were themselves trained on synthetic knees, 1130 training exams; says"
    for file, known in ((start, True), (alone, False)):
        config = replace(QUICK, initialisation=str(file), epochs=0, head_first=True)
        run = run_of(few_exams, tmp_path / file.stem, config)
        ensemble(run)
        for path in (run / "manifest.json", run / "weights" / "axial_acl.json"):
            found = [words for words in json.loads(path.read_text())["departures"] if "themselves trained" in words]
            assert [words.startswith(said) for words in found] == [True] * known


def change_a_pixel(folder):
    path = folder / "valid" / "axial" / "0010.npy"
    pixels = np.load(path)
    pixels[0, 0, 0] ^= 1
    np.save(path, pixels)


def change_a_label(folder):
    path = folder / "train-acl.csv"
    path.write_text(path.read_text().replace("0003,0", "0003,1"))


def test_a_model_without_its_checkpoints_is_not_trained_anew_and_nothing_of_it_changes(few_exams, tmp_path):
    finished, bare = run_of(few_exams, tmp_path / "finished"), tmp_path / "bare"
    ensemble(finished)
    clear_checkpoints(finished)
    shutil.copytree(DEMO_RUN, bare)
    for run, config in ((finished, QUICK), (bare, TrainConfig.from_json((bare / "config.json").read_text()))):
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        with pytest.raises(InputError, match=f"{run} holds networks whose checkpoints were removed.* another --out"):
            run_of(few_exams, run, config, resume=True)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        with pytest.raises(InputError, match=f"{run} holds networks whose checkpoints were removed.* use it as it is"):
            ensemble(run)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    (finished / "manifest.json").unlink()
    with pytest.raises(InputError, match="checkpoints were removed"):
        run_of(few_exams, finished, resume=True)


@pytest.mark.parametrize(
    ("change", "names"), [(change_a_pixel, "tuning axial series"), (change_a_label, "train acl labels")]
)
def test_a_run_goes_on_with_the_data_it_was_begun_on_alone_also_once_it_is_finished(data, tmp_path, change, names):
    run = run_of(data, tmp_path / "run")
    before = (run / "config.json").read_text()
    change(data)
    with pytest.raises(InputError, match=f"begun on other data: {names} of .* have changed since; go on with the same"):
        run_of(data, run, replace(QUICK, seeds=(2,)), resume=True)
    assert (run / "config.json").read_text() == before


def test_a_series_without_contrast_is_named_before_a_run_is_begun(data, tmp_path):
    np.save(data / "valid" / "axial" / "0012.npy", np.full((3, 256, 256), 7, np.uint8))
    with pytest.raises(DatasetError, match=r"valid/axial .* 0012"):
        prepare_run(data, tmp_path / "run", QUICK, "cpu", resume=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b'{"values": [1, 2', b"\xff\xfe", b'{"values": [5, 1], "stacks": 3}', b"[]"])
def test_damaged_landmarks_of_the_data_are_named_before_a_run_is_begun_or_goes_on(data, tmp_path, content):
    path = data / "landmarks" / "coronal.json"
    path.parent.mkdir()
    path.write_bytes(content)
    both = replace(QUICK, planes=(Plane.AXIAL, Plane.CORONAL))
    words = (
        r"landmarks/coronal\.json cannot be read as landmarks \(.*\): copy it from the cohort again, or take it away"
    )
    with pytest.raises(DatasetError, match=words):
        prepare_run(data, tmp_path / "run", both, "cpu", resume=False)
    assert not (tmp_path / "run").exists()
    prepare_run(data, tmp_path / "run", QUICK, "cpu", resume=False)  # without that plane
    before = (tmp_path / "run" / "config.json").read_text()
    with pytest.raises(DatasetError, match=words):
        prepare_run(data, tmp_path / "run", both, "cpu", resume=True)
    assert (tmp_path / "run" / "config.json").read_text() == before
    path.unlink()
    prepare_run(data, tmp_path / "run", both, "cpu", resume=True)
    assert {one.stem for one in (tmp_path / "run" / "landmarks").iterdir()} == {"axial", "coronal"}


def test_a_series_that_two_splits_share_is_said_while_it_trains_and_beside_the_models_figures(data, tmp_path, capsys):
    shutil.copy(data / "train" / "axial" / "0002.npy", data / "valid" / "axial" / "0009.npy")
    run = run_of(data, tmp_path / "run")
    said = "Two splits hold the very same axial series: train/axial/0002 and valid/axial/0009."
    assert f"warning: {said}" in capsys.readouterr().err
    assert any(words.startswith(said) for words in ensemble(run).warnings)
    assert any(words.startswith(said) for words in json.loads((run / "manifest.json").read_text())["warnings"])


def test_a_task_and_a_plane_that_are_added_are_trained_and_what_was_there_stays(data, tmp_path):
    run = run_of(data, tmp_path / "run")
    first = (run / "checkpoints" / "axial_acl_seed1.safetensors").read_bytes()
    run_of(data, run, replace(QUICK, tasks=(Task.ACL, Task.MENISCUS)), resume=True)
    run_of(data, run, replace(QUICK, planes=(Plane.CORONAL,)), resume=True)  # asked for less, it keeps what it has
    names = {path.stem for path in (run / "history").glob("*.jsonl")}
    every = itertools.product((Plane.CORONAL, Plane.AXIAL), (Task.ACL, Task.MENISCUS), (1,))
    assert names == {network_name(*one) for one in every}
    assert (run / "checkpoints" / "axial_acl_seed1.safetensors").read_bytes() == first


def test_a_run_on_a_trunk_takes_no_plane_and_no_task_more(few_exams, tmp_path):
    config = replace(QUICK, initialisation="cells", head_first=True, epochs=0, trunk=TrunkConfig(steps=2, slices=4))
    prepare_run(few_exams, tmp_path / "run", config, "cpu", resume=False)
    before = (tmp_path / "run" / "config.json").read_text()
    for more, names in ({"planes": tuple(Plane)}, "sagittal, coronal"), ({"tasks": tuple(Task)}, "abnormal, meniscus"):
        with pytest.raises(InputError, match=f"begun with a trunk for axial, acl; {names} cannot be added to it"):
            prepare_run(few_exams, tmp_path / "run", replace(config, **more), "cpu", resume=True)
    assert (tmp_path / "run" / "config.json").read_text() == before


def test_resume_alone_goes_on_by_the_runs_own_configuration(few_exams, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train", "--data", str(few_exams), "--out", str(run), "--device", "cpu"]
    asked = ["--planes", "axial", "--tasks", "acl", "--trunk", "random", "--epochs", "1", "--learning-rate", "1e-4"]
    assert main([*words, *asked]) == 0
    kept = (run / "config.json").read_text()
    (run / "checkpoints" / "axial_acl_seed1.npz").unlink()
    assert main([*words, "--resume"]) == 0
    assert (run / "config.json").read_text() == kept
    assert (run / "checkpoints" / "axial_acl_seed1.npz").is_file()
    assert main([*words, "--resume", "--epochs", "2"]) == 2
    assert "was begun with another epochs" in capsys.readouterr().err


def test_weights_that_cannot_be_fetched_are_found_out_before_a_run_is_begun(data, tmp_path, monkeypatch):
    def unreachable():
        raise InstallationError("ImageNet weights cannot be fetched: start from --trunk FILE, or with --trunk random")

    monkeypatch.setattr(sys.modules["mrnet_core.models.initialise"], "_imagenet", unreachable)
    config = replace(QUICK, initialisation="imagenet")
    with pytest.raises(InstallationError, match="--trunk random, or with a trunk on this cohort's dense labels"):
        prepare_run(data, tmp_path / "run", config, "cpu", resume=False)
    (data / "cells").rename(data / "elsewhere")
    with pytest.raises(InstallationError, match=r"--trunk random$"):
        prepare_run(data, tmp_path / "run", config, "cpu", resume=False)
    assert not (tmp_path / "run").exists()


def test_a_model_is_none_while_more_of_it_is_trained_and_one_that_lacks_nothing_stays_one(few_exams, tmp_path):
    run = run_of(few_exams, tmp_path / "run")
    ensemble(run)
    run_of(few_exams, run, replace(QUICK, side_by_side=1), resume=True)  # what a run is free to change
    assert Run.open(run).path("config.json").is_file()
    run_of(few_exams, run, replace(QUICK, seeds=(2,)), resume=True)
    assert not (run / "manifest.json").exists()
    ensemble(run)
    departures = json.loads((run / "manifest.json").read_text())["departures"]
    spent = [one["seconds"] for one in history.read(run)]
    assert len(spent) == 2
    assert json.loads((run / "manifest.json").read_text())["seconds"] == pytest.approx(sum(spent), abs=0.06)
    assert any(words.startswith("2 networks of different seeds for each plane and task") for words in departures)
    prepare_run(few_exams, run, replace(QUICK, seeds=(3,)), "cpu", resume=True)  # and killed before its first step
    with pytest.raises(
        InputError, match=rf"not finished \(axial_acl_seed3\), .* `train --data DIR --out {run} --resume"
    ):
        ensemble(run)
    assert not (run / "manifest.json").exists()


def test_the_model_of_real_data_says_that_patients_cannot_be_told_apart(data, tmp_path):
    for name in ("cells", "cohort.json", "exams.csv"):
        if (data / name).exists():
            (data / name).rename(tmp_path / name)
    run = run_of(data, tmp_path / "run")
    ensemble(run)
    manifest = json.loads((run / "manifest.json").read_text())
    assert NO_PATIENTS in manifest["departures"]
    assert NO_PATIENTS in json.loads((run / "weights" / "axial_acl.json").read_text())["departures"]
    assert not manifest["synthetic"]


@pytest.mark.parametrize(
    ("known", "said"), [(16, []), (15, [f"Of 1 exams the data folder names no patient: {UNCHECKED}"])]
)
def test_the_model_of_data_with_patients_says_no_more_than_is_true_of_them(data, tmp_path, known, said):
    exams = [exam for ids in MRNetFolder.open(data).exams.values() for exam in ids]
    for name in ("cells", "cohort.json", "exams.csv"):
        if (data / name).exists():
            (data / name).rename(tmp_path / name)
    rows = [f"{int(exam)},{f'P{exam}' if n < known else ''}\n" for n, exam in enumerate(exams)]
    (data / "exams.csv").write_text("exam,patient\n" + "".join(rows))
    run = run_of(data, tmp_path / "run")
    ensemble(run)
    for path in (run / "manifest.json", run / "weights" / "axial_acl.json"):
        departures = json.loads(path.read_text())["departures"]
        assert [words for words in departures if UNCHECKED in words] == [f"{words} for them." for words in said]


def test_an_inner_part_of_the_training_exams_chooses_the_epoch_and_is_not_counted_as_trained_on(write_folder, tmp_path):
    data = write_folder(tmp_path / "data", {Split.TRAIN: 24, Split.TUNING: 8})
    run = run_of(data, tmp_path / "run", replace(QUICK, tuning="inner", inner_share=0.25))
    card = json.loads((run / "weights" / "axial_acl.json").read_text())
    folder = MRNetFolder.open(data, QUICK.planes, QUICK.tasks)
    training, chosen = training_sets(folder, Plane.AXIAL, torch.device("cpu"), 0.25)
    assert 0 < len(chosen) < len(training) < 24
    assert f"{len(training)} training exams" in card["trained_on"]
    assert card["data_hash"] == training.data_hash((Task.ACL,))
    outcome = np.load(run / "checkpoints" / "axial_acl_seed1.npz")
    assert len(outcome["train_exams"]) == 24  # every exam is scored all the same
    assert len(outcome["tuning_exams"]) == 8
    history = [json.loads(line) for line in (run / "history" / "axial_acl_seed1.jsonl").read_text().splitlines()]
    assert card["metrics"]["tuning_auc"] == history[0]["tuning_auc"]


def test_training_exams_too_few_to_choose_the_epoch_are_found_out_before_a_run_is_begun(few_exams, tmp_path):
    trunk = TrunkConfig(steps=2, slices=4)
    config = replace(QUICK, initialisation="cells", tuning="inner", inner_share=0.05, trunk=trunk)
    with pytest.raises(DatasetError, match=r"12 training exams are too few to take a share of 0.05"):
        run_of(few_exams, tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def cut_in_half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def flip_a_bit(whole: bytes) -> bytes:
    at = len(whole) // 2
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


@pytest.mark.parametrize("damage", [cut_in_half, flip_a_bit, lambda whole: b"", lambda whole: b"no archive"])
def test_a_damaged_outcome_is_named_and_resuming_writes_it_anew(few_exams, tmp_path, damage):
    run = run_of(few_exams, tmp_path / "run", replace(QUICK, epochs=0, head_first=True))
    path = run / "checkpoints" / "axial_acl_seed1.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(
        ArtifactError, match=r"axial_acl_seed1.npz is missing or damaged .* go on with `train --resume`"
    ):
        ensemble(run)
    run_of(few_exams, run, replace(QUICK, epochs=0, head_first=True), resume=True)
    kept, again = np.load(BytesIO(whole)), np.load(path)
    assert all(np.array_equal(kept[name], again[name]) for name in kept)
    ensemble(run)


def test_one_training_at_a_time_holds_a_run(few_exams, tmp_path):
    run = run_of(few_exams, tmp_path / "run")
    code = "import sys, pathlib\nfrom mrnet_core.training.prepare import held\n"
    code += "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(run)], cwd=ROOT, text=True, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="is being trained by another process: wait for it, or stop it first"):
            run_of(few_exams, run, resume=True)
        with pytest.raises(InputError, match="is being trained by another process: wait for it, or stop it first"):
            ensemble(run)
        other.send_signal(signal.SIGKILL)
    with held(run):  # the killed process holds it no longer
        pass


def test_of_two_trainings_that_begin_one_run_the_second_is_refused_while_the_first_still_reads_its_data(
    few_exams, tmp_path, monkeypatch
):
    run, first = tmp_path / "new" / "run", replace(QUICK, epochs=0, head_first=True)
    read = prepare._same_data

    def another_begins(folder, begun):
        monkeypatch.setattr(prepare, "_same_data", read)
        with pytest.raises(InputError, match="is being trained by another process: wait for it, or stop it first"):
            run_of(few_exams, run, replace(first, learning_rate=3e-4))
        return read(folder, begun)

    monkeypatch.setattr(prepare, "_same_data", another_begins)
    run_of(few_exams, run, first)
    assert TrainConfig.read(run / "config.json") == first


def test_a_run_that_is_refused_leaves_no_empty_folder_and_takes_no_file_for_one(few_exams, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file, and a run is a folder: name another --out"):
        run_of(few_exams, tmp_path / "file")
    with pytest.raises(InputError, match="no such file"):
        run_of(few_exams, tmp_path / "run", replace(QUICK, initialisation="absent.safetensors"))
    assert not (tmp_path / "run").exists()


def test_an_epoch_whose_history_was_not_written_any_more_comes_back_from_its_checkpoint(few_exams, tmp_path):
    run = run_of(few_exams, tmp_path / "run", replace(QUICK, epochs=2))
    path = run / "history" / "axial_acl_seed1.jsonl"
    whole = path.read_text()
    assert len(whole.splitlines()) == 2
    path.write_text(whole.splitlines()[0] + "\n")  # as if the disk had been full
    (run / "checkpoints" / "axial_acl_seed1.npz").unlink()
    run_of(few_exams, run, replace(QUICK, epochs=2), resume=True)
    assert path.read_text() == whole
