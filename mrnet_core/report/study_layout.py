"""How text and tables are set in a given width: lines broken between words, columns as wide as what they hold.

Lengths are points (1/72 inch). Nothing is ever cut: what does not fit wraps, then shrinks, then goes beside itself as a
second table that repeats the first columns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import pandas as pd
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import LoadFlags

FAMILY = "DejaVu Sans"
GAP = 1.1
"""Between two columns, in the type's size."""
COMFORT = 12
"""A column of text gets at least so many times its type's size before it must wrap narrower."""
ROOMY = ((8, COMFORT), (7.5, COMFORT), (7, COMFORT), (8, 7), (7, 7), (6.5, 7), (6, 7))
TIGHT = ((7, 0), (6.5, 0), (6, 0), (5.5, 0))
"""Sizes of type with that least width, in the order in which they are tried."""
LONGEST_ROW = 40
"""Lines of a row that stay together; a longer row goes on as a second one."""
_NUMBER = re.compile(r"[−-]?[\d.,]+%?|–|∞|<0\.001|\d+/\d+|")
_ATOM = re.compile(r"\([−\d.]\S*, \S+\)\S*|\(95% CI\)|≥ \S+|\S+")
"""What is kept on one line: a word, an interval in parentheses, a sign with its number."""


@dataclass(frozen=True)
class TableLayout:
    """A table set for a page: each head and each cell as its lines, one width a column, ``right``: numbers."""

    size: float
    widths: tuple[float, ...]
    heads: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]
    right: tuple[bool, ...]

    @property
    def gap(self) -> float:
        """Between two columns."""
        return GAP * self.size


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of one line."""
    return sum(_advance(letter, bold) for letter in text) * size


def wrap(text: str, width: float, size: float, bold: bool = False) -> tuple[str, ...]:
    """The text as lines no wider than ``width``; a word wider than that is broken inside, for nothing may be lost.

    >>> wrap("the regression of meniscus", 80, 9)
    ('the regression of', 'meniscus')
    """
    lines, line = [], ""
    for atom in _atoms(text):
        longer = f"{line} {atom}" if line else atom
        if text_width(longer, size, bold) <= width + 0.01:
            line = longer
            continue
        if line:
            lines.append(line)
        line = ""
        for letter in atom:
            if line and text_width(line + letter, size, bold) > width + 0.01:
                lines.append(line)
                line = ""
            line += letter
    return (*lines, line)


def table_layouts(table: pd.DataFrame, width: float) -> list[TableLayout]:
    """The table (all texts) in a width: one layout, or several column groups that repeat the first columns."""
    for size, least in ROOMY + TIGHT:
        if found := _fit(table, width, size, least):
            return [found]
    right = _right(table)
    texts = next((place for place, numeric in enumerate(right) if numeric), table.shape[1])
    for keys in range(min(3, texts, table.shape[1] - 1), 0, -1):
        for groups in range(2, table.shape[1] - keys + 1):
            parts = _groups(table, keys, groups)
            for size, least in ROOMY + TIGHT:
                found = [_fit(part, width, size, least) for part in parts]
                if all(found):
                    return found
    return [_forced(part, width) for part in _groups(table, 1, table.shape[1] - 1)]


def _groups(table: pd.DataFrame, keys: int, groups: int) -> list[pd.DataFrame]:
    first, rest = list(range(keys)), list(range(keys, table.shape[1]))
    bounds = [round(k * len(rest) / groups) for k in range(groups + 1)]
    return [table.iloc[:, first + rest[a:b]] for a, b in pairwise(bounds) if b > a]


def _fit(table: pd.DataFrame, width: float, size: float, comfort: float) -> TableLayout | None:
    room = width - GAP * size * (table.shape[1] - 1)
    least, full = [], []
    for name, cells in zip(table.columns, _columns(table), strict=True):
        words = max((text_width(atom, size, True) for atom in _atoms(name)), default=0)
        # A head may take two lines without widening its column.
        whole = max([text_width(cell, size) for cell in cells] + [words, 0.55 * text_width(name, size, True)])
        atoms = max([text_width(atom, size) for cell in cells for atom in _atoms(cell)] + [words])
        least.append(max(atoms, min(whole, comfort * size)))
        full.append(whole)
    if sum(least) > room:
        return None
    if sum(full) <= room:
        return _set(table, size, full)
    share = (room - sum(least)) / (sum(full) - sum(least))
    return _set(table, size, [a + share * (b - a) for a, b in zip(least, full, strict=True)])


def _forced(table: pd.DataFrame, width: float) -> TableLayout:
    """Equal columns in the smallest type, words broken where they must."""
    size = TIGHT[-1][0]
    room = width - GAP * size * (table.shape[1] - 1)
    return _set(table, size, [room / max(table.shape[1], 1)] * table.shape[1])


def _set(table: pd.DataFrame, size: float, widths: Sequence[float]) -> TableLayout:
    columns = [
        [wrap(cell, width, size) for cell in cells] for cells, width in zip(_columns(table), widths, strict=True)
    ]
    rows = []
    for row in zip(*columns, strict=True):
        for first in range(0, max(map(len, row)), LONGEST_ROW):
            rows.append(tuple(lines[first : first + LONGEST_ROW] for lines in row))
    heads = tuple(wrap(name, width, size, True) for name, width in zip(table.columns, widths, strict=True))
    return TableLayout(size, tuple(widths), heads, tuple(rows), tuple(_right(table)))


def _columns(table: pd.DataFrame) -> list[list[str]]:
    return [table.iloc[:, place].tolist() for place in range(table.shape[1])]


def _right(table: pd.DataFrame) -> list[bool]:
    """Which columns hold numbers only, and are set to the right."""
    return [bool(cells) and any(cells) and all(map(_NUMBER.fullmatch, cells)) for cells in _columns(table)]


def _atoms(text: str) -> list[str]:
    return _ATOM.findall(text)


@lru_cache(maxsize=4096)
def _advance(letter: str, bold: bool) -> float:
    font = get_font(findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal")))
    font.set_size(100, 72)
    return font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100
