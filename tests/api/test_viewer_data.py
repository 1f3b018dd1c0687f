"""The viewer's blob, read back by the layout that its module states."""

import json

import numpy as np
import pytest

from mrnet_core.api import viewer_data
from mrnet_core.api.viewer_data import (
    Captions,
    DemoTruth,
    LesionMask,
    TrueLesion,
    pack_exam,
    picture_frame,
)
from mrnet_core.domain import Exam, ExamPrediction, Heatmap, ModelInfo, Plane, Series, SeriesScore, Task, Window

CAPTIONS = Captions("Research use only.", "synthetic model", Task.MENISCUS, "nothing yet")


def a_series(plane=Plane.SAGITTAL, shape=(3, 5, 7), dtype=np.int16, spacing=(0.5, 0.4), **more) -> Series:
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype) - dtype(3 if np.dtype(dtype).kind != "u" else 0)
    given = {"slice_spacing": 3.0, "description": "SECRET^NAME", "uid": "1.2.3.4", "reason": "secret reason"} | more
    return Series(plane, pixels, *spacing, window=Window(40.0, 80.0), **given)


def a_prediction(exam: Exam, tasks=tuple(Task)) -> ExamPrediction:
    rng = np.random.default_rng(3)
    scores = tuple(
        SeriesScore(plane, task, 0.25, Heatmap(plane, task, rng.normal(size=(series.slices, 7, 7)).astype(np.float32)))
        for plane, series in exam.series.items()
        for task in tasks
    )
    info = ModelInfo("m", "t", True, "e", "v")
    return ExamPrediction(dict.fromkeys(tasks, 0.5), scores, exam.planes, info)


def unpack(blob: bytes) -> tuple[dict, callable]:
    assert blob[:4] == b"MRNV"
    length = int.from_bytes(blob[4:8], "little")
    start = 8 + length
    assert start % 8 == 0

    def section(place, kind):
        offset, size = place
        assert offset % 8 == 0
        return np.frombuffer(blob[start + offset : start + offset + size], kind)

    return json.loads(blob[8:start]), section


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32, np.uint8])
def test_pixels_come_back_as_they_are_whatever_their_type(dtype):
    series = a_series(dtype=dtype)
    header, section = unpack(pack_exam(Exam({Plane.SAGITTAL: series}), None, CAPTIONS))
    pane = header["panes"][0]
    assert pane["shape"] == [3, 5, 7]
    assert (section(pane["pixels"], pane["kind"]).reshape(3, 5, 7) == series.pixels).all()
    assert pane["range"] == [float(series.pixels.min()), float(series.pixels.max())]


def test_maps_come_back_as_they_are_under_their_own_plane_and_task():
    exam = Exam({plane: a_series(plane, shape=(4, 5, 7)) for plane in Plane})
    prediction = a_prediction(exam)
    header, section = unpack(pack_exam(exam, prediction, CAPTIONS))
    assert [pane["plane"] for pane in header["panes"]] == list(Plane)
    for pane in header["panes"]:
        for task in Task:
            heatmap = prediction.score(Plane(pane["plane"]), task).heatmap
            entry = pane["maps"][task]
            assert (section(entry["cam"], "<f4").reshape(4, 7, 7) == heatmap.cam).all()
            assert entry["most"] == int(heatmap.cam.reshape(4, -1).max(1).argmax())
    assert header["firstTask"] == "meniscus"


def test_a_lesions_bits_give_its_mask_back_and_absent_planes_are_left_out():
    exam = Exam({plane: a_series(plane, shape=(4, 5, 7)) for plane in (Plane.SAGITTAL, Plane.AXIAL)})
    mask = np.zeros((4, 5, 7), bool)
    mask[1:3, 2, 3:6] = True
    mask[2, 4, 1] = True
    truth = DemoTruth(
        "two lesions", (TrueLesion("first", {}), TrueLesion("second", {Plane.AXIAL: LesionMask.crop(mask)}))
    )
    header, section = unpack(pack_exam(exam, None, CAPTIONS, truth))
    sagittal, axial = header["panes"]
    assert sagittal["lesions"] == []
    (entry,) = axial["lesions"]
    assert entry["lesion"] == 1
    depth, height, width = entry["shape"]
    box = np.unpackbits(section(entry["bits"], "u1"))[: depth * height * width].reshape(depth, height, width)
    s, r, c = entry["origin"]
    again = np.zeros_like(mask)
    again[s : s + depth, r : r + height, c : c + width] = box
    assert (again == mask).all()
    assert header["truth"]["lesions"] == ["first", "second"]


def test_an_outline_never_lands_on_a_series_of_another_matrix():
    exam = Exam({Plane.SAGITTAL: a_series(shape=(4, 5, 7))})
    mask = np.ones((4, 6, 7), bool)
    truth = DemoTruth("one", (TrueLesion("first", {Plane.SAGITTAL: LesionMask.crop(mask)}),))
    header, _ = unpack(pack_exam(exam, None, CAPTIONS, truth))
    assert header["panes"][0]["lesions"] == []


def test_a_mask_that_misses_the_series_has_no_box():
    assert LesionMask.crop(np.zeros((2, 3, 4), bool)) is None


def test_nothing_that_could_name_a_patient_is_in_the_blob():
    exam = Exam({Plane.SAGITTAL: a_series()}, warnings=("SECRET WARNING",))
    blob = pack_exam(exam, a_prediction(exam), CAPTIONS).lower()
    assert b"secret" not in blob
    assert b"1.2.3.4" not in blob


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_blob_says_whether_its_exam_is_synthetic_with_and_without_a_truth(synthetic, monkeypatch):
    exam = Exam({Plane.SAGITTAL: a_series()})
    monkeypatch.setattr(viewer_data, "is_synthetic", lambda asked: synthetic and asked is exam)
    assert unpack(pack_exam(exam, None, CAPTIONS))[0]["synthetic"] is synthetic
    assert unpack(pack_exam(exam, None, CAPTIONS, DemoTruth("none")))[0]["synthetic"] is synthetic


def test_equal_pixels_have_equal_names_and_one_changed_pixel_changes_the_name():
    series = a_series()
    other = series.pixels.copy()
    other[2, 4, 6] += 1
    changed = a_series(description="other words")
    names = [
        unpack(pack_exam(Exam({Plane.SAGITTAL: one}), None, CAPTIONS))[0]["exam"]
        for one in (series, changed, Series(Plane.SAGITTAL, other, 0.5, 0.4, 3.0, "", "", "", Window(40.0, 80.0)))
    ]
    assert names[0] == names[1] != names[2]


def test_an_npy_series_claims_no_millimetres_and_no_directions():
    series = a_series(shape=(2, 256, 256), dtype=np.uint8, spacing=(1.0, 1.0), standardised=True, slice_spacing=None)
    pane = unpack(pack_exam(Exam({Plane.SAGITTAL: series}), None, CAPTIONS))[0]["panes"][0]
    assert pane["placed"] is False
    assert pane["letters"] is None


def test_letters_are_those_of_the_standard_orientation():
    exam = Exam({plane: a_series(plane) for plane in Plane})
    panes = unpack(pack_exam(exam, None, CAPTIONS))[0]["panes"]
    # left, right, top, bottom of the screen, from the table in mrnet_core/domain/exam.py
    assert ["".join(pane["letters"]) for pane in panes] == ["APHF", "RLHF", "RLAP"]


def test_the_networks_picture_is_a_square_with_the_shorter_direction_in_its_middle():
    wide = a_series(shape=(2, 100, 200), spacing=(0.5, 0.5))
    assert picture_frame(wide) == (100.0, 0.0, 25.0)
    tall = a_series(shape=(2, 100, 100), spacing=(1.0, 0.5))
    assert picture_frame(tall) == (100.0, 25.0, 0.0)
