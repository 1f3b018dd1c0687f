"""A trained network on disk: weights as safetensors (float16) and a JSON card of the same name beside them.

The card carries the weights' SHA-256, so that a card never speaks for another network's weights.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from mrnet_core.domain import ArtifactError, Plane, Task
from mrnet_core.models.mrnet import CHANNELS, MRNet
from mrnet_core.store import write_whole

CARD_FORMAT = 1
FLOAT16_MAX = 65504.0
_STAYS_FLOAT32 = ("mean", "sd")
"""On the 0-255 scale and two numbers only: kept exact."""
_NEXT = "copy the RUN again from where it came, or train it again"


@dataclass(frozen=True)
class NetworkCard:
    """What a network is: how it came about, what it reached.

    ``metrics``: figures by name ("tuning_auc", "tuning_loss"), None where undefined. ``mean`` and ``sd``: of the
    training pixels, 0-255 scale, as in the weights. ``seconds``: of training. ``departures``: from the paper, one
    sentence each.
    """

    plane: Plane
    task: Task
    trained_on: str
    synthetic: bool
    init: str
    data_hash: str
    config_hash: str
    seed: int
    epoch: int
    metrics: Mapping[str, float | None]
    mean: float
    sd: float
    departures: tuple[str, ...]
    commit: str
    device: str
    seconds: float
    version: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "plane", Plane(self.plane))
        object.__setattr__(self, "task", Task(self.task))
        object.__setattr__(self, "departures", tuple(self.departures))
        object.__setattr__(self, "metrics", dict(self.metrics))
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            raise ValueError(f"a card's mean and sd must be finite, sd above 0; got {self.mean!r} and {self.sd!r}")
        if not isinstance(self.synthetic, bool):
            raise ValueError(f"a card's synthetic is true or false; got {self.synthetic!r}")
        bad = [name for name, value in self.metrics.items() if value is not None and not math.isfinite(value)]
        if bad:
            raise ValueError(f"a card's metrics must be finite, or None where undefined; {bad[0]} is not")


def card_path(weights: Path) -> Path:
    """The card beside a weights file."""
    return weights.with_suffix(".json")


def save_network(path: Path, model: MRNet, card: NetworkCard) -> None:
    """Write ``path`` (``.safetensors``, float16) and its card, each whole or not at all.

    A kill between the two leaves a pair that does not load (the card names other weights), never a wrong network.

    Raises
    ------
    ValueError
        Another suffix; weights that are not finite or too large for float16; a mean or sd that is not the card's.
    InputError
        The place cannot be written.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"weights are saved as .safetensors; got {path.name}")
    for name in _STAYS_FLOAT32:
        held, said = float(getattr(model, name)), getattr(card, name)
        if not math.isclose(held, said, rel_tol=1e-6, abs_tol=1e-6):
            raise ValueError(f"{path.name}: the network's {name} is {held}, its card says {said}")
    tensors = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu().float()
        if not bool((value.abs() <= FLOAT16_MAX).all()):  # also false for NaN
            raise ValueError(f"{path.name}: {name} holds a number that is not finite or beyond float16's range")
        tensors[name] = value.clone() if name in _STAYS_FLOAT32 else value.half().contiguous()
    data = safetensors.torch.save(tensors)
    record = {"format": CARD_FORMAT, **asdict(card), "weights_sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, data)
    write_whole(card_path(path), text)


def load_network(path: Path) -> tuple[MRNet, NetworkCard]:
    """A network in float32 on the CPU, in evaluation mode, with 1 or 3 input channels as it was saved, and its card.

    Raises
    ------
    ArtifactError
        A file is missing or damaged, the card belongs to other weights, or the weights are no MRNet's: every name,
        shape and type must be right.
    """
    record = _read_card(path)
    data = _read_bytes(path)
    if hashlib.sha256(data).hexdigest() != record.pop("weights_sha256", None):
        raise ArtifactError(f"{path} is damaged, or {card_path(path).name} is the card of other weights: {_NEXT}")
    try:
        state = safetensors.torch.load(data)
        card = NetworkCard(**record)
    except (safetensors.SafetensorError, TypeError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path} or its card is malformed ({error}): {_NEXT}") from error
    first = state.get("features.0.weight")
    channels = 1 if first is not None and first.ndim == 4 and first.shape[1] == 1 else CHANNELS
    with torch.device("meta"):  # no default weights: every one comes from the file
        model = MRNet(channels)
    _check(state, model, path)
    model.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    if float(model.sd) <= 0 or not math.isclose(float(model.mean), card.mean, rel_tol=1e-6, abs_tol=1e-6):
        raise ArtifactError(f"{path}: mean or sd of the pixels differ from the card's: {_NEXT}")
    return model.eval().requires_grad_(False), card


def _check(state: dict[str, torch.Tensor], model: MRNet, path: Path) -> None:
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if given != wanted:
        wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
        raise ArtifactError(
            f"{path} is no MRNet: {wrong[0]} has shape {given.get(wrong[0])}, {wanted.get(wrong[0])} is needed; {_NEXT}"
        )
    for name, value in state.items():
        if value.dtype not in (torch.float16, torch.float32) or not bool(torch.isfinite(value).all()):
            raise ArtifactError(f"{path}: {name} must hold finite float16 or float32 numbers; {_NEXT}")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing: {_NEXT}") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}): {_NEXT}") from error


def _read_card(path: Path) -> dict[str, Any]:
    card = card_path(path)
    try:
        record = json.loads(_read_bytes(card))
    except ValueError as error:
        raise ArtifactError(f"{card} is no JSON: {_NEXT}") from error
    if not isinstance(record, dict) or record.pop("format", None) != CARD_FORMAT:
        raise ArtifactError(f"{card} is no card of format {CARD_FORMAT}: {_NEXT}")
    unknown = sorted(record.keys() - {item.name for item in fields(NetworkCard)} - {"weights_sha256"})
    if unknown:
        raise ArtifactError(f"{card} has the unknown field {unknown[0]!r}: use the version that made it")
    return record
