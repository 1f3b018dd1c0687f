"""Series, exams and predictions are valid by construction, and refuse in words."""

import pickle

import numpy as np
import pytest

from mrnet_core.domain import Exam, ExamError, Heatmap, Plane, RefusedSeries, Series, Task, Window


def series(plane=Plane.SAGITTAL, uid="1.2.3", slices=4, **changes):
    values = {
        "plane": plane,
        "pixels": np.arange(slices * 6 * 5, dtype=np.int16).reshape(slices, 6, 5),
        "row_spacing": 0.5,
        "column_spacing": 0.5,
        "slice_spacing": 3.0,
        "description": "SAG",
        "uid": uid,
        "reason": "the only sagittal series",
        "window": Window(100.0, 200.0),
    }
    return Series(**values | changes)


@pytest.mark.parametrize("shape", [(4, 6), (0, 6, 5), (4, 0, 5)])
def test_a_series_without_three_full_axes_is_refused(shape):
    with pytest.raises(ExamError, match="must be"):
        series(pixels=np.zeros(shape, np.int16))


def test_a_series_of_doubles_is_refused_by_its_type():
    with pytest.raises(ExamError, match="float64"):
        series(pixels=np.zeros((2, 3, 3)))


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), float("inf")])
def test_pixel_spacing_that_is_no_length_is_refused(spacing):
    with pytest.raises(ExamError, match="pixel spacing"):
        series(row_spacing=spacing)


def test_only_uint8_of_256_can_call_itself_standardised():
    with pytest.raises(ExamError, match="standardised"):
        series(standardised=True)
    taken = series(pixels=np.zeros((2, 256, 256), np.uint8), standardised=True)
    assert taken.slices == 2


def test_pixels_of_a_series_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        series().pixels[0, 0, 0] = 1


def test_an_exam_lists_its_planes_in_the_order_of_the_paper():
    exam = Exam({Plane.AXIAL: series(Plane.AXIAL), Plane.SAGITTAL: series()})
    assert exam.planes == (Plane.SAGITTAL, Plane.AXIAL)


def test_an_exam_refuses_a_series_under_the_wrong_plane():
    with pytest.raises(ExamError, match="is sagittal"):
        Exam({Plane.AXIAL: series()})


def test_an_exam_without_series_is_refused():
    with pytest.raises(ExamError, match="at least one series"):
        Exam({})


def test_an_exam_survives_the_way_between_processes():
    exam = Exam({Plane.SAGITTAL: series()}, alternatives={Plane.SAGITTAL: (series(uid="9"),)})
    back = pickle.loads(pickle.dumps(exam))
    assert np.array_equal(back.series[Plane.SAGITTAL].pixels, exam.series[Plane.SAGITTAL].pixels)
    assert back.alternatives[Plane.SAGITTAL][0].uid == "9"


def test_choosing_the_runner_up_swaps_the_two_and_says_so():
    other = series(uid="9", slices=7)
    refused = RefusedSeries("T1", "9", 7, "further from the paper's sequence", selectable=True)
    exam = Exam({Plane.SAGITTAL: series()}, refused=(refused,), alternatives={Plane.SAGITTAL: (other,)})
    changed = exam.choose(Plane.SAGITTAL, "9")
    assert changed.series[Plane.SAGITTAL].slices == 7
    assert changed.series[Plane.SAGITTAL].reason == "chosen by hand"
    assert [entry.uid for entry in changed.refused] == ["1.2.3"]
    again = changed.choose(Plane.SAGITTAL, "1.2.3")
    assert again.series[Plane.SAGITTAL].uid == "1.2.3"
    assert exam.series[Plane.SAGITTAL].uid == "1.2.3"


def test_choosing_a_series_that_is_not_there_names_those_that_are():
    exam = Exam({Plane.SAGITTAL: series()}, alternatives={Plane.SAGITTAL: (series(uid="9"),)})
    with pytest.raises(ExamError, match=r"can be chosen: 9"):
        exam.choose(Plane.SAGITTAL, "7")


def test_the_most_activated_slice_is_the_one_with_the_highest_peak_not_the_highest_sum():
    cam = np.zeros((3, 7, 7), np.float32)
    cam[1] = 1.0
    cam[2, 3, 3] = 5.0
    assert Heatmap(Plane.SAGITTAL, Task.ACL, cam).most_activated_slice == 2
