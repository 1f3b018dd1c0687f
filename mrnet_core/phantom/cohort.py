"""Cohorts of synthetic knees: which exam belongs to which patient and split, and what the plan fixes about it.

The plain cohort divides its exams 60:20:20 and leaves each knee to ``make_exam``. The paper cohort follows Table 1 of
Bien et al. 2018: exams, patients, prevalences, overlaps and sexes exactly, ages nearly. Its counts of training and
tuning exams are those of the *reports* (the paper's prospective labels) and its counts of validation exams are those
of the reference standard, so the truth behind a report label is planned too, errors included.

Plans are drawn from the seed alone and never depend on how many of their exams are made: exam k stays exam k.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from mrnet_core.domain import InputError, Split, Task
from mrnet_core.phantom.exam import PlannedExam

PAPER_EXAMS = {Split.TRAIN: 1130, Split.TUNING: 120, Split.VALIDATION: 120}
PAPER_PATIENTS = {Split.TRAIN: 1088, Split.TUNING: 111, Split.VALIDATION: 113}
PAPER_FEMALE = {Split.TRAIN: 480, Split.TUNING: 50, Split.VALIDATION: 39}
PAPER_AGE = {Split.TRAIN: (38.3, 16.9), Split.TUNING: (36.3, 16.9), Split.VALIDATION: (37.1, 14.8)}
"""Bien et al. 2018, Table 1: exams, patients, exams of women, mean age and its SD in years."""
SMALL_PART = 10
"""A small paper cohort is the first tenth of each split."""

CATEGORIES = ("both", "acl", "meniscus", "other", "normal")
"""What an exam shows, by the paper's three labels; the order of the tables below."""
CATEGORY_LABELS = {
    "both": (True, True, True),
    "acl": (True, True, False),
    "meniscus": (True, False, True),
    "other": (True, False, False),
    "normal": (False, False, False),
}
"""Labels of a category, in the order of ``Task``."""
PAPER_COUNTS = {
    # Table 1 gives abnormal, ACL, meniscus and both: train 913, 208, 397, 125; tuning 95, 54, 52, 31;
    # validation by the reference standard 99, 58, 65, 40.
    Split.TRAIN: (125, 83, 272, 433, 217),
    Split.TUNING: (31, 23, 21, 20, 25),
    Split.VALIDATION: (40, 18, 25, 16, 21),
}
"""Exams by category: report labels in training and tuning, reference standard in validation."""
REPORTING = np.array(
    [
        [37, 2, 1, 0, 0],
        [1, 16, 0, 1, 0],
        [0, 0, 19, 4, 2],
        [0, 1, 1, 12, 2],
        [0, 0, 0, 1, 20],
    ]
)
"""Validation exams by truth (rows) and report (columns), both in the order of ``CATEGORIES``.

Table 1 prints both margins of this table for the validation set (reference standard 99/58/65 with 40 both; reports
96/57/59 with 38 both) but not its cells. The cells are chosen by hand: most errors are missed meniscal tears, which
the margins ask for (65 against 59), and each task errs in both directions. They give the reports a sensitivity and
specificity of 0.96/0.95 (abnormal), 0.97/0.98 (ACL) and 0.88/0.96 (meniscus).
"""
REPORT_RATES = np.array(
    [
        [0.92, 0.05, 0.03, 0.00, 0.00],
        [0.03, 0.92, 0.00, 0.05, 0.00],
        [0.01, 0.00, 0.84, 0.11, 0.04],
        [0.00, 0.015, 0.035, 0.90, 0.05],
        [0.00, 0.00, 0.01, 0.05, 0.94],
    ]
)
"""Chance of each report (columns) given the truth (rows), for training and tuning, whose truth the paper cannot know.

Chosen near the row shares of ``REPORTING``, smoothed where a single exam there makes a whole share.
"""
HARD_NEGATIVE_SHARE = {
    "mucoid degeneration": 0.03,
    "acl ganglion": 0.03,
    "acl sprain": 0.04,
    "intrasubstance degeneration": 0.05,
    "post-surgical meniscus": 0.03,
}
"""Share of the abnormal exams without a tear that are planned as each kind of hard negative, at least one a split.

More come with the draw of the others (``pathology``). The paper names the kinds (Methods, "Evaluation") and gives no
counts; the shares are chosen.
"""
AGE_RANGE = (10.0, 88.0)
"""Years; the paper gives mean and SD only."""
_AGE_SHIFT = {"acl": -0.45, "both": -0.25, "meniscus": 0.35, "other": 0.1, "normal": -0.2}
"""How far a category leans to the young or the old, in standard deviations: torn ligaments are the young's, worn
menisci the old's. Chosen; the paper gives no ages by finding."""
_OLD_KINDS = ("mucoid degeneration", "intrasubstance degeneration", "post-surgical meniscus")
_PLAN_STREAM = 0x9A9E4


@dataclass(frozen=True)
class _Cell:
    """What one exam of the plan is to show, and what its report says; categories."""

    truth: str
    report: str
    pathology: str


def plan_cohort(
    exams: int | None, *, paper: bool = False, small: bool = False, seed: int = 0
) -> tuple[PlannedExam, ...]:
    """Plan a cohort, in the order of k.

    Parameters
    ----------
    exams
        How many. With ``paper``: how many of the plan's *training* exams at most (the first; None: all); the tuning
        and validation exams are always all there and keep their k.
    paper
        Follow the paper's Table 1 instead of dividing 60:20:20.
    small
        With ``paper``: the first tenth of each split.
    seed
        Fixes the paper plan.

    Raises
    ------
    InputError
        Too few exams.
    """
    if not paper:
        return _plan_plain(exams)
    available = PAPER_EXAMS[Split.TRAIN] // (SMALL_PART if small else 1)
    if exams is not None and exams < 1:
        raise InputError(f"a paper cohort needs at least 1 training exam; --exams asks for {exams}")
    wanted = available if exams is None else min(exams, available)
    planned: list[PlannedExam] = []
    first_k = first_patient = 0
    for split, count in PAPER_EXAMS.items():
        whole = _plan_split(split, seed, first_k, first_patient)
        keep = wanted if split is Split.TRAIN else count // (SMALL_PART if small else 1)
        planned += whole[:keep]
        first_k += count
        first_patient += PAPER_PATIENTS[split]
    return tuple(planned)


def joint_counts(split: Split) -> NDArray[np.int64]:
    """Exams of the paper cohort by truth (rows) and report (columns), in the order of ``CATEGORIES``.

    Notes
    -----
    Validation: ``REPORTING`` itself. Else the truth margin t solves ``R^T t = r`` with r the report margin of Table 1
    and R ``REPORT_RATES``; the cells ``t_i R_ij`` are rounded down a column at a time and the largest
    remainders rounded up, so that every column keeps Table 1's count.
    """
    if split is Split.VALIDATION:
        return REPORTING.copy()
    reports = np.array(PAPER_COUNTS[split])
    truth = np.linalg.solve(REPORT_RATES.T, reports)
    cells = truth[:, None] * REPORT_RATES
    return np.stack([_whole(column, int(total)) for column, total in zip(cells.T, reports, strict=True)], axis=1)


def _plan_plain(exams: int | None) -> tuple[PlannedExam, ...]:
    """60:20:20, at least one each, one patient an exam."""
    if exams is None or exams < 3:
        raise InputError(f"a cohort needs at least 3 exams, one for each split; --exams asks for {exams}")
    part = max(1, round(exams * 0.2))
    splits = [Split.TRAIN] * (exams - 2 * part) + [Split.TUNING] * part + [Split.VALIDATION] * part
    return tuple(PlannedExam(k, f"P{k:05d}", split) for k, split in enumerate(splits))


def _plan_split(split: Split, seed: int, first_k: int, first_patient: int) -> list[PlannedExam]:
    generator = np.random.Generator(
        np.random.Philox(np.random.SeedSequence([seed, _PLAN_STREAM, list(Split).index(split)]))
    )
    cells = _ordered_cells(split, generator)
    partner = _second_exams(len(cells), len(cells) - PAPER_PATIENTS[split], generator)
    sexes = _sexes(len(cells), PAPER_FEMALE[split], partner, generator)
    ages = _ages(split, cells, partner, generator)
    planned, patients = [], {}
    for i, cell in enumerate(cells):
        first = partner.get(i, i)
        number = patients.setdefault(first, first_patient + len(patients))
        planned.append(
            PlannedExam(
                first_k + i,
                f"P{number:05d}",
                split,
                pathology=cell.pathology,
                age=ages[i],
                sex=sexes[i],
                report_labels=dict(zip(Task, CATEGORY_LABELS[cell.report], strict=True)),
                body=first_k + first if first != i else None,
                cohort="paper",
            )
        )
    return planned


def _ordered_cells(split: Split, generator: np.random.Generator) -> list[_Cell]:
    """The split's exams in an order whose every beginning has nearly the split's shares, of hard negatives too."""
    counts = joint_counts(split)
    cells = _in_strata({(i, j): int(count) for (i, j), count in np.ndenumerate(counts)}, generator)
    others = sum(CATEGORIES[i] == "other" for i, _ in cells)
    hard = {kind: max(1, round(share * others)) for kind, share in HARD_NEGATIVE_SHARE.items()}
    kinds = iter(_in_strata({**hard, "other": others - sum(hard.values())}, generator))
    return [
        _Cell(CATEGORIES[i], CATEGORIES[j], next(kinds) if CATEGORIES[i] == "other" else CATEGORIES[i])
        for i, j in cells
    ]


def _in_strata(numbers: Mapping, generator: np.random.Generator) -> list:
    """Each key as often as its number says, every beginning of the list with nearly the whole's shares."""
    placed = []
    for key, number in numbers.items():
        at = (np.arange(number) + generator.random(number)) / max(number, 1)
        placed += [(float(place), key) for place in at]
    return [key for _, key in sorted(placed, key=lambda entry: entry[0])]


def _second_exams(exams: int, pairs: int, generator: np.random.Generator) -> dict[int, int]:
    """Positions of second exams, each with the position of its patient's first; spread evenly over the split."""
    edges = np.linspace(0, exams, pairs + 1).astype(int)
    partner = {}
    for start, stop in pairwise(edges):
        first, second = sorted(int(i) for i in generator.choice(np.arange(start, stop), size=2, replace=False))
        partner[second] = first
    return partner


def _sexes(exams: int, female: int, partner: dict[int, int], generator: np.random.Generator) -> list[str]:
    """Sexes with exactly ``female`` exams of women; both exams of a patient agree."""
    firsts = list(partner.values())
    women_twice = round(len(firsts) * female / exams)
    singles = [i for i in range(exams) if i not in partner and i not in set(firsts)]
    sexes = ["M"] * exams
    for i in _spread(firsts, women_twice, generator) + _spread(singles, female - 2 * women_twice, generator):
        sexes[i] = "F"
    for second, first in partner.items():
        sexes[second] = sexes[first]
    return sexes


def _spread(places: Sequence[int], number: int, generator: np.random.Generator) -> list[int]:
    """``number`` of the places, one drawn from each of as many equal stretches."""
    edges = np.linspace(0, len(places), number + 1).astype(int)
    return [places[int(generator.integers(a, b))] for a, b in pairwise(edges)]


def _ages(split: Split, cells: list[_Cell], partner: dict[int, int], generator: np.random.Generator) -> list[int]:
    """Whole years: quantiles of a beta distribution of the split's mean and SD, handed out by leaning ranks."""
    mean, sd = PAPER_AGE[split]
    low, high = AGE_RANGE
    m, v = (mean - low) / (high - low), (sd / (high - low)) ** 2
    size = m * (1 - m) / v - 1
    patients = [i for i in range(len(cells)) if i not in partner]
    quantiles = betaincinv(m * size, (1 - m) * size, (np.arange(len(patients)) + 0.5) / len(patients))
    lean = np.array([_AGE_SHIFT[cells[i].truth] + 0.5 * (cells[i].pathology in _OLD_KINDS) for i in patients])
    ranks = (lean + generator.normal(size=len(patients))).argsort().argsort()
    years = dict(zip(patients, np.rint(low + (high - low) * quantiles[ranks]).astype(int).tolist(), strict=True))
    for second, first in partner.items():
        years[second] = years[first] + int(generator.integers(0, 3))
    return [years[i] for i in range(len(cells))]


def _whole(values: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers near ``values`` (none negative) that sum to ``total``: the largest remainders are rounded up."""
    values = np.clip(values, 0, None)
    whole = np.floor(values + 1e-9).astype(np.int64)
    short = total - int(whole.sum())
    whole[np.argsort(whole - values, kind="stable")[: max(short, 0)]] += 1
    return whole
