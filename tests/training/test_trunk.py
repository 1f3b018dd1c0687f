import json

import pytest
import torch

from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import InputError, Plane, Split
from mrnet_core.training import trunk as room
from mrnet_core.training.cells import load_cells
from mrnet_core.training.trunk import new_trunk, train_trunk

CPU = torch.device("cpu")
CONFIG = TrainConfig(
    planes=(Plane.AXIAL,),
    initialisation="cells",
    head_first=True,
    epochs=0,
    precision="float32",
    trunk=TrunkConfig(steps=6, slices=6, warm_up=2),
)


@pytest.fixture(scope="module")
def data(plain_folder):
    folder = MRNetFolder.open(plain_folder)
    return [load_cells(folder, split, CONFIG.planes, CPU) for split in (Split.TRAIN, Split.TUNING)]


def test_the_maps_before_the_last_relu_lead_to_the_very_maps_that_mrnet_pools(data):
    trunk = new_trunk(data[0], CONFIG, CPU)
    pictures = data[0].sets[0].pictures[:4]
    plane = torch.zeros(4, dtype=torch.long)
    scaled = ((pictures.float() - trunk.mean[0]) / trunk.sd[0])[:, None]
    assert torch.allclose(trunk.maps(pictures, plane, CONFIG), trunk.network.features(scaled), atol=1e-4)


def test_detectors_are_maps_of_their_own_for_every_plane_and_lesion(data):
    trunk = new_trunk(data[0], CONFIG, CPU)
    before = torch.arange(256.0)[None, :, None, None].expand(2, -1, 7, 7)
    found = trunk.detectors(before, torch.zeros(2, dtype=torch.long))
    assert found.shape == (2, len(trunk.lesions), room.DETECTORS, 7, 7)
    assert found[0, 1, 0, 0, 0] == room.DETECTORS - room.DETECTOR_OFFSET
    assert len(set(found[0, :, :, 0, 0].flatten().tolist())) == len(trunk.lesions) * room.DETECTORS


def test_a_trunk_that_is_interrupted_goes_on_to_the_same_weights(data, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "SAVE_EVERY", 3)
    whole = train_trunk(*data, CONFIG, tmp_path / "whole.pt", lambda words: None)
    now = json.loads((tmp_path / "trunk.json").read_text())
    assert (now["step"], now["steps"], now["seconds_left"]) == (6, 6, 0)
    real = room.save_state

    def save_then_stop(path, state):
        real(path, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "save_state", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        train_trunk(*data, CONFIG, tmp_path / "cut.pt", lambda words: None)
    monkeypatch.setattr(room, "save_state", real)
    resumed = train_trunk(*data, CONFIG, tmp_path / "cut.pt", lambda words: None)
    assert resumed["step"] == whole["step"] == 6
    for name, value in whole["parts"]["features"].items():
        assert torch.equal(value, resumed["parts"]["features"][name]), name


def test_a_trunk_of_other_settings_is_not_taken_over(data, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "look", lambda *args: {})
    train_trunk(*data, CONFIG, tmp_path / "t.pt", lambda words: None)
    other = TrainConfig(**{**vars(CONFIG), "trunk": TrunkConfig(steps=6, slices=5, warm_up=2)})
    with pytest.raises(InputError, match="trained on other data or with other settings"):
        train_trunk(*data, other, tmp_path / "t.pt", lambda words: None)
