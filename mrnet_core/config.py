"""What a training run was asked to do: frozen records, JSON in and out, a hash that names them.

A default is the paper's value (Bien et al. 2018, Methods, "Model") wherever the paper gives one; ``departures`` lists
in words every field that was set to something else, for the model's card.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from mrnet_core.domain import MODEL_SIZE, InputError, Plane, Task

CONFIG = "config.json"
"""File of a RUN that holds what it was asked to do."""
DATA_NOTE = "checkpoints/data.txt"
"""Where the data folder's place is kept: it belongs to this machine, so it is no part of the RUN that is passed on."""
PRECISIONS = ("auto", "float32", "bfloat16")
INITIALISATIONS = ("imagenet", "random", "cells")
WEIGHT_FILES = (".safetensors", ".pt", ".pth")
"""How a file of initial weights ends, the fourth way to start."""
SCHEDULES = ("constant", "cosine")
TUNING_SETS = ("valid", "inner")
MOST = 1e6
"""Largest weight or norm that is taken for meant."""
CELL_PIXELS = 32
"""Width of a cell of dense labels: a slice that is shifted further no longer shows what its labels say."""


@dataclass(frozen=True)
class TrunkConfig:
    """The trunk that is trained on the digital knee's dense labels where no ImageNet weights can be had.

    Nothing of it is the paper's; the choices and their figures stand in LOG.md.
    """

    steps: int = 3000  # optimiser steps
    slices: int = 32  # slices a step, of all planes
    learning_rate: float = 3e-4  # Adam, at its peak
    warm_up: int = 100  # steps until the peak; a cosine to a twentieth of it follows
    clip: float = 1.0  # largest norm of the gradient
    seed: int = 1  # of weights, sampling and augmentation
    shift_pixels: int = 6  # whole pixels; small enough that the cells' labels stay true
    gain: float = 0.1  # brightness is scaled by 1 - gain to 1 + gain
    lesion_share: float = 0.40  # of the slices drawn, those that show a lesion
    intact_share: float = 0.38  # those that show the structures that tear, intact
    structure_weight: float = 0.3  # weight of an anatomy channel's loss; a lesion channel's is 1
    slice_weight: float = 1.0  # weight of the loss of "does this slice show a lesion", through global average pooling
    detector_weight: float = 1.0  # weight of the loss of the maps that are held to be lesions
    exam_weight: float = 1.0  # weight of the loss of the three tasks, through pooling and the maximum over a series
    exam_start: float = 0.3  # share of the steps after which whole exams take part

    def __post_init__(self) -> None:
        for name in ("steps", "slices"):
            _at_least(f"trunk.{name}", getattr(self, name), 1)
        for name in ("warm_up", "seed", "shift_pixels"):
            _at_least(f"trunk.{name}", getattr(self, name), 0)
        for name in ("learning_rate", "clip"):
            _above_zero(f"trunk.{name}", getattr(self, name))
        for name in ("lesion_share", "intact_share", "exam_start", "gain"):
            _share(f"trunk.{name}", getattr(self, name))
        for name in ("structure_weight", "slice_weight", "detector_weight", "exam_weight"):
            _between(f"trunk.{name}", getattr(self, name), 0, MOST)
        _between("trunk.shift_pixels", self.shift_pixels, 0, CELL_PIXELS)
        if self.lesion_share + self.intact_share > 1:
            raise InputError(
                f"lesion_share {self.lesion_share} and intact_share {self.intact_share} are more than 1 together"
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run of up to nine networks for each seed."""

    planes: tuple[Plane, ...] = tuple(Plane)  # paper: three
    tasks: tuple[Task, ...] = tuple(Task)  # paper: three
    seeds: tuple[int, ...] = (1,)  # paper: one internally, five on the external set
    epochs: int = 50  # paper: 50
    exams_per_step: int = 1  # paper: 1
    rotation_degrees: float = 25.0  # paper: uniform in ±25
    shift_pixels: float = 25.0  # paper: uniform in ±25, both axes
    flip: float = 0.5  # paper: horizontal, in half of the cases
    initialisation: str = "imagenet"  # paper: ImageNet
    head_first: bool = False  # paper: no; fit the last layer on features of the untouched trunk before epoch 1
    learning_rate: float = 1e-5  # Adam; the paper does not give it
    warm_up: int = 100  # steps; the paper does not mention any
    schedule: str = "constant"  # after the warm-up; the paper does not give it
    weight_decay: float = 0.0  # the paper does not mention any
    clip: float = 0.0  # largest norm of the gradient; 0 is off: the paper mentions none, and 1 does harm (LOG.md)
    tuning: str = "valid"  # paper: the tuning set chooses the epoch; "inner" takes a part of the training exams
    inner_share: float = 0.15  # the part of the training exams that chooses the epoch where tuning is "inner"
    precision: str = "auto"  # float32 master weights always; "auto" is bfloat16 arithmetic where it measures faster
    side_by_side: int = 0  # networks of a plane that share one process and its pictures; 0: all
    trunk: TrunkConfig = field(default_factory=TrunkConfig)  # used where initialisation is "cells"

    def __post_init__(self) -> None:
        for name in ("planes", "tasks", "seeds"):
            _list(name, getattr(self, name))
        for seed in self.seeds:
            _at_least("a seed", seed, 0)
        object.__setattr__(self, "planes", _in_order(Plane, self.planes))
        object.__setattr__(self, "tasks", _in_order(Task, self.tasks))
        object.__setattr__(self, "seeds", tuple(dict.fromkeys(self.seeds)))
        if not (self.planes and self.tasks and self.seeds):
            raise InputError("training needs at least one plane, one task and one seed; one of them is empty")
        _at_least("epochs", self.epochs, 0)
        _at_least("exams_per_step", self.exams_per_step, 1)
        _at_least("side_by_side", self.side_by_side, 0)
        _at_least("warm_up", self.warm_up, 0)
        _above_zero("learning_rate", self.learning_rate)
        _share("flip", self.flip)
        _share("inner_share", self.inner_share)
        if self.inner_share in (0, 1):
            raise InputError(
                "inner_share must lie between 0 and 1 and be neither, so that exams are left to train on and to "
                f"choose the epoch; got {self.inner_share!r}"
            )
        _between("rotation_degrees", self.rotation_degrees, 0, 180)
        _between("shift_pixels", self.shift_pixels, 0, MODEL_SIZE)
        for name in ("weight_decay", "clip"):
            _between(name, getattr(self, name), 0, MOST)
        _one_of("precision", self.precision, PRECISIONS)
        if not isinstance(self.initialisation, str) or not self.initialisation.endswith(WEIGHT_FILES):
            _one_of("initialisation", self.initialisation, (*INITIALISATIONS, "a file of AlexNet weights"))
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("tuning", self.tuning, TUNING_SETS)
        if not isinstance(self.head_first, bool):
            raise InputError(f"head_first must be true or false; got {self.head_first!r}")
        if self.epochs == 0 and not self.head_first:
            raise InputError("0 epochs leave the last layer at random; give head_first, or 1 epoch and more")

    def to_json(self) -> str:
        """The record as JSON text, keys in the order of the fields."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """The record of ``to_json``'s text.

        Raises
        ------
        InputError
            No JSON object, an unknown field, or a value that the field does not allow.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the training configuration is no JSON: {error}") from error
        if not isinstance(values, dict):
            raise InputError("the training configuration must be one JSON object")
        trunk = values.pop("trunk", {})
        if not isinstance(trunk, dict):
            raise InputError(f"trunk in the training configuration must be a JSON object; got {trunk!r}")
        _known(cls, values)
        _known(TrunkConfig, trunk)
        try:
            return cls(**values, trunk=TrunkConfig(**trunk))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the training configuration has a value that its field does not allow: {error}"
            ) from error

    @classmethod
    def read(cls, path: Path) -> "TrainConfig":
        """The record in a file.

        Raises
        ------
        FileNotFoundError
            There is none.
        InputError
            It cannot be read, or ``from_json`` refuses it; the message names the file.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        except InputError as error:
            raise InputError(f"{path}: {error}; mend that file, or put it back as it was") from error

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that name this configuration."""
        return config_hash(self)

    def departures(self) -> tuple[str, ...]:
        """One sentence for everything that differs from the paper's protocol, or that the paper leaves open."""
        words = []
        for item in fields(self):
            if item.name in _PAPER_WORDS and getattr(self, item.name) != item.default:
                words.append(_PAPER_WORDS[item.name].format(value=getattr(self, item.name), paper=item.default))
        if self.initialisation == "cells":
            words.append(
                "Initialisation: a trunk trained on dense labels of synthetic knees (structures, and true masks of "
                "lesions), shared by all networks (paper: ImageNet)."
            )
        elif self.initialisation == "random":
            words.append("Initialisation: random, He et al. (paper: ImageNet).")
        elif self.initialisation != "imagenet":
            words.append(f"Initialisation: the weights of {Path(self.initialisation).name} (paper: ImageNet).")
        if self.head_first:
            words.append("The last layer was fitted on the initial trunk's features first; this counts as epoch 0.")
        if len(self.seeds) > 1:
            words.append(
                f"{len(self.seeds)} networks of different seeds for each plane and task, of which the one of lowest "
                "tuning loss is kept (paper: one)."
            )
        if self.tuning == "inner":
            words.append(
                f"The epoch was chosen on {self.inner_share:.0%} of the training exams (paper: on the tuning set)."
            )
        if self.tuning == "inner" and self.initialisation == "cells":
            words.append(
                "The trunk was trained on every training exam with its masks, also on those that then chose "
                f"{chosen(self)}: the convolutions have seen them."
            )
        words.append(
            f"Not given by the paper: Adam, learning rate {self.learning_rate:g}, {self.schedule} after {self.warm_up} "
            f"steps of warm-up, weight decay {self.weight_decay:g}, {self._clipping()}, the same "
            "order of exams and the same transforms for the networks of a plane, weights stored in float16"
            + (", bfloat16 arithmetic on float32 weights." if self.precision == "bfloat16" else ".")
        )
        return tuple(words)

    def _clipping(self) -> str:
        return f"gradients clipped at norm {self.clip:g}" if self.clip else "gradients not clipped"


_PAPER_WORDS = {
    "epochs": "Epochs: {value} (paper: {paper}).",
    "exams_per_step": "Exams a step: {value} (paper: {paper}).",
    "rotation_degrees": "Rotation: within {value:g} degrees (paper: {paper:g}).",
    "shift_pixels": "Shift: within {value:g} pixels (paper: {paper:g}).",
    "flip": "Horizontal flip in a share of {value:g} (paper: {paper:g}).",
}


def config_hash(config: Any) -> str:
    """16 hexadecimal digits of the SHA-256 of a frozen record's fields as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:16]


def with_values(config: TrainConfig, **values: Any) -> TrainConfig:
    """The same record with the values that are not None put in."""
    return replace(config, **{name: value for name, value in values.items() if value is not None})


def tuning_words(config: TrainConfig | None) -> str:
    """What the tuning exams chose in a run, and so what their figures are worth; None: a run that does not say."""
    who = "The tuning exams (the data's valid split, the paper's tuning set)"
    if config is None:
        return f"{who} choose the epochs unless a run says otherwise: their figures may be too good."
    if config.tuning == "inner":
        return f"{who} chose nothing: {config.inner_share:.0%} of the training exams chose {chosen(config)}."
    return f"{who} chose {chosen(config)}: their figures are too good."


def chosen(config: TrainConfig) -> str:
    """What the tuning exams, or the inner part of the training exams, choose in a run."""
    things = ["the epochs"] * (config.epochs > 0) + ["the last layers' penalty"] * config.head_first
    things += ["the seeds"] * (len(config.seeds) > 1)
    return " and ".join((*([", ".join(things[:-1])] if things[1:] else []), things[-1]))


def _known(cls: type, values: dict) -> None:
    unknown = sorted(set(values) - {item.name for item in fields(cls)})
    if unknown:
        raise InputError(f"the training configuration has unknown fields: {', '.join(unknown)}")


def _list(name: str, value: Any) -> None:
    """Text is no list, though it gives its letters one by one."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{name} must be a list; got {value!r}")


def _in_order(kind: type[StrEnum], values: Sequence[str]) -> tuple:
    chosen = {kind(value) for value in values}
    return tuple(member for member in kind if member in chosen)


def _at_least(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}; got {value!r}")


def _above_zero(name: str, value: float) -> None:
    if not _number(value) or value <= 0:
        raise InputError(f"{name} must be a finite number above 0; got {value!r}")


def _between(name: str, value: float, least: float, most: float) -> None:
    if not _number(value) or not least <= value <= most:
        raise InputError(f"{name} must be a number from {least:g} to {most:g}; got {value!r}")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _share(name: str, value: float) -> None:
    if not _number(value) or not 0 <= value <= 1:
        raise InputError(f"{name} must lie between 0 and 1; got {value!r}")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} {value!r} is unknown; choose one of {', '.join(allowed)}")
