"""Training-set predictions for the regressions: the paper's own, and the honest alternative.

The paper fits its regressions on what the networks say of the exams they were trained on. Those probabilities are too
sure, and a plane whose network overfits more looks better than it is. Out of fold, a training exam's probability comes
from a last layer that was fitted without it (the convolutions are the network's own and have seen it: refitting all of
it would cost a training for each fold).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from mrnet_core.domain import InputError
from mrnet_core.training.data import class_weights
from mrnet_core.training.head import STRENGTHS, fit_head
from mrnet_core.training.network import figures
from mrnet_core.training.outcome import Outcome

FOLDS = 5


def out_of_fold(training: Outcome, seed: int) -> NDArray[np.float64]:
    """Probabilities ``(n,)`` of the training exams, each from a last layer that was fitted on the other folds.

    The penalty is the one of the lowest loss over all folds.

    Parameters
    ----------
    training
        A network's outcome on the training exams.
    seed
        Of the folds, the same for every network of a run.

    Raises
    ------
    InputError
        Fewer than two exams of a label: one is needed on either side.
    """
    labels = training.labels.astype(np.int8)
    smallest = int(min(labels.sum(), len(labels) - labels.sum()))
    if smallest < 2:
        raise InputError(
            f"{int(labels.sum())} of {len(labels)} training exams are positive: predictions out of fold need two exams "
            "of each label; train on more exams, or leave the task out with --tasks"
        )
    folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    weights = class_weights(torch.from_numpy(labels.astype(np.float32)))
    parts = list(folds.split(training.features, labels))
    found = []
    for strength in STRENGTHS[::2]:
        logits = np.empty(len(labels))
        for kept, left in parts:
            head = fit_head(training.features[kept], labels[kept], weights, strength)
            logits[left] = head.logits(training.features[left])
        found.append((figures(logits, labels, weights)["loss"], logits))
    best = min(found, key=lambda pair: pair[0])[1]
    return 1 / (1 + np.exp(-best))
