"""Reader studies and score tables as checked arrays.

Axes of a study, stated once: reader ``R``, task ``T``, condition (0 unassisted, 1 assisted), exam ``E``. NaN is a
missing read. Positive is 1.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mrnet_core.datasets.tables import BINARY, MISSING, Source, Table, read_table
from mrnet_core.domain import DatasetError, Task

READS_COLUMNS = ("reader", "role", "exam", "task", "assisted", "read")
REFERENCE_COLUMNS = ("exam", "task")
SCORE_COLUMNS = ("exam", "task", "probability")
LABEL_COLUMNS = ("exam", "task", "label")
PERIODS = {"1": 1.0, "2": 2.0, "1.0": 1.0, "2.0": 2.0}
TASKS = {task.value: task.value for task in Task}
TASK_WORDS = f"one of {', '.join(Task)}"
EVERYONE = "all"
"""What the tables call all readers together; no role may be called so."""
CONFIDENCE_SAYS = "confidence runs from 0 (the finding is surely absent) to 100 (surely present), whatever the answer"
FEW_AGAINST, MOST_AGAINST = 0.1, 0.5
"""Shares of reads that go against their confidence, from which on it is said and refused."""


@dataclass(frozen=True)
class ReaderStudy:
    """A multi-reader study of two conditions.

    Parameters
    ----------
    readers, roles, groups
        Name, role and crossover group of each reader ("" where no group is given), in order of appearance.
    exams, tasks
        The exams of the reference standard, in its order; the tasks it answers.
    reads, confidence, period, order
        ``(R, T, 2, E)``; the last three None where the column is absent. Confidence 0 to 100, period 1 or 2.
    truth
        ``(T, E)`` 0/1, NaN where the reference says nothing of that exam and task.
    raters
        ``(T, E, K)`` reads of the reference standard's raters, or None.
    model
        ``(T, E)`` probabilities, or None.
    notes
        What was left out, in sentences.
    """

    readers: tuple[str, ...]
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    exams: tuple[str, ...]
    tasks: tuple[Task, ...]
    reads: NDArray[np.float64]
    truth: NDArray[np.float64]
    confidence: NDArray[np.float64] | None = None
    period: NDArray[np.float64] | None = None
    order: NDArray[np.float64] | None = None
    raters: NDArray[np.float64] | None = None
    model: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.readers), len(self.tasks), 2, len(self.exams))
        for name in ("reads", "confidence", "period", "order"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise DatasetError(f"{name} must be (readers, tasks, 2, exams) = {shape}; got {array.shape}")
        for name in ("truth", "model"):
            array = getattr(self, name)
            if array is not None and array.shape != (shape[1], shape[3]):
                raise DatasetError(f"{name} must be (tasks, exams) = {(shape[1], shape[3])}; got {array.shape}")
        if len(self.roles) != shape[0] or len(self.groups) != shape[0]:
            raise DatasetError("every reader needs one role and one group ('' for none)")

    def of_role(self, role: str) -> NDArray[np.intp]:
        """Indices of the readers of a role."""
        return np.array([i for i, word in enumerate(self.roles) if word == role], dtype=np.intp)

    @property
    def role_words(self) -> tuple[str, ...]:
        """The roles, in order of appearance."""
        return tuple(dict.fromkeys(self.roles))


@dataclass(frozen=True)
class LabelledScores:
    """Probabilities beside labels of the same exams, one entry a task that has both.

    ``exams[task]``, ``y_true[task]`` and ``y_score[task]`` run alike; ``y_score2`` is a second model's, or None.
    """

    exams: dict[Task, tuple[str, ...]]
    y_true: dict[Task, NDArray[np.float64]]
    y_score: dict[Task, NDArray[np.float64]]
    y_score2: dict[Task, NDArray[np.float64]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks at hand, in the project's order."""
        return tuple(task for task in Task if task in self.y_true)


def read_study(reads: Source, reference: Source, model: Source | None = None) -> ReaderStudy:
    """Read a reader study (formats: contract of ``evaluate readers``).

    Required columns of reads: ``reader, role, exam, task, assisted, read``; optional ``group, period, order,
    confidence``. Reference: ``exam, task`` with ``majority`` or ``rater1`` to ``raterN`` or both. Model: ``exam, task,
    probability``.

    Raises
    ------
    InputError, DatasetError
        A file cannot be read, or a row breaks a rule; the message names the row.
    """
    truth, raters, exams, tasks = _read_reference(read_table(reference, REFERENCE_COLUMNS))
    table = read_table(reads, READS_COLUMNS)
    reader = table.words("reader")
    table.words("exam")
    task = table.coded("task", TASKS, TASK_WORDS)
    assisted = table.coded("assisted", BINARY, "0 (unassisted) or 1 (assisted)").astype(int)
    replace(table, cells=table.cells.assign(assisted=assisted)).unique(("reader", "exam", "task", "assisted"))
    for column in ("reader", "role"):
        _one_spelling(table, column)
    for line in table.cells.index[table.words("role").str.casefold() == EVERYONE]:
        raise table.fail(line, f"role {EVERYONE!r} is what the tables call all readers together; use another word")
    answered = set(task)
    unread = [word for word in tasks if word.value not in answered]
    keep = [i for i, word in enumerate(tasks) if word.value in answered]
    truth, tasks = truth[keep], tuple(tasks[i] for i in keep)
    raters = None if raters is None else raters[keep]
    readers = tuple(dict.fromkeys(reader))
    where = (
        reader.map({name: i for i, name in enumerate(readers)}).to_numpy(),
        task.map({word.value: i for i, word in enumerate(tasks)}),
        assisted.to_numpy(),
        table.cells["exam"].map({name: i for i, name in enumerate(exams)}),
    )
    _check_known(table, where, truth)
    where = (where[0], where[1].to_numpy(int), where[2], where[3].to_numpy(int))
    shape = (len(readers), len(tasks), 2, len(exams))

    def spread(values: pd.Series) -> NDArray[np.float64]:
        array = np.full(shape, np.nan)
        array[where] = values.to_numpy(float)
        return array

    given = table.cells.columns
    read = table.coded("read", BINARY, "0, 1 or empty (a missing read)", missing=True)
    confidence = table.numbers("confidence", 0, 100, missing=True) if "confidence" in given else None
    probabilities, notes = _read_model(model, exams, tasks, truth)
    if confidence is not None:
        notes = (*_against_confidence(table.name, read.astype(float), confidence), *notes)
    if unread:
        notes = (f"Nobody read {', '.join(unread)}: left out.", *notes)
    return ReaderStudy(
        readers=readers,
        roles=_one_each(table, "role", readers),
        groups=_one_each(table, "group", readers) if "group" in given else ("",) * len(readers),
        exams=exams,
        tasks=tasks,
        reads=spread(read),
        truth=truth,
        confidence=None if confidence is None else spread(confidence),
        period=spread(table.coded("period", PERIODS, "1 or 2", missing=True)) if "period" in given else None,
        order=spread(table.numbers("order", 0, 1e9, missing=True)) if "order" in given else None,
        raters=raters,
        model=probabilities,
        notes=notes,
    )


def _one_spelling(table: Table, column: str) -> None:
    """No two words of a column differ by upper and lower case alone: they would count as two."""
    first: dict[str, str] = {}
    for line, word in table.words(column).items():
        known = first.setdefault(word.casefold(), word)
        if known != word:
            raise table.fail(line, f"{column} {word!r} is written {known!r} elsewhere; write it one way everywhere")


def _against_confidence(name: str, read: pd.Series, confidence: pd.Series) -> tuple[str, ...]:
    """A note where many reads go against their confidence, which is that the finding is there.

    Raises
    ------
    DatasetError
        Most do: the column must mean something else, such as the confidence in one's own answer.
    """
    both = read.notna() & confidence.notna() & (confidence != 50)
    against = ((confidence > 50) != (read == 1)) & both
    share = against.sum() / max(1, both.sum())
    words = f"of {both.sum()} reads {against.sum()} go against their confidence: {CONFIDENCE_SAYS}"
    if share > MOST_AGAINST:
        raise DatasetError(f"{name}: {words}; turn the column round, or leave it out")
    return (f"Of {words[3:]}.",) if share > FEW_AGAINST else ()


def read_roles(reads: Source) -> tuple[str, ...]:
    """The roles that a table of reads names, in order of appearance.

    Raises
    ------
    InputError, DatasetError
        The file cannot be read, or lacks a column.
    """
    return tuple(dict.fromkeys(read_table(reads, READS_COLUMNS).words("role")))


def _check_known(table: Table, where: tuple, truth: NDArray) -> None:
    """Every row speaks of an exam and task that the reference standard has answered."""
    for line in table.cells.index[where[3].isna()]:
        raise table.fail(line, f"exam {table.cells.loc[line, 'exam']!r} is not in the reference standard")
    for line in table.cells.index[where[1].isna()]:
        raise table.fail(line, f"the reference standard has no task {table.cells.loc[line, 'task']!r}")
    absent = np.isnan(truth[where[1].to_numpy(int), where[3].to_numpy(int)])
    for line in table.cells.index[absent]:
        row = table.cells.loc[line]
        raise table.fail(line, f"the reference standard has no answer for exam {row['exam']!r}, task {row['task']}")


def _one_each(table: Table, column: str, readers: tuple[str, ...]) -> tuple[str, ...]:
    """The one value of ``column`` that each reader has in all rows."""
    values = table.words(column)
    first: dict[str, tuple[int, str]] = {}
    for line, reader, value in zip(values.index, table.cells["reader"], values, strict=True):
        known = first.setdefault(reader, (line, value))
        if known[1] != value:
            raise table.fail(
                line,
                f"reader {reader} has {column} {value!r} here and {known[1]!r} in line {known[0]}; give one a reader",
            )
    return tuple(first[reader][1] for reader in readers)


def _read_reference(table: Table):
    """Truth ``(T, E)``, raters ``(T, E, K)`` or None, exams and tasks of a reference table."""
    raters = sorted(
        (column for column in table.cells.columns if column.startswith("rater") and column[5:].isdigit()),
        key=lambda column: int(column[5:]),
    )
    has_majority = "majority" in table.cells.columns
    if not has_majority and not raters:
        raise DatasetError(f"{table.name} needs a column majority, or rater1 to raterN, or both")
    exam, task = table.words("exam"), table.coded("task", TASKS, TASK_WORDS)
    table.unique(("exam", "task"))
    votes = None
    if raters:
        votes = np.column_stack(
            [table.coded(column, BINARY, "0, 1 or empty", missing=True).to_numpy(float) for column in raters]
        )
        answer = _majority(table, votes)
        if has_majority:
            given = table.coded("majority", BINARY, "0 or 1").to_numpy(float)
            for line in table.cells.index[given != answer]:
                raise table.fail(line, "majority is not the raters' majority; correct one of them")
    else:
        answer = table.coded("majority", BINARY, "0 or 1").to_numpy(float)
    exams = tuple(dict.fromkeys(exam))
    tasks = tuple(word for word in Task if word.value in set(task))
    at = (
        task.map({word.value: i for i, word in enumerate(tasks)}).to_numpy(int),
        exam.map({name: i for i, name in enumerate(exams)}).to_numpy(int),
    )
    truth = np.full((len(tasks), len(exams)), np.nan)
    truth[at] = answer
    spread = None
    if votes is not None:
        spread = np.full((len(tasks), len(exams), len(raters)), np.nan)
        spread[at] = votes
    return truth, spread, exams, tasks


def _majority(table: Table, votes: NDArray) -> NDArray[np.float64]:
    """The majority of the raters who answered; a row without one is named."""
    positive, given = np.nansum(votes, axis=1), np.isfinite(votes).sum(axis=1)
    for line in table.cells.index[given == 0]:
        raise table.fail(line, "no rater answered; give at least one rater's read or leave the row out")
    for line in table.cells.index[2 * positive == given]:
        raise table.fail(line, "the raters are tied, so there is no majority; an odd number of raters must answer")
    return (2 * positive > given).astype(float)


def _read_model(model: Source | None, exams, tasks, truth):
    """Probabilities ``(T, E)`` of the study's exams, or None, and notes on what was left out."""
    if model is None:
        return None, ()
    table = read_scores(model)
    known = table.index.get_level_values("exam").isin(exams) & table.index.get_level_values("task").isin(tasks)
    notes = ()
    if not known.all():
        notes = (f"{int((~known).sum())} probabilities of exams or tasks outside the reference standard are left out.",)
    wanted = pd.MultiIndex.from_product([[task.value for task in tasks], exams], names=["task", "exam"])
    values = table.reorder_levels(["task", "exam"]).reindex(wanted).to_numpy(float).reshape(truth.shape)
    for i, task in enumerate(tasks):
        gaps = np.isnan(values[i]) & np.isfinite(truth[i])
        if gaps.any() and not np.isnan(values[i][np.isfinite(truth[i])]).all():
            name = model.name
            raise DatasetError(
                f"{name} has no probability for exam {exams[int(gaps.argmax())]!r}, task {task}: the model must answer "
                "every exam of a task, or none of it"
            )
    return values, notes


def read_scores(source: Source) -> pd.Series:
    """Probabilities by exam and task of a score table ``exam, task, probability``, or as ``score`` writes it.

    Raises
    ------
    InputError, DatasetError
        The file cannot be read, or a row breaks a rule.
    """
    table = _long(source, SCORE_COLUMNS)
    table.words("exam")
    table.coded("task", TASKS, TASK_WORDS)
    table.unique(("exam", "task"))
    return _by_exam_and_task(table, table.numbers("probability", 0.0, 1.0))


def read_labels(source: Source) -> pd.Series:
    """Labels 0/1 by exam and task of a table ``exam, task, label``, or of one with a column a task, as exams.csv.

    Raises
    ------
    InputError, DatasetError
        The file cannot be read, or a row breaks a rule.
    """
    table = _long(source, LABEL_COLUMNS)
    table.words("exam")
    table.coded("task", TASKS, TASK_WORDS)
    table.unique(("exam", "task"))
    return _by_exam_and_task(table, table.coded("label", BINARY, "0 or 1").astype(float))


def _long(source: Source, columns: tuple[str, str, str]) -> Table:
    """A table of ``exam, task`` and a value; one with a column a task is turned, its empty cells left out."""
    table = read_table(source, columns[:1])
    tasks = [task.value for task in Task if task.value in table.cells.columns]
    if "task" in table.cells.columns or not tasks:
        return read_table(source, columns)
    value = columns[2]
    parts = [table.cells[["exam", task]].rename(columns={task: value}).assign(task=task) for task in tasks]
    cells = pd.concat([part.set_index(part.index * len(tasks) + place) for place, part in enumerate(parts)])
    cells = cells[~cells[value].isin(MISSING)].sort_index()
    if cells.empty:
        raise DatasetError(f"{table.name} has columns {', '.join(tasks)} and no value in them")
    return Table(table.name, cells, len(tasks))


def _by_exam_and_task(table: Table, values: pd.Series) -> pd.Series:
    index = pd.MultiIndex.from_arrays([table.cells["exam"], table.cells["task"]], names=["exam", "task"])
    return pd.Series(values.to_numpy(float), index=index)


def read_labelled_scores(scores: Source, labels: Source, scores2: Source | None = None) -> LabelledScores:
    """Scores beside the labels of the same exams; scores without a label are left out and counted in ``notes``.

    Raises
    ------
    InputError, DatasetError
        A file cannot be read, a row breaks a rule, a labelled exam has no score, or no score has a label.
    """
    truth = read_labels(labels)
    notes, columns = [], []
    tables = [(scores, read_scores(scores))] + ([(scores2, read_scores(scores2))] if scores2 is not None else [])
    tasks = [task for task in Task if task in set(truth.index.get_level_values("task"))]
    for source, table in tables:
        answered = set(table.index.get_level_values("task"))
        silent = [task for task in tasks if task not in answered]
        tasks = [task for task in tasks if task in answered]
        if silent:
            notes.append(f"{source.name} has no scores for {', '.join(silent)}: left out.")
    if not tasks:
        raise DatasetError("no task has both scores and labels; both tables need rows of the same task")
    truth = truth[truth.index.get_level_values("task").isin(tasks)]
    for source, table in tables:
        matched = table.reindex(truth.index)
        for exam, task in matched.index[matched.isna()]:
            raise DatasetError(
                f"{source.name} has no score for exam {exam!r}, task {task}, which has a label; add the row"
            )
        extra = len(table) - int(table.index.isin(truth.index).sum())
        if extra:
            notes.append(f"{extra} scores of {source.name} have no label and are left out.")
        columns.append(matched)
    exams, y_true, y_score, y_score2 = {}, {}, {}, {}
    for task in tasks:
        rows = truth.index.get_level_values("task") == task
        exams[task] = tuple(truth.index[rows].get_level_values("exam"))
        y_true[task] = truth.to_numpy()[rows]
        y_score[task] = columns[0].to_numpy()[rows]
        if scores2 is not None:
            y_score2[task] = columns[1].to_numpy()[rows]
    return LabelledScores(exams, y_true, y_score, y_score2 if scores2 is not None else None, tuple(notes))
