"""How fast synthetic exams are made, and in how much memory.

    python -m benchmarks.phantom_speed [--exams 8] [--jobs 2]

Full exams (three series) from nothing to arrays, in processes of one thread each, without the processes' start; and the
same with structures and masks, resized and standardised, as the MRNet form makes them.
"""

import argparse
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor

from mrnet_core.api.cohorts import one_thread_each
from mrnet_core.phantom import make_exam
from mrnet_core.preprocess import fit_landmarks, resize_series, standardise

SEED = 900


def warm(_: int) -> int:
    """Start a worker: import everything and fill its caches."""
    make_exam(SEED, 0, size="small")
    return 0


def plain(k: int) -> int:
    """One full exam; returns the slices made."""
    return sum(series.slices for series in make_exam(SEED, k).series.values())


def prepared(k: int) -> int:
    """One full exam with structures, resized and standardised."""
    exam = make_exam(SEED, k, structures=True)
    for series in exam.series.values():
        stack = resize_series(series)
        standardise(stack, fit_landmarks([stack]))
    return sum(series.slices for series in exam.series.values())


def peak(_: int) -> float:
    """Peak memory of a worker in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--exams", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print("| what | exams a minute | slices an exam | peak MiB a process |\n|---|---|---|---|")
    with one_thread_each(), ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(warm, range(2 * args.jobs)))
        for name, work in (("made", plain), ("made, with structures, standardised", prepared)):
            started = time.monotonic()
            slices = list(pool.map(work, range(1, args.exams + 1)))
            rate = args.exams / (time.monotonic() - started) * 60
            memory = max(pool.map(peak, range(4 * args.jobs)))
            print(f"| {name}, {args.jobs} processes | {rate:.1f} | {sum(slices) / args.exams:.0f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
