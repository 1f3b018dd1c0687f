"""Training-set predictions for the regressions: the paper's own, and the honest alternative.

The paper fits its regressions on what the networks say of the exams they were trained on. Those probabilities are too
sure, and a plane whose network overfits more looks better than it is. Out of fold, a training exam's probability comes
from a last layer that was fitted without it (the convolutions are the network's own and have seen it: refitting all of
it would cost a training for each fold). All exams of a patient, where patients are known, are left out together: the
other exam of the same knee would tell the last layer what to say.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mrnet_core.datasets.patients import NO_PATIENTS
from mrnet_core.domain import InputError, Plane, Split, Task
from mrnet_core.models import NetworkCard
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
    parts = folds(training, seed)
    weights = class_weights(torch.from_numpy(labels.astype(np.float32)))
    found = []
    for strength in STRENGTHS[::2]:
        logits = np.empty(len(labels))
        for kept, left in parts:
            head = fit_head(training.features[kept], labels[kept], weights, strength)
            logits[left] = head.logits(training.features[left])
        found.append((figures(logits, labels, weights)["loss"], logits))
    best = min(found, key=lambda pair: pair[0])[1]
    return 1 / (1 + np.exp(-best))


def folds(training: Outcome, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Exams to fit on and exams left out, by their places: stratified, and all exams of a patient on one side.

    Where too few patients have a label to keep them whole, exams are divided as if each were a patient of its own;
    ``fold_words`` says so.

    Raises
    ------
    InputError
        Fewer than two exams of a label.
    """
    labels, groups = training.labels.astype(np.int8), training.groups
    smallest = int(min(labels.sum(), len(labels) - labels.sum()))
    if smallest < 2:
        raise InputError(
            f"{int(labels.sum())} of {len(labels)} training exams are positive: predictions out of fold need two exams "
            "of each label; train on more exams, or leave the task out with --tasks"
        )
    if groups is not None and len(np.unique(groups)) < len(groups):
        patients = min(len(np.unique(groups[labels == label])) for label in (0, 1))
        for count in range(min(FOLDS, patients), 1, -1):
            by_patient = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
            parts = list(by_patient.split(training.features, labels, groups))
            if all(len(left) and len(np.unique(labels[kept])) == 2 for kept, left in parts):
                return parts
    by_exam = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    return list(by_exam.split(training.features, labels))


def fold_words(
    outcomes: Mapping[tuple[Plane, Task], Mapping[Split, Outcome]],
    cards: Mapping[tuple[Plane, Task], NetworkCard],
    seed: int,
) -> list[str]:
    """What must be said where exams of one patient lie, or may lie, on both sides of a fold; one plane has no folds."""
    if len({plane for plane, _ in outcomes}) < 2:
        return []
    training = {key: by_split[Split.TRAIN] for key, by_split in outcomes.items()}
    words = []
    if any(one.groups is None and NO_PATIENTS not in cards[key].departures for key, one in training.items()):
        words.append(
            "Predictions out of fold: this run was trained before runs kept which exams are of one patient, so the "
            "exams of a patient may lie on both sides of a fold."
        )
    torn = [task for task in Task if any(_torn(one, seed) for key, one in training.items() if key[1] is task)]
    if torn:
        words.append(
            f"Predictions out of fold of {', '.join(torn)}: exams of a patient lie on both sides of a fold, because "
            "too few patients are positive, or negative, to keep each on one side."
        )
    return words


def _torn(training: Outcome, seed: int) -> bool:
    groups = training.groups
    return groups is not None and any(np.isin(groups[left], groups[kept]).any() for kept, left in folds(training, seed))
