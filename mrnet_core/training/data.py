"""Series of one plane as one uint8 block on the device, with labels: nothing is read or converted during an epoch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.datasets.patients import groups_of
from mrnet_core.datasets.splits import inner_split
from mrnet_core.domain import MODEL_SIZE, Plane, Split, Task

HISTOGRAM_ROWS = 8
"""Every so many rows count for the mean and the standard deviation: they are the same to three digits."""


@dataclass(frozen=True)
class PlaneSet:
    """Exams of one split in one plane.

    ``pictures``: ``(all slices, 256, 256)`` uint8; ``starts``: first slice of each exam, and the end;
    ``labels``: ``(exams, tasks)`` float32 on the CPU, columns in the order of ``tasks``; ``digest``: of the whole
    split's ids and pixels.
    """

    plane: Plane
    split: Split
    exams: tuple[str, ...]
    pictures: Tensor
    starts: tuple[int, ...]
    tasks: tuple[Task, ...]
    labels: Tensor
    digest: str

    def __len__(self) -> int:
        return len(self.exams)

    def stack(self, index: int) -> Tensor:
        """The series of exam ``index``: ``(s, 256, 256)`` uint8, a view."""
        return self.pictures[self.starts[index] : self.starts[index + 1]]

    def label(self, task: Task) -> Tensor:
        """Labels of one task, ``(exams,)`` float32."""
        return self.labels[:, self.tasks.index(task)]

    def data_hash(self, tasks: Sequence[Task]) -> str:
        """16 hexadecimal digits of the SHA-256 of the exams' ids, their pixels and their labels of ``tasks``."""
        labels = [self.label(task).tolist() for task in tasks]
        return hashlib.sha256(f"{self.digest} {self.exams} {labels}".encode()).hexdigest()[:16]

    def part(self, indices: list[int]) -> "PlaneSet":
        """The exams at ``indices`` (increasing); pictures are copied."""
        pieces = [self.stack(index) for index in indices]
        ends = np.cumsum([0, *(len(piece) for piece in pieces)])
        return replace(
            self,
            exams=tuple(self.exams[index] for index in indices),
            pictures=torch.cat(pieces),
            starts=tuple(int(end) for end in ends),
            labels=self.labels[indices],
        )


def load_set(folder: MRNetFolder, split: Split, plane: Plane, device: torch.device) -> PlaneSet:
    """Read every series of one split and plane onto the device.

    Raises
    ------
    DatasetError
        A series that cannot be read, or holds no contrast.
    """
    exams = folder.exams[split]
    lengths = [np.load(folder.path(split, plane, exam), mmap_mode="r").shape[0] for exam in exams]
    starts = np.cumsum([0, *lengths])
    pictures = torch.empty((int(starts[-1]), MODEL_SIZE, MODEL_SIZE), dtype=torch.uint8)
    labels = folder.label_matrix(split)
    digest = hashlib.sha256()
    for exam, start in zip(exams, starts, strict=False):
        series = folder.series(split, plane, exam)
        digest.update(f"{exam} {series.shape[0]}".encode())
        digest.update(np.ascontiguousarray(series).data)
        pictures[start : start + len(series)] = torch.from_numpy(series)
    return PlaneSet(
        plane,
        split,
        exams,
        pictures.to(device),
        tuple(int(start) for start in starts),
        folder.tasks,
        torch.from_numpy(labels.astype(np.float32)),
        digest.hexdigest()[:16],
    )


def training_sets(
    folder: MRNetFolder, plane: Plane, device: torch.device, inner_share: float | None
) -> tuple[PlaneSet, PlaneSet]:
    """The training exams and the exams that choose the epoch.

    ``inner_share``: None takes the folder's ``valid``; a share takes that part of the training exams, so that no
    figure on ``valid`` was selected on. The split is stratified by label, the same in every plane and for any tasks; a
    patient's exams, where patients are known, stay together.
    """
    training = load_set(folder, Split.TRAIN, plane, device)
    if inner_share is None:
        return training, load_set(folder, Split.TUNING, plane, device)
    chosen = inner_exams(folder, inner_share)
    return (
        training.part([index for index in range(len(training)) if not chosen[index]]),
        training.part([index for index in range(len(training)) if chosen[index]]),
    )


def inner_exams(folder: MRNetFolder, share: float) -> NDArray[np.bool_]:
    """True for the training exams that choose the epoch where it is chosen on a ``share`` of them.

    Raises
    ------
    DatasetError
        One of the two parts would lack a positive or a negative of a task.
    """
    return inner_split(
        folder.label_matrix(Split.TRAIN),
        share,
        strata=folder.strata(Split.TRAIN),
        groups=groups_of(folder.exams[Split.TRAIN], folder.patients),
    )


def mean_and_sd(*sets: PlaneSet) -> tuple[float, float]:
    """Mean and standard deviation of the pictures, on the 0 to 255 scale."""
    counts = np.zeros(256)
    for one in sets:
        for first in range(0, len(one.pictures), 1024):  # in pieces: bincount wants 64-bit copies
            rows = one.pictures[first : first + 1024, ::HISTOGRAM_ROWS].reshape(-1)
            counts += torch.bincount(rows.int(), minlength=256).cpu().numpy()
    values = np.arange(256)
    mean = float((counts * values).sum() / counts.sum())
    return mean, float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))


def class_weights(labels: Tensor) -> tuple[float, float]:
    """Weights of a negative and of a positive exam: inverse to the prevalence of its class, mean 1 over the exams."""
    positive = float(labels.mean())
    return 0.5 / (1 - positive), 0.5 / positive
