"""The evidence: published numbers, reader studies and validations, their figures, tables and slides.

The one door that the command line and the pages share. An operating point is named by its index on a curve.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pandas as pd

from mrnet_core import paper
from mrnet_core.api.run_evidence import (
    called_synthetic,
    exams_in,
    run_readers,
    run_state,
    run_validation,
    say_synthetic,
    say_tuning,
    scored_split,
)
from mrnet_core.datasets.published import read_published
from mrnet_core.datasets.reads import read_labelled_scores, read_roles, read_study
from mrnet_core.datasets.tables import Source, TableFile
from mrnet_core.domain import InputError, Task
from mrnet_core.evaluation.provenance import Provenance, today
from mrnet_core.evaluation.published import DIFFERS, PublishedEvidence, recompute
from mrnet_core.evaluation.readers import Options, ReaderEvidence, evaluate_readers, published_study
from mrnet_core.evaluation.validation import (
    OperatingView,
    TaskValidation,
    Validation,
    index_at_specificity,
    index_at_threshold,
    nearest_index,
    operating_table,
    operating_view,
    validate_published,
    validate_scores,
)
from mrnet_core.report.evidence_json import (
    published_frames,
    published_json,
    reader_frames,
    readers_json,
    validation_json,
)
from mrnet_core.report.evidence_text import published_text, readers_text, validation_text
from mrnet_core.report.figure_spec import FigureSpec
from mrnet_core.report.figures_paper import printed_row_figure
from mrnet_core.report.figures_readers import (
    crossover_figure,
    difference_figure,
    forest_table2,
    forest_table3,
    kappa_figure,
    mrmc_figure,
    reader_figures,
    slope_figure,
)
from mrnet_core.report.figures_validation import calibration_figure, readers_corner, roc_figure, validation_figures
from mrnet_core.report.matplotlib_figures import figure_file
from mrnet_core.report.plotly_figures import plotly_figure
from mrnet_core.report.slides import slides
from mrnet_core.report.tables import (
    auc_frame,
    auc_words,
    calibration_frame,
    calibration_words,
    comparison_frame,
    comparison_words,
    operating_frame,
    predictive_frame,
    records_frame,
    table_csv,
    threshold_text,
    validation_frames,
)
from mrnet_core.report.tables_readers import (
    averages_frame,
    crossover_frame,
    family_words,
    kappa_frame,
    model_auc_frame,
    mrmc_frame,
    printed_table2,
    printed_table3,
    recomputed_s4,
    recomputed_table2,
    recomputed_table3,
)
from mrnet_core.store import PUBLISHED, write_whole

SLIDES_TITLE = "Reading knee MRI with a network: the evidence"
PAPER_MODEL = "MRNet of the paper"
TEMPLATES = {
    "reads": "reader,role,group,exam,task,assisted,period,order,read,confidence\n"
    "R1,radiologist,1,E001,acl,0,1,1,1,80\nR1,radiologist,1,E001,acl,1,2,3,1,95\n"
    "R2,surgeon,2,E001,acl,1,1,2,1,70\nR2,surgeon,2,E001,acl,0,2,1,,\n",
    "reference": "exam,task,rater1,rater2,rater3,majority\nE001,acl,1,1,0,1\nE002,acl,0,0,0,0\n",
    "model": "exam,task,probability\nE001,acl,0.91\nE002,acl,0.12\n",
    "scores": "exam,task,probability\nE001,abnormal,0.97\nE001,acl,0.91\nE001,meniscus,0.33\n",
    "labels": "exam,task,label\nE001,abnormal,1\nE001,acl,1\nE001,meniscus,0\n",
}
"""Example rows of each table a person can hand in."""


@lru_cache(maxsize=1)
def published() -> PublishedEvidence:
    """The published numbers recomputed; once in a process.

    Raises
    ------
    ArtifactError
        The counts are missing or damaged.
    """
    evidence = recompute(read_published(PUBLISHED))
    return replace(evidence, source=today(f"{paper.CITATION}, Figure 5", PAPER_MODEL, "120 exams, 9 readers"))


@lru_cache(maxsize=1)
def published_validation() -> Validation:
    """The paper's validation set as its Figure 5 shows it."""
    return validate_published(published())


@lru_cache(maxsize=1)
def published_readers() -> ReaderEvidence:
    """The paper's reader study from its counts; what counts cannot give is named in ``absent``."""
    return published_study(published())


def file_validation(
    scores: Source, labels: Source, scores2: Source | None = None, *, level: float = 0.95
) -> Validation:
    """A person's own scores against labels; with ``scores2`` two models on the same exams.

    They are called synthetic where they lie in a RUN folder or a cohort of synthetic knees; where they are a RUN's
    scores of its tuning exams, a note says what those exams chose.

    Raises
    ------
    InputError, DatasetError
        A table breaks its format; the message names file, line and row.
    """
    if not 0.5 <= level < 1:
        raise InputError(f"the confidence level must be from 0.5 to below 1; got {level:g}")
    data = read_labelled_scores(scores, labels, scores2)
    source = today(f"{scores.name}, {labels.name}", scores.name, exams_in(data))
    found = say_synthetic(replace(validate_scores(data, level=level), source=source), labels, scores, scores2)
    return say_tuning(found, labels, scores, scores2)


def file_readers(
    reads: Source, reference: Source, model: Source | None = None, *, options: Options | None = None
) -> ReaderEvidence:
    """A person's own reader study; called synthetic where its tables lie in a RUN folder or cohort of synthetic knees.

    Raises
    ------
    InputError, DatasetError
        A table breaks its format (the message names file, line and row), or no reader has the main role.
    """
    study = read_study(reads, reference, model)
    source = today(
        f"{reads.name}, {reference.name}",
        model.name if model is not None else "",
        f"{len(study.exams)} exams, {len(study.readers)} readers",
    )
    return say_synthetic(replace(evaluate_readers(study, options), source=source), reference, reads, model)


def roles_in(reads: Source) -> tuple[str, ...]:
    """The roles that a table of reads names."""
    return read_roles(reads)


def roles_of(evidence: Validation | ReaderEvidence | PublishedEvidence) -> tuple[str, ...]:
    """The roles of the readers behind some evidence, in order; empty where there are no readers."""
    frame = evidence.per_reader
    return () if frame is None else tuple(dict.fromkeys(frame["role"]))


def tasks_of(evidence: ReaderEvidence) -> tuple[Task, ...]:
    """The tasks that a study's readers answered, in the project's order."""
    answered = set(evidence.per_reader["task"])
    return tuple(task for task in Task if task.value in answered)


def template(name: str) -> bytes:
    """A small table to start from: ``reads``, ``reference``, ``model``, ``scores`` or ``labels``.

    Raises
    ------
    InputError
        No such template.
    """
    if name not in TEMPLATES:
        raise InputError(f"no template {name!r}; there are {', '.join(TEMPLATES)}")
    return TEMPLATES[name].encode("utf-8")


def write_tables(frames: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each table as ``<name>.csv``.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    return _write({f"{name}.csv": table_csv(frame) for name, frame in frames.items()}, folder)


def _write(files: dict[str, bytes], folder: Path) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}; name a folder you may write to") from error
    return [folder / name for name in files]


def published_figures() -> list[FigureSpec]:
    """The paper's figures from its counts: Figure 5, Figure 6, the tables as forests, every reader's change."""
    evidence, validation = published(), published_validation()
    slopes = [slope_figure(evidence, task) for task in Task]
    specs = [
        roc_figure(validation),
        difference_figure(evidence),
        forest_table2(evidence),
        forest_table3(evidence),
        *slopes,
    ]
    return [spec for spec in specs if spec is not None]


def paper_figures() -> list[FigureSpec]:
    """What the page about the paper shows: the misplaced row of Table 2 first, then the paper's figures."""
    return [printed_row_figure(published()), *published_figures()]


def differing_frame(evidence: PublishedEvidence) -> pd.DataFrame:
    """The printed numbers that the counts do not give, as texts."""
    frame = records_frame(evidence)
    frame = frame.loc[frame["status"] == DIFFERS, ["where", "quantity", "printed", "recomputed_text"]]
    return frame.set_axis(["Where", "Quantity", "Printed", "Recomputed"], axis=1)


def reader_view(evidence: ReaderEvidence, task: Task, roles: Sequence[str]) -> dict[str, FigureSpec]:
    """A study's figures by name; readers' changes in one task, of the roles chosen. Absent figures are left out."""
    compared = evidence.table3["mean_difference"].notna().any()
    specs = {
        "difference": difference_figure(evidence) if compared else None,
        "slope": slope_figure(evidence, task, roles=roles) if compared and roles else None,
        "table2": forest_table2(evidence),
        "table3": forest_table3(evidence) if compared else None,
        "kappa": kappa_figure(evidence),
        "mrmc": mrmc_figure(evidence),
        "crossover": crossover_figure(evidence),
    }
    return {name: spec for name, spec in specs.items() if spec is not None}


def write_figures(specs: Sequence[FigureSpec], folder: Path) -> list[Path]:
    """Write each figure as PNG, SVG and PDF, and its numbers as CSV.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    files = {f"{spec.id}.{kind}": figure_file(spec, kind) for spec in specs for kind in ("png", "svg", "pdf")}
    files |= {f"{spec.id}.csv": table_csv(spec.table()) for spec in specs}
    return _write(files, folder)


def write_slides(specs: Sequence[FigureSpec], path: Path) -> Path:
    """Write the figures as a PPTX.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    return _write({path.name: slides(specs, title=SLIDES_TITLE)}, path.parent)[0]


__all__ = [
    "FigureSpec",
    "OperatingView",
    "Options",
    "Provenance",
    "PublishedEvidence",
    "ReaderEvidence",
    "Source",
    "TableFile",
    "TaskValidation",
    "Validation",
    "auc_frame",
    "auc_words",
    "averages_frame",
    "calibration_figure",
    "calibration_frame",
    "calibration_words",
    "called_synthetic",
    "comparison_frame",
    "comparison_words",
    "crossover_figure",
    "crossover_frame",
    "difference_figure",
    "differing_frame",
    "family_words",
    "figure_file",
    "file_readers",
    "file_validation",
    "forest_table2",
    "forest_table3",
    "index_at_specificity",
    "index_at_threshold",
    "kappa_figure",
    "kappa_frame",
    "model_auc_frame",
    "mrmc_figure",
    "mrmc_frame",
    "nearest_index",
    "operating_frame",
    "operating_table",
    "operating_view",
    "paper_figures",
    "plotly_figure",
    "predictive_frame",
    "printed_table2",
    "printed_table3",
    "published",
    "published_figures",
    "published_frames",
    "published_json",
    "published_readers",
    "published_text",
    "published_validation",
    "reader_figures",
    "reader_frames",
    "reader_view",
    "readers_corner",
    "readers_json",
    "readers_text",
    "recomputed_s4",
    "recomputed_table2",
    "recomputed_table3",
    "records_frame",
    "roc_figure",
    "roles_in",
    "roles_of",
    "run_readers",
    "run_state",
    "run_validation",
    "scored_split",
    "slides",
    "slope_figure",
    "table_csv",
    "tasks_of",
    "template",
    "threshold_text",
    "validation_figures",
    "validation_frames",
    "validation_json",
    "validation_text",
    "write_figures",
    "write_slides",
    "write_tables",
]
