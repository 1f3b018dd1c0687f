"""Intensity standardisation after Nyúl and Udupa: a training set's landmarks, and any series mapped onto them.

Landmarks are percentiles of the foreground. Each series gets its own monotone, piecewise linear map that sends 0 to 0
and its landmarks to the training set's; above the last one the last slope goes on. The result is clipped to 0-255.

A ``uint8`` stack is one on the standard scale already, as MRNet-v1.0's arrays are: landmarks are learned from it as it
is, and it is left as it is. Everything else (float) is raw, with black at 0 as ``resize_series`` gives it.

References
----------
Nyúl LG, Udupa JK. On standardizing the MR image intensity scale. Magn Reson Med 1999;42:1072-81. The version with
deciles: Nyúl LG, Udupa JK, Zhang X. IEEE Trans Med Imaging 2000;19:143-50.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import ArtifactError, InputError

PERCENTILES = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
"""Of the foreground: deciles as in Nyúl 2000, and an upper end below fluid and vessels, which vary most."""
TOP = 220.0
"""Where a raw training set's 99th percentiles go: leaves room below 255 for what is brighter."""
FOREGROUND_SHARE = 0.3
"""Foreground is what lies above this share of the foreground's own mean. Measured on a real exam (Siemens 1.5 T) and on
synthetic ones: cutting a third off height and width moves this threshold by 0-12 %, the usual threshold at the
mean of all pixels by 5-83 %, because it counts the air."""

_LEVELS = 65535


@dataclass(frozen=True)
class Landmarks:
    """A training set's foreground percentiles on the standard scale, 0-255, for one plane.

    ``stacks``: how many series they were learned from.
    """

    values: tuple[float, ...]
    stacks: int
    percentiles: tuple[float, ...] = PERCENTILES

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        object.__setattr__(self, "percentiles", tuple(float(value) for value in self.percentiles))
        if len(self.values) != len(self.percentiles) or not self.values:
            raise InputError(f"landmarks need one value a percentile; got {len(self.values)}, {len(self.percentiles)}")
        for name, ladder, end in (("values", self.values, 255.0), ("percentiles", self.percentiles, 100.0)):
            if not (np.all(np.diff(ladder) >= 0) and ladder[0] > 0 and ladder[-1] <= end):
                raise InputError(f"landmarks' {name} must rise from above 0 to at most {end:g}; got {ladder}")

    def to_json(self) -> str:
        """JSON text; :meth:`from_json` reads it back without loss."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Landmarks":
        """Landmarks from JSON text.

        Raises
        ------
        ArtifactError
            The text is no such JSON.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError, InputError) as error:
            raise ArtifactError(f"a landmarks file is malformed ({error}): train again, or copy it again") from error


def foreground_percentiles(stack: NDArray, percentiles: tuple[float, ...] = PERCENTILES) -> NDArray[np.float64] | None:
    """Percentiles of a stack's foreground, ``(len(percentiles),)``; None where nothing is above 0.

    A percentile is the lowest value that at least this share of the foreground does not exceed.
    """
    found = _foreground(stack)
    if found is None:
        return None
    values, counts, start = found
    reached = np.cumsum(counts[start:])
    wanted = np.asarray(percentiles) / 100 * reached[-1]
    return values[start + np.searchsorted(reached, wanted, side="left")]


def foreground_threshold(stack: NDArray) -> float:
    """The foreground is what lies above this value; infinity where nothing is above 0.

    The fixed point ``t = 0.3 · mean of the pixels above t``: it does not count the air around the knee, be it zero or
    noise.
    """
    found = _foreground(stack)
    if found is None:
        return math.inf
    values, _, start = found
    return float(values[start - 1])


def _foreground(stack: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int64], int] | None:
    """A stack's levels, the pixels of each, and the foreground's first level; None where nothing is above 0."""
    top = float(stack.max(initial=0))
    if top <= 0:
        return None
    # Whole numbers up to 255 keep a level each; everything else is counted in 65,536 levels up to the brightest.
    step = 1.0 if stack.dtype == np.uint8 else top / _LEVELS
    counts = np.bincount(_levels(stack, step).reshape(-1))
    counts[0] = 0
    values = np.arange(counts.size) * step
    above = np.cumsum(counts[::-1])[::-1]  # pixels at this level or higher, and their sum
    sums = np.cumsum((counts * values)[::-1])[::-1]
    start = 1
    while True:
        # The threshold never falls as `start` rises, and the brightest level stays above it: this ends.
        threshold = FOREGROUND_SHARE * sums[start] / above[start]
        moved = max(int(np.searchsorted(values, threshold, side="right")), start)
        if moved == start:
            return values, counts, start
        start = moved


def _levels(stack: NDArray, step: float) -> NDArray:
    """The nearest multiple of ``step`` for every pixel, as whole numbers from 0 to 65,535."""
    if stack.dtype == np.uint8:
        return stack
    scaled = stack * np.float32(1 / step)
    return np.clip(np.rint(scaled, out=scaled), 0, _LEVELS, out=scaled).astype(np.uint16)


def fit_landmarks(stacks: Iterable[NDArray]) -> Landmarks:
    """Learn a plane's landmarks on its training set.

    Parameters
    ----------
    stacks
        Arrays ``(S, 256, 256)``: float (raw, as ``resize_series`` gives them) or uint8 (standardised already).

    Returns
    -------
    Landmarks
        The mean of the stacks' percentiles: of uint8 stacks as they are, of raw ones each scaled to its 99th
        percentile at 220.

    Raises
    ------
    InputError
        No stack has a foreground.
    """
    learned = []
    for stack in stacks:
        found = foreground_percentiles(stack)
        if found is not None:
            learned.append(found if stack.dtype == np.uint8 else found * (TOP / found[-1]))
    if not learned:
        raise InputError("landmarks cannot be learned: no series has a pixel above 0; give at least one real series")
    return Landmarks(tuple(np.mean(learned, axis=0)), len(learned))


def standardise(stack: NDArray, landmarks: Landmarks) -> NDArray[np.uint8]:
    """A stack ``(S, H, W)`` on the standard scale as uint8; a uint8 stack is there already and comes back as it is.

    Monotone: of two pixels of a stack the brighter never becomes the darker. A stack with nothing above 0 becomes 0.
    """
    if stack.dtype == np.uint8:
        return stack
    found = foreground_percentiles(stack, landmarks.percentiles)
    if found is None:
        return np.zeros(stack.shape, np.uint8)
    sources, targets = _knots(found, np.asarray(landmarks.values))
    # What the map sends to 255 or above is alike: 65,536 levels up to there are 257 for each value of the result.
    step = float(sources[-1]) / _LEVELS
    table = np.rint(np.interp(np.arange(_LEVELS + 1) * step, sources, targets)).astype(np.uint8)
    return table[_levels(stack, step)]


def _knots(found: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """The map's corners: 0 to 0, each landmark to its value, and on along the last slope to 255."""
    sources = np.unique(found)
    # Equal percentiles (a flat picture) are one corner, at the middle of the values they would have had.
    targets = np.array([values[found == source].mean() for source in sources])
    sources, targets = np.append(0.0, sources), np.append(0.0, targets)
    slope = (targets[-1] - targets[-2]) / (sources[-1] - sources[-2])
    if targets[-1] < 255 and slope > 0:
        sources = np.append(sources, sources[-1] + (255 - targets[-1]) / slope)
        targets = np.append(targets, 255.0)
    return sources, targets
