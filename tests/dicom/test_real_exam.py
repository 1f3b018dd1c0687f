"""A real exam (``MRNET_TEST_EXAM``): the right series with reasons, and the same pixels in every form it can take."""

import os
import zipfile
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from mrnet_core.dicom import UploadedFile, read_exam
from mrnet_core.domain import Plane, Side
from tests.dicom.recode import LOSSLESS, recoded

DEFAULT = Path(__file__).resolve().parents[3] / "shared/exams/knee-right-siemens-1.5t"
EXAM = Path(os.environ.get("MRNET_TEST_EXAM", DEFAULT))
pytestmark = pytest.mark.skipif(
    not EXAM.is_dir(), reason=f"no real exam at {EXAM.name} (MRNET_TEST_EXAM names its folder)"
)


@pytest.fixture(scope="module")
def exam():
    return read_exam(EXAM)


@pytest.fixture(scope="module")
def files():
    return [path.read_bytes() for path in sorted(EXAM.rglob("*.dcm"))]


@pytest.fixture(scope="module")
def pictures(files):
    """Stored values, decoded once by this test from the fragment that dcmread hands over."""
    frames = (next(generate_frames(dcmread(BytesIO(data)).PixelData, number_of_frames=1)) for data in files)
    return [imagecodecs.jpeg8_decode(frame) for frame in frames]


def same(exam, other) -> bool:
    return exam.planes == other.planes and all(
        np.array_equal(exam.series[plane].pixels, other.series[plane].pixels)
        and exam.series[plane].reason == other.series[plane].reason
        for plane in exam.planes
    )


def test_the_three_fat_suppressed_series_are_taken_with_their_reasons(exam):
    taken = {plane: (series.description, series.slices) for plane, series in exam.series.items()}
    assert taken == {
        Plane.SAGITTAL: ("SAG DP FS .", 24),
        Plane.CORONAL: ("CORO DP FS", 22),
        Plane.AXIAL: ("AX DP FS .", 28),
    }
    assert exam.side is Side.RIGHT
    assert exam.skipped == exam.warnings == ()
    assert all("PD-weighted, fat-suppressed (TR" in series.reason for series in exam.series.values())


def test_the_other_three_are_refused_with_reasons(exam):
    reasons = {one.description: (one.slices, one.reason, one.selectable) for one in exam.refused}
    assert set(reasons) == {"localizer_tra", "localizer 3 PLANS", "SAG T1"}
    assert reasons["localizer_tra"][:2] == (3, "a localizer (its description says so): 3 images in one direction")
    assert reasons["localizer 3 PLANS"][:2] == (11, "a localizer (its description says so): 11 images in 3 directions")
    assert "nearer to the paper's T2-weighted" in reasons["SAG T1"][1]
    assert [name for name, (_, _, selectable) in reasons.items() if selectable] == ["SAG T1"]


def test_the_stand_ins_are_warned_of(exam):
    assert any("saw T2-weighted, fat-suppressed" in one for one in exam.series[Plane.SAGITTAL].warnings)
    assert any("saw T1-weighted" in one for one in exam.series[Plane.CORONAL].warnings)
    assert exam.series[Plane.AXIAL].warnings == ()


def test_shuffled_names_and_a_zip_change_nothing(exam, files):
    order = np.random.default_rng(4).permutation(len(files))
    shuffled = [UploadedFile(f"{n}", files[k]) for n, k in enumerate(order)]
    assert same(exam, read_exam(shuffled))
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in shuffled:
            archive.writestr(f"PATIENT/{one.name}", one.data)
    assert same(exam, read_exam(UploadedFile("exam", target.getvalue())))


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: UID(uid).name)
def test_re_encoding_without_loss_changes_no_pixel(exam, files, pictures, syntax):
    """The three series taken; the others would only cost time."""
    taken = {series.uid for series in exam.series.values()}
    again = [
        UploadedFile("x", recoded(data, picture, syntax))
        for data, picture in zip(files, pictures, strict=True)
        if dcmread(BytesIO(data), specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID in taken
    ]
    read = read_exam(again)
    assert read.planes == exam.planes
    for plane, series in exam.series.items():
        assert np.array_equal(read.series[plane].pixels, series.pixels)
        assert read.series[plane].window == series.window


def test_slices_lie_in_the_order_of_the_files_own_positions(exam, files, pictures):
    """This scanner stores all three planes in the standard orientation already, so position alone gives the stack."""
    headers = [dcmread(BytesIO(data), stop_before_pixels=True) for data in files]
    for axis, (plane, series) in zip(range(3), exam.series.items(), strict=True):  # sagittal x, coronal y, axial z
        own = sorted(
            (float(header.ImagePositionPatient[axis]), n)
            for n, header in enumerate(headers)
            if header.SeriesInstanceUID == series.uid
        )
        assert np.array_equal(series.pixels, np.stack([pictures[n] for _, n in own])), plane
