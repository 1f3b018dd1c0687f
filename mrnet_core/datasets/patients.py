"""Whose exams they are: the patients of a data folder, where an ``exams.csv`` beside its label tables names them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrnet_core.datasets.synthetic import EXAMS
from mrnet_core.datasets.tables import MISSING, columns_of, read_table
from mrnet_core.domain import DatasetError, InputError, Split

UNCHECKED = "that no patient is in two sets cannot be checked"
NO_PATIENTS = f"The data folder names no patients (MRNet-v1.0 carries no ids of them): {UNCHECKED}."
"""What is said of every model of such data."""
UNKNOWN_PATIENT = (*MISSING, "n/a", "#N/A", "null", "NULL", "None")
"""Cells of a patient who is not known: what programs write for nothing."""
SHOWN = 5
"""How many patients a message names."""


def read_patients(root: Path, width: int) -> dict[str, str]:
    """Patient by exam, for the exams whose patient is known; none where the folder has no such table.

    The table is read as ``split`` reads one: also with semicolons or tabs, in any case and with white space around a
    cell; a patient who is not known is an empty cell, ``NA`` and the like.

    Parameters
    ----------
    root
        Data folder; ``exams.csv`` with the columns ``exam`` and ``patient``, as ``split --into`` and ``phantom`` write.
    width
        Digits that exam ids are filled up to.

    Raises
    ------
    DatasetError
        The table cannot be read, a row has more or fewer cells than the header or no exam, or one exam has two
        patients.
    """
    path = root / EXAMS
    if not path.is_file():
        return {}
    try:
        columns = columns_of(path)
        # Another table of that name is left alone; what has no printable header is no text table, and refused below.
        if columns and "".join(columns).isprintable() and not {"exam", "patient"} <= set(columns):
            return {}
        table = read_table(path, ("exam", "patient"))
        exams = table.words("exam")
    except InputError as error:
        raise DatasetError(f"{path} cannot be read as a CSV table of exams and patients: {error}") from error
    patients: dict[str, str] = {}
    for exam, patient in zip(exams, table.cells["patient"], strict=True):
        name = exam.zfill(width)
        if patient not in UNKNOWN_PATIENT and patients.setdefault(name, patient) != patient:
            raise DatasetError(f"{path} names two patients of exam {name}: {patients[name]} and {patient}")
    return patients


def patients_in_two_splits(exams: Mapping[Split, Sequence[str]], patients: Mapping[str, str]) -> list[str]:
    """A sentence where a patient has exams in several splits; none where none has."""
    splits_of: dict[str, dict[str, str]] = defaultdict(dict)
    for split, ids in exams.items():
        for exam in ids:
            if exam in patients:
                splits_of[patients[exam]].setdefault(split.folder, exam)
    twice = [
        f"{patient} ({', '.join(f'{exam} in {folder}' for folder, exam in found.items())})"
        for patient, found in sorted(splits_of.items())
        if len(found) > 1
    ]
    if not twice:
        return []
    more = f" and {len(twice) - SHOWN} more" if len(twice) > SHOWN else ""
    return [f"patients have exams in two splits: {', '.join(twice[:SHOWN])}{more}; keep each patient in one only"]


def groups_of(exams: Sequence[str], patients: Mapping[str, str]) -> NDArray[np.int64]:
    """A number for each exam, the same for exams of one patient; an exam without one is a patient of its own."""
    words = [f"patient {patients[exam]}" if exam in patients else f"exam {exam}" for exam in exams]
    return np.unique(words, return_inverse=True)[1]


def patient_words(exams: Mapping[Split, Sequence[str]], patients: Mapping[str, str]) -> str:
    """What must be said of a model of these exams; empty where every patient is known."""
    unknown = sum(exam not in patients for ids in exams.values() for exam in ids)
    if not unknown:
        return ""
    if not patients:
        return NO_PATIENTS
    return f"Of {unknown} exams the data folder names no patient: {UNCHECKED} for them."
