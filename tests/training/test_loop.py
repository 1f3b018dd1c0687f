"""The loop over epochs, with everything that takes time replaced."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Task
from mrnet_core.training import loop
from mrnet_core.training.loop import Setting
from mrnet_core.training.network import Network


class Exams(SimpleNamespace):
    def __len__(self):
        return 30


def test_networks_side_by_side_share_the_seconds_of_an_epoch_and_so_do_jobs(monkeypatch):
    def pass_once(networks, *_):
        time.sleep(0.3)
        return [0.5] * len(networks)

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
    assert [network.history[0]["seconds"] for network in made] == pytest.approx([0.05, 0.05], rel=0.3)
    assert [network.history[0]["exams_per_second"] for network in made] == pytest.approx([100, 100], rel=0.3)
