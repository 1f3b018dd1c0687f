"""``python -m mrnet_core VERB``: one module a verb, each with ``add_parser`` and ``run(args) -> int``.

Status 0: done. Status 2: the input is at fault, with nothing on stdout and one sentence on stderr. Status 1: this
installation is at fault.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence

from mrnet_core import __version__
from mrnet_core.domain import MRNetError

VERBS = {
    "predict": "probabilities and heatmaps of one exam",
    "score": "probabilities of every exam below a folder, as CSV",
    "phantom": "make synthetic knee exams",
    "train": "train the networks on an MRNet-v1.0 folder or a phantom cohort",
    "ensemble": "fit a trained run's regressions and make it a model",
    "reproduce": "cohort, training, ensemble, evaluation and report in one folder",
    "split": "divide one's own exams into training, tuning and validation sets",
    "evaluate": "published numbers recomputed, a reader study, or a score table against labels",
    "doctor": "check this installation",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its status; every error of the project becomes one sentence on stderr."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m mrnet_core", description="MRNet for knee MRI. Research use only.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    named = next((word for word in argv if word in VERBS), None)
    try:
        for verb, summary in VERBS.items():
            child = commands.add_parser(verb, help=summary, description=summary.capitalize() + ".")
            if verb == named:
                _module(verb).add_arguments(child)
        args = parser.parse_args(argv)
        return _module(args.verb).run(args)
    except ModuleNotFoundError as error:
        print(
            f"{parser.prog} {named}: the library {error.name} is missing: run `make app`, or "
            "`python -m pip install -r requirements.txt`; `python -m mrnet_core doctor` says what else is",
            file=sys.stderr,
        )
        return 1
    except MRNetError as error:
        print(f"{parser.prog} {named}: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output left (`| head`): say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def print_json(value: dict) -> None:
    """Print one JSON object: double precision, no NaN or Infinity (a ValueError: the contract uses null)."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def _module(verb: str):
    # On demand: `--help` and `phantom` should not wait for every verb's libraries.
    return importlib.import_module(f"mrnet_core.cli.{verb.replace('-', '_')}")
