"""The MRNet-v1.0 folder, as Stanford hands it out and as ``phantom --mrnet`` writes it.

``ROOT/{train,valid,test}/{sagittal,coronal,axial}/NNNN.npy`` (uint8 ``(s, 256, 256)``, intensities standardised) and
``ROOT/{train,valid,test}-{abnormal,acl,meniscus}.csv`` (no header, ``NNNN,label``; CRLF and a missing final newline are
met in some copies). ``valid`` is the paper's *tuning* set: a figure from it is a tuning figure. ``test`` exists in
phantom cohorts only. MRNet-v1.0 carries no patient ids; ``exams.csv`` may (``patients``).
"""

import hashlib
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mrnet_core.datasets.patients import patients_in_two_splits, read_patients
from mrnet_core.datasets.synthetic import is_synthetic_folder
from mrnet_core.domain import MODEL_SIZE, DatasetError, Plane, Split, Task

ID_WIDTH = 4
"""Digits of an exam id; tables that lost the leading zeros are read all the same."""
SHOWN = 5
"""How many problems of one kind a message names."""
FEWEST_SLICES, MOST_SLICES = 3, 120
"""A series outside is no knee series (MRNet-v1.0 has 17 to 61 slices; small phantoms 8 and more)."""
LEAST_RANGE = 16
"""Grey values between the darkest and the brightest pixel of a series; a standardised one uses 0 to 255."""
FEWEST_OF_A_LABEL = {Split.TRAIN: 2, Split.TUNING: 1}
"""Exams with and without a finding: a network needs one of each; out-of-fold regressions one in each of two folds."""
CONTRADICTION = "a tear in an exam labelled normal"
_UNREADABLE = "not a readable npy array"
_NOT_LOADED = (OSError, ValueError, EOFError, BadZipFile, TokenError)  # numpy, of a damaged file or of another kind


@dataclass(frozen=True)
class DataCheck:
    """What a look at every series found.

    ``digests``: for each split and plane 16 hexadecimal digits of the SHA-256 of its exams' ids, lengths and pixels, in
    the order of the ids; labels do not count. ``twins``: a sentence for each plane of which two splits share series.
    """

    digests: Mapping[tuple[Split, Plane], str]
    twins: tuple[str, ...] = ()


@dataclass(frozen=True)
class MRNetFolder:
    """A checked folder.

    ``exams``: ids by split, in order; ``labels``: by split and task, 0 or 1 in that order, also of the tasks that were
    not asked for where their table is whole and names the same exams; ``patients``: by exam, where known.
    """

    root: Path
    planes: tuple[Plane, ...]
    tasks: tuple[Task, ...]
    exams: Mapping[Split, tuple[str, ...]]
    labels: Mapping[tuple[Split, Task], NDArray[np.int8]]
    patients: Mapping[str, str]

    @classmethod
    def open(
        cls, root: Path, planes: Sequence[Plane] = tuple(Plane), tasks: Sequence[Task] = tuple(Task)
    ) -> "MRNetFolder":
        """Read the labels and check every file's header; :meth:`check` goes on to the pixels.

        Raises
        ------
        DatasetError
            No such folder, or anything in it that breaks the format; up to five of each problem are named.
        """
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(
                f"{root} is not a folder: name an MRNet-v1.0 folder, or one that `phantom --mrnet` wrote"
            )
        exams: dict[Split, tuple[str, ...]] = {}
        labels: dict[tuple[Split, Task], NDArray[np.int8]] = {}
        problems: list[str] = []
        for split in Split:
            if split is Split.VALIDATION and not (root / split.folder).is_dir():
                continue
            tables = {task: read_labels(_table(root, split, task)) for task in tasks}
            exams[split], found = _agree(tables, split)
            problems += found
            tables |= _left_out(root, split, tasks)
            problems += _contradictions(exams[split], tables, split)
            for task, table in tables.items():
                if task in tasks or set(table) == set(exams[split]):
                    labels[split, task] = np.array([table.get(exam, 0) for exam in exams[split]], np.int8)
            for plane in planes:
                problems += _check_files(root / split.folder / plane.value, exams[split])
        problems += _in_two_splits(exams)
        known = read_patients(root, ID_WIDTH)
        problems += patients_in_two_splits(exams, known)
        if not problems:
            problems += _one_sided(labels, tuple(tasks))
        if problems:
            raise DatasetError(f"{root}: " + "; ".join(problems))
        parts = (MappingProxyType(part) for part in (exams, labels, known))
        return cls(root, tuple(planes), tuple(tasks), *parts)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits at hand."""
        return tuple(self.exams)

    @property
    def synthetic(self) -> bool:
        """True for a phantom cohort."""
        return is_synthetic_folder(self.root)

    @property
    def has_cells(self) -> bool:
        """True where dense labels for a trunk are there (phantom cohorts)."""
        return (self.root / "cells" / "channels.json").is_file()

    def path(self, split: Split, plane: Plane, exam: str) -> Path:
        """The file of one series."""
        return self.root / split.folder / plane.value / f"{exam}.npy"

    def series(self, split: Split, plane: Plane, exam: str) -> NDArray[np.uint8]:
        """One series, ``(s, 256, 256)`` uint8.

        Raises
        ------
        DatasetError
            It cannot be read, or is empty of contrast.
        """
        path = self.path(split, plane, exam)
        pixels = _load(path)
        if fault := _without_contrast(pixels):
            raise DatasetError(f"{path} holds {fault}; a standardised series uses the range 0 to 255")
        return pixels

    def check(self) -> "DataCheck":
        """Read every series of every split once, before hours are spent on them.

        Raises
        ------
        DatasetError
            Series that cannot be read or are empty of contrast; up to five are named for each split and plane.
        """
        places = [(split, plane, exam) for plane in self.planes for split in self.splits for exam in self.exams[split]]
        with ThreadPoolExecutor() as pool:  # reading, the range and the hash all run beside each other in threads
            looks = list(pool.map(lambda place: _look(self.path(*place)), places))
        digests = {(split, plane): hashlib.sha256() for split in self.splits for plane in self.planes}
        faulty: dict[str, list[str]] = defaultdict(list)
        for (split, plane, exam), look in zip(places, looks, strict=True):
            if look.fault:
                faulty[f"{split.folder}/{plane}"].append(f"{exam} ({look.fault})")
            digests[split, plane].update(f"{exam} {look.slices} {look.pixels}\n".encode())
        problems = [
            f"{where} must hold series with grey values from 0 to 255; not so: {_some(exams)}"
            for where, exams in faulty.items()
        ]
        if problems:
            raise DatasetError(f"{self.root}: " + "; ".join(problems))
        short = {place: digest.hexdigest()[:16] for place, digest in digests.items()}
        return DataCheck(short, tuple(_same_pixels(places, looks)))

    def label_matrix(self, split: Split) -> NDArray[np.int8]:
        """Labels ``(exams, tasks)`` of a split, in the order of ``tasks``."""
        return np.stack([self.labels[split, task] for task in self.tasks], axis=1)

    def strata(self, split: Split) -> NDArray[np.int8]:
        """All labels at hand ``(exams, tables)`` of a split: the same whichever tasks were asked for."""
        return np.stack([self.labels[split, task] for task in Task if (split, task) in self.labels], axis=1)

    def channels(self) -> tuple[str, ...]:
        """Names of the dense labels' channels.

        Raises
        ------
        DatasetError
            The folder has no dense labels, or their names cannot be read.
        """
        path = self.root / "cells" / "channels.json"
        try:
            return tuple(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as error:
            raise DatasetError(
                f"{path} cannot be read ({error}): dense labels come with `phantom OUT --mrnet`; "
                "train without `--trunk cells` on other folders"
            ) from error

    def cells(self, split: Split, plane: Plane, exam: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Dense labels ``(s, C, 7, 7)`` of one series; ``shape`` is the ``(s, C)`` expected.

        Raises
        ------
        DatasetError
            Not there, not readable, or of another shape.
        """
        for path in (
            self.root / "cells" / plane.value / f"{exam}.npz",
            self.root / "cells" / split.folder / plane.value / f"{exam}.npz",
        ):
            if path.is_file():
                break
        try:
            with np.load(path, allow_pickle=False) as file:
                cells = file["cells"]
        except (*_NOT_LOADED, zlib.error, KeyError, TypeError) as error:
            raise DatasetError(f"{path} cannot be read as dense labels: {error}") from error
        if cells.shape != (*shape, 7, 7):
            raise DatasetError(f"{path} holds {cells.shape}; its series and channels call for {(*shape, 7, 7)}")
        return cells


def read_labels(path: Path) -> dict[str, int]:
    """One label table: exam id to 0 or 1, in the file's order.

    Raises
    ------
    DatasetError
        No such file, a row that is not ``id,0`` or ``id,1``, or an exam named twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}; labels stand in one CSV for each split and task"
        ) from error
    table: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r'\s*"?([\w.-]+)"?\s*,\s*"?([01])(?:\.0)?"?\s*', line)
        if match is None:
            raise DatasetError(f"{path} row {number} is {line.strip()!r}; a row is an exam id, a comma and 0 or 1")
        exam = match[1].zfill(ID_WIDTH)
        if exam in table:
            raise DatasetError(f"{path} row {number} names exam {exam} a second time; one row an exam")
        table[exam] = int(match[2])
    if not table:
        raise DatasetError(f"{path} holds no label; a row is an exam id, a comma and 0 or 1")
    return table


def torn_and_normal(tables: Mapping[Task, Mapping[str, int]]) -> set[str]:
    """Exams whose labels, by task and exam, contradict each other: 0 for abnormal and 1 for a tear."""
    normal = {exam for exam, label in tables.get(Task.ABNORMAL, {}).items() if label == 0}
    torn = {exam for task in (Task.ACL, Task.MENISCUS) for exam, label in tables.get(task, {}).items() if label == 1}
    return normal & torn


def _agree(tables: Mapping[Task, Mapping[str, int]], split: Split) -> tuple[tuple[str, ...], list[str]]:
    """Exams of a split, and where the tasks' tables name different ones."""
    named = sorted(set().union(*tables.values()))
    problems = []
    for task, table in tables.items():
        missing = [exam for exam in named if exam not in table]
        if missing:
            problems.append(f"{split.folder}-{task}.csv lacks exams that another table names: {_some(missing)}")
    return tuple(named), problems


def _table(root: Path, split: Split, task: Task) -> Path:
    return root / f"{split.folder}-{task}.csv"


def _left_out(root: Path, split: Split, tasks: Sequence[Task]) -> dict[Task, dict[str, int]]:
    """The tables of tasks that were not asked for; one that is missing or breaks its form is passed over."""
    found = {}
    for task in Task:
        if task not in tasks and _table(root, split, task).is_file():
            with suppress(DatasetError):
                found[task] = read_labels(_table(root, split, task))
    return found


def _contradictions(exams: tuple[str, ...], tables: Mapping[Task, Mapping[str, int]], split: Split) -> list[str]:
    """Exams that one table calls normal and another torn."""
    wrong = sorted(torn_and_normal(tables) & set(exams))
    return [f"{split.folder}: {CONTRADICTION}: {_some(wrong)}"] if wrong else []


def _check_files(folder: Path, exams: tuple[str, ...]) -> list[str]:
    """Missing and extra files of one plane, and headers that are not uint8 ``(s, 256, 256)``."""
    where = f"{folder.parent.name}/{folder.name}"
    if not folder.is_dir():
        return [f"{where} is missing: one folder a plane (leave a plane out with --planes)"]
    found = {path.stem for path in folder.glob("*.npy")}
    problems = []
    if missing := sorted(set(exams) - found):
        problems.append(f"{where} lacks labelled exams: {_some(missing)}")
    if extra := sorted(found - set(exams)):
        problems.append(f"{where} holds exams without a label: {_some(extra)}")
    wrong = []
    for exam in sorted(set(exams) & found):
        if word := _header(folder / f"{exam}.npy"):
            wrong.append(f"{exam} ({word})")
    if wrong:
        problems.append(
            f"{where} must hold uint8 (s, {MODEL_SIZE}, {MODEL_SIZE}) with s from {FEWEST_SLICES} to {MOST_SLICES}; "
            f"not so: {_some(wrong)}"
        )
    return problems


def _load(path: Path, mmap_mode: str | None = None) -> NDArray:
    """The array of an npy file; anything else that ``numpy.load`` would take is an error."""
    try:
        found = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except _NOT_LOADED as error:
        raise DatasetError(f"{path} cannot be read as an npy series: {error}") from error
    if not isinstance(found, np.ndarray):
        raise DatasetError(f"{path} cannot be read as an npy series: it is an npz archive; save it with numpy.save")
    return found


def _header(path: Path) -> str:
    """What is wrong with an npy header, in words; "" where nothing is."""
    try:
        pixels = _load(path, mmap_mode="r")
    except DatasetError:
        return _UNREADABLE
    is_stack = pixels.dtype == np.uint8 and pixels.shape[1:] == (MODEL_SIZE, MODEL_SIZE)
    return "" if is_stack and FEWEST_SLICES <= len(pixels) <= MOST_SLICES else f"{pixels.dtype} {pixels.shape}"


@dataclass(frozen=True)
class _Look:
    """One series as :meth:`MRNetFolder.check` saw it: slices, SHA-256 of the pixels, what is wrong ("": nothing)."""

    slices: int = 0
    pixels: str = ""
    fault: str = ""


def _look(path: Path) -> _Look:
    try:
        pixels = _load(path)
    except DatasetError:
        return _Look(fault=_UNREADABLE)
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    return _Look(len(pixels), digest, _without_contrast(pixels))


def _without_contrast(pixels: NDArray) -> str:
    """The range of a series that is too narrow to be a picture, in words; "" where it is wide enough."""
    low, high = int(pixels.min()), int(pixels.max())
    return f"values from {low} to {high} only" if high - low < LEAST_RANGE else ""


def _in_two_splits(exams: Mapping[Split, tuple[str, ...]]) -> list[str]:
    """Ids that more than one split names."""
    splits_of: dict[str, list[str]] = defaultdict(list)
    for split, ids in exams.items():
        for exam in ids:
            splits_of[exam].append(split.folder)
    twice = [f"{exam} ({' and '.join(folders)})" for exam, folders in sorted(splits_of.items()) if len(folders) > 1]
    if not twice:
        return []
    return [f"exams stand in two splits: {_some(twice)}; number them through all splits, and keep each in one only"]


def _same_pixels(places: Sequence[tuple[Split, Plane, str]], looks: Sequence[_Look]) -> list[str]:
    """Series of one plane that two splits hold, under whatever ids, in a sentence for each plane."""
    firsts: dict[tuple[Plane, str], tuple[Split, str]] = {}
    same: dict[Plane, list[str]] = defaultdict(list)
    for (split, plane, exam), look in zip(places, looks, strict=True):
        first_split, first = firsts.setdefault((plane, look.pixels), (split, exam))
        if first_split is not split:
            same[plane].append(f"{first_split.folder}/{plane}/{first} and {split.folder}/{plane}/{exam}")
    return [
        f"Two splits hold the very same {plane} series: {_some(pairs)}. What is trained on one of a pair knows the "
        "other: figures on these exams are too good."
        for plane, pairs in same.items()
    ]


def _one_sided(labels: Mapping[tuple[Split, Task], NDArray], tasks: tuple[Task, ...]) -> list[str]:
    problems = []
    for split, least in FEWEST_OF_A_LABEL.items():
        for task in tasks:
            positive, n = int(labels[split, task].sum()), len(labels[split, task])
            if min(positive, n - positive) < least:
                problems.append(
                    f"{split.folder}-{task}.csv has {positive} positives of {n}; both labels are needed, at least "
                    f"{least} of each: add exams, or leave the task out with --tasks"
                )
    return problems


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
