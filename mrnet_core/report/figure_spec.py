"""A figure as data: what is drawn, in which role, with its words. Two modules render it, for screens and for files.

Colours and symbols are not here but in ``palette``; a layer names its role. Numbers are never rounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mrnet_core.evaluation.provenance import Provenance

Kind = Literal["line", "points", "segments"]
"""``line``: joined in order; ``points``: markers, with intervals where given; ``segments``: marks two by two."""


@dataclass(frozen=True)
class Axis:
    """An axis; ``ticks`` pairs a place with its label and is empty for a plain numeric axis."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Mark:
    """One thing drawn, with its interval in x or in y where it has one.

    ``label`` is what a person reads when pointing at it and in the table; ``key`` tells a page what was clicked.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """Marks of one kind and role. ``interval`` says which axis ``low`` and ``high`` of its marks belong to."""

    name: str
    kind: Kind
    role: str
    marks: tuple[Mark, ...]
    interval: Literal["x", "y"] = "y"
    legend: bool = True

    def __post_init__(self) -> None:
        if self.kind == "segments" and len(self.marks) % 2:
            raise ValueError(f"segments come in pairs of marks; layer {self.name!r} has {len(self.marks)}")


@dataclass(frozen=True)
class Panel:
    """One pair of axes; ``square`` keeps one unit of x as long as one of y."""

    title: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    square: bool = False


@dataclass(frozen=True)
class FigureSpec:
    """A whole figure.

    ``chart`` is how a slide draws it natively: an XY chart, a bar chart or a line chart over categories. ``alt`` is the
    alternative text: what the figure shows, in words, for who cannot see it.
    """

    id: str
    title: str
    panels: tuple[Panel, ...]
    alt: str
    caption: str
    provenance: Provenance
    chart: Literal["scatter", "bar", "line"] = "scatter"

    def layers(self) -> Iterator[tuple[int, Panel, Layer]]:
        """Every layer with its panel and the panel's number."""
        for number, panel in enumerate(self.panels):
            for layer in panel.layers:
                yield number, panel, layer

    def table(self) -> pd.DataFrame:
        """Every number that is drawn: ``panel, series, label, x, y, lower, upper``; columns named after the axes."""
        rows = [
            (
                *(panel.title.replace("\n", ", "), layer.name, mark.label),
                *(_cell(panel.x, mark.x), _cell(panel.y, mark.y)),
                *(np.nan if bound is None else bound for bound in (mark.low, mark.high)),
            )
            for _, panel, layer in self.layers()
            if layer.role != "guide"
            for mark in layer.marks
        ]
        first = self.panels[0]
        columns = ["panel", "series", "label", first.x.title or "x", first.y.title or "y", "lower", "upper"]
        return pd.DataFrame(rows, columns=columns)


def _cell(axis: Axis, value: float) -> float | str:
    """The number itself; on an axis of categories the word of the nearest tick (layers that share a row lie beside it).

    >>> _cell(Axis("", 0, 1, ((0.0, "first"), (1.0, "second"))), 0.78)
    'second'
    """
    if not axis.ticks:
        return value
    return min(axis.ticks, key=lambda tick: abs(tick[0] - value))[1]
