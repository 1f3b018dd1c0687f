"""Whole exams: determinism, twins, masks, geometry of the series, sequences, artefacts."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from mrnet_core.domain import InputError, Plane, Side, Split, Task
from mrnet_core.phantom import KINDS, PlannedExam, acquisition, make_exam, plan_cohort
from mrnet_core.phantom.acquisition import BUDGET, PSF, Scanner, blurred, slices_at_once
from mrnet_core.phantom.acquisition_artefacts import READOUT_AXIS, Artefact, add_artefacts, draw_artefacts
from mrnet_core.phantom.acquisition_grid import AXES, draw_grid, knee_affine
from mrnet_core.phantom.anatomy import STRUCTURES, Subject
from mrnet_core.phantom.exam import _person


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


@pytest.fixture(scope="module")
def torn():
    return make_exam(31, 4, size="small", pathology="both", structures=True)


def test_an_exam_depends_on_seed_and_number_alone(torn):
    make_exam(5, 9, size="small", planes=(Plane.AXIAL,))  # another exam in between
    again = make_exam(31, 4, size="small", pathology="both", planes=(Plane.AXIAL, Plane.CORONAL))
    assert tuple(again.series) == (Plane.CORONAL, Plane.AXIAL)
    for plane, series in again.series.items():
        assert np.array_equal(series.pixels, torn.series[plane].pixels)
        assert series.uid == torn.series[plane].uid
    assert again.lesions == torn.lesions
    other = make_exam(31, 5, size="small", pathology="both", planes=(Plane.AXIAL,))
    assert not np.array_equal(other.series[Plane.AXIAL].pixels[:8], torn.series[Plane.AXIAL].pixels[:8])


def pictures(exam):
    """Everything of an exam that was computed from its knee, one array a name."""
    found = {}
    for plane, series in exam.series.items():
        found[plane, "pixels"] = series.pixels
        found |= {(plane, n): mask for n, mask in enumerate(exam.masks[plane])}
        found |= {(plane, name): mask for name, mask in exam.structures[plane].items()}
    return found


@pytest.mark.parametrize("together", [3, 999])
def test_slices_painted_together_are_those_painted_one_by_one(torn, monkeypatch, together):
    """The CPU paints a slice at a time, a GPU a whole series: the same code, and the same exam to the last pixel."""
    assert slices_at_once(torn.grids[Plane.AXIAL], torch.device("cpu")) == 1
    monkeypatch.setattr(acquisition, "slices_at_once", lambda grid, device: together)
    other = pictures(make_exam(31, 4, size="small", pathology="both", structures=True))
    for name, array in pictures(torn).items():
        assert np.array_equal(array, other[name]), name


def test_a_gpu_paints_no_more_samples_at_a_time_than_its_memory_was_planned_for(torn):
    grid = torn.grids[Plane.AXIAL]
    gpu = torch.device("cuda")
    assert slices_at_once(grid, gpu) >= grid.shape[0]
    wide = replace(grid, shape=(60, 512, 512))
    assert 1 <= slices_at_once(wide, gpu) <= BUDGET / (3 * 512 * 512)
    assert slices_at_once(replace(grid, shape=(2, 9000, 9000)), gpu) == 1


def test_on_another_device_everything_is_computed_there():
    """No GPU is needed: fake tensors refuse to mix devices. In a process of its own, as caches would keep them."""
    script = Path(__file__).with_name("imagined_gpu.py")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=script.parents[2], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    assert {kind for kind, _, _ in lines} == {"normal", "both", *KINDS}
    for kind, computed, series in lines:
        assert int(computed) > 1500, kind
        assert int(series) == len(Plane)  # the pixels of each series are brought back once


def test_the_point_spread_is_a_gaussian_with_mirrored_edges():
    picture = np.random.default_rng(3).random((2, 17, 23), dtype=np.float32)
    wanted = np.stack([ndimage.gaussian_filter(one, PSF) for one in picture])
    assert np.abs(blurred(torch.from_numpy(picture)).numpy() - wanted).max() < 1e-5


def test_small_exams_have_8_to_12_slices_and_full_ones_17_to_61(torn):
    assert all(8 <= series.slices <= 12 for series in torn.series.values())
    counts = [draw_grid(generator(n), Plane.SAGITTAL, "full").shape[0] for n in range(400)]
    assert min(counts) >= 17
    assert max(counts) <= 61
    assert max(counts) > 31
    assert np.mean([20 <= count <= 30 for count in counts]) > 0.85


def test_labels_and_masks_agree_with_the_lesions(torn):
    assert torn.labels == {Task.ABNORMAL: True, Task.ACL: True, Task.MENISCUS: True}
    for plane, masks in torn.masks.items():
        assert len(masks) == len(torn.lesions)
        assert all(mask.shape == torn.series[plane].pixels.shape for mask in masks)
    tear = next(n for n, lesion in enumerate(torn.lesions) if lesion.type == "acl tear")
    assert torn.lesions[tear].volume_mm3 > 20
    for plane, grid in torn.grids.items():
        # A mask of thick slices holds about the record's volume (partial voxels count by their half).
        volume = torn.masks[plane][tear].sum() * np.prod(grid.spacing)
        assert 0.3 < volume / torn.lesions[tear].volume_mm3 < 2.2
        ligament = ndimage.binary_dilation(torn.structures[plane]["acl"], np.ones((3, 5, 5)))
        assert (torn.masks[plane][tear] & ligament).any()


def test_structures_are_given_where_asked_for(torn):
    for plane, named in torn.structures.items():
        assert tuple(named) == STRUCTURES
        assert all(mask.shape == torn.series[plane].pixels.shape and mask.any() for mask in named.values())
    assert make_exam(31, 4, size="small", planes=(Plane.AXIAL,)).structures == {}


def test_a_normal_exam_has_no_lesion_and_no_mask():
    exam = make_exam(31, 6, size="small", pathology="normal", planes=(Plane.CORONAL,))
    assert exam.lesions == ()
    assert exam.masks[Plane.CORONAL] == ()
    assert not any(exam.labels.values())


def test_twins_differ_only_about_the_lesion():
    planes = (Plane.SAGITTAL, Plane.CORONAL)
    exam = make_exam(8, 3, size="small", pathology="meniscal tear", planes=planes)
    assert len(exam.lesions) == 1
    twin = make_exam(8, 3, size="small", pathology="meniscal tear", planes=planes, without=0)
    assert twin.lesions == ()
    assert not twin.labels[Task.ABNORMAL]
    bare = make_exam(8, 3, size="small", pathology="meniscal tear", planes=planes, lesions=())
    for plane in planes:
        a, b = (one.series[plane].pixels.astype(int) for one in (exam, twin))
        changed = np.abs(a - b) > 0.08 * a.max()
        near = ndimage.binary_dilation(exam.masks[plane][0], np.ones((3, 9, 9)))
        assert changed.any()
        assert (changed & near).sum() > 0.9 * changed.sum()
        assert np.array_equal(twin.series[plane].pixels, bare.series[plane].pixels)


def test_a_patients_second_exam_is_of_the_same_body_in_another_posture():
    plan = [entry for entry in plan_cohort(None, paper=True, seed=3) if entry.split is Split.TUNING]
    later = [entry for entry in plan if entry.body is not None]
    assert len(later) == len(plan) - len({entry.patient for entry in plan})
    by_k = {entry.k: entry for entry in plan}
    for entry in later[:4]:
        first = by_k[entry.body]
        assert (first.patient, first.body) == (entry.patient, None)
        one, two = (_person(3, each.k, None, each)[3] for each in (first, entry))
        assert one.wander == two.wander
        assert one.tile == two.tile
        assert one.scale == two.scale
        assert abs(one.cartilage - two.cartilage) < 0.05  # two years older at most
        assert one.flexion != two.flexion
        assert one.offset != two.offset
        alone = _person(3, entry.k, None, replace(entry, body=None))
        assert alone[3].wander != two.wander
        assert alone[4] == _person(3, entry.k, None, entry)[4]  # the findings are the exam's own


def test_the_tibia_stands_forward_in_a_complete_acl_tear_and_stays_so_in_its_twin():
    drawn = [make_exam(2, k, size="small", pathology="acl tear", planes=()) for k in range(12)]
    complete = next(exam for exam in drawn if exam.lesions[0].grade == "complete")
    twin = make_exam(2, complete.k, size="small", pathology="acl tear", planes=(Plane.SAGITTAL,), without=0)
    exam = make_exam(2, complete.k, size="small", pathology="acl tear", planes=(Plane.SAGITTAL,))
    same = twin.series[Plane.SAGITTAL].pixels == exam.series[Plane.SAGITTAL].pixels
    assert same.mean() > 0.8


def test_fluid_is_bright_in_t2_and_dark_in_t1_in_the_pictures():
    exam = make_exam(12, 0, size="small", pathology="effusion", lesions=None, structures=True)
    for plane, bright in ((Plane.SAGITTAL, True), (Plane.CORONAL, False)):
        pixels, fluid = exam.series[plane].pixels, exam.structures[plane]["fluid"]
        core = ndimage.binary_erosion(fluid, np.ones((1, 3, 3)))
        foreground = pixels[pixels > 0.15 * pixels.max()]
        level = np.median(pixels[core])
        if bright:
            assert level > np.percentile(foreground, 90)
        else:
            assert level < np.median(foreground)


def test_a_point_of_the_patient_is_the_same_tissue_in_all_planes(torn):
    """Bone seen in one plane is bone at the same place in another, but for its edge."""
    sagittal, grid = torn.structures[Plane.SAGITTAL]["bone"], torn.grids[Plane.SAGITTAL]
    deep = ndimage.binary_erosion(sagittal, np.ones((3, 9, 9)))
    index = np.argwhere(deep)[::97]
    points = np.array([grid.point(one) for one in index])
    for plane in (Plane.CORONAL, Plane.AXIAL):
        other = torn.grids[plane]
        directions = np.array([other.slice_direction, other.row_direction, other.column_direction])
        there = np.rint((points - other.origin) @ directions.T / other.spacing).astype(int)
        inside = ((there >= 0) & (there < other.shape)).all(axis=1)
        assert inside.sum() > 20
        assert torn.structures[plane]["bone"][tuple(there[inside].T)].mean() > 0.9


@pytest.mark.parametrize("plane", Plane)
def test_a_grid_is_near_its_plane_and_orthonormal(plane):
    grid = draw_grid(generator(7), plane, "full")
    directions = np.array([grid.slice_direction, grid.row_direction, grid.column_direction])
    assert np.allclose(directions @ directions.T, np.eye(3), atol=1e-9)
    assert (np.sum(directions * np.array(AXES[plane]), axis=1) > 0.98).all()
    assert grid.thickness < grid.spacing[0]  # a gap


@pytest.mark.parametrize("side", Side)
def test_lateral_is_away_from_the_other_leg(side):
    subject = Subject.draw(generator(1), 40, "F")
    subject = replace(subject, turn=(0.0, 0.0, 0.0), offset=(0.0, 0.0, 0.0), scale=1.0, breadth=1.0)
    grid = draw_grid(generator(2), Plane.CORONAL, "small")
    affine = knee_affine(grid, subject, side)
    index = np.array([3.0, 50.0, 70.0])
    left, posterior, head = grid.point(index)
    x, y, z = affine.origin + index @ affine.steps
    assert (x, y, z) == pytest.approx((left if side is Side.LEFT else -left, posterior, head))


def test_sagittal_proton_density_can_be_asked_for():
    wanted = {Plane.SAGITTAL: "PD"}
    exam = make_exam(3, 1, size="small", planes=(Plane.SAGITTAL,), sequences=wanted)
    usual = make_exam(3, 1, size="small", planes=(Plane.SAGITTAL,))
    assert exam.sequences[Plane.SAGITTAL].name == "PD"
    assert not exam.sequences[Plane.SAGITTAL].fat_suppressed
    assert exam.series[Plane.SAGITTAL].description == "SYNTHETIC SAG PD"
    assert exam.series[Plane.SAGITTAL].pixels.mean() > 1.3 * usual.series[Plane.SAGITTAL].pixels.mean()


def test_a_plan_fixes_what_it_names():
    report = {Task.ABNORMAL: True, Task.ACL: False, Task.MENISCUS: False}
    plan = PlannedExam(4, "P00012", Split.TRAIN, pathology="acl", age=61, sex="F", report_labels=report)
    exam = make_exam(1, 4, size="small", planned=plan, planes=())
    assert (exam.patient, exam.split, exam.age, exam.sex) == ("P00012", Split.TRAIN, 61, "F")
    assert exam.labels[Task.ACL]
    assert not exam.labels[Task.MENISCUS]
    assert exam.report_labels == report


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1, "k": 0}, "0 or more; got -1"),
        ({"seed": 0, "k": 0, "size": "tiny"}, "size 'tiny' is unknown"),
        ({"seed": 0, "k": 0, "pathology": "flu"}, "pathology 'flu' is unknown"),
        ({"seed": 0, "k": 0, "pathology": "normal", "without": 0}, "no lesion 0 to leave out"),
        ({"seed": 0, "k": 0, "sequences": {Plane.AXIAL: "PD"}}, "axial has no sequence 'PD'"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_choices(arguments, message):
    with pytest.raises(InputError, match=message):
        make_exam(**arguments)


def test_every_kind_of_lesion_can_be_named():
    for kind in KINDS:
        exam = make_exam(6, 2, size="small", pathology=kind, planes=())
        assert [lesion.type for lesion in exam.lesions] == [kind]


def test_noise_is_rician_in_the_background(torn):
    """Magnitude of two Gaussians: mean over standard deviation is 1.91 where there is no signal (Rayleigh)."""
    pixels = torn.series[Plane.AXIAL].pixels
    corner = pixels[:, :14, :14].astype(float)
    assert corner.mean() / corner.std() == pytest.approx(1.91, abs=0.2)


def test_ghosts_add_a_shifted_copy_of_the_signal():
    picture = torch.zeros((1, 40, 40))
    picture[0, 20, 20] = 100
    picture = add_artefacts(picture, Artefact(0.1, 0.25, 0, 1))
    assert picture[0, 20, 20] == 100
    assert float(picture[0, 30, 20]) == pytest.approx(10)
    assert float(picture[0, 10, 20]) == pytest.approx(10)


@pytest.mark.parametrize("axis", [1, 2])
def test_wrap_shows_what_lies_beyond_one_end_at_the_other_unmirrored(axis):
    wide = torch.zeros((1, 40, 40))
    wide[0, 34, 34] = 100  # two pixels beyond the far end of a field of view of 24
    wide[0, 5, 5] = 60  # three before its near end
    folded = add_artefacts(wide if axis == 1 else wide.mT.contiguous(), Artefact(0.0, 0.25, 8, axis))
    folded = folded if axis == 1 else folded.mT
    assert folded.shape == (1, 24, 40)
    seen = {tuple(index): float(folded[tuple(index)]) for index in np.argwhere(folded.numpy() > 0)}
    assert set(seen) == {(0, 2, 34), (0, 21, 5)}
    assert 0 < seen[0, 2, 34] < 50
    assert 0 < seen[0, 21, 5] < 30


def test_fat_is_displaced_along_the_readout_and_ghosts_and_wrap_lie_along_the_phase():
    for plane in Plane:
        drawn = [draw_artefacts(generator(n), plane) for n in range(200)]
        assert {one.phase_axis for one in drawn} == {({1, 2} - {READOUT_AXIS[plane]}).pop()}
        assert any(one.wrap for one in drawn) == (plane is Plane.SAGITTAL)


def test_wrap_changes_the_picture_at_head_and_foot_alone(monkeypatch):
    def sagittal(wrap):
        plain = Artefact(0.0, 0.25, wrap, 1)
        monkeypatch.setattr(acquisition, "draw_artefacts", lambda *_: plain)
        return make_exam(31, 4, size="small", pathology="acl", planes=(Plane.SAGITTAL,))

    plain, folded = sagittal(0), sagittal(20)
    a, b = (exam.series[Plane.SAGITTAL].pixels.astype(float) for exam in (plain, folded))
    assert a.shape == b.shape
    inside = np.abs(a - b)[:, 20:-20].mean()
    assert inside < 0.01 * a.max()
    assert (b - a)[:, :5].mean() > 5 * inside
    assert (b - a)[:, -5:].mean() > 5 * inside
    one, other = (exam.masks[Plane.SAGITTAL][0] for exam in (plain, folded))
    assert one.any()
    assert (one != other).sum() < 0.2 * one.sum()  # samples are scattered anew


def test_a_few_scanners_meet_metal_and_half_are_of_3_tesla():
    scanners = [Scanner.draw(generator(n)) for n in range(600)]
    assert 0.005 < np.mean([scanner.metal[3] > 0 for scanner in scanners]) < 0.07
    assert 0.4 < np.mean([scanner.field_tesla == 3.0 for scanner in scanners]) < 0.6
    assert {scanner.manufacturer for scanner in scanners} == {"PHANTOM A", "PHANTOM B"}
