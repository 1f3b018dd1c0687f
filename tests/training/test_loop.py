"""The loop over epochs, with everything that takes time replaced."""

import time
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Task
from mrnet_core.models import load_network
from mrnet_core.models.mrnet import feature_maps
from mrnet_core.store import DEMO_RUN, write_whole
from mrnet_core.training import loop
from mrnet_core.training.loop import Job, Setting
from mrnet_core.training.network import Network


class Exams(SimpleNamespace):
    def __len__(self):
        return 30


def test_networks_side_by_side_share_the_seconds_of_an_epoch_and_so_do_jobs(monkeypatch):
    clock = [0.0]

    def pass_once(networks, *_):
        clock[0] += 0.3
        return [0.5] * len(networks)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(loop, "train_epoch", pass_once)
    monkeypatch.setattr(loop, "pooled", lambda *_: None)
    monkeypatch.setattr(loop, "judge", lambda *_: {"loss": 0.5, "auc": 0.5, "logit_sd": 1.0})
    monkeypatch.setattr(loop, "save", lambda *_: None)
    made = [
        Network(str(task), Plane.AXIAL, task, 1, "", torch.nn.Linear(1, 1), None, (1.0, 1.0))
        for task in (Task.ACL, Task.MENISCUS)
    ]
    exams = Exams(pictures=torch.zeros(0))
    setting = Setting(Path("data"), Path("run"), TrainConfig(epochs=1), "cpu", beside=3)
    loop._epochs(made, exams, exams, setting, lambda event: None)
    assert [network.history[0]["seconds"] for network in made] == pytest.approx([0.05, 0.05])
    assert [network.history[0]["exams_per_second"] for network in made] == pytest.approx([100, 100])


def test_an_epoch_is_on_the_disk_before_the_next_begins_where_files_are_written_beside_the_judging(monkeypatch):
    order = []

    def pass_once(networks, *_):
        order.append("epoch")
        return [0.5] * len(networks)

    def write(state):
        time.sleep(0.05)
        order.append(state["name"])

    monkeypatch.setattr(loop, "train_epoch", pass_once)
    monkeypatch.setattr(loop, "pooled", lambda *_: None)
    monkeypatch.setattr(loop, "judge", lambda *_: {"loss": 0.5, "auc": 0.5, "logit_sd": 1.0})
    monkeypatch.setattr(
        loop, "save", lambda network, setting, training, writer: writer.write(write, {"name": network.name})
    )
    made = [
        Network(str(task), Plane.AXIAL, task, 1, "", torch.nn.Linear(1, 1), None, (1.0, 1.0))
        for task in (Task.ACL, Task.MENISCUS)
    ]
    on_a_gpu = Exams(pictures=SimpleNamespace(is_cuda=True))
    setting = Setting(Path("data"), Path("run"), TrainConfig(epochs=2, exams_per_step=2), "cpu")
    loop._epochs(made, on_a_gpu, on_a_gpu, setting, lambda event: None)
    assert order == ["epoch", "acl", "meniscus"] * 2


def test_last_layers_are_charged_the_passes_and_the_fits_that_they_took_together(monkeypatch):
    clock, each = [0.0], {"pass": 0.5, "fit": 0.1}

    def take(what):
        clock[0] += each[what]
        return torch.zeros(1)

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(loop, "choose_head", lambda *_: SimpleNamespace(strength=1.0, taken=take("fit")))
    monkeypatch.setattr(loop, "put_into", lambda *_: None)
    monkeypatch.setattr(loop, "judge", lambda *_: {"loss": 0.5, "auc": 0.5, "logit_sd": 1.0})
    monkeypatch.setattr(loop, "save", lambda *_: None)
    made = [
        Network(
            str(task),
            Plane.AXIAL,
            task,
            1,
            "",
            torch.nn.Sequential(OrderedDict(classifier=torch.nn.Linear(1, 1))),
            None,
            (1.0, 1.0),
        )
        for task in (Task.ABNORMAL, Task.ACL, Task.MENISCUS)
    ]
    exams = Exams(label=lambda task: torch.zeros(1))
    cache = SimpleNamespace(features=lambda model, data: take("pass"))
    setting = Setting(Path("data"), Path("run"), TrainConfig(), "cpu")
    loop.fit_heads(made, exams, exams, setting, cache, lambda event: None)
    assert [network.history[0]["seconds"] for network in made] == pytest.approx([1.1, 1.1, 1.1])
    assert [network.history[0]["exams_per_second"] for network in made] == pytest.approx([10, 10, 10])


def test_a_file_of_weights_starts_a_network_whose_maps_are_the_files_own(tmp_path):
    kept = DEMO_RUN / "weights" / "sagittal_acl.safetensors"
    job = Job(Plane.AXIAL, (Task.MENISCUS,), 1)
    config = TrainConfig(initialisation=kept.name)
    write_whole(loop.start_path(tmp_path, config), kept.read_bytes())
    model, words = loop.first_model(config, tmp_path, job, Task.MENISCUS)
    assert "sagittal_acl.safetensors" in words
    own = load_network(kept)[0]
    pictures = torch.randn(2, 128, 128, generator=torch.Generator().manual_seed(1))
    found, expected = (feature_maps(network.features, pictures) for network in (model, own))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.equal(model.classifier.weight, own.classifier.weight)
