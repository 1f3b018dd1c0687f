"""``reproduce --out DIR``: cohort (or data at hand), training, evaluation, heatmap grades and report in one folder."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.reproduce import SIZES, fit_size, reproduce
from mrnet_core.api.runs import Engine


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
        + " (default: paper on a GPU, else small)",
    )
    parser.add_argument("--device", metavar="cpu|cuda", help="default: a GPU where there is one")
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--address", help="of a Ray cluster")
    parser.add_argument("--workers", type=int, default=0, metavar="N")


def run(args: argparse.Namespace) -> int:
    """Do what is not done yet; the report's place goes to stdout."""
    report = reproduce(
        args.out,
        size=args.size or fit_size(args.device),
        data=args.data,
        device=args.device,
        engine=Engine(args.engine, args.workers, args.address),
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    print(report)
    return 0
