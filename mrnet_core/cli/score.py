"""``score DIR --out CSV``: every exam below a folder; one bad exam never stops the rest."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.scoring import find_exams, score_exams


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of exams: subfolders, zips or npy folders")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write")
    parser.add_argument("--model", metavar="RUN", help="RUN folder (default: $MRNET_MODEL, else the demo model)")
    parser.add_argument("--resume", action="store_true", help="keep the rows of an earlier run and go on after them")


def run(args: argparse.Namespace) -> int:
    """Score and report the counts on stderr."""
    exams = find_exams(args.folder)

    def progress(done: int, failed: int) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{done} of {len(exams)} exams, {failed} failed", end="", file=sys.stderr, flush=True)

    done, failed = score_exams(exams, args.out, model=args.model, resume=args.resume, progress=progress)
    print(f"{'' if not sys.stderr.isatty() else chr(10)}{done} exams in {args.out}, {failed} failed", file=sys.stderr)
    return 0
