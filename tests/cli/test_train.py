import argparse
import json

import numpy as np
import pytest
import torch

from mrnet_core.api import runs
from mrnet_core.api.run_view import read_run
from mrnet_core.cli import main, train
from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.domain import InputError, Plane, Split, Task


def asked(*words) -> TrainConfig:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.protocol(parser.parse_args(["--data", "d", "--out", "r", *words]))


@pytest.fixture
def folder(tmp_path):
    """Eight training and four valid exams of three slices in one plane: enough to be checked."""
    root = tmp_path / "data"
    generator = np.random.default_rng(2)
    for split, first, count in ((Split.TRAIN, 0, 8), (Split.TUNING, 8, 4)):
        exams = [f"{first + index:04d}" for index in range(count)]
        (root / split.folder / "axial").mkdir(parents=True)
        for exam in exams:
            np.save(root / split.folder / "axial" / f"{exam}.npy", generator.integers(0, 256, (3, 256, 256), np.uint8))
        for task in Task:
            rows = "".join(f"{exam},{index % 2}\n" for index, exam in enumerate(exams))
            (root / f"{split.folder}-{task}.csv").write_text(rows)
    return root


def test_left_alone_the_protocol_is_the_papers():
    config = asked()
    assert config == TrainConfig()
    assert (config.epochs, config.exams_per_step, config.initialisation) == (50, 1, "imagenet")
    assert (config.rotation_degrees, config.shift_pixels, config.flip) == (25, 25, 0.5)
    assert [words for words in config.departures() if not words.startswith("Not given by the paper")] == []


def test_arguments_change_what_they_name_and_every_change_is_a_departure():
    config = asked(
        *("--planes", "axial,sagittal", "--tasks", "acl", "--seeds", "3,1", "--epochs", "2"),
        *("--trunk", "cells", "--trunk-steps", "70", "--exams-per-step", "4", "--tuning", "inner"),
    )
    assert config.planes == (Plane.SAGITTAL, Plane.AXIAL)
    assert (config.tasks, config.seeds, config.epochs) == ((Task.ACL,), (3, 1), 2)
    assert config.head_first
    assert config.trunk == TrunkConfig(steps=70)
    words = " ".join(config.departures())
    for part in ("Epochs: 2 (paper: 50)", "Exams a step: 4 (paper: 1)", "dense labels", "epoch 0", "chosen on 15%"):
        assert part in words


def test_a_trunk_that_saw_the_inner_set_is_a_departure_where_there_is_one():
    sees = "with its masks, also on those that then chose the epochs and the last layers' penalty"
    for tuning, trunk in (("inner", "cells"), ("inner", "random"), ("valid", "cells")):
        words = " ".join(asked("--tuning", tuning, "--trunk", trunk, "--head-first").departures())
        assert (sees in words) == (tuning == "inner" and trunk == "cells")


def test_a_file_of_weights_is_a_way_to_start_and_is_listed_among_the_departures(tmp_path):
    path = tmp_path / "alexnet.safetensors"
    config = asked("--trunk", str(path))
    assert (config.initialisation, config.head_first) == (str(path), False)
    assert "Initialisation: the weights of alexnet.safetensors (paper: ImageNet)." in config.departures()
    with pytest.raises(InputError, match="'nowhere' is unknown; choose one of imagenet, random, cells, a file"):
        asked("--trunk", "nowhere")


def test_a_configuration_file_comes_back_whole_and_arguments_win_over_it(tmp_path):
    kept = TrainConfig(epochs=7, initialisation="random", trunk=TrunkConfig(slices=9), seeds=(4,))
    path = tmp_path / "c.json"
    path.write_text(kept.to_json())
    assert asked("--config", str(path)) == kept
    changed = asked("--config", str(path), "--epochs", "3")
    assert (changed.epochs, changed.initialisation, changed.trunk.slices) == (3, "random", 9)
    assert changed.hash != kept.hash
    assert TrainConfig.from_json(kept.to_json()).hash == kept.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[1]", "must be one JSON object"),
        ('{"epoch": 3}', "unknown fields: epoch"),
        ('{"trunk": {"depth": 3}}', "unknown fields: depth"),
        ('{"planes": ["axil"]}', "a value that its field does not allow"),
        ('{"epochs": 1.5}', "whole number of at least 0; got 1.5"),
        ('{"epochs": 0}', "0 epochs leave the last layer at random"),
        ('{"learning_rate": 0}', "finite number above 0"),
        ('{"precision": "float8"}', "'float8' is unknown"),
        ('{"flip": 2}', "between 0 and 1"),
        ('{"initialisation": null}', "initialisation None is unknown; choose one of imagenet, random, cells, a file"),
        ('{"initialisation": 5}', "initialisation 5 is unknown; choose one of"),
        ('{"schedule": ["constant"]}', r"schedule \['constant'\] is unknown; choose one of constant, cosine"),
        ('{"head_first": "no"}', "head_first must be true or false; got 'no'"),
        ('{"head_first": 1}', "head_first must be true or false; got 1"),
        ('{"seeds": "12"}', "seeds must be a list; got '12'"),
        ('{"seeds": 1}', "seeds must be a list; got 1"),
        ('{"seeds": [1.9]}', "a seed must be a whole number of at least 0; got 1.9"),
        ('{"seeds": [1e400]}', "a seed must be a whole number of at least 0; got inf"),
        ('{"seeds": [2, true]}', "a seed must be a whole number of at least 0; got True"),
        ('{"seeds": ["3"]}', "a seed must be a whole number of at least 0; got '3'"),
        ('{"planes": "axial"}', "planes must be a list; got 'axial'"),
        ('{"tasks": null}', "tasks must be a list; got None"),
        ('{"planes": [["axial"]]}', "a value that its field does not allow"),
        ('{"planes": ["sagittal", "coronal", "axial", "axil"]}', "'axil' is not a valid Plane"),
        ('{"clip": 1' + "0" * 400 + "}", "clip must be a number from 0 to 1e"),
        ('{"epochs": 1' + "0" * 5000 + "}", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"trunk": {"clip": null}}', r"trunk\.clip must be a finite number above 0; got None"),
        ('{"inner_share": 0}', "inner_share must lie between 0 and 1 and be neither, .*; got 0"),
        ('{"inner_share": 1.0}', "inner_share must lie between 0 and 1 and be neither, .*; got 1.0"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        TrainConfig.from_json(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--planes", "axil"), "--planes 'axil': give words of sagittal, coronal, axial"),
        (("--tasks", ""), "--tasks '': give words of"),
        (("--seeds", "1,two"), "--seeds '1,two': give whole numbers"),
        (("--config", "nowhere.json"), "nowhere.json cannot be read"),
    ],
)
def test_words_that_are_none_are_refused(words, message):
    with pytest.raises(InputError, match=message):
        asked(*words)


def test_a_damaged_configuration_is_refused_with_the_name_of_its_file(tmp_path, folder, capsys):
    run = tmp_path / "run"
    run.mkdir()
    words = ["train", "--data", str(folder), "--out", str(run), "--resume", "--device", "cpu"]
    for text in ("{", '{"epochs": -1}', "[]"):
        (run / "config.json").write_text(text)
        for asked in (words, [*words, "--config", str(tmp_path / "mine.json")], ["ensemble", str(run)]):
            (tmp_path / "mine.json").write_text(TrainConfig().to_json())
            assert main(asked) == 2
            assert f"{run / 'config.json'}: " in capsys.readouterr().err
    assert read_error(run).startswith(f"{run / 'config.json'}: ")


def read_error(run) -> str:
    with pytest.raises(InputError) as caught:
        read_run(str(run))
    return str(caught.value)


def test_a_file_where_the_runs_folder_should_be_is_called_a_file_and_left_alone(tmp_path, folder, capsys):
    out = tmp_path / "run"
    out.write_text("mine")
    words = ["train", "--data", str(folder), "--out", str(out), "--planes", "axial", "--trunk", "random"]
    for more in ([], ["--resume"]):
        assert main([*words, "--device", "cpu", *more]) == 2
        assert f"{out} is a file, and a run is a folder: name another --out" in capsys.readouterr().err
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--address", "10.0.0.1:6379"), "--address 10.0.0.1:6379 names a Ray cluster: give --engine ray with it"),
        (("--workers", "-1"), "--workers must be 0 (one job, or one a GPU) or more; got -1"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "reproduce"])
def test_an_engine_that_makes_no_sense_is_refused_before_anything_is_done(tmp_path, capsys, verb, words, message):
    assert main([verb, "--data", str(tmp_path), "--out", str(tmp_path / "run"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_in_bfloat16_on_a_processor_without_it_is_told_to_be_slow(tmp_path, folder, capsys, monkeypatch):
    monkeypatch.setattr(runs, "run_local", lambda *_: None)
    monkeypatch.setattr(runs, "finish", lambda *_: {})
    words = ["train", "--data", str(folder), "--planes", "axial", "--trunk", "random", "--device", "cpu"]
    for has, precision in ((False, "bfloat16"), (True, "bfloat16"), (False, "float32"), (False, "auto")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert main([*words, "--out", str(tmp_path / f"{has} {precision}"), "--precision", precision]) == 0
        slow = "has no instructions for it: a step takes many times longer" in capsys.readouterr().err
        assert slow == (precision == "bfloat16" and not has)


def test_a_folder_at_fault_is_status_2_with_nothing_on_stdout_and_no_run_begun(tmp_path, folder, capsys):
    (folder / "train" / "axial" / "0003.npy").unlink()
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), "--planes", "axial", "--trunk", "random"]
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "train/axial lacks labelled exams: 0003" in said.err
    assert not (tmp_path / "run").exists()


def test_dense_labels_that_are_missing_are_named_before_anything_is_trained(tmp_path, folder, capsys):
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), "--planes", "axial"]
    assert main([*words, "--trunk", "cells", "--epochs", "0", "--device", "cpu"]) == 2
    assert "dense labels come with `phantom OUT --mrnet`" in capsys.readouterr().err


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, folder, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), "--planes", "axial", "--trunk", "random"]
    assert main([*words, "--device", "cpu"]) == 2
    assert "is not empty and no run was begun in it" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_resuming_with_other_settings_names_them(tmp_path, folder, capsys):
    run = tmp_path / "run"
    run.mkdir()
    kept = TrainConfig(planes=(Plane.AXIAL,), initialisation="random", epochs=3, precision="float32")
    (run / "config.json").write_text(kept.to_json())
    words = ["train", "--data", str(folder), "--out", str(run), "--planes", "axial", "--trunk", "random"]
    words += ["--precision", "float32", "--device", "cpu", "--epochs", "4"]
    assert main(words) == 2
    assert "holds a run already: give --resume" in capsys.readouterr().err
    assert main([*words, "--resume", "--learning-rate", "0.5"]) == 2
    assert "was begun with another epochs, learning_rate" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_status_1(tmp_path, folder, capsys):
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), "--planes", "axial", "--trunk", "random"]
    assert main([*words, "--device", "cuda"]) == 1
    assert "no CUDA device is at hand" in capsys.readouterr().err


def test_ray_that_is_not_installed_is_status_1_with_the_way_out(tmp_path, folder, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    words = ["train", "--data", str(folder), "--out", str(tmp_path / "run"), "--planes", "axial", "--trunk", "random"]
    assert main([*words, "--device", "cpu", "--engine", "ray"]) == 1
    assert "pip install -r requirements-ray.txt" in capsys.readouterr().err


def test_an_ensemble_of_a_run_that_is_not_finished_says_how_to_finish_it(tmp_path, capsys):
    assert main(["ensemble", str(tmp_path)]) == 2
    assert "is no run: config.json cannot be read" in capsys.readouterr().err
    (tmp_path / "config.json").write_text(TrainConfig().to_json())
    assert main(["ensemble", str(tmp_path)]) == 2
    assert "sagittal_abnormal.safetensors is missing: finish the run with `train" in capsys.readouterr().err


def test_the_configuration_on_disk_names_no_place_of_this_machine(tmp_path):
    values = json.loads(TrainConfig().to_json())
    assert not [key for key, value in values.items() if isinstance(value, str) and "/" in value]
