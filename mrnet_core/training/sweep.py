"""Every network and seed of a run that ``prepare`` made ready, and the best seed's weights.

Networks and seeds are independent jobs. ``run_local`` runs them here, one after another or in several processes;
``ray_engine.run_ray`` hands the same jobs to Ray. Both write the same files where a job has as many threads.
"""

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty

import numpy as np
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Cancelled, InputError, InstallationError, Plane, Task
from mrnet_core.models import card_path, load_network
from mrnet_core.store import write_whole
from mrnet_core.training.loop import Event, Job, Report, Setting, run_job
from mrnet_core.training.network import network_name
from mrnet_core.training.outcome import finished, weights_path
from mrnet_core.training.threads import kept_threads, on_threads

JOB_MEMORY = 20 * 2**30
"""Bytes of a GPU's memory for each job side by side: three planes of the paper's size took 32 GiB (LOG.md)."""


@dataclass(frozen=True)
class Engine:
    """Where jobs run: ``kind`` local or ray; ``workers``: processes (0: one here); ``address``: of a Ray cluster."""

    kind: str = "local"
    workers: int = 0
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InputError(f"--workers must be 0 (one job, or one a GPU) or more; got {self.workers}")
        if self.address and self.kind != "ray":
            raise InputError(
                f"--address {self.address} names a Ray cluster: give --engine ray with it, or leave it out"
            )


def plan_jobs(config: TrainConfig) -> tuple[Job, ...]:
    """The jobs of a run: a plane's tasks together, or in groups of ``config.side_by_side``."""
    together = config.side_by_side or len(config.tasks)
    return tuple(
        Job(plane, config.tasks[first : first + together], seed)
        for seed in config.seeds
        for plane in config.planes
        for first in range(0, len(config.tasks), together)
    )


def job_threads(jobs: Sequence[Job], setting: Setting, engine: Engine) -> tuple[int, str]:
    """Threads of every job of a run on the CPU, and what must be said of them; 0 on a GPU, where nothing hangs on them.

    A run that goes on has as many as it was begun with, where this machine (on Ray: the one CPU of a task) has them.
    """
    left = any(not finished(setting.run, job.plane, task, job.seed) for job in jobs for task in job.tasks)
    if torch.device(setting.device).type != "cpu" or not left:
        return 0, ""
    if engine.kind == "ray":
        return kept_threads(setting.run, "job", 1, most=1)
    beside = max(1, engine.workers)
    return kept_threads(setting.run, "job", max(1, torch.get_num_threads() // beside), beside)


def run_local(jobs: Sequence[Job], setting: Setting, report: Report, workers: int = 0) -> None:
    """Run jobs here: one after another in this process, or ``workers`` side by side.

    Side by side means processes, but on one GPU threads: processes would take turns on it, threads share it.
    ``workers`` 0 is one, or one a GPU; on a single GPU as many as its memory holds (``JOB_MEMORY`` each).
    """
    if workers == 0 and setting.device.startswith("cuda"):
        workers = _gpus(setting.device)
        if workers == 1:
            workers = _memory(setting.device) // JOB_MEMORY
    if workers <= 1:
        with on_threads(setting.threads):
            for job in jobs:
                run_job(job, setting, report)
        return
    setting = replace(setting, beside=min(workers, len(jobs)))
    if setting.device.startswith("cuda") and _gpus(setting.device) == 1:
        _run_threads(jobs, setting, report, workers)
        return
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    threads = setting.threads or max(1, torch.get_num_threads() // workers)
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(events,)) as pool:
        waiting = {
            pool.submit(_run_in_worker, job, replace(setting, threads=threads, device=_device(setting.device, number)))
            for number, job in enumerate(jobs)
        }
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                _drain(events, report)
                for future in done:
                    future.result()
        except BrokenProcessPool as error:
            raise InstallationError(
                "a training process was killed, most likely because the memory is full: go on with --resume and fewer "
                "--workers"
            ) from error
        except BaseException:
            # also Ctrl-C: what the workers saved stays, the rest of the queue must not start
            processes = list(pool._processes.values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            raise
    _drain(events, report)


def _run_threads(jobs: Sequence[Job], setting: Setting, report: Report, workers: int) -> None:
    """Jobs in threads; one that fails, or Ctrl-C, ends the others at their next report."""
    lock, stopped = threading.Lock(), threading.Event()

    def say(event: Event) -> None:
        if stopped.is_set():
            raise Cancelled("another network stopped the run")
        with lock:
            report(event)

    with ThreadPoolExecutor(workers, "networks") as pool:
        waiting = [pool.submit(run_job, job, setting, say) for job in jobs]
        try:
            done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            # also Ctrl-C: what was saved stays, the rest must not go on
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _memory(word: str) -> int:
    """Bytes of a GPU's memory."""
    return torch.cuda.get_device_properties(torch.device(word)).total_memory


def _gpus(word: str) -> int:
    """How many GPUs ``word`` names: all of this machine, or the one with its number."""
    return torch.cuda.device_count() if word == "cuda" else 1


def _device(word: str, number: int) -> str:
    """Jobs go round the GPUs of this machine where there are several."""
    count = _gpus(word) if word == "cuda" else 0
    return f"cuda:{number % count}" if count > 1 else word


def _begin_worker(events) -> None:
    global _events
    _events = events
    # Ctrl-C reaches every process of a terminal; the parent alone answers it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on beside the run that takes its place."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _run_in_worker(job: Job, setting: Setting) -> None:
    run_job(job, setting, _events.put)


def _drain(events, report: Report) -> None:
    while True:
        try:
            event: Event = events.get_nowait()
        except Empty:
            return
        report(event)


def finish(setting: Setting) -> dict[tuple[Plane, Task], int]:
    """Put the weights of each network's best seed into ``RUN/weights``; returns the seeds by plane and task.

    Best is the seed of the lowest tuning loss, as in the paper's external validation.

    Raises
    ------
    InputError
        A network has no finished seed.
    """
    chosen: dict[tuple[Plane, Task], int] = {}
    for plane in setting.config.planes:
        for task in setting.config.tasks:
            done = [seed for seed in setting.config.seeds if finished(setting.run, plane, task, seed)]
            if not done:
                raise InputError(f"the network {plane} {task} is not finished: go on with `train --resume`")
            losses = [_tuning_loss(setting.run, network_name(plane, task, seed)) for seed in done]
            seed = done[int(np.argmin(losses))]
            source = weights_path(setting.run, network_name(plane, task, seed))
            target = setting.run / "weights" / f"{plane}_{task}.safetensors"
            write_whole(target, source.read_bytes())
            write_whole(card_path(target), card_path(source).read_bytes())
            chosen[plane, task] = seed
    return chosen


def _tuning_loss(run: Path, name: str) -> float:
    _, card = load_network(weights_path(run, name))
    return float(card.metrics["tuning_loss"])


def clear_checkpoints(run: Path) -> None:
    """Remove what only a resumed training needs; a RUN that is passed on does not carry it."""
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
