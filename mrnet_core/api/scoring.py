"""Many exams to one table: resumable, and no exam stops another."""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mrnet_core.api.exams import by_plane, load_predictor, open_exam, predict_exam
from mrnet_core.domain import InputError, MRNetError, Plane, Task
from mrnet_core.ensemble import Predictor

COLUMNS = (
    "exam",
    *(task.value for task in Task),
    "planes_used",
    *(f"{plane}_{task}" for plane in Plane for task in Task),
    "warnings",
    "error",
)
NO_EXAM_FILES = frozenset((".csv", ".json", ".jsonl", ".md", ".npz", ".png", ".txt"))


def find_exams(folder: Path) -> list[Path]:
    """Exams below ``folder``: each subfolder and each zip directly in it, in the order of their names.

    A subfolder that holds nothing but tables and masks (as a phantom cohort's) is no exam.

    Raises
    ------
    InputError
        No such folder, or no exam in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: name the folder that holds one subfolder or zip for each exam")
    exams = sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".")
        and (_may_be_exam(entry) if entry.is_dir() else entry.suffix.lower() == ".zip")
    )
    if not exams:
        raise InputError(f"{folder} holds no exam: each exam is a subfolder or a zip directly in it")
    return exams


def _may_be_exam(folder: Path) -> bool:
    suffixes = {path.suffix.lower() for path in folder.rglob("*") if path.is_file()}
    return not suffixes or bool(suffixes - NO_EXAM_FILES)


def score_exams(
    exams: Sequence[Path],
    out: Path,
    *,
    model: str | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Score exams into ``out``, a row at a time. Returns how many rows it holds, and how many of them are errors.

    A row is written whole and flushed, so that a killed run loses at most the exam it was at. Without ``resume`` an
    existing table is refused, never overwritten.

    Raises
    ------
    InputError
        ``out`` exists and ``resume`` is off, or it is no table of this command.
    """
    if out.exists() and not resume:
        raise InputError(f"{out} exists: give --resume to go on with it, or another name")
    earlier = _read_rows(out) if out.exists() else []
    predictor = load_predictor(model)
    _rewrite(out, earlier)  # drops a last row that was cut off
    seen = {row["exam"] for row in earlier}
    done, failed = len(earlier), sum(bool(row["error"]) for row in earlier)
    with out.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        for exam in exams:
            if exam.name in seen:
                continue
            row = _score(exam, predictor)
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
            done, failed = done + 1, failed + bool(row["error"])
            if progress:
                progress(done, failed)
    return done, failed


def _score(path: Path, predictor: Predictor) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "") | {"exam": path.name}
    try:
        exam = open_exam([path])
        prediction = predict_exam(exam, predictor)
    except MRNetError as error:
        return row | {"error": str(error)}
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        return row | {"error": f"unexpected {type(error).__name__} while reading this exam"}
    row |= {task.value: repr(float(prediction.probabilities[task])) for task in Task}
    row["planes_used"] = " ".join(prediction.planes_used)
    for plane, probabilities in by_plane(prediction).items():
        row |= {f"{plane}_{task}": repr(float(value)) for task, value in probabilities.items()}
    series_warnings = [warning for series in exam.series.values() for warning in series.warnings]
    row["warnings"] = "; ".join([*exam.warnings, *series_warnings, *prediction.warnings])
    return row


def _read_rows(out: Path) -> list[dict[str, str]]:
    with out.open(newline="", encoding="utf-8") as file:
        text = file.read()
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(whole.splitlines(keepends=True))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{out} is no table of `score` (its header differs): give --out another name")
    return [row for row in reader if None not in row and None not in row.values()]


def _rewrite(out: Path, rows: list[dict[str, str]]) -> None:
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}; name a place you may write to") from error
    finally:
        partial.unlink(missing_ok=True)
