"""Heatmap grades as a figure: three measures side by side, a row each network or group of lesions."""

from dataclasses import dataclass

import pandas as pd

from mrnet_core.domain import Plane, Task
from mrnet_core.evaluation.provenance import Provenance
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.tables import number, task_name

OFFSET = 0.16
"""Distance, in rows, between two layers that share a row."""
GROUPINGS = {"all": "All exams", "type": "Kind of lesion", "severity": "Severity", "grade": "Grade"}
"""How exams are grouped, by the word in a RUN's grades."""


@dataclass(frozen=True)
class Measure:
    """A measure's column, title, and the columns of what it is held against."""

    key: str
    title: str
    chance: str
    prior: str = ""
    fixed: str = ""
    has_interval: bool = True


MEASURES = (
    Measure("pointing", "Pointing game", "pointing_chance", "pointing_prior", "pointing_fixed"),
    Measure("right_slice", "Right slice", "right_slice_chance"),
    Measure("energy", "Energy inside the lesion", "energy_chance", has_interval=False),
)


def heatmap_figure(grades: pd.DataFrame, task: Task, by: str, source: Provenance) -> FigureSpec | None:
    """The grades of every network (``by="all"``) or of one task's lesions by group; None where there is none.

    Parameters
    ----------
    grades
        Records of ``mrnet_core.evaluation.localisation``.
    """
    chosen = grades[(grades["by"] == by) & (grades["n"] > 0)]
    if by != "all":
        chosen = chosen[chosen["task"] == task.value]
    trained = _ordered(chosen[chosen["network"] == "trained"])
    if trained.empty:
        return None
    keys = [(row["task"], row["plane"], row["group"]) for row in trained.to_dict("records")]
    names = [_row_name(row, by) for row in trained.to_dict("records")]
    ticks = tuple((float(i), name) for i, name in enumerate(names))
    rows = Axis("Network and lesions", len(names) - 0.4, -0.6, ticks)
    untrained = {
        (row["task"], row["plane"], row["group"]): row
        for row in chosen[chosen["network"] == "untrained"].to_dict("records")
    }
    records = trained.to_dict("records")
    others = [untrained.get(key, {}) for key in keys]
    panels = tuple(
        Panel(measure.title, Axis("Proportion", -0.02, 1.02), rows, _layers(measure, records, others, names))
        for measure in MEASURES
    )
    title = "Do the heatmaps point at the lesion?"
    if by != "all":
        title += f" {task.display_name}, by {GROUPINGS[by].lower()}"
    return FigureSpec(
        "heatmaps" if by == "all" else f"heatmaps-{task}-{by}",
        title,
        panels,
        _alt(records, others, names),
        "Exams with the finding, by the truth. Intervals: Wilson 95%. Untrained: mean and range of random draws. "
        "Prior: the same hot spot tested on other exams' lesions. Fixed place: the one that hits most of the other "
        "exams' lesions. Chance: a cell of the knee (a slice; the lesion's share of the knee) taken blindly.",
        source,
        chart="bar",
    )


def _layers(measure: Measure, records: list[dict], others: list[dict], names: list[str]) -> tuple[Layer, ...]:
    columns = (
        ("Trained", "grade.trained", records, measure.key),
        ("Untrained", "grade.untrained", others, measure.key),
        ("Prior", "grade.prior", records, measure.prior),
        ("Fixed place", "grade.fixed", records, measure.fixed),
        ("Chance", "grade.chance", records, measure.chance),
    )
    layers = []
    for place, (name, role, rows, key) in enumerate(columns):
        marks = []
        for row_number, row in enumerate(rows):
            value = row.get(key)
            if not key or value is None or pd.isna(value):
                continue
            bounds = [None, None]
            if name == "Trained" and measure.has_interval:
                bounds = [row[f"{key}_lower"], row[f"{key}_upper"]]
            elif name == "Untrained":
                bounds = [row.get(f"{key}_lowest"), row.get(f"{key}_highest")]
            words = f"{names[row_number]}\n{name}, {measure.title.lower()}: {number(value)}"
            if bounds[0] is not None:
                words += f" ({number(bounds[0])}{',' if name == 'Trained' else ' to'} {number(bounds[1])})"
            marks.append(Mark(float(value), row_number + OFFSET * (place - 2), *bounds, label=words))
        if marks:
            layers.append(Layer(name, "points", role, tuple(marks), interval="x"))
    return tuple(layers)


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """By task, then plane in the project's order; groups as the grades give them."""
    order = {word.value: place for words in (Plane, Task) for place, word in enumerate(words)}
    return frame.sort_values(["task", "plane"], key=lambda column: column.map(order), kind="stable")


def _row_name(row: dict, by: str) -> str:
    plane = Plane(row["plane"]).display_name
    what = task_name(row["task"]) if by == "all" else row["group"].capitalize()
    return f"{what}, {plane.lower()} ({row['n']})"


def _alt(records: list[dict], others: list[dict], names: list[str]) -> str:
    parts = [
        f"{name}: {number(row['pointing'])} (untrained {number(other.get('pointing'))}, prior "
        f"{number(row['pointing_prior'])}, fixed place {number(row.get('pointing_fixed'))}, chance "
        f"{number(row['pointing_chance'])})"
        for row, other, name in zip(records, others, names, strict=True)
    ]
    return "Pointing game, right slice and energy inside the lesion. Pointing game: " + "; ".join(parts) + "."
