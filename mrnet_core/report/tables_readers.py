"""A reader study's tables for people: Tables 2, 3 and S4 as the paper lays them out, averages, agreement, MRMC."""

from collections.abc import Iterable

import pandas as pd

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.published import PublishedEvidence
from mrnet_core.evaluation.readers import ReaderEvidence
from mrnet_core.report.tables import PAPER_LEVEL, interval, level_name, number, p_text, task_name
from mrnet_core.stats import NO_SPREAD

FAMILY = {"table2": "Table 2", "table3": "Table 3", "s4": "S4"}
"""The tables of the family of tests, for people."""


def level_of(evidence: PublishedEvidence | ReaderEvidence) -> float:
    """Confidence level of the intervals: a study's own, or the paper's."""
    return evidence.options.level if isinstance(evidence, ReaderEvidence) else PAPER_LEVEL


def table2_header(level: float) -> tuple[str, ...]:
    """Columns of Table 2 with intervals at this level."""
    ci = f"({level_name(level)} CI)"
    return ("Task", "Metric", f"Model {ci}", f"Unassisted readers {ci}", "p", "q")


def table3_header(level: float) -> tuple[str, ...]:
    """Columns of Table 3 and S4 with intervals at this level."""
    return ("Task", "Metric", f"Mean difference ({level_name(level)} CI)", "p", "q")


def printed_table2() -> pd.DataFrame:
    """Table 2 as printed."""
    rows = []
    for (task, metric), cells in paper.TABLE2.items():
        model, readers = (f"{cells[i]} ({cells[i + 1]}, {cells[i + 2]})" for i in (0, 3))
        rows.append((task.display_name, metric.display_name, model, readers, *cells[6:]))
    return pd.DataFrame(rows, columns=table2_header(PAPER_LEVEL))


def printed_table3() -> pd.DataFrame:
    """Table 3 as printed."""
    rows = [
        (task.display_name, metric.display_name, f"{cells[0]} ({cells[1]}, {cells[2]})", *cells[3:])
        for (task, metric), cells in paper.TABLE3.items()
    ]
    return pd.DataFrame(rows, columns=table3_header(PAPER_LEVEL))


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
    table = pd.DataFrame(rows, columns=table2_header(level_of(evidence)))
    if "rad_boot_lower" in frame:
        bounds = [
            f"({number(low)}, {number(high)})"
            for low, high in zip(frame["rad_boot_lower"], frame["rad_boot_upper"], strict=True)
        ]
        table.insert(4, f"By-exam {level_name(level_of(evidence))} CI", bounds)
    return _with_readers_and_notes(table, notes=_with_by_exam_notes(frame, "rad_boot"))


def _with_by_exam_notes(frame: pd.DataFrame, name: str) -> list[str]:
    """The rows' notes, with a word where the interval by exam has no width."""
    notes = frame["note"].tolist()
    if f"{name}_lower" not in frame:
        return notes
    flat = frame[f"{name}_lower"] == frame[f"{name}_upper"]
    words = [f"by exam: {NO_SPREAD}" if one else "" for one in flat]
    return ["; ".join(filter(None, pair)) for pair in zip(notes, words, strict=True)]


def recomputed_table3(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """Table 3 in the printed layout, from counts."""
    return _differences(evidence.table3, level_of(evidence))


def recomputed_s4(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """The sensitivity analysis of the main role alone, in the layout of Table 3."""
    return _differences(evidence.s4, level_of(evidence))


def _differences(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    rows = [
        (
            *(task_name(row["task"]), Metric(row["metric"]).display_name),
            interval(row["mean_difference"], row["lower"], row["upper"]),
            *(p_text(row["p_one_tailed"]), p_text(row["q_bh27"])),
        )
        for row in frame.to_dict("records")
    ]
    table = pd.DataFrame(rows, columns=table3_header(level))
    return _with_readers_and_notes(table, readers=frame["n_readers"], notes=frame["note"])


def _with_readers_and_notes(
    table: pd.DataFrame, *, readers: Iterable = (), notes: Iterable[str] = (), title: str = "Readers"
) -> pd.DataFrame:
    """The table with its readers where rows rest on different ones, and with its notes where there are any."""
    readers, notes = list(readers), list(notes)
    if len(set(readers)) > 1:
        table = table.assign(**{title: readers})
    return table.assign(Note=notes) if any(notes) else table


def family_words(evidence: ReaderEvidence) -> str:
    """What q is adjusted over: the tests that have a p-value, and the tables they stand in."""
    tested = evidence.family[evidence.family["p"].notna()]
    if tested.empty:
        return "There is no q: no test of this study has a p-value."
    names = [name for word, name in FAMILY.items() if word in set(tested["test"])]
    tables = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"q: Benjamini-Hochberg over one family of {len(tested)} test{'s' * (len(tested) > 1)} ({tables})."


def kappa_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Exact kappa of each set of raters, a condition a column, as texts.

    Raters and exams that differ by condition stand as ``9/8``, unassisted first.
    """
    rows, notes = [], []
    for (name, task), cells in frame.groupby(["set", "task"], sort=False):
        by_condition = cells.set_index(cells["assisted"].fillna(-1))["kappa_exact"]
        shown = [number(by_condition[key]) if key in by_condition else "" for key in (-1, 0, 1)]
        rows.append(
            (
                name,
                task_name(task),
                *("/".join(map(str, dict.fromkeys(cells[column]))) for column in ("raters", "subjects")),
                *shown,
            )
        )
        said = cells[cells["note"] != ""].groupby("note", sort=False)["assisted"]
        notes.append("; ".join(f"{_conditions(assisted)}{note}" for note, assisted in said))
    table = pd.DataFrame(rows, columns=["Set", "Task", "Raters", "Exams", "Reference", "Unassisted", "Assisted"])
    return _with_readers_and_notes(table, notes=notes)


def _conditions(assisted: pd.Series) -> str:
    """Which condition a note speaks of; nothing where it speaks of both, or of the reference."""
    return (
        f"{'assisted' if assisted.iloc[0] else 'unassisted'}: " if len(assisted) == 1 and assisted.notna().all() else ""
    )


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
    return _with_readers_and_notes(pd.DataFrame(rows), notes=_with_by_exam_notes(evidence.averages, "boot"))


def model_auc_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """The model's AUC on a study's exams, the shortcut's beside it where the study is synthetic, as texts."""
    rows = []
    title = f"AUC ({level_name(level_of(evidence))} CI)"
    for row in evidence.auc.to_dict("records"):
        cells = {"Task": task_name(row["task"]), title: interval(row["auc"], row["lower"], row["upper"])}
        if evidence.shortcut:
            cells["Shortcut's AUC"] = number(evidence.shortcut.get(Task(row["task"])))
        rows.append(cells | {"Positive": row["n_pos"], "Negative": row["n_neg"]})
    return _with_readers_and_notes(pd.DataFrame(rows), notes=evidence.auc["note"])


def crossover_frame(evidence: ReaderEvidence) -> pd.DataFrame:
    """Period, carry-over and assistance effects, as texts; readers as unassisted first + assisted first."""
    frame = evidence.crossover
    rows = [
        (
            task_name(row["task"]),
            *(row["metric"], row["effect"].replace("_", "-")),
            interval(row["estimate"], row["lower"], row["upper"]),
            p_text(row["p"]),
        )
        for row in frame.to_dict("records")
    ]
    estimate = f"Estimate ({level_name(level_of(evidence))} CI)"
    table = pd.DataFrame(rows, columns=["Task", "Metric", "Effect", estimate, "p"])
    groups = zip(frame["n_unassisted_first"], frame["n_assisted_first"], strict=True)
    readers = [f"{unassisted} + {assisted}" for unassisted, assisted in groups]
    title = "Readers, unassisted + assisted first"
    return _with_readers_and_notes(table, readers=readers, notes=frame["note"], title=title)
