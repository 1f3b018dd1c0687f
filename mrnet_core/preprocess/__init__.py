"""Size and intensity: what happens to a series before any network sees it."""

from mrnet_core.preprocess.intensity import Landmarks, fit_landmarks, standardise
from mrnet_core.preprocess.pipeline import prepare
from mrnet_core.preprocess.resize import resize_series

__all__ = ["Landmarks", "fit_landmarks", "prepare", "resize_series", "standardise"]
