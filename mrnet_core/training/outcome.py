"""What a finished network says of every exam, kept until the regressions are fitted.

``RUN/checkpoints/<name>.npz``: for each split ``exams``, ``labels`` (of the network's task), ``features`` (what the
last layer sees) and ``logits``; of the training exams also ``groups``, a number for each patient. They come from the
weights as they are shipped (float16). Tuning and validation exams are computed in float32, as serving does; training
exams, which only the regressions see, in the run's arithmetic.
"""

import hashlib
import io
import platform
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from mrnet_core import __version__
from mrnet_core.config import WEIGHT_FILES, TrainConfig, with_values
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.datasets.patients import groups_of, patient_words
from mrnet_core.domain import COLLAPSED_LOGIT_SD, ArtifactError, Plane, Split, Task
from mrnet_core.models import MRNet, NetworkCard, load_network, save_network, trained_on
from mrnet_core.store import ROOT, write_whole
from mrnet_core.training.arithmetic import describe
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.network import Network, figures, logits_of, network_name, pooled


@dataclass(frozen=True)
class Outcome:
    """One split of one network: ids, labels ``(n,)``, features ``(n, 256)``, logits ``(n,)``.

    ``groups``: ``(n,)``, the same number for exams of one patient, as far as patients are known; None where nobody kept
    it: not of training exams, or of a run from before it was kept.
    """

    exams: tuple[str, ...]
    labels: NDArray[np.int8]
    features: NDArray[np.float32]
    logits: NDArray[np.float64]
    groups: NDArray[np.int64] | None = None

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """``(n,)``."""
        return expit(self.logits)


def finished(run: Path, plane: Plane, task: Task, seed: int) -> bool:
    """True when the network's outcome is written and whole: nothing is left to do for it."""
    try:
        with zipfile.ZipFile(outcome_path(run, network_name(plane, task, seed))) as file:
            return file.testzip() is None
    except (OSError, EOFError, zipfile.BadZipFile):
        return False


def outcome_path(run: Path, name: str) -> Path:
    """Where a network's outcome is kept."""
    return run / "checkpoints" / f"{name}.npz"


def weights_path(run: Path, name: str) -> Path:
    """Where the weights of one seed are kept until the best seed is known."""
    return run / "checkpoints" / f"{name}.safetensors"


def start_path(run: Path, config: TrainConfig) -> Path:
    """Where a run keeps its copy of the file of initial weights that it starts from."""
    return run / "checkpoints" / "start" / Path(config.initialisation).name


class FeatureCache:
    """Pooled features of networks that share their convolutions: those whose chosen epoch is 0 share the trunk's.

    Training exams are computed in the run's arithmetic, all others in float32, as serving does.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = {True: config, False: with_values(config, precision="float32")}
        self._kept: dict[tuple[str, Split, tuple[str, ...]], Tensor] = {}

    def features(self, model: MRNet, data: PlaneSet) -> Tensor:
        """``pooled`` of ``data``, computed once for equal convolutions."""
        digest = hashlib.sha256()
        for value in model.features.state_dict().values():
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        key = (digest.hexdigest(), data.split, data.exams)
        if key not in self._kept:
            self._kept[key] = pooled(model, data, self._config[data.split is Split.TRAIN])
        return self._kept[key]


def write_outcome(
    network: Network,
    training: PlaneSet,
    sets: Mapping[Split, PlaneSet],
    run: Path,
    folder: MRNetFolder,
    config: TrainConfig,
    cache: FeatureCache,
) -> None:
    """Save the chosen epoch's weights with their card, then what they say of every exam.

    ``training``: what the network was trained on; ``sets``: every exam by split.
    """
    device = next(iter(sets.values())).pictures.device
    network.model.load_state_dict(network.best_state)
    path, said = weights_path(run, network.name), card(network, folder, config, training, device, run)
    save_network(path, network.model, said)
    model, _ = load_network(path)
    model = model.to(device, memory_format=torch.channels_last)
    arrays: dict[str, NDArray] = {}
    for split, data in sets.items():
        features = cache.features(model, data)
        arrays[f"{split}_exams"] = np.array(data.exams)
        arrays[f"{split}_labels"] = data.label(network.task).numpy().astype(np.int8)
        arrays[f"{split}_features"] = features.numpy()
        arrays[f"{split}_logits"] = logits_of(model, features)
        if split is Split.TRAIN:  # for the folds; numbers alone, so that no patient is named in RUN
            arrays[f"{split}_groups"] = groups_of(data.exams, folder.patients)
    if Split.VALIDATION in sets:
        logits, labels = arrays[f"{Split.VALIDATION}_logits"], arrays[f"{Split.VALIDATION}_labels"]
        value = figures(logits, labels, network.weights)
        save_network(path, network.model, replace(said, metrics={**said.metrics, "validation_auc": value["auc"]}))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(outcome_path(run, network.name), buffer.getvalue())


def read_outcome(run: Path, name: str) -> dict[Split, Outcome]:
    """What a finished network said, by split.

    Raises
    ------
    ArtifactError
        Not there, or damaged.
    """
    path = outcome_path(run, name)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {
                split: Outcome(
                    tuple(str(exam) for exam in file[f"{split}_exams"]),
                    file[f"{split}_labels"],
                    file[f"{split}_features"],
                    file[f"{split}_logits"],
                    file.get(f"{split}_groups"),
                )
                for split in Split
                if f"{split}_exams" in file
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path} is missing or damaged ({error}): go on with `train --resume`, which writes it anew"
        ) from error


def card(
    network: Network,
    folder: MRNetFolder,
    config: TrainConfig,
    training: PlaneSet,
    device: torch.device,
    run: Path,
) -> NetworkCard:
    """The card of a network's chosen epoch."""
    chosen = next(one for one in network.history if one["epoch"] == network.best_epoch)
    words = departures(config, run)
    words += filter(None, [patient_words(folder.exams, folder.patients)])
    if network.best_epoch == 0 and config.epochs:
        words.append("Epoch 0, the fitted last layer, was kept: no epoch of fine-tuning had a lower tuning loss.")
    if (chosen["logit_sd"] or 0) < COLLAPSED_LOGIT_SD:
        words.append(f"This network is constant: its logit varies by {chosen['logit_sd']:.3f} over the tuning exams.")
    return NetworkCard(
        plane=network.plane,
        task=network.task,
        trained_on=f"{'synthetic knees' if folder.synthetic else 'MRNet-v1.0 layout'}, {len(training)} training exams"
        + "; says nothing about a real knee" * folder.synthetic,
        synthetic=folder.synthetic,
        init=network.init,
        data_hash=training.data_hash((network.task,)),
        config_hash=config.hash,
        seed=network.seed,
        epoch=network.best_epoch,
        metrics={key: chosen[key] for key in ("train_loss", "tuning_loss", "tuning_auc", "logit_sd")},
        mean=float(network.model.mean),
        sd=float(network.model.sd),
        departures=tuple(words),
        commit=commit(),
        device=f"{describe(device)}, {platform.machine()}, {config.precision}",
        seconds=round(sum(one["seconds"] for one in network.history), 1),
        version=__version__,
    )


def departures(config: TrainConfig, run: Path) -> list[str]:
    """Those of the configuration, and what a file that the networks started from was itself trained on."""
    words = list(config.departures())
    start = start_path(run, config)
    known = trained_on(start) if config.initialisation.endswith(WEIGHT_FILES) and start.is_file() else ""
    return [*words, f"The weights of {start.name} were themselves trained on {known}."] if known else words


def commit() -> str:
    """The commit of this checkout, ``+changes`` behind it where files differ from it; "" outside a checkout."""
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
