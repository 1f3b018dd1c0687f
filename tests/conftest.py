"""Fixtures that more than one room uses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mrnet_core.domain import Plane, Task

ROOT = Path(__file__).resolve().parents[1]
MEAN, SD = 58.0, 49.0


@pytest.fixture
def interpreted():
    """Runs Python code whose GPU kernels Triton interprets on the processor; gives what it printed."""
    pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA builds only")

    def run(code: str) -> str:
        environment = {**os.environ, "TRITON_INTERPRET": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def random_run(tmp_path_factory) -> Path:
    """A RUN folder as training makes it, with random weights; says of itself that it is synthetic.

    The nine networks share one trunk, so that an answer is quick; each has a head of its own.
    """
    import torch  # on demand: most rooms' tests need none

    from mrnet_core import store
    from mrnet_core.ensemble import fit_ensemble
    from mrnet_core.models import NetworkCard, initialise, save_network
    from mrnet_core.preprocess import fit_landmarks

    run = tmp_path_factory.mktemp("runs") / "random"
    generator = np.random.default_rng(7)
    landmarks = fit_landmarks(generator.uniform(0, 255, (3, 4, 256, 256)))
    model, words = initialise("random", 7)
    model.mean.fill_(MEAN)
    model.sd.fill_(SD)
    for plane in Plane:
        store.write_whole(run / "landmarks" / f"{plane}.json", landmarks.to_json())
        for task in Task:
            seed = list(Plane).index(plane) * len(Task) + list(Task).index(task)
            torch.nn.init.normal_(model.classifier.weight, std=0.05, generator=torch.Generator().manual_seed(seed))
            card = NetworkCard(
                plane=plane,
                task=task,
                trained_on="nothing: random weights of the tests",
                synthetic=True,
                init=words,
                data_hash="",
                config_hash="",
                seed=seed,
                epoch=0,
                metrics={},
                mean=MEAN,
                sd=SD,
                departures=(),
                commit="",
                device="cpu",
                seconds=0.0,
                version="test",
            )
            save_network(run / "weights" / f"{plane}_{task}.safetensors", model, card)
    labels = {task: generator.permutation(np.arange(60) % 2) for task in Task}
    probabilities = {
        (plane, task): np.clip(0.3 + 0.4 * labels[task] + generator.normal(0, 0.2, 60), 0.01, 0.99)
        for plane in Plane
        for task in Task
    }
    store.write_whole(run / "ensemble.json", fit_ensemble(probabilities, labels).to_json())
    store.write_manifest(run, name="random", trained_on="nothing: random weights of the tests", synthetic=True)
    return run


@pytest.fixture(autouse=True)
def own_main_module():
    """Streamlit's test runner leaves the page as the main module, and a spawned process would run the page again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
