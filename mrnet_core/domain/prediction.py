"""What a model says of an exam: scores, probabilities and heatmaps, and which model said it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain.words import Plane, Task

CAM_SIZE = 7
"""Rows and columns of a class activation map (Bien et al. 2018, Methods, "MRNet interpretation")."""
COLLAPSED_LOGIT_SD = 0.05
"""A network whose logit varies less than this over exams (standard deviation) has collapsed to a constant (measured in
trial runs)."""


@dataclass(frozen=True)
class ModelInfo:
    """Which model answered. ``synthetic``: trained on digital knees, so it says nothing about a real one."""

    name: str
    trained_on: str
    synthetic: bool
    engine: str
    version: str


@dataclass(frozen=True)
class Heatmap:
    """Class activation map of one network over one series.

    ``cam``: ``(S, 7, 7)`` float32, the classifier's weights over the 256 feature maps, before any scaling; values may
    be negative. Cell ``i`` of a row or column is centred on pixel ``31 + 32 i`` of the 256 (``mrnet_core.models.cam``).
    """

    plane: Plane
    task: Task
    cam: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.cam.ndim != 3 or self.cam.shape[1:] != (CAM_SIZE, CAM_SIZE):
            raise ValueError(f"a heatmap's cam must be (S, {CAM_SIZE}, {CAM_SIZE}); got {self.cam.shape}")
        self.cam.setflags(write=False)

    @property
    def most_activated_slice(self) -> int:
        """0-based slice with the highest CAM peak (the first of equals)."""
        return int(self.cam.max(axis=(1, 2)).argmax())


@dataclass(frozen=True)
class SeriesScore:
    """One network's probability for one series, with its heatmap."""

    plane: Plane
    task: Task
    probability: float
    heatmap: Heatmap


@dataclass(frozen=True)
class ExamPrediction:
    """The whole answer: a probability a task, the networks behind it, the planes used.

    ``probabilities``: with one plane the network's own probability, else the logistic regression over ``planes_used``.
    """

    probabilities: Mapping[Task, float]
    scores: tuple[SeriesScore, ...]
    planes_used: tuple[Plane, ...]
    model: ModelInfo
    warnings: tuple[str, ...] = ()

    def score(self, plane: Plane, task: Task) -> SeriesScore:
        """The score of one network; KeyError where the plane was not used."""
        for score in self.scores:
            if score.plane == plane and score.task == task:
                return score
        raise KeyError((plane, task))
