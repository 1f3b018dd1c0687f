"""Is this installation sound? Versions, artifacts, decoders, the model, the device, one check after another.

Imports are inside the checks: a doctor that does not start because a library is missing could not say which.
"""

import importlib
import importlib.metadata
import math
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mrnet_core import __version__
from mrnet_core.domain import MRNetError, Plane
from mrnet_core.store import DEMO_RUN, PUBLISHED, ROOT, Run, resolve_run

OK, DIFFERS, FAILS = "ok", "differs", "fails"
PYTHONS = ((3, 11), (3, 12))
REPAIR = "run `make app`, or `python -m pip install -r requirements.txt`"
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([A-Za-z0-9_.+!-]+)")
_PAIR = ("torch", "torchvision")


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``state``: ``ok``, ``differs`` (from what was tested, but works) or ``fails``."""

    name: str
    state: str
    words: str


def examine(model: str | None = None) -> Iterator[Check]:
    """Every check in turn; ``model`` names the RUN to look at as ``--model`` does elsewhere."""
    yield _python()
    yield from _libraries()
    yield _guarded("torch and torchvision", _pair)
    yield from _published()
    yield from _model(model)
    yield from _syntaxes()
    yield _guarded("device", _device)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except MRNetError as error:
        return Check(name, FAILS, str(error))
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        # What a broken native library raises, by experience; its own words are all there is to go by.
        return Check(name, FAILS, f"{type(error).__name__}: {error}; {REPAIR}")


def _python() -> Check:
    found = sys.version_info[:2]
    words = f"{platform.python_version()} on {platform.system()} {platform.machine()}, mrnet_core {__version__}"
    return Check(
        "Python", OK if found in PYTHONS else DIFFERS, words + ("" if found in PYTHONS else " (tested: 3.11, 3.12)")
    )


def _libraries() -> Iterator[Check]:
    source = ROOT / "requirements.txt"
    if not source.is_file():
        yield Check("libraries", DIFFERS, "requirements.txt is not beside the package: versions were not compared")
        return
    for line in source.read_text(encoding="utf-8").splitlines():
        pin = _PIN.match(line.strip())
        if pin is None:
            continue
        name, wanted = pin.groups()
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, FAILS, f"is missing, {wanted} is needed: {REPAIR}")
            continue
        same = found.split("+")[0] == wanted
        yield Check(name, OK if same else DIFFERS, found if same else f"{found} (tested: {wanted})")


def _pair() -> Check:
    for name in _PAIR:
        importlib.import_module(name)
    versions = [importlib.metadata.version(name) for name in _PAIR]
    return Check("torch and torchvision", OK, f"{versions[0]} and {versions[1]} work together")


def _published() -> Iterator[Check]:
    try:
        run = Run.open(PUBLISHED, model=False)
        for name in run.names():
            run.path(name)
        yield Check("published numbers", OK, f"{len(run.names())} files, every SHA-256 as in the manifest")
    except MRNetError as error:
        yield Check("published numbers", FAILS, str(error))


def _model(model: str | None) -> Iterator[Check]:
    try:
        folder = resolve_run(model)
        run = Run.open(folder)
        for name in run.names():
            run.path(name)
    except MRNetError as error:
        yield Check("model files", FAILS, str(error))
        return
    which = "demo model" if folder == DEMO_RUN else str(folder)
    yield Check("model files", OK, f"{which}: {len(run.names())} files, every SHA-256 as in the manifest")
    yield _guarded("model", lambda: _answers(folder))


def _answers(folder) -> Check:
    # on demand: torch may be what is missing
    from mrnet_core.ensemble import Predictor

    predictor = Predictor.load(folder)
    picture = (np.indices((3, 256, 256)).sum(axis=0) % 256).astype(np.uint8)
    prediction = predictor.predict(dict.fromkeys(Plane, picture))
    sound = all(math.isfinite(value) and 0 <= value <= 1 for value in prediction.probabilities.values())
    info = predictor.info
    said = f"{info.name}, trained on {info.trained_on}; {info.engine}"
    return Check(
        "model", OK if sound else FAILS, said if sound else f"{said}: its probabilities are not between 0 and 1"
    )


def _syntaxes() -> Iterator[Check]:
    try:
        # on demand: a decoder may be what is missing
        from mrnet_core.dicom import syntax_samples

        samples = syntax_samples()
    except MRNetError as error:
        yield Check("DICOM decoding", FAILS, str(error))
        return
    except (ImportError, OSError) as error:
        yield Check("DICOM decoding", FAILS, f"{type(error).__name__}: {error}; {REPAIR}")
        return
    for sample in samples:
        words = "one sample decoded" if sample.ok else f"{sample.note}; {REPAIR}"
        yield Check(f"{sample.name} ({sample.uid})", OK if sample.ok else FAILS, words)


def _device() -> Check:
    # on demand: torch may be what is missing
    import torch

    cores = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads"
    if not torch.cuda.is_available():
        return Check("device", OK, f"{cores}; no GPU (none is needed to read exams)")
    return Check("device", OK, f"{cores}; {torch.cuda.get_device_name(0)} for training")
