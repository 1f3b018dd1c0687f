"""How fast synthetic exams are made, and in how much memory.

    python -m benchmarks.phantom_speed [--exams 8] [--jobs 2] [--device cpu]
    python -m benchmarks.phantom_speed --device cuda --jobs 12 --exams 240

Full exams (three series) in processes of one thread each, without the processes' start: from nothing to arrays; the
same with structures and masks, resized and standardised; and as the MRNet form makes them, to files. On a GPU the
processes share it; its memory is what torch reserved in the process that reserved most.
"""

import argparse
import json
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from mrnet_core.api import cohorts
from mrnet_core.api.cohorts import CohortOrder, one_thread_each
from mrnet_core.domain import Plane, Split
from mrnet_core.phantom import PlannedExam, make_exam
from mrnet_core.preprocess import fit_landmarks, resize_series, standardise

SEED = 900


def warm(device: str, _: int) -> str:
    """Start a worker: import everything, fill its caches, give its landmarks (of one exam) as JSON."""
    exam = make_exam(SEED, 0, device=device)
    landmarks = {plane.value: fit_landmarks([resize_series(series)]) for plane, series in exam.series.items()}
    return json.dumps({plane: one.to_json() for plane, one in landmarks.items()})


def plain(device: str, k: int) -> int:
    """One full exam; returns the slices made."""
    return sum(series.slices for series in make_exam(SEED, k, device=device).series.values())


def prepared(device: str, k: int) -> int:
    """One full exam with structures, resized and standardised."""
    exam = make_exam(SEED, k, structures=True, device=device)
    for series in exam.series.values():
        stack = resize_series(series)
        standardise(stack, fit_landmarks([stack]))
    return sum(series.slices for series in exam.series.values())


def written(device: str, out: Path, landmarks: dict[str, str], k: int) -> int:
    """One full training exam in the MRNet form, with its masks and cells, in files."""
    order = CohortOrder(out, exams=3, seed=SEED, form="mrnet", device=device)
    cohorts._make(cohorts._Job(order, PlannedExam(k, f"P{k:05d}", Split.TRAIN), landmarks))
    files = (out / Split.TRAIN.folder / plane.value / f"{k:04d}.npy" for plane in Plane)
    return sum(len(np.load(file, mmap_mode="r")) for file in files)


def peak(_: int) -> tuple[float, float]:
    """Peak memory of a worker in MiB: of the process, and what it reserved on the GPU."""
    reserved = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, reserved / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--exams", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with (
        TemporaryDirectory() as folder,
        one_thread_each(),
        ProcessPoolExecutor(args.jobs, context) as pool,
    ):
        landmarks, *_ = map(json.loads, pool.map(partial(warm, args.device), range(2 * args.jobs)))
        works = {
            "made": partial(plain, args.device),
            "made, with structures, standardised": partial(prepared, args.device),
            "made and written in the MRNet form": partial(written, args.device, Path(folder), landmarks),
        }
        print("| what | exams a minute | a second | slices an exam | peak MiB a process | of the GPU |")
        print("|---|---|---|---|---|---|", flush=True)
        for name, work in works.items():
            started = time.monotonic()
            slices = list(pool.map(work, range(1, args.exams + 1)))
            rate = args.exams / (time.monotonic() - started)
            memory, reserved = map(max, zip(*pool.map(peak, range(4 * args.jobs)), strict=True))
            print(
                f"| {name}, {args.jobs} processes on {args.device} | {rate * 60:.1f} | {rate:.2f} | "
                f"{sum(slices) / args.exams:.0f} | {memory:.0f} | {reserved:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
