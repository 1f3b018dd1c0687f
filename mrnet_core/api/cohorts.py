"""Synthetic cohorts on disk: exams made in worker processes, written one by one, in DICOM or in MRNet-v1.0's layout.

The MRNet form needs the preprocessing that the networks are served with, so it is assembled here: every series is
resized, Nyúl landmarks are fitted on the first ``LANDMARK_EXAMS`` training exams of the cohort, and all series are
standardised by them. (A cohort with fewer training exams is fitted on all of them: the pixels of very small cohorts,
never their knees, vary a little with their size.) An exam is recorded under ``OUT/.parts`` after its last file; a run
that was killed goes on from those records with ``resume`` and takes nothing that is half-written.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core import __version__
from mrnet_core.datasets.synthetic import COHORT
from mrnet_core.domain import InputError, InstallationError, Plane, Split
from mrnet_core.phantom import PhantomExam, PlannedExam, make_exam, plan_cohort
from mrnet_core.phantom.layout import (
    CHANNELS,
    EXAMS_CSV,
    cells_of,
    exam_row,
    lesion_masks,
    lesion_record,
    prepare_folder,
    write_array,
    write_arrays,
    write_bytes,
    write_label_files,
    write_lines,
    write_masks,
    write_table,
)
from mrnet_core.phantom.readers import REFERENCE_COLUMNS, case_of, simulate_reference
from mrnet_core.phantom.write import write_exam
from mrnet_core.preprocess import Landmarks, fit_landmarks, resize_series, standardise

FORMS = ("dicom", "mrnet")
LANDMARK_EXAMS = 60
"""Training exams, the first of the cohort, that the landmarks are fitted on: percentiles settle long before."""
_PARTS = ".parts"
_GPU_WORKERS = 12
"""Most processes that share one GPU unless more are asked for."""

Progress = Callable[[int, int, float], None]
"""Called with exams done, exams in all, and exams a minute of this run."""


@dataclass(frozen=True)
class CohortOrder:
    """What to make. See :func:`mrnet_core.phantom.plan_cohort` for ``exams`` and ``paper``."""

    out: Path
    exams: int | None
    seed: int
    paper: bool = False
    form: str = "dicom"
    size: str = "full"
    device: str = "cpu"
    """Where pixels are computed: ``cpu``, ``cuda`` or ``cuda:1``. It decides nothing but float rounding."""
    jobs: int | None = None
    """Worker processes; None: one a core, on a GPU at most 12, which share it."""
    resume: bool = False

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"form {self.form!r} is unknown; choose one of {', '.join(FORMS)}")
        if self.seed < 0:
            raise InputError(f"--seed must be 0 or more; got {self.seed}")
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"--jobs must be 1 or more; got {self.jobs}")
        _check_device(self.device)

    def settings(self) -> dict:
        """What decides the cohort's content; a run is resumed only under the same."""
        return {
            **{"format": 1, "synthetic": True, "version": __version__, "seed": self.seed, "exams": self.exams},
            **{"cohort": "paper" if self.paper else "plain", "form": self.form, "size": self.size},
        }

    def workers(self) -> int:
        """Worker processes to start."""
        cores = os.cpu_count() or 1
        return self.jobs or (cores if self.device == "cpu" else min(cores, _GPU_WORKERS))


def _check_device(word: str) -> None:
    try:
        device = torch.device(word)
    except RuntimeError as error:
        raise InputError(f"--device {word} is unknown; give cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"--device {word} is not supported; give cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InstallationError(
            f"no device {word} is at hand: make knees with --device cpu, or on a machine with a GPU and its driver"
        )


@dataclass(frozen=True)
class CohortReport:
    """What a run made: exams in the cohort, of which ``kept`` were there already, in ``seconds``."""

    exams: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class _Job:
    """One exam for a worker. ``landmarks``: JSON by plane; None leaves the resized series for the fit."""

    order: CohortOrder
    planned: PlannedExam
    landmarks: Mapping[str, str] | None


def make_cohort(order: CohortOrder, progress: Progress | None = None) -> CohortReport:
    """Make a cohort, or the rest of one.

    Raises
    ------
    InputError
        The folder is not empty (without ``resume``), holds another cohort, or cannot be written; too few exams.
    InstallationError
        This many workers want more memory than there is.
    """
    started = time.monotonic()
    plan = plan_cohort(order.exams, paper=order.paper, small=order.size == "small", seed=order.seed)
    if _prepare(order):
        return CohortReport(len(plan), len(plan), time.monotonic() - started)
    waiting = [entry for entry in plan if not _finished(order, entry)]
    kept = len(plan) - sum(not _raw_part(order, entry.k).exists() for entry in waiting)
    made = 0

    def count() -> None:
        nonlocal made
        made += 1
        if progress:
            rate = made / max(time.monotonic() - started, 1e-9) * 60
            progress(kept + made, len(plan), rate)

    if order.form == "mrnet":
        landmarks = _fitted(order, plan, count)
        waiting = [entry for entry in waiting if not _finished(order, entry)]
    else:
        landmarks = None
    _run([_Job(order, entry, landmarks) for entry in waiting], order, count)
    _finish(order, plan)
    return CohortReport(len(plan), kept, time.monotonic() - started)


def _prepare(order: CohortOrder) -> bool:
    """Make or check the folder; True where the cohort is finished already."""
    settings = order.out / COHORT
    if not order.resume or not settings.exists():
        prepare_folder(order.out)
        write_bytes(settings, json.dumps(order.settings(), indent=2).encode())
        return False
    try:
        found = json.loads(settings.read_text())
    except ValueError as error:
        raise InputError(f"{settings} is no JSON ({error}); name a new folder") from error
    for key, value in order.settings().items():
        if found.get(key) != value:
            raise InputError(
                f"{order.out} holds another cohort: its {key} is {found.get(key)}, this order's is {value}; "
                "resume with the same order, or name a new folder"
            )
    return (order.out / "exams.csv").exists()


def _fitted(order: CohortOrder, plan: Sequence[PlannedExam], count: Callable[[], None]) -> dict[str, str]:
    """Landmarks by plane, as JSON; the exams they are fitted on are made on the way."""
    paths = {plane: order.out / "landmarks" / f"{plane}.json" for plane in Plane}
    first = [entry for entry in plan if entry.split is Split.TRAIN][:LANDMARK_EXAMS]
    if not all(path.exists() for path in paths.values()):
        absent = [entry for entry in first if not _raw_part(order, entry.k).exists()]
        _run([_Job(order, entry, None) for entry in absent], order, count)
        for plane, path in paths.items():
            fitted = fit_landmarks(np.load(_raw(order, entry.k, plane)) for entry in first)
            write_bytes(path, fitted.to_json().encode())
    landmarks = {plane.value: path.read_text() for plane, path in paths.items()}
    for entry in first:
        raw = {plane: _raw(order, entry.k, plane) for plane in Plane}
        if not _raw_part(order, entry.k).exists():
            continue
        part = json.loads(_raw_part(order, entry.k).read_text())
        part["files"] += _write_stacks(order, entry, {plane: np.load(path) for plane, path in raw.items()}, landmarks)
        write_bytes(_part(order, entry.k), json.dumps(part).encode())
        _raw_part(order, entry.k).unlink()  # first: without it the arrays are nobody's
        for path in raw.values():
            path.unlink()
    return landmarks


def _run(jobs: Sequence[_Job], order: CohortOrder, count: Callable[[], None]) -> None:
    """Do the jobs; where memory runs out, say what helps."""
    try:
        _do(jobs, order, count)
    except (torch.OutOfMemoryError, BrokenProcessPool) as error:
        # a pool is broken where the system killed a worker, which it does for memory
        kind = "the GPU's memory is full" if isinstance(error, torch.OutOfMemoryError) else "a worker was killed"
        raise InstallationError(
            f"{kind} with --jobs {order.workers()} on {order.device}: go on in {order.out} with --resume and fewer "
            "--jobs; the finished exams are kept"
        ) from error


def _do(jobs: Sequence[_Job], order: CohortOrder, count: Callable[[], None]) -> None:
    """The jobs, in this process or in workers; never more than two exams a worker are under way."""
    workers = order.workers()
    if workers == 1 or len(jobs) <= 1:
        for job in jobs:
            _make(job)
            count()
        return
    # Spawned, not forked: the parent may hold another library's threads.
    context = multiprocessing.get_context("spawn")
    with one_thread_each(), ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        left: Iterator[_Job] = iter(jobs)
        running = {pool.submit(_make, job) for job in islice(left, 2 * workers)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    count()
                running |= {pool.submit(_make, job) for job in islice(left, len(done))}
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started meanwhile get one thread each for their linear algebra: the workers fill the cores already."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _make(job: _Job) -> None:
    """Make one exam and write it; its record comes last."""
    order, planned = job.order, job.planned
    mrnet = order.form == "mrnet"
    exam = make_exam(order.seed, planned.k, size=order.size, planned=planned, structures=mrnet, device=order.device)
    # Twins cost a second exam: only where somebody is asked what could be seen.
    bare = _bare(order, planned, exam) if mrnet and exam.split is Split.VALIDATION and exam.lesions else None
    if mrnet:
        files, raw = _write_mrnet(job, exam)
    else:
        files, raw = [str(path) for path in write_exam(exam, order.out)], False
        files += [str(path) for path in write_masks(exam.exam_id, exam.masks, order.out)]
    part = {"row": exam_row(exam), "lesions": lesion_record(exam, bare), "files": files}
    write_bytes((_raw_part if raw else _part)(order, planned.k), json.dumps(part).encode())


def _bare(order: CohortOrder, planned: PlannedExam, exam: PhantomExam) -> dict[Plane, NDArray]:
    twin = make_exam(order.seed, planned.k, size=order.size, planned=planned, lesions=(), device=order.device)
    return {plane: twin.series[plane].pixels for plane in exam.series}


def _write_mrnet(job: _Job, exam: PhantomExam) -> tuple[list[str], bool]:
    """Stacks (or raw stacks for the fit), masks and cells; the files but the raw ones, and whether stacks are raw."""
    order, planned = job.order, job.planned
    stacks = {plane: resize_series(series) for plane, series in exam.series.items()}
    masks = {plane: tuple(_resized(exam, plane, mask) for mask in exam.masks[plane]) for plane in exam.series}
    files = [str(path) for path in write_masks(exam.exam_id, masks, order.out)]
    for plane, series in exam.series.items():
        path = Path("cells") / plane.value / f"{exam.exam_id}.npz"
        write_arrays(order.out / path, {"cells": cells_of(lesion_masks(exam, plane), series.slices)})
        files.append(str(path))
    if job.landmarks is None:
        for plane, stack in stacks.items():
            write_array(_raw(order, planned.k, plane), stack.astype(np.float32))
        return files, True
    return files + _write_stacks(order, planned, stacks, job.landmarks), False


def _resized(exam: PhantomExam, plane: Plane, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask on the network's 256 x 256 pixels, through the same resizing as the picture; half a pixel counts."""
    stack = np.zeros((mask.shape[0], 256, 256), bool)
    there = np.flatnonzero(mask.any(axis=(1, 2)))
    if there.size:
        part = replace(exam.series[plane], pixels=mask[there].astype(np.float32))
        stack[there] = resize_series(part) >= 0.5
    return stack


def _write_stacks(order: CohortOrder, entry: PlannedExam, stacks, landmarks: Mapping[str, str]) -> list[str]:
    files = []
    for plane, stack in stacks.items():
        path = Path(entry.split.folder) / plane.value / f"{entry.k:04d}.npy"
        write_array(order.out / path, standardise(stack, Landmarks.from_json(landmarks[plane.value])))
        files.append(str(path))
    return files


def _part(order: CohortOrder, k: int) -> Path:
    return order.out / _PARTS / f"{k:04d}.json"


def _raw_part(order: CohortOrder, k: int) -> Path:
    return order.out / _PARTS / f"{k:04d}.raw.json"


def _raw(order: CohortOrder, k: int, plane: Plane) -> Path:
    return order.out / _PARTS / f"{k:04d}_{plane}.npy"


def _finished(order: CohortOrder, entry: PlannedExam) -> bool:
    """An exam whose record is there, and every file it names."""
    part = _part(order, entry.k)
    if not part.exists():
        return False
    return all((order.out / name).is_file() for name in json.loads(part.read_text())["files"])


def _finish(order: CohortOrder, plan: Sequence[PlannedExam]) -> None:
    """Write the tables from the exams' records, exams.csv last, and drop the records."""
    parts = [json.loads(_part(order, entry.k).read_text()) for entry in plan]
    rows = [part["row"] for part in parts]
    write_lines((part["lesions"] for part in parts), order.out / "lesions.jsonl")
    if order.form == "mrnet":
        write_bytes(order.out / "cells" / "channels.json", json.dumps(CHANNELS, indent=2).encode())
        write_label_files(rows, order.out)
    if order.paper:
        cases = [
            case_of(part["row"], part["lesions"]) for part in parts if part["row"]["split"] == Split.VALIDATION.value
        ]
        write_table(simulate_reference(cases, order.seed), order.out / "reference.csv", REFERENCE_COLUMNS)
    write_table(rows, order.out / "exams.csv", EXAMS_CSV)
    rmtree(order.out / _PARTS, ignore_errors=True)
