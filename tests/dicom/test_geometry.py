"""Planes, slice order and the standard orientation come from the geometry attributes and from nothing else."""

from itertools import permutations, product

import numpy as np
import pytest

from mrnet_core.dicom.geometry import layout, plane_of
from mrnet_core.domain import ExamError, Plane
from tests.dicom import builder

TOWARDS = {
    # direction of increasing slice, row and column index as the table of domain/exam.py states it, in (x, y, z)
    Plane.SAGITTAL: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    Plane.CORONAL: ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    Plane.AXIAL: ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
}
AXES = [tuple(sign * (axis == n) for axis in range(3)) for n in range(3) for sign in (1, -1)]
ORIENTATIONS = [(*row, *column) for row, column in permutations(AXES, 2) if np.dot(row, column) == 0]


def turned(orientation, degrees, axis):
    """Direction cosines rotated about a patient axis (Rodrigues)."""
    angle, axis = np.radians(degrees), np.array(axis, float)

    def turn(vector):
        vector = np.array(vector, float)
        return (
            vector * np.cos(angle)
            + np.cross(axis, vector) * np.sin(angle)
            + axis * (axis @ vector) * (1 - np.cos(angle))
        )

    return (*turn(orientation[:3]), *turn(orientation[3:]))


def assert_standard(series, step):
    """Pixels rise along each array axis as patient coordinates do in the standard orientation."""
    pixels = series.pixels.astype(float)
    for axis, (direction, distance) in enumerate(
        zip(TOWARDS[series.plane], (step, series.row_spacing, series.column_spacing), strict=True)
    ):
        expected = builder.SLOPES @ np.array(direction) * distance
        assert np.diff(pixels, axis=axis).mean() == pytest.approx(expected, abs=0.05)


def test_there_are_24_right_angled_orientations():
    assert len(ORIENTATIONS) == 24


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_every_stored_orientation_is_brought_to_the_standard_one(read, orientation, backwards):
    plane, _ = plane_of(orientation)
    files = builder.series(plane.value, orientation=orientation)
    if backwards:
        for number, one in enumerate(reversed(files), 1):
            one.InstanceNumber = number
    exam = read(files)
    series = exam.series[plane]
    assert_standard(series, 4.0)
    stored_across = np.array(orientation[:3]) @ np.array(TOWARDS[plane][2])
    assert series.pixels.shape[1:] == ((24, 32) if stored_across else (32, 24))
    assert (series.row_spacing, series.column_spacing) == ((2.0, 1.0) if stored_across else (1.0, 2.0))
    assert series.slice_spacing == pytest.approx(4.0)


def test_slices_lie_in_order_of_position_whatever_numbers_names_and_file_order_say(read):
    generator = np.random.default_rng(3)
    files = builder.knee()
    for number, one in zip(generator.permutation(len(files)), files, strict=True):
        one.InstanceNumber = int(number) + 1
        one.SliceLocation = float(generator.normal())
    shuffled = [files[n] for n in generator.permutation(len(files))]
    for series in read(shuffled).series.values():
        assert_standard(series, 4.0)


def test_a_mirror_image_with_the_geometry_that_says_so_is_the_same_exam(read):
    plain = read(builder.series("coronal")).series[Plane.CORONAL]
    mirrored = []
    for one in builder.series("coronal"):
        row = np.array(one.ImageOrientationPatient[:3], float)
        one.ImagePositionPatient = list(np.array(one.ImagePositionPatient, float) + row * 31 * one.PixelSpacing[1])
        one.ImageOrientationPatient = [*(-row), *one.ImageOrientationPatient[3:]]
        one.PixelData = np.frombuffer(one.PixelData, "<u2").reshape(24, 32)[:, ::-1].tobytes()
        mirrored.append(one)
    assert np.array_equal(read(mirrored).series[Plane.CORONAL].pixels, plain.pixels)


def test_a_left_knee_is_not_turned_into_a_right_one(read):
    left = builder.series("coronal")
    for one in left:
        one.Laterality = "L"
    assert np.array_equal(
        read(left).series[Plane.CORONAL].pixels, read(builder.series("coronal")).series[Plane.CORONAL].pixels
    )


@pytest.mark.parametrize(
    ("degrees", "outcome"), [(34.5, "taken"), (35.5, "warned"), (39.5, "warned"), (40.5, "refused"), (44.0, "refused")]
)
def test_a_tilted_series_is_taken_warned_of_or_refused(read, degrees, outcome):
    tilted = turned(builder.IOP["sagittal"], degrees, (0, 0, 1))
    files = builder.series("sagittal", orientation=tilted) + builder.series("axial")
    exam = read(files)
    if outcome == "refused":
        assert Plane.SAGITTAL not in exam.series
        assert any("oblique" in one.reason for one in exam.refused)
        return
    warned = [warning for warning in exam.series[Plane.SAGITTAL].warnings if "Tilted" in warning]
    assert bool(warned) == (outcome == "warned")


def test_between_35_and_40_degrees_a_straighter_series_goes_first(read):
    tilted = turned(builder.IOP["sagittal"], 37, (0, 0, 1))
    straight = builder.series("sagittal", series="straight", EchoTime=20.0)
    exam = read(builder.series("sagittal", orientation=tilted, series="tilted") + straight)
    assert exam.series[Plane.SAGITTAL].description.endswith("straight")
    assert exam.alternatives[Plane.SAGITTAL][0].description.endswith("tilted")


def test_the_nearest_axis_names_the_plane():
    for plane, orientation in builder.IOP.items():
        assert plane_of(turned(orientation, 30, (1, 1, 1) / np.sqrt(3)))[0] == plane
        assert plane_of(orientation) == (Plane(plane), 0.0)


def test_transposing_comes_before_flipping():
    picture = np.arange(6).reshape(2, 3)
    for transpose, rows, columns in product((False, True), repeat=3):
        laid = layout(Plane.AXIAL, orientation_of(transpose, rows, columns)).apply(picture)
        expected = picture.T if transpose else picture
        expected = expected[::-1] if rows else expected
        assert np.array_equal(laid, expected[:, ::-1] if columns else expected)


def orientation_of(transpose, flip_rows, flip_columns):
    """Cosines of an axial picture stored so that it needs exactly these steps."""
    right = np.array([-1 if flip_columns else 1, 0, 0])
    down = np.array([0, -1 if flip_rows else 1, 0])
    return (*down, *right) if transpose else (*right, *down)


@pytest.mark.parametrize(
    "change",
    [
        {"ImageOrientationPatient": None},
        {"ImagePositionPatient": None},
        {"PixelSpacing": None},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]},
    ],
)
def test_a_series_that_does_not_say_where_it_lies_is_refused_in_words(read, change):
    with pytest.raises(ExamError, match="do not credibly say where they lie"):
        read(builder.series("axial", **change))
