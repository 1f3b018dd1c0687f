"""The step that a GPU records, taken without recording: it must be the very step of the plain loop."""

import threading
import time

import numpy as np
import pytest
import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Split, Task
from mrnet_core.models import fold_first_convolution, initialise
from mrnet_core.training import augment
from mrnet_core.training.arithmetic import set_arithmetic
from mrnet_core.training.data import PlaneSet
from mrnet_core.training.graphs import Gate, Recorder
from mrnet_core.training.loop import train_epoch
from mrnet_core.training.network import Network, make_optimiser

CONFIG = TrainConfig(precision="float32", learning_rate=1e-4, warm_up=3, clip=0.5, epochs=2, schedule="cosine")
COUNTS = (3, 6, 4, 5)
# Adam divides a gradient by its own size: that hides a wrong scale and makes whole steps of rounding (weights a
# millionth off, at random, move one tensor 10 % off). With this eps, near the gradients' size, it is 1 %.
EPS = 1e-3
TOLERANCE = {"cpu": 1e-3, "cuda": 0.05}


def exams(device="cpu"):
    generator = np.random.default_rng(4)
    starts = tuple(int(start) for start in np.cumsum([0, *COUNTS]))
    pictures = torch.from_numpy(generator.integers(0, 256, (starts[-1], 256, 256), np.uint8))
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    names = tuple("abcd")
    return PlaneSet(
        Plane.AXIAL, Split.TRAIN, names, pictures.to(device), starts, (Task.ACL, Task.MENISCUS), labels, "d"
    )


def networks(channels, device="cpu"):
    made = []
    for task, weights in ((Task.ACL, (0.7, 2.5)), (Task.MENISCUS, (1.0, 1.0))):
        model = initialise("random", 3)[0]
        model = fold_first_convolution(model) if channels == 1 else model
        model.mean.fill_(100.0)
        model.sd.fill_(60.0)
        model = model.to(device, memory_format=torch.channels_last)
        optimiser = make_optimiser(model, CONFIG)
        for group in optimiser.param_groups:
            group["eps"] = EPS
        made.append(Network(str(task), Plane.AXIAL, task, 1, "", model, optimiser, weights))
    return made


GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand"))


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("channels", [1, 3])
def test_two_epochs_of_recorded_steps_equal_the_plain_loop(channels, device):
    set_arithmetic(torch.device(device))
    data, plain, recorded = exams(device), networks(channels, device), networks(channels, device)
    recorder = Recorder(data, CONFIG)
    with pytest.raises(ValueError, match="not prepared"):
        recorder.epoch(recorded, [0], [augment.IDENTITY], 1, lambda done: None)
    recorder.prepare(recorded)
    for epoch in (1, 2):
        expected = train_epoch(plain, data, epoch, CONFIG, lambda event: None)
        generator = np.random.default_rng([1, list(Plane).index(Plane.AXIAL), epoch])
        order = generator.permutation(len(data))
        transforms = [augment.draw(generator, CONFIG) for _ in order]
        found = recorder.epoch(recorded, order, transforms, 8, lambda done: None)
        assert found == pytest.approx(expected, rel=2e-3)
    before = dict(networks(channels, device)[0].model.named_parameters())
    for one, other in zip(recorded, plain, strict=True):
        assert one.steps == other.steps == 8
        for (name, value), wanted in zip(one.model.named_parameters(), other.model.parameters(), strict=True):
            moved = (wanted - before[name]).norm()
            assert moved > 0
            assert (value - wanted).norm() < TOLERANCE[device] * moved, name


def test_who_records_is_alone_and_nobody_enters_before_him():
    gate, seen, recording, out = Gate(), [], threading.Event(), threading.Event()

    def train():
        with gate.shared():
            seen.append("epoch begins")
            recording.wait(10)
            seen.append("epoch ends")

    def record():
        with gate.alone():
            seen.append("recording")
            out.wait(10)
            seen.append("recorded")

    def late():
        with gate.shared():
            seen.append("next epoch")

    threads = []
    for work, ready in ((train, lambda: seen), (record, lambda: gate._wanting), (late, lambda: True)):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        patience = time.monotonic() + 10
        while not ready() and time.monotonic() < patience:
            time.sleep(0.001)
    recording.set()
    out.set()
    for thread in threads:
        thread.join(10)
    assert seen == ["epoch begins", "epoch ends", "recording", "recorded", "next epoch"]
