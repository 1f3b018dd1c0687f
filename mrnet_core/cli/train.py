"""``train --data DIR --out RUN``: the networks of a study, in one command."""

import argparse
import sys
from pathlib import Path

from mrnet_core.api.runs import Engine, train
from mrnet_core.config import (
    CONFIG,
    INITIALISATIONS,
    PRECISIONS,
    SCHEDULES,
    TUNING_SETS,
    TrainConfig,
    TrunkConfig,
    with_values,
)
from mrnet_core.domain import InputError, Plane, Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb; what is left out is the paper's value."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="MRNet-v1.0 folder or phantom cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with RUN, by its own configuration")
    parser.add_argument("--device", metavar="cpu|cuda", help="default: a GPU where there is one")
    add_protocol(parser)
    add_engine(parser)


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """What changes the networks."""
    group = parser.add_argument_group("protocol (default: the paper's)")
    group.add_argument("--config", type=Path, metavar="JSON", help="a configuration, as RUN/config.json holds it")
    group.add_argument("--planes", metavar="LIST", help="for example sagittal,axial")
    group.add_argument("--tasks", metavar="LIST", help="for example acl")
    add_shared(group)
    group.add_argument(
        "--trunk",
        "--init",
        dest="initialisation",
        metavar="|".join((*INITIALISATIONS, "FILE")),
        help="where the networks start from; FILE: AlexNet weights, or a network or trunk of this project",
    )
    group.add_argument("--trunk-steps", type=int, metavar="N", help="steps of the trunk (with --trunk cells)")
    group.add_argument("--learning-rate", type=float, metavar="R", help="Adam")
    group.add_argument("--schedule", choices=SCHEDULES)
    group.add_argument("--exams-per-step", type=int, metavar="N")
    group.add_argument("--precision", choices=PRECISIONS)
    group.add_argument(
        "--head-first",
        action=argparse.BooleanOptionalAction,
        help="fit the last layer before epoch 1 (default: with --trunk cells)",
    )


def add_shared(group: argparse._ArgumentGroup) -> None:
    """Seeds, epochs and which exams choose the epoch; ``reproduce`` offers the same."""
    group.add_argument(
        "--seeds", metavar="LIST", help="for example 1,2,3: each a training of its own; the best is kept"
    )
    group.add_argument("--epochs", type=int, metavar="N", help="passes through the training exams (paper: 50)")
    group.add_argument("--tuning", choices=TUNING_SETS, help="inner: a part of the training exams chooses the epoch")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Where the jobs run; ``reproduce`` offers the same."""
    group = parser.add_argument_group("engine")
    group.add_argument("--engine", choices=("local", "ray"), default="local")
    group.add_argument("--address", help="of a Ray cluster (default: one on this machine)")
    group.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="jobs side by side (default: one, or one a GPU; on one GPU as many as fit)",
    )


def protocol(args: argparse.Namespace) -> TrainConfig:
    """The configuration that the arguments ask for: changes to ``--config``, else to the paper's.

    Raises
    ------
    InputError
        An unknown plane or task, or a value that is not allowed.
    """
    config = TrainConfig()
    if args.config:
        try:
            config = TrainConfig.read(args.config)
        except FileNotFoundError as error:
            raise InputError(f"--config {args.config} cannot be read: there is no such file") from error
    initialisation = args.initialisation or config.initialisation
    head_first = args.head_first
    if head_first is None and args.initialisation is not None:
        head_first = initialisation == "cells"
    trunk = None
    if args.trunk_steps is not None:
        trunk = TrunkConfig(**(vars(config.trunk) | {"steps": args.trunk_steps}))
    return with_values(
        config,
        planes=_words(args.planes, Plane, "--planes"),
        tasks=_words(args.tasks, Task, "--tasks"),
        seeds=seed_numbers(args.seeds),
        epochs=args.epochs,
        initialisation=args.initialisation,
        head_first=head_first,
        learning_rate=args.learning_rate,
        schedule=args.schedule,
        exams_per_step=args.exams_per_step,
        tuning=args.tuning,
        precision=args.precision,
        trunk=trunk,
    )


def run(args: argparse.Namespace) -> int:
    """Train; the display goes to stderr. A run that goes on keeps its configuration where nothing else is asked for."""
    if args.resume and args.config is None and (args.out / CONFIG).is_file():
        args.config = args.out / CONFIG
    train(
        args.data,
        args.out,
        protocol(args),
        device=args.device,
        resume=args.resume,
        engine=Engine(args.engine, args.workers, args.address),
    )
    print(f"Trained. Next: python -m mrnet_core ensemble {args.out}", file=sys.stderr)
    return 0


def seed_numbers(text: str | None) -> tuple[int, ...] | None:
    """The numbers of ``--seeds``; None where it was not given.

    Raises
    ------
    InputError
        Something between the commas is no whole number.
    """
    if text is None:
        return None
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise InputError(f"--seeds {text!r}: give whole numbers with commas between them") from error


def _words(text: str | None, kind: type, flag: str) -> tuple | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in [one.value for one in kind]]
    if unknown or not words:
        raise InputError(f"{flag} {text!r}: give words of {', '.join(kind)}, with commas between them")
    return tuple(kind(word) for word in words)
