"""The evidence in a RUN folder: held-out exams, a reader study; and whether a person's tables are synthetic."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from mrnet_core.config import CONFIG, TrainConfig, tuning_words
from mrnet_core.datasets.reads import LabelledScores, read_labelled_scores, read_study
from mrnet_core.datasets.synthetic import has_cohort_columns, says_synthetic
from mrnet_core.datasets.tables import Source
from mrnet_core.domain import ArtifactError, InputError, Split, Task
from mrnet_core.evaluation.provenance import Provenance, today
from mrnet_core.evaluation.readers import ReaderEvidence, evaluate_readers
from mrnet_core.evaluation.validation import Validation, validate_scores
from mrnet_core.store import MANIFEST, Run, resolve_run

SHORTCUT = "scores/shortcut.json"
SHORTCUT_MEASURED_ON = ("scores/validation_labels.csv", "readers/reference.csv")
"""Tables of a RUN whose exams are those that its shortcut was measured on."""
OTHER_EXAMS = "The shortcut's AUC was measured on the RUN's validation exams, not on the exams of these tables."
SCORED = {
    split: tuple(f"scores/{split}_{kind}.csv" for kind in ("scores", "labels"))
    for split in (Split.VALIDATION, Split.TUNING)
}
"""Tables of a RUN: its ensemble's scores and the labels, of the exams that were kept apart and of the tuning exams."""

Evidence = TypeVar("Evidence", Validation, ReaderEvidence)


def run_validation(model: str | None = None) -> Validation:
    """A model's own held-out exams: the scores and labels in its RUN folder (None: $MRNET_MODEL, else the demo model).

    A RUN whose data had no validation set, as MRNet-v1.0 has none, shows its tuning exams, and a note says so.

    Raises
    ------
    InputError, ArtifactError
        No RUN folder, or one without scores.
    """
    run = Run.open(resolve_run(model))
    split = scored_split(run) or Split.VALIDATION
    scores, labels = (_run_table(run, name) for name in SCORED[split])
    data = read_labelled_scores(scores, labels)
    source = _run_source(run, exams_in(data), "tuning" if split is Split.TUNING else "held-out")
    return say_tuning(replace(validate_scores(data), source=source, **_synthetic(run)), labels, scores)


def scored_split(run: Run) -> Split | None:
    """Whose scores a RUN is judged by: its validation exams', else its tuning exams'; None where it brings neither."""
    return next((split for split, (scores, _) in SCORED.items() if run.has(scores)), None)


def run_readers(model: str | None = None) -> ReaderEvidence:
    """The reader study that ships with a RUN folder (the demo model's is simulated).

    Raises
    ------
    InputError, ArtifactError
        No RUN folder, or one without a reader study.
    """
    run = Run.open(resolve_run(model))
    tables = [_run_table(run, f"readers/{name}.csv") for name in ("reads", "reference", "model")]
    study = read_study(*tables)
    source = _run_source(run, f"{len(study.exams)} exams, {len(study.readers)} simulated readers")
    return replace(evaluate_readers(study), source=source, **_synthetic(run))


def run_state(model: str | None = None) -> tuple[str, int]:
    """The RUN folder in force and when its manifest last changed (ns): what a cache of its evidence goes by.

    Raises
    ------
    InputError, ArtifactError
        No RUN folder.
    """
    folder = resolve_run(model)
    return str(folder), (folder / MANIFEST).stat().st_mtime_ns


def say_synthetic(found: Evidence, truth: Source, *others: Source | None) -> Evidence:
    """The same evidence, called synthetic where a table behind it is of synthetic knees.

    It is where it lies in a RUN folder of synthetic knees or in a cohort that ``phantom`` made, and where its columns
    are those of a cohort's ``exams.csv``.

    Parameters
    ----------
    found
        What the tables gave, with their names as its source.
    truth
        The table of labels: it tells whether the RUN's shortcut was measured on these exams.
    *others
        Scores and reads; None is passed over. An uploaded file lies nowhere, only its columns can tell.

    Raises
    ------
    ArtifactError
        The RUN's shortcut is damaged.
    """
    tables = [table for table in (truth, *others) if table is not None]
    runs = (run for table in tables for run in _runs_above(table))
    run = next((run for run in runs if run.manifest.get("synthetic")), None)
    if run is None:
        if not any(_of_a_cohort(table) for table in tables):
            return found
        source = replace(found.source, source=f"exams of a synthetic cohort: {found.source.source}")
        return replace(found, source=source, synthetic=True)
    kind, notes = _synthetic(run), found.notes
    if kind["shortcut"] and not _is_one_of(run, truth, SHORTCUT_MEASURED_ON):
        notes = (*notes, OTHER_EXAMS)
    source = replace(found.source, source=f"{_exams_of(run)}: {found.source.source}")
    return replace(found, source=source, notes=notes, **kind)


def say_tuning(found: Validation, *tables: Source | None) -> Validation:
    """The same validation with a note, first of all, where a RUN's own table of its tuning exams is behind it.

    The note says what these exams chose in that RUN. An uploaded file lies nowhere, so it is not recognised.

    Raises
    ------
    ArtifactError
        The RUN's configuration is damaged.
    """
    placed = [(table, run) for table in tables if table is not None for run in _runs_above(table)]
    run = next((run for table, run in placed if _is_one_of(run, table, SCORED[Split.TUNING])), None)
    if run is None:
        return found
    config = TrainConfig.from_json(run.text(CONFIG)) if run.has(CONFIG) else None
    return replace(found, notes=(tuning_words(config), *found.notes))


def called_synthetic(evidence: Validation | ReaderEvidence, frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of some evidence for files of their own: of synthetic knees, each has a column that says so."""
    return {name: frame.assign(synthetic=True) for name, frame in frames.items()} if evidence.synthetic else frames


def exams_in(data: LabelledScores) -> str:
    """How many exams a score table has, in words."""
    counts = {len(exams) for exams in data.exams.values()}
    return f"{min(counts)} exams" if len(counts) == 1 else f"{min(counts)} to {max(counts)} exams a task"


def _of_a_cohort(table: Source) -> bool:
    """Whether a table lies in a cohort of synthetic knees, or has the columns of one's ``exams.csv``."""
    above = table.resolve().parents if isinstance(table, Path) else ()
    return has_cohort_columns(table) or any(says_synthetic(folder) for folder in above)


def _runs_above(table: Source) -> Iterator[Run]:
    """The RUN folders that a table lies in, the nearest first; a manifest of something else is passed over."""
    for folder in table.resolve().parents if isinstance(table, Path) else ():
        if (folder / MANIFEST).is_file():
            try:
                yield Run.open(folder, model=False)
            except ArtifactError:
                continue  # many programs write a manifest.json


def _is_one_of(run: Run, table: Source, names: Iterable[str]) -> bool:
    return isinstance(table, Path) and table.resolve() in {run.folder / name for name in names}


def _run_table(run: Run, name: str) -> Source:
    if not run.has(name):
        what = "reader study" if name.startswith("readers") else "scores of held-out exams"
        raise InputError(f"the model {run.manifest.get('name', run.folder.name)} has no {what} ({name} is missing)")
    return run.path(name)


def _run_source(run: Run, n: str, which: str = "held-out") -> Provenance:
    name, trained_on = (run.manifest.get(key, "") for key in ("name", "trained_on"))
    return today(_exams_of(run, which), f"{name}, trained on {trained_on}" if trained_on else name, n)


def _exams_of(run: Run, which: str = "held-out") -> str:
    if run.manifest.get("synthetic"):
        which = "synthetic tuning" if which == "tuning" else "synthetic"
    return f"{which} exams of {run.manifest.get('name', '')}"


def _synthetic(run: Run) -> dict:
    """Whether the RUN knows synthetic knees only, and what effusion and contusion alone tell there."""
    shortcut = {}
    if run.has(SHORTCUT):
        rows = run.json(SHORTCUT)["tasks"]
        shortcut = {Task(row["task"]): float(row["auc"]) for row in rows if row["auc"] is not None}
    return {"synthetic": bool(run.manifest.get("synthetic")), "shortcut": shortcut}
