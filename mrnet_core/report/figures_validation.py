"""Figures of a validation as specifications: ROC panels with readers, and calibration curves."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.validation import SHORTCUT_WORDS, TaskValidation, Validation
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.tables import interval, level_name, number
from mrnet_core.stats import OperatingPoint, RocCurve

CONDITIONS = ("unassisted", "assisted")
SHORTCUT = "Shortcut's AUC"
FALSE_POSITIVE_AXIS = Axis("1 − specificity", -0.02, 1.0)
MOST_POINTS = 400
"""A curve with more operating points is drawn by its corners; every point can still be chosen by threshold."""
SENSITIVITY_AXIS = Axis("Sensitivity", 0.0, 1.02)


def roc_figure(
    validation: Validation,
    tasks: Iterable[Task] | None = None,
    *,
    roles: Iterable[str] | None = None,
    conditions: Iterable[str] = CONDITIONS,
    index: int | Mapping[Task, int] | None = None,
) -> FigureSpec:
    """Figure 5: one panel a task, the model's curve, the readers' points, their averages, dashed lines between pairs.

    Parameters
    ----------
    tasks
        Panels; None: all.
    roles
        Reader roles to show; None: all, empty: none.
    conditions
        ``unassisted``, ``assisted`` or both.
    index
        The chosen operating point, marked big: of the one task shown, or by task.
    """
    chosen_tasks = [task for task in validation.tasks if tasks is None or task in set(tasks)]
    known = () if validation.per_reader is None else tuple(dict.fromkeys(validation.per_reader["role"]))
    shown = known if roles is None else tuple(role for role in known if role in set(roles))
    wanted = tuple(condition for condition in CONDITIONS if condition in set(conditions))
    who = "Readers" if shown == known else " and ".join(f"{role}s" for role in shown).capitalize()
    panels, alts = [], []
    for task in chosen_tasks:
        entry = validation.tasks[task]
        at = index.get(task) if isinstance(index, Mapping) else index
        layers = [_guide(), *_model_layers(validation, entry, at)]
        if shown and wanted:
            layers += _reader_layers(validation, task, known, shown, wanted)
        title = f"{task.display_name}: AUC {interval(entry.area.estimate, entry.area.lower, entry.area.upper)}"
        if task in validation.shortcut:
            title += f"\n{SHORTCUT} {number(validation.shortcut[task])}"
        panels.append(Panel(title, FALSE_POSITIVE_AXIS, SENSITIVITY_AXIS, tuple(layers), square=True))
        alts.append(_alt(validation, entry, who, layers))
    readers = " Dashed lines join a reader without and with the model; + and × are macro-averages." if shown else ""
    return FigureSpec(
        "roc" if len(panels) != 1 else f"roc-{chosen_tasks[0]}",
        _title(chosen_tasks) + (", readers without and with the model" if shown else ""),
        tuple(panels),
        " ".join(alts),
        f"AUC with {level_name(validation.level)} DeLong intervals.{readers}{_shortcut_words(validation)}",
        validation.source,
    )


def readers_corner(spec: FigureSpec) -> FigureSpec:
    """The same ROC panels drawn large around the readers: one square part of the axes, the same in every panel."""
    places = [mark for _, _, layer in spec.layers() if layer.role.startswith("reader") for mark in layer.marks]
    if not places:
        return spec
    side = max(max(mark.x for mark in places), 1 - min(mark.y for mark in places)) + 0.04
    x, y = replace(FALSE_POSITIVE_AXIS, high=side), replace(SENSITIVITY_AXIS, low=1.02 - (side + 0.02))
    caption = f"{spec.caption} Part of the ROC square: the axes do not run from 0 to 1."
    return replace(spec, panels=tuple(replace(panel, x=x, y=y) for panel in spec.panels), caption=caption)


def _shortcut_words(validation: Validation) -> str:
    if not validation.shortcut:
        return ""
    return f" {SHORTCUT_WORDS}"


def _title(tasks: list[Task]) -> str:
    return f"{tasks[0].display_name}: ROC curve" if len(tasks) == 1 else "ROC curves"


def _guide() -> Layer:
    return Layer(
        "Chance", "line", "guide", (Mark(0.0, 0.0, label="Chance"), Mark(1.0, 1.0, label="Chance")), legend=False
    )


def _model_layers(validation: Validation, entry: TaskValidation, index: int | None) -> list[Layer]:
    if entry.curve is None:
        return []
    last = len(entry.points) - 1
    named = {entry.marked} | ({index} if index is not None and 0 <= index <= last else set())
    marks = {i: _model_mark(validation, entry, i) for i in _drawn_points(entry.curve, named)}
    layers = [
        Layer("Model", "line", "model", tuple(marks.values())),
        Layer("Threshold 0.5", "points", "model.printed", (marks[entry.marked],)),
    ]
    if index in marks and index in named:
        layers.append(Layer("Chosen point", "points", "model.marked", (marks[index],)))
    return layers


def _model_mark(validation: Validation, entry: TaskValidation, index: int) -> Mark:
    label = f"Model, {_threshold(validation, entry.points[index], index)}\n{_rates(entry.points[index])}"
    curve = entry.curve
    return Mark(
        float(curve.fpr[index]), float(curve.tpr[index]), label=label, key=("index", entry.task.value, str(index))
    )


def _drawn_points(curve: RocCurve, named: set[int]) -> list[int]:
    """Points to draw: all of a small curve; of a big one its corners, which have the same shape."""
    n = len(curve.thresholds)
    if n <= MOST_POINTS:
        return list(range(n))
    fp, tp = np.diff(curve.fp), np.diff(curve.tp)
    turns = np.flatnonzero(fp[1:] * tp[:-1] != fp[:-1] * tp[1:]) + 1
    return sorted({0, n - 1, *(int(i) for i in turns), *named})


def _threshold(validation: Validation, point: OperatingPoint, index: int) -> str:
    if not validation.probabilities:
        return f"operating point {index}"
    return f"threshold {number(point.threshold, 4)}" if np.isfinite(point.threshold) else "nobody called positive"


def _rates(point: OperatingPoint) -> str:
    cells = ((name, getattr(point, name.lower())) for name in ("Specificity", "Sensitivity"))
    return "\n".join(
        f"{name} {value.x}/{value.n} = {interval(value.estimate, value.lower, value.upper)}" for name, value in cells
    )


def _reader_layers(
    validation: Validation, task: Task, known: tuple[str, ...], shown: tuple[str, ...], wanted: tuple[str, ...]
) -> list[Layer]:
    frame = validation.per_reader
    frame = frame[(frame["task"] == task.value) & frame["role"].isin(shown) & (frame["n"] > 0)]
    cells = {(row.reader, row.assisted, row.metric): row for row in frame.itertuples()}
    readers = list(dict.fromkeys(zip(frame["reader"], frame["role"], strict=True)))
    places = {
        (reader, assisted): (
            1 - cells[reader, assisted, "specificity"].estimate,
            cells[reader, assisted, "sensitivity"].estimate,
        )
        for reader, _ in readers
        for assisted in (0, 1)
        if all((reader, assisted, metric) in cells for metric in ("specificity", "sensitivity"))
    }
    layers = []
    if len(wanted) == 2:
        joined = [reader for reader, _ in readers if (reader, 0) in places and (reader, 1) in places]
        marks = tuple(
            Mark(*places[reader, assisted], label=f"Reader {reader}", key=("reader", task.value, str(reader)))
            for reader in joined
            for assisted in (0, 1)
        )
        layers.append(Layer("Same reader", "segments", "pair", marks))
    for role in shown:
        for assisted, condition in enumerate(CONDITIONS):
            if condition not in wanted:
                continue
            marks = tuple(
                Mark(
                    *places[reader, assisted],
                    label=_reader_label(reader, role, cells),
                    key=("reader", task.value, str(reader)),
                )
                for reader, own in readers
                if own == role and (reader, assisted) in places
            )
            name = f"{role.capitalize()}s, {condition}"
            layers.append(Layer(name, "points", f"reader{known.index(role)}.{condition}", marks))
    for assisted, condition in enumerate(CONDITIONS):
        own = [place for (_, which), place in places.items() if which == assisted]
        if condition in wanted and own:
            x, y = np.mean(own, axis=0)
            label = f"Macro-average, {condition}\nSpecificity {number(1 - x)}\nSensitivity {number(y)}"
            layers.append(
                Layer(
                    f"Macro-average, {condition}",
                    "points",
                    f"macro.{condition}",
                    (Mark(float(x), float(y), label=label),),
                )
            )
    return layers


def _reader_label(reader: str, role: str, cells: dict) -> str:
    """Both of a reader's points with their intervals."""
    lines = [f"{role.capitalize()} {reader}"]
    for assisted, condition in enumerate(CONDITIONS):
        for metric in (Metric.SPECIFICITY, Metric.SENSITIVITY):
            row = cells.get((reader, assisted, metric.value))
            if row is not None:
                lines.append(f"{condition} {metric} {row.x}/{row.n} = {interval(row.estimate, row.lower, row.upper)}")
    return "\n".join(lines)


def _alt(validation: Validation, entry: TaskValidation, who: str, layers: Iterable[Layer]) -> str:
    """A panel in words; the averages are those that are drawn, of the readers that ``who`` names."""
    words = f"{entry.task.display_name}: AUC {interval(entry.area.estimate, entry.area.lower, entry.area.upper)}."
    if entry.task in validation.shortcut:
        words += f" {SHORTCUT} {number(validation.shortcut[entry.task])}."
    if entry.points:
        point = entry.points[entry.marked]
        rates = (number(point.specificity.estimate), number(point.sensitivity.estimate))
        words += f" At threshold 0.5 specificity {rates[0]}, sensitivity {rates[1]}."
    for layer in layers:
        if layer.role.startswith("macro."):
            (mark,) = layer.marks
            condition = layer.role.removeprefix("macro.")
            rates = f"specificity {number(1 - mark.x)}, sensitivity {number(mark.y)}"
            words += f" {who} {condition} on average: {rates}."
    return words


def calibration_figure(validation: Validation, tasks: Iterable[Task] | None = None) -> FigureSpec | None:
    """Observed against predicted frequency with Wilson intervals; None where scores are ranks."""
    panels, alts = [], []
    for task, entry in validation.tasks.items():
        if entry.calibration is None or (tasks is not None and task not in set(tasks)):
            continue
        curve = entry.calibration.reliability
        marks = tuple(
            Mark(
                *(float(array[i]) for array in (curve.predicted, curve.observed, curve.lower, curve.upper)),
                label=f"Predicted {number(curve.predicted[i])}, observed {int(curve.x[i])}/{int(curve.n[i])}",
            )
            for i in range(len(curve.predicted))
        )
        diagonal = Layer(
            "Perfect", "line", "guide", (Mark(0.0, 0.0, label="Perfect"), Mark(1.0, 1.0, label="Perfect")), legend=False
        )
        line = Layer(
            "Model", "line", "model", tuple(Mark(mark.x, mark.y, label=mark.label) for mark in marks), legend=False
        )
        panels.append(
            Panel(
                task.display_name,
                Axis("Predicted probability", 0.0, 1.0),
                Axis("Observed frequency", 0.0, 1.02),
                (diagonal, line, Layer("Bins of probability", "points", "difference", marks)),
                square=True,
            )
        )
        brier, slope = entry.calibration.brier, entry.calibration.slope
        alts.append(
            f"{task.display_name}: Brier score {number(brier.estimate)}, calibration slope {number(slope.estimate)}."
        )
    if not panels:
        return None
    return FigureSpec(
        "calibration",
        "Calibration",
        tuple(panels),
        " ".join(alts),
        f"Exams in bins of predicted probability, with Wilson {level_name(validation.level)} intervals; the dotted "
        "line is perfect calibration.",
        validation.source,
    )


def validation_figures(validation: Validation) -> list[FigureSpec]:
    """ROC curves and, where there are probabilities, calibration."""
    return [spec for spec in (roc_figure(validation), calibration_figure(validation)) if spec is not None]
