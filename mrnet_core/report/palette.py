"""Colours, symbols and dashes of the roles that figures name, for a light and a dark ground.

Hues are Okabe and Ito's (safe for the common colour-blindnesses), darkened or lightened until they stand out from
their ground. A reader's role is told by shape as well as colour, assistance by filling: nothing rests on colour alone.
"""

from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]
SHAPES = (("circle", "o"), ("diamond", "D"), ("square", "s"), ("triangle-up", "^"), ("star", "*"))
"""Shape of each reader role, as plotly and as matplotlib call it; the fifth and later roles share the last."""
_LIGHT = (("#c04a00", "#00745b"), ("#9a6a00", "#005a9c"), ("#a5487f", "#2277aa"))
_DARK = (("#ff9a5c", "#3fd6a8"), ("#f2c14e", "#7cc4ff"), ("#f0a0d0", "#9fdcff"))
"""Unassisted and assisted colour of each reader role."""


@dataclass(frozen=True)
class Ground:
    """What a figure stands on."""

    text: str
    muted: str
    grid: str
    paper: str


GROUNDS: dict[str, Ground] = {
    "light": Ground("#1d2526", "#5b6667", "#dde2e0", "#ffffff"),
    "dark": Ground("#e6ebea", "#a3afae", "#2f3a3b", "#101516"),
}


@dataclass(frozen=True)
class Look:
    """How a role is drawn. ``dash``: "solid", "dash" or "dot"; ``filled`` and ``size`` are the markers'."""

    colour: str
    plotly_symbol: str = "circle"
    matplotlib_symbol: str = "o"
    filled: bool = True
    size: float = 9.0
    width: float = 2.0
    dash: str = "solid"


def look_of(role: str, theme: Theme = "light") -> Look:
    """How to draw a role: ``model``, ``model.marked``, ``guide``, ``pair``, ``readerK.unassisted``, ``macro.assisted``,
    ``series0``, ``plane0``, ``plane0.training``, ``grade.trained`` …

    Raises
    ------
    KeyError
        An unknown role.
    """
    ground, pairs = GROUNDS[theme], _LIGHT if theme == "light" else _DARK
    if role.startswith(("reader", "series")):
        name, _, condition = role.partition(".")
        k = int(name.lstrip("readsi"))
        shape = SHAPES[min(k, len(SHAPES) - 1)]
        colour = pairs[k % len(pairs)][condition != "unassisted"]
        return Look(colour, *shape, filled=condition != "unassisted", size=10.0, width=1.7)
    if role.startswith("plane"):
        name, _, what = role.partition(".")
        k = int(name.lstrip("plane"))
        colour, shape = (pairs[0][0], pairs[1][1], pairs[0][1])[k % 3], SHAPES[k % len(SHAPES)]
        if what == "training":
            return Look(colour, *shape, filled=False, size=9.0, width=1.3, dash="dot")
        return Look(colour, *shape, size=11.0, width=2.2)
    plain = {
        "model": Look(ground.text, width=2.4, size=8.0),
        "model.marked": Look(ground.text, "star", "*", size=19.0),
        "model.printed": Look(ground.text, "square", "s", filled=False, size=12.0),
        "model.second": Look(pairs[2][0], width=2.2, size=8.0, dash="dot"),
        "guide": Look(ground.muted, width=1.2, dash="dot"),
        "pair": Look(ground.muted, width=1.7, dash="dash"),
        "macro.unassisted": Look(ground.text, "x", "X", filled=False, size=14.0),
        "macro.assisted": Look(ground.text, "cross", "P", size=14.0),
        "difference": Look(pairs[0][1], "circle", "o", size=10.0, width=2.4),
        "difference.other": Look(pairs[0][0], "diamond", "D", filled=False, size=10.0, width=2.4),
        "difference.third": Look(pairs[1][1], "square", "s", size=9.0, width=2.4),
        "grade.trained": Look(pairs[0][1], "circle", "o", size=10.0, width=2.2),
        "grade.untrained": Look(pairs[0][0], "diamond", "D", filled=False, size=10.0),
        "grade.prior": Look(pairs[1][1], "square", "s", filled=False, size=9.0),
        "grade.fixed": Look(pairs[1][0], "triangle-up", "^", filled=False, size=9.0),
        "grade.chance": Look(ground.muted, "x", "X", size=9.0),
        "mean": Look(ground.text, "cross", "P", size=13.0, width=4.0),
    }
    return plain[role]
