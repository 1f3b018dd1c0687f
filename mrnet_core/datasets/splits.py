"""Splits of one's own exams: stratified by label, grouped by patient, with enough positives where figures come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core.datasets.division import Wanted, divide
from mrnet_core.datasets.mrnet_v1 import CONTRADICTION, FEWEST_OF_A_LABEL, torn_and_normal
from mrnet_core.datasets.patients import UNKNOWN_PATIENT
from mrnet_core.datasets.tables import BINARY, Table, read_table
from mrnet_core.domain import DatasetError, InputError, Split, Task

PAPER_POSITIVES = 50
"""Positives of each label in the tuning and in the validation set (Bien et al. 2018, Methods, "Dataset")."""
PAPER_SHARES = (0.6, 0.2, 0.2)
"""Training, tuning, validation (Bien et al. 2018, Methods, "External validation")."""
NEAR_SHARE = 0.02
"""A set within so much of its share has kept it: whole exams and whole patients allow no more in small tables."""
MOST = 1_000_000
"""Neither a share nor a number of positives is larger: more exams than any table has."""
INNER_SEED = 20181127
"""The inner split is one and the same for every plane, task and seed of a run."""


@dataclass(frozen=True)
class SplitRules:
    """Shares of training, tuning and validation exams; positives of each label that the last two must hold; a seed."""

    shares: tuple[float, float, float] = PAPER_SHARES
    at_least: int = PAPER_POSITIVES
    seed: int = 1

    def __post_init__(self) -> None:
        if len(self.shares) != 3 or not all(0 < share <= MOST for share in self.shares):
            raise InputError(
                f"shares are three numbers above 0, up to {MOST:,} (training, tuning, validation), for example "
                f"60:20:20; got {':'.join(f'{share:g}' for share in self.shares)}"
            )
        if not 1 <= self.at_least <= MOST:
            raise InputError(
                f"at least 1 positive of each label is needed, and no more than {MOST:,} can be asked for; got "
                f"{self.at_least}"
            )
        if self.seed < 0:
            raise InputError(f"a seed is a whole number from 0; got {self.seed}")


def read_exam_table(path: Path) -> pd.DataFrame:
    """A CSV of exams as ``split_exams`` wants it: ``exam``, the tasks' 0 and 1, and ``patient`` where known.

    White space around a cell and the case of the header count for nothing; a patient that is missing is "".

    Raises
    ------
    InputError
        No such file.
    DatasetError
        It cannot be read, lacks a column, names an exam twice or none, or a label is not 0 or 1 or contradicts another.
    """
    table = read_table(path, ("exam",))
    tasks = [task for task in Task if task.value in table.cells]
    if not tasks:
        header = ", ".join(table.cells)
        raise DatasetError(f"{table.name} needs at least one column of {', '.join(Task)}; its header is {header}")
    table.words("exam")
    table.unique(("exam",))
    labels = {task.value: table.coded(task.value, BINARY, "0 or 1").astype(int) for task in tasks}
    _check_labels(table, labels)
    cells = table.cells.assign(**labels)
    if "patient" in cells:
        cells["patient"] = cells["patient"].where(~cells["patient"].isin(UNKNOWN_PATIENT), "")
    return cells.reset_index(drop=True)


def _check_labels(table: Table, labels: Mapping[str, pd.Series]) -> None:
    """The rule that ``train`` has: an exam with a tear is abnormal."""
    exams = table.cells["exam"]
    both = torn_and_normal({Task(name): dict(zip(exams, column, strict=True)) for name, column in labels.items()})
    for line in exams.index[exams.isin(both)]:
        said = ", ".join(f"{name} {column[line]}" for name, column in labels.items())
        raise table.fail(line, f"{CONTRADICTION}: {exams[line]} ({said}); correct its labels, or leave the row out")


def split_exams(table: pd.DataFrame, rules: SplitRules | None = None) -> pd.Series:
    """A split for every exam.

    All exams of a patient go to one split. Every set gets positives and negatives of each label, as near to the whole
    table's rates as whole patients allow. A set whose share is too small for the positives asked for grows at those
    rates, so that negatives come along; the other sets keep the proportion of their shares.

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
        An exam named twice, too few positives or negatives of a label for the rules, or patients with so many exams
        that no division was found; it says which number of positives works.
    """
    rules = rules or SplitRules()
    twice = table["exam"][table["exam"].duplicated()]
    if len(twice):
        raise DatasetError(f"exam {twice.iloc[0]} stands in the table twice; one row an exam")
    tasks = [task.value for task in Task if task.value in table]
    patient = table["patient"] if "patient" in table else pd.Series(np.nan, table.index)
    groups = patient.where(patient.notna() & (patient != ""), "exam " + table["exam"].astype(str))
    names, group_of = np.unique(groups.astype(str), return_inverse=True)
    positive = table[tasks].to_numpy(int)
    counts = np.zeros((len(names), 2 * len(tasks)), int)  # positives of each task, then negatives
    np.add.at(counts, group_of, np.column_stack([positive, 1 - positive]))
    sets = _divided(counts, rules)
    if sets is None:
        raise DatasetError(f"{_reason(counts, tasks, rules)}; {_what_works(counts, rules)}")
    splits = [tuple(Split)[sets[group]] for group in group_of]
    return pd.Series(splits, index=table["exam"], name="split", dtype=object)  # else pandas makes them plain str


def split_table(splits: pd.Series, table: pd.DataFrame) -> pd.DataFrame:
    """Exams and positives of each label in each split."""
    labels = table.set_index("exam")[[task.value for task in Task if task.value in table]]
    return labels.assign(exams=1).groupby(splits.reindex(labels.index).map(str)).sum().reindex(list(map(str, Split)))


def moved_shares(splits: pd.Series, table: pd.DataFrame, rules: SplitRules) -> str:
    """How far the sets are from the shares asked for, and what would keep them, in words; "" where they are near."""
    asked = np.array(rules.shares) / sum(rules.shares)
    made = np.array([(splits == split).mean() for split in Split])
    if np.abs(made - asked).max() <= NEAR_SHARE:
        return ""
    words = f"the shares moved from {_percent(asked)} to {_percent(made)} (training:tuning:validation)"
    positives = table[[task.value for task in Task if task.value in table]].sum()
    kept = int(asked[1:].min() * positives.min())
    if kept >= rules.at_least:
        return f"{words}, because patients stay whole and every set has both labels"
    return (
        f"{words}: {rules.at_least} of the {positives.min()} positives of {positives.idxmin()} come with negatives as "
        f"in the whole table; {f'--at-least {kept} keeps the shares' if kept else 'the shares are too small for one'}"
    )


def _percent(shares: NDArray) -> str:
    return ":".join(f"{100 * share:.0f}" for share in shares)


def inner_split(
    labels: NDArray,
    share: float,
    seed: int = INNER_SEED,
    *,
    strata: NDArray | None = None,
    groups: NDArray | None = None,
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
    groups
        ``(exams,)``: exams of one number, a patient's, go where the first of them goes (None: each by itself).

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
    if groups is not None:
        _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
        chosen = chosen[first[group_of]]
    for part in (chosen, ~chosen):
        if part.sum() == 0 or (labels[part].min(axis=0) == labels[part].max(axis=0)).any():
            raise DatasetError(
                f"{len(labels)} training exams are too few to take a share of {share:g} for choosing the epoch: "
                "both parts need positives and negatives of each task"
            )
    return chosen


def _divided(counts: NDArray, rules: SplitRules) -> NDArray | None:
    """The set of every group, 0 to 2 in the order of ``Split``; None where the rules cannot be kept."""
    least, exams = _least(counts, rules.at_least), _exams(counts)
    if (least.sum(axis=0) > counts.sum(axis=0)).any():
        return None
    rates = counts.sum(axis=0) / exams
    sizes = _sizes(exams, np.array(rules.shares), (least / rates).max(axis=1))
    return divide(counts, Wanted(np.outer(sizes, rates), least), np.random.default_rng(rules.seed))


def _least(counts: NDArray, at_least: int) -> NDArray:
    """Positives of each task, then negatives, that each set must hold, ``(sets, columns)``."""
    least = np.repeat([[FEWEST_OF_A_LABEL.get(split, 1)] for split in Split], counts.shape[1], axis=1)
    least[1:, : counts.shape[1] // 2] = at_least
    return least


def _exams(counts: NDArray) -> int:
    return int(counts[:, 0].sum() + counts[:, counts.shape[1] // 2].sum())


def _sizes(exams: int, shares: NDArray, needs: NDArray) -> NDArray[np.float64]:
    """Exams of each set: its share, or what it needs where that is more; the others keep their proportion."""
    needs = needs * min(1, exams / needs.sum())
    grown = np.zeros(len(shares), bool)
    sizes = exams * shares / shares.sum()
    while (sizes < needs - 1e-9).any():
        grown |= sizes < needs - 1e-9
        rest = np.where(grown, 0, shares)
        sizes = np.where(grown, needs, (exams - needs[grown].sum()) * rest / max(rest.sum(), 1e-9))
    return sizes


def _reason(counts: NDArray, tasks: Sequence[str], rules: SplitRules) -> str:
    """Why the rules cannot be kept."""
    n, train = rules.at_least, FEWEST_OF_A_LABEL[Split.TRAIN]
    positives, negatives = np.split(counts.sum(axis=0), 2)
    needed = _least(counts, n).sum(axis=0)
    rarest, commonest = int(positives.argmin()), int(negatives.argmin())
    if positives[rarest] < needed[0]:
        return (
            f"{positives[rarest]} exams are positive for {tasks[rarest]}: {n} in the tuning and {n} in the validation "
            f"set and {train} to train on need {needed[0]}"
        )
    if negatives[commonest] < needed[-1]:
        return (
            f"{negatives[commonest]} exams are negative for {tasks[commonest]}: each set needs both labels, so that "
            f"{train} to train on and 1 in the tuning and 1 in the validation set need {needed[-1]}"
        )
    return (
        f"patients with several exams (up to {int((counts[:, 0] + counts[:, len(tasks)]).max())}) stay in one set, and "
        f"no division was found with {n} positives of each label in the tuning and in the validation set and both "
        "labels in every set"
    )


def _what_works(counts: NDArray, rules: SplitRules) -> str:
    """The largest number of positives below the one asked for that can be kept, in words."""
    most = int(counts.sum(axis=0)[: counts.shape[1] // 2].min()) // 2
    for number in range(min(rules.at_least - 1, most), 0, -1):
        if _divided(counts, replace(rules, at_least=number)) is not None:
            return f"the largest number that works is {number}: give --at-least {number}"
    return "no smaller number works either: add exams, or leave the column out of the table"
