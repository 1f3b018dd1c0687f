"""``ensemble RUN``: the regressions over the planes, the score tables, and the manifest that makes RUN a model."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.runs import STACKINGS, EnsembleSummary, ensemble, read_config
from mrnet_core.config import TrainConfig, tuning_words
from mrnet_core.domain import Plane
from mrnet_core.store import partial_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that `train` wrote")
    parser.add_argument("--name", default="", help="name of the model (default: the folder's)")
    parser.add_argument(
        "--stacking",
        choices=STACKINGS,
        default=STACKINGS[0],
        help="which training-set predictions the regressions are fitted on (training: the paper's way)",
    )
    parser.add_argument("--drop-checkpoints", action="store_true", help="remove RUN/checkpoints of a model at the end")


def run(args: argparse.Namespace) -> int:
    """Fit, write, and show the coefficients and AUCs; warnings go to stderr."""
    summary = ensemble(args.run, name=args.name, stacking=args.stacking, drop_checkpoints=args.drop_checkpoints)
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(summary_text(summary, read_config(args.run)))
    return 0


def summary_text(summary: EnsembleSummary, config: TrainConfig) -> str:
    """Coefficients and AUCs as text for a terminal."""
    lines = ["Coefficients of the regressions over every plane:"] if summary.coefficients else []
    for record in summary.coefficients:
        if len(record["planes"]) == max(len(one["planes"]) for one in summary.coefficients):
            values = "  ".join(f"{plane} {value:+.2f}" for plane, value in record["coefficients"].items())
            lines.append(f"  {record['task']:<9} {record['source']:<12} {values}  intercept {record['intercept']:+.2f}")
    lines.append(f"AUC. {tuning_words(config)}")
    for record in summary.aucs:
        value = "undefined" if record["auc"] is None else f"{record['auc']:.3f}"
        spread = f"  logit SD {record['logit_sd']:.2f}" if record["model"] in tuple(Plane) else ""
        counts = f"{record['n_pos']} positive, {record['n_neg']} negative"
        lines.append(f"  {record['split']:<11}{record['task']:<9} {record['model']:<24} {value}  ({counts}){spread}")
    lacks = partial_words(config, summary.run)
    lines.append(f"{summary.run} {lacks or f'is a model now: predict PATH --model {summary.run}'}")
    return "\n".join(lines)
