"""``predict PATH…``: one exam to probabilities."""

import argparse
import sys
from pathlib import Path

import numpy as np

from mrnet_core.api.exams import load_predictor, open_exam, predict_exam, warm_up
from mrnet_core.api.heatmaps import save_heatmaps
from mrnet_core.cli import print_json
from mrnet_core.domain import InputError, Plane, Side
from mrnet_core.report.exam_report import exam_json, exam_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folder, zip, DICOMDIR, DICOM or npy files")
    parser.add_argument("--model", metavar="RUN", help="RUN folder (default: $MRNET_MODEL, else the demo model)")
    parser.add_argument(
        "--series",
        action="append",
        default=[],
        metavar="PLANE=UID",
        help="take this series in this plane (may be repeated)",
    )
    parser.add_argument("--side", choices=[side.value for side in Side], help="which knee, when both are in the study")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    parser.add_argument("--save-heatmaps", type=Path, metavar="DIR", help="write <plane>_<task>.npz files there")


def run(args: argparse.Namespace) -> int:
    """Read, predict, print."""
    choices = parse_choices(args.series)
    warm_up()  # its libraries load while the networks do
    predictor = load_predictor(args.model)
    exam = open_exam(args.paths, choices=choices, side=Side(args.side) if args.side else None, progress=_on_terminal())
    prediction = predict_exam(exam, predictor)
    if args.save_heatmaps:
        save_heatmaps(exam, prediction, predictor, args.save_heatmaps)
    if args.json:
        print_json(exam_json(exam, prediction))
    else:
        print(exam_text(exam, prediction))
    return 0


def parse_choices(entries: list[str]) -> dict[Plane, str]:
    """``PLANE=UID`` arguments as a mapping.

    Raises
    ------
    InputError
        Not of that form, an unknown plane, or a plane given twice.
    """
    choices: dict[Plane, str] = {}
    for entry in entries:
        word, _, uid = entry.partition("=")
        if word not in [plane.value for plane in Plane] or not uid:
            raise InputError(f"--series {entry!r}: give PLANE=UID with a plane of {', '.join(Plane)} and a series UID")
        if Plane(word) in choices:
            raise InputError(f"--series names the {word} plane twice; give one UID a plane")
        choices[Plane(word)] = uid
    return choices


def _on_terminal():
    """A progress line that overwrites itself on a terminal; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        return None

    def show(words: str, fraction: float) -> None:
        print(f"\r\033[K{words} {np.clip(fraction, 0, 1):.0%}", end="", file=sys.stderr, flush=True)
        if fraction >= 1:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    return show
