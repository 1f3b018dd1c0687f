"""Whole groups of exams divided over sets, each set with its share of every kind of exam and never too few of one.

Groups with the same counts are alike, so that a division is a small table: how many groups of each kind go to each
set. It starts from the proportional one and is mended by the move or the exchange of groups that helps most, until
none does. The division is good, not proven best.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTAGE = 1e9
"""Cost of one exam too few in a set: more than any departure from the targets."""
TRIES = 8
"""Random orders in which the groups left over by rounding are placed before a division is given up."""


@dataclass(frozen=True)
class Wanted:
    """``targets``: exams of each kind a set should have, ``(sets, columns)``; ``least``: exams it must have."""

    targets: NDArray[np.float64]
    least: NDArray[np.int64]

    def cost(self, place: int, totals: NDArray) -> NDArray[np.float64]:
        """How far totals ``(…, columns)`` of one set are from what is wanted: chi-square, and every exam too few."""
        target = self.targets[place]
        off = (np.square(totals - target) / np.maximum(target, 1)).sum(axis=-1)
        return off + SHORTAGE * np.maximum(self.least[place] - totals, 0).sum(axis=-1)


def divide(counts: NDArray, wanted: Wanted, generator: np.random.Generator) -> NDArray[np.int64] | None:
    """The set of every group.

    Parameters
    ----------
    counts
        Exams of each kind in each group, ``(groups, columns)``.
    wanted
        What each set should and must have.
    generator
        Decides which of several groups with equal counts goes where.

    Returns
    -------
    numpy.ndarray or None
        Index of the set, ``(groups,)``; None where no division was found that gives every set its least.
    """
    kinds, kind_of, members = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    for _ in range(TRIES):
        placed = _begin(kinds, members, wanted, generator)
        while _move(kinds, placed, wanted) or _exchange(kinds, placed, wanted):
            pass
        if (placed.T @ kinds >= wanted.least).all():
            break
    else:
        return None
    sets = np.zeros(len(counts), np.int64)
    for kind, row in enumerate(placed):
        sets[generator.permutation(np.flatnonzero(kind_of == kind))] = np.repeat(np.arange(len(row)), row)
    return sets


def _begin(kinds: NDArray, members: NDArray, wanted: Wanted, generator: np.random.Generator) -> NDArray[np.int64]:
    """Groups of each kind in each set ``(kinds, sets)``: proportional, and what rounding leaves where it fits best."""
    shares = wanted.targets.sum(axis=1) / wanted.targets.sum()
    placed = np.floor(np.outer(members, shares)).astype(np.int64)
    left = generator.permutation(np.repeat(np.arange(len(kinds)), members - placed.sum(axis=1)))
    for kind in left[np.argsort(-kinds[left].sum(axis=1), kind="stable")]:  # the largest first
        totals = placed.T @ kinds
        gains = [
            wanted.cost(place, totals[place] + kinds[kind]) - wanted.cost(place, totals[place])
            for place in range(len(totals))
        ]
        placed[kind, int(np.argmin(gains))] += 1
    return placed


def _move(kinds: NDArray, placed: NDArray, wanted: Wanted) -> bool:
    """Move the one group whose move helps most; False where none does."""
    totals = placed.T @ kinds
    best, step = -1e-6, None
    for source in range(len(totals)):
        there = np.flatnonzero(placed[:, source])
        for goal in range(len(totals)):
            if goal == source or not len(there):
                continue
            gains = _change(wanted, totals, source, goal, kinds[there])
            if gains.min() < best:
                best, step = gains.min(), (there[gains.argmin()], source, goal)
    if step is None:
        return False
    kind, source, goal = step
    placed[kind, source] -= 1
    placed[kind, goal] += 1
    return True


def _exchange(kinds: NDArray, placed: NDArray, wanted: Wanted) -> bool:
    """Exchange the two groups whose exchange helps most; False where none does."""
    totals = placed.T @ kinds
    best, step = -1e-6, None
    for one in range(len(totals)):
        for other in range(one + 1, len(totals)):
            back = np.flatnonzero(placed[:, other])
            for kind in np.flatnonzero(placed[:, one]) if len(back) else ():
                gains = _change(wanted, totals, one, other, kinds[kind] - kinds[back])
                if gains.min() < best:
                    best, step = gains.min(), (kind, back[gains.argmin()], one, other)
    if step is None:
        return False
    kind, returned, one, other = step
    placed[kind, one] -= 1
    placed[kind, other] += 1
    placed[returned, other] -= 1
    placed[returned, one] += 1
    return True


def _change(wanted: Wanted, totals: NDArray, source: int, goal: int, carried: NDArray) -> NDArray[np.float64]:
    """Cost after less cost before where ``carried`` ``(n, columns)`` go from one set to another."""
    before = wanted.cost(source, totals[source]) + wanted.cost(goal, totals[goal])
    return wanted.cost(source, totals[source] - carried) + wanted.cost(goal, totals[goal] + carried) - before
