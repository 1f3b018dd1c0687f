"""The words and values that every other room shares; imports nothing of the project."""

from mrnet_core.domain.errors import (
    ArtifactError,
    Cancelled,
    DatasetError,
    ExamError,
    InputError,
    InstallationError,
    MRNetError,
)
from mrnet_core.domain.exam import MODEL_SIZE, PHANTOM_MAKERS, Exam, RefusedSeries, Series, SkippedFile, Window
from mrnet_core.domain.prediction import CAM_SIZE, COLLAPSED_LOGIT_SD, ExamPrediction, Heatmap, ModelInfo, SeriesScore
from mrnet_core.domain.words import Metric, Plane, Side, Split, Task

__all__ = [
    "CAM_SIZE",
    "COLLAPSED_LOGIT_SD",
    "MODEL_SIZE",
    "PHANTOM_MAKERS",
    "ArtifactError",
    "Cancelled",
    "DatasetError",
    "Exam",
    "ExamError",
    "ExamPrediction",
    "Heatmap",
    "InputError",
    "InstallationError",
    "MRNetError",
    "Metric",
    "ModelInfo",
    "Plane",
    "RefusedSeries",
    "Series",
    "SeriesScore",
    "Side",
    "SkippedFile",
    "Split",
    "Task",
    "Window",
]
