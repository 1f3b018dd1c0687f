"""How a folder or a table of synthetic knees is told from any other: by what ``phantom`` alone writes."""

import json
from pathlib import Path

from mrnet_core.datasets.tables import Source, columns_of
from mrnet_core.domain import Task

COHORT = "cohort.json"
"""File of a folder of synthetic exams that says so, and how they were made."""
EXAMS = "exams.csv"
"""Table of a cohort's exams; a person's own folder may hold one of that name."""
COHORT_COLUMNS = frozenset({"lesions", *(f"report_{task}" for task in Task)})
"""Columns that only a synthetic cohort's ``exams.csv`` has together."""


def is_synthetic_folder(folder: Path) -> bool:
    """True for a phantom cohort: its ``cohort.json`` says so, or its ``exams.csv`` has a cohort's columns."""
    table = Path(folder) / EXAMS
    return says_synthetic(folder) or (table.is_file() and has_cohort_columns(table))


def says_synthetic(folder: Path) -> bool:
    """True where the folder's ``cohort.json`` says that its exams are synthetic; some other program's does not."""
    try:
        return json.loads((Path(folder) / COHORT).read_text(encoding="utf-8")).get("synthetic") is True
    except (OSError, ValueError, AttributeError):
        return False


def has_cohort_columns(table: Source) -> bool:
    """True where a table has the columns that a cohort's ``exams.csv`` alone has together.

    Raises
    ------
    InputError
        No such file.
    """
    return set(columns_of(table)) >= COHORT_COLUMNS
