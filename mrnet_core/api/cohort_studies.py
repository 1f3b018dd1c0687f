"""What a cohort on disk tells beside its pixels: the simulated reader study, and what company gives away."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mrnet_core.domain import DatasetError, Split, Task
from mrnet_core.phantom.layout import write_table
from mrnet_core.phantom.readers import (
    MODEL_COLUMNS,
    READS_COLUMNS,
    REFERENCE_COLUMNS,
    ReaderCase,
    case_of,
    simulate_reader_study,
)

SHORTCUT_FLAGS = ("effusion", "contusion")
"""Findings that keep a tear company."""


def read_cases(cohort: Path, split: Split = Split.VALIDATION) -> tuple[ReaderCase, ...]:
    """The exams of a split as readers see them, in the order of exams.csv.

    Raises
    ------
    DatasetError
        ``exams.csv`` or ``lesions.jsonl`` is missing, or they disagree.
    """
    rows, lesions = _tables(cohort)
    return tuple(case_of(row, lesions[row["exam"]]) for row in rows if row["split"] == split.value)


def write_reader_study(cohort: Path, probabilities: Mapping[tuple[str, Task], float], out: Path, seed: int = 0) -> None:
    """Simulate the nine experts on the validation exams; writes ``reads.csv``, ``reference.csv``, ``model.csv``.

    Parameters
    ----------
    cohort
        Folder of a phantom cohort.
    probabilities
        The model's, by exam and task, of every validation exam.
    out
        Folder to write to (RUN/readers).
    seed
        Of the readers; the specialists' reference is the cohort's own where it has one.
    """
    study = simulate_reader_study(read_cases(cohort), probabilities, seed)
    reference = study.reference
    if (cohort / "reference.csv").exists():
        with (cohort / "reference.csv").open(newline="", encoding="utf-8") as file:
            reference = tuple(csv.DictReader(file))
    write_table(study.reads, out / "reads.csv", READS_COLUMNS)
    write_table(reference, out / "reference.csv", REFERENCE_COLUMNS)
    write_table(study.model, out / "model.csv", MODEL_COLUMNS)


def shortcut(cohort: Path) -> dict:
    """What effusion and contusion alone tell about each task: the AUC that a network must beat, rather than 0.5.

    A logistic regression on the two flags (present or not, by the truth) is fitted to the training exams' true labels
    and ranked on the validation exams.

    Returns
    -------
    ``{"flags", "fitted_on", "tested_on", "tasks": [{"task", "auc", "n_pos", "n_neg", "note"}], "note"}``; ``auc`` is
    null where one class is absent, with the reason in ``note``.
    """
    rows, lesions = _tables(cohort)
    parts = {split: [row for row in rows if row["split"] == split.value] for split in (Split.TRAIN, Split.VALIDATION)}
    flags = {split: _flags(part, lesions) for split, part in parts.items()}
    tasks = []
    for task in Task:
        train, test = (np.array([int(row[task.value]) for row in part]) for part in parts.values())
        auc, note = None, ""
        if len(set(train)) < 2 or len(set(test)) < 2:
            note = "one class is absent in the training or the validation exams"
        else:
            model = LogisticRegression().fit(flags[Split.TRAIN], train)
            auc = float(roc_auc_score(test, model.decision_function(flags[Split.VALIDATION])))
            if task is Task.ABNORMAL:
                note = "either flag makes an exam abnormal by definition"
        positives = int(test.sum())
        tasks.append({"task": task.value, "auc": auc, "n_pos": positives, "n_neg": len(test) - positives, "note": note})
    return {
        "flags": list(SHORTCUT_FLAGS),
        "fitted_on": len(parts[Split.TRAIN]),
        "tested_on": len(parts[Split.VALIDATION]),
        "tasks": tasks,
        "note": "Synthetic cohort: logistic regression on whether an exam has an effusion and a contusion.",
    }


def _flags(rows: list[dict[str, str]], lesions: Mapping[str, Mapping]) -> NDArray[np.float64]:
    types = [{lesion["type"] for lesion in lesions[row["exam"]]["lesions"]} for row in rows]
    return np.array([[float(flag in found) for flag in SHORTCUT_FLAGS] for found in types])


def _tables(cohort: Path) -> tuple[list[dict[str, str]], dict[str, dict]]:
    for name in ("exams.csv", "lesions.jsonl"):
        if not (cohort / name).exists():
            raise DatasetError(f"{cohort} has no {name}: name a finished cohort of `phantom`")
    with (cohort / "exams.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    records = [json.loads(line) for line in (cohort / "lesions.jsonl").read_text(encoding="utf-8").splitlines()]
    lesions = {record["exam"]: record for record in records}
    missing = next((row["exam"] for row in rows if row["exam"] not in lesions), None)
    if missing is not None:
        raise DatasetError(f"{cohort}: exam {missing} of exams.csv has no line in lesions.jsonl; make the cohort again")
    return rows, lesions
