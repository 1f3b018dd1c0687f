"""The published numbers recomputed from the paper's own counts, each beside what was printed.

Counts come from Figure 5 (``artifacts/published``). "Equal" means equal to every printed digit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core import paper
from mrnet_core.datasets.published import PublishedCounts
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.contradictions import NOTES, Finding, findings
from mrnet_core.evaluation.counts import counts_of_published, matrix_of
from mrnet_core.evaluation.printed import printed_numbers
from mrnet_core.evaluation.provenance import UNKNOWN, Provenance
from mrnet_core.evaluation.tables import averages, differences, per_reader, table2, with_family
from mrnet_core.paper import Printed
from mrnet_core.stats import AucEstimate, auc, likelihood_ratios, predictive_values, ranked_scores

MAIN_ROLE = "radiologist"
EQUAL, DIFFERS, NOT_RECOMPUTABLE = "equal", "differs", "not recomputable"
TIE = 1e-9
"""Slack, in units of the last printed digit, for a value that lies exactly between two of them."""


@dataclass(frozen=True)
class Record:
    """One printed number beside its recomputation (in the unit of the print; None: not recomputable)."""

    id: str
    where: str
    quantity: str
    printed: str
    recomputed: float | None
    status: str
    note: str


@dataclass(frozen=True)
class PublishedEvidence:
    """Everything the counts say.

    Tables are pandas frames with the columns of :mod:`mrnet_core.evaluation.tables`; ``labels``, ``ranks`` hold each
    task's validation exams as Figure 5 orders them (ranks, no probabilities).
    """

    records: tuple[Record, ...]
    contradictions: tuple[Finding, ...]
    family: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    s4: pd.DataFrame
    per_reader: pd.DataFrame
    averages: pd.DataFrame
    auc: Mapping[Task, AucEstimate]
    labels: Mapping[Task, NDArray[np.int64]]
    ranks: Mapping[Task, NDArray[np.float64]]
    counts: PublishedCounts
    source: Provenance = UNKNOWN

    def tally(self) -> dict[str, int]:
        """How many records have each status."""
        return {
            word: sum(record.status == word for record in self.records) for word in (EQUAL, DIFFERS, NOT_RECOMPUTABLE)
        }


def recompute(published: PublishedCounts) -> PublishedEvidence:
    """Tables 2 and 3, S4, the AUCs, the FDR family and every record of the text, from the counts alone."""
    counts = counts_of_published(published)
    matrices = {task: matrix_of(entry) for task, entry in published.model.items()}
    tables = with_family(table2(counts, matrices, MAIN_ROLE), differences(counts), differences(counts, MAIN_ROLE))
    labels, ranks, areas = {}, {}, {}
    for task in Task:
        labels[task], ranks[task] = ranked_scores(published.positives_above[task], published.model[task].p)
        areas[task] = auc(labels[task], ranks[task])
    means = averages(counts, MAIN_ROLE)
    values = _quantities(published, counts, tables, areas)
    return PublishedEvidence(
        records=tuple(compare(entry, values) for entry in printed_numbers()),
        contradictions=findings(published, means),
        family=tables[3],
        table2=tables[0],
        table3=tables[1],
        s4=tables[2],
        per_reader=per_reader(counts),
        averages=means,
        auc=areas,
        labels=labels,
        ranks=ranks,
        counts=published,
    )


def compare(entry: Printed, values: Mapping[str, float]) -> Record:
    """Set a printed number beside its recomputation."""
    note = NOTES.get(entry.contradiction, "")
    if not entry.of:
        return Record(entry.id, entry.where, entry.quantity, entry.printed, None, NOT_RECOMPUTABLE, entry.reason)
    value = float(values[entry.of])
    agree = {
        "digits": lambda: prints_as(value, entry.printed),
        "above": lambda: value > entry.bound,
        "below": lambda: value < entry.bound,
        "at least": lambda: value >= entry.bound,
    }[entry.rule]()
    return Record(
        entry.id, entry.where, entry.quantity, entry.printed, value, EQUAL if agree else DIFFERS, "" if agree else note
    )


def prints_as(value: float, printed: str) -> bool:
    """True when ``value`` rounds to the printed text, digit for digit; ``<0.001`` is obeyed, ``%`` and ``,`` ignored.

    >>> prints_as(0.00184, "0.002"), prints_as(-0.0041, "−0.004"), prints_as(0.0002, "<0.001")
    (True, True, True)
    """
    text = printed.replace("−", "-").replace(",", "").replace("%", "")
    if not re.fullmatch(r"<?-?\d+(\.\d+)?", text):
        raise ValueError(f"{printed!r} is no printed number")
    if text.startswith("<"):
        return value < float(text[1:])
    digits = len(text.partition(".")[2])
    return abs(value - float(text)) * 10**digits <= 0.5 + TIE


def _quantities(published: PublishedCounts, counts: pd.DataFrame, tables: tuple, areas: Mapping) -> dict[str, float]:
    """Every recomputed quantity by the name that ``Printed.of`` uses."""
    second, third, fourth, family = tables
    values: dict[str, float] = {}
    for task, area in areas.items():
        values |= {f"auc.{task}.{part}": getattr(area, part) for part in ("estimate", "lower", "upper")}
    for row in second.to_dict("records"):
        cell = f"{row['task']}.{row['metric']}"
        for who, column in (("model", "model"), ("radiologists", "rad")):
            values[f"{who}.{cell}.estimate"] = row[column]
            values |= {f"{who}.{cell}.{part}": row[f"{column}_{part}"] for part in ("lower", "upper")}
        values |= {f"table2.{cell}.p": row["p_yates"], f"table2.{cell}.q": row["q_bh27"]}
    for name, frame in (("table3", third), ("s4", fourth)):
        for row in frame.to_dict("records"):
            cell = f"{name}.{row['task']}.{row['metric']}"
            values[f"{cell}.difference"] = row["mean_difference"]
            values |= {f"{cell}.{part}": row[part] for part in ("lower", "upper")}
            values |= {f"{cell}.p": row["p_one_tailed"], f"{cell}.q": row["q_bh27"]}
    return values | _table1_quantities() | _count_quantities(published) | _claims(published, counts, values, family)


def _table1_quantities() -> dict[str, float]:
    """What Table 1's whole numbers give: percentages and totals over the three sets."""
    size = paper.TABLE1_EXAMS | {"reference": paper.TABLE1_EXAMS["validation"]}
    total = sum(paper.TABLE1_EXAMS.values())
    values = {"exams.total": float(total), "tesla.percent": 100 * paper.EXAMS_AT_3_TESLA / total}
    for what, group, number, _ in paper.TABLE1:
        values[f"table1.{what}.{group}.percent"] = 100 * number / size[group]
        if group != "reference":
            values[f"total.{what}"] = values.get(f"total.{what}", 0) + number
    for what in paper.TABLE1_WORDS:
        values[f"total.{what}.percent"] = 100 * values[f"total.{what}"] / total
    ages, exams = zip(*paper.AGES.values(), strict=True)
    values["age.mean"] = float(np.average(ages, weights=exams))
    values["identified.percent"] = 100 * paper.AGES["training"][1] / size["training"]
    labels = [row for row in paper.TABLE1 if row[0] in list(Task) and row[1] in ("tuning", "validation")]
    values["stratified.fewest"] = min(row[2] for row in labels)
    values["external.exams"] = sum(paper.EXTERNAL.values())
    values["external.validation"] = paper.EXTERNAL_SHARE * values["external.exams"]
    return values


def _count_quantities(published: PublishedCounts) -> dict[str, float]:
    """Denominators and numbers of readers in Figure 5."""
    values: dict[str, float] = {}
    for task, model in published.model.items():
        values |= {f"positives.{task}": model.p, f"negatives.{task}": model.n, f"exams.{task}": model.p + model.n}
    for role in ("radiologist", "surgeon"):
        values[f"readers.{role}"] = sum(entry.role == role for entry in published.readers if entry.task == Task.ACL)
    return values


def _claims(
    published: PublishedCounts, counts: pd.DataFrame, values: Mapping, family: pd.DataFrame
) -> dict[str, float]:
    """Quantities behind claims in words."""
    gain = values["table3.acl.specificity.difference"]
    found = {"acl.specificity.percent": 100 * gain, "fewer.acl": gain * published.model[Task.ACL].n}
    known = {("acl", "sensitivity", "table2"), ("meniscus", "specificity", "table2"), ("acl", "specificity", "table3")}
    named = pd.Series([key in known for key in zip(family["task"], family["metric"], family["test"], strict=True)])
    for test in ("table2", "table3"):
        found[f"smallest-q.{test}.others"] = family["q"][(family["test"] == test) & ~named].min()
    found["smallest-q.table2.abnormal"] = family["q"][
        (family["test"] == "table2") & (family["task"] == Task.ABNORMAL.value)
    ].min()
    for role in ("radiologist", "surgeon"):
        change = differences(counts, role).set_index(["task", "metric"])["mean_difference"]
        found[f"change.{role}.acl.specificity"] = change["acl", "specificity"]
        for task in Task:
            best = max(change[task.value, metric.value] for metric in (Metric.SPECIFICITY, Metric.SENSITIVITY))
            found[f"change.{role}.{task}.best"] = best
    abnormal, acl = (matrix_of(published.model[task]) for task in (Task.ABNORMAL, Task.ACL))
    found["npv.abnormal"] = predictive_values(abnormal).negative.estimate
    found["lr-negative.acl"] = likelihood_ratios(acl).negative.estimate
    return found
