"""How hard the lesions are to see: pixels that change between an exam and its twin without the lesion, by plane.

    python -m benchmarks.difficulty [--exams 40] [--others 8] [--seed 501] [--jobs 2]
    python -m benchmarks.difficulty --cohort DIR

Each exam has one lesion and no company. A pixel (of the 256 x 256 that a network sees, over the whole series) counts
when it moves by more than 25 of 255 grey levels of the display window. Under 10 such pixels a lesion is as good as
invisible in that plane. With ``--cohort`` nothing is rendered: the counts are those of the cohort's validation exams,
as its making left them in lesions.jsonl (twin without any lesion, pixels inside the lesion's mask, area scaled to
256 x 256). Prints two markdown tables: by kind and grade, and of tears by severity.
"""

import argparse
import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnet_core.api.cohorts import one_thread_each
from mrnet_core.domain import Plane
from mrnet_core.phantom import KINDS, make_exam
from mrnet_core.preprocess import resize_series

CHANGE = 25 / 255
FEW = 10
TEARS = ("acl tear", "meniscal tear")
SEVERITIES = {"subtle (below 1/3)": (0.0, 1 / 3), "middle": (1 / 3, 2 / 3), "plain (above 2/3)": (2 / 3, 1.01)}


@dataclass(frozen=True)
class Twin:
    """One lesion and how many pixels it changes, by plane."""

    kind: str
    grade: str
    severity: float
    changed: dict[Plane, int]


def measure(case: tuple[int, int, str]) -> Twin:
    """Make exam and twin of (seed, k, kind) and count."""
    seed, k, kind = case
    exam, bare = make_exam(seed, k, pathology=kind), make_exam(seed, k, pathology=kind, lesions=())
    changed = {}
    for plane, series in exam.series.items():
        apart = np.abs(resize_series(series) - resize_series(bare.series[plane]))
        changed[plane] = int((apart > CHANGE * series.window.width).sum())
    (lesion,) = exam.lesions
    return Twin(lesion.type, lesion.grade, lesion.severity, changed)


def from_cohort(folder: Path) -> list[Twin]:
    """The lesions of a cohort whose visible pixels were counted."""
    records = [json.loads(line) for line in (folder / "lesions.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Twin(lesion["type"], lesion["grade"], lesion["severity"], {p: lesion["visible_pixels"][p] for p in Plane})
        for record in records
        for lesion in record["lesions"]
        if lesion["visible_pixels"]
    ]


def from_seed(seed: int, exams: int, others: int, jobs: int) -> list[Twin]:
    """Lesions made for the purpose, one an exam."""
    cases = [(seed, k, kind) for kind in KINDS for k in range(exams if kind in TEARS else others)]
    with one_thread_each(), ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(measure, cases, chunksize=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--exams", type=int, default=40, help="exams of each tear")
    parser.add_argument("--others", type=int, default=8, help="exams of each other kind")
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cohort", type=Path, metavar="DIR", help="a phantom cohort in the MRNet form")
    args = parser.parse_args()
    if args.cohort:
        twins = from_cohort(args.cohort)
        source = f"Validation exams of {args.cohort.name}, pixels inside the lesions' masks, twins without any lesion"
    else:
        twins, source = from_seed(args.seed, args.exams, args.others, args.jobs), f"Seed {args.seed}"
    print(f"{source}: median changed pixels of 256 x 256 over a series, and share of lesions under {FEW}.\n")
    table("lesion", twins, lambda twin: (twin.kind, f"{twin.kind}, {twin.grade}" if twin.grade else ""))
    print()
    tears = [twin for twin in twins if twin.kind in TEARS]
    table("tear by severity", tears, lambda twin: (f"{twin.kind}, {_severity(twin)}",))


def _severity(twin: Twin) -> str:
    return next(word for word, (low, high) in SEVERITIES.items() if low <= twin.severity < high)


def table(title: str, twins: Sequence[Twin], names: Callable[[Twin], Iterable[str]]) -> None:
    """A row a name that some twin bears, in order of first appearance."""
    groups: dict[str, list[Twin]] = {}
    for twin in twins:
        for name in names(twin):
            if name:
                groups.setdefault(name, []).append(twin)
    print(f"| {title} | n | " + " | ".join(f"{plane} | under {FEW}" for plane in Plane) + " |")
    print("|---" * (2 + 2 * len(Plane)) + "|")
    for name, members in groups.items():
        cells = []
        for plane in Plane:
            counts = np.array([twin.changed[plane] for twin in members])
            cells += [f"{np.median(counts):.0f}", f"{(counts < FEW).mean():.0%}"]
        print(f"| {name} | {len(members)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
