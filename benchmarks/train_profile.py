"""Ten epochs of the whole study on this device: exams a second, share of the arithmetic floor, peak memory.

    python -m benchmarks.train_profile [--device cuda] [--epochs 10] [--exams 1130] [--planes 3] [--plain]

Pictures are random, of the paper's sizes (17 to 61 slices, mean 31); they cost what real ones cost. A plane's three
networks run side by side on the same pictures and the planes in threads, as ``train`` runs them on a large GPU.
``--plain`` launches every kernel by itself instead of replaying recorded steps. On a CPU: ``--exams 4 --epochs 1``.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Split, Task
from mrnet_core.models import fold_first_convolution, initialise
from mrnet_core.training.arithmetic import choose_device, describe, resolve_precision, set_arithmetic
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.graphs import GATE, Recorder
from mrnet_core.training.loop import train_epoch
from mrnet_core.training.network import Network, make_optimiser

FLOP_A_SLICE = 3 * 2 * 0.88e9
"""Of one training step: forward 0.88 GMAC at 256 x 256 (three input channels), backward twice that."""
H200_FLOPS = 790e12
"""Dense bfloat16, as measured on such a GPU with a matrix product."""
PAPER_EPOCHS = 50


def pictures(exams: int, plane: Plane, device: torch.device) -> PlaneSet:
    generator = np.random.default_rng(list(Plane).index(plane))
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
        model = fold_first_convolution(model)
        model.mean.fill_(127.0)
        model.sd.fill_(74.0)
        model = model.to(device, memory_format=torch.channels_last)
        optimiser = make_optimiser(model, config)
        made.append(Network(f"{plane}_{task}", plane, task, 1, words, model, optimiser, (1.0, 1.0)))
    return made


class Study:
    """One plane: its data, its networks and their recorded steps, on a stream of its own."""

    def __init__(self, plane: Plane, exams: int, config: TrainConfig, device: torch.device, plain: bool) -> None:
        self.config, self.device = config, device
        self.data, self.networks = pictures(exams, plane, device), networks(plane, config, device)
        self.recorder = None if plain or device.type == "cpu" else Recorder(self.data, config)
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def epoch(self, number: int) -> list[float]:
        """One pass; returns when the device is done with it."""
        if self.recorder is not None:
            self.recorder.prepare(self.networks)
        if self.stream is None:
            return train_epoch(self.networks, self.data, number, self.config, lambda event: None)
        with GATE.shared(), torch.cuda.stream(self.stream):
            return train_epoch(
                self.networks, self.data, number, self.config, lambda event: None, recorder=self.recorder
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--exams", type=int, default=1130)
    parser.add_argument("--planes", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--trace", help="write a trace of one more epoch for chrome://tracing")
    args = parser.parse_args()
    device = choose_device(args.device)
    set_arithmetic(device)
    config = TrainConfig(epochs=args.epochs, precision=resolve_precision("auto", device), learning_rate=1e-5)
    planes = list(Plane)[: args.planes]
    studies = [Study(plane, args.exams, config, device, args.plain) for plane in planes]
    times = []
    with ThreadPoolExecutor(len(planes)) as pool:
        for number in range(1, args.epochs + 1):
            began = time.perf_counter()
            losses = list(pool.map(lambda study, number=number: study.epoch(number), studies))
            times.append(time.perf_counter() - began)
            words = ", ".join(f"{loss:.3f}" for plane in losses for loss in plane)
            print(f"epoch {number}: {times[-1]:.2f} s, losses {words}", flush=True)
        if args.trace:
            with torch.profiler.profile() as profile:
                list(pool.map(lambda study: study.epoch(args.epochs), studies))
            profile.export_chrome_trace(args.trace)
            print(profile.key_averages().table(sort_by="cuda_time_total", row_limit=30, max_name_column_width=80))
    best = float(np.median(times[1:] or times))
    passed = sum(len(study.data) * len(study.networks) for study in studies)
    flops = sum(study.data.starts[-1] * len(study.networks) for study in studies) * FLOP_A_SLICE / best
    print(f"{describe(device)}, {config.precision}, first epoch {times[0]:.1f} s (with recording)")
    print(f"{passed / best:.0f} exams a second through a network, {flops / 1e12:.1f} TFLOP/s")
    study = best * PAPER_EPOCHS * len(Plane) / len(planes)
    print(f"nine networks x {PAPER_EPOCHS} epochs x {args.exams} exams: {study / 60:.2f} min by the median epoch")
    if device.type == "cuda":
        print(f"share of {H200_FLOPS / 1e12:.0f} TFLOP/s: {flops / H200_FLOPS:.1%}")
        print(f"peak memory {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB")


if __name__ == "__main__":
    main()
