"""Small studies from end to end: they learn, and they end the same whatever happens to them on the way."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mrnet_core.api.runs import Engine, ensemble, train
from mrnet_core.cli import main
from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.domain import Cancelled, InputError, InstallationError, Plane, Split, Task
from mrnet_core.ensemble import Predictor
from mrnet_core.models import initialise, load_network, trained_on
from mrnet_core.training import loop, ray_engine
from mrnet_core.training.graphs import GPU_TOLERANCE
from mrnet_core.training.outcome import outcome_path, read_outcome

ROOT = Path(__file__).resolve().parents[2]
LOCAL = Engine()
ONE = TrainConfig(
    planes=(Plane.SAGITTAL,),
    tasks=(Task.ACL, Task.MENISCUS),
    epochs=2,
    initialisation="random",
    learning_rate=1e-4,
    warm_up=4,
    precision="float32",
)
"""Two networks of one plane from scratch: quick enough to be run several times."""


@pytest.fixture(scope="module")
def study(plain_folder, tmp_path_factory):
    """Nine networks from one trunk, their last layers fitted, and their ensemble."""
    run = tmp_path_factory.mktemp("study") / "run"
    config = TrainConfig(
        initialisation="cells", head_first=True, epochs=0, trunk=TrunkConfig(steps=40, slices=12, warm_up=10)
    )
    train(plain_folder, run, config, device="cpu", engine=LOCAL)
    return run, ensemble(run, name="small study")


@pytest.fixture(scope="module")
def undisturbed(few_exams, tmp_path_factory):
    run = tmp_path_factory.mktemp("one") / "run"
    torch.set_num_threads(1)
    train(few_exams, run, ONE, device="cpu", engine=LOCAL)
    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def weights_of(run, name):
    return torch.load(run / "checkpoints" / f"{name}.pt", weights_only=True)["model"]


def same_files(first, second):
    """Weights, cards, histories, answers and checkpoints of two runs are equal, but for what the clock says."""
    for task in ONE.tasks:
        name = f"sagittal_{task}_seed1"
        one, other = (weights_of(run, name) for run in (first, second))
        for key, value in one.items():
            assert torch.equal(value, other[key]), f"{task}: {key}"
        path = Path("weights") / f"sagittal_{task}.safetensors"
        assert (first / path).read_bytes() == (second / path).read_bytes(), task
        cards = [json.loads((run / path).with_suffix(".json").read_text()) for run in (first, second)]
        aside = {"seconds": 0, "config_hash": ""}  # how many networks share a job is in the configuration, too
        assert cards[0] | aside == cards[1] | aside
        assert table_of_epochs(first, task) == table_of_epochs(second, task)
        answers = [np.load(outcome_path(run, name)) for run in (first, second)]
        assert set(answers[0]) == set(answers[1])
        for key in answers[0]:
            np.testing.assert_array_equal(answers[0][key], answers[1][key], f"{task}: {key}")


def test_nine_networks_learn_and_their_ensemble_ranks_held_out_exams(study):
    run, _ = study
    scores, labels = (table(run / "scores" / f"validation_{kind}.csv") for kind in ("scores", "labels"))
    assert [(row["exam"], row["task"]) for row in scores] == [(row["exam"], row["task"]) for row in labels]
    for task in Task:
        y_true = [int(row["label"]) for row in labels if row["task"] == task]
        y_score = [float(row["probability"]) for row in scores if row["task"] == task]
        assert len(y_true) == 12
        assert roc_auc_score(y_true, y_score) > 0.95, task


def test_the_run_is_a_model_that_answers_as_its_score_tables_say(study, plain_folder):
    run, _ = study
    predictor = Predictor.load(run)
    assert predictor.info.name == "small study"
    assert predictor.info.synthetic
    exam = table(run / "scores" / "validation_scores.csv")[0]["exam"]
    stacks = {plane: np.load(plain_folder / "test" / plane / f"{exam}.npy") for plane in Plane}
    found = predictor.predict(stacks)
    expected = {row["task"]: row["probability"] for row in table(run / "scores" / "validation_scores.csv")[:36]}
    by_exam = {
        (row["exam"], row["task"]): float(row["probability"]) for row in table(run / "scores" / "validation_scores.csv")
    }
    assert set(expected) == set(Task)
    for task in Task:
        assert found.probabilities[task] == pytest.approx(by_exam[exam, task], abs=1e-4)


def test_networks_csv_holds_every_split_exam_plane_and_task(study):
    rows = table(study[0] / "scores" / "networks.csv")
    assert len(rows) == (24 + 12 + 12) * 9
    assert {row["split"] for row in rows} == {split.value for split in Split}
    assert all(0 < float(row["probability"]) < 1 for row in rows)


def test_the_manifest_lists_departures_coefficients_of_both_stackings_and_no_checkpoint(study):
    run, summary = study
    manifest = json.loads((run / "manifest.json").read_text())
    assert any("trunk trained on dense labels" in words for words in manifest["departures"])
    assert any("epoch 0" in words for words in manifest["departures"])
    assert any("L2 with C = 1" in words for words in manifest["departures"])
    assert {record["source"] for record in manifest["coefficients"]} == {"training", "out-of-fold"}
    assert not any(name.startswith("checkpoints") for name in manifest["files"])
    assert manifest["trunk"]["steps"] == 40
    assert len(summary.coefficients) == 2 * 3 * 4  # two stackings, three tasks, three pairs and one triple
    text = (run / "config.json").read_text() + json.dumps(manifest)
    assert str(run) not in text


def test_the_trunk_of_one_run_is_a_start_for_networks_of_another(study):
    path = study[0] / "checkpoints" / "trunk.pt"
    model, words = initialise(path, 1)
    assert words.startswith("file trunk.pt (SHA-256 ")
    assert trained_on(path).startswith("dense labels of synthetic knees")
    kept = torch.load(path, weights_only=True)["parts"]["features"]
    assert torch.allclose(model.features[0].weight.sum(dim=1, keepdim=True), kept["0.weight"], atol=1e-6)
    for name in set(kept) - {"0.weight"}:
        assert torch.equal(model.features.state_dict()[name], kept[name]), name


def test_two_runs_with_one_seed_end_with_equal_weights_and_another_seed_with_others(undisturbed, few_exams, tmp_path):
    train(few_exams, tmp_path / "again", ONE, device="cpu", engine=LOCAL)
    same_files(undisturbed, tmp_path / "again")
    other = TrainConfig(**{**vars(ONE), "seeds": (2,), "tasks": (Task.ACL,), "epochs": 1})
    train(few_exams, tmp_path / "other", other, device="cpu", engine=LOCAL)
    one, two = weights_of(undisturbed, "sagittal_acl_seed1"), weights_of(tmp_path / "other", "sagittal_acl_seed2")
    assert not torch.equal(one["features.0.weight"], two["features.0.weight"])


def test_a_network_is_the_same_whichever_others_run_beside_it(undisturbed, few_exams, tmp_path):
    alone = TrainConfig(**{**vars(ONE), "tasks": (Task.MENISCUS,)})
    train(few_exams, tmp_path / "alone", alone, device="cpu", engine=LOCAL)
    one, other = (weights_of(run, "sagittal_meniscus_seed1") for run in (undisturbed, tmp_path / "alone"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_last_layers_on_random_convolutions_are_those_of_each_network_alone_and_rank_as_the_card_says(
    few_exams, tmp_path
):
    both = TrainConfig(**{**vars(ONE), "epochs": 0, "head_first": True})
    train(few_exams, tmp_path / "both", both, device="cpu", engine=LOCAL)
    for task in both.tasks:
        alone, name = tmp_path / task, f"sagittal_{task}_seed1"
        train(few_exams, alone, TrainConfig(**{**vars(both), "tasks": (task,)}), device="cpu", engine=LOCAL)
        one, other = (weights_of(run, name) for run in (tmp_path / "both", alone))
        assert all(torch.equal(value, other[key]) for key, value in one.items()), task
        said = load_network(tmp_path / "both" / "weights" / f"sagittal_{task}.safetensors")[1].metrics["tuning_auc"]
        tuning = read_outcome(tmp_path / "both", name)[Split.TUNING]
        assert said == pytest.approx(roc_auc_score(tuning.labels, tuning.logits), abs=0.02), task


def test_a_run_killed_in_its_second_epoch_and_resumed_ends_with_the_weights_of_an_undisturbed_one(
    undisturbed, few_exams, tmp_path
):
    run = tmp_path / "run"
    config = tmp_path / "config.json"
    config.write_text(ONE.to_json())
    command = [sys.executable, "-m", "mrnet_core", "train", "--data", str(few_exams), "--out", str(run)]
    command += ["--config", str(config), "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        waiting = [run / "history" / f"sagittal_{task}_seed1.jsonl" for task in ONE.tasks]
        end = time.monotonic() + 240
        while not all(path.is_file() for path in waiting) and time.monotonic() < end and child.poll() is None:
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL, "the child ended by itself before it could be killed"
    lines = [path.read_text().splitlines() for path in waiting]
    assert [len(one) for one in lines] == [1, 1]
    assert not (run / "weights").exists()
    with pytest.raises(InputError, match="holds a run already: give --resume"):
        train(few_exams, run, ONE, device="cpu", engine=LOCAL)
    train(few_exams, run, ONE, device="cpu", resume=True, engine=LOCAL)
    same_files(undisturbed, run)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_a_run_stopped_by_ctrl_c_goes_on_to_the_same_weights_on_a_gpu_within_its_tolerance(
    few_exams, tmp_path, monkeypatch, device
):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(few_exams, whole, ONE, device=device, engine=LOCAL)
    real = loop.train_epoch

    def stop_in_the_second(networks, training, epoch, *others):
        if epoch == 2:
            raise KeyboardInterrupt
        return real(networks, training, epoch, *others)

    monkeypatch.setattr(loop, "train_epoch", stop_in_the_second)
    with pytest.raises(Cancelled, match="every whole epoch is kept: the same command with --resume goes on"):
        train(few_exams, cut, ONE, device=device, engine=LOCAL)
    assert len(table_of_epochs(cut, Task.ACL)) == 1
    monkeypatch.setattr(loop, "train_epoch", real)
    train(few_exams, cut, ONE, device=device, resume=True, engine=LOCAL)
    for task in ONE.tasks:
        first = loop.first_model(ONE, whole, loop.Job(Plane.SAGITTAL, ONE.tasks, 1), task)[0].state_dict()
        one, other = (weights_of(run, f"sagittal_{task}_seed1") for run in (whole, cut))
        for name, value in one.items():
            allowed = 0.0 if device == "cpu" else GPU_TOLERANCE * (value.cpu() - first[name]).norm()
            assert (value - other[name]).norm() <= allowed, f"{task}: {name}"


def table_of_epochs(run, task):
    lines = (run / "history" / f"sagittal_{task}_seed1.jsonl").read_text().splitlines()
    keys = ("epoch", "train_loss", "tuning_loss", "tuning_auc", "logit_sd", "chosen")
    return [{key: json.loads(line)[key] for key in keys} for line in lines]


def test_exactly_the_epoch_of_lowest_tuning_loss_is_marked_as_chosen(undisturbed):
    for task in ONE.tasks:
        epochs = table_of_epochs(undisturbed, task)
        best = min(epochs, key=lambda one: one["tuning_loss"])
        assert [one["epoch"] for one in epochs if one["chosen"]] == [best["epoch"]]
        assert load_network(undisturbed / "weights" / f"sagittal_{task}.safetensors")[1].epoch == best["epoch"]


def test_two_processes_write_what_one_writes(undisturbed, few_exams, tmp_path):
    config = TrainConfig(**{**vars(ONE), "side_by_side": 1})
    train(few_exams, tmp_path / "run", config, device="cpu", engine=Engine("local", 2))
    same_files(undisturbed, tmp_path / "run")


def test_two_ray_workers_write_what_the_local_engine_writes(undisturbed, few_exams, tmp_path):
    config = TrainConfig(**{**vars(ONE), "side_by_side": 1})
    train(few_exams, tmp_path / "run", config, device="cpu", engine=Engine("ray", 2))
    same_files(undisturbed, tmp_path / "run")


def test_a_job_that_is_lost_with_its_ray_worker_ends_in_a_sentence(few_exams, tmp_path, monkeypatch):
    def die(job, setting):
        os._exit(3)

    monkeypatch.setattr(ray_engine, "_job", die)
    config = TrainConfig(**{**vars(ONE), "tasks": (Task.ACL,)})
    with pytest.raises(InstallationError, match=r"a job on Ray failed: .*--resume goes on after the last whole epoch"):
        train(few_exams, tmp_path / "run", config, device="cpu", engine=Engine("ray", 1))


def test_a_network_that_collapsed_is_named_by_the_ensemble(few_exams, tmp_path, capsys):
    """A rate of 1e-9 leaves the last layer as it began: near zero, so the logit hardly moves."""
    run = tmp_path / "dead"
    config = TrainConfig(
        planes=(Plane.AXIAL,), tasks=(Task.ACL,), epochs=1, initialisation="random", learning_rate=1e-9
    )
    train(few_exams, run, config, device="cpu", engine=LOCAL)
    outcome = read_outcome(run, "axial_acl_seed1")
    summary = ensemble(run)
    spread = outcome[Split.TUNING].logits.std()
    assert spread < 0.05
    assert any("axial acl is constant" in words for words in summary.warnings)
    card = json.loads((run / "weights" / "axial_acl.json").read_text())
    assert any("This network is constant" in words for words in card["departures"])
    assert main(["ensemble", str(run)]) == 0
    assert "warning: The network axial acl is constant" in capsys.readouterr().err


def test_the_training_path_imports_without_the_apps_libraries():
    """A machine with torch, torchvision, numpy, pandas, scikit-learn (with its scipy) and safetensors alone."""
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pydicom", "streamlit", "plotly", "matplotlib", "pptx", "statsmodels", "imagecodecs",
                                  "jpeg_ls", "openjpeg", "ray", "tensorboard", "altair"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import mrnet_core.cli.train, mrnet_core.cli.ensemble, mrnet_core.api.runs, mrnet_core.training.sweep
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
