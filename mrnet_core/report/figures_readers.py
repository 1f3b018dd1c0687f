"""Figures of a reader study as specifications: differences, slopes, forests, agreement, MRMC, crossover."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.published import PublishedEvidence
from mrnet_core.evaluation.readers import ReaderEvidence
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.tables import interval, level_name, metric_name, number, p_text, task_name
from mrnet_core.report.tables_readers import level_of

Evidence = PublishedEvidence | ReaderEvidence
CONDITIONS = ("unassisted", "assisted")
OFFSET = 0.22
"""Distance, in rows, between two layers that share a row."""


def difference_figure(evidence: Evidence) -> FigureSpec:
    """Figure 6: mean change of each metric with assistance, with intervals, one panel a task."""
    frame = _defined(evidence.table3, "mean_difference")
    low, high = _span(frame, ("lower", "upper", "mean_difference"))
    panels = []
    for task in _tasks(frame):
        rows = frame[frame["task"] == task.value].reset_index(drop=True)
        ticks = tuple((float(i), Metric(word).display_name) for i, word in enumerate(rows["metric"]))
        marks = tuple(
            Mark(float(i), row.mean_difference, row.lower, row.upper, _difference_label(row))
            for i, row in enumerate(rows.itertuples())
        )
        panels.append(
            Panel(
                task.display_name,
                Axis("Metric", -0.6, len(rows) - 0.4, ticks),
                Axis("Assisted − unassisted", low, high),
                (
                    _rule(-0.6, len(rows) - 0.4, horizontal=True),
                    Layer("Mean difference", "points", "difference", marks),
                ),
            )
        )
    best = frame.loc[frame["q_bh27"].idxmin()] if frame["q_bh27"].notna().any() else None
    alt = (
        "Mean change of specificity, sensitivity and accuracy with assistance over "
        f"{_count(frame)} readers, with {_percent(evidence)} intervals."
    )
    if best is not None:
        alt += (
            f" Smallest q: {task_name(best['task'])}, {best['metric']}, "
            f"{interval(best['mean_difference'], best['lower'], best['upper'])}, q {p_text(best['q_bh27'])}."
        )
    return FigureSpec(
        "difference",
        "Change with model assistance",
        tuple(panels),
        alt,
        f"Mean over readers of assisted minus unassisted, with two-sided {_percent(evidence)} t intervals (Figure 6 of "
        "the paper).",
        evidence.source,
        chart="bar",
    )


def slope_figure(
    evidence: Evidence, task: Task, metric: Metric | None = None, *, roles: Iterable[str] | None = None
) -> FigureSpec:
    """Every reader's change of a metric (None: one panel each of all three), and the readers' mean."""
    frame = evidence.per_reader
    words = tuple(dict.fromkeys(frame["role"]))
    shown = words if roles is None else tuple(role for role in words if role in set(roles))
    frame = frame[(frame["task"] == task.value) & frame["role"].isin(shown) & (frame["n"] > 0)]
    metrics = tuple(Metric) if metric is None else (metric,)
    axis = Axis("Condition", -0.25, 1.25, ((0.0, "Unassisted"), (1.0, "Assisted")))
    own = frame[frame["metric"].isin([entry.value for entry in metrics])]
    low = max(0.0, float(np.floor(own["estimate"].min() * 20 - 1) / 20)) if len(own) else 0.0
    panels, words_alt = [], []
    for entry in metrics:
        layers, changes = _slopes(frame[frame["metric"] == entry.value], words)
        panels.append(Panel(entry.display_name, axis, Axis(entry.display_name, low, 1.01), layers))
        up, down = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
        words_alt.append(f"{entry.display_name}: {up} of {len(changes)} readers higher when assisted, {down} lower")
    return FigureSpec(
        f"slope-{task}" + (f"-{metric}" if metric else ""),
        f"{task.display_name}: each reader without and with the model",
        tuple(panels),
        f"{task.display_name}. " + "; ".join(words_alt) + ".",
        "Each line is one reader; the thick line is the mean over readers.",
        evidence.source,
        chart="line",
    )


def _slopes(frame: pd.DataFrame, roles: Sequence[str]) -> tuple[tuple[Layer, ...], list[float]]:
    layers, changes, seen, ends = [], [], set(), []
    for (reader, role), rows in frame.groupby(["reader", "role"], sort=False):
        rows = rows.sort_values("assisted")
        if len(rows) < 2:
            continue
        first, last = rows["estimate"]
        changes.append(float(last - first))
        ends.append((first, last))
        marks = tuple(
            Mark(
                float(row.assisted),
                row.estimate,
                label=_slope_label(row),
                key=("reader", str(row.task), str(reader)),
            )
            for row in rows.itertuples()
        )
        layers.append(
            Layer(
                role.capitalize(), "line", f"reader{list(roles).index(role)}.assisted", marks, legend=role not in seen
            )
        )
        seen.add(role)
    if ends:
        means = np.mean(ends, axis=0)
        marks = tuple(
            Mark(float(i), float(mean), label=f"Mean, {CONDITIONS[i]}: {number(mean)}") for i, mean in enumerate(means)
        )
        layers.append(Layer("Mean", "line", "mean", marks))
    return tuple(layers), changes


def _slope_label(row) -> str:
    estimate = interval(row.estimate, row.lower, row.upper)
    return f"{row.role.capitalize()} {row.reader}, {CONDITIONS[row.assisted]}: {row.x}/{row.n}, {estimate}"


def forest_table2(evidence: Evidence) -> FigureSpec | None:
    """The model and the unassisted readers of Table 2, a row each task and metric; None without a model."""
    frame = evidence.table2.reset_index(drop=True)
    if frame.empty:
        return None
    role = evidence.main_role if isinstance(evidence, ReaderEvidence) else "radiologist"
    readers = f"Unassisted {role}s"
    by_exam = "rad_boot_lower" in frame
    layers = [
        _row_layer("Model at 0.5", "model", frame, "model", ("model_lower", "model_upper"), -OFFSET),
        _row_layer(
            f"{readers}, reads pooled",
            "difference.other",
            frame,
            "rad",
            ("rad_lower", "rad_upper"),
            0.0 if by_exam else OFFSET,
        ),
    ]
    if by_exam:
        layers.append(
            _row_layer(f"{readers}, by exam", "difference", frame, "rad", ("rad_boot_lower", "rad_boot_upper"), OFFSET)
        )
    low = min(frame[["model_lower", "rad_lower"]].min())
    return FigureSpec(
        "table2",
        f"Model against unassisted {role}s",
        (Panel("", Axis("Proportion", max(0.0, low - 0.03), 1.01), _rows_axis(frame), tuple(layers)),),
        "Specificity, sensitivity and accuracy of the model at threshold 0.5 beside the readers', with "
        f"{_percent(evidence)} intervals. " + _smallest(frame, "p_yates"),
        f"Wilson {_percent(evidence)} intervals."
        + (" By exam: resampling exams with all their reads." if by_exam else ""),
        evidence.source,
        chart="bar",
    )


def forest_table3(evidence: Evidence, *, role: str | None = None) -> FigureSpec:
    """Differences of Table 3, with the main role's own (S4) beside where there is one; ``role="main"``: S4 alone."""
    all_readers, main = evidence.table3.reset_index(drop=True), evidence.s4.reset_index(drop=True)
    word = evidence.main_role if isinstance(evidence, ReaderEvidence) else "radiologist"
    parts = [("All readers", "difference", all_readers), (f"{word.capitalize()}s only", "difference.other", main)]
    parts = [part for part in parts if len(part[2]) and not (role == "main" and part[0] == "All readers")]
    frame = parts[0][2]
    layers = [
        _row_layer(name, look, rows, "mean_difference", ("lower", "upper"), OFFSET * (i - (len(parts) - 1) / 2))
        for i, (name, look, rows) in enumerate(parts)
    ]
    low, high = _span(pd.concat([part[2] for part in parts]), ("lower", "upper"))
    return FigureSpec(
        "table3",
        "Assisted minus unassisted",
        (Panel("", Axis("Mean difference", low, high), _rows_axis(frame), (_rule(-0.5, len(frame) - 0.5), *layers)),),
        f"Mean change of each metric with assistance, with {_percent(evidence)} intervals. "
        + _smallest(frame, "p_one_tailed"),
        f"Two-sided {_percent(evidence)} t intervals over readers; the paper's p is one-tailed.",
        evidence.source,
        chart="bar",
    )


def mrmc_figure(evidence: ReaderEvidence, readers: str | None = None) -> FigureSpec | None:
    """The paper's t-test beside Obuchowski-Rockette and U-statistics; None where there is no MRMC answer."""
    summary = evidence.mrmc_summary
    if summary.empty:
        return None
    chosen = readers or summary["readers"].iloc[0]
    frame = summary[(summary["readers"] == chosen) & summary["difference"].notna()].reset_index(drop=True)
    if frame.empty:
        return None
    ways = (
        ("Paired t (exams fixed)", "difference.other", "t"),
        ("Obuchowski-Rockette", "difference", "or"),
        ("U-statistics", "difference.third", "u"),
    )
    layers = [
        _row_layer(name, look, frame, "difference", (f"{way}_lower", f"{way}_upper"), OFFSET * (i - 1))
        for i, (name, look, way) in enumerate(ways)
    ]
    low, high = _span(frame, tuple(f"{way}_{end}" for _, _, way in ways for end in ("lower", "upper")))
    return FigureSpec(
        "mrmc",
        f"Readers and exams both as samples ({chosen.replace('_', ' ')})",
        (
            Panel(
                "",
                Axis("Assisted − unassisted", low, high),
                _rows_axis(frame),
                (_rule(-0.5, len(frame) - 0.5), *layers),
            ),
        ),
        f"Change with assistance, with {_percent(evidence)} intervals of the paper's t-test, Obuchowski-Rockette and "
        "U-statistics.",
        f"AUC rests on the readers' confidence. Two-sided {_percent(evidence)} intervals.",
        evidence.source,
        chart="bar",
    )


def kappa_figure(evidence: ReaderEvidence) -> FigureSpec | None:
    """Exact Fleiss kappa of the reference's raters and of all readers in both conditions; None without reads."""
    frame = evidence.kappa
    if frame.empty or frame["kappa_exact"].isna().all():
        return None
    experts = next(name for name in frame["set"] if name.startswith("experts"))
    tasks = _tasks(frame)
    layers = []
    for name, look, own in (
        ("Reference raters", "macro.unassisted", frame[frame["set"] == "reference_raters"]),
        ("Readers, unassisted", "reader0.unassisted", frame[(frame["set"] == experts) & (frame["assisted"] == 0)]),
        ("Readers, assisted", "reader0.assisted", frame[(frame["set"] == experts) & (frame["assisted"] == 1)]),
    ):
        values = own.set_index("task")["kappa_exact"].dropna()
        marks = tuple(
            Mark(
                float(values[task.value]), float(i), label=f"{name}, {task.display_name}: {number(values[task.value])}"
            )
            for i, task in enumerate(tasks)
            if task.value in values
        )
        layers += [Layer(name, "points", look, marks)] if marks else []
    ticks = tuple((float(i), task.display_name) for i, task in enumerate(tasks))
    low = min(0.0, float(frame["kappa_exact"].min()) - 0.05)
    return FigureSpec(
        "kappa",
        "Agreement between readers",
        (Panel("", Axis("Exact Fleiss kappa", low, 1.02), Axis("Task", len(tasks) - 0.5, -0.5, ticks), tuple(layers)),),
        "; ".join(mark.label for layer in layers for mark in layer.marks) + ".",
        "Exact Fleiss kappa is Conger's kappa; an exam with a missing read is left out.",
        evidence.source,
        chart="bar",
    )


def crossover_figure(evidence: ReaderEvidence) -> FigureSpec | None:
    """Period and carry-over effects with intervals, one panel each; None where there is no crossover."""
    whole = _defined(evidence.crossover, "estimate") if len(evidence.crossover) else evidence.crossover
    if whole.empty:
        return None
    panels = []
    titles = {
        "period": "Period: second − first",
        "carry_over": "Carry-over: assisted − unassisted",
        "assistance": "Assistance, free of period",
    }
    for effect, title in titles.items():
        frame = whole[whole["effect"] == effect].reset_index(drop=True)
        if frame.empty:
            continue
        low, high = _span(frame, ("lower", "upper", "estimate"))
        layers = (
            _rule(-0.5, len(frame) - 0.5),
            _row_layer("Effect", "difference", frame, "estimate", ("lower", "upper"), 0.0),
        )
        panels.append(Panel(title, Axis("Effect", low, high), _rows_axis(frame), layers))
    found = whole[whole["p"] < 0.05]
    alt = f"Period, carry-over and assistance effects with {_percent(evidence)} intervals. "
    alt += f"{len(found)} of {len(whole)} have p below 0.05: " if len(found) else "None has p below 0.05."
    alt += ", ".join(f"{row.effect.replace('_', '-')} {task_name(row.task)} {row.metric}" for row in found.itertuples())
    return FigureSpec(
        "crossover",
        "Did the order of reading matter?",
        tuple(panels),
        alt,
        "Two-sample t tests over readers. A carry-over effect cannot be told from a difference between the groups.",
        evidence.source,
        chart="bar",
    )


def reader_figures(evidence: ReaderEvidence) -> list[FigureSpec]:
    """Every figure that a reader study allows."""
    specs: list[FigureSpec | None] = [forest_table2(evidence)]
    if evidence.table3["mean_difference"].notna().any():
        tasks = [task for task in Task if task.value in set(evidence.per_reader["task"])]
        specs += [difference_figure(evidence), forest_table3(evidence)]
        specs += [slope_figure(evidence, task) for task in tasks]
    specs += [kappa_figure(evidence), mrmc_figure(evidence), crossover_figure(evidence)]
    return [spec for spec in specs if spec is not None]


def _percent(evidence: Evidence) -> str:
    return level_name(level_of(evidence))


def _row_layer(name: str, role: str, frame: pd.DataFrame, value: str, bounds: tuple[str, str], offset: float) -> Layer:
    marks = tuple(
        Mark(
            float(row[value]),
            i + offset,
            *(None if not np.isfinite(row[bound]) else float(row[bound]) for bound in bounds),
            label=_row_label(name, row, value, bounds),
        )
        for i, row in enumerate(frame.to_dict("records"))
        if np.isfinite(row[value])
    )
    return Layer(name, "points", role, marks, interval="x")


def _row_label(name: str, row: dict, value: str, bounds: tuple[str, str]) -> str:
    estimate = interval(row[value], *(row[bound] for bound in bounds))
    return f"{name}, {task_name(row['task'])} {metric_name(row['metric'])}: {estimate}"


def _rows_axis(frame: pd.DataFrame) -> Axis:
    ticks = tuple(
        (float(i), f"{task_name(row.task)}, {metric_name(row.metric)}") for i, row in enumerate(frame.itertuples())
    )
    return Axis("Task and metric", len(frame) - 0.5, -0.5, ticks)


def _rule(low: float, high: float, *, horizontal: bool = False) -> Layer:
    ends = [(low, 0.0), (high, 0.0)] if horizontal else [(0.0, low), (0.0, high)]
    return Layer("No change", "line", "guide", tuple(Mark(x, y, label="No change") for x, y in ends), legend=False)


def _span(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[float, float]:
    values = frame[list(columns)].to_numpy(float)
    values = values[np.isfinite(values)]
    if not values.size:
        return -0.1, 0.1
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def _defined(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame[frame[column].notna()].reset_index(drop=True)


def _tasks(frame: pd.DataFrame) -> tuple[Task, ...]:
    present = set(frame["task"])
    return tuple(task for task in Task if task.value in present)


def _count(frame: pd.DataFrame) -> str:
    counts = sorted(set(frame["n_readers"]))
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "no"


def _difference_label(row) -> str:
    return (
        f"{task_name(row.task)}, {row.metric}: {interval(row.mean_difference, row.lower, row.upper)}, "
        f"p {p_text(row.p_one_tailed)}, q {p_text(row.q_bh27)}"
    )


def _smallest(frame: pd.DataFrame, p: str) -> str:
    if frame[p].isna().all():
        return ""
    row = frame.loc[frame[p].idxmin()]
    return f"Smallest p: {task_name(row['task'])}, {row['metric']}, p {p_text(row[p])}, q {p_text(row['q_bh27'])}."
