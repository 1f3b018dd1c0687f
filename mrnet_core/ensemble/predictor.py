"""A trained RUN made ready to answer: nine networks, their landmarks and the regressions over the planes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mrnet_core.config import CONFIG, TrainConfig
from mrnet_core.domain import (
    MODEL_SIZE,
    ArtifactError,
    ExamPrediction,
    Heatmap,
    InputError,
    ModelInfo,
    Plane,
    SeriesScore,
    Task,
)
from mrnet_core.ensemble.constant import constant_networks, constant_warnings
from mrnet_core.ensemble.logistic import Ensemble
from mrnet_core.models import MRNet, NetworkCard, card_path, fold_first_convolution, load_network
from mrnet_core.preprocess import Landmarks
from mrnet_core.store import Run, partial_words, unfinished_words

BATCH = 32
"""Slices a pass: bounds memory for very long series, and keeps a cancel within a second."""
ENSEMBLE = "ensemble.json"


def weights_name(plane: Plane, task: Task) -> str:
    """Where a network's weights lie in a RUN."""
    return f"weights/{plane}_{task}.safetensors"


def landmarks_name(plane: Plane) -> str:
    """Where a plane's landmarks lie in a RUN."""
    return f"landmarks/{plane}.json"


ANSWERING = (
    *(weights_name(plane, task) for plane in Plane for task in Task),
    *(landmarks_name(plane) for plane in Plane),
    ENSEMBLE,
)
"""Files of a RUN that answer exams, beside the networks' cards."""


@dataclass(frozen=True)
class Predictor:
    """Nine networks and what belongs to them; loaded once, it answers any number of exams.

    Attributes
    ----------
    info
        Which model this is.
    landmarks
        By plane, what ``preprocess.prepare`` needs.
    ensemble
        The regressions.
    networks
        By plane and task, folded to one input channel. Networks of a plane with the same convolutions share them as one
        object, which then runs once a series.
    constant
        By plane and task, why a network that gives every exam one answer is called so.
    """

    info: ModelInfo
    landmarks: Mapping[Plane, Landmarks]
    ensemble: Ensemble
    networks: Mapping[tuple[Plane, Task], MRNet]
    constant: Mapping[tuple[Plane, Task], str] = field(default_factory=dict)

    @classmethod
    def load(cls, folder) -> "Predictor":
        """Load a RUN; every file's SHA-256 is checked.

        Raises
        ------
        InputError
            The folder is no RUN, or one that does not hold all nine networks, joined.
        ArtifactError
            A file is missing, damaged or malformed; the message names it.
        """
        run = Run.open(folder)
        _check_whole(run)
        networks: dict[tuple[Plane, Task], MRNet] = {}
        cards: dict[tuple[Plane, Task], NetworkCard] = {}
        for plane in Plane:
            for task in Task:
                name = weights_name(plane, task)
                run.path(card_path(run.folder / name).relative_to(run.folder).as_posix())
                model, card = load_network(run.path(name))
                if (card.plane, card.task) != (plane, task):
                    raise ArtifactError(
                        f"{run.folder / name} is the network of {card.plane} {card.task}: copy it again"
                    )
                cards[plane, task] = card
                _share(fold_first_convolution(model), plane, task, networks)
        info = ModelInfo(
            name=run.manifest["name"],
            trained_on=run.manifest["trained_on"],
            synthetic=run.manifest["synthetic"],
            engine=f"torch {torch.__version__.split('+')[0]}, float32, CPU",
            version=str(run.manifest.get("version", "")),
        )
        landmarks = {plane: Landmarks.from_json(run.text(landmarks_name(plane))) for plane in Plane}
        ensemble = Ensemble.from_json(run.text(ENSEMBLE))
        return cls(info, landmarks, ensemble, networks, constant_networks(cards, [ensemble]))

    def predict(
        self, stacks: Mapping[Plane, NDArray[np.uint8]], progress: Callable[[str, float], None] | None = None
    ) -> ExamPrediction:
        """Answer one exam.

        Parameters
        ----------
        stacks
            By plane, the prepared series: uint8 ``(s, 256, 256)``. One plane is enough.
        progress
            Called with the stage in words and the share done before each pass of a network; may raise to stop.

        Raises
        ------
        InputError
            No plane, or a stack of another shape or type.
        """
        planes = tuple(plane for plane in Plane if plane in stacks)
        if not planes:
            raise InputError("an exam needs at least one plane's series; none was given")
        report = progress or (lambda words, fraction: None)
        scores: list[SeriesScore] = []
        for number, plane in enumerate(planes):
            _check(plane, stacks[plane])
            scores += self._series(plane, stacks[plane], report, number, len(planes))
        report("Running the networks", 1.0)
        probabilities = {
            task: float(self.ensemble.combine(task, {one.plane: one.probability for one in scores if one.task is task}))
            for task in Task
        }
        warnings = constant_warnings(self.constant, self.ensemble, planes)
        return ExamPrediction(probabilities, tuple(scores), planes, self.info, warnings)

    def _series(self, plane: Plane, stack: NDArray, report: Callable, number: int, planes: int) -> list[SeriesScore]:
        """Every task's score of one series; ``number`` of ``planes`` series are done."""
        networks = {task: self.networks[plane, task] for task in Task}
        answers = run_series(networks, stack, lambda done: report("Running the networks", (number + done) / planes))
        return [
            SeriesScore(plane, task, float(1 / (1 + np.exp(-logit))), Heatmap(plane, task, cam))
            for task, (logit, cam) in answers.items()
        ]


def run_series(
    networks: Mapping[Task, MRNet], stack: NDArray[np.uint8], progress: Callable[[float], None] | None = None
) -> dict[Task, tuple[np.float64, NDArray[np.float32]]]:
    """One plane's networks on one series: by task, the logit and the class activation maps ``(s, 7, 7)``.

    Convolutions that several networks share (the same object) run once. ``progress`` is called with the share done
    before each pass, and may raise to stop.
    """
    device = next(iter(networks.values())).mean.device
    batches = torch.from_numpy(np.array(stack)).to(device).split(BATCH)  # a copy: torch wants no read-only arrays
    steps = len(batches) * len({network.features for network in networks.values()})
    cache: dict[nn.Module, Tensor] = {}
    done, answers = 0, {}
    with torch.inference_mode():
        for task, network in networks.items():
            if network.features not in cache:
                parts = []
                for batch in batches:
                    if progress:
                        progress(done / steps)
                    parts.append(network.maps(batch))
                    done += 1
                cache[network.features] = torch.cat(parts)
            maps = cache[network.features]
            answers[task] = np.float64(network.head(maps).item()), np.array(network.cam(maps).cpu().numpy())
    return answers


def fingerprint(run: Run) -> str:
    """SHA-256 over the files that answer exams: it stays the same when scores or grades are added to a RUN."""
    files = run.manifest["files"]
    named = [name for name in sorted(files) if name in ANSWERING]
    return hashlib.sha256("".join(f"{files[name]} {name}\n" for name in named).encode()).hexdigest()


def _check_whole(run: Run) -> None:
    """Every network, landmark and regression is there, or an error: the person's where the run was to have fewer."""
    lacking = [name for name in ANSWERING if not run.has(name)]
    if not lacking:
        return
    asked = run.folder / CONFIG
    if asked.is_file():  # as it is now: `train --resume` may have added networks since the manifest was written
        config = TrainConfig.read(asked)
        raise InputError(f"{run.folder} {partial_words(config, run.folder) or unfinished_words(run.folder)}")
    raise ArtifactError(
        f"{run.folder} cannot answer exams: it lacks {', '.join(lacking)}; train all three planes and tasks, "
        "then run `python -m mrnet_core ensemble RUN`"
    )


def _share(model: MRNet, plane: Plane, task: Task, networks: dict[tuple[Plane, Task], MRNet]) -> None:
    """Enter a network; where an earlier one of its plane has the same convolutions and scale, it takes over those."""
    for other_task in Task:
        other = networks.get((plane, other_task))
        if other is not None and _same_trunk(model, other):
            model.features = other.features
            break
    # Measured on two cores: channels last takes two thirds of the time.
    networks[plane, task] = model.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _same_trunk(one: MRNet, other: MRNet) -> bool:
    pairs = zip(one.features.state_dict().values(), other.features.state_dict().values(), strict=True)
    same_scale = torch.equal(one.mean, other.mean) and torch.equal(one.sd, other.sd)
    return same_scale and all(torch.equal(first, second) for first, second in pairs)


def _check(plane: Plane, stack: NDArray) -> None:
    if stack.ndim != 3 or stack.shape[1:] != (MODEL_SIZE, MODEL_SIZE) or 0 in stack.shape or stack.dtype != np.uint8:
        raise InputError(
            f"the {plane} stack must be uint8 (s, {MODEL_SIZE}, {MODEL_SIZE}) with at least one slice; "
            f"got {stack.dtype} {stack.shape}"
        )
