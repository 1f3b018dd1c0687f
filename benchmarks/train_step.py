"""One training step of one network on 32 slices, in float32 and bfloat16, and what loading and augmentation add.

    python benchmarks/train_step.py [--threads 2] [--repeats 15]

A step: forward, weighted loss, backward, clipping, Adam. Figures are medians; the machine's load is printed beside
them, because a busy machine makes them worthless.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mrnet_core.config import TrainConfig  # noqa: E402  (the project is run from its folder, not installed)
from mrnet_core.domain import Plane, Task  # noqa: E402
from mrnet_core.models import fold_first_convolution, initialise  # noqa: E402
from mrnet_core.training import augment  # noqa: E402
from mrnet_core.training.network import Network, make_optimiser, step  # noqa: E402

SLICES = 32
TARGETS = {"bfloat16": 200.0, "float32": 380.0}
"""Milliseconds a step, two cores."""


def network(config: TrainConfig, folded: bool) -> Network:
    model, words = initialise("random", 1)
    model = fold_first_convolution(model) if folded else model
    model.mean.fill_(60.0)
    model.sd.fill_(50.0)
    model = model.to(memory_format=torch.channels_last)
    return Network("n", Plane.AXIAL, Task.ACL, 1, words, model, make_optimiser(model, config), (1.0, 1.0))


def median_ms(work, repeats: int) -> float:
    work()
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times) * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {args.threads} threads, {SLICES} slices")
    generator = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.npy"
        np.save(path, generator.integers(0, 256, (SLICES, 256, 256), np.uint8))
        stack = torch.from_numpy(np.load(path))
        loading = median_ms(lambda: torch.from_numpy(np.load(path)), args.repeats)
    config = TrainConfig()
    moving = median_ms(lambda: augment.apply(stack, augment.draw(generator, config)), args.repeats)
    moved = augment.apply(stack, augment.draw(generator, config))
    for precision, target in TARGETS.items():
        for folded in (True, False):
            chosen = TrainConfig(precision=precision)
            one = network(chosen, folded)
            spent = median_ms(lambda one=one, chosen=chosen: float(step(one, [moved], [1.0], chosen, 10)), args.repeats)
            channels = 1 if folded else 3
            share = (loading + moving) / 3 / (spent + (loading + moving) / 3)
            print(
                f"{precision:<9} {channels} input channel{'s' if channels > 1 else ' '}: step {spent:6.0f} ms (aim "
                f"{target:.0f}); loading and augmentation, shared by a plane's three networks: {share:.1%} of the time"
            )
    print(f"loading {loading:.1f} ms a series (once a run), augmentation {moving:.1f} ms a series")


if __name__ == "__main__":
    main()
