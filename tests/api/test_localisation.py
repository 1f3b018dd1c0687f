"""Heatmap grades of a RUN on a cohort's files: trained beside untrained, kept in the RUN and its manifest."""

import json

import numpy as np
import pytest

from mrnet_core.api import localisation
from mrnet_core.api.localisation import DRAWS, grade_run, untrained_networks
from mrnet_core.domain import DatasetError, Plane, Task
from mrnet_core.ensemble import Predictor
from mrnet_core.store import GRADES, Run, file_hash
from tests.runs import make_run

EXAMS = {"0007": [("acl tear", 0.9), ("effusion", 0.5)], "0008": [("meniscal tear", 0.1)], "0009": []}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Three validation exams of two slices, as `phantom --mrnet` lays them out, and a training exam to be ignored."""
    out = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    lines = [{"exam": "0001", "split": "train", "lesions": [{"type": "acl tear", "grade": "", "severity": 1}]}]
    (out / "masks").mkdir()
    for exam, lesions in EXAMS.items():
        entries = [{"type": kind, "grade": "complete", "severity": value} for kind, value in lesions]
        lines.append({"exam": exam, "split": "validation", "lesions": entries})
        for plane in Plane:
            (out / "test" / plane).mkdir(parents=True, exist_ok=True)
            np.save(out / "test" / plane / f"{exam}.npy", rng.integers(0, 256, (2, 256, 256), dtype=np.uint8))
            masks = {f"lesion_{n}": np.zeros((2, 256, 256), bool) for n in range(len(lesions))}
            for n, mask in enumerate(masks.values()):
                mask[n % 2, 100:140, 100:140] = plane is not Plane.AXIAL  # no lesion shows in the axial plane
            if masks:
                np.savez_compressed(out / "masks" / f"{exam}_{plane}.npz", **masks)
    (out / "lesions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


@pytest.fixture(scope="module")
def graded(cohort, tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("run"), trunks=(0, 0, 0))
    seen = []
    result = grade_run(run, cohort, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (2, 2)
    return run, result


def find(result, **wanted):
    (record,) = [record for record in result["records"] if all(record[key] == value for key, value in wanted.items())]
    return record


def test_every_exam_with_the_finding_is_graded_by_both_sets_of_networks(graded):
    _, result = graded
    assert (result["split"], result["exams"]) == ("validation", 2)
    for network in ("trained", "untrained"):
        for plane in (Plane.SAGITTAL, Plane.CORONAL):
            for task, n in ((Task.ABNORMAL, 2), (Task.ACL, 1), (Task.MENISCUS, 1)):
                record = find(result, network=network, plane=plane, task=task, by="all")
                assert (record["n"], record["not_visible"]) == (n, 0)
        axial = find(result, network=network, plane="axial", task="abnormal", by="all")
        assert (axial["n"], axial["not_visible"], axial["pointing"]) == (0, 2, None)
    assert find(result, network="trained", plane="sagittal", task="abnormal", group="effusion")["n"] == 1
    assert find(result, network="trained", plane="sagittal", task="meniscus", group="subtle")["n"] == 1


def test_untrained_networks_are_several_draws_and_the_first_is_one_of_them(graded, cohort, tmp_path, monkeypatch):
    key = {"network": "untrained", "plane": "sagittal", "task": "abnormal", "by": "all"}
    record = find(graded[1], **key)
    assert record["draws"] == DRAWS
    assert record["energy_lowest"] < record["energy"] < record["energy_highest"]
    assert 0 <= record["pointing_lowest"] <= record["pointing"] <= record["pointing_highest"] <= 1
    monkeypatch.setattr(localisation, "DRAWS", 1)
    alone = find(grade_run(make_run(tmp_path, trunks=(0, 0, 0)), cohort), **key)
    assert alone["energy"] == alone["energy_lowest"] == alone["energy_highest"]
    assert record["energy_lowest"] <= alone["energy"] <= record["energy_highest"]


def test_grades_are_kept_in_the_run_and_its_manifest_stays_true(graded):
    run, result = graded
    opened = Run.open(run)
    assert opened.json(GRADES) == result
    assert len(result["weights"]) == 9
    assert result["weights"]["axial_acl.safetensors"] == file_hash(run / "weights" / "axial_acl.safetensors")
    assert opened.manifest["name"] == "random networks"
    assert Predictor.load(run).info.synthetic


def test_untrained_networks_take_the_scale_of_the_trained_and_share_a_trunk_a_plane(graded):
    run, _ = graded
    trained = Predictor.load(run).networks
    networks = untrained_networks(trained)
    assert networks.keys() == trained.keys()
    assert float(networks[Plane.AXIAL, Task.ACL].sd) == 50.0
    assert len({id(network.features) for network in networks.values()}) == 3
    heads = {network.classifier.weight.sum().item() for network in networks.values()}
    assert len(heads) == 9
    other = untrained_networks(trained, draw=1)
    assert not {network.classifier.weight.sum().item() for network in other.values()} & heads
    assert not any(network.features is trained[key].features for key, network in networks.items())


def test_a_folder_without_lesions_and_masks_that_do_not_fit_are_named(graded, cohort, tmp_path):
    run, _ = graded
    with pytest.raises(DatasetError, match=r"lesions\.jsonl cannot be read: heatmaps are graded on a cohort"):
        grade_run(run, tmp_path)
    (tmp_path / "lesions.jsonl").write_text('{"exam": "1"}\n')
    with pytest.raises(DatasetError, match=r"lesions\.jsonl, line 1: no record of an exam's lesions"):
        grade_run(run, tmp_path)
    entry = {"exam": "0008", "split": "validation", "lesions": [{"type": "x", "grade": "", "severity": 0}] * 2}
    (tmp_path / "lesions.jsonl").write_text(json.dumps(entry))
    for folder in ("test", "masks"):
        (tmp_path / folder).symlink_to(cohort / folder)
    with pytest.raises(DatasetError, match="2 lesions are recorded, 1 masks are there"):
        grade_run(run, tmp_path)
