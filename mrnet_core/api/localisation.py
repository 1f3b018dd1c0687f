"""A model's heatmaps graded on a phantom cohort, whose lesions are known voxel by voxel."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import DatasetError, Plane, Split, Task
from mrnet_core.ensemble import Predictor, run_series
from mrnet_core.evaluation.localisation import CALLED, Case, build_case, grade, over_draws
from mrnet_core.evaluation.scene import POINTING_PIXELS, Lesion, build_scene
from mrnet_core.models import MRNet, fold_first_convolution, initialise
from mrnet_core.store import GRADES, Run, network_hashes, write_manifest, write_whole

UNTRAINED_SEED = 20181
"""Of the untrained networks that the trained ones are held against."""
DRAWS = 5
"""How many random draws of them: one may lie far above chance, or below."""
NOTE = (
    "Synthetic knees. Exams with the finding by the truth; a hit is a hottest cell within 36 pixels of the lesion in "
    "the hottest slice. Prior: the same hot spot on other exams' lesions. Fixed place: the one that hits most of the "
    "other exams' lesions. Untrained: mean of random draws."
)


def grade_run(
    run: Path, cohort: Path, *, split: Split = Split.VALIDATION, progress: Callable[[int, int], None] | None = None
) -> dict:
    """Grade a RUN's heatmaps on a cohort in the ``--mrnet`` form, write ``scores/localisation.json`` and the manifest.

    Parameters
    ----------
    run
        A RUN folder with its manifest (after ``ensemble``).
    cohort
        Folder that ``phantom OUT --mrnet`` wrote.
    split
        Which exams; the paper's validation set by default.
    progress
        Called with exams done and exams in all.

    Returns
    -------
    dict
        What was written: ``records`` of the trained (``LocalisationGrade.record``) and of untrained networks
        (``over_draws``); ``weights``, the SHA-256 of the networks that were graded.

    Raises
    ------
    DatasetError
        The cohort has no lesions.jsonl, or its masks do not belong to its series.
    """
    lesions = read_lesions(cohort, split)
    predictor = Predictor.load(run)
    sets = [predictor.networks, *(untrained_networks(predictor.networks, draw) for draw in range(DRAWS))]
    cases: list[list[Case]] = [[] for _ in sets]
    for done, (exam, plane, stack, marked) in enumerate(_series(cohort, split, lesions)):
        scene = build_scene(exam, plane, marked, stack)
        for networks, found in zip(sets, cases, strict=True):
            answers = run_series({task: networks[plane, task] for task in Task}, stack)
            for task, (logit, cam) in answers.items():
                probability = float(1 / (1 + np.exp(-logit)))
                case = build_case(task, cam, probability, scene)
                if case is not None:
                    found.append(case)
        if progress:
            progress(done // len(Plane) + 1, len(lesions))
    trained = [one.record() for one in grade(cases[0], "trained")]
    untrained = over_draws([grade(found, "untrained") for found in cases[1:]])
    result = {
        "note": NOTE,
        "split": split.value,
        "exams": len(lesions),
        "pointing_pixels": POINTING_PIXELS,
        "called_at": CALLED,
        "weights": network_hashes(run),
        "records": [*trained, *untrained],
    }
    write_whole(run / GRADES, json.dumps(result, indent=2, allow_nan=False) + "\n")
    fields = Run.open(run).manifest
    write_manifest(run, **{key: value for key, value in fields.items() if key not in ("format", "files")})
    return result


def untrained_networks(trained: Mapping[tuple[Plane, Task], MRNet], draw: int = 0) -> dict[tuple[Plane, Task], MRNet]:
    """Networks of random weights with the trained ones' mean and SD; those of a plane share their convolutions.

    ``draw`` counts the random draws from 0.
    """
    networks: dict[tuple[Plane, Task], MRNet] = {}
    for number, ((plane, task), model) in enumerate(trained.items()):
        plain, _ = initialise("random", UNTRAINED_SEED + number + len(trained) * draw)
        fresh = fold_first_convolution(plain).to(model.mean.device)
        fresh.mean.copy_(model.mean)
        fresh.sd.copy_(model.sd)
        first = networks.get((plane, next(iter(Task))))
        if first is not None:
            fresh.features, fresh.mean, fresh.sd = first.features, first.mean, first.sd
        networks[plane, task] = fresh.eval().requires_grad_(False)
    return networks


def read_lesions(cohort: Path, split: Split) -> dict[str, tuple[Lesion, ...]]:
    """By exam of the split, its lesions in the order of the masks' arrays; exams without a lesion are left out.

    Raises
    ------
    DatasetError
        No lesions.jsonl, or a line that is no such record.
    """
    source = cohort / "lesions.jsonl"
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(
            f"{source} cannot be read: heatmaps are graded on a cohort that `phantom OUT --mrnet` made"
        ) from error
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if record["split"] == split.value and record["lesions"]:
                found[record["exam"]] = tuple(_lesion(entry) for entry in record["lesions"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{source}, line {number}: no record of an exam's lesions ({error})") from error
    return found


def _lesion(entry: dict) -> Lesion:
    channel = entry.get("channel", entry["type"])
    label = {"acl tear": Task.ACL.value, "meniscal tear": Task.MENISCUS.value}.get(channel, "")
    return Lesion(entry["type"], entry["grade"], float(entry["severity"]), label)


def _series(
    cohort: Path, split: Split, lesions: Mapping[str, tuple[Lesion, ...]]
) -> Iterator[tuple[str, Plane, NDArray[np.uint8], list[tuple[Lesion, NDArray[np.bool_]]]]]:
    for exam, known in lesions.items():
        for plane in Plane:
            stack = np.load(cohort / split.folder / plane / f"{exam}.npy", allow_pickle=False)
            with np.load(cohort / "masks" / f"{exam}_{plane}.npz", allow_pickle=False) as masks:
                try:
                    marked = [(lesion, masks[f"lesion_{n}"]) for n, lesion in enumerate(known)]
                except KeyError as error:
                    raise DatasetError(
                        f"masks of exam {exam}, {plane}: {len(known)} lesions are recorded, {len(masks.files)} masks "
                        "are there; make the cohort again"
                    ) from error
            if any(mask.shape != stack.shape for _, mask in marked):
                raise DatasetError(f"masks of exam {exam}, {plane}, have another shape than its series {stack.shape}")
            yield exam, plane, stack, marked
