"""Checkpoints of a run that is going on: whole or not at all, so that a killed run loses at most its current epoch.

A file is written beside its name, flushed to the disk and moved into place; whatever else lies in the folder
(``*.partial``) is never read. These files belong to one machine: they are no part of the RUN that is passed on.
"""

import io
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from mrnet_core.domain import InputError, InstallationError
from mrnet_core.store import write_whole

FORMAT = 1


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors, numbers and words under ``path``, whole or not at all.

    Raises
    ------
    InputError
        The disk is full or refuses; the earlier file under this name is untouched.
    """
    buffer = io.BytesIO()
    torch.save(state | {"format": FORMAT}, buffer)
    try:
        write_whole(path, buffer.getvalue())
    except InputError as error:
        raise InputError(f"{error}; the last whole checkpoint is kept: go on from it with --resume") from error


def on_host(value: Any) -> Any:
    """The same state with every tensor copied to the processor's memory, so that training may go on meanwhile."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: on_host(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(on_host(entry) for entry in value)
    return value


class Writer:
    """Writes states on a GPU while the networks after them are judged; on a CPU at once."""

    def __init__(self, beside: bool) -> None:
        self._pool = ThreadPoolExecutor(1) if beside else None
        self._waiting: list[Future] = []

    def write(self, work: Callable[[dict[str, Any]], None], state: dict[str, Any]) -> None:
        """Call ``work`` with ``state``, or with a copy of it while the caller goes on."""
        if self._pool is None:
            work(state)
        else:
            self._waiting.append(self._pool.submit(work, on_host(state)))

    def wait(self) -> None:
        """Return when everything is on the disk.

        Raises
        ------
        InputError
            The disk refused something.
        """
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.result()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *stopped: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The state saved under ``path``; None where there is none.

    Raises
    ------
    InstallationError
        The file is damaged or of another format.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InstallationError(
            f"the checkpoint {path} is damaged; delete it, and --resume starts this part anew"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InstallationError(f"the checkpoint {path} is of another version; delete it to start this part anew")
    return state
