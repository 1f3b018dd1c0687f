"""A RUN that answers exams: strict loading, the same numbers as the networks one by one, shared trunks run once."""

import json

import numpy as np
import pytest
import torch

from mrnet_core.domain import ArtifactError, Cancelled, InputError, Plane, Task
from mrnet_core.ensemble import Predictor, fit_ensemble
from mrnet_core.ensemble.predictor import _same_trunk
from mrnet_core.models import load_network
from mrnet_core.store import write_manifest
from tests.runs import VALUES, make_run, random_network

FIELDS = {"name": "r", "trained_on": "x", "synthetic": True}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.load(run)


@pytest.fixture(scope="module")
def stacks():
    rng = np.random.default_rng(1)
    return {plane: rng.integers(0, 256, (2 + n, 256, 256), dtype=np.uint8) for n, plane in enumerate(Plane)}


@pytest.fixture(scope="module")
def prediction(predictor, stacks):
    return predictor.predict(stacks)


def test_each_score_is_what_its_own_network_says_by_itself(run, stacks, prediction):
    for plane in Plane:
        for task in Task:
            model, _ = load_network(run / "weights" / f"{plane}_{task}.safetensors")
            with torch.no_grad():
                output = model(torch.from_numpy(stacks[plane]))
                cam = model.cam(output.maps).numpy()
            score = prediction.score(plane, task)
            assert score.probability == pytest.approx(float(torch.sigmoid(output.logit.double())), abs=1e-5)
            np.testing.assert_allclose(score.heatmap.cam, cam, atol=1e-4)
            assert score.heatmap.cam.dtype == np.float32


def test_the_answer_is_the_regression_over_the_planes_at_hand(predictor, stacks, prediction):
    assert prediction.planes_used == tuple(Plane)
    for task in Task:
        columns = {plane: prediction.score(plane, task).probability for plane in Plane}
        assert prediction.probabilities[task] == float(predictor.ensemble.combine(task, columns))
    two = predictor.predict({plane: stacks[plane] for plane in (Plane.AXIAL, Plane.SAGITTAL)})
    assert two.planes_used == (Plane.SAGITTAL, Plane.AXIAL)
    columns.pop(Plane.CORONAL)
    assert two.probabilities[task] == pytest.approx(float(predictor.ensemble.combine(task, columns)), abs=1e-6)


def test_one_plane_answers_with_its_networks_own_probability(predictor, stacks, prediction):
    one = predictor.predict({Plane.CORONAL: stacks[Plane.CORONAL]})
    for task in Task:
        assert one.probabilities[task] == one.score(Plane.CORONAL, task).probability
        assert one.probabilities[task] == pytest.approx(prediction.score(Plane.CORONAL, task).probability, abs=1e-6)


def test_networks_of_a_plane_with_one_trunk_share_it_and_it_runs_once(predictor, stacks, monkeypatch):
    for plane in Plane:
        first, second, third = (predictor.networks[plane, task].features for task in Task)
        assert first is second
        assert third is not first
        assert first[0].in_channels == 1
    ran = []
    handles = [
        network.features[-1].register_forward_pre_hook(lambda module, _: ran.append(module))
        for network in {id(n.features): n for n in predictor.networks.values()}.values()
    ]
    predictor.predict(stacks)
    for handle in handles:
        handle.remove()
    assert len(ran) == len(set(map(id, ran))) == 6


def test_a_long_series_goes_in_batches_and_the_answer_is_the_same(predictor, monkeypatch):
    stack = np.random.default_rng(2).integers(0, 256, (5, 256, 256), dtype=np.uint8)
    whole = predictor.predict({Plane.AXIAL: stack})
    monkeypatch.setattr("mrnet_core.ensemble.predictor.BATCH", 2)
    parts = predictor.predict({Plane.AXIAL: stack})
    for one, other in zip(whole.scores, parts.scores, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
        np.testing.assert_allclose(one.heatmap.cam, other.heatmap.cam, atol=1e-5)


def test_the_model_says_of_itself_what_it_is(predictor):
    info = predictor.info
    assert (info.name, info.synthetic) == ("random networks", True)
    assert info.trained_on == "nothing (random weights, for tests)"
    assert info.engine == f"torch {torch.__version__.split('+')[0]}, float32, CPU"
    assert predictor.landmarks[Plane.AXIAL].values == VALUES


def test_progress_rises_to_one_and_can_stop_the_work(predictor, stacks):
    seen = []
    predictor.predict(stacks, lambda words, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) == 7

    def stop(words, fraction):
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        predictor.predict(stacks, stop)


def test_no_plane_and_a_stack_of_another_form_are_refused(predictor):
    with pytest.raises(InputError, match="at least one plane"):
        predictor.predict({})
    for stack in (
        np.zeros((2, 255, 256), np.uint8),
        np.zeros((2, 256, 256), np.float32),
        np.zeros((0, 256, 256), "u1"),
    ):
        with pytest.raises(InputError, match=r"the axial stack must be uint8 \(s, 256, 256\)"):
            predictor.predict({Plane.AXIAL: stack})


@pytest.fixture
def copy(run, tmp_path):
    for source in run.rglob("*"):
        if source.is_file():
            target = tmp_path / source.relative_to(run)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    "name", ["weights/axial_acl.safetensors", "weights/axial_acl.json", "landmarks/coronal.json", "ensemble.json"]
)
def test_a_damaged_file_stops_loading_and_is_named(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:-3] + b"abc")
    with pytest.raises(ArtifactError, match=rf"{name} is damaged"):
        Predictor.load(copy)


def test_a_run_that_lacks_a_network_says_which(copy):
    (copy / "weights" / "axial_acl.safetensors").unlink()
    write_manifest(copy, **FIELDS)
    with pytest.raises(ArtifactError, match=r"it lacks weights/axial_acl\.safetensors; train all three planes"):
        Predictor.load(copy)


def test_a_network_under_another_ones_name_is_refused(copy):
    for ending in ("safetensors", "json"):
        (copy / f"weights/axial_acl.{ending}").write_bytes((copy / f"weights/axial_meniscus.{ending}").read_bytes())
    write_manifest(copy, **FIELDS)
    with pytest.raises(ArtifactError, match=r"axial_acl\.safetensors is the network of axial meniscus"):
        Predictor.load(copy)


def with_spread(folder, plane, task, spread):
    """The network's card tells this spread of the logit over the exams that chose its epoch."""
    path = folder / f"weights/{plane}_{task}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": {"logit_sd": spread}}))


def test_a_network_that_is_constant_is_told_by_either_sign_for_one_plane_and_for_several(copy, stacks):
    labels = {task: np.arange(60) % 2 for task in Task}
    columns = {(plane, task): np.random.default_rng(0).random(60) for plane in Plane for task in Task}
    columns[Plane.AXIAL, Task.ACL] = np.full(60, 0.3)
    (copy / "ensemble.json").write_text(fit_ensemble(columns, labels).to_json())
    with_spread(copy, Plane.CORONAL, Task.MENISCUS, 0.004)
    with_spread(copy, Plane.SAGITTAL, Task.MENISCUS, 0.06)
    write_manifest(copy, **FIELDS)
    predictor = Predictor.load(copy)

    of_training = (
        "The axial network for ACL tear is constant (it gave every exam that the regressions were fitted on one"
    )
    of_tuning = "The coronal network for Meniscal tear is constant (its logit varies by 0.004 over the exams that chose"

    def told(*planes):
        return predictor.predict({plane: stacks[plane] for plane in planes}).warnings

    assert told(Plane.SAGITTAL) == ()
    (alone,) = told(Plane.AXIAL)
    assert alone.startswith(of_training)
    assert alone.endswith("its probability says nothing about this exam.")
    (alone,) = told(Plane.CORONAL)
    assert alone.startswith(of_tuning)
    assert alone.endswith("its probability says nothing about this exam.")
    first, second = told(*Plane)
    assert first.startswith(of_training)
    assert first.endswith("the combined probability leaves it out.")
    assert second.startswith(of_tuning)
    assert second.endswith("it says nothing about this exam, and yet the combined probability counts it in.")


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(InputError, match=r"is no RUN folder: it has no manifest\.json"):
        Predictor.load(tmp_path)


def test_networks_that_see_pixels_on_another_scale_share_no_trunk():
    one, other = random_network(1, 0), random_network(2, 0)
    assert _same_trunk(one, other)
    other.sd.fill_(60.0)
    assert not _same_trunk(one, other)
