"""From a series as it was read to the stack that a network sees: one path for training and serving."""

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Series
from mrnet_core.preprocess.intensity import Landmarks, standardise
from mrnet_core.preprocess.resize import resize_series


def prepare(series: Series, landmarks: Landmarks) -> NDArray[np.uint8]:
    """A series as ``(S, 256, 256)`` uint8: scaled to size, then to the training set's intensities.

    A ``standardised`` series (an MRNet-v1.0 array) is that already and passes unchanged.
    """
    if series.standardised:
        return series.pixels
    return standardise(resize_series(series), landmarks)
