"""Networks on disk: whole or not at all, strict, and never with another network's card."""

import json
import urllib.error
from dataclasses import replace

import pytest
import safetensors.torch
import torch
import torchvision

from mrnet_core.domain import ArtifactError, InputError, InstallationError, Plane, Task
from mrnet_core.models import NetworkCard, card_path, fold_first_convolution, initialise, load_network, save_network

CARD = NetworkCard(
    plane=Plane.SAGITTAL,
    task=Task.ACL,
    trained_on="synthetic knees",
    synthetic=True,
    init="random (He et al. 2015), seed 5",
    data_hash="d" * 16,
    config_hash="c" * 16,
    seed=5,
    epoch=3,
    metrics={"tuning_auc": 0.75, "tuning_loss": None},
    mean=50.3,
    sd=41.7,
    departures=("One.", "Two."),
    commit="abc",
    device="CPU",
    seconds=1.5,
    version="0.1.0",
)


@pytest.fixture(scope="module")
def model():
    network, _ = initialise("random", 5)
    network.mean.fill_(50.3)
    network.sd.fill_(41.7)
    return network


@pytest.fixture
def saved(tmp_path, model):
    path = tmp_path / "sagittal_acl.safetensors"
    save_network(path, model, CARD)
    return path


def rewrite(path, change):
    """Change the tensors and give the card the new hash, so that only the content is wrong."""
    import hashlib

    tensors = safetensors.torch.load_file(path)
    change(tensors)
    data = safetensors.torch.save(tensors)
    path.write_bytes(data)
    record = json.loads(card_path(path).read_text())
    card_path(path).write_text(json.dumps(record | {"weights_sha256": hashlib.sha256(data).hexdigest()}))


def test_a_network_comes_back_as_its_float16_self_with_its_card(saved, model):
    loaded, card = load_network(saved)
    assert card == CARD
    assert not loaded.training
    for name, value in model.state_dict().items():
        expected = value if name in ("mean", "sd") else value.half().float()
        assert torch.equal(loaded.state_dict()[name], expected), name
    assert saved.stat().st_size < 5.1e6  # 2.47 million numbers of two bytes
    assert not list(saved.parent.glob("*.partial"))


def test_a_folded_network_comes_back_with_one_channel(tmp_path, model):
    path = tmp_path / "folded.safetensors"
    save_network(path, fold_first_convolution(model), CARD)
    assert load_network(path)[0].channels == 1


def test_the_same_network_saved_twice_is_the_same_file(saved, tmp_path, model):
    save_network(tmp_path / "again.safetensors", model, CARD)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("ending", [".safetensors", ".json"])
def test_a_missing_file_is_named_with_the_next_step(saved, ending):
    saved.with_suffix(ending).unlink()
    with pytest.raises(ArtifactError, match=rf"sagittal_acl\{ending} is missing: copy the RUN again"):
        load_network(saved)


def test_one_flipped_bit_is_found(saved):
    data = bytearray(saved.read_bytes())
    data[-1000] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"sagittal_acl\.safetensors is damaged"):
        load_network(saved)


def test_the_card_of_another_network_is_refused(saved, tmp_path):
    other, _ = initialise("random", 6)
    save_network(tmp_path / "other.safetensors", other, replace(CARD, mean=0.0, sd=1.0))
    card_path(saved).write_bytes(card_path(tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match=r"sagittal_acl\.json is the card of other weights"):
        load_network(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("features.3.bias"), "features.3.bias has shape None"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra has shape"),
        (lambda t: t.update({"classifier.weight": torch.zeros(2, 256)}), "classifier.weight has shape"),
        (lambda t: t.update({"classifier.bias": torch.tensor([float("nan")])}), "classifier.bias must hold finite"),
        (lambda t: t.update({"classifier.bias": torch.zeros(1, dtype=torch.int64)}), "float16 or float32"),
        (lambda t: t.update({"mean": torch.tensor(1.0)}), "differ from the card's"),
    ],
)
def test_weights_that_are_no_mrnet_are_refused(saved, change, words):
    rewrite(saved, change)
    with pytest.raises(ArtifactError, match=words):
        load_network(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 9}, "no card of format 1"),
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"task": "femur"}, "malformed"),
        ({"sd": 0}, "sd above 0"),
    ],
)
def test_a_card_that_breaks_its_format_is_refused(saved, change, words):
    record = json.loads(card_path(saved).read_text())
    card_path(saved).write_text(json.dumps(record | change))
    with pytest.raises(ArtifactError, match=words):
        load_network(saved)


def test_what_cannot_be_saved_leaves_the_old_pair_untouched(saved, model):
    before = saved.read_bytes(), card_path(saved).read_bytes()
    broken, _ = initialise("random", 1)
    broken.mean.fill_(50.3)
    broken.sd.fill_(41.7)
    with torch.no_grad():
        broken.classifier.bias.fill_(1e6)
    with pytest.raises(ValueError, match="beyond float16's range"):
        save_network(saved, broken, CARD)
    with pytest.raises(ValueError, match="its card says 12"):
        save_network(saved, model, replace(CARD, mean=12.0))
    assert (saved.read_bytes(), card_path(saved).read_bytes()) == before


def test_random_weights_are_fixed_by_the_seed_and_leave_the_global_stream_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    one, words = initialise("random", 7)
    assert torch.equal(torch.rand(3), expected)
    same, _ = initialise("random", 7)
    other, _ = initialise("random", 8)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not torch.equal(one.features[3].weight, other.features[3].weight)
    assert words == "random (He et al. 2015), seed 7"
    assert float(one.features[3].weight.detach().std()) == pytest.approx((2 / (64 * 25)) ** 0.5, rel=0.02)


def test_a_file_gives_the_trunk_and_the_seed_the_last_layer(saved, tmp_path, model):
    network, words = initialise(saved, 9)
    assert torch.equal(network.features[6].weight, model.features[6].weight.half().float())
    assert not torch.equal(network.classifier.weight, model.classifier.weight)
    assert words.startswith("file sagittal_acl.safetensors (SHA-256 ")
    plain = tmp_path / "alexnet.pth"
    torch.save(model.state_dict() | {"classifier.6.weight": torch.zeros(2)}, plain)
    assert torch.equal(initialise(plain, 9)[0].features[0].weight, model.features[0].weight)


def test_a_folded_file_gives_three_equal_channels_with_the_same_output(tmp_path, model):
    path = tmp_path / "folded.safetensors"
    save_network(path, fold_first_convolution(model), CARD)
    network, _ = initialise(path, 1)
    assert torch.allclose(network.features[0].weight.sum(1), model.features[0].weight.sum(1), atol=1e-3)


def test_a_file_that_is_no_alexnet_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    with pytest.raises(InputError, match="no such file"):
        initialise(path, 0)
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"are not AlexNet's: features\.0\.bias has shape None"):
        initialise(path, 0)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        initialise(path, 0)


def test_imagenet_weights_come_through_torchvisions_enum(monkeypatch):
    theirs = torchvision.models.alexnet(weights=None).state_dict()
    asked = []

    def fetched(self, **options):
        asked.append((str(self), options))
        return theirs

    monkeypatch.setattr(torchvision.models.AlexNet_Weights, "get_state_dict", fetched)
    network, words = initialise("imagenet", 3)
    assert asked == [("AlexNet_Weights.IMAGENET1K_V1", {"progress": False, "check_hash": True})]
    assert torch.equal(network.features[10].weight, theirs["features.10.weight"])
    assert words == "ImageNet (torchvision AlexNet_Weights.IMAGENET1K_V1)"
    assert float(network.classifier.weight.detach().abs().max()) < 0.06


def test_imagenet_weights_that_cannot_be_fetched_name_the_other_ways(monkeypatch):
    def offline(self, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torchvision.models.AlexNet_Weights, "get_state_dict", offline)
    with pytest.raises(InstallationError, match=r"cannot be fetched .* a file of AlexNet weights with --trunk FILE"):
        initialise("imagenet", 3)
