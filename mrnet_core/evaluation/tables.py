"""The paper's tables from a count table: per reader, averages, Table 2, Table 3, S4 and their one FDR family.

Columns are those of R's reference output (``g_*``), so that a table can be held against R name by name; every table
has a ``note`` beside, which says why a cell is NaN.
"""

import numpy as np
import pandas as pd

from mrnet_core.domain import Metric
from mrnet_core.evaluation.counts import Matrices, readers_of, roles_of, select, tasks_of
from mrnet_core.stats import (
    PairedT,
    Proportion,
    benjamini_hochberg,
    benjamini_yekutieli,
    chi2_two_proportions,
    holm,
    macro_average,
    micro_average,
    paired_t,
    storey,
    wilson,
)

TABLE2_COLUMNS = (
    *("task", "metric", "model_x", "model_n", "model", "model_lower", "model_upper"),
    *("rad_x", "rad_n", "rad", "rad_lower", "rad_upper", "stat_yates", "p_yates", "stat_pearson", "p_pearson", "note"),
)
"""``rad``: the unassisted micro-average of the main role, whatever its name."""
DIFFERENCE_COLUMNS = (
    *("task", "metric", "n_readers", "mean_difference", "sd_difference", "lower", "upper", "t", "df"),
    *("p_one_tailed", "p_two_tailed", "onesided_lower", "note"),
)
FAMILY_COLUMNS = ("task", "metric", "test", "p", "q")


def per_reader(counts: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The count table with each reader's proportion and Wilson interval."""
    intervals = [wilson(int(x), int(n), level=level) for x, n in zip(counts["x"], counts["n"], strict=True)]
    return counts.assign(**_estimates(intervals), note=[entry.note for entry in intervals])


def averages(counts: pd.DataFrame, main_role: str, level: float = 0.95) -> pd.DataFrame:
    """Micro- and macro-averages of each role and of all readers (``readers`` = ``all``), in both conditions."""
    rows = []
    for role in (*roles_of(counts, main_role), None):
        chosen = readers_of(counts, role)
        for task in tasks_of(chosen):
            for assisted in (0, 1):
                for metric in Metric:
                    cell = select(chosen, task, metric, assisted)
                    x, n = cell["x"].to_numpy(int), cell["n"].to_numpy(int)
                    read = n > 0
                    micro = micro_average(x, n, level=level)
                    macro = macro_average(x[read], n[read], level=level) if read.any() else None
                    expected = int(cell["n_reads_expected"].to_numpy()[read].sum())  # of readers who took part
                    rows.append(
                        {
                            "readers": role or "all",
                            "task": task.value,
                            "assisted": assisted,
                            "metric": metric.value,
                            "n_readers": int(read.sum()),
                            "micro_x": micro.x,
                            "micro_n": micro.n,
                            "micro": micro.estimate,
                            "micro_lower": micro.lower,
                            "micro_upper": micro.upper,
                            "macro": macro.estimate if macro else np.nan,
                            "macro_sd": macro.sd if macro else np.nan,
                            "n_reads_expected": expected,
                            "micro_missing_as_wrong": micro.x / expected if expected else np.nan,
                            "note": "" if read.any() else "no reads",
                        }
                    )
    return pd.DataFrame(rows)


def table2(counts: pd.DataFrame, model: Matrices, main_role: str, level: float = 0.95) -> pd.DataFrame:
    """The model against the unassisted micro-average of ``main_role``: Pearson's chi-squared with and without Yates."""
    chosen = readers_of(counts, main_role)
    rows = []
    for task in tasks_of(chosen):
        if task not in model:
            continue
        for metric in Metric:
            cell = select(chosen, task, metric, 0)
            own = model[task].metric(metric.value, level=level)
            pooled = wilson(int(cell["x"].sum()), int(cell["n"].sum()), level=level)
            tests = {}
            for name, yates in (("yates", True), ("pearson", False)):
                test = chi2_two_proportions(own.x, own.n, pooled.x, pooled.n, yates=yates, level=level)
                tests |= {f"stat_{name}": test.statistic, f"p_{name}": test.p_two_sided}
                note = test.note
            rows.append(
                {"task": task.value, "metric": metric.value}
                | _proportion("model", own)
                | _proportion("rad", pooled)
                | tests
                | {"note": note}
            )
    return pd.DataFrame(rows, columns=TABLE2_COLUMNS)


def differences(counts: pd.DataFrame, role: str | None = None, level: float = 0.95) -> pd.DataFrame:
    """Assisted minus unassisted over readers (Table 3; with a role the sensitivity analysis S4).

    A reader counts where both conditions have a read.
    """
    chosen = readers_of(counts, role)
    rows = []
    for task in tasks_of(chosen):
        for metric in Metric:
            before, after = (select(chosen, task, metric, assisted) for assisted in (0, 1))
            both = (before["n"] > 0) & (after["n"] > 0)
            left_out = [str(reader) for reader in both.index[~both]]
            result = _paired(before[both], after[both], level)
            note = [f"without {', '.join(left_out)}, who did not read in both conditions"] if left_out else []
            note += [result.note] if result and result.note else []
            note += [] if result else ["no reader read in both conditions"]
            rows.append({"task": task.value, "metric": metric.value} | _difference(result) | {"note": "; ".join(note)})
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def _paired(before: pd.DataFrame, after: pd.DataFrame, level: float) -> PairedT | None:
    if before.empty:
        return None
    return paired_t((before["x"] / before["n"]).to_numpy(), (after["x"] / after["n"]).to_numpy(), level=level)


def _difference(result: PairedT | None) -> dict:
    if result is None:
        return dict.fromkeys(DIFFERENCE_COLUMNS[3:-1], np.nan) | {"n_readers": 0}
    return {
        "n_readers": result.n,
        "mean_difference": result.estimate,
        "sd_difference": result.sd,
        "lower": result.lower,
        "upper": result.upper,
        "t": result.statistic,
        "df": np.nan if result.df is None else result.df,
        "p_one_tailed": result.p_greater,
        "p_two_tailed": result.p_two_sided,
        "onesided_lower": result.one_sided_lower,
    }


def with_family(
    table2: pd.DataFrame, table3: pd.DataFrame, s4: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three tables with their q-values, and the family itself.

    The family is Table 2 (p with Yates' correction), Table 3 and S4 (one-tailed p), in this order; undefined p-values
    are not counted (as R's ``p.adjust``). ``q_bh27`` is the name whatever ``family_size`` is.
    """
    members = [
        frame[["task", "metric", column]].set_axis(["task", "metric", "p"], axis=1).assign(test=name)
        for name, frame, column in (
            ("table2", table2, "p_yates"),
            ("table3", table3, "p_one_tailed"),
            ("s4", s4, "p_one_tailed"),
        )
    ]
    family = pd.concat(members, ignore_index=True)
    family["p"] = family["p"].astype(float)
    p = family["p"].to_numpy(float)
    whole = benjamini_hochberg(p)
    family["q"] = whole.adjusted
    columns = {"q_bh27": whole.adjusted} | _other_adjustments(p)
    first_two = (family["test"] != "s4").to_numpy()
    eighteen = np.full(len(p), np.nan)
    eighteen[first_two] = benjamini_hochberg(p[first_two]).adjusted if first_two.any() else np.nan
    tables = []
    for name, frame in (("table2", table2), ("table3", table3), ("s4", s4)):
        rows = (family["test"] == name).to_numpy()
        added = {column: values[rows] for column, values in columns.items()}
        added["q_bh_within_table9"] = benjamini_hochberg(p[rows]).adjusted if rows.any() else []
        if name != "s4":
            added["q_bh18"] = eighteen[rows]
        tables.append(frame.assign(**added, family_size=whole.m))
    return (*tables, family[list(FAMILY_COLUMNS)])


def _other_adjustments(p: np.ndarray) -> dict[str, np.ndarray]:
    """Benjamini-Yekutieli, Holm and Storey's q of the same family, for comparison."""
    if not np.isfinite(p).any():
        return {name: np.full(len(p), np.nan) for name in ("q_storey27", "q_by27", "p_holm27")}
    return {
        "q_storey27": storey(p).adjusted,
        "q_by27": benjamini_yekutieli(p).adjusted,
        "p_holm27": holm(p).adjusted,
    }


def _proportion(name: str, value: Proportion) -> dict:
    return {
        f"{name}_x": value.x,
        f"{name}_n": value.n,
        name: value.estimate,
        f"{name}_lower": value.lower,
        f"{name}_upper": value.upper,
    }


def _estimates(values: list) -> dict[str, list[float]]:
    return {part: [getattr(value, part) for value in values] for part in ("estimate", "lower", "upper")}
