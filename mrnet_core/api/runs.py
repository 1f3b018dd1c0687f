"""A run from its data to a model: train, ensemble, and what a page or a report wants to know of a run."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from mrnet_core import __version__
from mrnet_core.api.run_scores import auc_records, combine, write_scores
from mrnet_core.config import CONFIG, DATA_NOTE, TrainConfig
from mrnet_core.datasets.patients import UNCHECKED
from mrnet_core.domain import ArtifactError, Cancelled, InputError, Plane, Split, Task
from mrnet_core.ensemble import OUT_OF_FOLD_SOURCE, PENALTY_C, Ensemble, constant_networks, fit_ensemble
from mrnet_core.models import NetworkCard, load_network
from mrnet_core.store import GRADES, bare, network_hashes, partial_words, write_manifest, write_whole
from mrnet_core.training import history
from mrnet_core.training.arithmetic import arithmetic_warnings
from mrnet_core.training.loop import Job, Setting, trunk_path
from mrnet_core.training.network import network_name
from mrnet_core.training.outcome import commit, departures, finished, read_outcome
from mrnet_core.training.prepare import data_warnings, held, prepare_run, prepare_trunk, refuse_unfinished
from mrnet_core.training.progress import Display
from mrnet_core.training.stacking import fold_words, out_of_fold
from mrnet_core.training.state import load_state
from mrnet_core.training.sweep import Engine, clear_checkpoints, finish, job_threads, plan_jobs, run_local

STACKINGS = ("training", "out-of-fold")
FOLD_SEED = 1


@dataclass(frozen=True)
class EnsembleSummary:
    """What ``ensemble`` found. ``coefficients``, ``aucs``: records for tables; ``warnings``: what must be said."""

    run: Path
    coefficients: tuple[dict, ...]
    aucs: tuple[dict, ...]
    warnings: tuple[str, ...] = field(default=())


def train(
    data: Path, run: Path, config: TrainConfig, *, device: str | None = None, resume: bool = False, engine: Engine
) -> dict[tuple[Plane, Task], int]:
    """Train every network of ``config`` on ``data`` into ``run``; returns the chosen seeds.

    A run that was stopped and goes on with ``resume`` ends with the weights of an undisturbed one: the same to the
    last bit on a CPU of the same kind with as many threads (``training.threads``), within
    ``training.graphs.GPU_TOLERANCE`` on a GPU.

    Raises
    ------
    InputError
        The data or the settings are at fault, or the disk is full.
    Cancelled
        Ctrl-C: at most the current epoch is lost.
    """
    run = Path(run)
    try:
        with held(run):
            setting, folder = prepare_run(data, run, config, device, resume)
            write_whole(setting.run / DATA_NOTE, f"{setting.data}\n")
            jobs = plan_jobs(setting.config)
            threads, said = job_threads(jobs, setting, engine)
            setting = replace(setting, threads=threads)
            display = _display(setting, jobs)
            where = torch.device(setting.device)
            for words in filter(None, (*data_warnings(run), *arithmetic_warnings(setting.config, where), said)):
                display.say(f"warning: {words}")
            prepare_trunk(setting, folder, display.say)
            display.start()
            if engine.kind == "ray":
                # on demand: Ray is no requirement of the app
                from mrnet_core.training.ray_engine import run_ray

                run_ray(jobs, setting, display, engine.address, engine.workers)
            else:
                run_local(jobs, setting, display, engine.workers)
            return finish(setting)
    except KeyboardInterrupt as stop:
        raise Cancelled(
            f"stopped; every whole epoch is kept: the same command with --resume goes on in {run}"
        ) from stop


def _display(setting: Setting, jobs: Sequence[Job]) -> Display:
    """The display of a run, which knows what its networks have behind them already."""
    keys = [(job.plane, task, job.seed) for job in jobs for task in job.tasks]
    passed = {}
    with suppress(ArtifactError):  # a damaged history is written anew, from its checkpoint
        passed = {
            network_name(one["plane"], one["task"], one["seed"]): one["epoch"] for one in run_history(setting.run)
        }
    return Display(
        [network_name(*key) for key in keys],
        setting.config.epochs,
        done=[network_name(*key) for key in keys if finished(setting.run, *key)],
        passed=passed,
    )


def ensemble(
    run: Path, *, name: str = "", stacking: str = "training", drop_checkpoints: bool = False
) -> EnsembleSummary:
    """Fit the regressions of a trained run, write its score tables, and its manifest: RUN is a model from then on.

    Parameters
    ----------
    run
        Folder that ``train`` wrote.
    name
        Of the model; the folder's where empty.
    stacking
        Which predictions of the training exams the model's regressions are fitted on; both are reported.
    drop_checkpoints
        Remove ``RUN/checkpoints`` of a model at the end.

    Raises
    ------
    InputError
        No run; networks or seeds that are not finished, or that were passed on without their checkpoints; a training
        that goes on in RUN; or checkpoints to drop that a run of fewer networks still needs.
    """
    if stacking not in STACKINGS:
        raise InputError(f"stacking {stacking!r} is unknown; choose one of {', '.join(STACKINGS)}")
    run = Path(run)
    config = read_config(run)  # before a folder of this name would be made, to be held
    if drop_checkpoints and partial_words(config, run):
        raise InputError(
            f"{run} holds fewer than nine networks, and its checkpoints are what more of them are added to: leave "
            "--drop-checkpoints out"
        )
    with held(run):
        summary = _join(run, name, stacking)
        if drop_checkpoints:
            clear_checkpoints(run)
    return summary


def _join(run: Path, name: str, stacking: str) -> EnsembleSummary:
    """``ensemble`` once RUN is held: a training that ended meanwhile would put other weights behind the manifest."""
    if bare(run):
        raise InputError(
            f"{run} holds networks whose checkpoints were removed, so nothing is left to join them from: use it as it "
            "is, or train anew into another --out"
        )
    config = read_config(run)
    cards, outcomes = {}, {}
    for plane in config.planes:
        for task in config.tasks:
            path = run / "weights" / f"{plane}_{task}.safetensors"
            if not path.is_file():
                raise InputError(f"{path} is missing: finish the run with `train --data DIR --out {run} --resume`")
            _, cards[plane, task] = load_network(path)
            outcomes[plane, task] = read_outcome(run, network_name(plane, task, cards[plane, task].seed))
    refuse_unfinished(config, run)
    fitted = _regressions(outcomes, config)
    chosen = fitted.get(stacking)
    if chosen is not None:
        write_whole(run / "ensemble.json", chosen.to_json())
    write_scores(run, outcomes, chosen, config)
    aucs = tuple(auc_records(outcomes, fitted, config))
    warnings = (*_warnings(cards, fitted), *fold_words(outcomes, cards, FOLD_SEED), *data_warnings(run))
    coefficients = tuple(record for source, one in fitted.items() for record in coefficient_records(one, source))
    left_out = (*_cohort_extras(run, outcomes, chosen, config), *_drop_old_grades(run))
    first, trunk = next(iter(cards.values())), trunk_record(run)
    write_manifest(
        run,
        name=name or run.resolve().name,
        trained_on=first.trained_on,
        synthetic=first.synthetic,
        engine=f"PyTorch {torch.__version__.split('+')[0]}",
        version=__version__,
        commit=_every(", ", (card.commit for card in cards.values())),
        ensemble_commit=commit(),
        departures=[
            *departures(config, run),
            *(words for words in first.departures if UNCHECKED in words),
            *_kept_words(cards, config),
            *_stacking_words(stacking, config),
        ],
        device=_every(" and ", (card.device for card in cards.values())),
        machine=platform.machine(),
        seconds=round(sum(one["seconds"] for one in run_history(run)) + trunk.get("seconds", 0.0), 1),  # every seed's
        trunk=trunk,
        seeds={f"{plane}_{task}": card.seed for (plane, task), card in cards.items()},
        stacking=stacking if fitted else "",
        coefficients=list(coefficients),
        auc=list(aucs),
        warnings=list(warnings),
    )
    return EnsembleSummary(run, coefficients, aucs, (*warnings, *left_out))


def _every(between: str, words: Iterable[str]) -> str:
    """Words that differ, each once, in their order."""
    return between.join(dict.fromkeys(filter(None, words)))


def read_config(run: Path) -> TrainConfig:
    """The configuration of a run.

    Raises
    ------
    InputError
        The folder is no run, or its configuration is damaged.
    """
    try:
        return TrainConfig.read(run / CONFIG)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{run} is no run: {CONFIG} cannot be read; name a folder that `train --out` wrote") from error


def trunk_record(run: Path) -> dict:
    """Steps, seconds and tuning AUCs of the trunk a run started from; empty where there is none."""
    state = load_state(trunk_path(run), torch.device("cpu"))
    if state is None:
        return {}
    return {"steps": state["step"], "seconds": round(state["seconds"], 1), "tuning_auc": state["figures"]}


def run_history(run: Path) -> list[dict]:
    """Every epoch of every network and seed so far, also of a run that is going on; keys as ``training.history``."""
    return history.read(Path(run))


def coefficient_records(fitted: Ensemble, source: str) -> list[dict]:
    """One record a regression: task, planes, intercept and a coefficient for each plane."""
    return [
        {
            "source": source,
            "task": regression.task.value,
            "planes": [plane.value for plane in regression.planes],
            "intercept": float(regression.intercept),
            "coefficients": {
                plane.value: float(value)
                for plane, value in zip(regression.planes, regression.coefficients, strict=True)
            },
            "n": int(regression.n),
        }
        for regression in fitted.regressions
    ]


def _regressions(outcomes: Mapping, config: TrainConfig) -> dict[str, Ensemble]:
    if len(config.planes) < 2:
        return {}
    labels = {task: outcomes[config.planes[0], task][Split.TRAIN].labels for task in config.tasks}
    own = {key: by_split[Split.TRAIN].probabilities for key, by_split in outcomes.items()}
    honest = {key: out_of_fold(by_split[Split.TRAIN], FOLD_SEED) for key, by_split in outcomes.items()}
    return {
        "training": fit_ensemble(own, labels),
        "out-of-fold": fit_ensemble(honest, labels, source=OUT_OF_FOLD_SOURCE),
    }


def _warnings(cards: Mapping[tuple[Plane, Task], NetworkCard], fitted: Mapping[str, Ensemble]) -> tuple[str, ...]:
    words = [
        f"The network {plane} {task} is constant ({why}): it says nothing."
        for (plane, task), why in constant_networks(cards, fitted.values()).items()
    ]
    for source, one in fitted.items():
        for regression in one.regressions:
            if min(regression.coefficients) < 0:
                words.append(
                    f"The regression of {regression.task} over {', '.join(regression.planes)} ({source}) has a "
                    "negative coefficient: a higher probability in that plane lowers the ensemble's."
                )
    return tuple(words)


def _kept_words(cards: Mapping[tuple[Plane, Task], NetworkCard], config: TrainConfig) -> list[str]:
    """How many networks were left at the fitted last layer although epochs of fine-tuning followed."""
    kept = sum(card.epoch == 0 for card in cards.values()) if config.epochs else 0
    return [f"{kept} of {len(cards)} networks kept epoch 0: no epoch of fine-tuning had a lower tuning loss."] * bool(
        kept
    )


def _stacking_words(stacking: str, config: TrainConfig) -> list[str]:
    """How the regressions depart from the paper, and what it leaves open; a single plane has none."""
    if len(config.planes) == 1:
        return []
    penalty = f"Not given by the paper: the regressions' penalty, L2 with C = {PENALTY_C:g} (scikit-learn's default)."
    if stacking == "training":
        return [penalty]
    return [
        "The regressions were fitted on out-of-fold predictions (paper: on the training set's own predictions). Only "
        "the last layers were refitted without each fold: the convolutions were trained on all training exams.",
        penalty,
    ]


def _cohort_extras(run: Path, outcomes: Mapping, fitted: Ensemble | None, config: TrainConfig) -> tuple[str, ...]:
    """What only a phantom cohort can give: the shortcut's AUC and a simulated reader study; needs the data at hand.

    Returns what must be said of it: that it was left out where this machine has not the app's libraries.
    """
    note = run / DATA_NOTE
    cohort = Path(note.read_text(encoding="utf-8").strip()) if note.is_file() else None
    if cohort is None or not (cohort / "lesions.jsonl").is_file() or set(config.tasks) != set(Task):
        return ()
    if any(Split.VALIDATION not in by_split for by_split in outcomes.values()):
        return ()
    try:
        # on demand: a GPU machine that trains on MRNet-v1.0 has neither the phantom nor pydicom
        from mrnet_core.api.cohort_studies import shortcut, write_reader_study
    except ModuleNotFoundError as error:
        return (
            f"The library {error.name} is missing here, so the simulated readers and the shortcut's AUC were left out: "
            f"to add them, run `python -m mrnet_core ensemble {run}` again where the app's requirements are installed "
            "and RUN/checkpoints and the cohort are at hand.",
        )
    write_whole(run / "scores" / "shortcut.json", json.dumps(shortcut(cohort), indent=2, allow_nan=False) + "\n")
    exams = outcomes[config.planes[0], config.tasks[0]][Split.VALIDATION].exams
    probabilities = {
        (exam, task): float(value)
        for task in config.tasks
        for exam, value in zip(exams, combine(outcomes, fitted, Split.VALIDATION, task), strict=True)
    }
    (run / "readers").mkdir(exist_ok=True)
    write_reader_study(cohort, probabilities, run / "readers")
    return ()


def _drop_old_grades(run: Path) -> tuple[str, ...]:
    """Remove heatmap grades that are not of these very networks, and say so; more training or a seed changes them."""
    path = run / GRADES
    with suppress(OSError, ValueError, AttributeError):  # none, or damaged ones
        if json.loads(path.read_text(encoding="utf-8")).get("weights") == network_hashes(run):
            return ()
    if not path.is_file():
        return ()
    path.unlink()
    return (f"The heatmap grades ({GRADES}) were of other networks and are removed.",)
