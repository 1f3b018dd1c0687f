"""``reproduce --out DIR``: cohort (or data at hand), training, evaluation, heatmap grades and report in one folder."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.reproduce import reproduce
from mrnet_core.api.runs import Engine
from mrnet_core.api.study_plan import SIZES, Changes
from mrnet_core.cli.train import add_engine, add_shared, seed_numbers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the study")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="MRNet-v1.0 folder (default: a phantom cohort is made)"
    )
    parser.add_argument(
        "--size",
        choices=tuple(SIZES),
        help="; ".join(f"{name}: {size.words}" for name, size in SIZES.items())
        + " (default: paper with --data or on a GPU, else small; of --data all exams are taken, and the size's epochs)",
    )
    parser.add_argument("--device", metavar="cpu|cuda", help="default: a GPU where there is one")
    add_shared(parser.add_argument_group("protocol (default: the size's epochs, else the paper's)"))
    add_engine(parser)


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet; the report's place goes to stdout."""
    report = reproduce(
        args.out,
        size=args.size,
        data=args.data,
        changes=Changes(args.epochs, seed_numbers(args.seeds), args.tuning),
        device=args.device,
        engine=Engine(args.engine, args.workers, args.address),
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    print(report)
    return 0
