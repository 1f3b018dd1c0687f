"""The counts behind the published numbers, as they lie in ``artifacts/published`` (its README names their source)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mrnet_core.domain import ArtifactError, Task

ROLES = {"rad": "radiologist", "surg": "surgeon"}
"""Words of the source for general radiologists and orthopedic surgeons."""


@dataclass(frozen=True)
class Counts:
    """Reads of one reader, or calls of the model: true positives of ``p`` positive exams, false positives of ``n``."""

    tp: int
    p: int
    fp: int
    n: int

    def __post_init__(self) -> None:
        if not (0 <= self.tp <= self.p and 0 <= self.fp <= self.n):
            raise ArtifactError(f"counts must lie within their denominators; got {self}")


@dataclass(frozen=True)
class PublishedReader:
    """One dashed line of Figure 5. ``reader`` numbers the lines of a task; readers are not linked across tasks."""

    task: Task
    reader: str
    role: str
    unassisted: Counts
    assisted: Counts


@dataclass(frozen=True)
class PublishedCounts:
    """Everything that can be counted in the paper.

    ``positives_above[task][k]``: how many positive exams score above the k-th highest-scoring negative exam.
    """

    readers: tuple[PublishedReader, ...]
    model: Mapping[Task, Counts]
    positives_above: Mapping[Task, tuple[int, ...]]


def read_published(folder: Path) -> PublishedCounts:
    """Read and check ``reader_counts.csv``, ``model_counts.csv`` and ``model_roc.csv`` of ``folder``.

    Raises
    ------
    ArtifactError
        A file is missing, or its SHA-256 is not the manifest's.
    """
    try:
        hashes = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        for name, expected in hashes.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ArtifactError(f"{folder / name} is damaged: its SHA-256 is not the manifest's; fetch it anew")
        reads, model, roc = (
            pd.read_csv(folder / name) for name in ("reader_counts.csv", "model_counts.csv", "model_roc.csv")
        )
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(f"the published counts in {folder} cannot be read ({error}); fetch them anew") from error
    readers = []
    for task, rows in reads.groupby("task", sort=False):
        for number, row in enumerate(rows.to_dict("records"), start=1):
            conditions = [
                Counts(row[f"TP_{word}"], row[f"P_{word}"], row[f"FP_{word}"], row[f"N_{word}"])
                for word in ("unassisted", "assisted")
            ]
            readers.append(PublishedReader(Task(task), str(number), ROLES[row["group"]], *conditions))
    return PublishedCounts(
        readers=tuple(readers),
        model={Task(row["task"]): Counts(row["TP"], row["P"], row["FP"], row["N"]) for row in model.to_dict("records")},
        positives_above={
            Task(task): tuple(int(count) for count in rows["positives_ranked_above_next_negative"])
            for task, rows in roc.groupby("task", sort=False)
        },
    )
