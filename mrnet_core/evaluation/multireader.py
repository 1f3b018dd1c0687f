"""Readers and exams both taken as samples: the MRMC analysis of a study, set beside the paper's t-test.

Obuchowski-Rockette needs every read of the exams that a metric counts; where one is missing, Gallas' U-statistics
answer in its place.
"""

import numpy as np
import pandas as pd

from mrnet_core.datasets.reads import ReaderStudy
from mrnet_core.domain import Metric
from mrnet_core.evaluation.counts import exams_of
from mrnet_core.stats import ReaderStudy as Design
from mrnet_core.stats import StatisticsError, auc, gallas, obuchowski_rockette, paired_t

CONDITIONS = ("assisted", "unassisted")
"""Differences are the first minus the second."""
COLUMNS = ("task", "readers", "metric", "cov_method", "analysis", "block", "row", "quantity", "value", "note")
SUMMARY_COLUMNS = (
    *("task", "readers", "metric", "n_readers", "n_exams", "difference", "t_lower", "t_upper", "t_p"),
    *("or_lower", "or_upper", "or_p", "or_df", "u_difference", "u_lower", "u_upper", "u_p", "note"),
)
"""``t_``: paired t over readers, exams fixed (two-sided); ``or_``: Obuchowski-Rockette, random readers and exams,
jackknife covariance; ``u_``: Gallas' U-statistics, the same question, missing reads allowed."""
READ_METRICS = ("sensitivity", "specificity", "accuracy")
U_STATISTICS = "U-statistics"
INCOMPLETE = "reads are missing, so the U-statistics answer; Obuchowski-Rockette needs every read"


def multireader(
    study: ReaderStudy, role: str, level: float = 0.95
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Every MRMC record, the summary beside the t-test, and notes on what could not be answered."""
    records: list[tuple] = []
    summary: list[dict] = []
    silent: dict[str, list[str]] = {}
    for t, task in enumerate(study.tasks):
        for name, readers in reader_sets(study, role).items():
            for metric in ("auc", *READ_METRICS):
                if metric == "auc" and study.confidence is None:
                    continue
                design, left_out = _design(study, t, readers, metric)
                cell = (task.value, name, metric)
                if design is None:
                    silent.setdefault(left_out, []).append(" ".join(cell))
                    summary.append(_row(cell, note=left_out))
                    continue
                found, row = _analyse(design, metric, level)
                records += [(*cell, *record) for record in found]
                row["note"] = "; ".join(filter(None, (left_out, row.get("note", ""))))
                summary.append(_row(cell, **row))
    notes = tuple(f"No MRMC answer, because {why}: {', '.join(cells)}." for why, cells in silent.items())
    return pd.DataFrame(records, columns=COLUMNS), pd.DataFrame(summary, columns=SUMMARY_COLUMNS), notes


def _row(cell: tuple[str, str, str], **values) -> dict:
    return dict(zip(("task", "readers", "metric"), cell, strict=True)) | values


def _design(study: ReaderStudy, task: int, readers: np.ndarray, metric: str) -> tuple[Design | None, str]:
    """The study of one task as stats takes it; a reader with no read in a condition is left out."""
    values = study.confidence if metric == "auc" else study.reads
    known = np.isfinite(study.truth[task])
    truth = study.truth[task][known].astype(int)
    counted = np.ones(truth.size, bool) if metric == "auc" else exams_of(Metric(metric), truth)
    scores = values[readers, task][:, ::-1][:, :, known].transpose(1, 0, 2)  # (assisted first, readers, exams)
    took_part = np.isfinite(scores[..., counted]).any(axis=2).all(axis=0)
    scores = np.where(counted, scores, 0.0)  # an exam that the metric does not count cannot be missing either
    left_out = [study.readers[i] for i in readers[~took_part]]
    note = f"without {', '.join(left_out)}, who did not read in both conditions" if left_out else ""
    if not took_part.any():
        return None, "no reader read in both conditions"
    if len(np.unique(truth)) < 2:
        return None, "the exams are all positive or all negative"
    names = tuple(study.readers[i] for i in readers[took_part])
    return Design(truth=truth, scores=scores[:, took_part], treatments=CONDITIONS, readers=names), note


def _analyse(design: Design, metric: str, level: float) -> tuple[list[tuple], dict]:
    """Records and summary row of one cell."""
    records: list[tuple] = []
    row: dict = {"n_readers": len(design.readers), "n_exams": int(design.truth.size)}
    unbiased = gallas(design, metric, level=level)
    change = unbiased.differences[0]
    row |= {"u_difference": change.estimate, "u_lower": change.lower, "u_upper": change.upper, "u_p": change.p_value}
    row |= {"difference": change.estimate} | _paired_t(design, metric, level)
    try:
        for covariance in ("jackknife", "delong") if metric == "auc" else ("jackknife",):
            answer = obuchowski_rockette(design, metric, covariance=covariance, level=level)
            # The fixed-case analysis has no covariance: once is enough.
            records += [
                (record.cov_method, record.analysis, record.block, record.row, record.quantity, record.value, "")
                for record in answer.records()
                if covariance == "jackknife" or record.cov_method != "none"
            ]
            if covariance == "jackknife":
                row |= _contrasts(answer)
    except StatisticsError as error:
        records += _u_records(unbiased)
        row["note"] = f"no Obuchowski-Rockette answer: {error}" if design.is_complete else INCOMPLETE
        row["note"] = "; ".join(filter(None, (row["note"], change.note)))
    return records, row


def _paired_t(design: Design, metric: str, level: float) -> dict[str, float]:
    """The paper's test: paired t over the readers' own figures, each from the reads that are there."""
    after, before = ([_figure(design.truth, row, metric) for row in treatment] for treatment in design.scores)
    both = np.isfinite(after) & np.isfinite(before)
    if not both.any():
        return {}
    found = paired_t(np.array(before)[both], np.array(after)[both], level=level)
    return {"t_lower": found.lower, "t_upper": found.upper, "t_p": found.p_two_sided}


def _figure(truth: np.ndarray, scores: np.ndarray, metric: str) -> float:
    """One reader's figure in one condition, NaN where nothing determines it."""
    read = np.isfinite(scores) & (True if metric == "auc" else exams_of(Metric(metric), truth))
    if metric != "auc":
        return float((scores[read] == truth[read]).mean()) if read.any() else np.nan
    return auc(truth[read], scores[read]).estimate if len(np.unique(truth[read])) == 2 else np.nan


def _contrasts(answer) -> dict:
    random = answer.random.differences[0]
    return {
        "difference": random.estimate,
        "or_lower": random.lower,
        "or_upper": random.upper,
        "or_p": random.p_two_sided,
        "or_df": random.df,
        "note": random.note,
    }


def _u_records(answer) -> list[tuple]:
    """U-statistics in the same shape as the Obuchowski-Rockette records."""
    rows = []
    estimates = [("difference", " - ".join(CONDITIONS), answer.differences[0])]
    estimates += [("condition_mean", single.treatments[0], single) for single in answer.singles]
    for block, name, value in estimates:
        quantities = {
            "Estimate": value.estimate,
            "StdErr": float(np.sqrt(value.variance)) if value.variance >= 0 else np.nan,
            "df": value.df,
            "CI.Lower": value.lower,
            "CI.Upper": value.upper,
            "p-value": value.p_value,
        }
        rows += [
            (U_STATISTICS, "RRRC", block, name, quantity, number, value.note) for quantity, number in quantities.items()
        ]
    return rows


def reader_sets(study: ReaderStudy, role: str) -> dict[str, np.ndarray]:
    """All readers (``experts_9``) and, where there are other roles, the main one (``radiologists_7``), as indices."""
    sets = {f"experts_{len(study.readers)}": np.arange(len(study.readers))}
    if len(study.role_words) > 1:
        chosen = study.of_role(role)
        sets[f"{role}s_{len(chosen)}"] = chosen
    return sets
