"""The exams below a folder: which folder is one exam, and which holds several, by the rules that reading an exam has.

A zip is an exam. A folder is one exam where all MR images below it are of one study of one patient: the highest such
folder. It is one too where it holds MR images, npy series or a DICOMDIR directly, or series folders of which some share
a study: reading then takes the newest whole study and names the others. Any other folder is looked into. A folder of
nothing readable is an exam whose row says what is wrong, unless all it holds are tables and masks, as a phantom
cohort's.
"""

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mrnet_core.datasets.npy_exam import plane_of_name
from mrnet_core.dicom import StudyKey, study_of
from mrnet_core.dicom.archive import is_noise
from mrnet_core.domain import InputError, Plane

ZIP, NPY = ".zip", ".npy"
NO_EXAM_FILES = frozenset((".csv", ".json", ".jsonl", ".md", ".npz", ".png", ".txt"))
DICOMDIR = "dicomdir"
"""The name that the standard gives it (PS3.10, 8.6), in any case."""


@dataclass
class _Below:
    """What lies in and below a folder. ``exams``: the folder itself, or those that it holds, ``zips`` among them."""

    studies: set[StudyKey] = field(default_factory=set)
    planes: Counter[Plane] = field(default_factory=Counter)
    zips: list[Path] = field(default_factory=list)
    tables: bool = False
    others: bool = False
    deep: bool = False
    exams: list[Path] = field(default_factory=list)

    def add(self, other: "_Below") -> None:
        """Take in what lies below a subfolder."""
        self.studies |= other.studies
        self.planes += other.planes
        self.zips += other.zips
        self.tables |= other.tables
        self.others |= other.others
        self.exams += other.exams

    @property
    def one(self) -> bool:
        """At most one exam's worth of series: one study, or npy series of different planes."""
        return len(self.studies) + bool(self.planes) <= 1 and max(self.planes.values(), default=0) <= 1

    @property
    def one_patient(self) -> bool:
        """The images of all studies are of one patient."""
        return len({key.patient for key in self.studies}) == 1


def find_exams(folder: Path) -> dict[str, Path]:
    """Every exam below ``folder``, by its path from there (``patient/exam``), in the order of the paths.

    A path that is no UTF-8, as old disks hold them, is named with its odd bytes written out (``M\\xfcller``).

    Raises
    ------
    InputError
        No such folder, no exam in it, or it is one exam itself, with a folder for each series.
    InstallationError
        The process that looks into DICOM files does not start.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: name the folder below which each exam is a folder or a zip")
    files, folders = _entries(folder)
    salt = secrets.token_hex(16)
    exams = [path for path in files if _kind(path) == ZIP]
    if not exams and _is_one_exam(folder, folders, salt):
        raise InputError(
            f"{folder} is one exam, with a folder for each series: name the folder that holds exams (for a single one "
            "use `predict`)"
        )
    for child in folders:
        exams += _look(child, salt, top=True).exams
    if not exams:
        raise InputError(
            f"{folder} holds no exam: each exam is a folder or a zip below it (for a single one use `predict`)"
        )
    return {_name(path.relative_to(folder)): path for path in sorted(exams)}


def _name(path: Path) -> str:
    """A path in words that every table can hold: a byte that is no UTF-8 would end the run where its row is written."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _is_one_exam(folder: Path, folders: Sequence[Path], salt: str) -> bool:
    """Whether the flat folders in a folder are the series of one exam.

    Flat exams beside each other show in the first two that they are of two studies, so two files tell, however many
    exams there are; only where those share a study is a file of every folder opened.
    """
    if any(child.is_symlink() for child in folders):
        return False  # a folder of links was put together by hand, of exams
    flat = (_images(files) for files, deeper in map(_entries, folders) if not deeper)
    first = list(islice((study for images in flat if (study := study_of(images, salt))), 2))
    return len(first) == 2 and first[0] == first[1] and _look(folder, salt).exams == [folder]


def _look(folder: Path, salt: str, *, top: bool = False) -> _Below:
    """What lies in and below a folder. ``top``: no other folder may share its exam."""
    files, folders = _entries(folder)
    folders = [child for child in folders if not child.is_symlink()]  # as reading does: no way leads round in a circle
    below = [_look(child, salt) for child in folders]
    zips = [path for path in files if _kind(path) == ZIP]
    found = _Below(zips=zips, exams=list(zips), deep=bool(folders))
    for one in below:
        found.add(one)
    shared = sum(len(one.studies) for one in below) > len(found.studies)
    series_folders = shared and found.one_patient and not any(one.deep for one in below)
    planes = [plane for path in files if (plane := plane_of_name(path.name))]
    found.planes.update(planes)
    found.tables |= any(_kind(path) in NO_EXAM_FILES for path in files)
    found.others |= any(_kind(path) not in (ZIP, *NO_EXAM_FILES) for path in files)
    # Most exams lie flat, each in a folder of its own: there is nothing to tell them from, and no need to open a file.
    flat = top and not folders and not zips
    study = None if flat else study_of(_images(files), salt)
    if study is not None:
        found.studies.add(study)
    if study or planes or series_folders or any(path.name.casefold() == DICOMDIR for path in files):
        found.exams, found.zips = [folder], []
    elif found.one and (found.studies or found.planes):
        found.exams = [folder, *found.zips]
    elif found.one:
        is_bad_exam = not found.zips and (found.others or not found.tables)
        found.exams = [folder] if is_bad_exam else list(found.zips)
    return found


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _images(files: Sequence[Path]) -> Iterator[Path]:
    """The files that may be DICOM: those of no other kind by name."""
    return (path for path in files if _kind(path) not in (ZIP, NPY, *NO_EXAM_FILES))


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders directly in a folder, in the order of their names; none where it may not be read."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not is_noise(entry.name))
    except OSError:
        return [], []
    return [entry for entry in entries if entry.is_file()], [entry for entry in entries if entry.is_dir()]
