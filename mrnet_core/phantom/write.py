"""A synthetic exam as true DICOM: three series and a mixed localizer, as either of two invented vendors writes them.

Vendor A stores signed 16-bit pixels with a rescale intercept, gives SpacingBetweenSlices but no SequenceName and counts
images along the slice axis. Vendor B stores 12 bits unsigned, names its sequences, leaves SpacingBetweenSlices out and
counts images against the slice axis. File order and the direction of rows differ from series to series in both, on
purpose: a reader must go by the geometry attributes (PS3.3 C.7.6.2).
"""

import os
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from shutil import rmtree

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from mrnet_core.domain import PHANTOM_MAKERS, Plane, Side
from mrnet_core.phantom.exam import PhantomExam

NOTICE = "SYNTHETIC: computed picture of an invented knee, no patient"
FIRST_DAY, DAYS = date(2000, 1, 1), 9000
"""Study date of exam 0, and after how many exams, one a day, the dates begin again."""
LOCALIZER_STEP = 4
"""Rows and columns of the localizer are every so many of the series'."""
LOCALIZER_PLACES = (0.3, 0.5, 0.7)
"""Its slices, as shares of the series'."""


@dataclass(frozen=True)
class Habits:
    """How a vendor fills the attributes that readers stumble over."""

    suppressed_options: tuple[str, ...]
    """ScanOptions of a fat-suppressed sequence."""
    plain_options: tuple[str, ...]
    variant: tuple[str, ...]
    """SequenceVariant."""
    names_sequence: bool
    signed: bool
    intercept: int
    """RescaleIntercept; 0: no rescale attributes at all."""
    writes_gap: bool
    """SpacingBetweenSlices is there."""
    counts_backwards: bool
    """InstanceNumber runs against the slice axis."""


VENDORS = {
    PHANTOM_MAKERS[0]: Habits(("FC", "FS"), ("FC",), ("SK",), False, True, 2048, True, False),
    PHANTOM_MAKERS[1]: Habits(("PFP", "FS"), ("PFP",), ("SK", "SP", "OSP"), True, False, 0, False, True),
}
"""By Manufacturer."""


def exam_files(exam: PhantomExam) -> dict[str, bytes]:
    """The exam's DICOM files in memory: ``<series>/IM0001.dcm`` to bytes."""
    habits = VENDORS[exam.manufacturer]
    files = {}
    for number, (plane, series) in enumerate(exam.series.items(), 2):
        order = np.random.default_rng([exam.seed, exam.k, number]).permutation(series.slices)
        folder = f"{number:02d}_{series.description.replace(' ', '_')}"
        for name, k in enumerate(order, 1):
            instance = series.slices - k if habits.counts_backwards else k + 1
            dataset = _image(exam, plane, int(k), int(instance), number)
            files[f"{folder}/IM{name:04d}.dcm"] = _bytes(dataset)
    for name, (plane, k) in enumerate(_localizer_slices(exam), 1):
        files[f"01_SYNTHETIC_LOCALIZER/IM{name:04d}.dcm"] = _bytes(_localizer(exam, plane, k, name))
    return files


def write_exam(exam: PhantomExam, out: Path) -> list[Path]:
    """Write ``OUT/<exam>/<series>/*.dcm``, whole or not at all; returns the files, relative to OUT."""
    partial = out / f"{exam.exam_id}.partial"
    rmtree(partial, ignore_errors=True)
    written = []
    for name, data in exam_files(exam).items():
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        written.append(Path(exam.exam_id) / name)
    rmtree(out / exam.exam_id, ignore_errors=True)
    os.replace(partial, out / exam.exam_id)
    return written


def _image(exam: PhantomExam, plane: Plane, k: int, instance: int, number: int) -> Dataset:
    grid, series, habits = exam.grids[plane], exam.series[plane], VENDORS[exam.manufacturer]
    pixels = series.pixels[k]
    row, column = np.array(grid.column_direction), np.array(grid.row_direction)  # DICOM: first along a row, then down
    corner = grid.point((k, 0, 0))
    if exam.k % 3 == number % 3:  # the same picture stored mirrored, with the geometry that says so
        pixels, corner, row = pixels[:, ::-1], grid.point((k, 0, grid.shape[2] - 1)), -row
    sequence = exam.sequences[plane]
    dataset = _study(exam)
    dataset.SeriesInstanceUID = series.uid
    dataset.SeriesNumber = number
    dataset.SeriesDescription = series.description
    dataset.InstanceNumber = instance
    dataset.SOPInstanceUID = exam.uid(f"image {plane} {k}")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", list(habits.variant)
    dataset.ScanOptions = list(habits.suppressed_options if sequence.fat_suppressed else habits.plain_options)
    if habits.names_sequence:
        dataset.SequenceName = "*tse2d1_8"
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime = sequence.repetition_time, sequence.echo_time
    dataset.EchoTrainLength, dataset.EchoNumbers, dataset.FlipAngle = 8, 1, 90
    dataset.SliceThickness = round(grid.thickness, 4)
    if habits.writes_gap:
        dataset.SpacingBetweenSlices = round(grid.spacing[0], 4)
    _place(dataset, corner, row, column, grid.spacing[1:])
    _fill(dataset, pixels, habits)
    dataset.WindowCenter, dataset.WindowWidth = round(series.window.center, 1), round(series.window.width, 1)
    return dataset


def _localizer_slices(exam: PhantomExam) -> list[tuple[Plane, int]]:
    """Plane and slice of each image of the localizer, the planes in turn."""
    return [(plane, int(share * series.slices)) for plane, series in exam.series.items() for share in LOCALIZER_PLACES]


def _localizer(exam: PhantomExam, plane: Plane, k: int, instance: int) -> Dataset:
    """A slice of a plane, coarse, in a series that mixes the three planes."""
    grid, habits = exam.grids[plane], VENDORS[exam.manufacturer]
    dataset = _study(exam)
    dataset.SeriesInstanceUID = exam.uid("series localizer")
    dataset.SeriesNumber, dataset.SeriesDescription = 1, "SYNTHETIC LOCALIZER 3 PLANES"
    dataset.InstanceNumber = instance
    dataset.SOPInstanceUID = exam.uid(f"localizer {plane} {k}")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SK", ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength, dataset.FlipAngle = 8.6, 4.0, 1, 20
    dataset.SliceThickness = 8.0
    spacing = tuple(step * LOCALIZER_STEP for step in grid.spacing[1:])
    _place(dataset, grid.point((k, 0, 0)), np.array(grid.column_direction), np.array(grid.row_direction), spacing)
    _fill(dataset, exam.series[plane].pixels[k, ::LOCALIZER_STEP, ::LOCALIZER_STEP], habits)
    return dataset


def _study(exam: PhantomExam) -> Dataset:
    """Patient, study and equipment attributes, the same in every file of an exam."""
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.PatientName, dataset.PatientID = "SYNTHETIC^KNEE", _patient_id(exam)
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "", exam.sex, f"{exam.age:03d}Y"
    dataset.StudyInstanceUID = exam.uid("study")
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = str(exam.k), "", ""
    dataset.StudyDate = (FIRST_DAY + timedelta(days=exam.k % DAYS)).strftime("%Y%m%d")
    dataset.StudyTime = f"{exam.k // 3600 % 24:02d}{exam.k // 60 % 60:02d}{exam.k % 60:02d}"
    dataset.StudyDescription = "SYNTHETIC KNEE MRI"
    dataset.Modality, dataset.Manufacturer = "MR", exam.manufacturer
    dataset.MagneticFieldStrength = exam.field_tesla
    dataset.PatientPosition = "FFS"  # feet first, as knees are scanned
    dataset.BodyPartExamined = "KNEE"
    dataset.Laterality = "L" if exam.side is Side.LEFT else "R"
    dataset.FrameOfReferenceUID = exam.uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.ImageComments = NOTICE
    return dataset


def _patient_id(exam: PhantomExam) -> str:
    """Another for every person: patients of one number differ between the plans of one seed."""
    return "-".join(filter(None, ("SYNTHETIC", exam.cohort.upper(), str(exam.seed), exam.patient)))


def _place(dataset: Dataset, corner, row, column, spacing) -> None:
    """Geometry: centre of the first pixel, direction cosines of rows and columns, spacing (PS3.3 C.7.6.2)."""
    dataset.ImagePositionPatient = [float(f"{value:.6f}") for value in corner]
    dataset.ImageOrientationPatient = [float(f"{value:.10f}") for value in (*row, *column)]
    dataset.PixelSpacing = [float(f"{value:.8f}") for value in spacing]


def _fill(dataset: Dataset, pixels: NDArray[np.int16], habits: Habits) -> None:
    """Pixels as the vendor stores them."""
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = 16 if habits.signed else 12
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(habits.signed)
    if habits.intercept:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = habits.intercept, 1, "US"
    stored = np.ascontiguousarray(pixels).astype(np.int32) - habits.intercept
    dataset.PixelData = stored.astype("<i2" if habits.signed else "<u2").tobytes()


def _bytes(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
