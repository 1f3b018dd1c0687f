"""DICOM exams whose every slice carries its own mark: a bright square of a value that no other slice has."""

import zipfile
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from mrnet_core.domain import PHANTOM_MAKERS, Plane

SLICES = {Plane.SAGITTAL: 12, Plane.CORONAL: 10, Plane.AXIAL: 11}
SIZE = 96
SPACING = 1.5
WINDOW = (1000.0, 2000.0)
# direction of a row and of a column, as patient (L, P, H); slices run along their cross product
_DIRECTIONS = {
    Plane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),
    Plane.CORONAL: ((1, 0, 0), (0, 0, -1)),
    Plane.AXIAL: ((1, 0, 0), (0, 1, 0)),
}
_TIMES = {Plane.SAGITTAL: (3800, 58, "FS"), Plane.CORONAL: (620, 13, ""), Plane.AXIAL: (3500, 28, "FS")}
_SEQUENCES = {Plane.SAGITTAL: "SAG T2 FS", Plane.CORONAL: "COR T1", Plane.AXIAL: "AX PD FS"}


def mark(k: int, base: int = 300) -> int:
    """The value of the square on slice ``k`` (in the standard orientation)."""
    return base + 100 * k


def marked_exam(words: str = "SYNTHETIC", base: int = 300, patient: str = "MARKED", body_part: str = "KNEE") -> bytes:
    """A zip of three series in a shuffled order of files."""
    rng = np.random.default_rng(base)
    study, frame = generate_uid(), generate_uid()
    files = []
    for number, plane in enumerate(Plane, 2):
        series = generate_uid()
        for k in range(SLICES[plane]):
            dataset = _image(plane, k, base, rng)
            dataset.PatientName = dataset.PatientID = patient
            dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = study, frame
            dataset.SeriesInstanceUID, dataset.SeriesNumber = series, number
            dataset.SeriesDescription = f"{words} {_SEQUENCES[plane]}".strip()
            dataset.StudyDate, dataset.StudyTime = "20000101", "120000"
            dataset.Manufacturer = PHANTOM_MAKERS[0] if words == "SYNTHETIC" else "TEST"
            dataset.BodyPartExamined, dataset.Laterality = body_part, "R"
            files.append(_bytes(dataset))
    order = rng.permutation(len(files))
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, index in enumerate(order):
            archive.writestr(f"exam/{name:04d}", files[index])
    return target.getvalue()


def _image(plane: Plane, k: int, base: int, rng: np.random.Generator) -> Dataset:
    row, column = (np.array(direction, float) for direction in _DIRECTIONS[plane])
    normal = np.cross(row, column)
    # The standard orientation's slice axis runs to the left (sagittal), posterior (coronal), head (axial).
    along = normal * np.sign(normal.sum()) if plane is not Plane.SAGITTAL else np.array([1.0, 0.0, 0.0])
    middle = (np.array([SIZE - 1, SIZE - 1]) / 2) @ np.array([row, column]) * SPACING
    position = along * (k - (SLICES[plane] - 1) / 2) * 4.0 - middle
    rows, columns = np.mgrid[:SIZE, :SIZE]
    inside = np.hypot(rows - SIZE / 2, columns - SIZE / 2) < 0.42 * SIZE
    pixels = np.where(inside, 500 + rng.normal(0, 40, (SIZE, SIZE)), rng.normal(20, 6, (SIZE, SIZE)))
    pixels = np.clip(pixels, 0, 4095).astype("<u2")
    pixels[SIZE // 2 - 12 : SIZE // 2 + 12, SIZE // 2 - 12 : SIZE // 2 + 12] = mark(k, base)
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, generate_uid()
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "SE"]
    dataset.InstanceNumber = k + 1
    repetition, echo, options = _TIMES[plane]
    dataset.RepetitionTime, dataset.EchoTime, dataset.ScanOptions = repetition, echo, options
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.MRAcquisitionType = "SE", "SK", "2D"
    dataset.EchoTrainLength, dataset.EchoNumbers = 8, 1
    dataset.SliceThickness = dataset.SpacingBetweenSlices = 4.0
    dataset.ImagePositionPatient = [float(value) for value in position]
    dataset.ImageOrientationPatient = [*row, *column]
    dataset.PixelSpacing = [SPACING, SPACING]
    dataset.Rows = dataset.Columns = SIZE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = WINDOW
    dataset.PixelData = pixels.tobytes()
    return dataset


def _bytes(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
