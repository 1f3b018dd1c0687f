"""One's own exams, divided: laid out as the MRNet-v1.0 folder that ``train --data`` reads, patients beside them."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mrnet_core.datasets.mrnet_v1 import ID_WIDTH
from mrnet_core.datasets.synthetic import EXAMS
from mrnet_core.domain import DatasetError, InputError, Plane, Split, Task
from mrnet_core.store import write_whole

SHOWN = 5
"""How many exams a message names."""


def lay_out(root: Path, splits: pd.Series, table: pd.DataFrame, series: Path | None = None) -> tuple[Plane, ...]:
    """Write label tables and folders by split and plane, and put the series in their places.

    Parameters
    ----------
    root
        A new or an empty folder.
    splits
        ``Split`` by exam (:func:`mrnet_core.datasets.splits.split_exams`).
    table
        Columns ``exam``, any of the tasks, and ``patient`` where known, as for ``split_exams``.
    series
        Folder with ``<plane>/<exam>.npy``, uint8 ``(s, 256, 256)``: linked, or copied where links cannot be made. None
        leaves the folders of the planes empty. What the files hold is checked by ``train``.

    Returns
    -------
    tuple of Plane
        The planes of ``series``; all where it is None.

    Raises
    ------
    InputError
        ``root`` holds something or cannot be written, or ``series`` has no plane.
    DatasetError
        An id that cannot name a file, two ids that are one in four digits, or an exam without its series.
    """
    names = _names(table["exam"])
    planes = tuple(plane for plane in Plane if series is None or (series / plane).is_dir())
    if not planes:
        raise InputError(f"{series} has no folder {', '.join(Plane)}: series lie at <plane>/<exam>.npy")
    sources = _sources(series, names, planes) if series else {}
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise InputError(f"{root} is not empty: name a new folder with --into")
        for split in Split:
            for plane in planes:
                (root / split.folder / plane).mkdir(parents=True)
        for (plane, exam), path in sources.items():
            _put(path, root / splits[exam].folder / plane / f"{names[exam]}.npy")
    except OSError as error:
        raise InputError(f"{root} cannot be written ({error.strerror}): name a folder you may write to") from error
    for split in Split:
        part = table[(splits.reindex(table["exam"]) == split).to_numpy()]
        for task in (task for task in Task if task in table):
            rows = (f"{names[exam]},{label}\n" for exam, label in zip(part["exam"], part[task], strict=True))
            write_whole(root / f"{split.folder}-{task}.csv", "".join(rows))
    if "patient" in table:
        whose = pd.DataFrame({"exam": table["exam"].map(names), "patient": table["patient"]})
        write_whole(root / EXAMS, whose.to_csv(index=False))
    return planes


def _names(exams: Sequence[str]) -> dict[str, str]:
    """The id in the folder of every exam: four digits at least, as MRNet-v1.0 writes them."""
    names: dict[str, str] = {}
    first: dict[str, str] = {}
    for exam in exams:
        if not re.fullmatch(r"\w[\w.-]*", exam):
            raise DatasetError(f"exam {exam!r} cannot name a file: use letters, digits, dots, hyphens and underscores")
        names[exam] = exam.zfill(ID_WIDTH)
        if first.setdefault(names[exam], exam) != exam:
            raise DatasetError(
                f"exams {first[names[exam]]} and {exam} are both {names[exam]} in the folder: rename one"
            )
    return names


def _sources(series: Path, names: dict[str, str], planes: Sequence[Plane]) -> dict[tuple[Plane, str], Path]:
    """The file of every series, under the exam's id as the table or as the folder writes it."""
    found, missing = {}, []
    for plane in planes:
        for exam, name in names.items():
            path = next((path for word in (exam, name) if (path := series / plane / f"{word}.npy").is_file()), None)
            if path is None:
                missing.append(f"{plane}/{exam}.npy")
            else:
                found[plane, exam] = path
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise DatasetError(f"{series} lacks {', '.join(missing[:SHOWN])}{more}: every exam needs each plane at hand")
    return found


def _put(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
