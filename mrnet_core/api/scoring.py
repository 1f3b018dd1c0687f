"""Many exams to one table: resumable, of one model, and no exam stops another."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mrnet_core.api.exam_folders import NO_EXAM_FILES, NPY
from mrnet_core.api.exams import by_plane, load_predictor, open_exam, predict_exam
from mrnet_core.datasets.npy_exam import plane_of_name
from mrnet_core.dicom.archive import is_noise
from mrnet_core.domain import InputError, MRNetError, Plane, Split, Task
from mrnet_core.ensemble import Predictor, fingerprint
from mrnet_core.store import Run, resolve_run, write_whole

COLUMNS = (
    "exam",
    *(task.value for task in Task),
    "planes_used",
    *(f"{plane}_{task}" for plane in Plane for task in Task),
    "warnings",
    "error",
)
MODEL_NOTE = ".model.json"
"""Behind a table's name: the file beside it that tells by which model it was made."""


def score_exams(
    exams: Mapping[str, Path],
    out: Path,
    *,
    model: str | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Score exams, by name, into ``out``, a row at a time. Returns how many rows it holds, and how many are errors.

    A row is written whole or not at all, so that a run that is stopped, killed or out of space loses at most the exam
    it was at. With ``resume`` the rows of an earlier run stay, save those of errors: such an exam is tried again.
    Without, an existing table is refused, never overwritten.

    Raises
    ------
    InputError
        ``out`` exists and ``resume`` is off, it is no table of this command or one of another model, or it cannot be
        written; or all that was found is a folder to train on.
    """
    if exams and all(_training_folder(path) for path in exams.values()):
        raise InputError(_what_it_is(_training_folder(next(iter(exams.values())))))
    if out.exists() and not resume:
        raise InputError(f"{out} exists: give --resume to go on with it, or another name")
    earlier = _read_rows(out) if out.exists() else []
    predictor = load_predictor(model)
    _keep_model(out, Run.open(resolve_run(model)), earlier)
    kept = [row for row in earlier if not row["error"] or row["exam"] not in exams]
    write_whole(out, _header() + _lines(kept))  # without a last row that was cut off
    seen = {row["exam"] for row in kept}
    done, failed = len(kept), sum(bool(row["error"]) for row in kept)
    for name, path in exams.items():
        if name in seen:
            continue
        row = _score(name, path, predictor)
        _append(out, row)
        done, failed = done + 1, failed + bool(row["error"])
        if progress:
            progress(done, failed)
    return done, failed


def _score(name: str, path: Path, predictor: Predictor) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "") | {"exam": name}
    try:
        exam = open_exam([path])
        prediction = predict_exam(exam, predictor)
    except MRNetError as error:
        to_train_on = _training_folder(path)
        return row | {"error": _what_it_is(to_train_on) if to_train_on else str(error)}
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        return row | {"error": f"unexpected {type(error).__name__} while reading this exam"}
    row |= {task.value: repr(float(prediction.probabilities[task])) for task in Task}
    row["planes_used"] = " ".join(prediction.planes_used)
    for plane, probabilities in by_plane(prediction).items():
        row |= {f"{plane}_{task}": repr(float(value)) for task, value in probabilities.items()}
    series_warnings = [warning for series in exam.series.values() for warning in series.warnings]
    row["warnings"] = "; ".join([*exam.warnings, *series_warnings, *prediction.warnings])
    return row


def _training_folder(path: Path) -> Path | None:
    """The folder of series to train on in or below ``path``: ``<plane>/<exam>.npy``, and at most tables beside them."""
    found = None
    for file in path.rglob("*"):
        if not file.is_file() or is_noise(file.name):
            continue
        kind = file.suffix.lower()
        if kind == NPY and file.parent.name in tuple(Plane) and plane_of_name(file.name) is None:
            found = found or file.parent.parent
        elif kind not in NO_EXAM_FILES:
            return None
    return found.parent if found and found.name in [split.folder for split in Split] else found


def _what_it_is(folder: Path) -> str:
    divided = any((folder / split.folder).is_dir() for split in Split)
    taken_by = "`train --data` and `reproduce --data` take" if divided else "`split --into DATA --series` takes"
    return (
        f"{folder} holds series to train on, as MRNet-v1.0 does (<plane>/<exam>.npy): {taken_by} it; `score` wants "
        "each exam as a folder or zip of its own, of DICOM files or of one npy file named after each plane"
    )


def _keep_model(out: Path, run: Run, earlier: Sequence[Mapping[str, str]]) -> None:
    """Write beside the table which model it is of; rows of another one, or of nobody knows which, are not gone on with.

    Probabilities of two models in one table would look like those of one.
    """
    note = out.with_name(out.name + MODEL_NOTE)
    model = {"model": run.manifest["name"], "sha256": fingerprint(run)}
    if any(not row["error"] for row in earlier):
        try:
            was = json.loads(note.read_text(encoding="utf-8"))
            name, digest = was["model"], was["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{note}, which tells by which model {out.name} was made, is missing or damaged: put it back beside "
                "the table, or give --out another name"
            ) from error
        if digest != model["sha256"]:
            raise InputError(
                f"{out} was made by another model ({name}) than the one in use now ({model['model']}): give --model "
                "that RUN as it was then, or --out another name"
            )
    write_whole(note, json.dumps(model, indent=2, ensure_ascii=False) + "\n")


def _read_rows(out: Path) -> list[dict[str, str]]:
    try:
        text = out.read_bytes().decode("utf-8")
        whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")
        reader = csv.DictReader(whole)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(f"{out} is no table of `score` (its header differs): give --out another name")
        return [row for row in reader if None not in row and None not in row.values()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{out} cannot be read as a table of `score` ({error}): give --out another name") from error


def _header() -> bytes:
    return (",".join(COLUMNS) + "\r\n").encode("utf-8")


def _lines(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, COLUMNS).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")  # an error may name a path that is no UTF-8


def _append(out: Path, row: Mapping[str, str]) -> None:
    """Add a row and see it on the disk; whatever stops that, also Ctrl-C, leaves none of it behind."""
    try:
        with out.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                rest = memoryview(_lines([row]))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except BaseException:
                # also Ctrl-C: half a row must not stay
                file.truncate(end)
                raise
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}); every exam before is in it: free some space, then the same "
            "command with --resume goes on"
        ) from error
