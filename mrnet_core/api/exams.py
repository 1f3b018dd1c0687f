"""From an exam's files to its probabilities: the door that the command line and the pages share."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mrnet_core.api.demo import SYNTHETIC_MODEL, is_synthetic
from mrnet_core.api.viewer_data import DemoTruth, LesionMask, TrueLesion
from mrnet_core.datasets.npy_exam import plane_of_name, read_npy_exam
from mrnet_core.dicom import UploadedFile, gather, read_exam, shared_decoder
from mrnet_core.domain import Exam, ExamPrediction, InputError, Plane, Side, Task
from mrnet_core.ensemble import Predictor
from mrnet_core.phantom import PhantomExam, exam_files, make_exam
from mrnet_core.preprocess import prepare
from mrnet_core.store import resolve_run

Progress = Callable[[str, float], None]
"""Called with the stage in words and the share done of it, 0 to 1; may raise Cancelled."""


def load_predictor(model: str | None = None) -> Predictor:
    """The model of a RUN folder: ``model``, else the variable MRNET_MODEL, else the demo model that ships.

    A RUN is loaded once in a process.

    Raises
    ------
    InputError
        No such folder, or not a RUN.
    ArtifactError
        A file of it is missing or damaged.
    """
    return _predictor(resolve_run(model))


@lru_cache(maxsize=2)
def _predictor(run: Path) -> Predictor:
    return Predictor.load(run)


def warm_up() -> None:
    """Begin to start the process that decodes images, and return at once: the first exam then need not wait for it."""
    shared_decoder().start()


def open_exam(
    source,
    *,
    choices: Mapping[Plane, str] | None = None,
    side: Side | None = None,
    progress: Progress | None = None,
) -> Exam:
    """Read one exam from paths or uploaded files.

    npy series where a file is named after a plane (``sagittal.npy``; in a folder or zip too), else DICOM:
    :func:`mrnet_core.dicom.read_exam`.

    Raises
    ------
    ExamError
        Nothing readable.
    InputError
        A choice of series or a side asked of npy series.
    """
    gathered = gather(source)
    if not any(plane_of_name(entry.name) for entry in gathered.entries):
        return read_exam(gathered, choices=choices, side=side, progress=progress)
    if choices or side:
        raise InputError("npy series hold neither series UIDs nor a side: leave the choice of series and side out")
    if progress:
        progress("Reading files", 0.0)
    exam = read_npy_exam([(entry.position, entry.name, entry.load) for entry in gathered.entries])
    return replace(exam, skipped=(*exam.skipped, *gathered.skipped))


def demo_exam(seed: int, k: int, pathology: str | None, progress: Progress | None = None) -> tuple[Exam, DemoTruth]:
    """A synthetic exam, written as DICOM in memory and read back as any other exam would be; and the truth about it."""
    if progress:
        progress("Making a synthetic knee", 0.0)
    phantom = make_exam(seed, k, pathology=pathology)
    files = [UploadedFile(name, data) for name, data in exam_files(phantom).items()]
    return read_exam(files, progress=progress), demo_truth(phantom)


def demo_truth(phantom: PhantomExam) -> DemoTruth:
    """What was put into a synthetic knee, in words and as masks in its series' own matrix."""
    lesions = []
    for number, lesion in enumerate(phantom.lesions):
        masks = {plane: LesionMask.crop(of_plane[number]) for plane, of_plane in phantom.masks.items()}
        lesions.append(TrueLesion(lesion.words(), {plane: mask for plane, mask in masks.items() if mask is not None}))
    labels = ", ".join(
        f"{task.display_name.lower() if task is Task.ABNORMAL else task.display_name} {'yes' if truth else 'no'}"
        for task, truth in phantom.labels.items()
    )
    count = {0: "no lesion", 1: "one lesion"}.get(len(lesions), f"{len(lesions)} lesions")
    return DemoTruth(f"This synthetic knee was made with {count}. True labels: {labels}.", tuple(lesions))


def predict_exam(exam: Exam, predictor: Predictor, progress: Progress | None = None) -> ExamPrediction:
    """Probabilities and heatmaps of an exam, by every network of the planes at hand.

    Warnings of the prediction name missing planes, and a model trained on synthetic knees that meets a real one.
    """
    stacks = {}
    for done, (plane, series) in enumerate(exam.series.items()):
        if progress:
            progress("Standardising intensities", done / len(exam.series))
        stacks[plane] = prepare(series, predictor.landmarks[plane])
    prediction = predictor.predict(stacks, progress=progress)
    warnings = list(prediction.warnings)
    missing = [plane.display_name.lower() for plane in Plane if plane not in exam.series]
    if missing:
        rule = "one network's own probability" if len(exam.series) == 1 else "a regression over the planes at hand"
        warnings.append(f"No {' and no '.join(missing)} series: each probability is {rule}.")
    if predictor.info.synthetic and not is_synthetic(exam):
        warnings.insert(0, SYNTHETIC_MODEL)
    return replace(prediction, warnings=tuple(dict.fromkeys(warnings)))


def by_plane(prediction: ExamPrediction) -> dict[Plane, dict[Task, float]]:
    """Each network's probability, by plane and task."""
    table: dict[Plane, dict[Task, float]] = {plane: {} for plane in prediction.planes_used}
    for score in prediction.scores:
        table[score.plane][score.task] = score.probability
    return table
