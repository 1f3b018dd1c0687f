"""Tables of a training run for people, and the exact frames that are handed out as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mrnet_core.config import TrainConfig
from mrnet_core.domain import COLLAPSED_LOGIT_SD, Plane, Task
from mrnet_core.evaluation.validation import Validation
from mrnet_core.report.tables import interval, level_name, number, task_name

KEY = ["plane", "task", "seed"]


def run_card(fields: Mapping[str, Any], config: TrainConfig | None) -> dict[str, str]:
    """What to say of a run, by label; what is not known is left out."""
    card = {"Model": str(fields["name"]), "Trained on": str(fields.get("trained_on", ""))}
    if config is not None:
        seeds = len(config.seeds)
        card["Networks"] = (
            f"{len(config.planes) * len(config.tasks)}, {seeds} seed{'s' * (seeds > 1)} each; "
            f"{config.epochs} epoch{'s' * (config.epochs != 1)}"
        )
        card["Start"] = {
            "imagenet": "ImageNet's weights",
            "random": "random weights",
            "cells": "a trunk trained on dense labels of synthetic knees",
        }.get(config.initialisation, f"the weights of {Path(config.initialisation).name}")
        if config.head_first:
            card["Start"] += "; epoch 0 fits the last layer alone"
    seconds = fields.get("seconds")
    card["Device"] = str(fields.get("device", ""))
    card["Training time"] = "" if seconds is None else f"{duration(float(seconds))} of steps, the trunk's included"
    card["Regressions fitted on"] = {
        "training": "training-set predictions, as in the paper",
        "out-of-fold": "out-of-fold predictions of refitted last layers",
    }.get(fields.get("stacking", ""), "")
    if "stacking" in fields and config is not None and len(config.planes) == 1:
        card["Regressions fitted on"] = "nothing: one plane has no regression"
    card["Made"] = str(fields.get("created", ""))
    card["Commit"] = commit_words(fields)
    card["Version"] = " · ".join(filter(None, (str(fields.get("version", "")), str(fields.get("engine", "")))))
    return {label: words for label, words in card.items() if words}


def commit_words(fields: Mapping[str, Any], digits: int = 12) -> str:
    """Commits of the networks, and of joining them where it differs: so many digits, and ``+changes`` behind them."""
    trained, joined = (
        ", ".join(one[:digits] + one[40:] for one in str(fields.get(key, "")).split(", "))
        for key in ("commit", "ensemble_commit")
    )
    return "; ".join(filter(None, (trained, f"joined at {joined}" if joined not in ("", trained) else "")))


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def network_summary(epochs: pd.DataFrame) -> pd.DataFrame:
    """One exact row a network and seed, in the order of ``epochs``: its chosen epoch's figures, median speed, seconds.

    The speed is that of the epochs that trained the whole network, or of epoch 0 where there is no other.
    """
    rows = []
    for key, run in epochs.groupby(KEY, sort=False):
        chosen = run[run["chosen"]].iloc[-1] if run["chosen"].any() else run.iloc[-1]
        trained = run[run["epoch"] > 0]
        speed = (trained if len(trained) else run)["exams_per_second"].median()
        rows.append(
            (
                *key,
                *(int(run["epoch"].max()), int(chosen["epoch"])),
                *(chosen[name] for name in ("train_loss", "tuning_loss", "tuning_auc", "logit_sd")),
                *(speed, float(run["seconds"].sum())),
            )
        )
    columns = [*KEY, "last_epoch", "chosen_epoch", "train_loss", "tuning_loss", "tuning_auc", "logit_sd"]
    return pd.DataFrame(rows, columns=[*columns, "exams_per_second", "seconds"])


def networks_frame(summary: pd.DataFrame, kept: dict[str, int]) -> pd.DataFrame:
    """``network_summary`` as texts; ``kept``: the seed whose weights are in the model, by ``plane_task``."""
    rows = []
    for row in summary.to_dict("records"):
        spread = number(row["logit_sd"], 2) + (" constant" if is_constant(row["logit_sd"]) else "")
        cells = {
            "Task": task_name(row["task"]),
            "Plane": Plane(row["plane"]).display_name,
            "Seed": row["seed"],
            "Epochs": row["last_epoch"],
            "Chosen": row["chosen_epoch"],
            "Tuning loss": number(row["tuning_loss"]),
            "Tuning AUC": number(row["tuning_auc"]),
            "SD of the logit": spread,
            "Exams a second": number(row["exams_per_second"], 1),
            "Seconds (its share)": number(row["seconds"], 0),
        }
        if kept:
            cells["In the model"] = "yes" if kept.get(f"{row['plane']}_{row['task']}") == row["seed"] else "no"
        rows.append(cells)
    return pd.DataFrame(rows)


def is_constant(spread: float | None) -> bool:
    """True where the spread of a network's logit says that it gives every exam the same answer."""
    return spread is not None and not pd.isna(spread) and spread < COLLAPSED_LOGIT_SD


def constant_words(summary: pd.DataFrame) -> list[str]:
    """One sentence for each network that is constant at its chosen epoch."""
    return [
        f"The network {row['plane']} {row['task']}, seed {row['seed']}, is constant: over the tuning exams its logit "
        f"varies by {number(row['logit_sd'])} (SD), below {COLLAPSED_LOGIT_SD}. It says nothing."
        for row in summary.to_dict("records")
        if is_constant(row["logit_sd"])
    ]


def coefficients_frame(coefficients: Sequence[dict]) -> pd.DataFrame:
    """Every regression, exact: one row each set of planes, task and way of fitting."""
    rows = [
        {
            "fitted_on": record["source"],
            "task": record["task"],
            "planes": " + ".join(record["planes"]),
            "intercept": record["intercept"],
            **{plane.value: record["coefficients"].get(plane.value) for plane in Plane},
            "n": record["n"],
        }
        for record in coefficients
    ]
    return pd.DataFrame(rows)


def coefficients_text(frame: pd.DataFrame) -> pd.DataFrame:
    """``coefficients_frame`` as texts."""
    if frame.empty:
        return frame
    shown = frame.assign(task=frame["task"].map(task_name))
    for name in ("intercept", *(plane.value for plane in Plane)):
        shown[name] = [number(value, 2) for value in frame[name]]
    names = {"fitted_on": "Fitted on", "n": "Exams"} | {name: name.capitalize() for name in shown}
    return shown.rename(columns=names | {"fitted_on": "Fitted on", "n": "Exams"})


def networks_auc_text(aucs: pd.DataFrame) -> pd.DataFrame:
    """AUC of each network and of both ensembles as texts: a row each, a column for tuning and validation exams."""
    rows: dict[tuple[str, str], dict] = {}
    for row in aucs.to_dict("records"):
        name = row["model"][:1].upper() + row["model"][1:]
        cells = rows.setdefault((row["task"], name), {"Task": task_name(row["task"]), "Model": name})
        cells[f"{row['split'].capitalize()} AUC"] = number(row["auc"])
        cells[f"{row['split'].capitalize()} +/−"] = f"{row['n_pos']}/{row['n_neg']}"
    return pd.DataFrame(list(rows.values()))


def validation_auc_text(validation: Validation) -> pd.DataFrame:
    """AUC on the validation exams with its interval, the shortcut's beside it where there is one, as texts."""
    rows = []
    for task, entry in validation.tasks.items():
        cells = {
            "Task": task.display_name,
            f"AUC ({level_name(validation.level)} CI)": interval(
                entry.area.estimate, entry.area.lower, entry.area.upper
            ),
        }
        if validation.shortcut:
            cells["Shortcut's AUC"] = number(validation.shortcut.get(task))
        rows.append(cells | {"Positive": entry.n_pos, "Negative": entry.n_neg})
    return pd.DataFrame(rows)


def trunk_frame(figures: Mapping[str, float | None]) -> pd.DataFrame:
    """AUCs of the trunk's read-outs on tuning slices, as texts."""
    return pd.DataFrame([{"What": name, "AUC": number(value)} for name, value in figures.items()])


def grades_frame(grades: pd.DataFrame, task: Task | None, by: str) -> pd.DataFrame:
    """Heatmap grades of one grouping as texts: a row each network, group and measure, with its yardsticks.

    ``task``: of which the groups are; None for all tasks.
    """
    chosen = grades[grades["by"] == by]
    if task is not None:
        chosen = chosen[chosen["task"] == task.value]
    order = {word.value: place for words in (Plane, Task) for place, word in enumerate(words)}
    chosen = chosen.sort_values(["task", "plane"], key=lambda column: column.map(order), kind="stable")
    others = {_key(row): row for row in chosen[chosen["network"] == "untrained"].to_dict("records")}
    rows = []
    for row in chosen[chosen["network"] == "trained"].to_dict("records"):
        first = {"Task": task_name(row["task"]), "Plane": Plane(row["plane"]).display_name}
        if by != "all":
            first["Lesions"] = row["group"]
        hidden = f" (+ {row['not_visible']} not visible in this plane)" if row["not_visible"] else ""
        first["Exams"] = f"{row['n']}{hidden}"
        rows += [first | cells for cells in _measures(row, others.get(_key(row), {}))]
    return pd.DataFrame(rows)


def _key(row: dict) -> tuple[str, str, str]:
    return row["plane"], row["task"], row["group"]


def _measures(row: dict, other: dict) -> list[dict[str, str]]:
    """The three measures of one record, as cells."""
    elsewhere = f"called in {int(row['called'])}; in {int(row['called_elsewhere_x'])} of them the hot spot missed"
    table = (
        ("Pointing game", "pointing", _interval(row, "pointing"), elsewhere),
        ("Right slice", "right_slice", _interval(row, "right_slice"), ""),
        ("Energy inside", "energy", number(row["energy"]), f"gain over chance {_interval(row, 'energy_gain')}"),
    )
    return [
        {
            "Measure": name,
            "Trained (95% CI)": trained,
            "Untrained (range)": _range(other, key),
            "Prior": number(row["pointing_prior"]) if key == "pointing" else "",
            "Fixed place": number(row.get("pointing_fixed")) if key == "pointing" else "",
            "Chance": number(row[f"{key}_chance"]),
            "Note": note,
        }
        for name, key, trained, note in table
    ]


def _range(row: dict, name: str) -> str:
    """The mean of random draws and their range; of a single draw its value."""
    bounds = [row.get(f"{name}_{end}") for end in ("lowest", "highest")]
    if None in (row.get(name), *bounds):
        return number(row.get(name))
    return f"{number(row[name])} ({number(bounds[0])} to {number(bounds[1])})"


def _interval(row: dict, name: str) -> str:
    values = (row[key] for key in (name, f"{name}_lower", f"{name}_upper"))
    return interval(*(float("nan") if value is None else float(value) for value in values))
