"""The learning rate of a step: a linear warm-up, then constant or a cosine to a twentieth."""

import math

FLOOR = 0.05
"""Share of the peak that a cosine ends at."""


def rate(step: int, steps: int, peak: float, warm_up: int, shape: str) -> float:
    """Learning rate of 0-based ``step`` of ``steps``.

    Examples
    --------
    >>> rate(0, 100, 1.0, 10, "constant"), rate(50, 100, 1.0, 10, "constant")
    (0.1, 1.0)
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    if shape == "constant":
        return peak
    done = min(1.0, (step - warm_up) / max(1, steps - warm_up))
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))
