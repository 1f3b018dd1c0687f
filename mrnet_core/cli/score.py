"""``score DIR --out CSV``: every exam below a folder; one bad exam never stops the rest."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.exam_folders import find_exams
from mrnet_core.api.scoring import score_exams
from mrnet_core.domain import Cancelled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of exams: folders or zips, also in a patient's folder"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write")
    parser.add_argument("--model", metavar="RUN", help="RUN folder (default: $MRNET_MODEL, else the demo model)")
    parser.add_argument(
        "--resume", action="store_true", help="keep the rows of an earlier run, try its errors again and go on"
    )


def run(args: argparse.Namespace) -> int:
    """Score and report the counts on stderr.

    Raises
    ------
    Cancelled
        Ctrl-C: at most the exam at hand is lost.
    """
    _show("looking for exams")
    try:
        exams = find_exams(args.folder)
        done, failed = score_exams(
            exams,
            args.out,
            model=args.model,
            resume=args.resume,
            progress=lambda done, failed: _show(f"{done} of {len(exams)} exams, {failed} failed"),
        )
    except KeyboardInterrupt as stop:
        raise Cancelled(
            f"stopped; every exam scored so far is kept: the same command with --resume goes on in {args.out}"
        ) from stop
    finally:
        _show("")
    print(f"{done} exams in {args.out}, {failed} failed", file=sys.stderr)
    return 0


def _show(words: str) -> None:
    """A line on a terminal that overwrites itself; nothing where stderr is a file."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
