"""Splits of one's own exams: stratified by label, grouped by patient, with enough positives where figures come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core.domain import DatasetError, InputError, Split, Task

PAPER_POSITIVES = 50
"""Positives of each label in the tuning and in the validation set (Bien et al. 2018, Methods, "Dataset")."""
PAPER_SHARES = (0.6, 0.2, 0.2)
"""Training, tuning, validation (Bien et al. 2018, Methods, "External validation")."""
INNER_SEED = 20181127
"""The inner split is one and the same for every plane, task and seed of a run."""


@dataclass(frozen=True)
class SplitRules:
    """Shares of training, tuning and validation exams; positives of each label that the last two must hold; a seed."""

    shares: tuple[float, float, float] = PAPER_SHARES
    at_least: int = PAPER_POSITIVES
    seed: int = 1

    def __post_init__(self) -> None:
        if len(self.shares) != 3 or min(self.shares) <= 0:
            raise InputError(f"shares are three numbers above 0 (training, tuning, validation); got {self.shares}")
        if self.at_least < 1:
            raise InputError(f"at least 1 positive of each label is needed; got {self.at_least}")


def read_exam_table(path) -> pd.DataFrame:
    """A CSV of exams as ``split_exams`` wants it: ``exam``, the tasks' 0 and 1, and ``patient`` where known.

    Raises
    ------
    DatasetError
        It cannot be read, lacks a column, or a label is not 0 or 1.
    """
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DatasetError(f"{path} cannot be read as a CSV table: {error}") from error
    tasks = [task.value for task in Task if task.value in table]
    if "exam" not in table or not tasks:
        raise DatasetError(f"{path} needs the column exam and at least one of {', '.join(Task)}; it has {list(table)}")
    for name in tasks:
        wrong = table.index[~table[name].isin(["0", "1", "0.0", "1.0"])]
        if len(wrong):
            raise DatasetError(f"{path} row {wrong[0] + 2}: {name} is {table[name][wrong[0]]!r}; a label is 0 or 1")
        table[name] = table[name].astype(float).astype(int)
    return table


def split_exams(table: pd.DataFrame, rules: SplitRules | None = None) -> pd.Series:
    """A split for every exam.

    All exams of a patient go to one split. The tuning and the validation set are filled first: patients with the
    rarest label until each label has its positives, then patients that bring the set's label shares nearest to the
    whole table's.

    Parameters
    ----------
    table
        Columns ``exam``, any of the tasks (0 or 1), and ``patient`` where patients are known (an exam without one is
        a patient of its own).
    rules
        Shares, positives, seed.

    Returns
    -------
    pandas.Series
        ``Split`` by exam, in the table's order.

    Raises
    ------
    DatasetError
        An exam named twice, or too few positives of a label for the rules.
    """
    rules = rules or SplitRules()
    twice = table["exam"][table["exam"].duplicated()]
    if len(twice):
        raise DatasetError(f"exam {twice.iloc[0]} stands in the table twice; one row an exam")
    tasks = [task.value for task in Task if task.value in table]
    patient = table["patient"] if "patient" in table else pd.Series(np.nan, table.index)
    groups = patient.where(patient.notna() & (patient != ""), "exam " + table["exam"].astype(str))
    names, group_of = np.unique(groups.astype(str), return_inverse=True)
    counts = np.zeros((len(names), 1 + len(tasks)), int)  # exams, then positives of each task
    np.add.at(counts, group_of, np.column_stack([np.ones(len(table), int), table[tasks].to_numpy(int)]))
    _enough(counts, tasks, rules)
    generator = np.random.default_rng(rules.seed)
    shares = np.array(rules.shares) / sum(rules.shares)
    free = list(generator.permutation(len(names)))
    where = np.zeros(len(names), int)
    for place in (2, 1):
        chosen = _fill(counts, free, shares[place] * len(table), rules.at_least, tasks)
        where[chosen] = place
        free = [group for group in free if where[group] == 0]
    _trainable(counts[free], tasks)
    splits = [tuple(Split)[where[group]] for group in group_of]
    return pd.Series(splits, index=table["exam"], name="split", dtype=object)  # else pandas makes them plain str


def split_table(splits: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """Exams and positives of each label in each split."""
    labels = table.set_index("exam")[[task.value for task in Task if task.value in table]]
    return labels.assign(exams=1).groupby(splits.reindex(labels.index).map(str)).sum().reindex(list(map(str, Split)))


def inner_split(
    labels: NDArray, share: float, seed: int = INNER_SEED, strata: NDArray | None = None
) -> NDArray[np.bool_]:
    """True for the training exams that choose the epoch: ``share`` of each combination of labels, at random.

    Parameters
    ----------
    labels
        ``(exams, tasks)``, 0 or 1: both parts get both labels of each task.
    share
        Between 0 and 1.
    strata
        ``(exams, tables)``, 0 or 1: the labels whose combinations are divided (None: ``labels``). All that are known,
        whatever tasks are trained, make the split the same for every choice of tasks.

    Raises
    ------
    DatasetError
        One of the two parts would lack a positive or a negative of a task.
    """
    labels = np.asarray(labels).astype(int)
    strata = labels if strata is None else np.asarray(strata).astype(int)
    generator = np.random.default_rng(seed)
    code = strata @ (2 ** np.arange(strata.shape[1]))
    chosen = np.zeros(len(labels), bool)
    for value in np.unique(code):
        members = generator.permutation(np.flatnonzero(code == value))
        chosen[members[: round(share * len(members))]] = True
    for part in (chosen, ~chosen):
        if part.sum() == 0 or (labels[part].min(axis=0) == labels[part].max(axis=0)).any():
            raise DatasetError(
                f"{len(labels)} training exams are too few to take a share of {share:g} for choosing the epoch: "
                "both parts need positives and negatives of each task"
            )
    return chosen


def _enough(counts: NDArray, tasks: Sequence[str], rules: SplitRules) -> None:
    for column, task in enumerate(tasks, 1):
        positives = int(counts[:, column].sum())
        if positives < 2 * rules.at_least + 1:
            raise DatasetError(
                f"{positives} exams are positive for {task}: {rules.at_least} in the tuning and {rules.at_least} in "
                f"the validation set and one to train on need {2 * rules.at_least + 1}; lower the number with at-least"
            )


def _trainable(counts: NDArray, tasks: Sequence[str]) -> None:
    exams = int(counts[:, 0].sum()) if len(counts) else 0
    for column, task in enumerate(tasks, 1):
        positives = int(counts[:, column].sum()) if len(counts) else 0
        if positives in (0, exams):
            raise DatasetError(
                f"after the tuning and validation sets {exams} exams are left to train on, {positives} of them "
                f"positive for {task}; both labels are needed: lower at-least"
            )


def _fill(counts: NDArray, free: list[int], exams: float, at_least: int, tasks: Sequence[str]) -> list[int]:
    """Groups for one set: the rule on positives first, rarest label first, then the table's label shares."""
    chosen: list[int] = []
    left = list(free)
    total = np.zeros(counts.shape[1], int)
    for column in 1 + np.argsort(counts[:, 1:].sum(axis=0), kind="stable"):
        while total[column] < at_least:
            group = next((group for group in left if counts[group, column]), None)
            if group is None:
                raise DatasetError(
                    f"patients with several exams leave too few positives of {tasks[column - 1]} for {at_least} in "
                    "the tuning and in the validation set; lower the number with at-least"
                )
            left.remove(group)
            chosen.append(group)
            total += counts[group]
    rates = counts.sum(axis=0) / counts[:, 0].sum()
    while left and total[0] < exams:
        # Of the next few in random order, the patient who brings the set nearest to the table's shares.
        nearest = min(left[:64], key=lambda group: _distance(total + counts[group], rates))
        left.remove(nearest)
        chosen.append(nearest)
        total += counts[nearest]
    return chosen


def _distance(total: NDArray, rates: NDArray) -> float:
    return float(np.square(total - rates * total[0]).sum())
