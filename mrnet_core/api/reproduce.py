"""The whole study in one folder: cohort (or data at hand), training, regressions, evaluation, heatmap grades, report.

Every stage picks up what an earlier run finished, so the same command goes on after a stop.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from mrnet_core import paper
from mrnet_core.api import evidence
from mrnet_core.api.cohorts import CohortOrder, make_cohort
from mrnet_core.api.localisation import GRADES, grade_run
from mrnet_core.api.runs import Engine, EnsembleSummary, ensemble, train
from mrnet_core.config import TrainConfig, TrunkConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import InputError, InstallationError, Plane, Split, Task
from mrnet_core.models import fold_first_convolution, initialise
from mrnet_core.phantom import make_exam
from mrnet_core.report.figure_spec import FigureSpec
from mrnet_core.report.study import Section, curves_figure, study_html
from mrnet_core.report.study_pdf import study_pdf
from mrnet_core.store import DEMO_RUN, Run, write_whole
from mrnet_core.training import history
from mrnet_core.training.arithmetic import choose_device, resolve_precision
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.graphs import Recorder
from mrnet_core.training.loop import train_epoch
from mrnet_core.training.network import Network, make_optimiser, step

SEED = 2018
"""Of the phantom cohort."""
SLICES = {"small": 10, "full": 24}
"""Mean slices a series of a phantom cohort of each size."""
NETWORKS = len(Plane) * len(Task)
REGRESSION_WARNING = re.compile(
    rf"The regression of (?P<task>{'|'.join(Task)}) over (?P<planes>[^(]+) "
    r"\((?P<source>[^)]+)\) has (?P<rest>a negative .+)"
)
"""One of ``ensemble``'s warnings, which a small study has by the dozen."""
VALIDATION_CAPTIONS = {
    "auc": "AUC on the validation exams",
    "operating": "Rates on the validation exams at two operating points",
    "predictive": "Predictive values at the validation exams' prevalence, and likelihood ratios",
    "calibration": "Calibration on the validation exams, each value with its 95% CI; in parentheses its ideal",
    "comparison": "Two models on the same exams",
}


@dataclass(frozen=True)
class StudySize:
    """How large a study is: ``exams`` of the cohort (None: the paper's), slices a series, the training."""

    exams: int | None
    slices: str
    config: TrainConfig
    words: str

    @property
    def counts(self) -> tuple[int, int]:
        """Training exams, and tuning with validation exams."""
        if self.exams is None:
            return 1130, 240
        held_out = 2 * max(1, round(self.exams * 0.2))
        return self.exams - held_out, held_out


def _from_cells(steps: int, epochs: int, slices: int = 32) -> TrainConfig:
    """A study from the trunk, its last layers fitted first."""
    return TrainConfig(
        initialisation="cells",
        head_first=True,
        epochs=epochs,
        trunk=TrunkConfig(steps=steps, slices=slices, warm_up=min(100, steps // 4)),
    )


SIZES = {
    "tiny": StudySize(60, "small", _from_cells(120, 1), "60 small synthetic exams: shows that every part works"),
    "small": StudySize(400, "full", _from_cells(1500, 1), "400 synthetic exams"),
    "paper": StudySize(
        None,
        "full",
        _from_cells(4000, 50, slices=96),
        "1,370 synthetic exams, 50 epochs, as in the paper",
    ),
}


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
        """One line."""
        parts = {"cohort": self.cohort, "trunk": self.trunk, "networks": self.networks, "evaluation": self.rest}
        detail = ", ".join(f"{name} {seconds / 60:.0f}" for name, seconds in parts.items())
        return f"about {self.total / 60:.0f} minutes on this machine ({detail})"


def fit_size(device: str | None) -> str:
    """The size for a device: the paper's on a GPU, ``small`` on a CPU."""
    return "paper" if choose_device(device).type == "cuda" else "small"


def estimate(size: StudySize, device: str | None, data: Path | None) -> Estimate:
    """Time one exam of the phantom and one training step, and multiply."""
    where = choose_device(device)
    gpu = where.type == "cuda"
    exam = exam_seconds(size.slices, str(where)) if data is None else 0.0
    workers = _order(size, Path("cohort"), str(where)).workers()
    workers = workers / 2 if gpu else workers  # on a GPU they wait for each other
    one = step_seconds(device)
    fast = recorded_step_seconds(where) if gpu else one
    training, held_out = size.counts
    slices = SLICES[size.slices]
    if data is not None:
        folder = MRNetFolder.open(data)
        training, held_out, slices = len(folder.exams[Split.TRAIN]), 240, 31
    share = slices / 32
    config = size.config
    features = (training + 2 * held_out) * len(Plane) * share * fast * 0.4
    wide = 1.0 if gpu else config.trunk.slices / 32  # a GPU waits for launches, not for arithmetic
    return Estimate(
        cohort=0.0 if data is not None else (training + held_out) * exam / workers,
        trunk=config.trunk.steps * one * wide * 1.35 if config.initialisation == "cells" else 0.0,
        networks=features + config.epochs * NETWORKS * share * fast * (training + 0.4 * held_out),
        rest=60 + held_out / 2 * len(Plane) * share * one * 1.2,
    )


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


def reproduce(
    out: Path,
    *,
    size: str,
    data: Path | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Run every stage that is not done, then write ``OUT/report.html`` and ``OUT/report.pdf``; returns the former.

    Raises
    ------
    InputError
        An unknown size, or a folder that holds something else.
    """
    if size not in SIZES:
        raise InputError(f"size {size!r} is unknown; choose one of {', '.join(SIZES)}")
    plan, out = SIZES[size], Path(out)
    run, cohort = out / "run", data or out / "cohort"
    say(f"{plan.words if data is None else data}: {estimate(plan, device, data).words()}")
    if data is None:
        say("cohort")
        make_cohort(_order(plan, cohort, str(choose_device(device))))
    config = plan.config
    if data is not None and not MRNetFolder.open(data).has_cells:
        config = TrainConfig(epochs=config.epochs, initialisation=_start(say))  # no dense labels: as in the paper
    say("training")
    train(cohort, run, config, device=device, resume=(run / "config.json").is_file(), engine=engine or Engine())
    say("regressions and scores")
    summary = ensemble(run, name=f"{out.resolve().name} ({size})")
    if (cohort / "lesions.jsonl").is_file() and not (run / GRADES).is_file():
        say("heatmap grades")
        grade_run(run, cohort)
    say("report")
    return write_report(out, run, summary)


def _start(say: Callable[[str], None]) -> str:
    """ImageNet's weights where they can be had, else the demo model's trunk, which has seen synthetic knees."""
    try:
        initialise("imagenet", 0)
    except InstallationError as error:
        say(f"{error}; this run starts from the demo model's trunk, which was trained on synthetic knees")
        return str(DEMO_RUN / "weights" / "sagittal_abnormal.safetensors")
    return "imagenet"


def _order(plan: StudySize, cohort: Path, device: str) -> CohortOrder:
    return CohortOrder(
        out=cohort,
        exams=plan.exams,
        seed=SEED,
        paper=plan.exams is None,
        form="mrnet",
        size=plan.slices,
        device=device,
        resume=cohort.is_dir() and any(cohort.iterdir()),
    )


def write_report(out: Path, run: Path, summary: EnsembleSummary) -> Path:
    """Put together what a run holds, beside the paper's numbers, and write it as HTML and PDF."""
    manifest = Run.open(run).manifest
    title = f"MRNet, the study again: {manifest['name']}"
    mark = "SYNTHETIC: computed knees, no patients. Nothing here is a result about real knees." * manifest["synthetic"]
    sections = [_about(manifest), _performance(run, summary), _networks(run, summary, manifest)]
    sections += [section for section in (_heatmaps(run), _readers(run)) if section is not None]
    write_whole(out / "report.html", study_html(title, mark, sections))
    write_whole(out / "report.pdf", study_pdf(title, mark, sections))
    for section in sections:
        for number, (_, table) in enumerate(section.tables, 1):
            name = f"{section.title.lower().replace(' ', '_')}_{number}.csv"
            write_whole(out / "tables" / name, table.to_csv(index=False))
    return out / "report.html"


def _about(manifest: dict) -> Section:
    words = [
        f"Trained on {manifest['trained_on']}. Device: {manifest['device']}. Training: "
        f"{manifest['seconds'] / 60:.0f} minutes. Version {manifest['version']}, commit "
        f"{manifest['commit'] or 'unknown'}.",
        f"The paper: {paper.CITATION}.",
    ]
    tables = [("Departures", pd.DataFrame({"departure from the paper": manifest["departures"]}))]
    if manifest["warnings"]:
        tables.append(("Warnings", pd.DataFrame({"warning": _grouped(manifest["warnings"])})))
    return Section("What this is", tuple(words), tuple(tables))


def _grouped(warnings: Sequence[str]) -> list[str]:
    """Warnings that differ only in the planes of a regression become one, which lists the sets of planes."""
    found: dict[tuple[str, str], list[str]] = {}
    for warning in warnings:
        match = REGRESSION_WARNING.fullmatch(warning)
        key = (f"{Task(match['task']).display_name} ({match['source']})", match["rest"]) if match else ("", warning)
        found.setdefault(key, []).append(match["planes"].replace(", ", " + ") if match else "")
    return [
        f"Regression of {task} over {'; '.join(planes)}: {rest}" if task else rest
        for (task, rest), planes in found.items()
    ]


def _performance(run: Path, summary: EnsembleSummary) -> Section:
    paper_auc = {task.value: paper.AUC[task] for task in Task}
    rows = [
        {
            "set": record["split"],
            "task": record["task"],
            "model": record["model"],
            "AUC": record["auc"],
            "positive": record["n_pos"],
            "negative": record["n_neg"],
            "paper, validation": paper_auc[record["task"]][0] if record["model"] == "ensemble, training" else "",
        }
        for record in summary.aucs
    ]
    tables, figures = [("AUC of networks and ensembles", pd.DataFrame(rows))], []
    if (run / "scores" / "validation_scores.csv").is_file():
        validation = evidence.run_validation(str(run))
        frames = evidence.validation_frames(validation)
        tables += [(VALIDATION_CAPTIONS[name], frame) for name, frame in frames.items()]
        figures = [_picture(spec) for spec in evidence.validation_figures(validation)]
    words = (
        "Tuning exams chose the epochs and the penalty, so their figures are too good; validation exams chose nothing. "
        "MRNet-v1.0 as handed out has no validation set: its public valid split is the paper's tuning set."
    )
    return Section("Performance", (words,), tuple(tables), tuple(figures))


def _networks(run: Path, summary: EnsembleSummary, manifest: dict) -> Section:
    coefficients = pd.DataFrame(
        [
            {
                "task": record["task"],
                "fitted on": record["source"],
                "planes": ", ".join(record["planes"]),
                **{plane.value: record["coefficients"].get(plane.value) for plane in Plane},
                "intercept": record["intercept"],
            }
            for record in summary.coefficients
        ]
    )
    words = "The paper found axial most useful for abnormality and meniscus, coronal for ACL (Methods)."
    records = history.read(run)
    figures = (("Tuning loss and AUC by epoch; dots: chosen epochs", curves_figure(records)),) if records else ()
    seeds = ", ".join(f"{name.replace('_', ' ')} {seed}" for name, seed in manifest["seeds"].items())
    return Section(
        "Networks and regressions", (words, f"Seeds kept: {seeds}."), (("Regressions", coefficients),), figures
    )


def _heatmaps(run: Path) -> Section | None:
    opened = Run.open(run)
    if not opened.has(GRADES):
        return None
    grades = opened.json(GRADES)
    table = pd.DataFrame(grades["records"])
    first = ["network", "plane", "task"]
    measures = ["n", "pointing", "pointing_chance", "pointing_prior"]
    measures += ["right_slice", "right_slice_chance", "energy", "energy_chance"]
    whole = table[table["by"] == "all"] if len(table) else table
    tables = [("Whole validation set", whole.reindex(columns=[*first, *measures]))]
    if len(table):
        lesions = table[table["by"] != "all"]
        for network, rows in lesions.groupby("network", sort=False):
            shown = rows.reindex(columns=[*first[1:], "by", "group", *measures])
            tables.append((f"By lesion, the {network} networks", shown))
    return Section("Heatmaps", (grades["note"], "No public MRNet work measures this."), tuple(tables))


def _readers(run: Path) -> Section | None:
    opened = Run.open(run)
    if not opened.has("readers/reads.csv"):
        return None
    study = evidence.run_readers(str(run))
    tables = (
        ("Table 2, this study (simulated readers)", evidence.recomputed_table2(study)),
        ("Table 2, printed", evidence.printed_table2()),
        ("Table 3, this study (simulated readers)", evidence.recomputed_table3(study)),
        ("Table 3, printed", evidence.printed_table3()),
    )
    figures = tuple(_picture(spec) for spec in evidence.reader_figures(study))
    words = ("The readers of a phantom cohort are simulated: they show that the analysis runs, and nothing else.",)
    return Section("Reader study", words, tables, figures)


def _picture(spec: FigureSpec) -> tuple[str, bytes]:
    """A figure by its title; several panels side by side have large letters, for a page makes them small."""
    return spec.title, evidence.figure_file(spec, "png", large=len(spec.panels) > 1)
