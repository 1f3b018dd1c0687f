"""What lies beside a cohort's pixels: exams.csv, lesions.jsonl, label files, masks, and the networks' cells.

Every file is written whole (a partial file, then a rename), so that a killed run leaves nothing half-written under its
final name. Arrays are ``(S, H, W)`` in the standard orientation; indices count from 0.
"""

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import CAM_SIZE, MODEL_SIZE, InputError, Plane, Split, Task
from mrnet_core.phantom.anatomy import STRUCTURES
from mrnet_core.phantom.exam import PhantomExam
from mrnet_core.phantom.pathology import LESION_CHANNELS

EXAMS_CSV = (
    *("exam", "patient", "split", "side", "age", "sex", "field_tesla"),
    *(task.value for task in Task),
    "lesions",
    *(f"report_{task}" for task in Task),
)
"""Columns of exams.csv."""
CHANNELS = (*LESION_CHANNELS, *STRUCTURES)
"""Channels of the cells, lesions first."""
CELL_FIRST, CELL_STEP, CELL_REACH = 31, 32, 16
"""Centre of AlexNet's last cell i is pixel 31 + 32 i of 256; a cell sees what lies within 16 pixels of it."""
CHANGED_SHARE = 25 / 255
"""A pixel counts as visibly changed when it moves by more than this share of the display window's width."""


def prepare_folder(out: Path) -> None:
    """Make the empty folder that a cohort is written to.

    Raises
    ------
    InputError
        It holds something already, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(
                f"{out} is not empty: name a new folder, so that nothing is overwritten, or go on with --resume"
            )
    except OSError as error:
        raise InputError(f"{out} cannot be made: {error.strerror}; name a folder you may write to") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def write_array(path: Path, array: NDArray) -> None:
    """Write an npy file whole or not at all."""
    buffer = BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getvalue())


def write_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write a compressed npz file whole or not at all; the fastest compression, as masks are mostly empty."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def write_masks(exam_id: str, masks: Mapping[Plane, Sequence[NDArray[np.bool_]]], out: Path) -> list[Path]:
    """``OUT/masks/<exam>_<plane>.npz``: arrays ``lesion_0`` … of bool ``(S, H, W)``; returns the files, relative."""
    written = []
    for plane, lesions in masks.items():
        path = Path("masks") / f"{exam_id}_{plane}.npz"
        write_arrays(out / path, {f"lesion_{n}": mask for n, mask in enumerate(lesions)})
        written.append(path)
    return written


def cells_of(masks: Mapping[str, NDArray[np.bool_]], slices: int) -> NDArray[np.uint8]:
    """Cells ``(S, C, 7, 7)`` of named masks: 1 where the mask has a pixel within 16 pixels of the cell's centre.

    Masks may have any matrix; their pixels are placed as the network's 256 x 256 pixels are (whole field to whole
    field). Names not in ``CHANNELS`` are ignored, channels without a mask stay 0.
    """
    cells = np.zeros((slices, len(CHANNELS), CAM_SIZE, CAM_SIZE), np.uint8)
    for name, mask in masks.items():
        if name not in CHANNELS:
            continue
        rows, columns = (_windows(size) for size in mask.shape[1:])
        for r, row in enumerate(rows):
            band = mask[:, row].any(axis=1)
            for c, column in enumerate(columns):
                cells[:, CHANNELS.index(name), r, c] |= band[:, column].any(axis=1)
    return cells


def lesion_masks(exam: PhantomExam, plane: Plane) -> dict[str, NDArray[np.bool_]]:
    """The exam's lesion masks of a plane, joined by channel, and its structures."""
    joined: dict[str, NDArray[np.bool_]] = {}
    for lesion, mask in zip(exam.lesions, exam.masks[plane], strict=True):
        joined[lesion.channel] = joined[lesion.channel] | mask if lesion.channel in joined else mask
    return joined | dict(exam.structures.get(plane, {}))


def exam_row(exam: PhantomExam) -> dict[str, str]:
    """One row of exams.csv."""
    return {
        "exam": exam.exam_id,
        "patient": exam.patient,
        "split": exam.split.value,
        "side": exam.side.value,
        "age": str(exam.age),
        "sex": exam.sex,
        "field_tesla": f"{exam.field_tesla:g}",
        "lesions": "; ".join(lesion.words() for lesion in exam.lesions),
        **{task.value: str(int(exam.labels[task])) for task in Task},
        **{f"report_{task}": str(int(exam.report_labels[task])) for task in Task},
    }


def lesion_record(exam: PhantomExam, bare: Mapping[Plane, NDArray] | None) -> dict:
    """One line of lesions.jsonl.

    Parameters
    ----------
    exam
        The exam.
    bare
        Pixels of its twin without any lesion, by plane; None where no twin was made (``visible_pixels`` is then null).

    Notes
    -----
    ``mask_pixels`` and ``visible_pixels`` are counted at 256 x 256 (areas scaled from the matrix). A pixel of the mask
    is visible where exam and twin differ by more than 25/255 of the display window.
    """
    lesions = []
    for n, lesion in enumerate(exam.lesions):
        pixels, visible = {}, {}
        for plane, masks in exam.masks.items():
            mask, series = masks[n], exam.series[plane]
            scale = MODEL_SIZE**2 / (mask.shape[1] * mask.shape[2])
            pixels[plane.value] = round(float(mask.sum()) * scale)
            if bare is not None:
                change = np.abs(series.pixels[mask].astype(np.float32) - bare[plane][mask].astype(np.float32))
                visible[plane.value] = round(float((change > CHANGED_SHARE * series.window.width).sum()) * scale)
        lesions.append(
            {
                **{"type": lesion.type, "grade": lesion.grade, "place": lesion.place, "words": lesion.words()},
                **{"extent_mm": round(lesion.extent, 2), "severity": round(lesion.severity, 4)},
                **{"volume_mm3": round(float(lesion.volume_mm3), 1), "label": lesion.label, "channel": lesion.channel},
                **{"mask_pixels": pixels, "visible_pixels": visible or None},
            }
        )
    return {"exam": exam.exam_id, "split": exam.split.value, "lesions": lesions}


def write_table(rows: Iterable[Mapping], path: Path, columns: Sequence[str]) -> None:
    """Write a CSV with a header, whole or not at all."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def write_label_files(rows: Sequence[Mapping[str, str]], out: Path) -> None:
    """``OUT/{train,valid,test}-{task}.csv`` as in MRNet-v1.0: no header, ``NNNN,label``.

    Training and tuning files hold the report's labels, with its errors; test files hold the truth.
    """
    for split in Split:
        for task in Task:
            column = task.value if split is Split.VALIDATION else f"report_{task}"
            lines = [f"{row['exam']},{row[column]}\n" for row in rows if row["split"] == split.value]
            write_bytes(out / f"{split.folder}-{task}.csv", "".join(lines).encode())


def write_lines(records: Iterable[Mapping], path: Path) -> None:
    """Write one JSON object a line, whole or not at all."""
    text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
    write_bytes(path, text.encode())


def _windows(size: int) -> list[slice]:
    """For each cell, the pixels of an axis of ``size`` whose centre lies within the cell's reach."""
    centres = (np.arange(size) + 0.5) * MODEL_SIZE / size - 0.5
    found = []
    for i in range(CAM_SIZE):
        inside = np.flatnonzero(np.abs(centres - (CELL_FIRST + CELL_STEP * i)) <= CELL_REACH)
        found.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return found
