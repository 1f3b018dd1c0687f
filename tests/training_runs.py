"""RUN folders with histories, scores and grades but without weights: what the training page reads."""

import json
from pathlib import Path

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Task
from mrnet_core.store import write_manifest, write_whole
from mrnet_core.training import history

DEAD = (Plane.CORONAL, Task.MENISCUS)
"""The network that gives every exam one answer."""
BEST = 3
"""The epoch of lowest tuning loss in every history that is written here with at least so many epochs."""
ENDS = {
    "trained": (("_lower", -0.1), ("_upper", 0.1)),
    "untrained": (("_lowest", -0.125), ("_highest", 0.25)),
}
"""How far the ends of an interval, or of a range over random draws, lie from the value."""


def epoch_records(plane: Plane, task: Task, epochs: int, seed: int = 1) -> list[dict]:
    """Tuning loss falls to epoch 3 and rises after it."""
    return [
        {
            "plane": plane.value,
            "task": task.value,
            "seed": seed,
            "epoch": epoch,
            "train_loss": 0.7 / epoch,
            "tuning_loss": 0.3 + 0.1 * abs(epoch - BEST),
            "tuning_auc": 0.5 + 0.05 * epoch,
            "logit_sd": 0.004 if (plane, task) == DEAD else 1.25,
            "seconds": 2.0,
            "exams_per_second": 12.0,
            "chosen": False,
        }
        for epoch in range(1, epochs + 1)
    ]


def begin_run(folder: Path, *, epochs: int = 5, planes=tuple(Plane), planned: int = 5) -> Path:
    """A run that still trains: its configuration and what its networks wrote so far."""
    config = TrainConfig(epochs=planned, initialisation="cells", learning_rate=2e-5)
    write_whole(folder / "config.json", config.to_json())
    for plane in planes:
        for task in Task:
            records = epoch_records(plane, task, epochs)
            best = min(records, key=lambda one: one["tuning_loss"])["epoch"]
            history.write(folder, f"{plane}_{task}_seed1", records, best)
    return folder


def finish_run(folder: Path, *, name: str = "paper knees", synthetic: bool = True, scored: str = "validation") -> Path:
    """The same with scores of the ``scored`` exams, grades, regressions and a manifest."""
    scores = "".join(f"E{k},{task},{k / 10}\n" for task in Task for k in range(1, 9))
    labels = "".join(f"E{k},{task},{int(k > 4 or k == 2)}\n" for task in Task for k in range(1, 9))
    write_whole(folder / f"scores/{scored}_scores.csv", "exam,task,probability\n" + scores)
    write_whole(folder / f"scores/{scored}_labels.csv", "exam,task,label\n" + labels)
    shortcut = {"tasks": [{"task": task.value, "auc": 0.625} for task in Task]}
    write_whole(folder / "scores/shortcut.json", json.dumps(shortcut))
    graded = {"exams": 8, "split": "validation", "note": "Graded on eight exams of the tests.", "records": grades()}
    write_whole(folder / "scores/localisation.json", json.dumps(graded))
    write_manifest(
        folder,
        name=name,
        trained_on="synthetic knees, 24 training exams" if synthetic else "MRNet-v1.0 layout, 1130 training exams",
        synthetic=synthetic,
        device="a GPU of the tests",
        commit="0123456789abcdef",
        seconds=5400.0,
        departures=["Epochs: 5 (paper: 50)."],
        warnings=["The network coronal meniscus is constant."],
        seeds={f"{plane}_{task}": 1 for plane in Plane for task in Task},
        stacking="training",
        coefficients=[regression(task, source) for source in ("training", "out-of-fold") for task in Task],
        auc=[],
        trunk={"steps": 30, "seconds": 9.0, "tuning_auc": {"slices, acl": 0.8125}},
    )
    return folder


def regression(task: Task, source: str) -> dict:
    """Over three planes; coronal weighs most for the ACL and axial otherwise, as in the paper."""
    weights = {"sagittal": 1.0, "coronal": 3.0 if task is Task.ACL else 0.5, "axial": 2.0}
    return {
        "source": source,
        "task": task.value,
        "planes": list(weights),
        "intercept": -2.0,
        "coefficients": weights,
        "n": 24,
    }


def grades() -> list[dict]:
    """Grades of the trained and of untrained networks: of all exams, and of subtle and plain lesions."""
    return [
        {
            "network": network,
            "plane": plane.value,
            "task": task.value,
            "by": by,
            "group": group,
            "n": 8,
            "not_visible": 1,
            "pointing_prior": 0.25,
            "pointing_fixed": 0.375,
            "pointing_chance": 0.03,
            "right_slice_chance": 0.2,
            "energy": 0.31 if network == "trained" else None,
            "energy_chance": 0.01,
            "energy_gain": 0.3,
            "energy_gain_lower": 0.2,
            "energy_gain_upper": 0.4,
            "called": 6,
            "called_elsewhere_x": 2,
        }
        | {
            f"{name}{end}": value + shift
            for name, value in (("pointing", 0.625 if network == "trained" else 0.125), ("right_slice", 0.75))
            for end, shift in (("", 0.0), *ENDS[network])
        }
        for network in ("trained", "untrained")
        for plane in Plane
        for task in Task
        for by, group in (("all", "all"), ("severity", "subtle"), ("severity", "plain"))
    ]
