"""The whole study in one folder: cohort (or data at hand), training, regressions, evaluation, heatmap grades, report.

Every stage picks up what an earlier run finished, so the same command goes on after a stop.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mrnet_core import paper
from mrnet_core.api import evidence, run_view
from mrnet_core.api.cohorts import make_cohort
from mrnet_core.api.localisation import grade_run
from mrnet_core.api.runs import Engine, EnsembleSummary, ensemble, read_config, train
from mrnet_core.api.study_plan import LONG, Changes, StudyPlan, cohort_order, estimate, fit_size, plan_study
from mrnet_core.config import CONFIG, TrainConfig, tuning_words
from mrnet_core.domain import Cancelled, InputError, Plane, Split, Task
from mrnet_core.report.figure_spec import FigureSpec
from mrnet_core.report.study import Section, curves_figure, study_html
from mrnet_core.report.study_pdf import study_pdf
from mrnet_core.store import GRADES, Run, write_whole
from mrnet_core.training import history
from mrnet_core.training.arithmetic import choose_device

STUDY = "study.json"
"""File of a study's folder that holds which data it is of, and its size."""
REGRESSION_WARNING = re.compile(
    rf"The regression of (?P<task>{'|'.join(Task)}) over (?P<planes>[^(]+) "
    r"\((?P<source>[^)]+)\) has (?P<rest>a negative .+)"
)
"""One of ``ensemble``'s warnings, which a small study has by the dozen."""
VALIDATION_CAPTIONS = {
    "auc": "AUC on the {split} exams",
    "operating": "Rates on the {split} exams at two operating points",
    "predictive": "Predictive values at the {split} exams' prevalence, and likelihood ratios",
    "calibration": "Calibration on the {split} exams, each value with its 95% CI; in parentheses its ideal",
    "comparison": "Two models on the same exams",
}


def reproduce(
    out: Path,
    *,
    size: str | None = None,
    data: Path | None = None,
    changes: Changes | None = None,
    device: str | None = None,
    engine: Engine | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Run every stage that is not done, then write ``OUT/report.html`` and ``OUT/report.pdf``; returns the former.

    Parameters
    ----------
    out
        Folder of the study.
    size
        One of ``study_plan.SIZES``; None: that of the study in ``out``, else what fits (``study_plan.fit_size``).
    data
        MRNet-v1.0 folder or phantom cohort; None: a phantom cohort of ``size`` is made in ``out``.
    changes
        What of the training is not as the size has it.
    say
        Told what will run and how long it takes before anything is done, then each stage.

    Raises
    ------
    InputError
        An unknown size, data that breaks its format, or a folder that holds something else or another study.
    Cancelled
        Ctrl-C: what is finished is kept.
    """
    out = Path(out)
    run, kept = out / "run", _kept(out)
    size = size or kept.get("size") or fit_size(device, data)
    begun = read_config(run) if (run / CONFIG).is_file() else None
    plan = plan_study(size, data, changes or Changes(), begun)
    _claim(out, kept, plan)
    say(plan.words())
    try:
        say(_time_words(plan, device, going_on=bool(kept)))
        return _stages(out, run, plan, device, engine or Engine(), say)
    except (Cancelled, KeyboardInterrupt) as stop:
        raise Cancelled(f"stopped; what is finished is kept: the same command goes on in {out}") from stop


def _kept(out: Path) -> dict[str, str]:
    """Which study ``out`` holds; empty where nothing of one was done in it yet."""
    source = out / STUDY
    if not any((out / name).is_dir() for name in ("cohort", "run")):
        return {}
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
        return {key: str(found[key]) for key in ("data", "digest", "size")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source} does not say which study this is: remove it, or name another --out") from error


def _claim(out: Path, kept: Mapping[str, str], plan: StudyPlan) -> None:
    """Keep in ``out`` which study it is of; refuse another one."""
    study = {**plan.data, "size": plan.size}
    if kept and (kept["digest"], kept["size"]) != (study["digest"], study["size"]):  # a folder may change its name
        before, now = (f"{one['data']} (size {one['size']})" for one in (kept, study))
        other = f"not of {now}" if before != now else "and its exams, labels or series have changed since"
        raise InputError(
            f"{out} holds the study of {before}, {other}: go on with the same --data and --size, or name another --out"
        )
    if not kept:
        write_whole(out / STUDY, json.dumps(study, indent=2) + "\n")


def _time_words(plan: StudyPlan, device: str | None, going_on: bool) -> str:
    needed = estimate(plan, device)
    shorter = "; fewer --epochs or a smaller --size take less" if needed.total >= LONG else ""
    less = "; what is finished already is not done again" if going_on else ""
    return f"{needed.words()}{shorter}{less}"


def _stages(
    out: Path, run: Path, plan: StudyPlan, device: str | None, engine: Engine, say: Callable[[str], None]
) -> Path:
    cohort = out / "cohort" if plan.folder is None else plan.folder.root
    if plan.folder is None:
        say("cohort")
        make_cohort(cohort_order(plan.size, cohort, str(choose_device(device))))
    say("training")
    train(cohort, run, plan.config, device=device, resume=(run / CONFIG).is_file(), engine=engine)
    say("regressions and scores")
    summary = ensemble(run, name=f"{out.resolve().name} ({plan.size})")
    if plan.graded and not (run / GRADES).is_file():
        say("heatmap grades")
        grade_run(run, cohort)
    say("report")
    return write_report(out, run, summary)


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
        f"{manifest['seconds'] / 60:.0f} minutes of steps. Version {manifest['version']}, commit "
        f"{run_view.commit_words(manifest, digits=40) or 'unknown'}.",
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
    split = evidence.scored_split(Run.open(run))
    if split is not None:
        validation = evidence.run_validation(str(run))
        frames = evidence.validation_frames(validation)
        tables += [(VALIDATION_CAPTIONS[name].format(split=split), frame) for name, frame in frames.items()]
        figures = [_picture(spec) for spec in evidence.validation_figures(validation)]
    words = _chosen_words(read_config(run), validated=split is Split.VALIDATION)
    return Section("Performance", (words,), tuple(tables), tuple(figures))


def _chosen_words(config: TrainConfig, validated: bool) -> str:
    """Which exams chose something, and whose figures are too good for it."""
    if validated:
        return f"{tuning_words(config)} The validation exams chose nothing."
    return (
        f"{tuning_words(config)} There are no validation exams: MRNet-v1.0 has none, and the paper's own were never "
        "released. What follows is of the tuning exams."
    )


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
    if table.empty:
        return Section("Heatmaps", (grades["note"],))
    first, whole = ["network", "plane", "task"], table[table["by"] == "all"]
    calls = ["called", "called_elsewhere_x"]
    whole = whole.reindex(columns=[*first, *GRADED, *_with_bounds("energy_gain"), *calls])
    for name in calls:  # counts, and none for untrained networks
        whole[name] = pd.Series([None if pd.isna(x) else int(x) for x in whole[name]], whole.index, dtype=object)
    tables = [("Whole validation set", whole)]
    for network, rows in table[table["by"] != "all"].groupby("network", sort=False):
        shown = rows.reindex(columns=[*first[1:], "by", "group", *GRADED])
        tables.append((f"By lesion, the {network} networks", shown))
    draws = table.get("draws", pd.Series(dtype=float)).max()
    ranges = f"Untrained: {draws:.0f} random draws, their mean and range." if draws > 1 else ""
    words = (grades["note"], " ".join(filter(None, (ranges, "No public MRNet work measures this."))))
    figure = run_view.grades_figure(run_view.read_run(run), Task.ABNORMAL, "all")
    return Section("Heatmaps", words, tuple(tables), () if figure is None else (_picture(figure),))


def _with_bounds(name: str) -> list[str]:
    """A measure's column with those of its interval, and of its range over random draws."""
    return [name, *(f"{name}_{end}" for end in ("lower", "upper", "lowest", "highest"))]


GRADED = [
    *("n", *_with_bounds("pointing"), "pointing_chance", "pointing_prior", "pointing_fixed"),
    *(*_with_bounds("right_slice"), "right_slice_chance", *_with_bounds("energy"), "energy_chance"),
]
"""Columns of heatmap grades that the report's tables have."""


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
