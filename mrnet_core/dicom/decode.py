"""Coded bytes of one frame to stored values; runs in the limited child process.

Each transfer syntax has one decoder. The codestream's own size is held against Rows, Columns and BitsAllocated before
anything is decoded, so that a lie costs nothing.
"""

from collections.abc import Callable

import imagecodecs
import jpeg_ls
import numpy as np
import openjpeg
from numpy.typing import NDArray

from mrnet_core.dicom.codestream import coded_frame, element_value, native_frame, stream_size
from mrnet_core.dicom.parse import BadFile
from mrnet_core.dicom.privacy import uid_name

RLE = "1.2.840.10008.1.2.5"
NATIVE = (
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2.1.99",  # Deflated Explicit VR Little Endian
    "1.2.840.10008.1.2.2",  # Explicit VR Big Endian
)
_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
SYNTAXES = (*NATIVE, RLE, *_JPEG, *_JPEG_LS, *_JPEG_2000)


def stored_values(body: bytes, header: dict, index: int) -> NDArray:
    """Stored values of one frame, ``(rows, columns)``, int16 if PixelRepresentation is 1, else uint16.

    Bits beside the stored ones (old overlays) are cleared; the sign is extended from the highest stored bit.

    Raises
    ------
    BadFile
        The pixels cannot be had; the reason names nobody.
    """
    shape = (header["rows"], header["columns"])
    syntax = header["transfer_syntax_uid"]
    if syntax not in SYNTAXES:
        raise BadFile(f"its transfer syntax, {uid_name(syntax)}, is not one that this reader decodes")
    if header["samples_per_pixel"] != 1:
        raise BadFile("it is a colour picture")
    start, length, vr = element_value(body, header["pixel_offset"], header["little_endian"], header["implicit_vr"])
    if syntax in NATIVE:
        cells = _native(body, start, length, vr, header, index)
    else:
        coded = coded_frame(body, start, header["number_of_frames"], index)
        if syntax == RLE:
            cells = rle_cells(coded, shape, header["bits_allocated"] // 8)
        else:
            cells = _codec_cells(coded, shape, header, _decoder(syntax))
    return _stored(cells, header)


def _native(body: bytes, start: int, length: int, vr: bytes, header: dict, index: int) -> NDArray:
    cell = header["bits_allocated"] // 8
    count = header["rows"] * header["columns"]
    frame = native_frame(body, start, length, count * cell, index)
    if cell == 2:
        cells = np.frombuffer(frame, "<u2" if header["little_endian"] else ">u2").astype(np.uint16)
    else:
        cells = np.frombuffer(frame, np.uint8)
        if not header["little_endian"] and vr == b"OW" and count % 2 == 0:
            cells = cells.reshape(-1, 2)[:, ::-1].ravel()  # bytes of a big endian word (PS3.5 8.1.1)
    return cells.reshape(header["rows"], header["columns"])


def rle_cells(coded: bytes, shape: tuple[int, int], cell: int) -> NDArray:
    """Decode one RLE frame (PS3.5 annex G): one segment a byte of the cell, the most significant first.

    Raises
    ------
    BadFile
        Wrong number of segments, offsets beyond the end, or more or fewer pixels than ``shape``.
    """
    count = shape[0] * shape[1]
    if len(coded) < 64:
        raise BadFile("its RLE pixels are cut short")
    header = np.frombuffer(coded[:64], "<u4").astype(int).tolist()
    if header[0] != cell:
        raise BadFile(f"its RLE pixels have {header[0]} segments where {cell} belong")
    ends = [*header[2 : 1 + cell], len(coded)]
    planes = np.empty((cell, count), np.uint8)
    for plane, first, last in zip(planes, header[1 : 1 + cell], ends, strict=True):
        if not 64 <= first <= last <= len(coded):
            raise BadFile("its RLE pixels are malformed")
        plane[:] = np.frombuffer(_unpacked_bits(coded[first:last], count), np.uint8)
    cells = planes[0].astype(np.uint16)
    if cell == 2:
        cells = cells << 8 | planes[1]
    return cells.reshape(shape)


def _unpacked_bits(packed: bytes, count: int) -> bytes:
    """PackBits to exactly ``count`` bytes; stops there, so a bomb never grows."""
    out = bytearray()
    at, end = 0, len(packed)
    while len(out) < count:
        if at >= end:
            raise BadFile("its RLE pixels are fewer than its Rows and Columns say")
        control = packed[at]
        at += 1
        if control < 128:
            literal = packed[at : at + control + 1]
            if len(literal) != control + 1:
                raise BadFile("its RLE pixels are cut short")
            out += literal
            at += control + 1
        elif control > 128:
            out += packed[at : at + 1] * (257 - control)
            at += 1
    if len(out) != count:
        raise BadFile("its RLE pixels are more than its Rows and Columns say")
    return bytes(out)


def _codec_cells(coded: bytes, shape: tuple[int, int], header: dict, decode: Callable[[bytes], NDArray]) -> NDArray:
    size = stream_size(coded)
    if (size.rows, size.columns) != shape or size.components != 1:
        raise BadFile(
            f"its Rows and Columns say {shape[0]} x {shape[1]}, its compressed pixels {size.rows} x {size.columns}"
            + (f" of {size.components} components" if size.components != 1 else "")
        )
    if size.precision > header["bits_allocated"]:
        raise BadFile(f"its compressed pixels have {size.precision} bits, more than its BitsAllocated")
    cells = decode(coded)
    if cells.shape != shape or cells.dtype.kind not in "iu":
        raise BadFile("its compressed pixels decode to another size than they say")
    return cells.astype(np.int32).astype(np.uint16) if cells.dtype.itemsize != 2 else cells.view(np.uint16)


def _decoder(syntax: str) -> Callable[[bytes], NDArray]:
    if syntax in _JPEG:
        return imagecodecs.jpeg8_decode
    return _decode_jpeg_ls if syntax in _JPEG_LS else openjpeg.decode


def _decode_jpeg_ls(coded: bytes) -> NDArray:
    return jpeg_ls.decode(np.frombuffer(coded, np.uint8))


def _stored(cells: NDArray, header: dict) -> NDArray:
    stored = header["bits_stored"]
    low = header["high_bit"] + 1 - stored
    values = (cells.astype(np.uint16, copy=False) >> low) & np.uint16((1 << stored) - 1)
    if not header["pixel_representation"]:
        return values
    spare = 16 - stored
    return (values << spare).view(np.int16) >> spare
