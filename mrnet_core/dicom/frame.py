"""What survives reading: an allow-list of attributes of each file, and of each image in it.

The reader (``privacy``) fills these records; geometry and series choice see nothing else of a file. Names are
DICOM keywords in snake case. Every value is plain Python, already checked for type; absent or malformed is None.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """Attributes of one DICOM file (one SOP instance); everything not listed here is dropped at reading.

    ``patient_key`` is a salted hash (the salt lives as long as one reading) that only tells patients apart; "" where
    the file names no patient. Dates stay inside the reading: they order studies and never leave it.
    """

    position: int
    """0-based place of the file among the files given."""
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_key: str
    study_date_time: str | None
    modality: str | None
    series_description: str
    protocol_name: str
    body_part_examined: str | None
    """BodyPartExamined as one word of the reader's own list (``privacy``), never its text."""
    body_part_words: str | None
    """A body part that the descriptions name, as one word of the reader's own list (``privacy``)."""
    laterality: str | None
    """Laterality or ImageLaterality: R, L, B (both) or U."""
    laterality_words: str | None
    """R or L where the descriptions name one side; None where they name none or both."""
    image_type: tuple[str, ...]
    manufacturer: str | None
    magnetic_field_strength: float | None
    rows: int
    columns: int
    number_of_frames: int
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    pixel_padding_value: int | None
    pixel_padding_range_limit: int | None
    lossy: bool
    """LossyImageCompression says that detail was thrown away."""
    series_number: int | None
    instance_number: int | None
    acquisition_number: int | None
    scanning_sequence: tuple[str, ...]
    sequence_variant: tuple[str, ...]
    scan_options: tuple[str, ...]
    sequence_name: str | None
    sha256: str
    """Of the whole file as given (pixel decoders are no integrity check)."""
    pixel_offset: int
    """Byte at which the pixel data element begins, in the file after inflating."""
    little_endian: bool
    implicit_vr: bool


@dataclass(frozen=True)
class Frame:
    """One image: a whole classic MR file, or one frame of an Enhanced multi-frame one (its functional groups merged).

    ``image_orientation``: six direction cosines, row direction (along increasing column index) first, then column
    direction (along increasing row index), DICOM patient coordinates (x to the left, y posterior, z to the head),
    PS3.3 C.7.6.2.1.1. ``image_position``: mm, centre of the first pixel. ``pixel_spacing``: mm, between rows, between
    columns.
    """

    header: Header
    index: int
    """0-based frame in its file."""
    frame_type: tuple[str, ...]
    """FrameType of an Enhanced file, else ImageType."""
    image_orientation: tuple[float, float, float, float, float, float] | None
    image_position: tuple[float, float, float] | None
    pixel_spacing: tuple[float, float] | None
    slice_thickness: float | None
    spacing_between_slices: float | None
    repetition_time: float | None
    echo_time: float | None
    inversion_time: float | None
    flip_angle: float | None
    echo_number: int | None
    temporal_position: int | None
    fat_suppressed: bool | None
    """What an Enhanced file says of itself (SpectrallySelectedSuppression); None where it says nothing."""
    rescale_slope: float
    rescale_intercept: float
    window_center: float | None
    window_width: float | None
