"""What is true of a series whose lesions are known voxel by voxel: where the knee lies, and which cells hit a lesion.

A place on the picture is a CAM cell, centred on pixel ``31 + 32 i`` of 256; a cell hits a lesion when its centre lies
within 36 pixels of the lesion's pixels in the same slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mrnet_core.domain import CAM_SIZE, MODEL_SIZE, InputError, Plane, Task
from mrnet_core.models.cam import CELL_CENTRES, CELL_STEP
from mrnet_core.preprocess.intensity import foreground_threshold

POINTING_PIXELS = 36.0
"""One CAM cell (32 pixels) and an eighth: how near the hottest cell's centre must come to the lesion."""
SEVERITY_WORDS = ("subtle", "moderate", "plain")
"""Thirds of a lesion's severity, 0 to 1."""


@dataclass(frozen=True)
class Lesion:
    """What is known of a lesion beside its place.

    ``type``: in words; ``grade``: a word, or empty; ``severity``: 0 (subtle) to 1 (plain); ``label``: the task it makes
    positive beside abnormality, or empty.
    """

    type: str
    grade: str
    severity: float
    label: str

    @property
    def severity_word(self) -> str:
        """Subtle, moderate or plain: the third its severity lies in."""
        return SEVERITY_WORDS[min(int(self.severity * len(SEVERITY_WORDS)), len(SEVERITY_WORDS) - 1)]

    def counts_for(self, task: Task) -> bool:
        """True where this lesion makes the task positive; every lesion is an abnormality."""
        return task is Task.ABNORMAL or self.label == task.value


@dataclass(frozen=True)
class Seen:
    """One lesion in one series, whatever network looks: ``mask`` bool ``(s, 256, 256)``; the rest as in ``Mark``."""

    lesion: Lesion
    mask: NDArray[np.bool_]
    hits: NDArray[np.bool_]
    slices: NDArray[np.bool_]
    room: float


@dataclass(frozen=True)
class Scene:
    """What is true of one series: ``knee``, bool ``(s, 7, 7)``, cells that lie in the knee, and every lesion."""

    exam: str
    plane: Plane
    knee: NDArray[np.bool_]
    lesions: tuple[Seen, ...]


def build_scene(
    exam: str, plane: Plane, lesions: Sequence[tuple[Lesion, NDArray[np.bool_]]], stack: NDArray[np.uint8]
) -> Scene:
    """What is true of a series, once for all networks that look at it.

    Parameters
    ----------
    exam, plane
        Which series.
    lesions
        Every lesion of the exam with its mask, bool ``(s, 256, 256)`` on the network's picture.
    stack
        The picture, uint8 ``(s, 256, 256)``.
    """
    for _, mask in lesions:
        check_length(exam, plane, "mask", mask, len(stack))
    knee = stack > foreground_threshold(stack)
    seen = tuple(
        Seen(
            lesion=lesion,
            mask=mask,
            hits=hit_cells(mask),
            slices=mask.any(axis=(1, 2)),
            room=float(mask.sum() / max(int((knee | mask).sum()), 1)),
        )
        for lesion, mask in lesions
    )
    return Scene(exam, plane, knee_cells(stack), seen)


def knee_cells(stack: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Cells ``(s, 7, 7)`` that lie in the knee, of a prepared series ``(s, 256, 256)``.

    A cell does where the mean of its 32 × 32 pixels is above the foreground's threshold: averaging bridges what is
    dark in the knee (cortex, ligaments, suppressed fat) and not the air around it.
    """
    _check_stack(stack)
    threshold = foreground_threshold(stack)
    half = CELL_STEP // 2
    means = np.empty((len(stack), CAM_SIZE, CAM_SIZE))
    for row, y in enumerate(CELL_CENTRES):
        for column, x in enumerate(CELL_CENTRES):
            means[:, row, column] = stack[:, y - half + 1 : y + half + 1, x - half + 1 : x + half + 1].mean(axis=(1, 2))
    return means > threshold


def hit_cells(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells ``(s, 7, 7)`` whose centre lies within 36 pixels of a lesion's pixels in the same slice."""
    _check_stack(mask)
    hits = np.zeros((len(mask), CAM_SIZE, CAM_SIZE), bool)
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        distance = ndimage.distance_transform_edt(~mask[k])
        hits[k] = distance[np.ix_(CELL_CENTRES, CELL_CENTRES)] <= POINTING_PIXELS
    return hits


def check_length(exam: str, plane: Plane, what: str, array: NDArray, slices: int) -> None:
    """Refuse a mask or heatmap (``what``) of another length than its series."""
    if len(array) != slices:
        raise InputError(f"exam {exam}, {plane}: the {what} has {len(array)} slices, the picture {slices}")


def _check_stack(stack: NDArray) -> None:
    if stack.ndim != 3 or stack.shape[1:] != (MODEL_SIZE, MODEL_SIZE):
        raise InputError(f"a picture or mask must be (s, {MODEL_SIZE}, {MODEL_SIZE}); got {stack.shape}")
