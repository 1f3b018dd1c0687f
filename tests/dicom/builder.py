"""Synthetic DICOM for the reader's tests: series whose every pixel says where in the patient it lies.

``value(x, y, z)`` is linear in patient coordinates, so that a test can tell from the pixels alone how a picture lies,
whatever the reader believes. Sizes are small and rows differ from columns.
"""

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SLICES, ROWS, COLUMNS = 8, 24, 32
SLOPES = np.array([3.0, 5.0, 7.0])
"""Of ``value`` along x, y and z, for one mm."""
OFFSET = 1500.0
IOP = {
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "axial": (1, 0, 0, 0, 1, 0),
}
TECHNIQUE = {
    # TR, TE in ms, fat suppression: the paper's own sequence in each plane
    "sagittal": (3800.0, 58.0, True),
    "coronal": (620.0, 13.0, False),
    "axial": (3500.0, 28.0, True),
}


def uid(name: str) -> str:
    """A UID that is the same for the same name."""
    return generate_uid(entropy_srcs=["mrnet tests", name])


def value(points: np.ndarray) -> np.ndarray:
    """What a pixel at (x, y, z) mm holds."""
    return np.rint(OFFSET + points @ SLOPES).astype(int)


def picture(position, orientation, spacing, shape=(ROWS, COLUMNS)) -> np.ndarray:
    """``(rows, columns)`` values of an image that lies as the attributes say."""
    along_columns, along_rows = np.array(orientation[:3], float), np.array(orientation[3:], float)
    row, column = np.mgrid[: shape[0], : shape[1]]
    points = (
        np.array(position, float)
        + row[..., None] * spacing[0] * along_rows
        + column[..., None] * spacing[1] * along_columns
    )
    return value(points)


def image(plane="sagittal", k=0, *, orientation=None, step=4.0, spacing=(2.0, 1.0), shape=(ROWS, COLUMNS), **changes):
    """One slice of a series as a Dataset; ``changes`` overwrite attributes by keyword, None removes one."""
    orientation = orientation or IOP[plane]
    series = changes.pop("series", plane)
    study = changes.pop("study", "study")
    normal = np.cross(orientation[:3], orientation[3:])
    position = changes.pop("position", None)
    if position is None:
        position = normal * step * (k - SLICES // 2) - np.array(orientation[:3]) * 16 - np.array(orientation[3:]) * 24
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, uid(f"{study} {series} {k} {changes.get('EchoTime')}")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(f"{study} {series}")
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Secret^Name", "SECRETID", "19700102"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyDescription = "20200304", "101112", "MRI KNEE"
    dataset.Modality, dataset.SeriesDescription = "MR", f"{plane.upper()} {series}"
    dataset.BodyPartExamined, dataset.Laterality = "KNEE", "R"
    dataset.ImageType = ["DERIVED", "SECONDARY", "M", "NORM"]
    dataset.SeriesNumber, dataset.InstanceNumber = 3, k + 1
    repetition, echo, fat = TECHNIQUE[plane]
    dataset.ScanningSequence, dataset.SequenceVariant = "SE", "SK"
    dataset.ScanOptions = "FS" if fat else ""
    dataset.RepetitionTime, dataset.EchoTime = repetition, echo
    dataset.ImagePositionPatient = [float(number) for number in position]
    dataset.ImageOrientationPatient = [float(number) for number in orientation]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.SpacingBetweenSlices = list(spacing), step * 0.9, step
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    pixels = changes.pop("pixels", None)
    pixels = picture(position, orientation, spacing, shape) if pixels is None else pixels
    dataset.PixelData = np.asarray(pixels).astype("<u2").tobytes()
    for keyword, new in changes.items():
        if new is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, new)
    return dataset


def series(plane="sagittal", slices=SLICES, **changes) -> list[Dataset]:
    """A whole series."""
    return [image(plane, k, **changes) for k in range(slices)]


def knee(**changes) -> list[Dataset]:
    """The three series of the paper's protocol."""
    return [one for plane in IOP for one in series(plane, **changes)]


def to_bytes(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The file's bytes in an uncompressed or deflated syntax, or in the one the data set was compressed to."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", MRImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", uid("none"))
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian and dataset.BitsAllocated == 16:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    if "PixelData" in dataset and not dataset["PixelData"].is_undefined_length:
        dataset["PixelData"].VR = "OW"
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def enhanced(plane="sagittal", slices=SLICES, order=None, **changes) -> Dataset:
    """The same series as one Enhanced MR multi-frame file, frames in ``order``."""
    singles = series(plane, slices, **changes)
    singles = [singles[k] for k in (order or range(slices))]
    first = singles[0]
    dataset = Dataset()
    for keyword in (
        *("StudyInstanceUID", "SeriesInstanceUID", "PatientName", "PatientID", "StudyDate", "Modality"),
        *("SeriesDescription", "BodyPartExamined", "SeriesNumber", "Rows", "Columns", "SamplesPerPixel"),
        *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    ):
        setattr(dataset, keyword, first.get(keyword))
    dataset.SOPClassUID, dataset.SOPInstanceUID = EnhancedMRImageStorage, uid(f"enhanced {plane}")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.EchoPulseSequence = "SPIN"
    dataset.SpectrallySelectedSuppression = "FAT" if first.ScanOptions else "NONE"
    dataset.NumberOfFrames = slices
    shared = Dataset()
    timing, echo, anatomy, measures = Dataset(), Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, echo.EffectiveEchoTime = first.RepetitionTime, float(first.EchoTime)
    anatomy.FrameLaterality = first.Laterality
    measures.PixelSpacing, measures.SliceThickness = first.PixelSpacing, first.SliceThickness
    shared.MRTimingAndRelatedParametersSequence, shared.MREchoSequence = Sequence([timing]), Sequence([echo])
    shared.FrameAnatomySequence, shared.PixelMeasuresSequence = Sequence([anatomy]), Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for single in singles:
        group, place, turn, transform = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient, turn.ImageOrientationPatient = (
            single.ImagePositionPatient,
            single.ImageOrientationPatient,
        )
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, 0, "US"
        group.PlanePositionSequence, group.PlaneOrientationSequence = Sequence([place]), Sequence([turn])
        group.PixelValueTransformationSequence = Sequence([transform])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.PixelData = b"".join(single.PixelData for single in singles)
    return dataset
