"""The foreground and the map on a real exam (``MRNET_TEST_EXAM``): its air is noise, its fat is suppressed."""

import os
from pathlib import Path

import numpy as np
import pytest

from mrnet_core.dicom import read_exam
from mrnet_core.domain import Plane
from mrnet_core.preprocess import Landmarks, prepare, resize_series
from mrnet_core.preprocess.intensity import foreground_percentiles, foreground_threshold

DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "exams" / "knee-right-siemens-1.5t"
EXAM = Path(os.environ.get("MRNET_TEST_EXAM", DEFAULT))
pytestmark = pytest.mark.skipif(
    not EXAM.is_dir(), reason=f"no real exam at {EXAM.name} (MRNET_TEST_EXAM names its folder)"
)


@pytest.fixture(scope="module")
def exam():
    return read_exam([EXAM])


def test_the_noise_of_the_air_lies_below_the_threshold_and_most_of_the_knee_above(exam):
    stack = resize_series(exam.series[Plane.AXIAL])
    corners = np.concatenate([stack[:, :24, :24].ravel(), stack[:, -24:, -24:].ravel()])
    middle = stack[8:-4, 90:200, 100:190]
    threshold = foreground_threshold(stack)
    assert np.percentile(corners, 99.9) < threshold
    assert (middle > threshold).mean() > 0.5


@pytest.mark.parametrize("plane", list(Plane))
def test_a_smaller_field_of_view_moves_the_landmarks_little(exam, plane):
    stack = resize_series(exam.series[plane])
    whole, cropped = (foreground_percentiles(part) for part in (stack, stack[:, 42:-42, 42:-42]))
    np.testing.assert_allclose(cropped, whole, rtol=0.25)


def test_a_prepared_series_has_the_landmarks_it_was_mapped_to(exam):
    landmarks = Landmarks((20, 35, 50, 60, 75, 90, 110, 130, 150, 220), 1)
    prepared = prepare(exam.series[Plane.CORONAL], landmarks)
    assert prepared.shape == (22, 256, 256)
    assert np.percentile(prepared, 40) < 20  # the air and the suppressed fat stay dark
    assert (prepared == 255).mean() < 0.01  # and little is lost at the bright end
    stack = resize_series(exam.series[Plane.CORONAL])
    reached = np.percentile(prepared[stack > foreground_threshold(stack)], landmarks.percentiles)
    np.testing.assert_allclose(reached, landmarks.values, atol=1)
