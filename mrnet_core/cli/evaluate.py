"""``evaluate published | readers | validation``: the evidence, as text, JSON, CSV or figures."""

import argparse
from pathlib import Path

from mrnet_core.api import evidence as api
from mrnet_core.cli import print_json
from mrnet_core.domain import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    published = kinds.add_parser("published", help="every published number beside its recomputation")
    readers = kinds.add_parser("readers", help="a reader study as the paper evaluated its own, and MRMC")
    validation = kinds.add_parser("validation", help="a score table against labels")
    for child in (published, readers, validation):
        child.add_argument("--json", action="store_true", help="print one JSON object")
        child.add_argument("--csv", type=Path, metavar="DIR", help="write every table as CSV there")
        child.add_argument("--figures", type=Path, metavar="DIR", help="write every figure as PNG, SVG and PDF there")
        child.add_argument("--slides", type=Path, metavar="PPTX", help="write the figures as slides with native charts")
    for child in (readers, validation):
        child.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")
    readers.add_argument(
        "--reads",
        type=Path,
        required=True,
        metavar="CSV",
        help="reader, role, exam, task, assisted, read; optional group, period (1 or 2), order, and confidence: 0 the "
        "finding is surely absent, 100 surely present, whatever the read",
    )
    readers.add_argument(
        "--reference", type=Path, required=True, metavar="CSV", help="exam, task, majority or rater1 …"
    )
    readers.add_argument("--model", type=Path, metavar="CSV", help="exam, task, probability")
    readers.add_argument("--main-role", default="radiologist", help="role that the model is compared with")
    readers.add_argument(
        "--missing", choices=("available", "wrong"), default="available", help="what a missing read does"
    )
    readers.add_argument("--replicates", type=int, default=2000, help="bootstrap replicates (default 2000)")
    validation.add_argument("--scores", type=Path, required=True, metavar="CSV", help="exam, task, probability")
    validation.add_argument("--labels", type=Path, required=True, metavar="CSV", help="exam, task, label")
    validation.add_argument("--scores2", type=Path, metavar="CSV", help="a second model's scores: paired DeLong test")
    validation.add_argument("--specificity", type=float, default=0.9, help="specificity of the second operating point")
    validation.add_argument(
        "--prevalence", type=float, help="prevalence for the predictive values (default: the sample's)"
    )


def run(args: argparse.Namespace) -> int:
    """Compute, write what was asked for, print."""
    answer, text, frames, figures = {
        "published": _published,
        "readers": _readers,
        "validation": _validation,
    }[args.what](args)
    if args.csv:
        api.write_tables(frames(), args.csv)
    if args.figures:
        api.write_figures(figures(), args.figures)
    if args.slides:
        api.write_slides(figures(), args.slides)
    if args.json:
        print_json(answer())
    else:
        print(text())
    return 0


def _published(args: argparse.Namespace):
    found = api.published()
    return (
        lambda: api.published_json(found),
        lambda: api.published_text(found),
        lambda: api.published_frames(found),
        lambda: api.published_figures(),
    )


def _readers(args: argparse.Namespace):
    if args.replicates < 100:
        raise InputError(f"--replicates {args.replicates}: an interval needs at least 100")
    options = api.Options(args.main_role, args.missing, args.level, args.replicates)
    found = api.file_readers(args.reads, args.reference, args.model, options=options)
    return (
        lambda: api.readers_json(found),
        lambda: api.readers_text(found),
        lambda: api.called_synthetic(found, api.reader_frames(found)),
        lambda: api.reader_figures(found),
    )


def _validation(args: argparse.Namespace):
    for name in ("specificity", "prevalence"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1:
            raise InputError(f"--{name} {value:g}: give a number between 0 and 1")
    found = api.file_validation(args.scores, args.labels, args.scores2, level=args.level)
    wanted = (args.specificity, args.prevalence)
    return (
        lambda: api.validation_json(found, *wanted),
        lambda: api.validation_text(found, *wanted),
        lambda: api.called_synthetic(found, api.validation_frames(found, *wanted)),
        lambda: api.validation_figures(found),
    )
