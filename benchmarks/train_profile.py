"""Ten epochs of the whole study on this device: exams a second, share of the arithmetic floor, peak memory.

    python benchmarks/train_profile.py [--device cuda] [--epochs 10] [--exams 1130] [--plane axial] [--trace FILE]

Pictures are random, of the paper's sizes (17 to 61 slices, mean 31); they cost what real ones cost. One plane's three
networks run side by side on the same pictures, as ``train`` runs them; the nine of a study are three such jobs
(``train --workers 3`` runs them at once). On a CPU the same path runs with ``--exams 4 --epochs 1``.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mrnet_core.config import TrainConfig  # noqa: E402  (the project is run from its folder, not installed)
from mrnet_core.domain import Plane, Split, Task  # noqa: E402
from mrnet_core.models import initialise  # noqa: E402
from mrnet_core.training.arithmetic import choose_device, describe, resolve_precision  # noqa: E402
from mrnet_core.training.data import PlaneSet  # noqa: E402
from mrnet_core.training.loop import train_epoch  # noqa: E402
from mrnet_core.training.network import Network, make_optimiser  # noqa: E402

FLOP_A_SLICE = 3 * 2 * 0.88e9
"""Of one training step: forward 0.88 GMAC at 256 x 256 (three input channels), backward twice that."""
H200_FLOPS = 790e12
"""Dense bfloat16, the figure of the plan's floor."""


def pictures(exams: int, plane: Plane, device: torch.device) -> PlaneSet:
    generator = np.random.default_rng(1)
    slices = np.clip(np.rint(generator.normal(31.5, 8.0, exams)), 17, 61).astype(int)
    starts = tuple(int(start) for start in np.cumsum([0, *slices]))
    block = torch.randint(0, 256, (starts[-1], 256, 256), dtype=torch.uint8, device=device)
    labels = torch.from_numpy((generator.random((exams, len(Task))) < 0.4).astype(np.float32))
    names = tuple(f"{index:04d}" for index in range(exams))
    return PlaneSet(plane, Split.TRAIN, names, block, starts, tuple(Task), labels, "random")


def networks(plane: Plane, config: TrainConfig, device: torch.device) -> list[Network]:
    made = []
    for task in Task:
        model, words = initialise("random", 1)
        model.mean.fill_(127.0)
        model.sd.fill_(74.0)
        model = model.to(device, memory_format=torch.channels_last)
        optimiser = make_optimiser(model, config)
        made.append(Network(f"{plane}_{task}", plane, task, 1, words, model, optimiser, (1.0, 1.0)))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--exams", type=int, default=1130)
    parser.add_argument("--plane", default="axial", choices=[plane.value for plane in Plane])
    parser.add_argument("--trace", help="write a trace of the first 40 exams for chrome://tracing")
    args = parser.parse_args()
    device = choose_device(args.device)
    config = TrainConfig(epochs=args.epochs, precision=resolve_precision("auto", device))
    data = pictures(args.exams, Plane(args.plane), device)
    trained = networks(Plane(args.plane), config, device)
    if args.trace:
        few = data.part(list(range(min(40, len(data)))))
        with torch.profiler.profile() as profile:
            train_epoch(trained, few, 0, config, lambda event: None)
        profile.export_chrome_trace(args.trace)
    times = []
    for epoch in range(1, args.epochs + 1):
        began = time.perf_counter()
        losses = train_epoch(trained, data, epoch, config, lambda event: None)  # ends with a wait for the device
        times.append(time.perf_counter() - began)
        print(f"epoch {epoch}: {times[-1]:.1f} s, losses {', '.join(f'{loss:.3f}' for loss in losses)}", flush=True)
    best = float(np.median(times))
    speed = len(data) * len(trained) / best
    flops = data.starts[-1] * len(trained) * FLOP_A_SLICE / best
    study = best * 50 * len(Plane)
    print(f"{describe(device)}, {config.precision}: {speed:.0f} exams a second, {flops / 1e12:.2f} TFLOP/s")
    print(f"nine networks x 50 epochs x {len(data)} exams, one plane after another: {study / 60:.1f} min")
    if device.type == "cuda":
        print(f"share of the floor at {H200_FLOPS / 1e12:.0f} TFLOP/s: {flops / H200_FLOPS:.1%}")
        print(f"peak memory {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB")


if __name__ == "__main__":
    main()
