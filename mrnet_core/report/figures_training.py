"""Figures of a training run as specifications: loss, AUC and spread of the logit by epoch, and the regressions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mrnet_core.domain import COLLAPSED_LOGIT_SD, Plane, Task
from mrnet_core.evaluation.provenance import Provenance
from mrnet_core.paper import MOST_BENEFICIAL
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.tables import number, task_name

FEW_EPOCHS = 4
"""Up to this last epoch every epoch has a tick of its own: a plain axis would show halves."""
OFFSET = 0.14
SOURCES = (("training", "Training-set predictions (the paper's way)"), ("out-of-fold", "Out-of-fold predictions"))
"""The two ways of fitting the regressions, by the word in a RUN's manifest."""
CHOSEN_WORDS = "Marked: the epoch of lowest tuning loss, whose weights are kept."


@dataclass(frozen=True)
class Curve:
    """A figure by epoch. ``key``: column of the tuning exams' figure; ``training``: the training exams', or empty."""

    id: str
    title: str
    axis: str
    key: str
    caption: str
    training: str = ""
    guide: tuple[float, str] | None = None
    floor: float = 0.0
    top: float | None = None


CURVES = {
    "loss": Curve(
        "loss",
        "Loss by epoch",
        "Weighted cross-entropy",
        "tuning_loss",
        f"Tuning exams; dotted or open: training exams. {CHOSEN_WORDS}",
        training="train_loss",
    ),
    "auc": Curve(
        "tuning-auc",
        "AUC on the tuning exams by epoch",
        "AUC",
        "tuning_auc",
        f"{CHOSEN_WORDS} The tuning exams chose the epoch, so this AUC is too good.",
        guide=(0.5, "Chance"),
        floor=0.45,
        top=1.02,
    ),
    "spread": Curve(
        "logit-sd",
        "Spread of the answers by epoch",
        "SD of the logit",
        "logit_sd",
        f"Standard deviation over the tuning exams. Below {COLLAPSED_LOGIT_SD} (dotted) a network gives every exam one "
        "answer.",
        guide=(COLLAPSED_LOGIT_SD, "Constant below this"),
    ),
}


def curve_figure(epochs: pd.DataFrame, curve: Curve, source: Provenance) -> FigureSpec | None:
    """One panel a task, one line a network and seed; None where no epoch has the figure.

    Parameters
    ----------
    epochs
        One row an epoch, columns as in ``mrnet_core.training.history``.
    """
    known = epochs[epochs[curve.key].notna()]
    if known.empty:
        return None
    columns = [curve.key, *filter(None, [curve.training])]
    low = min(curve.floor, float(known[columns].min().min()) - 0.02)
    high = curve.top if curve.top is not None else float(known[columns].max().max()) * 1.06 + 0.01
    single = known["epoch"].nunique() == 1
    x = _plane_axis() if single else _epoch_axis(known)
    panels = tuple(
        Panel(task.display_name, x, Axis(curve.axis, low, high), _layers(rows, curve, x, single))
        for task in Task
        if len(rows := known[known["task"] == task.value])
    )
    chosen = known[known["chosen"]]
    alt = f"{curve.title}. At the chosen epoch: " + "; ".join(
        f"{_name(row)} {number(row[curve.key])} (epoch {row['epoch']})" for row in chosen.to_dict("records")
    )
    only = f" There is one epoch only, number {int(known['epoch'].iloc[0])}." if single else ""
    chart = "line" if x.ticks else "scatter"  # a slide's line chart needs categories
    return FigureSpec(curve.id, curve.title, panels, alt + ".", curve.caption + only, source, chart=chart)


def _layers(rows: pd.DataFrame, curve: Curve, x: Axis, single: bool) -> tuple[Layer, ...]:
    layers, marked, training = [], [], []
    for (plane, _), run in rows.groupby(["plane", "seed"], sort=False):
        place = list(Plane).index(Plane(plane))
        records = run.sort_values("epoch").to_dict("records")
        kind = "points" if single else "line"
        if curve.training:
            marks = tuple(_mark(one, curve.training, place, single, "training exams") for one in records)
            training.append(Layer("Training exams", kind, f"plane{place}.training", marks))
        marks = tuple(_mark(one, curve.key, place, single, "tuning exams") for one in records)
        layers.append(Layer(Plane(plane).display_name, kind, f"plane{place}", marks))
        marks = tuple(_mark(one, curve.key, place, single, "chosen") for one in records if one["chosen"])
        if marks and not single:
            marked.append(Layer("Chosen epoch", "points", f"plane{place}.chosen", marks))
    order = sorted(layers, key=lambda layer: layer.role)
    guide = [_guide(curve.guide, x)] if curve.guide else []
    return (*order, *training, *guide, *marked)


def _mark(record: dict, key: str, place: int, single: bool, which: str) -> Mark:
    label = f"{_name(record)}, epoch {record['epoch']}, {which}\n{key.replace('_', ' ')} {number(record[key])}"
    return Mark(float(place if single else record["epoch"]), record[key], label=label)


def _name(record: dict) -> str:
    return f"{Plane(record['plane']).display_name} {task_name(record['task'])}, seed {record['seed']}"


def _guide(guide: tuple[float, str], x: Axis) -> Layer:
    marks = tuple(Mark(at, guide[0], label=guide[1]) for at in (x.low, x.high))
    return Layer(guide[1], "line", "guide", marks)


def _plane_axis() -> Axis:
    ticks = tuple((float(place), plane.display_name) for place, plane in enumerate(Plane))
    return Axis("Plane", -0.5, len(Plane) - 0.5, ticks)


def _epoch_axis(rows: pd.DataFrame) -> Axis:
    first, last = int(rows["epoch"].min()), int(rows["epoch"].max())
    ticks = tuple((float(epoch), f"Epoch {epoch}") for epoch in range(first, last + 1)) if last <= FEW_EPOCHS else ()
    room = 0.03 * (last - first) + 0.05
    return Axis("Epoch", first - room, last + room, ticks)


def regression_figure(coefficients: Sequence[dict], source: Provenance) -> FigureSpec | None:
    """Coefficients of the regressions over every plane, both ways of fitting; None where there is no regression.

    Parameters
    ----------
    coefficients
        Records of a RUN's manifest: ``source, task, planes, intercept, coefficients, n``.
    """
    if not coefficients:
        return None
    most = max(len(record["planes"]) for record in coefficients)
    whole = [record for record in coefficients if len(record["planes"]) == most]
    values = [value for record in whole for value in record["coefficients"].values()]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.08 * (high - low or 1.0)
    planes = [plane for plane in Plane if plane.value in whole[0]["coefficients"]]
    rows = Axis(
        "Plane", len(planes) - 0.5, -0.5, tuple((float(i), plane.display_name) for i, plane in enumerate(planes))
    )
    x = Axis("Coefficient", low - room, high + room)
    panels, alts = [], []
    for task in Task:
        own = {record["source"]: record for record in whole if record["task"] == task.value}
        if not own:
            continue
        zero = tuple(Mark(0.0, end, label="No weight") for end in (-0.5, len(planes) - 0.5))
        layers = [Layer("No weight", "line", "guide", zero, legend=False)]
        for place, (word, name) in enumerate(SOURCES):
            if word in own:
                layers.append(_coefficients(own[word], name, place, planes))
                alts.append(f"{task.display_name}, {word}: {_numbers(own[word])}")
        panels.append(Panel(task.display_name, x, rows, tuple(layers)))
    return FigureSpec(
        "regressions",
        "Weight of each plane",
        tuple(panels),
        "Coefficients of the logistic regressions over the planes. " + "; ".join(alts) + ".",
        "Coefficients on the probabilities of each plane's network. The out-of-fold ones come from predictions of "
        "exams that the network's last layer had not seen.",
        source,
        chart="bar",
    )


def _coefficients(record: dict, name: str, place: int, planes: Sequence[Plane]) -> Layer:
    marks = tuple(
        Mark(
            float(record["coefficients"][plane.value]),
            row + OFFSET * (2 * place - 1),
            label=f"{plane.display_name}, {name}: {number(record['coefficients'][plane.value], 2)}",
        )
        for row, plane in enumerate(planes)
    )
    return Layer(name, "points", ("difference", "difference.other")[place], marks)


def _numbers(record: dict) -> str:
    return ", ".join(f"{plane} {number(value, 2)}" for plane, value in record["coefficients"].items())


def regression_words(coefficients: Sequence[dict], stacking: str) -> str:
    """Which plane weighs most in each task here, and in the paper."""
    most = max((len(record["planes"]) for record in coefficients), default=0)
    found = {
        Task(record["task"]): Plane(max(record["coefficients"], key=record["coefficients"].get))
        for record in coefficients
        if len(record["planes"]) == most and record["source"] == stacking
    }
    here, paper = (
        ", ".join(f"{plane} for {_in_a_sentence(task)}" for task, plane in planes.items())
        for planes in (found, MOST_BENEFICIAL)
    )
    return f"Largest coefficient in this run: {here or 'none'}. In the paper: {paper} (Methods)."


def _in_a_sentence(task: Task) -> str:
    """The task's name with a small letter, unless it begins with an abbreviation."""
    name = task.display_name
    return name if name[:2].isupper() else name.lower()
