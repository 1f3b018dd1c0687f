"""Bytes of a DICOM file to a data set without its pixels; runs in the limited child process.

Every bound is checked before the step it guards: sizes before parsing, inflated size while inflating.
"""

import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mrnet_core.dicom.limits import Limits

PREAMBLE = 132
"""Bytes before the file meta information: 128 of anything, then DICM (PS3.10 7.1)."""
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double float and integer pixel data; reading stops before them."""
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)


class BadFile(Exception):
    """A file that cannot be used; the message says why in words that name nobody."""


class NotDicom(BadFile):
    """Not a DICOM file at all."""


@dataclass(frozen=True)
class Parsed:
    """A data set without pixels, and where the pixel data element begins in ``body`` (None: there is none)."""

    dataset: Dataset
    transfer_syntax_uid: str
    media_class_uid: str
    body: bytes
    little_endian: bool
    implicit_vr: bool
    pixel_offset: int | None


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read a file's attributes up to its pixels.

    Raises
    ------
    BadFile
        Empty, no DICOM, too large, cut short inside its header, a deflated bomb.
    """
    if not data:
        raise BadFile("the file is empty")
    if len(data) > limits.file_bytes:
        raise BadFile(f"the file is larger than {limits.file_bytes:,} bytes")
    syntax, media_class, start = _file_meta(data)
    body = data
    if syntax == DeflatedExplicitVRLittleEndian:
        body, start = inflate(data[start:], limits), 0
    little, implicit = _encoding(body[start : start + 8], syntax)
    stream = BytesIO(body)
    stream.seek(start)
    found: list[int] = []

    def at_pixels(tag, vr, length) -> bool:
        if tag in PIXEL_TAGS:
            found.append(tag)
        return bool(found) or tag > PIXEL_TAGS[-1]

    dataset = read_dataset(stream, implicit, little, stop_when=at_pixels)
    offset = stream.tell() if found == [PIXEL_TAGS[-1]] else None
    if found and offset is None:
        raise BadFile("its pixels are floating point numbers, which no MR image of this reader's kinds has")
    return Parsed(dataset, syntax, media_class, body, little, implicit, offset)


def inflate(packed: bytes, limits: Limits) -> bytes:
    """Inflate a raw deflate stream (PS3.5 A.5) up to the limits and no byte further.

    Raises
    ------
    BadFile
        Damaged, cut short, or a bomb.
    """
    bound = limits.file_bytes
    if limits.is_bomb(len(packed), bound):
        bound = max(limits.ratio_free_bytes, limits.ratio * len(packed))
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = machine.decompress(packed, bound + 1)
    except zlib.error as error:
        raise BadFile("its deflated part is damaged") from error
    if len(body) > bound:
        raise BadFile(f"its deflated part grows beyond {bound:,} bytes, as a decompression bomb does")
    if not machine.eof:
        raise BadFile("its deflated part is cut short")
    return body


def _file_meta(data: bytes) -> tuple[str, str, int]:
    """Transfer syntax, media storage SOP class, and where the data set begins."""
    if data[128:PREAMBLE] == b"DICM":
        stream = BytesIO(data)
        stream.seek(PREAMBLE)
        meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        syntax = str(meta.get("TransferSyntaxUID", "") or "")
        media_class = str(meta.get("MediaStorageSOPClassUID", "") or "")
        if stream.tell() >= len(data):
            raise BadFile("the file ends inside its header")
        return syntax, media_class, stream.tell()
    # Some archives hand out bare data sets: the first element must then look like one of the identifying group.
    groups = (int.from_bytes(data[:2], "little"), int.from_bytes(data[:2], "big"))
    if len(data) < 16 or 8 not in groups or not _plausible_start(data):
        raise NotDicom("it is no DICOM file")
    return "", "", 0


def _plausible_start(data: bytes) -> bool:
    if data[4:6] in _VRS:
        return True
    length = int.from_bytes(data[4:8], "little")
    return data[:2] == b"\x08\x00" and length < 1024


def _encoding(first: bytes, syntax: str) -> tuple[bool, bool]:
    """Little endian?, implicit VR? The first element decides where it contradicts the file's own word."""
    explicit = first[4:6] in _VRS
    if syntax == ExplicitVRBigEndian or (not syntax and explicit and first[:1] == b"\x00"):
        return False, False
    if syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ""):
        return True, not explicit
    return True, False
