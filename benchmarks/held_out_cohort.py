"""A small folder to train on out of a cohort's held-out exams: quick comparisons without making knees again.

    python -m benchmarks.held_out_cohort COHORT OUT

COHORT: a folder of `phantom --cohort paper --mrnet` (`--exams 1` makes no more than is used). OUT trains on its tuning
exams, chooses on its first 40 validation exams and tests on those of other patients; series and cells are links.
"""

import argparse
import csv
import shutil
from pathlib import Path

from mrnet_core.domain import Plane, Split, Task

CHOOSING = 40
"""Validation exams that become the tuning set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    with (args.cohort / "exams.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    validation = [row for row in rows if row["split"] == Split.VALIDATION]
    choosing = validation[:CHOOSING]
    known = {row["patient"] for row in choosing}
    parts = {
        Split.TRAIN: (Split.TUNING, [row["exam"] for row in rows if row["split"] == Split.TUNING]),
        Split.TUNING: (Split.VALIDATION, [row["exam"] for row in choosing]),
        Split.VALIDATION: (
            Split.VALIDATION,
            [row["exam"] for row in validation[CHOOSING:] if row["patient"] not in known],
        ),
    }
    for split, (source, exams) in parts.items():
        _link(args.cohort.resolve(), args.out, source, split, exams)
        print(f"{split}: {len(exams)} exams")
    shutil.copy(args.cohort / "cells" / "channels.json", args.out / "cells" / "channels.json")
    shutil.copytree(args.cohort / "landmarks", args.out / "landmarks")


def _link(cohort: Path, out: Path, source: Split, split: Split, exams: list[str]) -> None:
    for plane in Plane:
        (out / split.folder / plane).mkdir(parents=True)
        (out / "cells" / plane).mkdir(parents=True, exist_ok=True)
        for exam in exams:
            (out / split.folder / plane / f"{exam}.npy").symlink_to(cohort / source.folder / plane / f"{exam}.npy")
            (out / "cells" / plane / f"{exam}.npz").symlink_to(cohort / "cells" / plane / f"{exam}.npz")
    for task in Task:
        lines = (cohort / f"{source.folder}-{task}.csv").read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.split(",")[0] in exams]
        (out / f"{split.folder}-{task}.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
