"""Evidence as lines for a terminal."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.provenance import SYNTHETIC, SYNTHETIC_READERS
from mrnet_core.evaluation.published import DIFFERS, EQUAL, NOT_RECOMPUTABLE, PublishedEvidence
from mrnet_core.evaluation.readers import ReaderEvidence
from mrnet_core.evaluation.validation import SAME_EXAMS_WARNING, SHORTCUT_WORDS, Validation, operating_table
from mrnet_core.report.tables import (
    as_printed,
    auc_frame,
    calibration_frame,
    comparison_frame,
    interval,
    level_name,
    number,
    p_text,
    predictive_frame,
    task_name,
)
from mrnet_core.report.tables_readers import (
    averages_frame,
    crossover_frame,
    family_words,
    kappa_frame,
    model_auc_frame,
    mrmc_frame,
    recomputed_s4,
    recomputed_table2,
    recomputed_table3,
)

WIDTH = 110


def grid(header: Sequence[str], rows: Sequence[Sequence[object]], *, repeat: bool = False) -> str:
    """Columns lined up, two spaces apart; a first cell equal to the one above is left blank unless ``repeat``."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(header)]
    lines = ["  ".join(name.ljust(width) for name, width in zip(header, widths, strict=True)).rstrip()]
    lines.append("  ".join("-" * width for width in widths))
    above = None
    for row in cells:
        first = "" if row[0] == above and not repeat else row[0]
        above = row[0]
        lines.append(
            "  ".join(cell.ljust(width) for cell, width in zip([first, *row[1:]], widths, strict=True)).rstrip()
        )
    return "\n".join(lines)


def frame_grid(frame: pd.DataFrame) -> str:
    """A frame of texts as a grid."""
    return grid(list(frame.columns), frame.to_numpy().tolist()) if len(frame) else "(none)"


def paragraph(text: str, mark: str = "") -> str:
    """A sentence or more, wrapped, with a hanging indent after ``mark``."""
    return textwrap.fill(text, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))


def published_text(evidence: PublishedEvidence) -> str:
    """Every record of the paper beside its recomputation, then what differs and why."""
    tally = evidence.tally()
    lines = [
        paper.CITATION,
        f"{len(evidence.records)} printed numbers: {tally[EQUAL]} equal to every printed digit, {tally[DIFFERS]} "
        f"different (each by one of C1 to C8 below), {tally[NOT_RECOMPUTABLE]} not recomputable.",
        "",
        "Table 2. Model against unassisted general radiologists, recomputed",
        frame_grid(recomputed_table2(evidence)),
        "",
        "Table 3. Clinical experts assisted minus unassisted, recomputed",
        frame_grid(recomputed_table3(evidence)),
        "",
        "S4 Table. General radiologists only, recomputed (the paper's text prints ACL specificity: p 0.003, q 0.019)",
        frame_grid(recomputed_s4(evidence)),
        "",
        f"q: Benjamini-Hochberg over one family of {len(evidence.family)} tests (9 of each table above).",
        "",
        "Every printed number",
    ]
    rows = [
        (record.id, record.printed, as_printed(record), record.status)
        for record in evidence.records
        if record.status != NOT_RECOMPUTABLE
    ]
    lines.append(grid(("record", "printed", "recomputed", "status"), rows, repeat=True))
    lines += ["", "What differs"]
    rows = [(r.id, r.printed, as_printed(r), r.note) for r in evidence.records if r.status == DIFFERS]
    lines.append(grid(("record", "printed", "recomputed", "why"), rows, repeat=True))
    lines += ["", "What cannot be recomputed"]
    reasons = dict.fromkeys(record.note for record in evidence.records if record.status == NOT_RECOMPUTABLE)
    for reason in reasons:
        ids = [record.id for record in evidence.records if record.note == reason]
        lines += [paragraph(reason), paragraph(", ".join(ids), "    ")]
    lines += ["", "Where the paper contradicts itself, or claims more than its counts bear"]
    for entry in evidence.contradictions:
        lines += [paragraph(f"{entry.claim}", f"{entry.id}  "), paragraph(entry.evidence, "    ")]
    lines += ["", evidence.source.line()]
    return "\n".join(lines)


def readers_text(evidence: ReaderEvidence) -> str:
    """The tables of a study, with warnings where a reader of them needs one."""
    groups = evidence.readers["role"].value_counts(sort=False)
    who = ", ".join(f"{count} {role}" for role, count in groups.items())
    lines = [paragraph(SYNTHETIC_READERS, "! "), ""] if evidence.synthetic else []
    lines += [f"{len(evidence.readers)} readers ({who}), {evidence.n_exams} exams", ""]
    lines += [paragraph(note, "! ") for note in evidence.notes]
    lines += [
        f"Table 2. Model against the unassisted {evidence.main_role} micro-average",
        _or_why(recomputed_table2(evidence), evidence, "table2"),
        paragraph(evidence.warnings[0], "! "),
        "",
        "Table 3. All readers, assisted minus unassisted (one-tailed paired t)",
        _or_why(recomputed_table3(evidence), evidence, "table3"),
        "",
        f"S4. {evidence.main_role.capitalize()}s only",
        _or_why(recomputed_s4(evidence), evidence, "s4"),
        family_words(evidence),
        "",
        "Micro- and macro-averages",
        frame_grid(averages_frame(evidence)),
        "",
        "Agreement: exact Fleiss kappa (Conger)",
        frame_grid(kappa_frame(evidence.kappa)),
        "",
        "Model AUC (DeLong)",
        _or_why(model_auc_frame(evidence), evidence, "auc"),
        *_shortcut_lines(evidence),
        "",
        "MRMC: assisted minus unassisted, two-sided",
        frame_grid(mrmc_frame(evidence)),
        paragraph(evidence.warnings[1], "! "),
        "",
        "Crossover: period and carry-over",
        _or_why(crossover_frame(evidence), evidence, "crossover"),
        paragraph(
            "A carry-over effect cannot be told from a difference between the two groups of readers; where there is "
            "one, the period effect and the effect of assistance are biased.",
            "! ",
        ),
        "",
        "Groups",
        frame_grid(_balance_frame(evidence.balance)),
    ]
    rest = [
        f"{part}: {why}"
        for part, why in evidence.absent.items()
        if part not in ("table2", "table3", "s4", "auc", "crossover")
    ]
    lines += ["", *(paragraph(text, "! ") for text in rest)] if rest else []
    lines += ["", evidence.source.line()]
    return "\n".join(lines)


def _or_why(frame: pd.DataFrame, evidence: ReaderEvidence, part: str) -> str:
    return frame_grid(frame) if len(frame) else f"None: {evidence.absent.get(part, 'nothing to show')}."


def _balance_frame(frame: pd.DataFrame) -> pd.DataFrame:
    shown = ["sequence", "group", "n_readers", "roles", "n_reads", "n_reads_expected"]
    return frame[shown].astype(str) if len(frame) else frame


def validation_text(validation: Validation, specificity: float, prevalence: float | None) -> str:
    """AUC, operating points and calibration, with the paper's values beside."""
    percent = level_name(validation.level)
    stated = "stated" if prevalence is not None else "the sample's"
    beside = ("Shortcut's AUC",) if validation.shortcut else ()
    lines = [
        *((paragraph(SYNTHETIC, "! "), "") if validation.synthetic else ()),
        *(paragraph(note, "! ") for note in validation.notes),
        "AUC (DeLong)",
        grid(("Task", f"AUC ({percent} CI)", *beside, "Pos/neg", "Paper (120 exams)", ""), _auc_rows(validation)),
        *_shortcut_lines(validation),
        "",
        "Operating points",
        grid(
            ("Rule", "Threshold", "Metric", "x/n", f"Estimate ({percent} CI)", "Paper"),
            _operating_rows(validation, specificity),
        ),
        paragraph(SAME_EXAMS_WARNING, "! "),
        "",
        f"Predictive values (prevalence: {stated}) and likelihood ratios",
        grid(
            ("Rule", "Prevalence", "PPV", "NPV", "LR+", "LR−", ""),
            _predictive_rows(predictive_frame(validation, specificity, prevalence)),
        ),
        "",
        "Calibration",
        _calibration_text(validation),
        *_comparison_lines(comparison_frame(validation)),
        "",
        validation.source.line(),
    ]
    return "\n".join(lines)


def _shortcut_lines(evidence: Validation | ReaderEvidence) -> list[str]:
    return [paragraph(SHORTCUT_WORDS, "! ")] if evidence.shortcut else []


def _auc_rows(validation: Validation) -> list[tuple]:
    return [
        (
            task_name(row["task"]),
            interval(row["auc"], row["lower"], row["upper"]),
            *((number(row["shortcut_auc"]),) if validation.shortcut else ()),
            f"{row['n_pos']}/{row['n_neg']}",
            _paper_auc(row["task"]),
            row["note"],
        )
        for row in auc_frame(validation).to_dict("records")
    ]


def _operating_rows(validation: Validation, specificity: float) -> list[tuple]:
    rows = []
    for row in operating_table(validation, specificity).to_dict("records"):
        printed = paper.TABLE2[(Task(row["task"]), Metric(row["metric"]))] if row["rule"] == "threshold 0.5" else None
        rows.append(
            (
                f"{task_name(row['task'])}, {row['rule']}",
                number(row["threshold"], 4),
                row["metric"],
                f"{row['x']}/{row['n']}",
                interval(row["estimate"], row["lower"], row["upper"]),
                f"{printed[0]} ({printed[1]}, {printed[2]})" if printed else "",
            )
        )
    return rows


def _predictive_rows(values: pd.DataFrame) -> list[tuple]:
    return [
        (
            f"{task_name(row['task'])}, {row['rule']}",
            number(row["prevalence"]),
            *(
                interval(row[name], row[f"{name}_lower"], row[f"{name}_upper"], digits)
                for name, digits in (("ppv", 3), ("npv", 3), ("lr_positive", 2), ("lr_negative", 2))
            ),
            row["note"],
        )
        for row in values.to_dict("records")
    ]


def _comparison_lines(comparison: pd.DataFrame) -> list[str]:
    rows = [
        (
            task_name(row["task"]),
            number(row["auc1"]),
            number(row["auc2"]),
            interval(row["difference"], row["lower"], row["upper"]),
            p_text(row["p_two_sided"]),
            row["note"],
        )
        for row in comparison.to_dict("records")
    ]
    title = "Two models on the same exams (paired DeLong)"
    return ["", title, grid(("Task", "First", "Second", "Difference", "p", ""), rows)] if rows else []


def _calibration_text(validation: Validation) -> str:
    frame = calibration_frame(validation)
    if frame.empty:
        return f"None: {validation.no_calibration}"
    rows = [
        (
            task_name(row["task"]),
            *(
                interval(row[name], row[f"{name}_lower"], row[f"{name}_upper"])
                for name in ("brier", "slope", "intercept", "in_the_large")
            ),
            row["note"],
        )
        for row in frame.to_dict("records")
    ]
    return grid(("Task", "Brier score", "Slope (1)", "Intercept (0)", "In the large (0)", ""), rows)


def _paper_auc(word: str) -> str:
    estimate, lower, upper = paper.AUC[Task(word)]
    return f"{estimate} ({lower}, {upper})"
