"""Correct reads counted: one row a reader, task, condition and metric, whatever they were counted from.

A count table has the columns ``reader, role, task, assisted (0/1), metric, x, n, n_reads_expected``: ``x`` correct of
``n`` reads. Specificity counts exams without the finding, sensitivity exams with it, accuracy both.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core.datasets.published import Counts, PublishedCounts
from mrnet_core.datasets.reads import ReaderStudy
from mrnet_core.domain import Metric, Task
from mrnet_core.stats import ConfusionMatrix, confusion_matrix

COLUMNS = ("reader", "role", "task", "assisted", "metric", "x", "n", "n_reads_expected")


def counts_of_published(published: PublishedCounts) -> pd.DataFrame:
    """Count table of Figure 5. Accuracy divides by all exams of a task, as the paper did with its missing read (C2)."""
    rows = []
    for entry in published.readers:
        model = published.model[entry.task]
        for assisted, counts in enumerate((entry.unassisted, entry.assisted)):
            cells = {
                Metric.SPECIFICITY: (counts.n - counts.fp, counts.n, model.n),
                Metric.SENSITIVITY: (counts.tp, counts.p, model.p),
                Metric.ACCURACY: (counts.tp + counts.n - counts.fp, model.p + model.n, model.p + model.n),
            }
            rows += [
                (entry.reader, entry.role, entry.task.value, assisted, metric.value, *cells[metric])
                for metric in Metric
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def counts_of_study(study: ReaderStudy) -> pd.DataFrame:
    """Count table of case-level reads: a missing read leaves its denominator."""
    rows = []
    for t, task in enumerate(study.tasks):
        for metric in Metric:
            chosen = exams_of(metric, study.truth[t])
            correct = correct_reads(study, t)[:, :, chosen]
            x, n = np.nansum(correct, axis=-1).astype(int), np.isfinite(correct).sum(axis=-1)
            cell = (task.value, metric.value, int(chosen.sum()))
            rows += [
                (reader, study.roles[r], cell[0], assisted, cell[1], int(x[r, assisted]), int(n[r, assisted]), cell[2])
                for r, reader in enumerate(study.readers)
                for assisted in (0, 1)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def missing_as_wrong(study: ReaderStudy) -> ReaderStudy:
    """The same study with every missing read counted as the wrong answer.

    A reader who read nothing of a task in a condition did not take part in it: those stay missing.
    """
    truth = np.broadcast_to(study.truth[None, :, None], study.reads.shape)
    took_part = np.isfinite(study.reads).any(axis=-1, keepdims=True)
    gaps = np.isnan(study.reads) & np.isfinite(truth) & took_part
    return replace(study, reads=np.where(gaps, 1 - truth, study.reads))


def exams_of(metric: Metric, truth: NDArray) -> NDArray[np.bool_]:
    """Which exams of ``truth`` (0/1, NaN unknown) a metric counts."""
    if metric == Metric.SPECIFICITY:
        return truth == 0
    return truth == 1 if metric == Metric.SENSITIVITY else np.isfinite(truth)


def correct_reads(study: ReaderStudy, task: int) -> NDArray[np.float64]:
    """``(R, 2, E)``: 1 where the read agrees with the reference, 0 where not, NaN where there is no read."""
    reads, truth = study.reads[:, task], study.truth[task]
    return np.where(np.isfinite(reads) & np.isfinite(truth), (reads == truth).astype(float), np.nan)


def matrix_of(counts: Counts) -> ConfusionMatrix:
    """Confusion matrix of published counts."""
    return ConfusionMatrix(tp=counts.tp, fp=counts.fp, fn=counts.p - counts.tp, tn=counts.n - counts.fp)


def model_matrices(study: ReaderStudy, threshold: float) -> dict[Task, ConfusionMatrix]:
    """The model's calls at ``threshold`` against the reference; tasks without probabilities are absent."""
    matrices: dict[Task, ConfusionMatrix] = {}
    if study.model is None:
        return matrices
    for t, task in enumerate(study.tasks):
        known = np.isfinite(study.truth[t]) & np.isfinite(study.model[t])
        if known.any():
            called = (study.model[t][known] >= threshold).astype(int)
            matrices[task] = confusion_matrix(study.truth[t][known].astype(int), called)
    return matrices


def roles_of(counts: pd.DataFrame, main_role: str) -> tuple[str, ...]:
    """The roles of a count table, ``main_role`` first."""
    words = list(dict.fromkeys(counts["role"]))
    return (main_role, *(word for word in words if word != main_role))


def readers_of(counts: pd.DataFrame, role: str | None) -> pd.DataFrame:
    """Rows of the readers of a role; None: all readers."""
    return counts if role is None else counts[counts["role"] == role]


def tasks_of(counts: pd.DataFrame) -> tuple[Task, ...]:
    """Tasks of a count table, in the project's order."""
    present = set(counts["task"])
    return tuple(task for task in Task if task.value in present)


def select(counts: pd.DataFrame, task: Task, metric: Metric, assisted: int) -> pd.DataFrame:
    """Rows of one cell of the study, indexed by reader."""
    rows = (counts["task"] == task.value) & (counts["metric"] == metric.value) & (counts["assisted"] == assisted)
    return counts[rows].set_index("reader")


Matrices = Mapping[Task, ConfusionMatrix]
