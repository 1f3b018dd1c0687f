"""Numbers that no scanner writes: they cost their own file or series, in a sentence, and never the exam."""

import numpy as np
import pytest

from mrnet_core.dicom import reading
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # arithmetic on them never overflows either


def beside_a_good_series(read, **numbers):
    """An exam of a sagittal series with these numbers and a whole axial one."""
    exam = read(builder.series("sagittal", **numbers) + builder.series("axial"))
    assert np.array_equal(exam.series[Plane.AXIAL].pixels, read(builder.series("axial")).series[Plane.AXIAL].pixels)
    return exam


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"RescaleSlope": "1E20"}, "its RescaleSlope is 1e+20; 1e-06 to 1e+06 are read, with either sign"),
        ({"RescaleSlope": "-1E38", "RescaleIntercept": "0.5"}, "its RescaleSlope is -1e+38; 1e-06 to 1e+06 are read"),
        ({"RescaleSlope": "1E-300"}, "its RescaleSlope is 1e-300; 1e-06 to 1e+06 are read"),
        ({"RescaleIntercept": "1E300"}, "its RescaleIntercept is 1e+300, more than 1e+06 times its RescaleSlope"),
        (
            {"RescaleSlope": "0.001", "RescaleIntercept": "-5000"},
            "its RescaleIntercept is -5000, more than 1e+06 times",
        ),
    ],
)
def test_files_with_an_impossible_rescale_are_skipped_and_the_exam_is_read(read, numbers, reason):
    exam = beside_a_good_series(read, **numbers)
    assert exam.planes == (Plane.AXIAL,)
    assert [one.position for one in exam.skipped] == list(range(builder.SLICES))
    assert all(one.reason.startswith(reason) for one in exam.skipped)


def test_one_file_with_an_impossible_rescale_costs_one_slice(read):
    files = builder.series("axial", 12)
    files[5].RescaleSlope = "1E20"
    exam = read(files)
    assert exam.series[Plane.AXIAL].slices == 11
    assert [one.position for one in exam.skipped] == [5]


@pytest.mark.parametrize(
    "numbers",
    [
        {"PixelSpacing": ["1E-6", "1"]},
        {"PixelSpacing": ["1E-300", "1E300"]},
        {"PixelSpacing": ["0.5", "21"]},
        {"ImagePositionPatient": ["1E300", "-1E300", "0"]},
        {"ImagePositionPatient": ["0", "0", "200000"]},
        {"ImageOrientationPatient": ["1E200", "0", "0", "0", "1E200", "0"]},
    ],
    ids=str,
)
def test_a_series_at_an_impossible_place_is_refused_and_the_exam_is_read(read, numbers):
    exam = beside_a_good_series(read, **numbers)
    assert exam.planes == (Plane.AXIAL,)
    (refused,) = exam.refused
    assert refused.reason.startswith("its images do not credibly say where they lie (position, orientation")


@pytest.mark.parametrize(
    ("spacing", "shape", "size"),
    [
        ((0.01, 1.0), (24, 32), "0.24 x 32 mm"),
        ((1.0, 0.3), (24, 32), "24 x 9.6 mm"),
        ((20.0, 20.0), (60, 60), "1200 x 1200 mm"),
    ],
)
def test_pictures_of_a_size_that_no_knee_has_are_refused(read, spacing, shape, size):
    exam = beside_a_good_series(read, spacing=spacing, shape=shape)
    assert exam.planes == (Plane.AXIAL,)
    (refused,) = exam.refused
    assert refused.reason == f"its pictures are {size}, going by PixelSpacing; each side must be 10 to 1000 mm"


@pytest.mark.parametrize(
    "window",
    [("1E308", "1E308"), ("1E308", "400"), ("500", "1E308"), ("90000", "400"), ("-3000", "400")],
)
def test_a_window_that_shows_nothing_of_the_pixels_is_made_from_them(read, window):
    exam = read(builder.series("axial", WindowCenter=window[0], WindowWidth=window[1]))
    assert exam.series[Plane.AXIAL].window == read(builder.series("axial")).series[Plane.AXIAL].window


def test_impossible_times_and_thicknesses_count_as_absent(read):
    wild = {"RepetitionTime": "1E308", "EchoTime": "1E308", "InversionTime": "-1E308", "SliceThickness": "1E308"}
    absent = dict.fromkeys(wild)
    wildly, plainly = (read(builder.series("axial", **numbers)).series[Plane.AXIAL] for numbers in (wild, absent))
    assert (wildly.reason, wildly.warnings) == (plainly.reason, plainly.warnings)
    assert "308" not in wildly.reason


@pytest.mark.parametrize("error", [OverflowError("too large"), ExamError("its window is no window")])
def test_a_series_whose_assembly_fails_is_refused_and_the_next_best_is_read(read, monkeypatch, error):
    make = reading.display_window

    def fail(values, frames):
        if frames[0].header.series_description == "SAGITTAL best":
            raise error
        return make(values, frames)

    monkeypatch.setattr(reading, "display_window", fail)
    sagittal = builder.series("sagittal", 12, series="best") + builder.series("sagittal", series="next")
    exam = read(sagittal + builder.series("axial"))
    assert exam.series[Plane.SAGITTAL].description == "SAGITTAL next"
    assert Plane.AXIAL in exam.series
    (refused,) = (one for one in exam.refused if one.description == "SAGITTAL best")
    assert refused.reason == f"its numbers cannot be used ({error}): leave that series out, or export it again"
