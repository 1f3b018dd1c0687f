"""Did the order of the two readings matter? Period and carry-over effects of a reader study, and its groups' balance.

A reader is in the sequence "unassisted first" or "assisted first", read off the ``period`` column. The outcome is a
reader's proportion in a period. With carry-over the period test loses its meaning; both are shown.
"""

import numpy as np
import pandas as pd

from mrnet_core.datasets.reads import ReaderStudy
from mrnet_core.domain import Metric
from mrnet_core.evaluation.counts import select, tasks_of
from mrnet_core.stats import Comparison, crossover

COLUMNS = (
    *("task", "metric", "effect", "estimate", "lower", "upper", "t", "df", "p"),
    *("n_unassisted_first", "n_assisted_first", "note"),
)
EFFECTS = {
    "assistance": "treatment",
    "period": "period",
    "carry_over": "carryover",
}
"""Names of the records, and of the results of :func:`mrnet_core.stats.crossover`. ``assistance`` is assisted minus
unassisted free of the period; ``period`` second minus first free of assistance; ``carry_over`` what the first reading
left behind, assisted minus unassisted."""
SEQUENCES = ("unassisted first", "assisted first")


def sequence_of(study: ReaderStudy) -> tuple[np.ndarray, str]:
    """1 for each reader who read assisted first, 0 unassisted first, NaN where the periods do not say; and why."""
    sequence = np.full(len(study.readers), np.nan)
    if study.period is None:
        return sequence, "the reads have no period column"
    for r in range(len(study.readers)):
        read = np.isfinite(study.reads[r]) & np.isfinite(study.period[r])
        periods = [set(study.period[r][:, c][read[:, c]]) for c in (0, 1)]
        if periods == [{1.0}, {2.0}]:
            sequence[r] = 0
        elif periods == [{2.0}, {1.0}]:
            sequence[r] = 1
    unclear = [study.readers[r] for r in np.flatnonzero(np.isnan(sequence))]
    if unclear:
        return sequence, (
            f"left out, as a reader must read one condition in period 1 and the other in period 2: {', '.join(unclear)}"
        )
    return sequence, ""


def crossover_effects(study: ReaderStudy, counts: pd.DataFrame, level: float = 0.95) -> tuple[pd.DataFrame, str]:
    """One row a task, metric and effect, and why there is none where there is none."""
    sequence, note = sequence_of(study)
    first = [int((sequence == value).sum()) for value in (0, 1)]
    if min(first) == 0:
        reason = (
            note or f"all readers read {SEQUENCES[int(first[1] > 0)]}: with one sequence the period is the condition"
        )
        return pd.DataFrame(columns=COLUMNS), reason
    rates = (counts["x"] / counts["n"].where(counts["n"] > 0)).set_axis(
        pd.MultiIndex.from_frame(counts[["task", "metric", "assisted", "reader"]])
    )
    rates = rates.unstack("reader")[list(study.readers)]
    rows = []
    for task in tasks_of(counts):
        for metric in Metric:
            rate = rates.loc[(task.value, metric.value)].loc[[0, 1]].to_numpy(float)
            usable = np.isfinite(sequence) & np.isfinite(rate).all(axis=0)
            assisted_first = sequence[usable] == 1
            unassisted, assisted = rate[0][usable], rate[1][usable]
            result = crossover(
                np.where(assisted_first, assisted, unassisted),
                np.where(assisted_first, unassisted, assisted),
                assisted_first.astype(int),
                level=level,
            )
            counted = (result.n_control_first, result.n_treated_first)
            for name, attribute in EFFECTS.items():
                effect = getattr(result, attribute)
                notes = "; ".join(part for part in (note, effect.note) if part)
                rows.append((task.value, metric.value, name, *_cells(effect), *counted, notes))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame, ""


def _cells(value: Comparison) -> tuple[float, ...]:
    df = np.nan if value.df is None else value.df
    return value.estimate, value.lower, value.upper, value.statistic, df, value.p_two_sided


def crossover_balance(study: ReaderStudy, counts: pd.DataFrame) -> pd.DataFrame:
    """One row a sequence and group: readers, roles, reads, and how well they read unassisted."""
    sequence, _ = sequence_of(study)
    keys = [
        (SEQUENCES[int(value)] if np.isfinite(value) else "unknown", group)
        for value, group in zip(sequence, study.groups, strict=True)
    ]
    rows = []
    for key in sorted(set(keys), key=lambda pair: (pair[0] == "unknown", pair[0] != SEQUENCES[0], pair[1])):
        members = [r for r, own in enumerate(keys) if own == key]
        names = [study.readers[r] for r in members]
        roles = [f"{sum(study.roles[r] == role for r in members)} {role}" for role in study.role_words]
        own = counts[counts["reader"].isin(names)]
        accuracy = own[own["metric"] == Metric.ACCURACY.value]
        row = {
            "sequence": key[0],
            "group": key[1],
            "n_readers": len(members),
            "roles": ", ".join(roles),
            "readers": ", ".join(names),
            "n_reads": int(accuracy["n"].sum()),
            "n_reads_expected": int(accuracy["n_reads_expected"].sum()),
            "order_correlation": _order_correlation(study, members),
        }
        for task in tasks_of(counts):
            for metric in Metric:
                cell = select(own, task, metric, 0)
                cell = cell[cell["n"] > 0]
                row[f"unassisted_{task}_{metric}"] = float((cell["x"] / cell["n"]).mean()) if len(cell) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def _order_correlation(study: ReaderStudy, members: list[int]) -> float:
    """Mean over readers of the rank correlation of the exams' places in the two readings; near 0: a new order."""
    if study.order is None:
        return np.nan
    found = []
    for r in members:
        places = pd.DataFrame({c: pd.DataFrame(study.order[r][:, c]).mean() for c in (0, 1)}).dropna()
        if len(places) > 2 and (places.nunique() > 1).all():
            ranks = places.rank()
            found.append(float(np.corrcoef(ranks[0], ranks[1])[0, 1]))
    return float(np.mean(found)) if found else np.nan
