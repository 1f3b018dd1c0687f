"""A run before its first step: the data checked, the folder begun or found to be of the same run, where it starts from.

A RUN remembers digests of the data it was begun on (``checkpoints/data.json``), so that it goes on with no other.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from mrnet_core.config import CONFIG, WEIGHT_FILES, TrainConfig, with_values
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import ArtifactError, DatasetError, InputError, InstallationError, Split
from mrnet_core.models import card_path, initialise, trained_on
from mrnet_core.preprocess import Landmarks, fit_landmarks
from mrnet_core.store import DATA_SEEN, MANIFEST, bare, file_hash, write_whole
from mrnet_core.training.arithmetic import choose_device, resolve_precision
from mrnet_core.training.cells import load_cells
from mrnet_core.training.data import inner_exams
from mrnet_core.training.loop import Setting, trunk_path
from mrnet_core.training.network import network_name
from mrnet_core.training.outcome import finished, start_path
from mrnet_core.training.state import load_state
from mrnet_core.training.threads import kept_threads, on_threads
from mrnet_core.training.trunk import train_trunk

LANDMARK_EXAMS = 200
"""Training exams whose standardised series set the landmarks where the data folder brings none."""


def prepare_run(
    data: Path, run: Path, config: TrainConfig, device: str | None, resume: bool
) -> tuple[Setting, MRNetFolder]:
    """Check every series and label of the data, begin RUN or go on with it; nothing is trained yet.

    A RUN that is a model and gets more networks to train is none until ``ensemble`` has joined them.

    Raises
    ------
    DatasetError
        The data folder breaks its format, or has too few training exams to choose the epoch on a part of them.
    InputError
        RUN holds another run, one of other data or a model without its checkpoints, or it exists and ``resume`` is
        off; or the file of initial weights is missing or holds no AlexNet.
    InstallationError
        ImageNet's weights cannot be fetched.
    """
    where = choose_device(device)
    config = with_values(config, precision=resolve_precision(config.precision, where))
    run = Path(run)
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file, and a run is a folder: name another --out")
    begun = (run / CONFIG).is_file()
    if begun and not resume:
        raise InputError(f"{run} holds a run already: give --resume to go on with it, or another --out")
    if begun:
        _refuse_bare_model(run)
        config = _same_run(TrainConfig.read(run / CONFIG), config, run)
    elif run.is_dir() and any(run.iterdir()):
        raise InputError(f"{run} is not empty and no run was begun in it: name a new folder with --out")
    folder = MRNetFolder.open(data, config.planes, config.tasks)
    if config.tuning == "inner":  # before the hours of a trunk: the run could not take another --tuning then
        inner_exams(folder, config.inner_share)
    start = _new_start(config, run, folder, begun)
    known = _same_data(folder, run)
    if config.initialisation.endswith(WEIGHT_FILES):  # by its name alone: where it lies belongs to this machine
        config = replace(config, initialisation=Path(config.initialisation).name)
    landmarks = _new_landmarks(folder, run)
    if unfinished(config, run) or not (run / MANIFEST).is_file():
        (run / MANIFEST).unlink(missing_ok=True)
        write_whole(run / CONFIG, config.to_json())  # a model that lacks nothing keeps the text that its manifest names
    write_whole(run / DATA_SEEN, json.dumps(known, indent=2) + "\n")
    if start is not None:
        _keep_start(start, start_path(run, config))
    for path, text in landmarks.items():
        write_whole(path, text)
    return Setting(Path(data).resolve(), run.resolve(), config, str(where)), folder


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Hold a RUN for one training at a time; the system lets go of it when the process ends, however it ends.

    The folder is made where there is none, for reading the data of a new RUN takes minutes and it must be held by
    then; one that was made and is empty in the end is removed. Nothing is held where the system or the disk knows no
    locks.

    Raises
    ------
    InputError
        Another process trains it, or the folder cannot be made.
    """
    made = not run.is_dir()
    try:
        run.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{run} is a file, and a run is a folder: name another --out") from error
    except OSError as error:
        raise InputError(
            f"{run} cannot be made ({error.strerror}): name a place you may write to with --out"
        ) from error
    try:
        # on demand: Python has it on POSIX alone
        import fcntl
    except ImportError:
        yield
        return
    folder = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{run} is being trained by another process: wait for it, or stop it first") from error
        except OSError:  # some network disks
            pass
        try:
            yield
        finally:
            with suppress(OSError):  # a folder that holds anything stays
                if made:
                    run.rmdir()
    finally:
        os.close(folder)


def _new_start(config: TrainConfig, run: Path, folder: MRNetFolder, begun: bool) -> Path | None:
    """The file of initial weights that the run must copy, so that it goes on wherever the file is then.

    Weights that cannot be had are found out here, before anything is written.
    """
    if not config.initialisation.endswith(WEIGHT_FILES):
        if config.initialisation == "cells" and not begun:
            folder.channels()
        elif config.initialisation == "imagenet" and not begun:
            _fetch_imagenet(folder)
        return None
    given, kept = Path(config.initialisation), start_path(run, config)
    if not kept.is_file():
        initialise(given, 0)
        return given
    if begun and given.name == config.initialisation:  # the run's word for its own copy; another file may lie here
        return None
    if given.is_file() and file_hash(kept) != file_hash(given):
        raise InputError(f"{run} was begun from another {given.name}: give that file, or another --out")
    return None


def _keep_start(start: Path, kept: Path) -> None:
    """Copy the file of initial weights, and its card where it is a network of this project."""
    write_whole(kept, start.read_bytes())
    if start.suffix == ".safetensors" and trained_on(start):
        write_whole(card_path(kept), card_path(start).read_bytes())


def _fetch_imagenet(folder: MRNetFolder) -> None:
    try:
        initialise("imagenet", 0)
    except InstallationError as error:
        if not (folder.root / "cells").is_dir():
            raise
        raise InstallationError(f"{error}, or with a trunk on this cohort's dense labels: --trunk cells") from error


def _refuse_bare_model(run: Path) -> None:
    """Refuse to go on with a model whose checkpoints are gone: its networks would be trained anew, on any data."""
    if bare(run):
        raise InputError(
            f"{run} holds networks whose checkpoints were removed, so nothing is left to go on from and they would be "
            "trained anew: name another --out"
        )


def _same_run(kept: TrainConfig, asked: TrainConfig, run: Path) -> TrainConfig:
    """The configuration to go on with: the kept one, with planes, tasks and seeds added."""
    free = ("planes", "tasks", "seeds", "side_by_side")
    loose = {name: getattr(kept, name) for name in free}
    differing = [
        name
        for name in kept.__dataclass_fields__
        if name not in free and getattr(kept, name) != getattr(replace(asked, **loose), name)
    ]
    if Path(asked.initialisation).name == kept.initialisation:  # the run keeps a copy of the file, by its name
        differing = [name for name in differing if name != "initialisation"]
    if differing:
        raise InputError(
            f"{run} was begun with another {', '.join(differing)} (see {run / CONFIG}); go on with the same, "
            "or give another --out"
        )
    if kept.initialisation == "cells":
        known = (*kept.planes, *kept.tasks)
        added = [word for word in (*asked.planes, *asked.tasks) if word not in known]
        if added:
            raise InputError(
                f"{run} was begun with a trunk for {', '.join(known)}; {', '.join(added)} cannot be added to it: give "
                "another --out"
            )
    together = {name: tuple(dict.fromkeys((*getattr(kept, name), *getattr(asked, name)))) for name in free[:3]}
    return replace(kept, **together, side_by_side=asked.side_by_side, initialisation=asked.initialisation)


def _same_data(folder: MRNetFolder, run: Path) -> dict[str, Any]:
    """What the run has seen of its data and sees now: digests of series by plane and of labels by task, and twins."""
    check = folder.check()
    found = {f"{split} {plane} series": digest for (split, plane), digest in check.digests.items()}
    for split in folder.splits:
        for task, column in zip(folder.tasks, folder.label_matrix(split).T, strict=True):
            words = f"{folder.exams[split]} {column.tolist()}"
            found[f"{split} {task} labels"] = sha256(words.encode()).hexdigest()[:16]
    kept = _seen(run)
    before = kept["digests"]
    differing = [name for name, digest in found.items() if before.get(name, digest) != digest]
    if differing:
        raise InputError(
            f"{run} was begun on other data: {', '.join(differing[:4])}{' and more' * (len(differing) > 4)} of "
            f"{folder.root} have changed since; go on with the same data, or give another --out"
        )
    return {"digests": before | found, "twins": list(dict.fromkeys((*kept["twins"], *check.twins)))}


def _seen(run: Path) -> dict[str, Any]:
    path = run / DATA_SEEN
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {"digests": dict(kept["digests"]), "twins": list(kept["twins"])}
    except FileNotFoundError:
        return {"digests": {}, "twins": []}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallationError(f"{path} cannot be read ({error!r}): give another --out") from error


def data_warnings(run: Path) -> tuple[str, ...]:
    """What must be said of a run's data beside its figures: series that two of its splits share."""
    return tuple(_seen(run)["twins"])


def unfinished(config: TrainConfig, run: Path) -> list[str]:
    """Names of the networks that a run was asked for and that are not finished, every seed of them."""
    return [
        network_name(plane, task, seed)
        for plane in config.planes
        for task in config.tasks
        for seed in config.seeds
        if not finished(run, plane, task, seed)
    ]


def refuse_unfinished(config: TrainConfig, run: Path) -> None:
    """Refuse to join a run while networks or seeds of it are to be trained: which seed is kept is not known yet.

    Raises
    ------
    InputError
        It names them.
    """
    lacking = unfinished(config, run)
    if lacking:
        raise InputError(
            f"{run} has networks that are not finished ({', '.join(lacking)}), and which seed is kept is known once "
            f"all are: finish the run with `train --data DIR --out {run} --resume`"
        )


def _new_landmarks(folder: MRNetFolder, run: Path) -> dict[Path, str]:
    """Landmarks that RUN still lacks: they bring a new series to the scale of the training pictures.

    The cohort's own, or fitted on its training series. Damaged ones are found out here, before anything is written.
    """
    found = {}
    for plane in folder.planes:
        target = run / "landmarks" / f"{plane}.json"
        if target.is_file():
            continue
        own = folder.root / "landmarks" / f"{plane}.json"
        if own.is_file():
            landmarks = _read_landmarks(own)
        else:
            exams = folder.exams[Split.TRAIN][:LANDMARK_EXAMS]
            landmarks = fit_landmarks(folder.series(Split.TRAIN, plane, exam) for exam in exams)
        found[target] = landmarks.to_json()
    return found


def _read_landmarks(path: Path) -> Landmarks:
    try:
        return Landmarks.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ArtifactError) as error:
        raise DatasetError(
            f"{path} cannot be read as landmarks ({error.__cause__ or error}): copy it from the cohort again, or "
            "take it away, and landmarks are fitted on the training series"
        ) from error


def prepare_trunk(setting: Setting, folder: MRNetFolder, report: Callable[[str], None]) -> None:
    """Train the trunk where the run starts from one and it is not finished."""
    if setting.config.initialisation != "cells":
        return
    state = load_state(trunk_path(setting.run), torch.device("cpu"))
    if state is not None and state["step"] >= setting.config.trunk.steps:
        return
    device = torch.device(setting.device)
    report("trunk: reading series and dense labels")
    training = load_cells(folder, Split.TRAIN, setting.config.planes, device)
    tuning = load_cells(folder, Split.TUNING, setting.config.planes, device)
    threads, words = 0, ""
    if device.type == "cpu":
        threads, words = kept_threads(setting.run, "trunk", torch.get_num_threads())
    if words:
        report(f"warning: {words}")
    with on_threads(threads):
        train_trunk(training, tuning, setting.config, trunk_path(setting.run), report)
