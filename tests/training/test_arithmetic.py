"""The device that a run computes on."""

import pytest
import torch

from mrnet_core.domain import InstallationError
from mrnet_core.training.arithmetic import choose_device


def test_a_gpu_whose_number_this_machine_has_not_is_refused_with_those_it_has(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(
        InstallationError, match="'cuda:9' is not at hand: this machine has 2 GPUs, numbered from cuda:0"
    ):
        choose_device("cuda:9")
