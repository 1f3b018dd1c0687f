"""An exam for the slice viewer: one packed blob of bytes that the browser unpacks and draws by itself.

Layout (little endian): ``MRNV``, uint32 length of the header, the header (JSON, UTF-8, padded with spaces), then the
sections. Sections start on multiples of 8; the header names one as ``[offset, bytes]``, counted from the first section.
Nothing that could name a patient is in it: no UID, no description, no file name.

Sections: each series' pixels as they are (modality values, ``(S, H, W)``, C order); each network's CAM as float32
``(S, 7, 7)`` before any scaling; each true lesion of a synthetic exam as bits (``numpy.packbits``) of its box.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.api.demo import is_synthetic
from mrnet_core.domain import MODEL_SIZE, Exam, ExamPrediction, Plane, Series, Task

MAGIC = b"MRNV"
FORMAT = 1
SCREEN_LETTERS = {
    # left, right, top, bottom of the picture: the standard orientation of mrnet_core.domain.exam
    Plane.SAGITTAL: ("A", "P", "H", "F"),
    Plane.CORONAL: ("R", "L", "H", "F"),
    Plane.AXIAL: ("R", "L", "A", "P"),
}
_KINDS = {"int16": "i2", "uint16": "u2", "float32": "f4", "uint8": "u1"}


@dataclass(frozen=True)
class LesionMask:
    """Where a true lesion lies in one series: the bool ``box`` ``(s, h, w)`` with its first voxel at ``origin``."""

    origin: tuple[int, int, int]
    box: NDArray[np.bool_]
    shape: tuple[int, int, int]
    """Shape ``(S, H, W)`` of the series that the mask belongs to."""

    @classmethod
    def crop(cls, mask: NDArray[np.bool_]) -> "LesionMask | None":
        """The smallest box of a whole mask ``(S, H, W)``; None where the lesion is not in the series."""
        if not mask.any():
            return None
        bounds = []
        for axis in range(3):
            others = tuple(other for other in range(3) if other != axis)
            inside = np.flatnonzero(mask.any(axis=others))
            bounds.append((int(inside[0]), int(inside[-1]) + 1))
        box = mask[tuple(slice(first, last) for first, last in bounds)].copy()
        return cls(tuple(first for first, _ in bounds), box, mask.shape)


@dataclass(frozen=True)
class TrueLesion:
    """One lesion that was put into a synthetic knee: what it is in words, and where, by plane."""

    words: str
    masks: Mapping[Plane, LesionMask]


@dataclass(frozen=True)
class DemoTruth:
    """The truth about a synthetic exam: its lesions (none in a normal knee), and a sentence on the exam."""

    words: str
    lesions: tuple[TrueLesion, ...] = ()


@dataclass(frozen=True)
class Captions:
    """Sentences that the viewer shows and burns into its pictures; they come from the page's own texts."""

    notice: str
    model: str
    """What stands beside each number ("synthetic model"), in a few words; "" where nothing need be said."""
    task: Task
    """The task whose heatmaps show first."""
    without_maps: str = ""
    """What stands in the heatmaps' place while there are none."""


class _Blob:
    """Sections in the order they are added, each on a multiple of 8."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, memoryview]] = []
        self.size = 0

    def add(self, array: NDArray) -> list[int]:
        """Append an array's bytes; returns ``[offset, bytes]`` counted from the first section."""
        data = memoryview(np.ascontiguousarray(array)).cast("B")
        entry = [self.size, data.nbytes]
        self.parts.append((self.size, data))
        self.size += -(-data.nbytes // 8) * 8
        return entry


def pack_exam(
    exam: Exam, prediction: ExamPrediction | None, captions: Captions, truth: DemoTruth | None = None
) -> bytes:
    """The blob of an exam; without ``prediction`` it holds no heatmap, without ``truth`` no outline."""
    blob = _Blob()
    panes = [_pane(series, blob) for series in exam.series.values()]
    identity = hashlib.blake2b(digest_size=12)
    for _, data in blob.parts:
        identity.update(data)
    if prediction is not None:
        for pane in panes:
            pane["maps"] = _maps(Plane(pane["plane"]), prediction, blob)
    if truth is not None:
        for pane, series in zip(panes, exam.series.values(), strict=True):
            pane["lesions"] = _lesions(series, truth, blob)
    header = {
        "format": FORMAT,
        "exam": identity.hexdigest(),
        "notice": captions.notice,
        "model": captions.model,
        "synthetic": is_synthetic(exam),
        "withoutMaps": captions.without_maps,
        "firstTask": captions.task.value,
        "tasks": [{"task": task.value, "name": task.display_name} for task in Task],
        "truth": None if truth is None else {"words": truth.words, "lesions": [entry.words for entry in truth.lesions]},
        "panes": panes,
    }
    return _join(header, blob)


def picture_frame(series: Series) -> tuple[float, float, float]:
    """Where the network's 256 × 256 picture lies on the series: ``(side, left, top)`` in mm.

    The picture is a square of ``side`` mm whose first row and column of pixels begin ``top`` and ``left`` mm before the
    series' own (preprocessing pads the shorter direction on both sides, then scales).
    """
    height = series.pixels.shape[1] * series.row_spacing
    width = series.pixels.shape[2] * series.column_spacing
    side = max(height, width)
    return side, (side - width) / 2, (side - height) / 2


def _pane(series: Series, blob: _Blob) -> dict:
    slices, rows, columns = series.pixels.shape
    side, left, top = picture_frame(series)
    known = series.slice_spacing is not None and not series.standardised
    return {
        "plane": series.plane.value,
        "name": series.plane.display_name,
        "shape": [slices, rows, columns],
        "spacing": [series.row_spacing, series.column_spacing],
        "placed": known,
        "letters": list(SCREEN_LETTERS[series.plane]) if known else None,
        "window": [series.window.center, series.window.width],
        "range": [float(series.pixels.min()), float(series.pixels.max())],
        "frame": {"side": side, "left": left, "top": top, "size": MODEL_SIZE},
        "kind": _KINDS[series.pixels.dtype.name],
        "pixels": blob.add(series.pixels),
        "maps": {},
        "lesions": [],
    }


def _maps(plane: Plane, prediction: ExamPrediction, blob: _Blob) -> dict:
    maps = {}
    for score in prediction.scores:
        if score.plane == plane:
            maps[score.task.value] = {
                "cam": blob.add(score.heatmap.cam.astype("<f4", copy=False)),
                "most": score.heatmap.most_activated_slice,
                "probability": float(score.probability),
            }
    return maps


def _lesions(series: Series, truth: DemoTruth, blob: _Blob) -> list[dict]:
    lesions = []
    for number, lesion in enumerate(truth.lesions):
        mask = lesion.masks.get(series.plane)
        # Another series chosen by hand has a grid of its own: the outline does not belong there.
        if mask is not None and mask.shape == series.pixels.shape:
            bits = blob.add(np.packbits(mask.box.reshape(-1)))
            lesions.append({"lesion": number, "origin": list(mask.origin), "shape": list(mask.box.shape), "bits": bits})
    return lesions


def _join(header: dict, blob: _Blob) -> bytes:
    # Offsets in the header count from the first section, whose place `start` depends on the header's own length.
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 8)
    start = len(MAGIC) + 4 + len(text)
    whole = bytearray(start + blob.size)
    whole[:start] = MAGIC + len(text).to_bytes(4, "little") + text
    for offset, data in blob.parts:
        whole[start + offset : start + offset + data.nbytes] = data
    return bytes(whole)
