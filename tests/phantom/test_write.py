"""Written files: true geometry in every plane, two vendors' habits, and the pixels come back as they were made."""

import hashlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pydicom
import pytest

from mrnet_core.dicom import read_exam
from mrnet_core.dicom.sources import UploadedFile
from mrnet_core.domain import Plane, Side, Split
from mrnet_core.phantom import PlannedExam, exam_files, make_exam, write_exam
from mrnet_core.phantom.write import VENDORS

COMPACT = ("patella", "acl", "pcl", "medial meniscus", "lateral meniscus")
"""Structures that lie whole inside the field of view of every plane."""


@pytest.fixture(scope="module")
def exam():
    return make_exam(41, 2, pathology="normal", structures=True)


@pytest.fixture(scope="module")
def small():
    return make_exam(41, 5, size="small", pathology="acl")


def datasets(exam):
    return {name: pydicom.dcmread(BytesIO(data)) for name, data in exam_files(exam).items()}


def series_of(exam, plane):
    found = [ds for ds in datasets(exam).values() if ds.SeriesInstanceUID == exam.series[plane].uid]
    return sorted(found, key=lambda ds: float(np.dot(normal(ds), ds.ImagePositionPatient)))


def normal(ds):
    row, column = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    return np.cross(row, column)


def positions(ds, rows, columns):
    """Patient coordinates (mm) of pixels, straight from PS3.3 C.7.6.2.1.1's equation."""
    across, down = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    row_step, column_step = (float(value) for value in ds.PixelSpacing)
    return (
        np.array(ds.ImagePositionPatient, float)
        + np.outer(columns * column_step, across)
        + np.outer(rows * row_step, down)
    )


def stored_as_made(exam, plane, ds):
    """The slice of the exam that a file holds, and whether its rows run backwards: found by the pixels alone."""
    values = ds.pixel_array.astype(int) + int(ds.get("RescaleIntercept", 0))
    for k, slice_ in enumerate(exam.series[plane].pixels):
        for mirrored in (False, True):
            if (values == (slice_[:, ::-1] if mirrored else slice_)).all():
                return k, mirrored
    raise AssertionError("no slice of the exam has these pixels")


def centre(exam, plane, name):
    """A structure's centroid in patient coordinates, by the files' geometry, and the voxel's size along its axes."""
    points = []
    for ds in series_of(exam, plane):
        k, mirrored = stored_as_made(exam, plane, ds)
        mask = exam.structures[plane][name][k]
        rows, columns = np.nonzero(mask[:, ::-1] if mirrored else mask)
        points.append(positions(ds, rows, columns))
    return np.concatenate(points).mean(axis=0)


@pytest.mark.parametrize("name", COMPACT)
def test_the_same_point_of_space_lies_at_the_same_place_in_all_planes(exam, name):
    centres = {plane: centre(exam, plane, name) for plane in Plane}
    for plane in Plane:
        grid = exam.grids[plane]
        axes = np.array([grid.slice_direction, grid.row_direction, grid.column_direction])
        for other in Plane:
            apart = np.abs(axes @ (centres[plane] - centres[other])) / grid.spacing
            # One voxel: of the plane itself across its slices; elsewhere the other plane's thick slices blur more.
            reach = np.maximum(1.0, 0.5 * exam.grids[other].spacing[0] / np.array(grid.spacing))
            assert (apart <= reach).all(), f"{name}: {plane} against {other}, {apart.round(2)} voxels"


def test_the_patella_lies_in_front_and_the_lateral_meniscus_on_its_side(exam):
    patella, pcl = centre(exam, Plane.AXIAL, "patella"), centre(exam, Plane.AXIAL, "pcl")
    medial, lateral = (centre(exam, Plane.CORONAL, f"{which} meniscus") for which in ("medial", "lateral"))
    assert patella[1] < pcl[1] - 20
    assert patella[2] > pcl[2]
    assert (lateral[0] > medial[0] + 20) == (exam.side is Side.LEFT)


@pytest.mark.parametrize("vendor", sorted(VENDORS))
@pytest.mark.parametrize("k", [5, 6, 7])
def test_reading_gives_back_the_pixels_spacings_side_and_order(vendor, k):
    made = replace(make_exam(41, k, size="small", pathology="other"), manufacturer=vendor)
    read = read_exam([UploadedFile(name, data) for name, data in exam_files(made).items()])
    assert read.planes == tuple(Plane)
    for plane, series in read.series.items():
        original = made.series[plane]
        assert np.array_equal(series.pixels, original.pixels), plane
        assert series.row_spacing == pytest.approx(original.row_spacing, abs=1e-6)
        assert series.slice_spacing == pytest.approx(original.slice_spacing, abs=1e-3)
        assert series.uid == original.uid
        assert series.side is made.side
        assert series.description == original.description
    assert [entry.description for entry in read.refused] == ["SYNTHETIC LOCALIZER 3 PLANES"]


def test_the_two_vendors_write_the_same_exam_in_different_ways(small):
    a, b = (next(iter(datasets(replace(small, manufacturer=vendor)).values())) for vendor in sorted(VENDORS))
    assert (a.PixelRepresentation, b.PixelRepresentation) == (1, 0)
    assert (a.BitsStored, b.BitsStored) == (16, 12)
    assert "RescaleIntercept" in a
    assert "RescaleIntercept" not in b
    assert "SpacingBetweenSlices" in a
    assert "SpacingBetweenSlices" not in b
    assert "SequenceName" in b
    assert "SequenceName" not in a
    assert a.ScanOptions != b.ScanOptions
    first = {
        vendor: min(series_of(replace(small, manufacturer=vendor), Plane.CORONAL), key=lambda ds: ds.InstanceNumber)
        for vendor in VENDORS
    }
    apart = np.array(first["PHANTOM A"].ImagePositionPatient, float) - np.array(first["PHANTOM B"].ImagePositionPatient)
    assert np.abs(apart).max() > 20, "one counts from the front, the other from the back"


def test_every_file_says_that_it_is_synthetic_and_which_knee_it_shows(small):
    for ds in datasets(small).values():
        assert ds.SeriesDescription.startswith("SYNTHETIC")
        assert "SYNTHETIC" in str(ds.PatientName)
        assert ds.BodyPartExamined == "KNEE"
        assert ds.Laterality == {"left": "L", "right": "R"}[small.side]
        assert ds.Modality == "MR"


def test_fat_suppression_and_times_are_the_sequences(small):
    for plane in Plane:
        ds = series_of(small, plane)[0]
        assert ("FS" in ds.ScanOptions) == (plane is not Plane.CORONAL)
        assert float(ds.EchoTime) == small.sequences[plane].echo_time
        assert float(ds.RepetitionTime) == small.sequences[plane].repetition_time


def test_the_localizer_mixes_the_planes_in_one_series(small):
    mixed = [ds for ds in datasets(small).values() if "LOCALIZER" in ds.SeriesDescription]
    assert len({ds.SeriesInstanceUID for ds in mixed}) == 1
    assert len({tuple(np.abs(normal(ds)).round().astype(int)) for ds in mixed}) == 3


def test_every_file_has_what_the_mr_image_module_requires(small):
    """Types 1 and 2 of PS3.3 C.7.3.1 (series) and C.8.3.1 (MR image), as far as a classic MR image needs them."""
    required = (
        *("Modality", "SeriesInstanceUID", "SeriesNumber", "Laterality", "PatientPosition", "ImageType"),
        *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "ScanningSequence"),
        *("SequenceVariant", "ScanOptions", "MRAcquisitionType", "RepetitionTime", "EchoTime", "EchoTrainLength"),
    )
    for name, dataset in datasets(small).items():
        assert [word for word in required if word not in dataset] == [], name


def test_uids_are_unique_and_the_same_exam_has_the_same_files(small):
    files = exam_files(small)
    uids = [str(ds.SOPInstanceUID) for ds in datasets(small).values()]
    assert len(set(uids)) == len(uids)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    again = exam_files(make_exam(41, 5, size="small", pathology="acl"))
    assert {name: hashlib.sha256(data).hexdigest() for name, data in again.items()} == digests


def test_exams_of_one_seed_and_number_that_differ_share_no_uid_and_no_patient():
    plan = PlannedExam(5, "P00005", Split.TRAIN, pathology="acl", age=30, sex="F", cohort="paper")
    plain = make_exam(41, 5, size="small")
    exams = [
        plain,
        make_exam(41, 5, size="small", planned=plan),
        make_exam(41, 5, size="small", planned=replace(plan, age=31)),
        make_exam(41, 5, size="small", pathology="meniscus"),
        make_exam(41, 5, size="small", lesions=()),
        make_exam(41, 5, size="small", pathology="meniscus", without=0),
        make_exam(41, 5, size="small", sequences={Plane.SAGITTAL: "PD"}),
        replace(plain, identity=""),  # as an exam of full size
    ]
    kinds = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    for kind in kinds:
        found = [{str(ds[kind].value) for ds in datasets(exam).values()} for exam in exams[:-1]]
        assert len(set().union(*found)) == sum(map(len, found)), kind
    studies = {str(next(iter(datasets(exam).values())).StudyInstanceUID) for exam in exams}
    assert len(studies) == len(exams)
    same = make_exam(41, 5, size="small", planes=(Plane.AXIAL,))
    assert same.series[Plane.AXIAL].uid == plain.series[Plane.AXIAL].uid
    patients = [next(iter(datasets(exam).values())).PatientID for exam in exams[:2]]
    assert patients == ["SYNTHETIC-41-P00005", "SYNTHETIC-PAPER-41-P00005"]


def test_every_exam_has_a_day_of_its_own():
    exam = make_exam(41, 5, size="small", planes=(Plane.AXIAL,))
    dates = [next(iter(datasets(replace(exam, k=k)).values())).StudyDate for k in (0, 31, 1369)]
    assert dates == ["20000101", "20000201", "20031001"]


def test_an_exam_is_written_whole_over_a_half_written_one(small, tmp_path):
    (tmp_path / "0005.partial").mkdir()
    (tmp_path / "0005.partial" / "old.dcm").write_bytes(b"half")
    files = write_exam(small, tmp_path)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.dcm")) == sorted(files)
    assert not (tmp_path / "0005.partial").exists()
