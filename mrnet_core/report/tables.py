"""Numbers as the paper writes them, and the tables of a validation for people and as plain frames."""

import math

import numpy as np
import pandas as pd

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.published import PublishedEvidence, Record
from mrnet_core.evaluation.validation import (
    OperatingView,
    Validation,
    index_at_specificity,
    index_at_threshold,
    operating_table,
    operating_view,
)

MINUS = "−"
PAPER_LEVEL = 0.95
"""Confidence level of every interval of the paper."""


def number(value: float | None, digits: int = 3) -> str:
    """A number as the paper prints it: fixed digits, a true minus, an en dash where there is none.

    >>> number(-0.0041), number(float("nan"))
    ('−0.004', '–')
    """
    if value is None or not math.isfinite(value):
        return "∞" if value is not None and value == math.inf else "–"
    # Half a unit of the last digit up, as the printed tables round.
    scaled = math.floor(abs(value) * 10**digits + 0.5 + 1e-9) / 10**digits
    return f"{MINUS if value < 0 and scaled > 0 else ''}{scaled:.{digits}f}"


def p_text(value: float | None) -> str:
    """A p- or q-value: three digits, ``<0.001`` below that."""
    return "<0.001" if value is not None and math.isfinite(value) and value < 0.001 else number(value)


def interval(estimate: float, lower: float, upper: float, digits: int = 3) -> str:
    """``0.714 (0.500, 0.862)``; an infinite estimate keeps its bounds: ``∞ (1.44, ∞)``."""
    if math.isnan(estimate):
        return "–"
    return f"{number(estimate, digits)} ({number(lower, digits)}, {number(upper, digits)})"


def level_name(level: float) -> str:
    """A confidence level for people.

    >>> level_name(0.95), level_name(0.975)
    ('95%', '97.5%')
    """
    return f"{100 * level:.6g}%"


def task_name(word: str) -> str:
    """A task's name for people from its word."""
    return Task(word).display_name


def metric_name(word: str) -> str:
    """A metric's name for people, in a sentence."""
    return "AUC" if word == "auc" else word


def as_printed(record: Record) -> str:
    """The recomputed value in the form of the print: its digits, ``<`` and ``%``; words are answered by 3 digits."""
    value, text = record.recomputed, record.printed.replace(",", "").replace(MINUS, "-")
    if value is None:
        return "–"
    if text.startswith("<") and value < float(text[1:]):
        return record.printed
    body = text.lstrip("<").rstrip("%")
    if not body.lstrip("-").replace(".", "", 1).isdigit():
        return number(value) if value != int(value) else f"{int(value)}"
    digits = len(body.partition(".")[2])
    shown = number(value, digits)
    if "," in record.printed:
        shown = f"{round(value):,}"
    return shown + ("%" if record.printed.endswith("%") else "")


def records_frame(evidence: PublishedEvidence) -> pd.DataFrame:
    """Every record, with the recomputed value in the form of the print as ``recomputed_text``."""
    frame = pd.DataFrame([vars(record) for record in evidence.records])
    frame["recomputed"] = frame["recomputed"].astype(float)
    frame.insert(5, "recomputed_text", [as_printed(record) for record in evidence.records])
    return frame


def auc_frame(validation: Validation) -> pd.DataFrame:
    """AUC with its DeLong interval, one row a task."""
    rows = [
        (task.value, entry.area.estimate, entry.area.lower, entry.area.upper, entry.n_pos, entry.n_neg, entry.area.note)
        for task, entry in validation.tasks.items()
    ]
    frame = pd.DataFrame(rows, columns=["task", "auc", "lower", "upper", "n_pos", "n_neg", "note"])
    if validation.shortcut:
        frame.insert(4, "shortcut_auc", [validation.shortcut.get(task, np.nan) for task in validation.tasks])
    return frame


def calibration_frame(validation: Validation) -> pd.DataFrame:
    """Brier score, slope, intercept and calibration in the large, with intervals, one row a task."""
    rows = []
    for task, entry in validation.tasks.items():
        if entry.calibration is None:
            continue
        row: dict = {"task": task.value, "n": len(entry.y_true)}
        notes = []
        for name in ("brier", "slope", "intercept", "in_the_large"):
            value = getattr(entry.calibration, name)
            row |= {name: value.estimate, f"{name}_lower": value.lower, f"{name}_upper": value.upper}
            notes += [value.note] if value.note else []
        rows.append(row | {"note": "; ".join(dict.fromkeys(notes))})
    return pd.DataFrame(rows)


def comparison_frame(validation: Validation) -> pd.DataFrame:
    """Two models on the same exams: paired DeLong, first minus second; empty with one model."""
    rows = []
    for task, entry in validation.tasks.items():
        test = entry.comparison
        if test is not None:
            rows.append(
                {
                    "task": task.value,
                    "auc1": test.auc1.estimate,
                    "auc2": test.auc2.estimate,
                    "difference": test.estimate,
                    "lower": test.lower,
                    "upper": test.upper,
                    "z": test.statistic,
                    "p_two_sided": test.p_two_sided,
                    "note": test.note,
                }
            )
    return pd.DataFrame(rows)


def predictive_frame(validation: Validation, specificity: float = 0.9, prevalence: float | None = None) -> pd.DataFrame:
    """Predictive values at a prevalence and likelihood ratios, at 0.5 and at the chosen specificity."""
    rows = []
    for task, entry in validation.tasks.items():
        if entry.curve is None:
            continue
        cases = (
            ("threshold 0.5", entry.marked),
            (f"specificity >= {specificity:g}", index_at_specificity(validation, task, specificity)),
        )
        for rule, index in cases:
            view = operating_view(validation, task, index, prevalence=prevalence)
            row: dict = {"task": task.value, "rule": rule, "prevalence": view.predictive.prevalence}
            said: dict[str, list[str]] = {}
            values = {
                "ppv": view.predictive.positive,
                "npv": view.predictive.negative,
                "lr_positive": view.ratios.positive,
                "lr_negative": view.ratios.negative,
            }
            for name, value in values.items():
                row |= {name: value.estimate, f"{name}_lower": value.lower, f"{name}_upper": value.upper}
                if value.note:
                    said.setdefault(value.note, []).append(name)
            rows.append(row | {"note": "; ".join(f"{', '.join(names)}: {note}" for note, names in said.items())})
    return pd.DataFrame(rows)


def auc_words(validation: Validation) -> pd.DataFrame:
    """AUC with its interval as texts; the shortcut's beside it for a synthetic model, the paper's for any other."""
    rows = []
    for task, entry in validation.tasks.items():
        area = entry.area
        cells = {
            "Task": task.display_name,
            f"AUC ({level_name(validation.level)} CI)": interval(area.estimate, area.lower, area.upper),
        }
        if validation.shortcut:
            cells["Shortcut's AUC"] = number(validation.shortcut.get(task))
        cells |= {"Positive exams": area.n_pos, "Negative exams": area.n_neg}
        if validation.probabilities:
            estimate, lower, upper = paper.AUC[task]
            cells["The paper's, on its own 120 exams"] = f"{estimate} ({lower}, {upper})"
        rows.append(cells | ({"Note": area.note} if area.note else {}))
    return pd.DataFrame(rows).fillna("")


def calibration_words(validation: Validation) -> pd.DataFrame:
    """Brier score, slope, intercept and calibration in the large with intervals, as texts."""
    names = {
        "brier": "Brier score",
        "slope": "Slope (1)",
        "intercept": "Intercept (0)",
        "in_the_large": "In the large (0)",
    }
    rows = [
        {"Task": task_name(row["task"])}
        | {name: interval(row[key], row[f"{key}_lower"], row[f"{key}_upper"]) for key, name in names.items()}
        | {"Note": row["note"]}
        for row in calibration_frame(validation).to_dict("records")
    ]
    return pd.DataFrame(rows)


def comparison_words(validation: Validation) -> pd.DataFrame:
    """Two models on the same exams, as texts."""
    rows = [
        {
            "Task": task_name(row["task"]),
            "First model": number(row["auc1"]),
            "Second model": number(row["auc2"]),
            f"Difference ({level_name(validation.level)} CI)": interval(row["difference"], row["lower"], row["upper"]),
            "p": p_text(row["p_two_sided"]),
            "Note": row["note"],
        }
        for row in comparison_frame(validation).to_dict("records")
    ]
    return pd.DataFrame(rows)


def threshold_text(validation: Validation, task: Task, threshold: float) -> str:
    """A threshold to three digits, or to as many as name the same operating point of the task's curve."""
    index = index_at_threshold(validation, task, threshold)
    texts = (f"{threshold:.{digits}f}" for digits in range(3, 18))
    return next((text for text in texts if index_at_threshold(validation, task, float(text)) == index), repr(threshold))


def operating_frame(view: OperatingView) -> pd.DataFrame:
    """All rates of one operating point with counts and intervals, as texts."""
    rows = [
        (metric.display_name, f"{value.x}/{value.n}", interval(value.estimate, value.lower, value.upper), value.note)
        for metric in Metric
        for value in [getattr(view.point, metric.value)]
    ]
    at = f"prevalence {number(100 * view.predictive.prevalence, 1)}%"
    rows += [
        (f"{name} predictive value", at, interval(value.estimate, value.lower, value.upper), value.note)
        for name, value in (("Positive", view.predictive.positive), ("Negative", view.predictive.negative))
    ]
    rows += [
        (f"{name} likelihood ratio", "", interval(value.estimate, value.lower, value.upper, 2), value.note)
        for name, value in (("Positive", view.ratios.positive), ("Negative", view.ratios.negative))
    ]
    estimate = f"Estimate ({level_name(view.point.accuracy.level)} CI)"
    frame = pd.DataFrame(rows, columns=["Measure", "Count", estimate, "Note"])
    return frame if frame["Note"].any() else frame.drop(columns="Note")


def validation_frames(
    validation: Validation, specificity: float = 0.9, prevalence: float | None = None
) -> dict[str, pd.DataFrame]:
    """Every table of a validation by name."""
    frames = {
        "auc": auc_frame(validation),
        "operating": operating_table(validation, specificity),
        "predictive": predictive_frame(validation, specificity, prevalence),
        "calibration": calibration_frame(validation),
        "comparison": comparison_frame(validation),
    }
    return {name: frame for name, frame in frames.items() if len(frame)}


def table_csv(frame: pd.DataFrame) -> bytes:
    """A frame as CSV (UTF-8, full precision, empty where undefined)."""
    return frame.to_csv(index=False).encode("utf-8")
