"""Passes through the training exams on a GPU: the step of a plane's networks is recorded once and replayed.

A step of one exam is some two hundred short kernels a network; launched one by one, the GPU waits for the processor. So
a whole step (augmentation, forward, loss, backward, clipping, Adam, for all networks of a plane, each on a stream of
its own) is recorded as a CUDA graph for each length of series, lengths rounded up to ``LENGTHS``; slices that are
not there take no part in the maximum. What differs from step to step (which exam, its transform, label, learning rate)
lies in tables on the device, and a recorded step reads the row that a counter on the device points at: a replay needs
nothing from the processor but its launch.

The weights that result are those of ``network.step`` but for rounding, which may differ from run to run (cuDNN adds in
no fixed order): within ``GPU_TOLERANCE``, as those of a run that was stopped and went on. LOG.md has the figures.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from mrnet_core.config import TrainConfig
from mrnet_core.models.pooling import pool_bias_relu
from mrnet_core.models.stem import first_convolution
from mrnet_core.training import augment
from mrnet_core.training.arithmetic import autocast
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.gather import Source, folded_series
from mrnet_core.training.network import Network
from mrnet_core.training.schedule import rate

GPU_TOLERANCE = 0.1
"""How far weights may end from an undisturbed run's on a GPU, as a share of the way they moved; float32. CPU: 0."""
LENGTHS = 4
"""Series are padded to a multiple of so many slices: few recordings, few slices in vain."""


class Gate:
    """Keeps a GPU to one thread while it records, and shares it otherwise.

    While a step is recorded, no other thread may free the device's memory (cuDNN's search for the fastest kernel does)
    or wait for the device: either ends the recording with an error.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._wanting, self._alone = 0, 0, False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Beside others; waits for who records or is waiting to."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._wanting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With nobody beside; waits until everybody is out."""
        with self._changed:
            self._wanting += 1
            try:
                self._changed.wait_for(lambda: not self._alone and not self._inside)
                self._alone = True
            finally:
                self._wanting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


GATE = Gate()
"""Planes may train in threads of one process; whatever they do with the device is done inside it."""


class Recorder:
    """Recorded steps of networks that train side by side on the same exams; recorded anew when the networks change."""

    def __init__(self, training: PlaneSet, config: TrainConfig) -> None:
        self._training, self._config = training, config
        self._names: tuple[str, ...] = ()
        self._steps: RecordedSteps | None = None

    def prepare(self, networks: Sequence[Network]) -> None:
        """Record the steps of ``networks`` unless they are; waits for the device to be free of other threads."""
        names = tuple(network.name for network in networks)
        if self._steps is None or names != self._names:
            with GATE.alone():
                self._steps = None  # its memory first
                self._names, self._steps = names, RecordedSteps(networks, self._training, self._config)

    def epoch(
        self,
        networks: Sequence[Network],
        order: Sequence[int],
        transforms: Sequence[augment.Transform],
        steps: int,
        passed: Callable[[int], None],
    ) -> list[float]:
        """One pass of prepared networks in ``order``; returns their mean losses.

        ``steps``: of the whole run; ``passed`` is told of exams done.
        """
        if self._steps is None or self._names != tuple(network.name for network in networks):
            raise ValueError("these networks were not prepared")
        return self._steps.epoch(order, transforms, steps, passed)


class RecordedSteps:
    """The steps of some networks, recorded for every length of series that occurs."""

    def __init__(self, networks: Sequence[Network], training: PlaneSet, config: TrainConfig) -> None:
        self.networks, self.training, self.config = list(networks), training, config
        self.device = training.pictures.device
        self.counts = np.diff(training.starts)
        self._tables()
        lengths = sorted({self._padded(count) for count in self.counts}, reverse=True)
        self._play: dict[int, Callable[[], None]]
        if self.device.type == "cuda":
            self._streams = [torch.cuda.Stream(self.device) for _ in networks]
            torch.backends.cudnn.benchmark = True  # a recorded step keeps what cuDNN found fastest
            try:
                self._play = {length: graph.replay for length, graph in self._record(lengths).items()}
            finally:
                torch.backends.cudnn.benchmark = False
        else:  # nothing to record: the same step is taken each time
            self._play = {length: partial(self._step, length) for length in lengths}

    def epoch(
        self,
        order: Sequence[int],
        transforms: Sequence[augment.Transform],
        steps: int,
        passed: Callable[[int], None],
    ) -> list[float]:
        """See :meth:`Recorder.epoch`."""
        self._fill(order, transforms, steps)
        for done, exam in enumerate(order):
            self._play[self._padded(self.counts[exam])]()
            passed(done + 1)
        for network in self.networks:
            network.steps += len(order)
        return [total / len(order) for total in self.totals.tolist()]

    def _padded(self, count: int) -> int:
        return -(-int(count) // LENGTHS) * LENGTHS

    def _tables(self) -> None:
        """What a recorded step reads, by its place in the epoch; and where it adds up."""
        exams, networks = len(self.training), len(self.networks)

        def table(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=self.device)

        self.first, self.count = table(exams, dtype=torch.int64), table(exams, dtype=torch.int64)
        self.theta, self.rates = table(exams, 2, 3), table(exams)
        self.targets, self.weights = table(exams, networks), table(exams, networks)
        self.cursor, self.totals = table(1, dtype=torch.int64), table(networks)
        self.rate = table()
        for network in self.networks:
            for group in network.optimiser.param_groups:
                group["lr"] = self.rate

    def _fill(self, order: Sequence[int], transforms: Sequence[augment.Transform], steps: int) -> None:
        chosen = np.asarray(order)
        rows, columns = self.training.pictures.shape[-2:]
        labels = np.stack([self.training.label(network.task).numpy()[chosen] for network in self.networks], axis=1)
        weights = np.array([network.weights for network in self.networks])  # (networks, 2)
        first = self.networks[0].steps
        values = {
            self.first: np.asarray(self.training.starts)[chosen],
            self.count: self.counts[chosen],
            self.theta: np.array([augment.matrix(transform, rows, columns) for transform in transforms]),
            self.targets: labels,
            self.weights: np.where(labels > 0, weights[:, 1], weights[:, 0]),
            self.rates: np.array(
                [
                    rate(first + done, steps, self.config.learning_rate, self.config.warm_up, self.config.schedule)
                    for done in range(len(chosen))
                ]
            ),
        }
        for table, value in values.items():
            table[: len(chosen)] = torch.from_numpy(value).to(table.device, table.dtype)
        self.cursor.zero_()
        self.totals.zero_()

    def _record(self, lengths: Sequence[int]) -> dict[int, torch.cuda.CUDAGraph]:
        """Record a step for each length. What the trial steps before it did to the networks is undone."""
        self._fill([int(np.argmax(self.counts))], [augment.IDENTITY], 1)
        kept = [_snapshot(network) for network in self.networks]
        graphs: dict[int, torch.cuda.CUDAGraph] = {}
        pool = torch.cuda.graph_pool_handle()
        aside = torch.cuda.Stream(self.device)
        aside.wait_stream(torch.cuda.current_stream(self.device))
        for length in lengths:
            with torch.cuda.stream(aside), warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*capturable=True.*")  # Adam: these steps are not recorded yet
                for _ in range(2):  # lets cuDNN choose, cuBLAS take its memory and Adam make its state
                    self.cursor.zero_()
                    self._step(length)
            torch.cuda.synchronize(self.device)
            graphs[length] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[length], pool=pool, stream=aside, capture_error_mode="thread_local"):
                self._step(length)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        for network, before in zip(self.networks, kept, strict=True):
            _restore(network, before)
        torch.cuda.synchronize(self.device)
        return graphs

    def _step(self, length: int) -> None:
        """One step of every network on the exam that the counter points at, padded to ``length`` slices."""
        place = self.cursor
        there = (torch.arange(length, device=self.device) < self.count[place])[:, None]
        self.rate.copy_(self.rates[place][0])
        model = self.networks[0].model
        source = Source(self.training.pictures, self.first, self.theta, place, model.mean, model.sd)
        dtype = torch.bfloat16 if self.config.precision == "bfloat16" else torch.float32
        folded = folded_series(source, length, dtype)
        if self.device.type == "cuda":
            current = torch.cuda.current_stream(self.device)
            for number, (network, stream) in enumerate(zip(self.networks, self._streams, strict=True)):
                stream.wait_stream(current)
                with torch.cuda.stream(stream):
                    self._learn(network, number, folded, there, place)
            for stream in self._streams:
                current.wait_stream(stream)
        else:
            for number, network in enumerate(self.networks):
                self._learn(network, number, folded, there, place)
        self.cursor += 1

    def _learn(self, network: Network, number: int, folded: Tensor, there: Tensor, place: Tensor) -> None:
        model = network.model
        network.optimiser.zero_grad(set_to_none=True)
        with autocast(self.config, self.device):
            maps = _maps(model.features, folded)
        pooled = maps.float().mean(dim=(2, 3)).masked_fill(~there, float("-inf")).amax(dim=0)
        value = model.classifier(pooled)
        loss = functional.binary_cross_entropy_with_logits(
            value, self.targets[place, number], self.weights[place, number], reduction="sum"
        )
        weights = list(model.parameters())
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = _laid_out_like(weight, gradient)
        if self.config.clip:
            clip_grad_norm_(weights, self.config.clip)
        network.optimiser.step()
        self.totals[number] += loss.detach()


def _maps(features: nn.Sequential, folded: Tensor) -> Tensor:
    """AlexNet's last maps of folded pictures; biases and ReLUs of the pooled convolutions after their pooling."""
    first, second, third, fourth, fifth = (layer for layer in features if isinstance(layer, nn.Conv2d))
    values = pool_bias_relu(first_convolution(folded, first.weight, None), first.bias)
    values = pool_bias_relu(functional.conv2d(values, second.weight, padding=2), second.bias)
    values = fourth(third(values).relu_()).relu_()
    return pool_bias_relu(functional.conv2d(values, fifth.weight, padding=1), fifth.bias)


def _laid_out_like(weight: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the weight's own memory layout, which fused Adam takes for granted."""
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)


def _snapshot(network: Network) -> tuple[list[Tensor], dict[Tensor, dict[str, Tensor]]]:
    """Copies of a network's weights and of its optimiser's state (empty before the first step)."""
    weights = [value.detach().clone() for value in network.model.parameters()]
    state = {
        weight: {name: value.clone() for name, value in entry.items()}
        for weight, entry in network.optimiser.state.items()
    }
    return weights, state


@torch.no_grad()
def _restore(network: Network, before: tuple[list[Tensor], dict[Tensor, dict[str, Tensor]]]) -> None:
    """Put a snapshot back in place: recorded steps hold the addresses. A state that was not there becomes zero."""
    weights, state = before
    for weight, value in zip(network.model.parameters(), weights, strict=True):
        weight.copy_(value)
        for name, entry in network.optimiser.state[weight].items():
            if weight in state:
                entry.copy_(state[weight][name])
            else:
                entry.zero_()
    network.optimiser.zero_grad(set_to_none=True)
