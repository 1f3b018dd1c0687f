"""``doctor``: check this installation; status 1 naming what fails."""

import argparse
import sys
from dataclasses import asdict

from mrnet_core.api.doctor import FAILS, examine
from mrnet_core.cli import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--model", metavar="RUN", help="RUN folder (default: $MRNET_MODEL, else the demo model)")
    parser.add_argument("--json", action="store_true", help="print the checks as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print each check as it is done, then the verdict."""
    checks = []
    for check in examine(args.model):
        checks.append(check)
        if not args.json:
            print(f"{check.state:<8}{check.name}: {check.words}", flush=True)
    failed = [check for check in checks if check.state == FAILS]
    if args.json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    if failed:
        names = ", ".join(check.name for check in failed)
        print(f"python -m mrnet_core doctor: {len(failed)} of {len(checks)} checks fail: {names}", file=sys.stderr)
        return 1
    if not args.json:
        print(f"All {len(checks)} checks passed.")
    return 0
