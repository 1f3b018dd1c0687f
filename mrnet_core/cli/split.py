"""``split TABLE --out CSV``: one's own exams divided as the paper divides: stratified, grouped by patient."""

import argparse
import sys
from pathlib import Path

from mrnet_core.datasets.splits import (
    PAPER_POSITIVES,
    PAPER_SHARES,
    SplitRules,
    read_exam_table,
    split_exams,
    split_table,
)
from mrnet_core.domain import InputError
from mrnet_core.store import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "table", type=Path, metavar="TABLE", help="CSV with exam, patient (where known) and 0/1 for each task"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="exam and split are written there")
    parser.add_argument("--shares", default=":".join(f"{share * 100:g}" for share in PAPER_SHARES), metavar="A:B:C")
    parser.add_argument(
        "--at-least",
        type=int,
        default=PAPER_POSITIVES,
        metavar="N",
        help=f"positives of each task in the tuning and in the validation set (paper: {PAPER_POSITIVES})",
    )
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Split, write, and show the counts."""
    try:
        shares = tuple(float(word) for word in args.shares.split(":"))
    except ValueError as error:
        raise InputError(f"--shares {args.shares!r}: give three numbers, for example 60:20:20") from error
    table = read_exam_table(args.table)
    splits = split_exams(table, SplitRules(shares, args.at_least, args.seed))
    rows = "".join(f"{exam},{split.value}\n" for exam, split in splits.items())
    write_whole(args.out, f"exam,split\n{rows}")
    print(split_table(splits, table).to_string())
    if "patient" not in table:
        print("note: no column patient, so that no patient is in two sets cannot be ensured", file=sys.stderr)
    return 0
