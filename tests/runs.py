"""A RUN folder of random networks, for tests that need one whole but not one that knows anything."""

from pathlib import Path

import numpy as np
import torch

from mrnet_core import __version__
from mrnet_core.domain import Plane, Task
from mrnet_core.ensemble import fit_ensemble
from mrnet_core.models import MRNet, NetworkCard, initialise, save_network
from mrnet_core.preprocess import Landmarks
from mrnet_core.store import write_manifest, write_whole

VALUES = (20.0, 35.0, 50.0, 60.0, 75.0, 90.0, 110.0, 130.0, 150.0, 220.0)


def random_network(seed: int, trunk: int) -> MRNet:
    """A network with the trunk of seed ``trunk`` and a last layer of its own that tells pictures apart."""
    model, _ = initialise("random", trunk)
    with torch.no_grad():
        model.classifier.weight.normal_(0, 0.2, generator=torch.Generator().manual_seed(seed))
    model.mean.fill_(55.0)
    model.sd.fill_(50.0)
    return model


def make_run(folder: Path, *, trunks=(0, 0, 1)) -> Path:
    """Write a RUN whose networks have the trunk numbered ``trunks`` of their task."""
    rng = np.random.default_rng(0)
    for number, (plane, task) in enumerate((plane, task) for plane in Plane for task in Task):
        card = NetworkCard(
            plane=plane,
            task=task,
            trained_on="nothing (random weights, for tests)",
            synthetic=True,
            init="random",
            data_hash="",
            config_hash="",
            seed=number,
            epoch=0,
            metrics={},
            mean=55.0,
            sd=50.0,
            departures=(),
            commit="",
            device="CPU",
            seconds=0.0,
            version=__version__,
        )
        model = random_network(number, trunks[list(Task).index(task)])
        save_network(folder / "weights" / f"{plane}_{task}.safetensors", model, card)
    labels = {task: np.arange(60) % 2 for task in Task}
    probabilities = {(plane, task): rng.random(60) for plane in Plane for task in Task}
    write_whole(folder / "ensemble.json", fit_ensemble(probabilities, labels).to_json())
    for plane in Plane:
        write_whole(folder / "landmarks" / f"{plane}.json", Landmarks(VALUES, 1).to_json())
    write_manifest(
        folder,
        name="random networks",
        trained_on="nothing (random weights, for tests)",
        synthetic=True,
        engine="torch",
        version=__version__,
    )
    return folder
