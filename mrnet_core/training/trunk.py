"""A trunk that has seen what knees are made of: AlexNet's features trained on the digital knee's dense labels.

Where ImageNet's weights cannot be had, the nine networks start from this one trunk. Three losses shape its 256 last
maps, each read out linearly as MRNet will read them:

- cells: which structures and lesions lie under each of the 7 × 7 cells (binary cross-entropy, a channel each);
- slices: what a slice shows of the three tasks, after the average over the picture;
- exams: the three tasks of a whole series, after the maximum over its slices, from the labels a network may know;
- detectors: a few of the 256 maps are held to be the lesions themselves, before the last ReLU: above zero where the
  lesion is and below elsewhere, so that such a map is exactly zero over a knee without it.

All but the first make lesion evidence live in maps that survive MRNet's pooling: a lesion fills one cell of 49, and
the average of 49 cells drowns it in whatever else the map answers to.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from mrnet_core.config import TrainConfig, config_hash
from mrnet_core.domain import InputError, Task
from mrnet_core.models import MRNet, fold_first_convolution, initialise
from mrnet_core.training import history
from mrnet_core.training.arithmetic import autocast
from mrnet_core.training.cells import (
    HARD,
    LESIONS,
    CellSet,
    Sampler,
    brightness,
    cell_weights,
    sampler,
    slice_labels,
    slice_weights,
)
from mrnet_core.training.data import class_weights
from mrnet_core.training.schedule import rate
from mrnet_core.training.state import load_state, save_state

SAVE_EVERY = 250
"""Steps between checkpoints."""
LOOK_EVERY = 1000
"""Steps between looks at the tuning slices."""
LAST_CONVOLUTION = 11
"""Layers of AlexNet's features up to and with the last convolution; a ReLU and a pool follow."""
DETECTORS = 4
"""Maps for each plane and lesion channel that are held to be a detector."""
DETECTOR_OFFSET = 2.0
"""A detector's logit is its map less this: the map is above zero where the probability is above .12."""
DETECTOR_POSITIVE = 4.0
"""Largest weight of a positive cell for a detector: a false alarm is dear, it is pooled with 49 cells of 25 slices."""
HARD_WEIGHT = 0.5
"""Weight of a look-alike channel's loss."""
EXAM_EVERY = 2
"""A whole exam costs as much as the slices of a step: every other step has one."""
TUNING_SLICES = 1000
"""Slices of the tuning set that are looked at while training."""


@dataclass
class Trunk:
    """Features with three linear read-outs, each a set of outputs for every plane."""

    network: MRNet
    cells: nn.Conv2d
    slices: nn.Linear
    exams: nn.Linear
    mean: Tensor
    sd: Tensor
    channels: tuple[str, ...]
    planes: tuple[str, ...]

    def parts(self) -> dict[str, nn.Module]:
        """Everything with weights, by name."""
        return {"features": self.network.features, "cells": self.cells, "slices": self.slices, "exams": self.exams}

    def parameters(self) -> list[nn.Parameter]:
        """All weights."""
        return [value for part in self.parts().values() for value in part.parameters()]

    @property
    def lesions(self) -> list[int]:
        """Channels that have detectors."""
        return [index for index, name in enumerate(self.channels) if name in LESIONS or name.startswith(HARD)]

    def detectors(self, before: Tensor, plane: Tensor) -> Tensor:
        """Logits ``(n, lesions, DETECTORS, 7, 7)`` of the maps that stand for each lesion in each picture's plane."""
        count = len(self.lesions)
        held = before[:, : len(self.planes) * count * DETECTORS]
        every = torch.arange(len(plane), device=plane.device)
        return held.unflatten(1, (len(self.planes), count, DETECTORS))[every, plane] - DETECTOR_OFFSET

    def before(self, pictures: Tensor, plane: Tensor, config: TrainConfig) -> Tensor:
        """The last maps before their ReLU, ``(n, 256, 7, 7)`` float32, of pictures ``(n, 256, 256)`` (0-255).

        The ReLU of it is what ``features`` gives: maximum and ReLU may change places.
        """
        scaled = (pictures.float() - self.mean[plane][:, None, None]) / self.sd[plane][:, None, None]
        scaled = scaled[:, None].contiguous(memory_format=torch.channels_last)
        with autocast(config, pictures.device):
            maps = self.network.features[:LAST_CONVOLUTION](scaled)
            return functional.max_pool2d(maps, 3, 2).float()

    def maps(self, pictures: Tensor, plane: Tensor, config: TrainConfig) -> Tensor:
        """``(n, 256, 7, 7)`` float32: what MRNet pools."""
        return self.before(pictures, plane, config).relu()


@dataclass(frozen=True)
class Weights:
    """Weights of the losses: positive cells ``(C,)``, channels ``(C,)``, positive slices ``(3,)``, exams ``(2, T)``."""

    positive_cell: Tensor
    channel: Tensor
    positive_slice: Tensor
    exam: Tensor


def new_trunk(data: CellSet, config: TrainConfig, device: torch.device) -> Trunk:
    """He's random features and read-outs near zero."""
    network, _ = initialise("random", config.trunk.seed)
    network = fold_first_convolution(network)
    generator = torch.Generator().manual_seed(config.trunk.seed)
    planes, count = len(data.sets), len(data.channels)
    with torch.random.fork_rng(devices=[]):
        cells = nn.Conv2d(256, planes * count, 1)
        slices, exams = nn.Linear(256, planes * len(Task)), nn.Linear(256, planes * len(data.sets[0].tasks))
    for layer, sd, bias in ((cells, 0.01, -2.0), (slices, 0.05, 0.0), (exams, 0.05, 0.0)):
        nn.init.normal_(layer.weight, std=sd, generator=generator)
        nn.init.constant_(layer.bias, bias)
    mean, sd = brightness(data)
    trunk = Trunk(
        network,
        cells,
        slices,
        exams,
        mean.to(device),
        sd.to(device),
        data.channels,
        tuple(one.plane.value for one in data.sets),
    )
    network.to(memory_format=torch.channels_last)
    for part in trunk.parts().values():
        part.to(device)
    return trunk


def train_trunk(
    training: CellSet, tuning: CellSet, config: TrainConfig, path: Path, report: Callable[[str], None]
) -> dict[str, Any]:
    """Train, or go on from ``path``; returns the finished state (see ``_pack``), which is also saved there.

    Every step draws from (seed, step) alone, so a run that was interrupted goes on as if it had not been.
    """
    device = training.sets[0].pictures.device
    options = config.trunk
    identity = f"{config_hash(options)} {config.precision} {[one.data_hash(one.tasks) for one in training.sets]}"
    trunk, drawn = new_trunk(training, config, device), sampler(training, options)
    weights = _weights(training, drawn, config, device)
    optimiser = torch.optim.Adam(trunk.parameters(), lr=options.learning_rate, fused=True)
    first, seconds, figures = _resume(path, identity, trunk, optimiser, device)
    losses, began = [], time.monotonic()
    for step in range(first, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, options.steps, options.learning_rate, options.warm_up, "cosine")
        generator = np.random.default_rng([options.seed, step])
        loss = _loss(trunk, training, drawn, weights, generator, step, config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trunk.parameters(), options.clip)
        optimiser.step()
        losses.append(loss.detach())
        done = step + 1
        if done % 50 == 0 or done == options.steps:
            mean, losses = float(torch.stack(losses).mean()), []
            spent = time.monotonic() - began
            left = spent / (done - first) * (options.steps - done)
            report(f"trunk: step {done} of {options.steps}, loss {mean:.3f}, {left / 60:.1f} min left")
            if not np.isfinite(mean):
                raise InputError(f"the trunk's loss became {mean} at step {done}; lower trunk.learning_rate")
            history.write_trunk(path.parent, done, options.steps, mean, left)
        if done % SAVE_EVERY == 0 or done == options.steps:
            if done % LOOK_EVERY == 0 or done == options.steps:
                figures = look(trunk, tuning, config)
                words = ", ".join(f"{name} {_word(value)}" for name, value in figures.items())
                report(f"trunk: tuning AUC of {words}")
            save_state(path, _pack(identity, trunk, optimiser, done, seconds + time.monotonic() - began, figures))
    return load_state(path, device) or {}


def _loss(
    trunk: Trunk,
    data: CellSet,
    drawn: Sampler,
    weights: Weights,
    generator: np.random.Generator,
    step: int,
    config: TrainConfig,
) -> Tensor:
    options, device = config.trunk, data.sets[0].pictures.device
    places, rows = drawn.draw(generator, options.slices)
    pictures, cells = [], []
    for place in np.unique(places):
        chosen = torch.from_numpy(rows[places == place]).to(device)
        pictures.append(data.sets[place].pictures[chosen])
        cells.append(data.cells[place][chosen].float())
    picture, cell, plane = _augment(torch.cat(pictures), torch.cat(cells), torch.from_numpy(places), generator, config)
    before = trunk.before(picture, plane, config)
    maps = before.relu()
    every = torch.arange(len(plane), device=device)
    count = len(trunk.channels)
    logits = trunk.cells(maps).unflatten(1, (-1, count))[every, plane]
    by_cell = functional.binary_cross_entropy_with_logits(
        logits, cell, pos_weight=weights.positive_cell[:, None, None], reduction="none"
    )
    loss = (by_cell.mean(dim=(0, 2, 3)) * weights.channel).sum()
    if options.detector_weight:
        lesions = trunk.lesions
        logits = trunk.detectors(before, plane)
        by_detector = functional.binary_cross_entropy_with_logits(
            logits,
            cell[:, lesions, None].expand_as(logits),
            pos_weight=weights.positive_cell[lesions, None, None, None].clamp(max=DETECTOR_POSITIVE),
            reduction="none",
        )
        loss = loss + options.detector_weight * (by_detector.mean(dim=(0, 2, 3, 4)) * weights.channel[lesions]).sum()
    if options.slice_weight:
        by_slice = trunk.slices(maps.mean(dim=(2, 3))).unflatten(1, (-1, len(Task)))[every, plane]
        target = slice_labels(cell, trunk.channels)
        loss = loss + options.slice_weight * functional.binary_cross_entropy_with_logits(
            by_slice, target, pos_weight=weights.positive_slice
        )
    if options.exam_weight and step >= options.exam_start * options.steps and step % EXAM_EVERY == 0:
        loss = loss + options.exam_weight * _exam_loss(trunk, data, weights, generator, config)
    return loss


def _exam_loss(
    trunk: Trunk, data: CellSet, weights: Weights, generator: np.random.Generator, config: TrainConfig
) -> Tensor:
    place = int(generator.integers(len(data.sets)))
    one = data.sets[place]
    index = int(generator.integers(len(one)))
    stack = one.stack(index)
    if generator.random() < 0.5:
        stack = stack.flip(2)
    plane = torch.full((len(stack),), place, device=stack.device)
    pooled = trunk.maps(stack, plane, config).mean(dim=(2, 3)).amax(dim=0)
    logits = trunk.exams(pooled).unflatten(0, (-1, len(one.tasks)))[place]
    target = one.labels[index].to(stack.device)
    weight = torch.where(target > 0, weights.exam[1], weights.exam[0])
    return functional.binary_cross_entropy_with_logits(logits, target, weight=weight)


def _augment(
    picture: Tensor, cell: Tensor, plane: Tensor, generator: np.random.Generator, config: TrainConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Flip of picture and cells, a small shift of the picture alone (within the cells' tolerance), brightness."""
    options, device = config.trunk, picture.device
    flip = torch.from_numpy(generator.random(len(picture)) < 0.5).to(device)
    picture = torch.where(flip[:, None, None], picture.flip(2), picture)
    # The cells' centres lie at 31 to 223: their mirror images are one pixel off the centres, which is nothing here.
    cell = torch.where(flip[:, None, None, None], cell.flip(3), cell)
    most = options.shift_pixels
    down, right = (int(value) for value in generator.integers(-most, most + 1, 2))
    picture = torch.roll(picture, (down, right), (1, 2))
    gain = generator.uniform(1 - options.gain, 1 + options.gain, len(picture))
    return picture.float() * torch.from_numpy(gain).float().to(device)[:, None, None], cell, plane.to(device)


def _weights(data: CellSet, drawn: Sampler, config: TrainConfig, device: torch.device) -> Weights:
    channel = [
        1.0 if name in LESIONS else HARD_WEIGHT if name.startswith(HARD) else config.trunk.structure_weight
        for name in data.channels
    ]
    one = data.sets[0]
    exam = torch.tensor([class_weights(one.label(task)) for task in one.tasks]).T
    return Weights(
        cell_weights(data, drawn).to(device),
        torch.tensor(channel, device=device),
        slice_weights(data, drawn).to(device),
        exam.to(device),
    )


@torch.no_grad()
def look(trunk: Trunk, data: CellSet, config: TrainConfig) -> dict[str, float | None]:
    """AUC over cells of each lesion channel and over slices of each task, on evenly drawn slices of ``data``."""
    scores, truth, slice_scores, slice_truth = [], [], [], []
    lesions = data.lesion_channels
    each = max(1, sum(len(cells) for cells in data.cells) // TUNING_SLICES)
    for place, (one, cells) in enumerate(zip(data.sets, data.cells, strict=True)):
        rows = torch.arange(0, len(cells), each, device=cells.device)
        for part in rows.split(64):
            plane = torch.full((len(part),), place, device=cells.device)
            maps = trunk.maps(one.pictures[part], plane, config)
            cell_logits = trunk.cells(maps).unflatten(1, (-1, len(trunk.channels)))[:, place]
            scores.append(cell_logits[:, lesions].cpu())
            truth.append(cells[part][:, lesions].cpu())
            slice_scores.append(trunk.slices(maps.mean(dim=(2, 3))).unflatten(1, (-1, len(Task)))[:, place].cpu())
            slice_truth.append(slice_labels(cells[part], data.channels).cpu())
    cell_score, cell_truth = torch.cat(scores), torch.cat(truth)
    figures = {
        f"cells with {name}": _auc(cell_truth[:, index].flatten(), cell_score[:, index].flatten())
        for index, name in enumerate(LESIONS)
    }
    by_slice, slices = torch.cat(slice_scores), torch.cat(slice_truth)
    return figures | {f"slices, {task}": _auc(slices[:, index], by_slice[:, index]) for index, task in enumerate(Task)}


def _auc(truth: Tensor, score: Tensor) -> float | None:
    return float(roc_auc_score(truth.numpy(), score.numpy())) if 0 < truth.sum() < len(truth) else None


def _word(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _pack(
    identity: str, trunk: Trunk, optimiser: torch.optim.Optimizer, done: int, seconds: float, figures: dict
) -> dict[str, Any]:
    return {
        "identity": identity,
        "step": done,
        "parts": {name: part.state_dict() for name, part in trunk.parts().items()},
        "optimiser": optimiser.state_dict(),
        "planes": list(trunk.planes),
        "mean": trunk.mean,
        "sd": trunk.sd,
        "seconds": seconds,
        "figures": figures,
    }


def _resume(
    path: Path, identity: str, trunk: Trunk, optimiser: torch.optim.Optimizer, device: torch.device
) -> tuple[int, float, dict]:
    state = load_state(path, device)
    if state is None:
        return 0, 0.0, {}
    if state["identity"] != identity:
        raise InputError(
            f"{path} was trained on other data or with other settings; give another --out, or delete it to train anew"
        )
    for name, part in trunk.parts().items():
        part.load_state_dict(state["parts"][name])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), float(state["seconds"]), state["figures"]
