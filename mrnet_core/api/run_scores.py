"""What a run's networks and ensembles say of every exam, as score tables, and how well that ranks them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Split, Task
from mrnet_core.ensemble import Ensemble
from mrnet_core.store import write_whole
from mrnet_core.training.outcome import Outcome


def combine(
    outcomes: Mapping[tuple[Plane, Task], Mapping[Split, Outcome]], fitted: Ensemble | None, split: Split, task: Task
) -> NDArray[np.float64]:
    """The ensemble's probabilities ``(n,)`` of a split: the regression over every plane, or the one network's own."""
    planes = [plane for plane in Plane if (plane, task) in outcomes]
    columns = {plane: outcomes[plane, task][split].probabilities for plane in planes}
    if len(planes) == 1 or fitted is None:
        return columns[planes[0]]
    return np.asarray(fitted.combine(task, columns), np.float64)


def write_scores(
    run: Path,
    outcomes: Mapping[tuple[Plane, Task], Mapping[Split, Outcome]],
    fitted: Ensemble | None,
    config: TrainConfig,
) -> None:
    """``scores/networks.csv`` of every split, and the ensemble's scores and labels of tuning and validation."""
    rows = [
        (split.value, exam, plane.value, task.value, repr(float(probability)))
        for (plane, task), by_split in outcomes.items()
        for split, outcome in by_split.items()
        for exam, probability in zip(outcome.exams, outcome.probabilities, strict=True)
    ]
    _table(run / "scores" / "networks.csv", ("split", "exam", "plane", "task", "probability"), rows)
    for split in (Split.TUNING, Split.VALIDATION):
        scores, labels = [], []
        for task in config.tasks:
            if split not in outcomes[config.planes[0], task]:
                continue
            first = outcomes[config.planes[0], task][split]
            for exam, label, value in zip(
                first.exams, first.labels, combine(outcomes, fitted, split, task), strict=True
            ):
                scores.append((exam, task.value, repr(float(value))))
                labels.append((exam, task.value, int(label)))
        if scores:
            _table(run / "scores" / f"{split}_scores.csv", ("exam", "task", "probability"), scores)
            _table(run / "scores" / f"{split}_labels.csv", ("exam", "task", "label"), labels)


def auc_records(outcomes: Mapping, fitted: Mapping[str, Ensemble], config: TrainConfig) -> Iterator[dict]:
    """AUC records of every network and of both ensembles, on tuning and validation exams."""
    for split in (Split.TUNING, Split.VALIDATION):
        for task in config.tasks:
            for plane in config.planes:
                if split in outcomes[plane, task]:
                    outcome = outcomes[plane, task][split]
                    yield _auc(split, task, plane.value, outcome.labels, outcome.logits)
            for source, one in fitted.items():
                if split in outcomes[config.planes[0], task]:
                    labels = outcomes[config.planes[0], task][split].labels
                    yield _auc(split, task, f"ensemble, {source}", labels, combine(outcomes, one, split, task))


def _auc(split: Split, task: Task, who: str, labels: NDArray, scores: NDArray) -> dict:
    positive = int(labels.sum())
    value = float(roc_auc_score(labels, scores)) if 0 < positive < len(labels) else None
    return {
        "split": split.value,
        "task": task.value,
        "model": who,
        "auc": value,
        "n_pos": positive,
        "n_neg": len(labels) - positive,
        "logit_sd": float(np.std(scores)) if who in tuple(Plane) else None,
    }


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, text.getvalue())
