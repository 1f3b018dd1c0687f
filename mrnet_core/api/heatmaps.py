"""Heatmap files: ``<plane>_<task>.npz`` with the CAM and the picture the network saw."""

import os
from pathlib import Path

import numpy as np

from mrnet_core.domain import Exam, ExamPrediction, InputError
from mrnet_core.ensemble import Predictor
from mrnet_core.preprocess import prepare


def save_heatmaps(exam: Exam, prediction: ExamPrediction, predictor: Predictor, folder: Path) -> list[Path]:
    """Write one npz a network: ``cam`` ``(s, 7, 7)`` float32 and ``image`` ``(s, 256, 256)`` uint8.

    Each file appears whole or not at all. Returns the files written.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        images = {plane: prepare(series, predictor.landmarks[plane]) for plane, series in exam.series.items()}
        for score in prediction.scores:
            target = folder / f"{score.plane}_{score.task}.npz"
            partial = target.with_suffix(".npz.partial")
            try:
                with partial.open("wb") as file:
                    np.savez_compressed(file, cam=score.heatmap.cam, image=images[score.plane])
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)
            written.append(target)
    except OSError as error:
        raise InputError(
            f"heatmaps cannot be written to {folder}: {error.strerror}; name a folder you may write to"
        ) from error
    return written
