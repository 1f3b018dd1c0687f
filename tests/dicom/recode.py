"""Lossless re-encoding of whole files, by libraries and formulas of their own."""

from io import BytesIO

import imagecodecs
import jpeg_ls
import numpy as np
import openjpeg
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)
RLE, JPEG_LOSSLESS, JPEG_LOSSLESS_FIRST = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def rle(pixels):
    """PS3.5 annex G with the PackBits of imagecodecs: two segments, high bytes first."""
    cells = pixels.astype(">u2").view(np.uint8).reshape(-1, 2)
    segments = [imagecodecs.packbits_encode(cells[:, n].tobytes()) for n in range(2)]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    return header.tobytes() + b"".join(segments)


ENCODERS = {
    RLE: rle,
    JPEG_LOSSLESS: lambda a: imagecodecs.jpeg8_encode(a, bitspersample=12, lossless=True, predictor=6),
    JPEG_LOSSLESS_FIRST: lambda a: imagecodecs.jpeg8_encode(a, bitspersample=12, lossless=True, predictor=1),
    JPEG_LS: lambda a: bytes(jpeg_ls.encode_array(a)),
    JPEG_2000: lambda a: bytes(openjpeg.encode(a, bits_stored=12, photometric_interpretation=2)),
}
LOSSLESS = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, *ENCODERS)


def recoded(data: bytes, pixels: np.ndarray, syntax: str) -> bytes:
    """The same file with ``pixels`` (uint16, 12 bits; one picture or a stack) in another transfer syntax."""
    source = dcmread(BytesIO(data))
    list(source.iterall())  # pydicom converts to another byte order only what it has parsed
    dataset = Dataset()
    dataset.update(source)
    dataset.file_meta = source.file_meta
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax in ENCODERS:
        pictures = pixels if pixels.ndim == 3 else pixels[None]
        coded = [ENCODERS[syntax](np.ascontiguousarray(picture)) for picture in pictures]
        dataset.PixelData = encapsulate(coded)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.PixelData = pixels.astype(">u2" if syntax == BIG_ENDIAN else "<u2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset["PixelData"].is_undefined_length = False
    target = BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()
