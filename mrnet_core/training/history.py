"""The history of a network: one JSON object an epoch, in ``RUN/history/<plane>_<task>_seed<k>.jsonl``.

While the trunk trains before them, ``RUN/checkpoints/trunk.json`` tells how far it is.
"""

import json
from pathlib import Path
from typing import Any

from mrnet_core.domain import ArtifactError, Plane, Task
from mrnet_core.store import CHECKPOINTS, REBUILD, write_whole

FOLDER = "history"
TRUNK = "trunk.json"
COLLAPSED = 0.05
"""A logit that varies less than this over exams (standard deviation) says nothing: the network is constant."""
_FIGURES = ("train_loss", "tuning_loss", "tuning_auc", "logit_sd", "seconds", "exams_per_second")


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
    """Write the whole history so far; ``chosen`` is the epoch of lowest tuning loss."""
    lines = [json.dumps(one | {"chosen": one["epoch"] == chosen}, allow_nan=False) for one in records]
    write_whole(run / FOLDER / f"{name}.jsonl", "\n".join(lines) + "\n")


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


def write_tensorboard(run: Path) -> bool:
    """Write the history for TensorBoard under ``RUN/checkpoints/tensorboard``; False where TensorBoard is absent."""
    try:
        # on demand: no part of the requirements, and slow to import
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    for path in sorted((run / FOLDER).glob("*.jsonl")):
        target = run / "checkpoints" / "tensorboard" / path.stem
        for old in target.glob("events.*"):
            old.unlink()
        with SummaryWriter(str(target)) as writer:
            for line in path.read_text(encoding="utf-8").splitlines():
                one = json.loads(line)
                for key in ("train_loss", "tuning_loss", "tuning_auc", "logit_sd", "exams_per_second"):
                    if one[key] is not None:
                        writer.add_scalar(key, one[key], one["epoch"])
    return True
