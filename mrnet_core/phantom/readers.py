"""Simulated people who read the cohort: three specialists who set the reference, nine experts of a reader study.

Nobody real was asked. Each simulated reader sees a case as a latent evidence and calls it positive above a threshold of
their own (the equal-variance signal-detection model). Evidence of a lesion grows with its conspicuity, so that subtle
ones are missed more often; a hard negative adds evidence where there is no tear.

Evidence of reader r for a case and task, unassisted::

    e = d_r * (FLOOR + (1 - FLOOR) * c)        positive case of conspicuity c (0 subtle to 1 plain)
    e = MIMIC * d_r * m                        negative case with a hard negative of severity m (0 where there is none)
    x = e - threshold_r + noise                read = x > 0

The noise has SD 1 and three parts: the case's own (all readers share it: a hard case is hard for everybody), the
reader's on that case, and the occasion's. Assisted by a model's probability p, with the reader's weight w::

    x' = (1 - w) * x + w * PULL * logit(p), |logit(p)| at most LOGIT_LIMIT

A positive read of a tear makes the exam abnormal. The positive class is the presence of the finding.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mrnet_core.domain import InputError, Task

PAPER_KAPPA = {Task.ABNORMAL: 0.508, Task.ACL: 0.800, Task.MENISCUS: 0.745}
"""Agreement of the paper's three specialists (Bien et al. 2018, Results): exact Fleiss (Conger's) kappa."""
MEAN_SKILL = {Task.ABNORMAL: 3.0, Task.ACL: 3.7, Task.MENISCUS: 2.8}
"""Mean d' of the experts for a plain lesion."""
MEAN_THRESHOLD = {Task.ABNORMAL: 1.3, Task.ACL: 1.6, Task.MENISCUS: 1.4}
"""Mean threshold. With ``MEAN_SKILL`` it puts the unassisted reads of an ordinary cohort near the sensitivity and
specificity of general radiologists in the paper's Table 2 (0.905/0.844, 0.906/0.933, 0.759/0.892)."""
SKILL_SD, THRESHOLD_SD = 0.25, 0.25
"""How far experts differ from each other."""
SURGEON_SKILL = {Task.ABNORMAL: -0.3, Task.ACL: 0.0, Task.MENISCUS: -0.2}
"""Surgeons' d' minus radiologists': chosen; the paper gives two surgeons, too few to tell."""
FLOOR = 0.55
"""Share of d' that the subtlest lesion still has."""
MIMIC = 0.35
"""Share of d' that the plainest hard negative has."""
NOISE_SHARES = {"case": 0.35, "reader": 0.40, "occasion": 0.25}
"""Variance of the three parts of the noise; they sum to 1."""
COMMON = 0.4
"""Share of each part's variance that the tasks of a case have in common: a reader who overcalls one, overcalls both."""
MODEL_WEIGHT = (0.12, 0.40)
"""Each expert's weight of the model is drawn uniformly between these."""
PULL, LOGIT_LIMIT = 0.75, 3.0
"""Evidence a unit of the model's logit carries, and the largest logit that counts (a probability of 0.953)."""
DISSENT_SLOPE = 3.0
"""How strongly a specialist's dissent leans to subtle cases: weight exp(-slope * clarity)."""
READERS = (
    ("R1", "radiologist", 1),
    ("R2", "radiologist", 1),
    ("R3", "radiologist", 1),
    ("R4", "radiologist", 1),
    ("R5", "radiologist", 2),
    ("R6", "radiologist", 2),
    ("R7", "radiologist", 2),
    ("R8", "surgeon", 1),
    ("R9", "surgeon", 1),
)
"""Name, role and crossover group: four radiologists and both surgeons read unassisted first, three radiologists
assisted first (Bien et al. 2018, Methods, "Evaluation")."""
RATERS = 3
READS_COLUMNS = ("reader", "role", "group", "exam", "task", "assisted", "period", "order", "read", "confidence")
REFERENCE_COLUMNS = ("exam", "task", "majority", *(f"rater{n + 1}" for n in range(RATERS)))
MODEL_COLUMNS = ("exam", "task", "probability")
_TEARS = (Task.ACL, Task.MENISCUS)
_MIMICS = {Task.ACL: "hard negative acl", Task.MENISCUS: "hard negative meniscus"}
_STREAM = {"reference": 0xF0, "study": 0xF1}


@dataclass(frozen=True)
class ReaderCase:
    """What a reader could see of one exam.

    ``conspicuity``: by task, of the plainest lesion that makes it positive, 0 subtle to 1 plain; 0 where negative.
    ``mimicry``: by task, of the plainest hard negative, 0 to 1; 0 where there is none.
    """

    exam: str
    truth: Mapping[Task, bool]
    conspicuity: Mapping[Task, float]
    mimicry: Mapping[Task, float]

    def __post_init__(self) -> None:
        for name in ("conspicuity", "mimicry"):
            for task, value in getattr(self, name).items():
                if not 0 <= value <= 1:
                    raise InputError(f"exam {self.exam}: {name} of {task} must be 0 to 1; got {value!r}")


@dataclass(frozen=True)
class ReaderStudy:
    """Rows of the three tables of a reader study, in the columns of ``*_COLUMNS``."""

    reads: tuple[dict[str, str | int], ...]
    reference: tuple[dict[str, str | int], ...]
    model: tuple[dict[str, str | float], ...]


def case_of(row: Mapping[str, str], record: Mapping) -> ReaderCase:
    """An exam as readers see it, from its row of exams.csv and its line of lesions.jsonl.

    Notes
    -----
    A lesion's conspicuity is its severity; where a twin has counted its visible pixels, the mean of the severity and
    ``log(v / 10) / log(100)`` held to 0..1, with v those of the plane that shows most: 10 pixels of 256 x 256 are as
    good as nothing, 1,000 cannot be overlooked. An exam has the conspicuity of its plainest lesion of the task.
    """
    truth = {task: row[task.value] == "1" for task in Task}
    conspicuity, mimicry = dict.fromkeys(Task, 0.0), dict.fromkeys(Task, 0.0)
    for lesion in record["lesions"]:
        value = lesion["severity"]
        if lesion["visible_pixels"]:
            most = max(lesion["visible_pixels"].values())
            value = (value + min(max(math.log(max(most, 1) / 10) / math.log(100), 0.0), 1.0)) / 2
        shown = {Task.ABNORMAL} | {task for task in _TEARS if lesion["label"] == task.value}
        for task in shown:
            conspicuity[task] = max(conspicuity[task], value)
        for task, channel in _MIMICS.items():
            if lesion["channel"] == channel and not truth[task]:
                mimicry[task] = max(mimicry[task], value)
    return ReaderCase(row["exam"], truth, conspicuity, mimicry)


def simulate_reference(cases: Sequence[ReaderCase], seed: int) -> tuple[dict[str, str | int], ...]:
    """Three specialists' labels of each case and task, and their majority.

    Their majority is the truth: on a case at most one of them dissents (a person who has the whole record is rarely
    outvoted by two who err alike; the phantom makes that never). How many dissents there are is the number whose
    exact Fleiss kappa comes nearest to the paper's; they fall on subtle lesions and on hard negatives.
    """
    generator = _generator(seed, "reference")
    wrong = {task: np.zeros((len(cases), RATERS), bool) for task in Task}
    everything = range(len(cases))
    _dissent(cases, Task.ACL, wrong, list(everything), generator)
    # One dissenter a case over all tasks: two who each see another false tear would outvote the third on abnormality.
    _dissent(cases, Task.MENISCUS, wrong, [i for i in everything if not wrong[Task.ACL][i].any()], generator)
    for i, case in enumerate(cases):
        if not case.truth[Task.ABNORMAL]:
            wrong[Task.ABNORMAL][i] = wrong[Task.ACL][i] | wrong[Task.MENISCUS][i]
    # Nobody calls an exam normal and its meniscus torn: dissent on abnormality needs an exam that nobody calls torn.
    free = [i for i in everything if not any(cases[i].truth[t] or wrong[t][i].any() for t in _TEARS)]
    _dissent(cases, Task.ABNORMAL, wrong, free, generator)
    rows = []
    for i, case in enumerate(cases):
        for task in Task:
            votes = [int(bool(case.truth[task]) ^ bool(one)) for one in wrong[task][i]]
            rows.append(
                {"exam": case.exam, "task": task.value, "majority": int(sum(votes) * 2 > RATERS)}
                | {f"rater{n + 1}": vote for n, vote in enumerate(votes)}
            )
    return tuple(rows)


def simulate_reader_study(
    cases: Sequence[ReaderCase], probabilities: Mapping[tuple[str, Task], float], seed: int
) -> ReaderStudy:
    """Nine experts read every case twice, without and with a model's probabilities, in the paper's crossover.

    Parameters
    ----------
    cases
        The exams; the answer depends on their order only through the rows' order.
    probabilities
        The model's, by exam and task.
    seed
        Fixes readers, noise and reading orders.

    Raises
    ------
    InputError
        No cases, an exam twice, or a probability missing or outside 0 to 1.
    """
    _check(cases, probabilities)
    reads: list[dict[str, str | int]] = []
    for number, (name, role, group) in enumerate(READERS):
        reads += _Reader.draw(seed, number, name, role, group).read_all(cases, probabilities, seed, number)
    model = tuple(
        {"exam": case.exam, "task": task.value, "probability": float(probabilities[case.exam, task])}
        for case in cases
        for task in Task
    )
    return ReaderStudy(tuple(reads), simulate_reference(cases, seed), model)


def conger_kappa(votes: NDArray[np.int_]) -> float:
    """Exact Fleiss kappa (Conger 1980) of binary votes ``(cases, raters)``: mean pairwise agreement beyond chance.

    NaN where every rater gives every case the same vote (chance agreement 1).
    """
    pairs = list(combinations(range(votes.shape[1]), 2))
    agreement = float(np.mean([(votes[:, a] == votes[:, b]).mean() for a, b in pairs]))
    share = votes.mean(axis=0)
    chance = float(np.mean([share[a] * share[b] + (1 - share[a]) * (1 - share[b]) for a, b in pairs]))
    return math.nan if chance == 1 else (agreement - chance) / (1 - chance)


@dataclass(frozen=True)
class _Reader:
    name: str
    role: str
    group: int
    skill: Mapping[Task, float]
    threshold: Mapping[Task, float]
    weight: float
    """Of the model's probability, 0 to 1."""

    @classmethod
    def draw(cls, seed: int, number: int, name: str, role: str, group: int) -> "_Reader":
        g = _generator(seed, "study", number)
        ability, leaning = g.normal(0, 1, 2) * (SKILL_SD, THRESHOLD_SD)
        other = SURGEON_SKILL if role == "surgeon" else dict.fromkeys(Task, 0.0)
        skill = {task: MEAN_SKILL[task] + other[task] + ability + float(g.normal(0, SKILL_SD / 2)) for task in Task}
        threshold = {task: MEAN_THRESHOLD[task] + leaning + float(g.normal(0, THRESHOLD_SD / 2)) for task in Task}
        return cls(name, role, group, skill, threshold, float(g.uniform(*MODEL_WEIGHT)))

    def read_all(self, cases, probabilities, seed: int, number: int) -> list[dict[str, str | int]]:
        """Both readings of every case, in the order of ``cases``."""
        rows = []
        for assisted in (0, 1):
            period = assisted + 1 if self.group == 1 else 2 - assisted
            order = _generator(seed, "study", number, 1000 + period).permutation(len(cases)) + 1
            for case, place in zip(cases, order, strict=True):
                evidence = {}
                for task in Task:
                    x = self._evidence(case, task, seed, number, period)
                    if assisted:
                        x = self._drawn(x, probabilities[case.exam, task])
                    evidence[task] = x
                # A tear is an abnormality: the exam cannot be read less abnormal than torn.
                evidence[Task.ABNORMAL] = max(
                    [evidence[Task.ABNORMAL], *(evidence[task] for task in _TEARS if evidence[task] > 0)]
                )
                for task in Task:
                    rows.append(
                        {
                            **{"reader": self.name, "role": self.role, "group": self.group, "exam": case.exam},
                            **{"task": task.value, "assisted": assisted, "period": period, "order": int(place)},
                            **{"read": int(evidence[task] > 0), "confidence": _confidence(evidence[task])},
                        }
                    )
        return rows

    def _evidence(self, case: ReaderCase, task: Task, seed: int, number: int, period: int) -> float:
        d = self.skill[task]
        mean = (
            d * (FLOOR + (1 - FLOOR) * case.conspicuity[task]) if case.truth[task] else MIMIC * d * case.mimicry[task]
        )
        # Streams are named by the exam, not by its place: the same exam in another cohort order reads the same.
        name, which = tuple(case.exam.encode()), list(Task).index(task)
        streams = {"case": (0, 2000), "reader": (number, 3000), "occasion": (number, 4000 + period)}
        noise = 0.0
        for part, (reader, stream) in streams.items():
            draws = _generator(seed, "study", reader, stream, *name).normal(0, 1, 1 + len(Task))
            mixed = math.sqrt(COMMON) * draws[0] + math.sqrt(1 - COMMON) * draws[1 + which]
            noise += math.sqrt(NOISE_SHARES[part]) * mixed
        return float(mean - self.threshold[task] + noise)

    def _drawn(self, x: float, probability: float) -> float:
        p = min(max(probability, 1e-9), 1 - 1e-9)
        logit = math.log(p / (1 - p))
        return (1 - self.weight) * x + self.weight * PULL * min(max(logit, -LOGIT_LIMIT), LOGIT_LIMIT)


def _confidence(evidence: float) -> int:
    """0 to 100, above 50 exactly where the read is positive."""
    value = round(100 * float(ndtr(evidence)))
    return max(value, 51) if evidence > 0 else min(value, 50)


def _dissent(cases, task: Task, wrong, allowed: list[int], generator: np.random.Generator) -> None:
    """Let one specialist err on some of the ``allowed`` cases, until kappa comes nearest to the paper's; in place."""
    clarity = np.array([cases[i].conspicuity[task] if cases[i].truth[task] else 0.7 for i in allowed])
    clarity = clarity - np.array([cases[i].mimicry[task] for i in allowed]) * 0.7
    keys = generator.random(len(allowed)) ** (1 / np.exp(-DISSENT_SLOPE * clarity))  # weighted order (Efraimidis)
    order = [allowed[i] for i in np.argsort(-keys)]
    raters = generator.integers(0, RATERS, len(order))
    truth = np.array([case.truth[task] for case in cases])
    best, votes = 0, truth[:, None] ^ wrong[task]
    nearest = _distance(votes, task)
    for n, (i, rater) in enumerate(zip(order, raters, strict=True), 1):
        votes[i, rater] ^= True
        distance = _distance(votes, task)
        if distance < nearest:
            best, nearest = n, distance
    for i, rater in zip(order[:best], raters[:best], strict=True):
        wrong[task][i, rater] = True


def _distance(votes: NDArray, task: Task) -> float:
    kappa = conger_kappa(votes.astype(int))
    return math.inf if math.isnan(kappa) else abs(kappa - PAPER_KAPPA[task])


def _check(cases: Sequence[ReaderCase], probabilities: Mapping[tuple[str, Task], float]) -> None:
    if not cases:
        raise InputError("a reader study needs exams; there are none")
    names = [case.exam for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"exam {twice} is there twice; a reader study reads each exam once")
    for case in cases:
        for task in Task:
            value = probabilities.get((case.exam, task))
            if value is None or not 0 <= value <= 1:
                raise InputError(f"exam {case.exam}: the model's probability of {task} must be 0 to 1; got {value}")


def _generator(seed: int, stream: str, *words: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, _STREAM[stream], *words])))
