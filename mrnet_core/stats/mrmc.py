"""The design of a multi-reader multi-case study, and its figures of merit a reader and treatment.

Axes are ``(treatments, readers, cases)``. Differences run treatment 0 - treatment 1: pass ("assisted", "unassisted") to
see the gain by assistance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mrnet_core.stats.checks import as_labels
from mrnet_core.stats.results import NAN, StatisticsError

Figure = Literal["auc", "sensitivity", "specificity", "accuracy"]
"""Figure of merit: the empirical area, or a proportion of right reads among positives, negatives, or all cases."""


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """Reads of a study in which readers judge the same cases under several treatments.

    Attributes
    ----------
    truth : ndarray (cases,) of 0/1
    scores : ndarray (treatments, readers, cases)
        Ratings (higher = more positive) for the area; reads of 0/1 for the proportions. NaN is a missing read.
    treatments, readers : tuple of str
        Names along the first two axes, each once.

    Raises
    ------
    StatisticsError
        When shapes, names, labels or scores break these rules.
    """

    truth: NDArray[np.int64]
    scores: NDArray[np.float64]
    treatments: tuple[str, ...]
    readers: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", as_labels(self.truth, "truth"))
        scores = np.asarray(self.scores, dtype=np.float64)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "treatments", tuple(self.treatments))
        object.__setattr__(self, "readers", tuple(self.readers))
        wanted = (len(self.treatments), len(self.readers), self.truth.size)
        if scores.shape != wanted:
            raise StatisticsError(f"scores have shape {scores.shape}; (treatments, readers, cases) is {wanted}")
        if 0 in wanted:
            raise StatisticsError(f"(treatments, readers, cases) is {wanted}: each must be at least 1")
        for what, names in (("treatment", self.treatments), ("reader", self.readers)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise StatisticsError(f"{what} {twice[0]!r} is named twice; every {what} must have a name of its own")
        if np.any(np.isinf(scores)):
            raise StatisticsError("scores hold infinity; a score must be a finite number, or NaN for a missing read")

    @property
    def is_complete(self) -> bool:
        """Whether every reader read every case under every treatment."""
        return not bool(np.isnan(self.scores).any())

    def select(self, readers: Iterable[str]) -> "ReaderStudy":
        """The study with some of its readers, in the order given.

        Raises
        ------
        StatisticsError
            For a name that is no reader of the study.
        """
        names = tuple(readers)
        for name in names:
            if name not in self.readers:
                raise StatisticsError(f"reader {name!r} is not in the study; its readers are {', '.join(self.readers)}")
        places = [self.readers.index(name) for name in names]
        return ReaderStudy(self.truth, self.scores[:, places], self.treatments, names)


def check_figure(figure: str) -> None:
    """Raise StatisticsError for a figure of merit that is not known."""
    if figure not in get_args(Figure):
        raise StatisticsError(f"metric {figure!r}: it must be one of {', '.join(get_args(Figure))}")


def right_reads(study: ReaderStudy, figure: Figure) -> NDArray[np.float64]:
    """Right (1), wrong (0) and missing (NaN) reads of the cases that a proportion counts.

    Returns
    -------
    ndarray (treatments, readers, counted cases)

    Raises
    ------
    StatisticsError
        When reads are not 0 and 1.
    """
    known = study.scores[~np.isnan(study.scores)]
    wrong = np.flatnonzero((known != 0.0) & (known != 1.0))
    if wrong.size:
        raise StatisticsError(f"{figure} needs reads of 0 and 1, got {known[wrong[0]]:g}")
    counted = {"sensitivity": study.truth == 1, "specificity": study.truth == 0}.get(
        figure, np.ones(study.truth.size, dtype=bool)
    )
    truth = study.truth[counted]
    reads = study.scores[:, :, counted]
    return np.where(np.isnan(reads), NAN, (reads == truth).astype(np.float64))


def success(study: ReaderStudy, figure: Figure) -> NDArray[np.float64]:
    """Success of every pair (negative, positive) of cases: what the figure of merit is the mean of.

    Returns
    -------
    ndarray (treatments, readers, n_neg, n_pos)
        Area: 1 where the positive scores above the negative, 1/2 for a tie, NaN where either read is missing. A
        proportion is written as an area against two negatives that any right read beats, the device of the iMRMC
        package: shape (treatments, readers, 2, counted cases).
    """
    if figure == "auc":
        positive, negative = study.scores[:, :, study.truth == 1], study.scores[:, :, study.truth == 0]
        difference = positive[:, :, None, :] - negative[:, :, :, None]
        return (np.sign(difference) + 1.0) / 2.0
    return np.repeat(right_reads(study, figure)[:, :, None, :], 2, axis=2)
