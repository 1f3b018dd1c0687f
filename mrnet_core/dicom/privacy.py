"""The allow-list: the only place that sees a file's identity, and what it lets through.

From a pydicom data set to the plain values of ``frame.Header`` and ``frame.Frame``. Patient name, ID and birth date
become one salted hash; the study's date orders studies inside the reading; free text other than SeriesDescription and
ProtocolName gives at most one word of the lists in ``words``. Runs in the limited child process.
"""

import hashlib
import math
import re
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mrnet_core.dicom.codestream import UNDEFINED, element_value
from mrnet_core.dicom.limits import Limits
from mrnet_core.dicom.parse import BadFile, Parsed
from mrnet_core.dicom.words import GENERIC_PARTS, UNKNOWN_PART, body_part_in, plain_words, side_in

MR_CLASSES = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.4",  # MR Image Storage
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image Storage
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image Storage
    )
)
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
LOSSY_SYNTAXES = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
"""JPEG that always loses detail; .81 and .91 may or may not, and LossyImageCompression says which."""
TEXT_LENGTH = 64
"""Longest LO value (PS3.5 6.2)."""
ANY = (-math.inf, math.inf)
SPACING_MM = (0.01, 20.0)
"""Between pixels; a knee's are 0.2 to 1 mm apart. Like the bounds below: a number outside counts as absent."""
POSITION_MM = (-1e5, 1e5)
SLICE_MM = (0.01, 1000.0)
"""Thickness of slices, and distance between them."""
COSINES = (-1.1, 1.1)
TIMES_MS = (0.0, 1e6)
WINDOW_CENTERS, WINDOW_WIDTHS = (-1e12, 1e12), (1e-6, 1e12)
SLOPES = (1e-6, 1e6)
"""RescaleSlope without its sign. With a slope outside the file cannot be used: its values would be invented."""
MOST_INTERCEPT = 1e6
"""RescaleIntercept in slopes: beyond it float32 no longer tells neighbouring stored values apart."""


def describe(parsed: Parsed, position: int, salt: bytes, sha256: str, limits: Limits) -> tuple[dict, list[dict]]:
    """Header and frames of an MR file, as plain values for JSON.

    Raises
    ------
    BadFile
        No pixels, no size, or sizes beyond the limits.
    """
    dataset = parsed.dataset
    header = _identity(dataset, position, salt) | _technique(dataset) | _pixels(dataset, parsed, limits)
    header |= {"sha256": sha256, "little_endian": parsed.little_endian, "implicit_vr": parsed.implicit_vr}
    header["transfer_syntax_uid"] = parsed.transfer_syntax_uid or _native_syntax(parsed)
    header["lossy"] = header["transfer_syntax_uid"] in LOSSY_SYNTAXES or text(dataset, "LossyImageCompression") == "01"
    frames = [_frame(dataset, groups, index) for index, groups in _groups(dataset, header["number_of_frames"])]
    if frames and not header["image_type"]:
        header["image_type"] = frames[0]["frame_type"]
    return header, frames


def is_mr(parsed: Parsed) -> bool:
    """True for the classes this reader takes, and for files without a class that call themselves MR."""
    class_uid = sop_class(parsed)
    return class_uid in MR_CLASSES or (not class_uid and text(parsed.dataset, "Modality") == "MR")


def sop_class(parsed: Parsed) -> str:
    """SOP class of the data set, else of the file meta information; "" where there is none."""
    return text(parsed.dataset, "SOPClassUID") or parsed.media_class_uid.strip("\x00 ")


def uid_name(uid: str) -> str:
    """The standard's name of a UID; "unknown" for any other, whose text a file may have filled with anything."""
    name = UID(uid).name
    return "unknown" if name == uid else name


def text(dataset: Dataset, keyword: str) -> str:
    """A value as stripped text of at most ``TEXT_LENGTH`` printable characters; "" where absent or malformed."""
    value = _value(dataset, keyword)
    if value is None:
        return ""
    first = value[0] if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else value
    printable = "".join(character for character in str(first) if character.isprintable())
    return printable.strip()[:TEXT_LENGTH]


def _identity(dataset: Dataset, position: int, salt: bytes) -> dict:
    free = " ".join(
        text(dataset, keyword)
        for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription")
    )
    anatomy = _frame_anatomy(dataset)
    regions = [
        text(item, "CodeMeaning") for where in (dataset, *anatomy) for item in _items(where, "AnatomicRegionSequence")
    ]
    words = plain_words(" ".join([free, *dict.fromkeys(regions)]))
    patient = text(dataset, "PatientID").casefold()
    if not patient:
        patient = " ".join((text(dataset, "PatientName"), text(dataset, "PatientBirthDate"))).casefold().strip(" ^")
    date = re.sub(r"\D", "", text(dataset, "StudyDate"))[:8]
    time = re.sub(r"\D", "", text(dataset, "StudyTime"))[:6]
    return {
        "position": position,
        "sop_class_uid": text(dataset, "SOPClassUID"),
        "sop_instance_uid": text(dataset, "SOPInstanceUID"),
        "study_instance_uid": text(dataset, "StudyInstanceUID"),
        "series_instance_uid": text(dataset, "SeriesInstanceUID"),
        "patient_key": hashlib.sha256(salt + patient.encode()).hexdigest() if patient else "",
        "study_date_time": date + time if date else None,
        "modality": text(dataset, "Modality") or None,
        "series_description": text(dataset, "SeriesDescription"),
        "protocol_name": text(dataset, "ProtocolName"),
        "body_part_examined": _body_part_examined(dataset),
        "body_part_words": body_part_in(words),
        "laterality": _laterality(dataset, anatomy),
        "laterality_words": side_in(words),
        "series_number": _int(dataset, "SeriesNumber"),
        "instance_number": _int(dataset, "InstanceNumber"),
        "acquisition_number": _int(dataset, "AcquisitionNumber"),
    }


def _frame_anatomy(dataset: Dataset) -> list[Dataset]:
    """What the frames of an Enhanced file say of their anatomy, once for all of them or each for itself."""
    groups = _items(dataset, "SharedFunctionalGroupsSequence")[:1] + _items(dataset, "PerFrameFunctionalGroupsSequence")
    return [item for group in groups for item in _items(group, "FrameAnatomySequence")[:1]]


def _body_part_examined(dataset: Dataset) -> str | None:
    """BodyPartExamined as one word of the list; None where it is absent or a knee may be meant."""
    words = plain_words(text(dataset, "BodyPartExamined"))
    return None if words in GENERIC_PARTS else body_part_in(words) or UNKNOWN_PART


def _laterality(dataset: Dataset, anatomy: list[Dataset]) -> str | None:
    """R, L or B: the file's own, else the frames', which are of both knees where they name both."""
    for keyword in ("ImageLaterality", "Laterality"):
        if (value := text(dataset, keyword).upper()[:1]) in ("R", "L", "B"):
            return value
    said = {text(one, "FrameLaterality").upper()[:1] for one in anatomy} & {"R", "L", "B"}
    return said.pop() if len(said) == 1 else "B" if said else None


def _technique(dataset: Dataset) -> dict:
    scanning = _words(dataset, "ScanningSequence")
    if not scanning:  # Enhanced MR says it in other words (PS3.3 C.8.13.4)
        pulse = text(dataset, "EchoPulseSequence").upper()
        scanning = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}.get(pulse, [])
        modifier = _first(_first(dataset, "SharedFunctionalGroupsSequence"), "MRModifierSequence")
        if text(modifier, "InversionRecovery").upper() == "YES":
            scanning = [*scanning, "IR"]
    return {
        "image_type": _words(dataset, "ImageType"),
        "manufacturer": text(dataset, "Manufacturer") or None,
        "magnetic_field_strength": _float(dataset, "MagneticFieldStrength"),
        "scanning_sequence": scanning,
        "sequence_variant": _words(dataset, "SequenceVariant"),
        "scan_options": _words(dataset, "ScanOptions"),
        "sequence_name": text(dataset, "SequenceName") or text(dataset, "PulseSequenceName") or None,
    }


def _pixels(dataset: Dataset, parsed: Parsed, limits: Limits) -> dict:
    if parsed.pixel_offset is None:
        raise BadFile("it holds no pixels, or is cut short before them")
    rows, columns = _int(dataset, "Rows"), _int(dataset, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        raise BadFile("it has no Rows or no Columns")
    frames = _int(dataset, "NumberOfFrames") or 1
    if rows > limits.rows or columns > limits.rows:
        raise BadFile(f"it says {rows} x {columns} pixels; at most {limits.rows} x {limits.rows} are read")
    if not 1 <= frames <= limits.frames:
        raise BadFile(f"it says {frames} frames; 1 to {limits.frames} are read")
    allocated = _int(dataset, "BitsAllocated") or 0
    stored = _int(dataset, "BitsStored") or allocated
    high = _int(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if allocated not in (8, 16):
        raise BadFile(f"BitsAllocated is {allocated}; MR images have 8 or 16")
    if not (1 <= stored <= allocated and stored - 1 <= high < allocated):
        raise BadFile(f"BitsStored {stored} and HighBit {high} do not fit BitsAllocated {allocated}")
    samples = _int(dataset, "SamplesPerPixel") or 1
    if samples not in (1, 3):
        raise BadFile(f"SamplesPerPixel is {samples}; images have 1 or 3")
    if frames > 1:
        _check_frames(dataset, parsed, frames, rows * columns * allocated // 8)
    return {
        "rows": rows,
        "columns": columns,
        "number_of_frames": frames,
        "samples_per_pixel": samples,
        "photometric_interpretation": plain_words(text(dataset, "PhotometricInterpretation"))[:16] or "MONOCHROME2",
        "bits_allocated": allocated,
        "bits_stored": stored,
        "high_bit": high,
        "pixel_representation": 1 if _int(dataset, "PixelRepresentation") == 1 else 0,
        "pixel_padding_value": _int(dataset, "PixelPaddingValue"),
        "pixel_padding_range_limit": _int(dataset, "PixelPaddingRangeLimit"),
        "pixel_offset": parsed.pixel_offset,
    }


def _check_frames(dataset: Dataset, parsed: Parsed, frames: int, frame_bytes: int) -> None:
    """Refuse a number of frames that the file does not hold: each one said would cost a record."""
    if not _items(dataset, "PerFrameFunctionalGroupsSequence"):
        raise BadFile(f"it says {frames} frames and describes none of them")
    start, length, _ = element_value(parsed.body, parsed.pixel_offset, parsed.little_endian, parsed.implicit_vr)
    # Compressed pixels have no length of their own (PS3.5 A.4); their fragments are counted when they are decoded.
    if length != UNDEFINED and frames * frame_bytes > min(length, len(parsed.body) - start):
        raise BadFile("it holds fewer pixels than its Rows, Columns and frames say")


def _native_syntax(parsed: Parsed) -> str:
    if not parsed.little_endian:
        return str(ExplicitVRBigEndian)
    return str(ImplicitVRLittleEndian if parsed.implicit_vr else ExplicitVRLittleEndian)


def _groups(dataset: Dataset, frames: int) -> Iterator[tuple[int, list[Dataset]]]:
    """Where a frame's attributes are looked up, first to last: its own groups, the shared ones, the data set."""
    shared = _items(dataset, "SharedFunctionalGroupsSequence")[:1]
    own = _items(dataset, "PerFrameFunctionalGroupsSequence")
    if own and len(own) != frames:
        raise BadFile(f"it says {frames} frames and describes {len(own)}")
    for index in range(frames):
        yield index, [*own[index : index + 1], *shared]


def _frame(dataset: Dataset, groups: list[Dataset], index: int) -> dict:
    def where(sequence: str) -> Dataset:
        for group in groups:
            items = _items(group, sequence)
            if items:
                return items[0]
        return dataset

    measures, timing = where("PixelMeasuresSequence"), where("MRTimingAndRelatedParametersSequence")
    transform, window, modifier = (
        where("PixelValueTransformationSequence"),
        where("FrameVOILUTSequence"),
        where("MRModifierSequence"),
    )
    content, echo = where("FrameContentSequence"), where("MREchoSequence")
    echo_time = _float(echo, "EffectiveEchoTime", TIMES_MS)
    inversion = _floats(modifier, "InversionTimes", within=TIMES_MS)
    slope, intercept = _rescale(transform)
    return {
        "index": index,
        "frame_type": _words(where("MRImageFrameTypeSequence"), "FrameType") or _words(dataset, "ImageType"),
        "image_orientation": _floats(where("PlaneOrientationSequence"), "ImageOrientationPatient", 6, within=COSINES),
        "image_position": _floats(where("PlanePositionSequence"), "ImagePositionPatient", 3, within=POSITION_MM),
        "pixel_spacing": _floats(measures, "PixelSpacing", 2, within=SPACING_MM),
        "slice_thickness": _float(measures, "SliceThickness", SLICE_MM),
        "spacing_between_slices": _float(measures, "SpacingBetweenSlices", SLICE_MM),
        "repetition_time": _float(timing, "RepetitionTime", TIMES_MS),
        "echo_time": _float(dataset, "EchoTime", TIMES_MS) if echo_time is None else echo_time,
        "inversion_time": _float(dataset, "InversionTime", TIMES_MS) if inversion is None else inversion[0],
        "flip_angle": _float(timing, "FlipAngle"),
        "echo_number": _int(dataset, "EchoNumbers"),
        "temporal_position": _int(content, "TemporalPositionIndex") or _int(dataset, "TemporalPositionIdentifier"),
        "fat_suppressed": _suppression(dataset, modifier),
        "rescale_slope": slope,
        "rescale_intercept": intercept,
        "window_center": _float(window, "WindowCenter", WINDOW_CENTERS),
        "window_width": _float(window, "WindowWidth", WINDOW_WIDTHS),
    }


def _rescale(transform: Dataset) -> tuple[float, float]:
    """RescaleSlope and RescaleIntercept; 1 and 0 where absent."""
    slope = _float(transform, "RescaleSlope") or 1.0
    intercept = _float(transform, "RescaleIntercept") or 0.0
    low, high = SLOPES
    if not low <= abs(slope) <= high:
        raise BadFile(f"its RescaleSlope is {slope:g}; {low:g} to {high:g} are read, with either sign")
    if abs(intercept) > MOST_INTERCEPT * abs(slope):
        raise BadFile(f"its RescaleIntercept is {intercept:g}, more than {MOST_INTERCEPT:g} times its RescaleSlope")
    return slope, intercept


def _suppression(dataset: Dataset, modifier: Dataset) -> bool | None:
    said = {text(where, "SpectrallySelectedSuppression").upper() for where in (dataset, modifier)}
    if said & {"FAT", "FAT_AND_WATER", "SILICON_AND_FAT"}:
        return True
    excited = {text(where, "SpectrallySelectedExcitation").upper() for where in (dataset, modifier)}
    if "WATER" in excited:
        return True
    return False if "NONE" in said else None


def _value(dataset: Dataset | None, keyword: str):
    """A value, or None: pydicom converts on access, so a malformed one raises here and counts as absent."""
    if dataset is None:
        return None
    try:
        return dataset.get(keyword)
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        return None


def _items(dataset: Dataset | None, keyword: str) -> list[Dataset]:
    value = _value(dataset, keyword)
    return list(value) if value is not None and type(value).__name__ == "Sequence" else []


def _first(dataset: Dataset | None, keyword: str) -> Dataset | None:
    items = _items(dataset, keyword)
    return items[0] if items else None


def _words(dataset: Dataset | None, keyword: str) -> list[str]:
    value = _value(dataset, keyword)
    if value is None or value == "":
        return []
    many = [value] if isinstance(value, str) else list(value)
    return [str(word).strip().upper()[:16] for word in many[:16]]


def _floats(
    dataset: Dataset | None, keyword: str, count: int | None = None, within: tuple[float, float] = ANY
) -> list[float] | None:
    value = _value(dataset, keyword)
    if value is None or value == "":
        return None
    many = [value] if isinstance(value, (str, bytes, int, float)) else list(value)[:64]
    try:
        numbers = [float(number) for number in many]
    except (TypeError, ValueError):
        return None
    low, high = within
    if not numbers or (count is not None and len(numbers) != count):
        return None
    return numbers if all(math.isfinite(number) and low <= number <= high for number in numbers) else None


def _float(dataset: Dataset | None, keyword: str, within: tuple[float, float] = ANY) -> float | None:
    numbers = _floats(dataset, keyword, within=within)
    return numbers[0] if numbers else None


def _int(dataset: Dataset | None, keyword: str) -> int | None:
    number = _float(dataset, keyword)
    return int(number) if number is not None and number == int(number) and abs(number) < 2**31 else None
