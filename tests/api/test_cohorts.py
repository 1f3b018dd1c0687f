"""Cohorts on disk: what a network trains on is what it is served, and a killed run goes on where it stopped."""

import csv
import json
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch

from mrnet_core.api import cohorts
from mrnet_core.api.cohorts import CohortOrder, make_cohort
from mrnet_core.domain import InputError, InstallationError, Plane, Split
from mrnet_core.phantom import STRUCTURES, make_exam, plan_cohort
from mrnet_core.phantom.layout import CHANNELS, cells_of, lesion_masks
from mrnet_core.preprocess import Landmarks, fit_landmarks, prepare, resize_series

SEED, EXAMS = 61, 4


def order(out, **changes):
    return CohortOrder(
        **{"out": out, "exams": EXAMS, "seed": SEED, "form": "mrnet", "size": "small", "jobs": 1, **changes}
    )


@pytest.fixture(scope="module")
def mrnet(tmp_path_factory):
    """A small cohort whose landmarks are fitted on its two training exams."""
    out = tmp_path_factory.mktemp("cohort") / "mrnet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cohorts, "LANDMARK_EXAMS", 2)
        make_cohort(order(out))
    return out


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def table(folder):
    with (folder / "exams.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_series_lie_in_mrnets_layout_with_labels_for_each(mrnet):
    names = {"train": ["0000", "0001"], "valid": ["0002"], "test": ["0003"]}
    for folder, exams in names.items():
        for plane in Plane:
            assert sorted(path.stem for path in (mrnet / folder / plane).iterdir()) == exams
        for task in ("abnormal", "acl", "meniscus"):
            lines = (mrnet / f"{folder}-{task}.csv").read_text().splitlines()
            assert [line.split(",")[0] for line in lines] == exams
            assert {line.split(",")[1] for line in lines} <= {"0", "1"}


def test_landmarks_are_those_of_the_first_training_exams(mrnet):
    for plane in Plane:
        stored = Landmarks.from_json((mrnet / "landmarks" / f"{plane}.json").read_text())
        stacks = [resize_series(make_exam(SEED, k, size="small", planes=(plane,)).series[plane]) for k in (0, 1)]
        assert stored == fit_landmarks(stacks)


@pytest.mark.parametrize(("k", "folder"), [(1, "train"), (3, "test")])
def test_a_network_trains_on_the_very_pixels_it_is_served(mrnet, k, folder):
    exam = make_exam(SEED, k, size="small")
    for plane in Plane:
        landmarks = Landmarks.from_json((mrnet / "landmarks" / f"{plane}.json").read_text())
        stack = np.load(mrnet / folder / plane / f"{k:04d}.npy")
        assert stack.dtype == np.uint8
        assert np.array_equal(stack, prepare(exam.series[plane], landmarks))


def test_masks_and_cells_stand_beside_the_series(mrnet):
    assert json.loads((mrnet / "cells" / "channels.json").read_text()) == list(CHANNELS)
    assert CHANNELS[-len(STRUCTURES) :] == STRUCTURES
    for row in table(mrnet)[1:3]:
        exam = make_exam(SEED, int(row["exam"]), size="small", structures=True)
        for plane in Plane:
            slices = exam.series[plane].slices
            with np.load(mrnet / "masks" / f"{row['exam']}_{plane}.npz") as masks:
                assert masks.files == [f"lesion_{n}" for n in range(len(exam.lesions))]
                assert all(masks[name].shape == (slices, 256, 256) for name in masks.files)
            with np.load(mrnet / "cells" / plane / f"{row['exam']}.npz") as stored:
                assert np.array_equal(stored["cells"], cells_of(lesion_masks(exam, plane), slices))


def test_a_mask_on_the_networks_pixels_lies_where_the_lesion_was(mrnet):
    for row in table(mrnet)[1:3]:
        exam = make_exam(SEED, int(row["exam"]), size="small")
        for plane in Plane:
            with np.load(mrnet / "masks" / f"{row['exam']}_{plane}.npz") as masks:
                for n, mask in enumerate(exam.masks[plane]):
                    if mask.sum() < 200:
                        continue
                    scale = 256 / mask.shape[1]
                    before = (np.argwhere(mask).mean(axis=0)[1:] + 0.5) * scale - 0.5
                    after = np.argwhere(masks[f"lesion_{n}"]).mean(axis=0)[1:]
                    assert np.abs(before - after).max() < 2  # half-covered pixels at the rim count or not
                    assert masks[f"lesion_{n}"].sum() == pytest.approx(mask.sum() * scale**2, rel=0.2)


def test_every_exam_has_a_line_of_lesions_and_only_test_exams_say_what_could_be_seen(mrnet):
    records = [json.loads(line) for line in (mrnet / "lesions.jsonl").read_text().splitlines()]
    assert [record["exam"] for record in records] == [row["exam"] for row in table(mrnet)]
    for record in records:
        for lesion in record["lesions"]:
            assert (lesion["visible_pixels"] is not None) == (record["split"] == "validation")


def test_nothing_of_the_making_is_left_behind(mrnet):
    assert not (mrnet / ".parts").exists()
    assert not list(mrnet.rglob("*.partial"))
    assert json.loads((mrnet / "cohort.json").read_text())["synthetic"] is True


def test_a_run_killed_twice_goes_on_and_ends_the_same(mrnet, tmp_path, monkeypatch):
    monkeypatch.setattr(cohorts, "LANDMARK_EXAMS", 2)
    real, left = cohorts._make, [1]

    def make(job):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        real(job)

    monkeypatch.setattr(cohorts, "_make", make)
    out = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):  # before the landmarks are fitted: one exam of two is there
        make_cohort(order(out))
    left[0] = 2
    with pytest.raises(KeyboardInterrupt):  # after: both are, and the tuning exam
        make_cohort(order(out, resume=True))
    assert not (out / "exams.csv").exists()
    (out / "train" / "axial" / "0001.npy").unlink()  # an exam that lost a file is made again
    (out / "test" / "axial").mkdir(parents=True)
    (out / "test" / "axial" / "0003.npy.partial").write_bytes(b"half")  # and nothing half-written is taken
    left[0] = 2
    report = make_cohort(order(out, resume=True))
    assert (report.kept, left[0]) == (2, 0)
    assert contents(out) == contents(mrnet)


def test_a_finished_cohort_is_kept_as_it_is(mrnet):
    before = contents(mrnet)
    report = make_cohort(order(mrnet, resume=True))
    assert (report.exams, report.kept) == (EXAMS, EXAMS)
    assert contents(mrnet) == before


def test_another_order_never_goes_on_in_a_cohorts_folder(mrnet):
    with pytest.raises(InputError, match="holds another cohort: its seed is 61, this order's is 62"):
        make_cohort(order(mrnet, seed=62, resume=True))
    with pytest.raises(InputError, match="is not empty"):
        make_cohort(order(mrnet))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (torch.OutOfMemoryError("2 GiB"), "the GPU's memory is full with --jobs 1 on cpu: go on in .* fewer --jobs"),
        (BrokenProcessPool("gone"), "a worker was killed with --jobs 1 on cpu: go on in .* with --resume"),
    ],
)
def test_memory_that_runs_out_is_said_with_what_helps(tmp_path, monkeypatch, fault, message):
    def make(job):
        raise fault

    monkeypatch.setattr(cohorts, "_make", make)
    with pytest.raises(InstallationError, match=message):
        make_cohort(order(tmp_path / "out"))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three exams as DICOM, made in this process."""
    out = tmp_path_factory.mktemp("cohort") / "three"
    make_cohort(order(out, form="dicom", exams=3))
    return out


def test_workers_make_what_one_process_makes(three, tmp_path):
    seen = []
    make_cohort(
        order(tmp_path / "two", form="dicom", exams=3, jobs=2),
        lambda done, total, rate: seen.append((done, total, rate > 0)),
    )
    assert seen == [(1, 3, True), (2, 3, True), (3, 3, True)]
    assert contents(tmp_path / "two") == contents(three)


def test_exam_k_is_the_same_whatever_the_size_of_the_cohort_and_its_split(three, tmp_path):
    make_cohort(order(tmp_path / "four", form="dicom", exams=4))
    assert [row["split"] for row in table(three)][1] == "tuning"
    assert [row["split"] for row in table(tmp_path / "four")][1] == "train"
    assert contents(three / "0001") == contents(tmp_path / "four" / "0001")


def test_a_paper_cohort_ends_with_the_specialists_reference(tmp_path, monkeypatch):
    def few(*_, **__):
        plan = plan_cohort(None, paper=True, small=True, seed=SEED)
        return tuple(next(entry for entry in plan if entry.split is split) for split in Split)

    monkeypatch.setattr(cohorts, "plan_cohort", few)
    make_cohort(order(tmp_path / "paper", form="dicom", exams=None, paper=True))
    rows = table(tmp_path / "paper")
    assert [row["exam"] for row in rows] == ["0000", "1130", "1250"]
    with (tmp_path / "paper" / "reference.csv").open(newline="") as file:
        reference = list(csv.DictReader(file))
    assert [(row["exam"], row["task"]) for row in reference] == [("1250", t) for t in ("abnormal", "acl", "meniscus")]
    assert [row["majority"] for row in reference] == [rows[2][task] for task in ("abnormal", "acl", "meniscus")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "png"}, "form 'png' is unknown"),
        ({"seed": -1}, "--seed must be 0 or more"),
        ({"jobs": 0}, "--jobs must be 1 or more"),
        ({"device": "abacus"}, "--device abacus is unknown; give cpu, cuda or cuda:N"),
        ({"device": "meta"}, "--device meta is not supported; give cpu, cuda or cuda:N"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        order(Path("nowhere"), **changes)


def test_a_gpu_that_is_not_there_is_the_installations_fault(monkeypatch):
    monkeypatch.setattr(cohorts.torch.cuda, "device_count", lambda: 1)
    assert order(Path("nowhere"), device="cuda").device == "cuda"
    assert order(Path("nowhere"), device="cuda:0").device == "cuda:0"
    with pytest.raises(InstallationError, match="no device cuda:1 is at hand: make knees with --device cpu"):
        order(Path("nowhere"), device="cuda:1")
    monkeypatch.setattr(cohorts.torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InstallationError, match="no device cuda is at hand"):
        order(Path("nowhere"), device="cuda")


def test_workers_are_one_a_core_but_few_share_a_gpu(monkeypatch):
    monkeypatch.setattr(cohorts.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(cohorts.os, "cpu_count", lambda: 64)
    assert order(Path("nowhere"), jobs=None).workers() == 64
    assert order(Path("nowhere"), jobs=None, device="cuda").workers() == 12
    assert order(Path("nowhere"), jobs=20, device="cuda").workers() == 20


def test_exams_are_made_on_the_device_that_was_ordered(tmp_path, monkeypatch):
    """Both the exam and, where somebody is asked what could be seen, its twin."""
    monkeypatch.setattr(cohorts.torch.cuda, "device_count", lambda: 1)
    seen = []

    def make(*arguments, device, **wanted):
        seen.append((device, wanted.get("lesions")))
        return make_exam(*arguments, **wanted)

    monkeypatch.setattr(cohorts, "make_exam", make)
    make_cohort(order(tmp_path / "there", device="cuda"))
    assert {device for device, _ in seen} == {"cuda"}
    assert (("cuda", ())) in seen
