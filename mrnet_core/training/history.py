"""The history of a network: one JSON object an epoch, in ``RUN/history/<plane>_<task>_seed<k>.jsonl``.

While the trunk trains before them, ``RUN/checkpoints/trunk.json`` tells how far it is. Where TensorBoard is installed,
``RUN/tensorboard`` holds the same epochs for it.
"""

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from mrnet_core.domain import ArtifactError, Plane, Task
from mrnet_core.store import CHECKPOINTS, REBUILD, TENSORBOARD, write_whole

FOLDER = "history"
TRUNK = "trunk.json"
_FIGURES = ("train_loss", "tuning_loss", "tuning_auc", "logit_sd", "seconds", "exams_per_second")
_CURVES = ("train_loss", "tuning_loss", "tuning_auc", "logit_sd", "exams_per_second")
"""What TensorBoard draws."""


def record(
    network: Any, epoch: int, train_loss: float, found: dict[str, float | None], seconds: float, speed: float
) -> dict[str, Any]:
    """One epoch. ``found``: loss, AUC and spread of the logit on the exams that choose the epoch."""
    return {
        "plane": network.plane.value,
        "task": network.task.value,
        "seed": network.seed,
        "epoch": epoch,
        "train_loss": train_loss,
        "tuning_loss": found["loss"],
        "tuning_auc": found["auc"],
        "logit_sd": found["logit_sd"],
        "seconds": round(seconds, 3),
        "exams_per_second": round(speed, 3),
        "chosen": False,
    }


def write(run: Path, name: str, records: list[dict[str, Any]], chosen: int) -> None:
    """Write the whole history so far, for TensorBoard too; ``chosen`` is the epoch of lowest tuning loss."""
    lines = [json.dumps(one | {"chosen": one["epoch"] == chosen}, allow_nan=False) for one in records]
    write_whole(run / FOLDER / f"{name}.jsonl", "\n".join(lines) + "\n")
    write_tensorboard(run, name)


def parse(text: str, source: str) -> list[dict[str, Any]]:
    """The epochs of one network's file. A last line that is cut off (of a copy taken while it grew) is left out.

    Raises
    ------
    ArtifactError
        Another line is no epoch's record; the message names ``source`` and the line.
    """
    lines = text.splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            record = {
                "plane": Plane(one["plane"]).value,
                "task": Task(one["task"]).value,
                "seed": int(one["seed"]),
                "epoch": int(one["epoch"]),
                **{key: None if one[key] is None else float(one[key]) for key in _FIGURES},
                "chosen": bool(one["chosen"]),
            }
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not text.endswith("\n"):
                break
            raise ArtifactError(f"{source}, line {number}, is no epoch of a history ({error}): {REBUILD}") from error
        records.append(record)
    return records


def read(run: Path) -> list[dict[str, Any]]:
    """Every epoch of every network so far, in the order of the files' names; an empty list where none began.

    Raises
    ------
    ArtifactError
        A file cannot be read, or a line of it is no epoch's record.
    """
    records = []
    for path in sorted((run / FOLDER).glob("*.jsonl")):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{path} cannot be read ({type(error).__name__}): {REBUILD}") from error
        records += parse(text, str(path))
    return records


def write_trunk(folder: Path, step: int, steps: int, loss: float, seconds_left: float) -> None:
    """How far the trunk is, into the folder of its checkpoint; ``loss`` is the mean since the last time."""
    now = {"step": step, "steps": steps, "loss": loss, "seconds_left": round(seconds_left)}
    write_whole(folder / TRUNK, json.dumps(now) + "\n")


def read_trunk(run: Path) -> dict[str, float]:
    """What ``write_trunk`` wrote last, of a trunk that is not finished; empty where there is none."""
    try:
        found = json.loads((run / CHECKPOINTS / TRUNK).read_text(encoding="utf-8"))
        now = {name: float(found[name]) for name in ("step", "steps", "loss", "seconds_left")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # none yet, or none of ours: a page says less then
    return now if now["step"] < now["steps"] else {}


def write_tensorboard(run: Path, name: str = "*") -> None:
    """Write a network's history (or every network's) for TensorBoard, as ``RUN/tensorboard/<name>``.

    Does nothing where TensorBoard is not installed. The whole history, a few hundred numbers, is written anew, and
    TensorBoard is told to forget the epochs it has read. A file that cannot be written is a warning and ends no run.
    """
    writer_class = _summary_writer()
    if writer_class is None:
        return
    for path in sorted((run / FOLDER).glob(f"{name}.jsonl")):
        target = run / TENSORBOARD / path.stem
        try:
            records = parse(path.read_text(encoding="utf-8"), str(path))
            before = list(target.glob("events.*"))
            with writer_class(str(target), purge_step=records[0]["epoch"] if records else 0) as writer:
                for one in records:
                    for key in _CURVES:
                        if one[key] is not None:
                            writer.add_scalar(key, one[key], one["epoch"])
            for old in before:
                old.unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(
                f"{target} cannot be written ({error.strerror}): TensorBoard will not show these epochs, and the "
                f"training goes on; {path} has them",
                RuntimeWarning,
                stacklevel=2,
            )


@cache
def _summary_writer() -> type | None:
    """TensorBoard's writer; None where it is not installed. Asked once a process: a failed import is not free."""
    try:
        # on demand: no part of the requirements, and slow to import
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        return None
    except (ImportError, AttributeError, TypeError) as error:  # installed beside a protobuf or numpy it is too old for
        warnings.warn(
            f"TensorBoard is installed and cannot be imported ({error}): this run writes no files for it; "
            "`python -m pip install --upgrade tensorboard` may help",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return SummaryWriter
