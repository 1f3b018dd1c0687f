"""One logistic regression a task over the planes' probabilities (Bien et al. 2018, "Combining MRNet predictions").

The paper names scikit-learn and no setting. Here: scikit-learn's default penalty (L2, C = 1, intercept free), fitted to
convergence. A penalty there must be: on the exams that networks were trained on their probabilities nearly separate the
classes, and without one the coefficients run away.

A single plane has no regression: the answer is its network's own probability, as in the paper's external validation.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrnet_core.domain import COLLAPSED_LOGIT_SD, ArtifactError, InputError, Plane, Task

PENALTY_C = 1.0
"""Inverse strength of the L2 penalty: scikit-learn's default."""
TRAINING_SOURCE = "the networks' predictions on their training set (as in the paper)"
OUT_OF_FOLD_SOURCE = (
    "out-of-fold predictions on the training set, of last layers refitted without each fold on convolutions that saw "
    "every training exam"
)
_FORMAT = 1


@dataclass(frozen=True)
class Regression:
    """``P = 1 / (1 + exp(-(intercept + sum_i coefficients[i] · probability in planes[i])))``.

    ``left_out``: planes whose network gave every exam the same probability; their coefficient is 0. ``n``: exams fitted
    on. ``source``: which predictions those were, in words.
    """

    task: Task
    planes: tuple[Plane, ...]
    intercept: float
    coefficients: tuple[float, ...]
    n: int
    source: str
    left_out: tuple[Plane, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", Task(self.task))
        for name in ("planes", "left_out"):
            object.__setattr__(self, name, tuple(Plane(plane) for plane in getattr(self, name)))
        object.__setattr__(self, "intercept", float(self.intercept))
        object.__setattr__(self, "coefficients", tuple(float(value) for value in self.coefficients))
        if len(self.planes) < 2 or list(self.planes) != [plane for plane in Plane if plane in self.planes]:
            raise InputError(f"a regression needs two planes or more, in the project's order; got {self.planes}")
        if len(self.coefficients) != len(self.planes):
            raise InputError(f"a regression needs one coefficient a plane; got {len(self.coefficients)}")
        if not all(map(math.isfinite, (self.intercept, *self.coefficients))):
            raise InputError(f"a regression's coefficients must be finite; got {self.coefficients}")

    def __call__(self, columns: Mapping[Plane, ArrayLike]) -> NDArray[np.float64]:
        """Probabilities ``(n,)`` from each plane's probabilities ``(n,)``; further planes are ignored."""
        pairs = zip(self.planes, self.coefficients, strict=True)
        logit = self.intercept + sum(weight * np.asarray(columns[plane], np.float64) for plane, weight in pairs)
        return 1 / (1 + np.exp(-logit))


@dataclass(frozen=True)
class Ensemble:
    """The regressions of every set of two and three planes, for every task."""

    regressions: tuple[Regression, ...]
    _by_set: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regressions", tuple(self.regressions))
        by_set = {(one.task, one.planes): one for one in self.regressions}
        if len(by_set) != len(self.regressions):
            raise InputError("an ensemble holds one regression for each task and set of planes; one is there twice")
        object.__setattr__(self, "_by_set", by_set)

    def regression(self, task: Task, planes: tuple[Plane, ...]) -> Regression:
        """The regression of a task over exactly these planes.

        Raises
        ------
        ArtifactError
            The ensemble has none.
        """
        ordered = tuple(plane for plane in Plane if plane in planes)
        try:
            return self._by_set[task, ordered]
        except KeyError:
            raise ArtifactError(
                f"the ensemble has no regression of {task} over {', '.join(ordered)}: train the networks of those "
                "planes and run `python -m mrnet_core ensemble RUN`"
            ) from None

    def combine(self, task: Task, columns: Mapping[Plane, ArrayLike]) -> NDArray[np.float64]:
        """The ensemble's probabilities of a task from those of the planes at hand: arrays ``(n,)`` or numbers.

        With one plane its own probabilities come back.
        """
        if not columns:
            raise InputError(f"no plane's probability was given for {task}")
        if len(columns) == 1:
            return np.asarray(next(iter(columns.values())), np.float64)
        return self.regression(task, tuple(columns))(columns)

    def to_json(self) -> str:
        """JSON text, full double precision; :meth:`from_json` reads it back without loss."""
        record = {
            "format": _FORMAT,
            "penalty": {"kind": "L2", "C": PENALTY_C},
            "regressions": [asdict(one) for one in self.regressions],
        }
        return json.dumps(record, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Ensemble":
        """An ensemble from JSON text.

        Raises
        ------
        ArtifactError
            The text is no such JSON.
        """
        try:
            record = json.loads(text)
            if record["format"] != _FORMAT:
                raise ValueError(f"format {record['format']!r}; this version reads {_FORMAT}")
            return cls(tuple(Regression(**one) for one in record["regressions"]))
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise ArtifactError(
                f"the file of regressions is malformed ({error}): run `python -m mrnet_core ensemble RUN` again"
            ) from error


def fit_ensemble(
    probabilities: Mapping[tuple[Plane, Task], ArrayLike],
    labels: Mapping[Task, ArrayLike],
    *,
    source: str = TRAINING_SOURCE,
) -> Ensemble:
    """Fit a regression for every task and every set of two and three of its planes.

    Parameters
    ----------
    probabilities
        By plane and task, the networks' probabilities ``(n,)`` of the same n exams in the same order: the training
        set's own (the paper's way), or out-of-fold ones (each exam's from a network, or a last layer, fitted without
        it).
    labels
        By task, 0/1 ``(n,)``; 1 is the finding.
    source
        Which predictions these are, for the record.

    Raises
    ------
    InputError
        Unequal lengths, labels that are not 0/1 or all the same, or a probability outside 0-1.
    """
    regressions = []
    for task in Task:
        planes = [plane for plane in Plane if (plane, task) in probabilities]
        if not planes:
            continue
        y_true = _labels(task, labels)
        columns = {plane: _column(plane, task, probabilities[plane, task], y_true.size) for plane in planes}
        for size in (2, 3):
            regressions += [_fit(task, chosen, columns, y_true, source) for chosen in combinations(planes, size)]
    return Ensemble(tuple(regressions))


def _fit(
    task: Task, planes: tuple[Plane, ...], columns: Mapping[Plane, NDArray], y_true: NDArray, source: str
) -> Regression:
    # on demand: scikit-learn takes over a second to import, and a worker that only predicts never fits
    from sklearn.linear_model import LogisticRegression

    used = [plane for plane in planes if not collapsed(columns[plane])]
    if used:
        model = LogisticRegression(C=PENALTY_C, tol=1e-10, max_iter=10_000)
        model.fit(np.stack([columns[plane] for plane in used], axis=1), y_true)
        intercept, weights = float(model.intercept_[0]), dict(zip(used, model.coef_[0], strict=True))
    else:  # nothing to go by: the prevalence
        intercept, weights = float(np.log(y_true.mean() / (1 - y_true.mean()))), {}
    return Regression(
        task=task,
        planes=planes,
        intercept=intercept,
        coefficients=tuple(float(weights.get(plane, 0.0)) for plane in planes),
        n=int(y_true.size),
        source=source,
        left_out=tuple(plane for plane in planes if plane not in used),
    )


def collapsed(probabilities: ArrayLike) -> bool:
    """True where a network's probabilities are one constant: their logit's standard deviation is below 0.05."""
    clipped = np.clip(np.asarray(probabilities, np.float64), 1e-12, 1 - 1e-12)
    return float(np.std(np.log(clipped / (1 - clipped)))) < COLLAPSED_LOGIT_SD


def _labels(task: Task, labels: Mapping[Task, ArrayLike]) -> NDArray[np.int8]:
    if task not in labels:
        raise InputError(f"the regression of {task} needs its labels; none were given")
    values = np.asarray(labels[task])
    if values.ndim != 1 or not np.isin(values, (0, 1)).all():
        raise InputError(f"labels of {task} must be one 0 or 1 an exam")
    if len(np.unique(values)) < 2:
        raise InputError(
            f"all {values.size} exams have the same label for {task}: a regression needs both; train on more exams"
        )
    return values.astype(np.int8)


def _column(plane: Plane, task: Task, values: ArrayLike, n: int) -> NDArray[np.float64]:
    column = np.asarray(values, np.float64)
    if column.shape != (n,):
        raise InputError(f"the {plane} network of {task} has {column.shape} probabilities; {n} exams have labels")
    if not ((column >= 0) & (column <= 1)).all():
        raise InputError(f"the {plane} network of {task} has a probability outside 0 to 1, or none (NaN)")
    return column
