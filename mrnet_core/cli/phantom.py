"""``phantom OUT --exams N --seed S``: make a cohort of synthetic knees."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.cohorts import CohortOrder, make_cohort
from mrnet_core.domain import Cancelled, InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder to write to")
    parser.add_argument(
        "--exams", type=int, metavar="N", help="exams (with --cohort paper: training exams; default all)"
    )
    parser.add_argument("--seed", type=int, required=True, metavar="S", help="0 or more; fixes every knee")
    parser.add_argument("--cohort", choices=["paper"], help="the paper's Table 1: 1,130, 120 and 120 exams")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--dicom", action="store_true", help="DICOM folders (the default)")
    form.add_argument("--mrnet", action="store_true", help="standardised npy series as in MRNet-v1.0, to train on")
    parser.add_argument("--size", choices=["small", "full"], default="full", help="small: 8 to 12 slices a series")
    parser.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu (the default), cuda or cuda:N")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: one a core; at most 12 share a GPU)"
    )
    parser.add_argument("--resume", action="store_true", help="keep the finished exams of an earlier run and go on")


def run(args: argparse.Namespace) -> int:
    """Make the cohort and report on stderr."""
    if args.exams is None and args.cohort is None:
        raise InputError("--exams is missing: say how many exams to make, or take --cohort paper")
    order = CohortOrder(
        out=args.out,
        exams=args.exams,
        seed=args.seed,
        paper=args.cohort == "paper",
        form="mrnet" if args.mrnet else "dicom",
        size=args.size,
        device=args.device,
        jobs=args.jobs,
        resume=args.resume,
    )
    terminal = sys.stderr.isatty()
    try:
        report = make_cohort(order, _show if terminal else None)
    except KeyboardInterrupt as stop:
        raise Cancelled(
            f"stopped; the finished exams are kept: the same command with --resume goes on in {args.out}"
        ) from stop
    kept = f", {report.kept} of them kept" if report.kept else ""
    print(f"{chr(10) if terminal else ''}{report.exams} synthetic exams in {args.out}{kept}", file=sys.stderr)
    return 0


def _show(done: int, total: int, rate: float) -> None:
    left = (total - done) / rate if rate else 0.0
    words = f"{done} of {total} exams, {rate:.1f} a minute, {left:.0f} min left"
    print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
