"""One job: the networks of one plane and seed, exam by exam, as in the paper.

The tasks of a plane see the same exams in the same order under the same transforms, so one augmented series feeds all
of them; each has its own weights and optimiser, and is the same network whichever others run beside it. Everything
random in an epoch comes from (seed, plane, epoch) alone: a run that was killed goes on as if it had not been.

Convention: ``epoch`` 0 is the network before the first pass, ``epoch`` e after e passes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrnet_core.config import WEIGHT_FILES, TrainConfig, config_hash, with_values
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import InputError, InstallationError, Plane, Split, Task
from mrnet_core.models import MRNet, fold_first_convolution, initialise
from mrnet_core.training import augment, history
from mrnet_core.training.arithmetic import set_arithmetic
from mrnet_core.training.data import PlaneSet, class_weights, load_set, mean_and_sd, training_sets
from mrnet_core.training.graphs import GATE, Recorder
from mrnet_core.training.head import choose_head, put_into
from mrnet_core.training.network import (
    Network,
    judge,
    keep_best,
    make_optimiser,
    network_name,
    pooled,
    step,
)
from mrnet_core.training.outcome import FeatureCache, finished, start_path, write_outcome
from mrnet_core.training.state import Writer, load_state, save_state

REPORT_SECONDS = 2.0
"""How often an epoch that is going on is reported."""


@dataclass(frozen=True)
class Job:
    """Networks of one plane and seed that are trained side by side."""

    plane: Plane
    tasks: tuple[Task, ...]
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """The networks' names."""
        return tuple(network_name(self.plane, task, self.seed) for task in self.tasks)


@dataclass(frozen=True)
class Setting:
    """Where and how a job runs. ``config.precision`` is resolved; ``threads``: of torch on the CPU, 0 leaves them.

    ``beside``: jobs that run at the same time on this machine, this one among them. A network is charged its share of
    the clock's time for its passes through the training exams and the fit of its last layer, so that the seconds of all
    networks add up to the time that the run spent on those; judging, writing and scoring are not counted. On Ray every
    job counts whole.
    """

    data: Path
    run: Path
    config: TrainConfig
    device: str
    threads: int = 0
    beside: int = 1


@dataclass(frozen=True)
class Event:
    """What a job reports: ``exams`` of ``of`` passed in ``epoch``; ``record`` once the epoch is over."""

    network: str
    epoch: int
    exams: int
    of: int
    record: dict[str, Any] | None = None
    words: str = ""


Report = Callable[[Event], None]


def run_job(job: Job, setting: Setting, report: Report) -> None:
    """Train a job's networks to the last epoch, saving each after every epoch, then write what they say of every exam.

    Raises
    ------
    InputError
        The data is at fault, the disk is full, or the checkpoints belong to another run.
    """
    if setting.threads:
        torch.set_num_threads(setting.threads)
    job = Job(
        job.plane, tuple(task for task in job.tasks if not finished(setting.run, job.plane, task, job.seed)), job.seed
    )
    if not job.tasks:
        return
    device = torch.device(setting.device)
    set_arithmetic(device)
    if device.type == "cuda":  # a stream of its own: planes train side by side in threads of one process
        try:
            with torch.cuda.stream(torch.cuda.Stream(device)):
                _run(job, setting, report)
        except torch.OutOfMemoryError as error:
            raise InstallationError(
                f"the memory of {setting.device} is full: go on with --resume and fewer --workers, or set side_by_side "
                "to 1 in a --config"
            ) from error
    else:
        _run(job, setting, report)


def _run(job: Job, setting: Setting, report: Report) -> None:
    config, device = setting.config, torch.device(setting.device)
    folder = MRNetFolder.open(setting.data, (job.plane,), config.tasks)
    cache = FeatureCache(config)
    with GATE.shared():
        training, tuning = training_sets(
            folder, job.plane, device, config.inner_share if config.tuning == "inner" else None
        )
        networks = [begin(job, task, setting, training) for task in job.tasks]
        if config.head_first and not all(network.history for network in networks):
            fit_heads(networks, training, tuning, setting, cache, report)
    _epochs(networks, training, tuning, setting, report)
    with GATE.shared():
        everything = {Split.TRAIN: training, Split.TUNING: tuning}
        if config.tuning == "inner":
            everything = {split: load_set(folder, split, job.plane, device) for split in (Split.TRAIN, Split.TUNING)}
        if Split.VALIDATION in folder.splits:
            everything[Split.VALIDATION] = load_set(folder, Split.VALIDATION, job.plane, device)
        for network in networks:
            report(Event(network.name, network.epoch, 0, 0, words="scoring every exam"))
            write_outcome(network, training, everything, setting.run, folder, config, cache)


def _epochs(networks: list[Network], training: PlaneSet, tuning: PlaneSet, setting: Setting, report: Report) -> None:
    """Every epoch that is left, each network saved after each; everything is on the disk when it returns."""
    config, on_gpu = setting.config, training.pictures.is_cuda
    recorder = Recorder(training, config) if on_gpu and config.exams_per_step == 1 else None
    with Writer(beside=on_gpu) as writer:
        for epoch in range(1 + min(network.epoch for network in networks), config.epochs + 1):
            behind = [network for network in networks if network.epoch < epoch]
            if recorder is not None:
                recorder.prepare(behind)
            with GATE.shared():
                began = time.monotonic()
                losses = train_epoch(behind, training, epoch, config, report, recorder)
                spent = time.monotonic() - began
                share = spent / len(behind) / setting.beside
                for network, loss in zip(behind, losses, strict=True):
                    found = judge(network, pooled(network.model, tuning, config), tuning)
                    close_epoch(network, epoch, loss, found, len(training) / spent, share)
                    save(network, setting, training, writer)
                    report(Event(network.name, epoch, len(training), len(training), network.history[-1]))
                writer.wait()  # on the disk before the next epoch begins: a kill loses the current one alone


def begin(job: Job, task: Task, setting: Setting, training: PlaneSet) -> Network:
    """A network at its beginning, or as its checkpoint left it."""
    config, device = setting.config, torch.device(setting.device)
    name = network_name(job.plane, task, job.seed)
    model, words = first_model(config, setting.run, job, task)
    mean, sd = _brightness(model, training)
    model.mean.fill_(mean)
    model.sd.fill_(sd)
    model = model.to(device, memory_format=torch.channels_last).train()
    network = Network(
        name,
        job.plane,
        task,
        job.seed,
        words,
        model,
        make_optimiser(model, config),
        class_weights(training.label(task)),
    )
    state = load_state(checkpoint(setting.run, name), device)
    if state is None:
        return network
    if state["identity"] != identity(config, training, task):
        raise InputError(
            f"{checkpoint(setting.run, name)} belongs to other data or settings; give another --out, or the settings "
            f"of {setting.run / 'config.json'}"
        )
    model.load_state_dict(state["model"])
    network.optimiser.load_state_dict(state["optimiser"])
    for group in network.optimiser.param_groups:  # the checkpoint may come from another kind of device
        group["capturable"] = model.mean.is_cuda
    for key in ("epoch", "steps", "best_epoch", "best_loss", "best_state", "history", "init"):
        setattr(network, key, state[key])
    history.write(setting.run, name, network.history, network.best_epoch)  # the run may have ended between the two
    return network


def first_model(config: TrainConfig, run: Path, job: Job, task: Task) -> tuple[MRNet, str]:
    """Weights to start from, with their words for the card; the last layer is random, from (seed, plane, task)."""
    seed = int(
        np.random.SeedSequence([job.seed, list(Plane).index(job.plane), list(Task).index(task)]).generate_state(1)[0]
    )
    if config.initialisation == "imagenet":
        return initialise("imagenet", seed)
    if config.initialisation.endswith(WEIGHT_FILES):
        return initialise(start_path(run, config), seed)
    model, words = initialise("random", seed)
    model = fold_first_convolution(model)
    if config.initialisation == "cells":
        state = load_state(trunk_path(run), torch.device("cpu"))
        if state is None:
            raise InputError(f"{trunk_path(run)} is missing: the trunk is trained first (`train --trunk cells`)")
        # Rounded as the shipped weights are: heads fitted on it then see the very features that serving computes.
        model.features.load_state_dict({key: value.half() for key, value in state["parts"]["features"].items()})
        index = state["planes"].index(job.plane.value)
        model.mean.fill_(state["mean"][index])
        model.sd.fill_(state["sd"][index])
        words = f"trunk trained on dense labels of synthetic knees, {state['step']} steps"
    return model, words


def _brightness(model: MRNet, training: PlaneSet) -> tuple[float, float]:
    """A trunk's own mean and deviation; those of the training pictures where the network has none."""
    if float(model.sd) != 1.0:
        return float(model.mean), float(model.sd)
    return mean_and_sd(training)


def fit_heads(
    networks: list[Network],
    training: PlaneSet,
    tuning: PlaneSet,
    setting: Setting,
    cache: FeatureCache,
    report: Report,
) -> None:
    """Fit every network's last layer on the features of its trunk, which stays as it is; this is epoch 0."""
    fresh = [network for network in networks if not network.history]
    report(Event(fresh[0].name, 0, 0, len(training), words="features of the trunk"))
    began = time.monotonic()
    # Equal trunks are passed once, which their networks share; from random weights each network has its own.
    found = [(cache.features(network.model, training), cache.features(network.model, tuning)) for network in fresh]
    passed = time.monotonic() - began
    for network, (features, held_out) in zip(fresh, found, strict=True):
        began = time.monotonic()
        head = choose_head(
            (features.numpy(), training.label(network.task).numpy()),
            (held_out.numpy(), tuning.label(network.task).numpy()),
            network.weights,
        )
        put_into(head, network.model.classifier)
        network.init += f"; last layer fitted on its features (C {head.strength:g})"
        share = (passed / len(fresh) + time.monotonic() - began) / setting.beside
        before = judge(network, features, training)
        close_epoch(network, 0, before["loss"], judge(network, held_out, tuning), len(training) / passed, share)
        save(network, setting, training, Writer(beside=False))
        report(Event(network.name, 0, len(training), len(training), network.history[-1]))


def train_epoch(
    networks: list[Network],
    training: PlaneSet,
    epoch: int,
    config: TrainConfig,
    report: Report,
    recorder: Recorder | None = None,
) -> list[float]:
    """One pass of every network through the training exams; returns each one's mean loss.

    ``recorder``, prepared for these networks, replays recorded steps; None takes each step by itself.
    """
    generator = np.random.default_rng([networks[0].seed, list(Plane).index(training.plane), epoch])
    order = generator.permutation(len(training))
    transforms = [augment.draw(generator, config) for _ in order]
    steps = config.epochs * -(-len(order) // config.exams_per_step)
    said = time.monotonic()

    def passed(exams: int) -> None:
        nonlocal said
        if time.monotonic() - said > REPORT_SECONDS:
            said = time.monotonic()
            for network in networks:
                report(Event(network.name, epoch, exams, len(order)))

    if recorder is not None:
        return recorder.epoch(networks, order, transforms, steps, passed)
    totals = [torch.zeros((), device=training.pictures.device) for _ in networks]
    for first in range(0, len(order), config.exams_per_step):
        chosen = slice(first, first + config.exams_per_step)
        exams = order[chosen]
        pictures = [
            augment.apply(training.stack(exam), transform)
            for exam, transform in zip(exams, transforms[chosen], strict=True)
        ]
        for place, network in enumerate(networks):
            labels = training.label(network.task)[exams].tolist()
            totals[place] += step(network, pictures, labels, config, steps) * len(exams)
        passed(first + len(exams))
    return [float(total) / len(order) for total in totals]


def close_epoch(
    network: Network, epoch: int, train_loss: float, found: dict[str, float | None], speed: float, seconds: float
) -> None:
    """Enter an epoch into the history, and keep its weights where its tuning loss is the lowest so far.

    Raises
    ------
    InputError
        The loss is no longer a finite number.
    """
    if not np.isfinite([train_loss, found["loss"]]).all():
        raise InputError(f"{network.name}: the loss became {train_loss} in epoch {epoch}; lower learning_rate")
    network.epoch = epoch
    network.history.append(history.record(network, epoch, train_loss, found, seconds, speed))
    keep_best(network, epoch, found["loss"])


def save(network: Network, setting: Setting, training: PlaneSet, writer: Writer) -> None:
    """Checkpoint and history, each whole or not at all, the checkpoint first."""
    run, records, best = setting.run, list(network.history), network.best_epoch
    state = {
        "identity": identity(setting.config, training, network.task),
        "model": network.model.state_dict(),
        "optimiser": network.optimiser.state_dict(),
        **{
            name: getattr(network, name)
            for name in ("epoch", "steps", "best_epoch", "best_loss", "best_state", "history", "init")
        },
    }

    def work(state: dict[str, Any]) -> None:
        save_state(checkpoint(run, network.name), state)
        history.write(run, network.name, records, best)

    writer.write(work, state)


def identity(config: TrainConfig, training: PlaneSet, task: Task) -> str:
    """What a checkpoint belongs to: the data of its task, and every setting that changes a network's weights."""
    same = with_values(config, planes=tuple(Plane), tasks=tuple(Task), seeds=(0,), side_by_side=0)
    return f"{config_hash(same)} {training.data_hash((task,))}"


def checkpoint(run: Path, name: str) -> Path:
    """Where a network's state is kept."""
    return run / "checkpoints" / f"{name}.pt"


def trunk_path(run: Path) -> Path:
    """Where the trunk's state is kept."""
    return run / "checkpoints" / "trunk.pt"
