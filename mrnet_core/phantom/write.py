"""Synthetic exams as true DICOM: three series and a localizer, with masks and the cohort's table beside them."""

import csv
import os
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from mrnet_core.domain import InputError, Plane, Side, Task
from mrnet_core.phantom.acquisition import Grid
from mrnet_core.phantom.exam import PhantomExam, uid
from mrnet_core.phantom.physics import SEQUENCES

EXAMS_CSV = (
    *("exam", "patient", "split", "side", "age", "sex", "field_tesla"),
    *(task.value for task in Task),
    "lesions",
    *(f"report_{task}" for task in Task),
)
NOTICE = "SYNTHETIC: computed picture of an invented knee, no patient"
LOCALIZER_STEP = 8
"""Rows and columns of the localizer are every so many of the series'."""


def exam_files(exam: PhantomExam) -> dict[str, bytes]:
    """The exam's DICOM files in memory: ``<series>/IM0001.dcm`` to bytes.

    File order, slice direction and in-plane direction differ from series to series on purpose: a reader must go by the
    geometry attributes.
    """
    files = {}
    for number, (plane, series) in enumerate(exam.series.items(), 2):
        grid = exam.grids[plane]
        order = np.random.default_rng([exam.seed, exam.k, number]).permutation(series.slices)
        backwards = (exam.k + number) % 2 == 1
        for name, k in enumerate(order, 1):
            instance = series.slices - k if backwards else k + 1
            dataset = _image(exam, plane, grid, int(k), int(instance), number, flip=exam.k % 3 == number % 3)
            files[f"{number:02d}_{series.description.replace(' ', '_')}/IM{name:04d}.dcm"] = _bytes(dataset)
    for index, plane in enumerate(exam.series):
        dataset = _localizer(exam, plane, index)
        files[f"01_SYNTHETIC_LOCALIZER/IM{index + 1:04d}.dcm"] = _bytes(dataset)
    return files


def write_dicom(exams: Iterable[PhantomExam], out: Path) -> int:
    """Write ``OUT/<exam>/<series>/*.dcm``, ``OUT/masks/<exam>_<plane>.npz`` and ``OUT/exams.csv``; returns the count.

    Exams are written one by one; the table appears last, whole.

    Raises
    ------
    InputError
        OUT exists and is not empty, or cannot be written.
    """
    prepare_folder(out)
    rows = []
    for exam in exams:
        for name, data in exam_files(exam).items():
            target = out / exam.exam_id / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        write_masks(exam, out / "masks")
        rows.append(exam_row(exam))
    write_table(rows, out / "exams.csv")
    return len(rows)


def prepare_folder(out: Path) -> None:
    """Make the empty folder that a cohort is written to.

    Raises
    ------
    InputError
        It holds something already, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"{out} is not empty: name a new folder, so that nothing is overwritten")
    except OSError as error:
        raise InputError(f"{out} cannot be made: {error.strerror}; name a folder you may write to") from error


def write_masks(exam: PhantomExam, folder: Path) -> None:
    """One npz a plane: arrays ``lesion_0`` … of bool ``(S, H, W)``; none where the exam has no lesion."""
    folder.mkdir(parents=True, exist_ok=True)
    for plane, masks in exam.masks.items():
        named = {f"lesion_{n}": mask for n, mask in enumerate(masks)}
        np.savez_compressed(folder / f"{exam.exam_id}_{plane}.npz", **named)


def exam_row(exam: PhantomExam) -> dict[str, str]:
    """One row of exams.csv."""
    return {
        "exam": exam.exam_id,
        "patient": exam.patient,
        "split": exam.split.value,
        "side": exam.side.value,
        "age": str(exam.age),
        "sex": exam.sex,
        "field_tesla": f"{exam.field_tesla:g}",
        "lesions": "; ".join(f"{lesion.type} ({lesion.place}, {lesion.extent:.1f} mm)" for lesion in exam.lesions),
        **{task.value: str(int(exam.labels[task])) for task in Task},
        **{f"report_{task}": str(int(exam.report_labels[task])) for task in Task},
    }


def write_table(rows: list[dict[str, str]], path: Path) -> None:
    """Write exams.csv whole or not at all."""
    partial = path.with_suffix(".csv.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, EXAMS_CSV)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)


def _image(exam: PhantomExam, plane: Plane, grid: Grid, k: int, instance: int, number: int, flip: bool) -> Dataset:
    pixels = exam.series[plane].pixels[k]
    row, column = np.array(grid.column_direction), np.array(grid.row_direction)  # DICOM: first along a row, then down
    corner = grid.point((k, 0, 0))
    if flip:  # the same picture stored mirrored, with the geometry that says so
        pixels, corner, row = pixels[:, ::-1], grid.point((k, 0, grid.shape[2] - 1)), -row
    dataset = _study(exam)
    sequence = SEQUENCES[plane]
    dataset.SeriesInstanceUID = exam.series[plane].uid
    dataset.SeriesNumber = number
    dataset.SeriesDescription = exam.series[plane].description
    dataset.InstanceNumber = instance
    dataset.SOPInstanceUID = uid(exam.seed, exam.k, f"image {plane} {k}")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "SK"
    dataset.ScanOptions = "FS" if sequence.fat_suppressed else ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime = sequence.repetition_time, sequence.echo_time
    dataset.EchoTrainLength, dataset.EchoNumbers = 8, 1
    dataset.SliceThickness = round(grid.thickness, 4)
    dataset.SpacingBetweenSlices = round(grid.spacing[0], 4)
    _place(dataset, pixels, corner, row, column, grid.spacing[1:])
    high = exam.series[plane].window
    dataset.WindowCenter, dataset.WindowWidth = round(high.center, 1), round(high.width, 1)
    return dataset


def _localizer(exam: PhantomExam, plane: Plane, index: int) -> Dataset:
    """The middle slice of a plane, coarse, in a series that mixes the three planes."""
    grid, k = exam.grids[plane], exam.series[plane].slices // 2
    pixels = exam.series[plane].pixels[k, ::LOCALIZER_STEP, ::LOCALIZER_STEP]
    dataset = _study(exam)
    dataset.SeriesInstanceUID = uid(exam.seed, exam.k, "series localizer")
    dataset.SeriesNumber, dataset.SeriesDescription = 1, "SYNTHETIC LOCALIZER 3 PLANES"
    dataset.InstanceNumber = index + 1
    dataset.SOPInstanceUID = uid(exam.seed, exam.k, f"localizer {plane}")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "LOCALIZER"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SK", ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.FlipAngle = 8.6, 4.0, 20
    dataset.SliceThickness = 8.0
    spacing = tuple(step * LOCALIZER_STEP for step in grid.spacing[1:])
    _place(
        dataset,
        pixels,
        grid.point((k, 0, 0)),
        np.array(grid.column_direction),
        np.array(grid.row_direction),
        spacing,
    )
    return dataset


def _study(exam: PhantomExam) -> Dataset:
    """Patient, study and equipment attributes, the same in every file of an exam."""
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.PatientName, dataset.PatientID = "SYNTHETIC^KNEE", f"SYNTHETIC-{exam.seed}-{exam.patient}"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "", exam.sex, f"{exam.age:03d}Y"
    dataset.StudyInstanceUID = uid(exam.seed, exam.k, "study")
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = str(exam.k), "", ""
    dataset.StudyDate, dataset.StudyTime = (
        "20000101",
        f"{exam.k // 3600 % 24:02d}{exam.k // 60 % 60:02d}{exam.k % 60:02d}",
    )
    dataset.StudyDescription = "SYNTHETIC KNEE MRI"
    dataset.Modality, dataset.Manufacturer = "MR", exam.manufacturer
    dataset.MagneticFieldStrength = exam.field_tesla
    dataset.BodyPartExamined = "KNEE"
    dataset.Laterality = "L" if exam.side is Side.LEFT else "R"
    dataset.FrameOfReferenceUID = uid(exam.seed, exam.k, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.ImageComments = NOTICE
    return dataset


def _place(dataset: Dataset, pixels, corner, row, column, spacing) -> None:
    """Pixels with their geometry (PS3.3 C.7.6.2)."""
    dataset.ImagePositionPatient = [float(f"{value:.6f}") for value in corner]
    dataset.ImageOrientationPatient = [float(f"{value:.10f}") for value in (*row, *column)]
    dataset.PixelSpacing = [float(f"{value:.8f}") for value in spacing]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = np.ascontiguousarray(pixels).astype("<u2").tobytes()


def _bytes(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
