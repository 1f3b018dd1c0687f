"""One training step of one network on 32 slices, in float32 and bfloat16, and what loading and augmentation add.

    python benchmarks/train_step.py [--threads 2] [--repeats 15]

A step: forward, weighted loss, backward, Adam. "Plain" is the same step with torch's own layers; the two take
turns. Figures are the median of the clock, its tenth and ninetieth percentile (a virtual machine's cores are not
always its own: where they lie far apart, a neighbour was at work) and the processor's time over all threads. A last
line says what the convolutions of a plain step need at the speed of the fastest one: no arrangement of direct
convolutions does better.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mrnet_core.config import TrainConfig  # noqa: E402  (the project is run from its folder, not installed)
from mrnet_core.domain import Plane, Task  # noqa: E402
from mrnet_core.models import MRNet, fold_first_convolution, initialise  # noqa: E402
from mrnet_core.training import augment  # noqa: E402
from mrnet_core.training.network import Network, make_optimiser, step  # noqa: E402

SLICES = 32
TURNS = 3
TARGETS = {"bfloat16": 200.0, "float32": 380.0}
"""Milliseconds a step, two cores."""


class Plain(MRNet):
    """The network as torch's layers compute it."""

    def maps(self, stack: torch.Tensor) -> torch.Tensor:
        return self.features(self.standardise(stack))


def network(config: TrainConfig, folded: bool, plain: bool = False) -> Network:
    model, words = initialise("random", 1)
    model = fold_first_convolution(model) if folded else model
    if plain:
        model.__class__ = Plain
    model.mean.fill_(60.0)
    model.sd.fill_(50.0)
    model = model.to(memory_format=torch.channels_last)
    return Network("n", Plane.AXIAL, Task.ACL, 1, words, model, make_optimiser(model, config), (1.0, 1.0))


class Spent(NamedTuple):
    """Milliseconds of the clock, median and tenth and ninetieth percentile, and of the processor, median."""

    clock: float
    low: float
    high: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.0f} ms ({self.low:.0f} to {self.high:.0f}; processor {self.processor:.0f})"


def spent_ms(works: list[Callable[[], object]], repeats: int) -> list[Spent]:
    """What each work takes, in turns of several: each finds the memory as it left it, as in a run."""
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(TURNS):
        for place, work in enumerate(works):
            for repeat in range(-2, -(-repeats // TURNS)):
                clock, processor = time.perf_counter(), time.process_time()
                work()
                if repeat >= 0:
                    times[place].append((time.perf_counter() - clock, time.process_time() - processor))
    clocks_processors = [1000 * np.array(one).T for one in times]
    return [Spent(*np.percentile(clock, [50, 10, 90]), np.median(processor)) for clock, processor in clocks_processors]


def bound_ms(precision: str, threads: int) -> float:
    """All multiplications of a plain step's convolutions at the speed of the fourth convolution, forward."""
    kind = getattr(torch, precision)
    picture = torch.ones(SLICES, 384, 15, 15, dtype=kind).contiguous(memory_format=torch.channels_last)
    kernel = torch.ones(256, 384, 3, 3, dtype=kind).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        spent = spent_ms([lambda: functional.conv2d(picture, kernel, padding=1)], 5)[0].processor / threads
    work = {
        "first": 63 * 63 * 64 * 121 * 2 / 3,  # no gradient of its input
        "others": 31 * 31 * 192 * 64 * 25 + 15 * 15 * 9 * (384 * 192 + 256 * 384 + 256 * 256),
    }
    return 3 * sum(work.values()) / (15 * 15 * 9 * 256 * 384) * spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {args.threads} threads, {SLICES} slices")
    generator = np.random.default_rng(1)
    config = TrainConfig()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.npy"
        np.save(path, generator.integers(0, 256, (SLICES, 256, 256), np.uint8))
        stack = torch.from_numpy(np.load(path))
        loading, moving = spent_ms(
            [
                lambda: torch.from_numpy(np.load(path)),
                lambda: augment.apply(stack, augment.draw(generator, config)),
            ],
            args.repeats,
        )
    moved = augment.apply(stack, augment.draw(generator, config))
    for precision, target in TARGETS.items():
        chosen = TrainConfig(precision=precision)
        for folded in (True, False):
            both = [network(chosen, folded), network(chosen, folded, plain=True)]
            works = [lambda one=one, chosen=chosen: float(step(one, [moved], [1.0], chosen, 10)) for one in both]
            spent, plain = spent_ms(works, args.repeats)
            channels = 1 if folded else 3
            fed = (loading.clock + moving.clock) / 3
            print(
                f"{precision:<9} {channels} input channel{'s' if channels > 1 else ' '}: step {spent}, "
                f"aim {target:.0f}; plain {plain}; loading and augmentation, shared by a plane's three networks: "
                f"{fed / (spent.clock + fed):.1%} of the time",
                flush=True,
            )
        print(f"{precision:<9} direct convolutions of a step need at least {bound_ms(precision, args.threads):.0f} ms")
    print(f"loading {loading.clock:.1f} ms a series (once a run), augmentation {moving.clock:.1f} ms a series")


if __name__ == "__main__":
    main()
