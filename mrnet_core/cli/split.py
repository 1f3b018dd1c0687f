"""``split TABLE --out CSV``: one's own exams divided as the paper divides: stratified, grouped by patient."""

import argparse
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from mrnet_core.api.own_data import lay_out
from mrnet_core.datasets.splits import (
    PAPER_POSITIVES,
    PAPER_SHARES,
    SplitRules,
    moved_shares,
    read_exam_table,
    split_exams,
    split_table,
)
from mrnet_core.domain import InputError, Plane, Task
from mrnet_core.store import PARTIAL, write_whole

WHERE_SERIES_LIE = f"<{'|'.join(Plane)}>/<exam>.npy"
WHAT_SERIES_ARE = "standardised uint8 (s, 256, 256)"
HEADER = "exam,split"
"""First line of the table that is written, and what tells it from one that must not be lost."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "table", type=Path, metavar="TABLE", help="CSV with exam, patient (where known) and 0/1 for each task"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="exam and split are written there")
    paper = ":".join(f"{share * 100:g}" for share in PAPER_SHARES)
    parser.add_argument(
        "--shares",
        default=paper,
        metavar="A:B:C",
        help=f"exams to train on, in the tuning and in the validation set (paper: {paper})",
    )
    parser.add_argument(
        "--at-least",
        type=int,
        default=PAPER_POSITIVES,
        metavar="N",
        help=f"positives of each task in the tuning and in the validation set (paper: {PAPER_POSITIVES})",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--into", type=Path, metavar="DATA", help="also lay out a new folder DATA as `train --data` reads it"
    )
    parser.add_argument(
        "--series",
        type=Path,
        metavar="DIR",
        help=f"with --into: DIR/{WHERE_SERIES_LIE}, {WHAT_SERIES_ARE}, linked or copied to their places",
    )


def run(args: argparse.Namespace) -> int:
    """Split, write, and show the counts and the next step."""
    try:
        shares = tuple(float(word) for word in args.shares.split(":"))
    except ValueError as error:
        raise InputError(f"--shares {args.shares!r}: give three numbers, for example 60:20:20") from error
    if args.series and not args.into:
        raise InputError("--series tells where series lie, and --into where to put them: give both")
    rules = SplitRules(shares, args.at_least, args.seed)
    table = read_exam_table(args.table)
    splits = split_exams(table, rules)
    _check_place(args.out)
    planes = lay_out(args.into, splits, table, args.series) if args.into else tuple(Plane)
    rows = "".join(f"{exam},{split.value}\n" for exam, split in splits.items())
    write_whole(args.out, f"{HEADER}\n{rows}")
    print(split_table(splits, table).to_string())
    print(f"Next: {_next_step(args, planes, [task for task in Task if task in table])}")
    if moved := moved_shares(splits, table, rules):
        print(f"note: {moved}", file=sys.stderr)
    if "patient" not in table:
        print("note: no column patient, so that no patient is in two sets cannot be ensured", file=sys.stderr)
    return 0


def _check_place(out: Path) -> None:
    """Refuse an ``--out`` before a folder is laid out, which the same command would not fill twice.

    An earlier table of this command may be written again: with the same table and seed it is the same one.
    """
    try:
        if out.exists():
            with out.open("rb") as file:
                if file.readline(len(HEADER) + 2).strip() != HEADER.encode():
                    raise InputError(f"{out} exists and is no table of `split`: give --out another name")
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_name(out.name + PARTIAL)
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}): name a place you may write to") from error


def _next_step(args: argparse.Namespace, planes: Sequence[Plane], tasks: Sequence[Task]) -> str:
    data = args.into or "DATA"
    train = f"python -m mrnet_core train --data {data} --out RUN"
    train += _chosen("--planes", planes, Plane) + _chosen("--tasks", tasks, Task)
    if args.series:
        return train
    if args.into:
        return f"put the series, {WHAT_SERIES_ARE}, at {data}/<train|valid|test>/{WHERE_SERIES_LIE}; then {train}"
    return (
        f"the same with --into {data} --series DIR lays out the folder to train on, from series at "
        f"DIR/{WHERE_SERIES_LIE}, {WHAT_SERIES_ARE}; then {train}"
    )


def _chosen(option: str, members: Sequence[StrEnum], kind: type[StrEnum]) -> str:
    """The option where not all are at hand."""
    return "" if len(members) == len(kind) else f" {option} {','.join(members)}"
