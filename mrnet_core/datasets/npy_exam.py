"""One to three npy series as an exam: ``sagittal.npy``, ``coronal.npy``, ``axial.npy``, as MRNet-v1.0 holds them.

Each is uint8 ``(s, 256, 256)`` with intensities already standardised. The header is read and checked before the array
is loaded, and pickled arrays are never loaded.
"""

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from mrnet_core.domain import MODEL_SIZE, Exam, ExamError, Plane, Series, SkippedFile, Window

MOST_SLICES = 512
"""MRNet-v1.0 has 17 to 61."""
HEADER_BYTES = 4096
"""More than any header of a plain array takes."""
UNKNOWN_SPACING = 1.0
"""Pixel spacing in mm where the file holds none: a number to lay out squares with, no measure of anything."""
NO_SIZE = "An npy series holds no pixel size: lengths and scale bars mean nothing here."


def plane_of_name(name: str) -> Plane | None:
    """The plane that an npy file is named after; None for any other name."""
    return next((plane for plane in Plane if name.lower() == f"{plane}.npy"), None)


def read_npy_exam(files: Sequence[tuple[int, str, Callable[[], bytes]]]) -> Exam:
    """Read npy series as one exam.

    Parameters
    ----------
    files
        Position among the files given, name (its last component) and a function that loads the bytes, for each file.

    Raises
    ------
    ExamError
        A plane twice, or nothing readable. A bad or foreign file among good ones is skipped and counted.
    """
    series: dict[Plane, Series] = {}
    skipped: list[SkippedFile] = []
    for position, name, load in files:
        plane = plane_of_name(name)
        if plane is None:
            skipped.append(SkippedFile(position, "it is not named sagittal.npy, coronal.npy or axial.npy"))
            continue
        if plane in series:
            raise ExamError(f"two files are named {plane}.npy: an exam has one series a plane")
        try:
            series[plane] = _series(plane, npy_stack(load()))
        except ExamError as error:
            skipped.append(SkippedFile(position, str(error)))
    if not series:
        reasons = dict.fromkeys(one.reason for one in skipped)
        raise ExamError(f"no npy series can be read: {'; '.join(reasons) or 'no file was given'}")
    return Exam(series, skipped=tuple(skipped), warnings=(NO_SIZE,))


def npy_stack(data: bytes) -> NDArray[np.uint8]:
    """The array of an npy file, its header checked first.

    Returns
    -------
    ndarray
        uint8 ``(s, 256, 256)``.

    Raises
    ------
    ExamError
        No npy file, another type or shape, Python objects, cut short or too long.
    """
    stream = BytesIO(data)
    try:
        version = npy_format.read_magic(stream)
        read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}.get(version)
        if read is None:
            raise ExamError(f"npy format version {version[0]}.{version[1]}: save it with numpy.save (1.0 or 2.0)")
        shape, _, dtype = read(stream, max_header_size=HEADER_BYTES)
    except ValueError as error:
        raise ExamError("this is no npy file, or its header is damaged: save the series with numpy.save") from error
    if dtype.hasobject:
        raise ExamError("the npy file holds Python objects (a pickle), which are never loaded: save a uint8 array")
    if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (MODEL_SIZE, MODEL_SIZE):
        raise ExamError(f"an npy series must be uint8 (s, {MODEL_SIZE}, {MODEL_SIZE}); this one is {dtype} {shape}")
    if not 1 <= shape[0] <= MOST_SLICES:
        raise ExamError(f"an npy series must have 1 to {MOST_SLICES} slices; this one says {shape[0]}")
    size = len(data) - stream.tell()
    if size != np.prod(shape):
        raise ExamError(
            f"the npy file holds {size:,} pixels where its header says {int(np.prod(shape)):,}: it is damaged"
        )
    stream.seek(0)
    return np.ascontiguousarray(np.load(stream, allow_pickle=False))


def _series(plane: Plane, stack: NDArray[np.uint8]) -> Series:
    return Series(
        plane=plane,
        pixels=stack,
        row_spacing=UNKNOWN_SPACING,
        column_spacing=UNKNOWN_SPACING,
        slice_spacing=None,
        description=f"{plane}.npy",
        uid="",
        reason="named after this plane",
        window=Window(127.5, 255.0),
        standardised=True,
    )
