"""Evidence as tables for people: the paper's layouts, with numbers as the paper writes them, and plain frames."""

import math

import numpy as np
import pandas as pd

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.published import PublishedEvidence, Record
from mrnet_core.evaluation.readers import ReaderEvidence
from mrnet_core.evaluation.validation import (
    OperatingView,
    Validation,
    index_at_specificity,
    operating_table,
    operating_view,
)

MINUS = "−"
TABLE2_HEADER = ("Task", "Metric", "Model (95% CI)", "Unassisted readers (95% CI)", "p", "q")
TABLE3_HEADER = ("Task", "Metric", "Mean difference (95% CI)", "p", "q")


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


def task_name(word: str) -> str:
    """A task's name for people from its word."""
    return Task(word).display_name


def metric_name(word: str) -> str:
    """A metric's name for people, in a sentence."""
    return "AUC" if word == "auc" else word


def printed_table2() -> pd.DataFrame:
    """Table 2 as printed."""
    rows = []
    for (task, metric), cells in paper.TABLE2.items():
        model, readers = (f"{cells[i]} ({cells[i + 1]}, {cells[i + 2]})" for i in (0, 3))
        rows.append((task.display_name, metric.display_name, model, readers, *cells[6:]))
    return pd.DataFrame(rows, columns=TABLE2_HEADER)


def printed_table3() -> pd.DataFrame:
    """Table 3 as printed."""
    rows = [
        (task.display_name, metric.display_name, f"{cells[0]} ({cells[1]}, {cells[2]})", *cells[3:])
        for (task, metric), cells in paper.TABLE3.items()
    ]
    return pd.DataFrame(rows, columns=TABLE3_HEADER)


def recomputed_table2(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """Table 2 in the printed layout, from counts. A study's own has the by-exam interval of the readers beside."""
    frame = evidence.table2
    rows = [
        (
            *(task_name(row["task"]), Metric(row["metric"]).display_name),
            interval(row["model"], row["model_lower"], row["model_upper"]),
            interval(row["rad"], row["rad_lower"], row["rad_upper"]),
            *(p_text(row["p_yates"]), p_text(row["q_bh27"])),
        )
        for row in frame.to_dict("records")
    ]
    table = pd.DataFrame(rows, columns=TABLE2_HEADER)
    if "rad_boot_lower" in frame:
        bounds = [
            f"({number(low)}, {number(high)})"
            for low, high in zip(frame["rad_boot_lower"], frame["rad_boot_upper"], strict=True)
        ]
        table.insert(4, "By-exam 95% CI", bounds)
    return table


def recomputed_table3(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """Table 3 in the printed layout, from counts."""
    return _differences(evidence.table3)


def recomputed_s4(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """The sensitivity analysis of the main role alone, in the layout of Table 3."""
    return _differences(evidence.s4)


def _differences(frame: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (
            *(task_name(row["task"]), Metric(row["metric"]).display_name),
            interval(row["mean_difference"], row["lower"], row["upper"]),
            *(p_text(row["p_one_tailed"]), p_text(row["q_bh27"])),
        )
        for row in frame.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=TABLE3_HEADER)


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
        cells = {"Task": task.display_name, "AUC (95% CI)": interval(area.estimate, area.lower, area.upper)}
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
            "Difference (95% CI)": interval(row["difference"], row["lower"], row["upper"]),
            "p": p_text(row["p_two_sided"]),
            "Note": row["note"],
        }
        for row in comparison_frame(validation).to_dict("records")
    ]
    return pd.DataFrame(rows)


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
    frame = pd.DataFrame(rows, columns=["Measure", "Count", "Estimate (95% CI)", "Note"])
    return frame if frame["Note"].any() else frame.drop(columns="Note")


def kappa_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Exact kappa of each set of raters, a condition a column, as texts."""
    rows = []
    for (name, task), cells in frame.groupby(["set", "task"], sort=False):
        by_condition = cells.set_index(cells["assisted"].fillna(-1))["kappa_exact"]
        shown = [number(by_condition[key]) if key in by_condition else "" for key in (-1, 0, 1)]
        rows.append(
            (
                name,
                task_name(task),
                int(cells["raters"].iloc[0]),
                "/".join(map(str, dict.fromkeys(cells["subjects"]))),
                *shown,
            )
        )
    return pd.DataFrame(rows, columns=["Set", "Task", "Raters", "Exams", "Reference", "Unassisted", "Assisted"])


def mrmc_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """The t-test, Obuchowski-Rockette and U-statistics side by side, as texts."""
    rows = []
    for row in evidence.mrmc_summary.to_dict("records"):
        bounds = [f"({number(row[f'{way}_lower'])}, {number(row[f'{way}_upper'])})" for way in ("t", "or", "u")]
        p_values = [p_text(row[f"{way}_p"]) for way in ("t", "or", "u")]
        rows.append(
            (
                *(row["readers"], task_name(row["task"]), row["metric"], number(row["difference"])),
                *(f"{bound} {p}" if p != "–" else "–" for bound, p in zip(bounds, p_values, strict=True)),
                row["note"],
            )
        )
    header = [
        "Readers",
        "Task",
        "Metric",
        "Difference",
        "Paired t: CI p",
        "Obuchowski-Rockette: CI p",
        "U-statistics: CI p",
        "",
    ]
    return pd.DataFrame(rows, columns=header)


def averages_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """Micro-averages with the paper's Wilson interval, the by-exam interval beside it where there are reads, macro."""
    rows = []
    for row in evidence.averages.to_dict("records"):
        cells = {
            "Readers": f"{row['readers']} ({row['n_readers']})",
            "Condition": "assisted" if row["assisted"] else "unassisted",
            "Task": task_name(row["task"]),
            "Metric": row["metric"],
            "Reads": f"{row['micro_x']}/{row['micro_n']}",
            "Micro-average (Wilson)": interval(row["micro"], row["micro_lower"], row["micro_upper"]),
        }
        if "boot_lower" in row:
            cells["By exam"] = f"({number(row['boot_lower'])}, {number(row['boot_upper'])})"
        rows.append(cells | {"Macro-average": number(row["macro"]), "SD": number(row["macro_sd"])})
    return pd.DataFrame(rows)


def model_auc_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """The model's AUC on a study's exams, the shortcut's beside it where the study is synthetic, as texts."""
    rows = []
    for row in evidence.auc.to_dict("records"):
        cells = {"Task": task_name(row["task"]), "AUC (95% CI)": interval(row["auc"], row["lower"], row["upper"])}
        if evidence.shortcut:
            cells["Shortcut's AUC"] = number(evidence.shortcut.get(Task(row["task"])))
        rows.append(cells | {"Positive": row["n_pos"], "Negative": row["n_neg"]})
    return pd.DataFrame(rows)


def crossover_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """Period, carry-over and assistance effects, as texts."""
    rows = [
        (
            task_name(row["task"]),
            *(row["metric"], row["effect"].replace("_", "-")),
            interval(row["estimate"], row["lower"], row["upper"]),
            p_text(row["p"]),
        )
        for row in evidence.crossover.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["Task", "Metric", "Effect", "Estimate (95% CI)", "p"])


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
