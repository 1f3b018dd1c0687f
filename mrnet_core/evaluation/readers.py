"""A reader study evaluated as the paper evaluated its own, from case-level reads.

Differences are assisted minus unassisted. The paper's micro-averages pool reads of the same exams, which are not
independent: an interval from resampling exams stands beside each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mrnet_core import paper
from mrnet_core.datasets.reads import ReaderStudy
from mrnet_core.domain import InputError, Metric, Task
from mrnet_core.evaluation.counts import (
    correct_reads,
    counts_of_study,
    exams_of,
    missing_as_wrong,
    model_matrices,
)
from mrnet_core.evaluation.crossover import COLUMNS as CROSSOVER_COLUMNS
from mrnet_core.evaluation.crossover import crossover_balance, crossover_effects
from mrnet_core.evaluation.multireader import COLUMNS as MRMC_COLUMNS
from mrnet_core.evaluation.multireader import SUMMARY_COLUMNS, multireader, reader_sets
from mrnet_core.evaluation.provenance import UNKNOWN, Provenance
from mrnet_core.evaluation.published import MAIN_ROLE, PublishedEvidence
from mrnet_core.evaluation.tables import averages, differences, per_reader, table2, with_family
from mrnet_core.stats import auc, fleiss_kappa, micro_average_by_exam

MISSING_RULES = ("available", "wrong")
"""What a missing read does: leaves its denominator, or counts as wrong."""
REPLICATES = 2000
SEED = 20181127
"""Of the bootstrap; the day the paper appeared."""
KAPPA_COLUMNS = ("set", "assisted", "task", "raters", "subjects", "kappa_exact", "kappa_fleiss", "note")
AUC_COLUMNS = ("task", "n_pos", "n_neg", "auc", "var_delong", "lower", "upper", "note")
POOLED_WARNING = (
    "The micro-averages pool reads of the same exams by several readers. Such reads are not independent, so the Wilson "
    "intervals (the paper's) are usually too narrow, and the chi-squared test of Table 2 takes them for independent; "
    "the interval beside each comes from resampling exams with all their reads."
)
NO_READS = "The paper's case-level reads were never published; this cannot be computed from counts."
TTEST_WARNING = (
    "The paper's t-test of Table 3 takes the readers as a sample and the exams as fixed: it says nothing of other "
    "exams. The MRMC analysis takes both as samples."
)


@dataclass(frozen=True)
class Options:
    """How a study is evaluated."""

    main_role: str = "radiologist"
    missing: str = "available"
    level: float = 0.95
    replicates: int = REPLICATES
    seed: int = SEED

    def __post_init__(self) -> None:
        if self.missing not in MISSING_RULES:
            raise InputError(f"missing must be one of {', '.join(MISSING_RULES)}; got {self.missing!r}")
        if not 0.5 <= self.level < 1:
            raise InputError(f"the confidence level must be from 0.5 to below 1; got {self.level:g}")


@dataclass(frozen=True)
class ReaderEvidence:
    """Everything a reader study says.

    Frames have the columns of R's reference output; ``absent`` says by name why a part is empty. ``mrmc_summary`` sets
    the paper's t-test beside the MRMC answer. ``synthetic`` and ``shortcut`` are those of a Validation.
    """

    readers: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    s4: pd.DataFrame
    family: pd.DataFrame
    kappa: pd.DataFrame
    auc: pd.DataFrame
    per_reader: pd.DataFrame
    averages: pd.DataFrame
    mrmc: pd.DataFrame
    mrmc_summary: pd.DataFrame
    crossover: pd.DataFrame
    balance: pd.DataFrame
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    absent: Mapping[str, str]
    main_role: str
    n_exams: int
    options: Options
    source: Provenance = UNKNOWN
    synthetic: bool = False
    shortcut: Mapping[Task, float] = field(default_factory=dict)


def evaluate_readers(study: ReaderStudy, options: Options | None = None) -> ReaderEvidence:
    """Tables 2 and 3, S4, their family, kappa, AUC, averages, MRMC and crossover checks of a study.

    Raises
    ------
    InputError
        No reader has the main role.
    """
    options = options or Options()
    if options.main_role not in study.roles:
        raise InputError(
            f"no reader has the role {options.main_role!r}; the roles are {', '.join(study.role_words)}: "
            "name one of them with --main-role"
        )
    level, role = options.level, options.main_role
    counted = missing_as_wrong(study) if options.missing == "wrong" else study
    counts = counts_of_study(counted)
    absent = _absent(study, counts)
    second = table2(counts, model_matrices(study, paper.MODEL_THRESHOLD), role, level)
    third = differences(counts, None, level)
    fourth = differences(counts, role, level).iloc[: 0 if "s4" in absent else None]
    if "table3" in absent:
        third = third.iloc[:0]
    second, third, fourth, family = with_family(second, third, fourth)
    means = _with_bootstrap(averages(counts, role, level), counted, options)
    mrmc, summary, mrmc_notes = multireader(counted, role, level)
    effects, crossover_note = crossover_effects(counted, counts, level)
    if crossover_note:
        absent["crossover"] = crossover_note
    return ReaderEvidence(
        readers=pd.DataFrame({"reader": study.readers, "role": study.roles, "group": study.groups}),
        table2=_beside(second, means, role),
        table3=third,
        s4=fourth,
        family=family,
        kappa=_kappa(study, role),
        auc=_model_auc(study, level),
        per_reader=per_reader(counts, level),
        averages=means,
        mrmc=mrmc,
        mrmc_summary=summary,
        crossover=effects,
        balance=crossover_balance(study, counts),
        warnings=(POOLED_WARNING, TTEST_WARNING),
        notes=(*study.notes, *_missing_notes(study, counts, options), *mrmc_notes),
        absent=absent,
        main_role=role,
        n_exams=len(study.exams),
        options=options,
    )


def published_study(published: PublishedEvidence) -> ReaderEvidence:
    """The paper's study as far as counts go: no case-level read was published, so ``absent`` is long."""
    roles = published.per_reader.drop_duplicates(["task", "reader"])
    one_task = roles[roles["task"] == roles["task"].iloc[0]]
    areas = [
        (task.value, area.n_pos, area.n_neg, area.estimate, area.variance, area.lower, area.upper, area.note)
        for task, area in published.auc.items()
    ]
    empty = {
        name: pd.DataFrame(columns=columns)
        for name, columns in (
            ("kappa", KAPPA_COLUMNS),
            ("mrmc", MRMC_COLUMNS),
            ("mrmc_summary", SUMMARY_COLUMNS),
            ("crossover", CROSSOVER_COLUMNS),
            ("balance", ("sequence",)),
        )
    }
    return ReaderEvidence(
        readers=one_task[["reader", "role"]].assign(group="").reset_index(drop=True),
        table2=published.table2,
        table3=published.table3,
        s4=published.s4,
        family=published.family,
        auc=pd.DataFrame(areas, columns=AUC_COLUMNS),
        per_reader=published.per_reader,
        averages=published.averages,
        warnings=(POOLED_WARNING.partition(";")[0] + ".", TTEST_WARNING.partition(" The MRMC")[0]),
        notes=("Figure 5 does not link readers across tasks: reader 1 of one task need not be reader 1 of another.",),
        absent=dict.fromkeys(("kappa", "mrmc", "crossover", "balance", "by-exam interval"), NO_READS),
        main_role=MAIN_ROLE,
        n_exams=published.auc[Task.ACL].n_pos + published.auc[Task.ACL].n_neg,
        options=Options(),
        source=published.source,
        **empty,
    )


def _absent(study: ReaderStudy, counts: pd.DataFrame) -> dict[str, str]:
    """Parts that this study cannot have, with the reason."""
    absent = {}
    if study.model is None:
        absent["table2"] = absent["auc"] = "no model scores were given (--model)"
    if len(study.role_words) < 2:
        absent["s4"] = "all readers have one role, so the sensitivity analysis is Table 3 itself"
    n = counts.groupby("assisted")["n"].sum()
    if not (n.get(0, 0) and n.get(1, 0)):
        only = "assisted" if n.get(1, 0) else "unassisted"
        absent["table3"] = absent["s4"] = f"there are {only} reads only, so nothing to compare"
    if study.raters is None:
        absent["kappa of the reference"] = "the reference standard gives no single raters"
    if study.confidence is None:
        absent["mrmc auc"] = "the reads have no confidence column"
    return absent


def _missing_notes(study: ReaderStudy, counts: pd.DataFrame, options: Options) -> tuple[str, ...]:
    """What the study lacks, counted: single reads, and readers who read nothing of a task in a condition."""
    # A condition that nobody read is no missing read: `absent` speaks of it.
    read = np.isfinite(study.reads).any(axis=(0, 3), keepdims=True)
    due = np.isfinite(study.truth)[None, :, None] & read & np.ones_like(study.reads, dtype=bool)
    took_part = np.isfinite(study.reads).any(axis=3, keepdims=True)
    missing = int((due & np.isnan(study.reads) & took_part).sum())
    rule = "leave their denominators" if options.missing == "available" else "count as wrong"
    silent = counts[(counts["metric"] == Metric.ACCURACY.value) & (counts["n"] == 0)]
    silent = silent[silent["assisted"].isin(np.flatnonzero(read.any(axis=(0, 1, 3))))]
    names = sorted(
        {f"{row.reader} ({row.task}, {'assisted' if row.assisted else 'unassisted'})" for row in silent.itertuples()}
    )
    notes = [f"{missing} of {int((due & took_part).sum())} reads are missing; they {rule}."] if missing else []
    if names:
        notes.append(f"No read at all, so left out there: {', '.join(names)}.")
    return tuple(notes)


def _with_bootstrap(means: pd.DataFrame, study: ReaderStudy, options: Options) -> pd.DataFrame:
    """Averages with ``boot_lower``, ``boot_upper``: the micro-average's interval from resampling exams."""
    rng = np.random.default_rng(options.seed)
    correct = {task.value: correct_reads(study, t) for t, task in enumerate(study.tasks)}
    truth = {task.value: study.truth[t] for t, task in enumerate(study.tasks)}
    bounds = []
    for row in means.itertuples():
        chosen = np.arange(len(study.readers)) if row.readers == "all" else study.of_role(row.readers)
        exams = exams_of(Metric(row.metric), truth[row.task])
        cell = correct[row.task][chosen, row.assisted][:, exams]
        if not np.isfinite(cell).any():
            bounds.append((np.nan, np.nan))
            continue
        estimate = micro_average_by_exam(cell, rng=rng, replicates=options.replicates, level=options.level)
        bounds.append((estimate.lower, estimate.upper))
    lower, upper = zip(*bounds, strict=True)
    return means.assign(boot_lower=lower, boot_upper=upper)


def _beside(second: pd.DataFrame, means: pd.DataFrame, role: str) -> pd.DataFrame:
    """Table 2 with the by-exam interval of the readers' micro-average."""
    own = means[(means["readers"] == role) & (means["assisted"] == 0)].set_index(["task", "metric"])
    keys = [(row.task, row.metric) for row in second.itertuples()]
    return second.assign(
        rad_boot_lower=[own.loc[key, "boot_lower"] for key in keys],
        rad_boot_upper=[own.loc[key, "boot_upper"] for key in keys],
    )


def _kappa(study: ReaderStudy, role: str) -> pd.DataFrame:
    """Exact (Conger) and ordinary Fleiss kappa of the reference's raters and of the readers in both conditions."""
    rows = []
    for t, task in enumerate(study.tasks):
        known = np.isfinite(study.truth[t])
        cells = []
        if study.raters is not None:
            votes = study.raters[t][known]
            cells.append(("reference_raters", np.nan, votes[:, np.isfinite(votes).any(axis=0)]))
        for name, readers in reader_sets(study, role).items():
            for assisted in (0, 1):
                reads = study.reads[readers, t, assisted][:, known].T
                cells.append((name, assisted, reads[:, np.isfinite(reads).any(axis=0)]))
        for name, assisted, ratings in cells:
            rows.append((name, assisted, task.value, *_both_kappas(ratings)))
    return pd.DataFrame(rows, columns=KAPPA_COLUMNS)


def _both_kappas(ratings: np.ndarray) -> tuple:
    if ratings.shape[1] < 2:
        return ratings.shape[1], 0, np.nan, np.nan, "fewer than two raters read"
    if not np.isfinite(ratings).all(axis=1).any():
        return ratings.shape[1], 0, np.nan, np.nan, "no exam was read by every rater"
    exact, ordinary = fleiss_kappa(ratings, exact=True), fleiss_kappa(ratings, exact=False)
    return exact.raters, exact.n, exact.estimate, ordinary.estimate, exact.note


def _model_auc(study: ReaderStudy, level: float) -> pd.DataFrame:
    rows = []
    for t, task in enumerate(study.tasks):
        known = np.isfinite(study.truth[t]) & (np.isfinite(study.model[t]) if study.model is not None else False)
        if known.any():
            area = auc(study.truth[t][known].astype(int), study.model[t][known], level=level)
            rows.append(
                (task.value, area.n_pos, area.n_neg, area.estimate, area.variance, area.lower, area.upper, area.note)
            )
    return pd.DataFrame(rows, columns=AUC_COLUMNS)
