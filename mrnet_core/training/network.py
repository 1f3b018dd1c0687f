"""One network in training: its weights, its optimiser, the best epoch so far, its history; and how one is fed.

``step`` applies a gradient, ``measure`` changes nothing: the two never mix.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Task
from mrnet_core.models import MRNet
from mrnet_core.training.arithmetic import autocast
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.schedule import rate

SLICES_TOGETHER = 1024
"""Slices, of whole exams, that a GPU computes at once where nothing is learned; a CPU computes an exam at a time."""


def network_name(plane: Plane, task: Task, seed: int) -> str:
    """The name that a network's files share."""
    return f"{plane}_{task}_seed{seed}"


@dataclass
class Network:
    """A network that is being trained. ``weights``: of the loss of a negative and of a positive exam."""

    name: str
    plane: Plane
    task: Task
    seed: int
    init: str
    model: MRNet
    optimiser: torch.optim.Optimizer
    weights: tuple[float, float]
    epoch: int = 0
    steps: int = 0
    best_epoch: int = -1
    best_loss: float = math.inf
    best_state: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def make_optimiser(model: MRNet, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam in its fused form: one kernel for all weights, on the CPU as on a GPU, where a step can be recorded."""
    return torch.optim.Adam(
        model.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=True,
        capturable=model.mean.is_cuda,
    )


def step(
    network: Network, pictures: Sequence[Tensor], labels: Sequence[float], config: TrainConfig, steps: int
) -> Tensor:
    """One optimiser step on one exam (or several); returns the mean loss as a tensor on the device.

    ``pictures``: each ``(s, 256, 256)`` on the 0-255 scale; ``labels``: 0.0 or 1.0 each; ``steps``: of the whole run.
    """
    model, device = network.model, pictures[0].device
    now = rate(network.steps, steps, config.learning_rate, config.warm_up, config.schedule)
    for group in network.optimiser.param_groups:
        group["lr"] = now
    network.optimiser.zero_grad(set_to_none=True)
    total = torch.zeros((), device=device)
    for stack, label in zip(pictures, labels, strict=True):
        loss = weighted_loss(logit(model, stack, config), label, network.weights) / len(pictures)
        loss.backward()
        total += loss.detach()
    if config.clip:
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    network.optimiser.step()
    network.steps += 1
    return total


def logit(model: MRNet, stack: Tensor, config: TrainConfig) -> Tensor:
    """The logit of a series; convolutions in the run's arithmetic, pooling and the last layer in float32."""
    with autocast(config, stack.device):
        maps = model.maps(stack)
    return model.head(maps.float())


def weighted_loss(value: Tensor, label: float, weights: tuple[float, float]) -> Tensor:
    """Binary cross-entropy of one exam, scaled inversely to the prevalence of its class."""
    target = torch.full_like(value, label)
    return functional.binary_cross_entropy_with_logits(value, target) * weights[int(label)]


@torch.no_grad()
def pooled(model: MRNet, data: PlaneSet, config: TrainConfig) -> Tensor:
    """Features ``(exams, 256)`` before the last layer, float32, no augmentation; on the CPU."""
    together = SLICES_TOGETHER if data.pictures.is_cuda else 1
    rows, first = [], 0
    while first < len(data):
        last = first + 1
        while last < len(data) and data.starts[last + 1] - data.starts[first] <= together:
            last += 1
        slices = data.pictures[data.starts[first] : data.starts[last]]
        with autocast(config, slices.device):
            maps = model.maps(slices)
        counts = np.diff(data.starts[first : last + 1]).tolist()
        rows += [model.pool(part) for part in maps.float().split(counts)]
        first = last
    return torch.stack(rows).cpu()


@torch.no_grad()
def logits_of(model: MRNet, features: Tensor) -> NDArray[np.float64]:
    """Logits ``(exams,)`` of pooled features."""
    layer = model.classifier
    return functional.linear(features.to(layer.weight.device), layer.weight, layer.bias)[:, 0].double().cpu().numpy()


def judge(network: Network, features: Tensor, data: PlaneSet) -> dict[str, float | None]:
    """Loss, AUC and spread of the logit over the exams of ``data``, from their pooled features."""
    return figures(logits_of(network.model, features), data.label(network.task).numpy(), network.weights)


def keep_best(network: Network, epoch: int, loss: float) -> None:
    """Keep a copy of the weights where the tuning loss is lower than in any epoch before (the paper's rule)."""
    if loss < network.best_loss:
        network.best_epoch, network.best_loss = epoch, loss
        network.best_state = {name: value.detach().clone() for name, value in network.model.state_dict().items()}


def figures(values: NDArray, labels: NDArray, weights: tuple[float, float]) -> dict[str, float | None]:
    """``loss``, ``auc`` (None where only one class is there) and ``logit_sd`` of logits against labels."""
    loss = np.logaddexp(0, np.where(labels == 1, -values, values)) * np.where(labels == 1, weights[1], weights[0])
    defined = np.isfinite(values).all() and 0 < labels.sum() < len(labels)
    return {
        "loss": float(loss.mean()),
        "auc": float(roc_auc_score(labels, values)) if defined else None,
        "logit_sd": float(values.std()),
    }
