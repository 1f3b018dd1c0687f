"""Evidence as the contract's JSON objects: plain values, full precision, null where a value is undefined."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mrnet_core.domain import Task
from mrnet_core.evaluation.provenance import SYNTHETIC, SYNTHETIC_READERS
from mrnet_core.evaluation.published import PublishedEvidence
from mrnet_core.evaluation.readers import ReaderEvidence
from mrnet_core.evaluation.validation import SAME_EXAMS_WARNING, Validation, operating_table
from mrnet_core.report.tables import auc_frame, calibration_frame, comparison_frame, predictive_frame

UNDEFINED = "not determined by the data"
REASONS = {
    "assisted": "the reference standard's raters read in neither condition",
    "q_storey27": "Storey's share of true null hypotheses cannot be estimated from these p-values",
    "macro_sd": "fewer than two readers: no spread between readers",
    "order_correlation": "no reader's order of the exams is known in both conditions",
}
"""Why a column is undefined in a row whose own note is empty."""


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dictionaries; NaN and infinity become None, and a row with one always says why in ``note``."""
    rows = []
    for row in frame.to_dict("records"):
        plain = {str(name): plain_value(value) for name, value in row.items()}
        undefined = [name for name, value in plain.items() if value is None and name != "note"]
        if undefined and not plain.get("note"):
            plain["note"] = "; ".join(dict.fromkeys(REASONS.get(name, UNDEFINED) for name in undefined))
        rows.append(plain)
    return rows


def plain_value(value: Any) -> Any:
    """A JSON value: numpy scalars unpacked, NaN and infinity as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value is None or value is pd.NA else value


def published_json(evidence: PublishedEvidence) -> dict[str, Any]:
    """The object that ``evaluate published --json`` prints."""
    return {
        "records": [
            {
                "id": record.id,
                "where": record.where,
                "quantity": record.quantity,
                "printed": record.printed,
                "recomputed": plain_value(record.recomputed),
                "status": record.status,
                "note": record.note,
            }
            for record in evidence.records
        ],
        "contradictions": [
            {"id": entry.id, "name": entry.name, "claim": entry.claim, "evidence": entry.evidence}
            for entry in evidence.contradictions
        ],
        "family": records_of(family_frame(evidence)),
        "tally": evidence.tally(),
        **{name: records_of(frame) for name, frame in published_frames(evidence).items() if name != "family"},
        "provenance": provenance_json(evidence),
    }


def published_frames(evidence: PublishedEvidence) -> Mapping[str, pd.DataFrame]:
    """The tables of the published evidence by name."""
    areas = [
        (task.value, area.n_pos, area.n_neg, area.estimate, area.variance, area.lower, area.upper)
        for task, area in evidence.auc.items()
    ]
    return {
        "table2": evidence.table2,
        "table3": evidence.table3,
        "s4": evidence.s4,
        "family": family_frame(evidence),
        "auc": pd.DataFrame(areas, columns=["task", "n_pos", "n_neg", "auc", "var_delong", "lower", "upper"]),
        "per_reader": evidence.per_reader,
        "averages": evidence.averages,
    }


def family_frame(evidence: PublishedEvidence | ReaderEvidence) -> pd.DataFrame:
    """The family of tests, with the ``note`` of each test's own table."""
    notes = [
        getattr(evidence, name)[["task", "metric", "note"]].assign(test=name) for name in ("table2", "table3", "s4")
    ]
    return evidence.family.merge(pd.concat(notes), how="left", on=["task", "metric", "test"])


READER_FRAMES = (
    *("table2", "table3", "s4", "kappa", "auc", "per_reader", "averages", "mrmc", "mrmc_summary"),
    *("crossover", "balance", "family", "readers"),
)


def reader_frames(evidence: ReaderEvidence) -> dict[str, pd.DataFrame]:
    """Every table of a reader study by name; of a synthetic one, the shortcut's AUC stands beside the model's."""
    frames = {name: getattr(evidence, name) for name in READER_FRAMES} | {"family": family_frame(evidence)}
    if evidence.shortcut:
        beside = [evidence.shortcut.get(Task(word), math.nan) for word in evidence.auc["task"]]
        frames["auc"] = evidence.auc.assign(shortcut_auc=beside)
    return frames


def readers_json(evidence: ReaderEvidence) -> dict[str, Any]:
    """The object that ``evaluate readers --json`` prints."""
    said = [SYNTHETIC_READERS] if evidence.synthetic else []
    tables = {name: records_of(frame) for name, frame in reader_frames(evidence).items()}
    return {"synthetic": evidence.synthetic, **tables} | {
        "warnings": [*said, *evidence.warnings],
        "notes": list(evidence.notes),
        "absent": dict(evidence.absent),
        "main_role": evidence.main_role,
        "missing": evidence.options.missing,
        "level": evidence.options.level,
        "bootstrap": {"replicates": evidence.options.replicates, "seed": evidence.options.seed, "unit": "exam"},
        "provenance": provenance_json(evidence),
    }


def validation_json(validation: Validation, specificity: float, prevalence: float | None) -> dict[str, Any]:
    """The object that ``evaluate validation --json`` prints."""
    areas = auc_frame(validation).rename(columns={"lower": "lower95", "upper": "upper95"})
    if validation.level != 0.95:
        areas = auc_frame(validation)
    said = [SYNTHETIC] if validation.synthetic else []
    answer = {
        "synthetic": validation.synthetic,
        "auc": records_of(areas),
        "operating": records_of(operating_table(validation, specificity)),
        "predictive": records_of(predictive_frame(validation, specificity, prevalence)),
        "calibration": calibration_json(validation),
        "level": validation.level,
        "warnings": [*said, SAME_EXAMS_WARNING],
        "notes": list(validation.notes),
        "provenance": provenance_json(validation),
    }
    comparison = comparison_frame(validation)
    return answer | ({"comparison": records_of(comparison)} if len(comparison) else {})


def calibration_json(validation: Validation) -> list[dict[str, Any]]:
    """One record a task: Brier score, slope and intercept, with the bins of the reliability curve."""
    rows = records_of(calibration_frame(validation))
    for row in rows:
        entry = next(value for task, value in validation.tasks.items() if task.value == row["task"])
        curve = entry.calibration.reliability
        row["bins"] = [
            {
                "predicted": plain_value(curve.predicted[i]),
                "observed": plain_value(curve.observed[i]),
                "lower": plain_value(curve.lower[i]),
                "upper": plain_value(curve.upper[i]),
                "x": plain_value(curve.x[i]),
                "n": plain_value(curve.n[i]),
            }
            for i in range(len(curve.predicted))
        ]
    return rows


def provenance_json(evidence: PublishedEvidence | ReaderEvidence | Validation) -> dict[str, str]:
    """Where the numbers come from."""
    source = evidence.source
    return {
        "source": source.source,
        "model": source.model,
        "n": source.n,
        "version": source.version,
        "date": source.date,
    }
