"""How many threads a run computes with on a CPU, kept so that it goes on with as many.

Threads share a sum, and how it is shared decides how it is rounded: the same step on another number of threads ends
with other last bits. ``RUN/checkpoints/threads.json`` holds the numbers that the trunk and the jobs were begun with.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from mrnet_core.store import CHECKPOINTS, write_whole

THREADS = f"{CHECKPOINTS}/threads.json"
PARTS = {"trunk": "The trunk", "job": "Every job"}


def kept_threads(run: Path, part: str, usual: int, beside: int = 1, most: int | None = None) -> tuple[int, str]:
    """Threads for a part of a run, and what must be said of them ("" where nothing must).

    Parameters
    ----------
    part
        One of ``PARTS``.
    usual
        What it would have here; it is kept where the part was not begun yet.
    beside
        How many of the part run at the same time.
    most
        Threads that one of them can have; None: its share of this machine's cores.
    """
    kept = _read(run)
    begun = kept.get(part)
    if begun is None:
        write_whole(run / THREADS, json.dumps(kept | {part: usual}) + "\n")
        return usual, ""
    if begun == usual:
        return usual, ""
    if begun <= (cores() // beside if most is None else most):
        return begun, (
            f"{PARTS[part]} goes on with {_count(begun)}, as it was begun, so that the weights are the same to the "
            f"last bit; it would have {usual} here."
        )
    return usual, (
        f"{PARTS[part]} was begun with {_count(begun)} and goes on with {usual}, all that it can have here: the "
        "weights will differ by rounding from those of a run that was not stopped."
    )


def cores() -> int:
    """Cores that this process may use, or torch's threads where those are more."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(allowed, torch.get_num_threads())


@contextmanager
def on_threads(number: int) -> Iterator[None]:
    """torch with so many threads on the CPU, and as many as before afterwards; 0 leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _count(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}"


def _read(run: Path) -> dict[str, int]:
    try:
        kept = json.loads((run / THREADS).read_text(encoding="utf-8"))
        return {part: int(kept[part]) for part in PARTS if int(kept.get(part, 0)) > 0}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # not begun, or a damaged file: it is written anew
