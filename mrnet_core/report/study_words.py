"""Exact frames as tables for people: heads in words, an estimate and its interval in one cell, every cell a text."""

import re

import numpy as np
import pandas as pd

from mrnet_core.domain import Plane, Task
from mrnet_core.report.tables import interval, number

CI = " (95% CI)"
HEADS = {
    "auc": "AUC",
    "auc1": "First model",
    "auc2": "Second model",
    "brier": "Brier score",
    "called": "Called positive",
    "called_elsewhere_x": "Of them, hot spot missed",
    "energy": "Energy inside",
    "energy_chance": "Energy inside by chance",
    "energy_gain": "Energy above chance",
    "estimate": "Estimate",
    "group": "Lesions",
    "in_the_large": "In the large (0)",
    "intercept": "Intercept",
    "lr_negative": "Negative likelihood ratio",
    "lr_positive": "Positive likelihood ratio",
    "n": "Exams",
    "n_neg": "Negative exams",
    "n_pos": "Positive exams",
    "negative": "Negative exams",
    "npv": "Negative predictive value",
    "p": "p",
    "p_two_sided": "p",
    "paper, validation": "The paper's, on its own 120 exams",
    "pointing": "Pointing game",
    "pointing_chance": "Pointing game by chance",
    "pointing_fixed": "Pointing game, fixed place",
    "pointing_prior": "Pointing game, prior",
    "positive": "Positive exams",
    "ppv": "Positive predictive value",
    "q": "q",
    "right_slice": "Right slice",
    "right_slice_chance": "Right slice by chance",
    "rule": "Operating point",
    "shortcut_auc": "Shortcut's AUC",
    "z": "z",
}
"""A head for each code name whose own letters do not do."""
IDEALS = {"slope": "Slope (1)", "intercept": "Intercept (0)"}
"""Heads where the value has an interval: then it is calibration, and the parentheses name its ideal."""
TWO_DIGITS = ("lr_positive", "lr_negative")


def words_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as people read it; its values are not changed, only joined and rounded.

    >>> frame = pd.DataFrame({"task": ["acl"], "auc": [0.78125], "lower": [0.4902], "upper": [1.0]})
    >>> words_table(frame).to_dict("list")
    {'Task': ['ACL tear'], 'AUC (95% CI)': ['0.781 (0.490, 1.000)']}
    """
    columns: dict[str, list[str]] = {}
    names = list(map(str, frame.columns))
    cells = {name: frame.iloc[:, place].tolist() for place, name in enumerate(names)}
    middle = next((name for name in ("auc", "difference", "estimate") if name in cells), None)
    for name in names:
        low, high = ("lower", "upper") if name == middle and "lower" in cells else (f"{name}_lower", f"{name}_upper")
        if _is_bound(name, cells, middle) or (name == "x" and "n" in cells):
            continue
        if f"{name}_lowest" in cells:
            title = head(name) + CI if _any(cells.get(low)) else head(name)
            columns[title] = _rows_with_bounds(name, cells)
        elif low in cells and high in cells:
            title = IDEALS.get(name) or head(name)
            title += "" if title.endswith(")") else CI
            columns[title] = [_joined(name, *three) for three in zip(cells[name], cells[low], cells[high], strict=True)]
        elif name == "n" and "x" in cells:
            columns["Count"] = [f"{x}/{n}" for x, n in zip(cells["x"], cells["n"], strict=True)]
        elif name.lower() != "note" or any(cell_text(value) not in ("", "–") for value in cells[name]):
            title = f"{head(name)} ({name})" if head(name) in columns else head(name)
            columns[title] = [_worded(name, value) for value in cells[name]]
    return pd.DataFrame(columns, dtype=object)


def head(name: str) -> str:
    """A column's head in words: a known code name's, else the name with a capital and without underscores."""
    return HEADS.get(name) or (name[:1].upper() + name[1:]).replace("_", " ")


def cell_text(value: object) -> str:
    """A table's cell: three decimals for fractions, an en dash where a value is undefined, an infinity by its sign."""
    if value is None:
        return "–"
    if isinstance(value, float | np.floating):
        return number(float(value))
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return str(value)


def _is_bound(name: str, cells: dict[str, list], middle: str | None) -> bool:
    if name in ("lower", "upper"):
        return middle is not None and {"lower", "upper"} <= cells.keys()
    body = re.sub("_(lower|upper|lowest|highest)$", "", name)
    whole = {body, f"{body}_lower", f"{body}_upper"} <= cells.keys() or f"{body}_lowest" in cells
    return body != name and whole


def _any(values: list | None) -> bool:
    return values is not None and not pd.isna(values).all()


def _rows_with_bounds(name: str, cells: dict[str, list]) -> list[str]:
    """Cells of a column of which some rows have an interval, and others, means over random draws, a range."""
    texts = []
    for place, value in enumerate(cells[name]):
        ends = {
            end: cells.get(f"{name}_{end}", {place: None})[place] for end in ("lower", "upper", "lowest", "highest")
        }
        if pd.notna(ends["lower"]):
            texts.append(_joined(name, value, ends["lower"], ends["upper"]))
        elif pd.notna(ends["lowest"]):
            texts.append(f"{number(value)} ({number(ends['lowest'])} to {number(ends['highest'])})")
        else:
            texts.append(cell_text(value))
    return texts


def _joined(name: str, *values: float) -> str:
    """``0.781 (0.490, 1.000)``."""
    return interval(*values, digits=2 if name in TWO_DIGITS else 3)


def _worded(name: str, value: object) -> str:
    text = cell_text(value)
    if name == "task" and text in set(Task):
        return Task(text).display_name
    if name == "plane" and text in set(Plane):
        return Plane(text).display_name
    if name == "planes":
        return text.replace(", ", " + ")
    if name == "group":
        return re.sub(r"\b[amp]cl\b", lambda found: found[0].upper(), text)
    if name == "rule":
        return text.replace(">=", "≥")
    if name == "note":
        return re.sub(r"\b(lr_positive|lr_negative|ppv|npv)\b", lambda found: head(found[0]).lower(), text)
    return text
