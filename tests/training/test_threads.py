"""The number of threads that a run was begun with on a CPU, on which the last bits of its weights hang."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mrnet_core.api.runs import Engine, train
from mrnet_core.config import TrainConfig
from mrnet_core.domain import Cancelled, Plane, Task
from mrnet_core.training import loop, prepare, threads
from mrnet_core.training.loop import Setting
from mrnet_core.training.sweep import job_threads, plan_jobs
from mrnet_core.training.threads import kept_threads, on_threads

ONE = TrainConfig(
    planes=(Plane.AXIAL,),
    tasks=(Task.ACL,),
    epochs=2,
    initialisation="random",
    learning_rate=1e-4,
    warm_up=4,
    precision="float32",
)


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 4)


def test_the_number_that_a_part_was_begun_with_is_kept_and_taken_again_where_it_can_be_had(tmp_path):
    assert kept_threads(tmp_path, "trunk", 4) == (4, "")
    assert kept_threads(tmp_path, "job", 2, beside=2) == (2, "")
    assert kept_threads(tmp_path, "trunk", 4) == (4, "")
    number, words = kept_threads(tmp_path, "trunk", 1)
    assert number == 4
    assert words.startswith("The trunk goes on with 4 threads, as it was begun")
    number, words = kept_threads(tmp_path, "job", 1, beside=3)  # 6 threads on 4 cores
    assert number == 1
    assert words.startswith("Every job was begun with 2 threads and goes on with 1, all that it can have here: the")
    assert words.endswith("differ by rounding from those of a run that was not stopped.")
    assert json.loads((tmp_path / "checkpoints" / "threads.json").read_text()) == {"trunk": 4, "job": 2}


@pytest.mark.parametrize("text", ["{", "[]", '{"job": "many"}', '{"job": null}'])
def test_a_damaged_note_of_threads_is_written_anew(tmp_path, text):
    path = tmp_path / "checkpoints" / "threads.json"
    path.parent.mkdir()
    path.write_text(text)
    assert kept_threads(tmp_path, "job", 3) == (3, "")
    assert json.loads(path.read_text()) == {"job": 3}


def test_a_job_on_ray_has_one_thread_and_one_on_a_gpu_is_left_as_it_is(tmp_path):
    jobs = plan_jobs(ONE)
    assert job_threads(jobs, Setting(Path("data"), tmp_path, ONE, "cuda"), Engine()) == (0, "")
    setting = Setting(Path("data"), tmp_path, ONE, "cpu")
    with on_threads(4):
        assert job_threads(jobs, setting, Engine(workers=2)) == (2, "")
        number, words = job_threads(jobs, setting, Engine("ray", 2))
    assert number == 1
    assert "differ by rounding" in words
    assert torch.get_num_threads() == 1


def test_a_run_that_goes_on_where_other_threads_are_usual_computes_with_those_it_was_begun_with(
    few_exams, tmp_path, monkeypatch, capsys
):
    seen = []

    def stop_once_in_the_second(networks, training, epoch, *others):
        seen.append((epoch, torch.get_num_threads()))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return [0.5] * len(networks)

    monkeypatch.setattr(loop, "train_epoch", stop_once_in_the_second)
    with on_threads(2), pytest.raises(Cancelled):
        train(few_exams, tmp_path / "run", ONE, device="cpu", engine=Engine())
    assert "warning" not in capsys.readouterr().err
    train(few_exams, tmp_path / "run", ONE, device="cpu", resume=True, engine=Engine())
    assert seen == [(1, 2), (2, 2), (2, 2)]
    assert torch.get_num_threads() == 1
    assert "warning: Every job goes on with 2 threads, as it was begun" in capsys.readouterr().err
    train(few_exams, tmp_path / "run", ONE, device="cpu", resume=True, engine=Engine())  # nothing is left to train
    assert "warning" not in capsys.readouterr().err


def test_a_trunk_goes_on_with_the_threads_it_was_begun_with(tmp_path, monkeypatch):
    seen, said = [], []
    monkeypatch.setattr(prepare, "load_cells", lambda *_: None)
    monkeypatch.setattr(prepare, "train_trunk", lambda *_: seen.append(torch.get_num_threads()))
    setting = Setting(Path("data"), tmp_path, replace(ONE, initialisation="cells"), "cpu")
    with on_threads(2):
        prepare.prepare_trunk(setting, None, said.append)
    prepare.prepare_trunk(setting, None, said.append)
    assert seen == [2, 2]
    assert [words for words in said if words.startswith("warning: The trunk goes on with 2 threads")] == said[-1:]
