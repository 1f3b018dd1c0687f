"""A run of fewer than nine networks: no model, told as the person's own choice, and made whole by the command named.

And what the manifest says of the networks that were joined.
"""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from mrnet_core.api import runs
from mrnet_core.api.localisation import grade_run
from mrnet_core.api.run_view import commit_words, read_run
from mrnet_core.api.runs import Engine, ensemble, read_config, train
from mrnet_core.cli import main
from mrnet_core.config import TrainConfig
from mrnet_core.domain import InputError, Plane, Split, Task
from mrnet_core.ensemble import OUT_OF_FOLD_SOURCE, Predictor
from mrnet_core.store import GRADES, network_hashes, partial_words, write_whole
from mrnet_core.training.outcome import outcome_path, read_outcome

QUICK = {"epochs": 0, "head_first": True, "initialisation": "random", "precision": "float32"}


@pytest.fixture(scope="module")
def pair(few_exams, tmp_path_factory):
    """Two networks of one plane."""
    run = tmp_path_factory.mktemp("pair") / "run"
    config = TrainConfig(planes=(Plane.SAGITTAL,), tasks=(Task.ACL, Task.MENISCUS), **QUICK)
    train(few_exams, run, config, device="cpu", engine=Engine())
    return run


def manifest_of(run):
    return json.loads((run / "manifest.json").read_text())


def test_the_manifest_names_every_commit_and_device_of_the_networks_and_the_commit_of_joining(pair, monkeypatch):
    monkeypatch.setattr(runs, "commit", lambda: "c" * 40)
    for task, commit in ((Task.ACL, "a" * 40), (Task.MENISCUS, "b" * 40 + "+changes")):
        path = pair / "weights" / f"sagittal_{task}.json"
        card = json.loads(path.read_text()) | {"commit": commit, "device": f"CPU of {task}, 2 threads"}
        path.write_text(json.dumps(card))
    ensemble(pair)
    found = manifest_of(pair)
    assert found["commit"] == f"{'a' * 40}, {'b' * 40}+changes"
    assert found["ensemble_commit"] == "c" * 40
    assert found["device"] == "CPU of acl, 2 threads and CPU of meniscus, 2 threads"
    assert commit_words(found) == "aaaaaaaaaaaa, bbbbbbbbbbbb+changes; joined at cccccccccccc"
    path.write_text(json.dumps(card | {"commit": "a" * 40, "device": "CPU of acl, 2 threads"}))
    ensemble(pair)
    assert (manifest_of(pair)["commit"], manifest_of(pair)["device"]) == ("a" * 40, "CPU of acl, 2 threads")


def test_heatmap_grades_stay_while_their_networks_do_and_go_with_them(pair):
    path, said = pair / GRADES, f"The heatmap grades ({GRADES}) were of other networks and are removed."
    write_whole(path, json.dumps({"weights": network_hashes(pair)}))
    assert said not in ensemble(pair).warnings
    assert GRADES in manifest_of(pair)["files"]
    other = network_hashes(pair) | {"sagittal_acl.safetensors": "0" * 64}
    for text in (json.dumps({"weights": other}), "{}", "[]", "{"):
        write_whole(path, text)
        assert said in ensemble(pair).warnings
        assert not path.exists()
        assert GRADES not in manifest_of(pair)["files"]


@pytest.mark.parametrize("stacking", ["training", "out-of-fold"])
def test_a_single_plane_has_no_regression_and_its_card_speaks_of_none(pair, stacking):
    ensemble(pair, stacking=stacking)
    found = manifest_of(pair)
    assert found["stacking"] == ""
    assert "regression" not in " ".join(found["departures"])
    assert read_run(pair).card["Regressions fitted on"] == "nothing: one plane has no regression"


def test_the_card_says_of_more_planes_that_only_last_layers_are_refitted_and_which_penalty_the_regressions_have():
    (penalty,) = runs._stacking_words("training", TrainConfig())
    assert penalty == "Not given by the paper: the regressions' penalty, L2 with C = 1 (scikit-learn's default)."
    first, second = runs._stacking_words("out-of-fold", TrainConfig())
    assert second == penalty
    assert "the convolutions were trained on all training exams" in first
    assert "convolutions that saw every training exam" in OUT_OF_FOLD_SOURCE


def test_folds_keep_the_patients_of_exams_csv_whole_and_where_they_cannot_the_ensemble_says_so(write_folder, tmp_path):
    data = write_folder(tmp_path / "data", {Split.TRAIN: 12, Split.TUNING: 8})
    rows = "".join(f"{exam},P{exam // 4}\n" for exam in range(20))  # of four exams of a patient, one to three are torn
    (data / "exams.csv").write_text(f"exam,patient\n{rows}")
    run = tmp_path / "run"
    config = TrainConfig(planes=(Plane.SAGITTAL, Plane.AXIAL), tasks=(Task.ACL,), **QUICK)
    train(data, run, config, device="cpu", engine=Engine())
    outcome = read_outcome(run, "axial_acl_seed1")
    assert outcome[Split.TRAIN].groups.tolist() == [exam // 4 for exam in range(12)]
    assert outcome[Split.TUNING].groups is None
    assert "out of fold" not in " ".join(ensemble(run).warnings)

    def said_of(**groups):
        for plane in config.planes:
            path = outcome_path(run, f"{plane}_acl_seed1")
            with np.load(path) as file:
                arrays = {name: file[name] for name in file if name != "train_groups"}
            np.savez(path, **arrays, **groups)
        (said,) = (words for words in ensemble(run).warnings if "out of fold" in words)
        assert said in manifest_of(run)["warnings"]
        return said

    one_torn_patient = np.where(outcome[Split.TRAIN].labels == 1, 99, np.arange(12))
    assert said_of(train_groups=one_torn_patient).startswith("Predictions out of fold of acl: exams of a patient lie")
    assert "was trained before runs kept which exams are of one patient" in said_of()


def test_a_run_on_a_cohort_is_joined_where_pydicom_is_missing_and_what_was_left_out_is_said(
    write_folder, tmp_path, monkeypatch
):
    data = write_folder(tmp_path / "data", dict.fromkeys(Split, 8))
    (data / "lesions.jsonl").write_text("")
    train(data, tmp_path / "run", TrainConfig(planes=(Plane.SAGITTAL,), **QUICK), device="cpu", engine=Engine())

    class Bare:
        def find_spec(self, name, path=None, target=None):
            if name == "mrnet_core.api.cohort_studies":
                raise ModuleNotFoundError(name="pydicom")

    monkeypatch.delitem(sys.modules, "mrnet_core.api.cohort_studies", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Bare(), *sys.meta_path])
    (said,) = (words for words in ensemble(tmp_path / "run").warnings if "simulated readers" in words)
    assert said.startswith("The library pydicom is missing here, so the simulated readers and the shortcut's AUC were")
    assert "again where the app's requirements are installed" in said
    assert said not in manifest_of(tmp_path / "run")["warnings"]


def test_a_run_of_one_network_is_refused_as_a_model_until_the_rest_is_trained_and_joined(
    write_folder, tmp_path, capsys
):
    data = write_folder(tmp_path / "data", {Split.TRAIN: 12, Split.TUNING: 8})
    run = tmp_path / "run"
    config = TrainConfig(planes=(Plane.SAGITTAL,), tasks=(Task.ACL,), **QUICK)
    train(data, run, config, device="cpu", engine=Engine())
    assert main(["ensemble", str(run)]) == 0
    words = "holds the networks of sagittal for acl alone, and answering exams takes all nine: give the `train` command"
    assert words in capsys.readouterr().out
    assert main(["predict", str(tmp_path), "--model", str(run)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    (data / "lesions.jsonl").write_text("")
    with pytest.raises(InputError, match=words):
        grade_run(run, data)

    train(data, run, TrainConfig(**QUICK), device="cpu", resume=True, engine=Engine())
    with pytest.raises(InputError, match=r"is no model yet, .* then run `python -m mrnet_core ensemble "):
        Predictor.load(run)
    ensemble(run, drop_checkpoints=True)
    assert len(Predictor.load(run).networks) == 9
    assert not (run / "checkpoints").exists()


def test_the_checkpoints_that_more_networks_are_added_to_are_not_dropped(pair):
    with pytest.raises(InputError, match=r"holds fewer than nine networks, .* leave --drop-checkpoints out"):
        ensemble(pair, drop_checkpoints=True)
    assert (pair / "checkpoints" / "data.json").is_file()


def test_a_run_that_takes_no_more_networks_is_told_to_train_all_nine_into_another_folder(pair, tmp_path):
    bare = shutil.copytree(pair, tmp_path / "bare", ignore=shutil.ignore_patterns("checkpoints"))
    config = read_config(pair)
    assert "with --resume" in partial_words(config, pair)
    every = "train into another --out, with --planes sagittal,coronal,axial and --tasks abnormal,acl,meniscus"
    for run, asked, why in (
        (bare, config, "its checkpoints were removed, so "),
        (pair, replace(config, initialisation="cells"), "its trunk takes no plane and no task more, so "),
    ):
        said = partial_words(asked, run)
        assert said.endswith(f"answering exams takes all nine: {why}{every}")
