"""From nine networks' probabilities to one answer a task, and the whole of it ready to answer exams."""

from mrnet_core.ensemble.constant import constant_networks
from mrnet_core.ensemble.logistic import (
    OUT_OF_FOLD_SOURCE,
    PENALTY_C,
    TRAINING_SOURCE,
    Ensemble,
    Regression,
    collapsed,
    fit_ensemble,
)
from mrnet_core.ensemble.predictor import Predictor, fingerprint, run_series

__all__ = [
    "OUT_OF_FOLD_SOURCE",
    "PENALTY_C",
    "TRAINING_SOURCE",
    "Ensemble",
    "Predictor",
    "Regression",
    "collapsed",
    "constant_networks",
    "fingerprint",
    "fit_ensemble",
    "run_series",
]
