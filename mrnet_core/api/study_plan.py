"""What ``reproduce`` will run, said before it runs: exams, networks, epochs, where they start, how long it takes."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from mrnet_core.api.cohorts import CohortOrder
from mrnet_core.config import TrainConfig, TrunkConfig, with_values
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import InputError, InstallationError, Plane, Split, Task
from mrnet_core.models import fold_first_convolution, initialise
from mrnet_core.phantom import make_exam
from mrnet_core.store import DEMO_RUN
from mrnet_core.training.arithmetic import choose_device, resolve_precision
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.graphs import Recorder
from mrnet_core.training.loop import train_epoch
from mrnet_core.training.network import Network, make_optimiser, step

SEED = 2018
"""Of the phantom cohort."""
SLICES = {"small": 10, "full": 24}
"""Mean slices a series of a phantom cohort of each size."""
SAMPLE = 50
"""Training exams whose series are counted to know how long those of a folder are."""
FORWARD = 0.4
"""Time of a network's answer to an exam, as a share of a training step's."""
GRADED_STEPS, GRADED_SECONDS = 6.0, 0.4
"""What grading a series costs: three networks and the draws of untrained ones in steps' times, and what is left."""
LONG = 3 * 3600.0
"""Seconds from which a time is said in hours, with the way to a shorter study."""
DEMO_TRUNK = DEMO_RUN / "weights" / "sagittal_meniscus.safetensors"
"""Where networks start when ImageNet's weights cannot be had: the demo's least fine-tuned network (6 epochs)."""


@dataclass(frozen=True)
class StudySize:
    """How large a study is: ``exams`` of the cohort (None: the paper's), slices a series, the training."""

    exams: int | None
    slices: str
    config: TrainConfig
    words: str

    @property
    def counts(self) -> dict[Split, int]:
        """Exams of each split."""
        if self.exams is None:
            return {Split.TRAIN: 1130, Split.TUNING: 120, Split.VALIDATION: 120}
        held_out = max(1, round(self.exams * 0.2))
        return {Split.TRAIN: self.exams - 2 * held_out, Split.TUNING: held_out, Split.VALIDATION: held_out}


def _from_cells(steps: int, epochs: int, slices: int = 32) -> TrainConfig:
    """A study from the trunk, its last layers fitted first."""
    return TrainConfig(
        initialisation="cells",
        head_first=True,
        epochs=epochs,
        trunk=TrunkConfig(steps=steps, slices=slices, warm_up=min(100, steps // 4)),
    )


SIZES = {
    "tiny": StudySize(60, "small", _from_cells(120, 1), "60 small synthetic exams, 1 epoch: shows that all parts work"),
    "small": StudySize(400, "full", _from_cells(1500, 1), "400 synthetic exams, 1 epoch"),
    "paper": StudySize(
        None,
        "full",
        _from_cells(4000, 50, slices=96),
        "1,370 synthetic exams, 50 epochs, as in the paper",
    ),
}


@dataclass(frozen=True)
class Changes:
    """What a person changes of a study's training: epochs, seeds, ``tuning`` of TrainConfig. None leaves it."""

    epochs: int | None = None
    seeds: tuple[int, ...] | None = None
    tuning: str | None = None


@dataclass(frozen=True)
class StudyPlan:
    """What will run. ``folder``: the data at hand; None where a phantom cohort of ``size`` is made first."""

    size: str
    config: TrainConfig
    folder: MRNetFolder | None = None

    @property
    def counts(self) -> Mapping[Split, int]:
        """Exams of each split that is there."""
        if self.folder is None:
            return SIZES[self.size].counts
        return {split: len(exams) for split, exams in self.folder.exams.items()}

    @property
    def graded(self) -> bool:
        """True where heatmaps will be graded: lesions are known voxel by voxel in phantom cohorts alone."""
        return self.folder is None or (self.folder.root / "lesions.jsonl").is_file()

    @property
    def networks(self) -> int:
        """Networks to train, each seed's counted."""
        return len(self.config.planes) * len(self.config.tasks) * len(self.config.seeds)

    @cached_property
    def slices(self) -> float:
        """Mean slices a series."""
        if self.folder is None:
            return float(SLICES[SIZES[self.size].slices])
        exams = self.folder.exams[Split.TRAIN][:SAMPLE]
        paths = [self.folder.path(Split.TRAIN, plane, exam) for plane in self.folder.planes for exam in exams]
        return float(np.mean([np.load(path, mmap_mode="r").shape[0] for path in paths]))

    @cached_property
    def data(self) -> dict[str, str]:
        """A name for the study's data, and a digest of its exams, labels and sizes of series; of pixels, the RUN's."""
        if self.folder is None:
            return {"data": "a phantom cohort", "digest": ""}
        digest = hashlib.sha256()
        for split, exams in self.folder.exams.items():
            for exam, labels in zip(exams, self.folder.label_matrix(split), strict=True):
                sizes = [self.folder.path(split, plane, exam).stat().st_size for plane in self.folder.planes]
                digest.update(f"{split} {exam} {labels.tolist()} {sizes}\n".encode())
        return {"data": self.folder.root.resolve().name, "digest": digest.hexdigest()[:16]}

    def words(self) -> str:
        """One sentence: exams, networks, epochs, where they start, and which exams choose the epoch."""
        config, counts = self.config, self.counts
        name = "synthetic exams" if self.folder is None else f"exams of {self.data['data']}"
        exams = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        seeds = f"seed{'s' * (len(config.seeds) > 1)} {', '.join(map(str, config.seeds))}"
        epochs = f"{config.epochs} epoch{'s' * (config.epochs != 1)}"
        chosen = "the tuning exams choose"
        if config.tuning == "inner":
            chosen = f"{config.inner_share:.0%} of the training exams choose"
        return (
            f"{sum(counts.values()):,} {name} ({exams}); {self.networks} networks ({seeds}), {epochs} each, from "
            f"{_start_words(config)}; {chosen} the epoch"
        )


def _start_words(config: TrainConfig) -> str:
    if config.initialisation == "imagenet":
        return "ImageNet's weights"
    if config.initialisation == "cells":
        return f"a trunk trained first on synthetic dense labels ({config.trunk.steps:,} steps)"
    return "the demo model's convolutions, which were trained on synthetic knees (ImageNet's weights cannot be had)"


def plan_study(size: str, data: Path | None, changes: Changes, begun: TrainConfig | None = None) -> StudyPlan:
    """Check the data at hand and settle what will run; nothing is written.

    Parameters
    ----------
    size
        One of ``SIZES``. Of data at hand it decides the epochs alone, and the trunk where there are dense labels.
    data
        MRNet-v1.0 folder or phantom cohort; None: a cohort will be made.
    begun
        Configuration of the run to go on with: its networks started where that says, whatever can be had today.

    Raises
    ------
    InputError
        An unknown size, data that breaks its format, or a change that makes no sense.
    """
    if size not in SIZES:
        raise InputError(f"size {size!r} is unknown; choose one of {', '.join(SIZES)}")
    folder = None if data is None else MRNetFolder.open(data)
    config = with_values(SIZES[size].config, **vars(changes))
    if folder is not None and not folder.has_cells:  # no dense labels to train a trunk on: as in the paper
        plain = with_values(TrainConfig(epochs=SIZES[size].config.epochs), **vars(changes))
        config = with_values(plain, initialisation=_start(begun))
    return StudyPlan(size, config, folder)


def _start(begun: TrainConfig | None) -> str:
    """ImageNet's weights where they can be had, else the demo model's convolutions; that of the run that goes on."""
    if begun is not None:
        return str(DEMO_TRUNK) if begun.initialisation == DEMO_TRUNK.name else begun.initialisation
    try:
        initialise("imagenet", 0)
    except InstallationError:
        return str(DEMO_TRUNK)
    return "imagenet"


def fit_size(device: str | None, data: Path | None = None) -> str:
    """The size where none is asked for: the paper's for data at hand and on a GPU, else ``small``."""
    return "paper" if data is not None or choose_device(device).type == "cuda" else "small"


def cohort_order(size: str, out: Path, device: str) -> CohortOrder:
    """The phantom cohort of a size, to be made in ``out`` or gone on with there."""
    return CohortOrder(
        out=out,
        exams=SIZES[size].exams,
        seed=SEED,
        paper=SIZES[size].exams is None,
        form="mrnet",
        size=SIZES[size].slices,
        device=device,
        resume=out.is_dir() and any(out.iterdir()),
    )


@dataclass(frozen=True)
class Estimate:
    """Seconds that each stage will take on this machine, from one exam made and one step taken."""

    cohort: float
    trunk: float
    networks: float
    rest: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.cohort + self.trunk + self.networks + self.rest

    def words(self) -> str:
        """One line, in minutes or hours; stages that will not run are left out."""
        parts = {"cohort": self.cohort, "trunk": self.trunk, "networks": self.networks, "evaluation": self.rest}
        unit, name, digits = (3600, "hours", 1) if self.total >= LONG else (60, "minutes", 0)
        detail = ", ".join(f"{part} {seconds / unit:.{digits}f}" for part, seconds in parts.items() if seconds)
        return f"about {self.total / unit:.0f} {name} on this machine ({detail})"


def estimate(plan: StudyPlan, device: str | None) -> Estimate:
    """Time one exam of the phantom and one training step, and multiply by what ``plan`` will run.

    Every network is taken to have moved away from its first weights, so that each answers every exam by itself.
    """
    where = choose_device(device)
    gpu = where.type == "cuda"
    config, exams = plan.config, sum(plan.counts.values())
    one = step_seconds(device)
    fast = recorded_step_seconds(where) if gpu else one
    share = plan.slices / 32
    training, chooses = plan.counts[Split.TRAIN], plan.counts[Split.TUNING]
    if config.tuning == "inner":
        chooses = round(training * config.inner_share)
        training -= chooses
    passes = plan.networks * (config.epochs * (training + FORWARD * chooses) + FORWARD * exams)
    if config.head_first:  # the features of the trunk that the tasks of a plane share
        passes += FORWARD * len(config.planes) * len(config.seeds) * (training + chooses)
    wide = 1.0 if gpu else config.trunk.slices / 32  # a GPU waits for launches, not for arithmetic
    pictured = plan.counts.get(Split.VALIDATION, 0) * len(Plane) if plan.graded else 0
    answer = (step_seconds("cpu") if gpu else one) if pictured else 0.0  # heatmaps are graded on the processor
    return Estimate(
        cohort=_cohort_seconds(plan, where) if plan.folder is None else 0.0,
        trunk=config.trunk.steps * one * wide * 1.35 if config.initialisation == "cells" else 0.0,
        networks=passes * share * fast,
        rest=60 + pictured * share * (GRADED_STEPS * answer + GRADED_SECONDS),
    )


def _cohort_seconds(plan: StudyPlan, device: torch.device) -> float:
    workers = cohort_order(plan.size, Path("cohort"), str(device)).workers()
    workers = workers / 2 if device.type == "cuda" else workers  # on a GPU they wait for each other
    return sum(plan.counts.values()) * exam_seconds(SIZES[plan.size].slices, str(device)) / workers


def exam_seconds(size: str, device: str) -> float:
    """Seconds of making one synthetic exam in one process of one thread, the second of two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in range(2):
            began = time.perf_counter()
            make_exam(SEED, number, size=size, pathology="both", device=device)
        return time.perf_counter() - began
    finally:
        torch.set_num_threads(threads)


def recorded_step_seconds(device: torch.device, exams: int = 32, slices: int = 32) -> float:
    """Seconds of one network's step where a GPU replays recorded steps of three networks."""
    config = TrainConfig(precision=resolve_precision("auto", device))
    starts = tuple(range(0, (exams + 1) * slices, slices))
    pictures = torch.randint(0, 256, (exams * slices, 256, 256), dtype=torch.uint8, device=device)
    names, labels = tuple(map(str, range(exams))), torch.zeros(exams, len(Task))
    data = PlaneSet(Plane.SAGITTAL, Split.TRAIN, names, pictures, starts, tuple(Task), labels, "")
    networks = [_probe(task, device, config) for task in Task]
    recorder = Recorder(data, config)
    recorder.prepare(networks)
    for epoch in (1, 2):
        began = time.perf_counter()
        train_epoch(networks, data, epoch, config, lambda event: None, recorder)
    return (time.perf_counter() - began) / (exams * len(networks))


def _probe(task: Task, device: torch.device, config: TrainConfig) -> Network:
    model = fold_first_convolution(initialise("random", 0)[0]).to(device, memory_format=torch.channels_last)
    model.mean.fill_(60.0)
    model.sd.fill_(50.0)
    return Network(f"probe {task}", Plane.SAGITTAL, task, 0, "", model, make_optimiser(model, config), (1.0, 1.0))


def step_seconds(device: str | None, slices: int = 32, repeats: int = 3) -> float:
    """Seconds of one training step of one network on ``slices`` slices; the shortest of ``repeats`` after one more."""
    where = choose_device(device)
    config = TrainConfig(precision=resolve_precision("auto", where))
    network = _probe(Task.ACL, where, config)
    stack = torch.randint(0, 256, (slices, 256, 256), dtype=torch.uint8, device=where)
    times = []
    for _ in range(1 + repeats):
        began = time.perf_counter()
        float(step(network, [stack], [1.0], config, 1))
        times.append(time.perf_counter() - began)
    return min(times[1:])
