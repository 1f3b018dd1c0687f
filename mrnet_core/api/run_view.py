"""A RUN as a page shows it: card, histories, regressions, scores, heatmap grades. It reads only, and needs no torch.

A RUN that still trains has no manifest yet: it is read from its configuration, its histories as they grow, and the
cards of the networks that are done.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mrnet_core.api.run_evidence import scored_split
from mrnet_core.config import CONFIG, DATA_NOTE, TrainConfig
from mrnet_core.datasets.synthetic import is_synthetic_folder
from mrnet_core.domain import ArtifactError, Plane, Split, Task
from mrnet_core.evaluation.provenance import Provenance, today
from mrnet_core.report.figure_spec import FigureSpec
from mrnet_core.report.figures_heatmaps import GROUPINGS, heatmap_figure
from mrnet_core.report.figures_training import CURVES, curve_figure, regression_figure, regression_words
from mrnet_core.report.tables_training import (
    coefficients_frame,
    coefficients_text,
    commit_words,
    constant_words,
    duration,
    grades_frame,
    network_summary,
    networks_auc_text,
    networks_frame,
    run_card,
    trunk_frame,
    validation_auc_text,
)
from mrnet_core.store import CHECKPOINTS, GRADES, MANIFEST, MODEL_VARIABLE, REBUILD, Run, resolve_run
from mrnet_core.training import history

EPOCH_COLUMNS = (
    *("plane", "task", "seed", "epoch", "train_loss", "tuning_loss", "tuning_auc", "logit_sd", "seconds"),
    *("exams_per_second", "chosen"),
)
_GRADE_COLUMNS = frozenset(
    (
        *("network", "plane", "task", "by", "group", "n", "not_visible", "called", "called_elsewhere_x"),
        *("pointing", "pointing_lower", "pointing_upper", "pointing_chance", "pointing_prior", "right_slice"),
        *("right_slice_lower", "right_slice_upper", "right_slice_chance", "energy", "energy_chance", "energy_gain"),
        *("energy_gain_lower", "energy_gain_upper"),
    )
)


@dataclass(frozen=True)
class RunView:
    """What is known of a RUN.

    Attributes
    ----------
    name, trained_on, synthetic
        Of the model; while it trains ``synthetic`` is None as long as nothing tells.
    finished
        True when it has a manifest, and so is a model.
    card
        What to say of it, by label.
    departures, warnings
        From the paper's protocol; what must be said of the networks. One sentence each.
    config
        What it was asked to do; None where a model brings none.
    epochs
        One row an epoch of every network and seed (``EPOCH_COLUMNS``).
    networks
        One row a network and seed (``network_summary``).
    kept
        The seed whose weights are in the model, by ``plane_task``.
    coefficients, stacking
        Records of the regressions, and on which predictions the model's own were fitted.
    aucs
        AUC of each network and ensemble on tuning and validation exams.
    trunk
        Steps, seconds and tuning AUCs of the trunk the networks started from, or how far it is while it trains itself
        (``history.read_trunk``); empty where there is none.
    silent
        Seconds since a run that still trains wrote anything; None for a finished one.
    folder, chosen
        Of a run without a manifest: where it lies, and True where it has the weights of every network's best seed.
    grades, grades_note
        Heatmap grades (``LocalisationGrade.record``) and what they are of; empty where the RUN brings none.
    scored
        Whose scores it is judged by: its validation exams', else its tuning exams'; None where it brings neither.
    """

    name: str
    trained_on: str
    synthetic: bool | None
    finished: bool
    card: Mapping[str, str]
    source: Provenance
    config: TrainConfig | None
    epochs: pd.DataFrame = field(repr=False)
    networks: pd.DataFrame = field(repr=False)
    departures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    coefficients: tuple[dict, ...] = ()
    stacking: str = ""
    aucs: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    trunk: Mapping[str, Any] = field(default_factory=dict)
    silent: float | None = None
    folder: Path | None = None
    chosen: bool = False
    grades: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    grades_note: str = ""
    scored: Split | None = None

    @property
    def planned(self) -> int:
        """Networks times seeds that the configuration asks for; 0 where it is not known."""
        config = self.config
        return 0 if config is None else len(config.planes) * len(config.tasks) * len(config.seeds)

    @property
    def trained(self) -> bool:
        """True where every epoch is done and every network's weights are chosen: the networks wait to be joined."""
        return not self.finished and self.chosen and self.progress == 1

    @property
    def one_plane(self) -> bool:
        """True where a single plane was trained, which has no regression."""
        return self.config is not None and len(self.config.planes) == 1

    @property
    def progress(self) -> float:
        """Share of the planned epochs of every network that are done, 0 to 1 (fitting the last layer alone is one)."""
        if not self.planned:
            return 0.0
        begun = 1 if self.config.head_first else 0
        done = (self.networks["last_epoch"] + begun).sum()
        return min(1.0, float(done) / (self.planned * (self.config.epochs + begun)))


def find_run(model: str | Path | None = None) -> tuple[Path, bool]:
    """The RUN folder in force, and whether it is a model already; a RUN that still trains has no manifest.

    Raises
    ------
    InputError, ArtifactError
        No RUN folder.
    """
    named = str(model) if model else os.environ.get(MODEL_VARIABLE, "")
    folder = Path(named).expanduser().resolve() if named else None
    if folder is not None and (folder / CONFIG).is_file() and not (folder / MANIFEST).is_file():
        return folder, False
    return resolve_run(model), True


def view_state(model: str | Path | None = None) -> tuple[str, int] | None:
    """What a cache of a finished RUN goes by; None for one that still trains.

    Raises
    ------
    InputError, ArtifactError
        No RUN folder.
    """
    folder, finished = find_run(model)
    return (str(folder), (folder / MANIFEST).stat().st_mtime_ns) if finished else None


def read_run(model: str | Path | None = None) -> RunView:
    """The RUN in force (None: $MRNET_MODEL, else the demo model), finished or not.

    Raises
    ------
    InputError
        No RUN folder, or its configuration is malformed.
    ArtifactError
        A file of it is damaged.
    """
    folder, finished = find_run(model)
    return _finished(Run.open(folder)) if finished else _training(folder)


def _finished(run: Run) -> RunView:
    manifest = run.manifest
    records = [one for name in run.names("history/") for one in history.parse(run.text(name), name)]
    epochs = _frame(records)
    config = TrainConfig.from_json(run.text(CONFIG)) if run.has(CONFIG) else None
    grades, note = _grades(run)
    synthetic = manifest["synthetic"]
    kind = "synthetic exams" if synthetic else "exams"
    try:
        return RunView(
            name=manifest["name"],
            trained_on=manifest["trained_on"],
            synthetic=synthetic,
            finished=True,
            card=run_card(manifest, config),
            source=today(f"{kind} of {manifest['name']}", f"{manifest['name']}, {manifest['trained_on']}", ""),
            config=config,
            epochs=epochs,
            networks=network_summary(epochs),
            departures=tuple(manifest.get("departures", ())),
            warnings=tuple(manifest.get("warnings", ())),
            kept=dict(manifest.get("seeds", {})),
            coefficients=tuple(_checked(record) for record in manifest.get("coefficients", ())),
            stacking=manifest.get("stacking", ""),
            aucs=pd.DataFrame(manifest.get("auc", [])),
            trunk=dict(manifest.get("trunk") or {}),
            grades=grades,
            grades_note=note,
            scored=scored_split(run),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{run.folder / MANIFEST} is malformed ({error!r}): {REBUILD}") from error


def _training(folder: Path) -> RunView:
    try:
        config = TrainConfig.read(folder / CONFIG)
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder / CONFIG} cannot be read ({type(error).__name__}): {REBUILD}") from error
    epochs = _frame(history.read(folder))
    done = _first_card(folder)
    synthetic = done.get("synthetic", _synthetic_data(folder))
    fields = {key: done.get(key, "") for key in ("trained_on", "device", "commit", "version")}
    kind = "synthetic exams" if synthetic else "exams"
    summary = network_summary(epochs)
    weights = (folder / "weights" / f"{plane}_{task}.safetensors" for plane in config.planes for task in config.tasks)
    return RunView(
        name=folder.name,
        trained_on=fields["trained_on"] or ("synthetic knees" if synthetic else "not stated yet"),
        synthetic=synthetic,
        finished=False,
        card=run_card(fields | {"name": folder.name}, config),
        source=today(f"tuning {kind} of {folder.name}", f"{folder.name}, not joined yet", ""),
        config=config,
        epochs=epochs,
        networks=summary,
        departures=config.departures(),
        warnings=tuple(constant_words(summary)),
        trunk=history.read_trunk(folder) if epochs.empty else {},
        silent=_silent(folder),
        folder=folder,
        chosen=all(path.is_file() for path in weights),
    )


def _silent(folder: Path) -> float:
    """Seconds since any file of the run changed."""
    files = (folder / CONFIG, *(folder / history.FOLDER).glob("*"), *(folder / CHECKPOINTS).glob("*"))
    times = []
    for path in files:
        with suppress(OSError):  # taken away or renamed between the two looks
            times.append(path.stat().st_mtime)
    return max(0.0, time.time() - max(times, default=time.time()))


def _frame(records: Sequence[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(records, columns=EPOCH_COLUMNS)
    figures = [name for name in EPOCH_COLUMNS if name not in ("plane", "task", "seed", "epoch", "chosen")]
    order = {word.value: place for words in (Plane, Task) for place, word in enumerate(words)}
    frame = frame.sort_values(
        ["task", "plane", "seed", "epoch"], key=lambda column: column.map(lambda word: order.get(word, word))
    )
    return frame.astype(dict.fromkeys(figures, float) | {"chosen": bool}).reset_index(drop=True)


def _first_card(folder: Path) -> dict:
    """The card of the first network that is done; empty before."""
    for path in sorted((folder / CHECKPOINTS).glob("*_seed*.json")):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # it is being written: the next look finds it whole
    return {}


def _synthetic_data(folder: Path) -> bool | None:
    try:
        data = Path((folder / DATA_NOTE).read_text(encoding="utf-8").strip())
    except OSError:
        return None
    return is_synthetic_folder(data) if data.is_dir() else None


def _checked(record: dict) -> dict:
    return {
        "source": str(record["source"]),
        "task": Task(record["task"]).value,
        "planes": list(record["planes"]),
        "intercept": float(record["intercept"]),
        "coefficients": {str(plane): float(value) for plane, value in record["coefficients"].items()},
        "n": int(record["n"]),
    }


def _grades(run: Run) -> tuple[pd.DataFrame, str]:
    if not run.has(GRADES):
        return pd.DataFrame(), ""
    found = run.json(GRADES)
    frame = pd.DataFrame(found.get("records", []) if isinstance(found, dict) else [])
    if frame.empty:
        return frame, ""
    missing = sorted(_GRADE_COLUMNS - set(frame.columns))
    if missing:
        raise ArtifactError(f"{run.folder / GRADES} lacks {missing[0]!r}: {REBUILD}")
    return frame, f"{found.get('exams', '?')} exams with a lesion, {found.get('split', '')} set"


def curve_figures(view: RunView) -> dict[str, FigureSpec]:
    """Loss, AUC and spread of the logit by epoch, by name; what no epoch tells is left out."""
    source = _counted(view, f"{len(view.networks)} networks, {len(view.epochs)} epochs")
    specs = {name: curve_figure(view.epochs, curve, source) for name, curve in CURVES.items()}
    return {name: spec for name, spec in specs.items() if spec is not None}


def coefficients_figure(view: RunView) -> FigureSpec | None:
    """Weight of each plane in the regressions; None where there are none."""
    n = max((record["n"] for record in view.coefficients), default=0)
    return regression_figure(view.coefficients, _counted(view, f"{n} training exams"))


def coefficients_words(view: RunView) -> str:
    """Which plane weighs most, here and in the paper."""
    return regression_words(view.coefficients, view.stacking or "training")


def grades_figure(view: RunView, task: Task, by: str) -> FigureSpec | None:
    """Heatmap grades of every network, or of a task's lesions by group; None where there are none."""
    return None if view.grades.empty else heatmap_figure(view.grades, task, by, _counted(view, view.grades_note))


def groupings(view: RunView) -> dict[str, str]:
    """The groupings at hand, by their word, with their name for people."""
    return {} if view.grades.empty else {by: name for by, name in GROUPINGS.items() if by in set(view.grades["by"])}


def graded_tasks(view: RunView) -> tuple[Task, ...]:
    """The tasks whose heatmaps were graded, in the project's order."""
    return () if view.grades.empty else tuple(task for task in Task if task.value in set(view.grades["task"]))


def _counted(view: RunView, n: str) -> Provenance:
    return Provenance(view.source.source, view.source.model, n, view.source.version, view.source.date)


__all__ = [
    "DATA_NOTE",
    "FigureSpec",
    "RunView",
    "coefficients_figure",
    "coefficients_frame",
    "coefficients_text",
    "coefficients_words",
    "commit_words",
    "constant_words",
    "curve_figures",
    "duration",
    "find_run",
    "graded_tasks",
    "grades_figure",
    "grades_frame",
    "groupings",
    "networks_auc_text",
    "networks_frame",
    "read_run",
    "trunk_frame",
    "validation_auc_text",
    "view_state",
]
