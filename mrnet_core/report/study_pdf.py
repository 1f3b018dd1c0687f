"""A study as a flowing A4 document: headings, paragraphs, tables and figures one after another, text as real text."""

import io
from collections.abc import Iterator, Sequence

import matplotlib.image
import pandas as pd
from matplotlib import rc_context
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from mrnet_core.report.palette import GROUNDS
from mrnet_core.report.study import Section
from mrnet_core.report.study_layout import FAMILY, TableLayout, table_layouts, text_width, wrap
from mrnet_core.report.study_words import words_table

PAGE = (595.28, 841.89)
"""A4 in points; so are all lengths here. Heights are measured from the foot."""
LEFT, TOP, FOOT = 52.0, 790.0, 56.0
WIDTH = PAGE[0] - 2 * LEFT
BODY, CAPTION, HEADING, TITLE = 9.0, 9.0, 13.0, 18.0
LEADING = 1.35
INK, MUTED, RULE = GROUNDS["light"].text, GROUNDS["light"].muted, GROUNDS["light"].grid
MARK_GROUND, MARK_INK = "#fff4e0", "#b26a00"
SHRINK, SHRINK_WIDE = 0.6, 0.75
"""How far a figure may shrink to fit under what stands above it, and one with small letters; else it turns the page."""
WIDE = 0.6
"""Height over width of a figure of several panels, at most."""
WHOLE = 200.0
"""A table no higher than this stays on one page."""
SETTINGS = {"font.family": FAMILY, "pdf.fonttype": 42}


class Flow:
    """Pages that fill from the top; ``down`` is where the next block begins."""

    def __init__(self) -> None:
        self.pages: list[Figure] = []
        self.turn()

    def turn(self) -> None:
        """Begin a page."""
        self.pages.append(Figure(figsize=(PAGE[0] / 72, PAGE[1] / 72)))
        self.down = TOP

    @property
    def room(self) -> float:
        """What is left of the page."""
        return self.down - FOOT

    def keep(self, height: float) -> None:
        """Turn the page unless ``height`` is left of it."""
        if self.room < height and self.down < TOP:
            self.turn()

    def space(self, height: float) -> None:
        """Leave some room, but none at a page's top."""
        if self.down < TOP:
            self.down -= height

    def write(self, text: str, x: float, y: float, size: float, *, bold: bool = False, colour: str = INK) -> None:
        """One line of text, its baseline at ``y``."""
        weight = "bold" if bold else "normal"
        self.pages[-1].text(
            x / PAGE[0], y / PAGE[1], text, fontsize=size, weight=weight, color=colour, va="baseline", parse_math=False
        )

    def rule(self, y: float, width: float, *, colour: str, thickness: float) -> None:
        """A horizontal line from the left margin."""
        ends = [LEFT / PAGE[0], (LEFT + width) / PAGE[0]]
        line = Line2D(ends, [y / PAGE[1]] * 2, color=colour, linewidth=thickness)
        self.pages[-1].add_artist(line)

    def lines(
        self, lines: Sequence[str], size: float, *, indent: float = 0, bold: bool = False, colour: str = INK
    ) -> None:
        """Lines under each other, over a page's end where they must."""
        for line in lines:
            self.keep(LEADING * size)
            self.write(line, LEFT + indent, self.down - size, size, bold=bold, colour=colour)
            self.down -= LEADING * size


def study_pdf(title: str, mark: str, sections: Sequence[Section]) -> bytes:
    """The document as a file; the same study gives the same bytes."""
    buffer = io.BytesIO()
    metadata = {"Title": title, "CreationDate": None}
    with rc_context(SETTINGS), PdfPages(buffer, metadata=metadata) as file:
        for page in study_pages(title, mark, sections):
            file.savefig(page)
    return buffer.getvalue()


def study_pages(title: str, mark: str, sections: Sequence[Section]) -> list[Figure]:
    """The document's pages as figures, which hold every line as a text."""
    flow = Flow()
    flow.lines(wrap(title, WIDTH, TITLE, True), TITLE, bold=True)
    if mark:
        _mark(flow, mark)
    figures = 0
    for section in sections:
        flow.space(16)
        flow.keep(130)
        flow.lines(wrap(section.title, WIDTH, HEADING, True), HEADING, bold=True)
        flow.space(3)
        for text in section.paragraphs:
            flow.lines(wrap(text, WIDTH, BODY), BODY)
            flow.space(4)
        for caption, table in section.tables:
            _table(flow, caption, words_table(table))
        for caption, png in section.figures:
            figures += 1
            _figure(flow, f"Figure {figures}. {caption}", png)
    for number, page in enumerate(flow.pages, 1):
        _foot(page, title, f"{number} / {len(flow.pages)}")
    return flow.pages


def _mark(flow: Flow, mark: str) -> None:
    pad, page = 8.0, flow.pages[-1]
    lines = wrap(mark, WIDTH - 2 * pad - 4, BODY, True)
    height = LEADING * BODY * len(lines) + 2 * pad - 2
    flow.space(6)
    place = (LEFT / PAGE[0], (flow.down - height) / PAGE[1])
    box = {"facecolor": MARK_GROUND, "edgecolor": MARK_INK, "linewidth": 0.8, "transform": page.transFigure}
    page.add_artist(Rectangle(place, WIDTH / PAGE[0], height / PAGE[1], **box))
    flow.down -= pad
    flow.lines(lines, BODY, indent=pad + 2, bold=True)
    flow.down -= pad - 2


def _foot(page: Figure, title: str, number: str) -> None:
    line = wrap(title, WIDTH - 60, 7.5)[0]
    for text, x, side in ((line, LEFT, "left"), (number, LEFT + WIDTH, "right")):
        page.text(x / PAGE[0], 32 / PAGE[1], text, fontsize=7.5, color=MUTED, ha=side, parse_math=False)


def _table(flow: Flow, caption: str, table: pd.DataFrame) -> None:
    flow.space(8)
    if table.shape[1] == 1:
        flow.keep(60)
        flow.lines(wrap(caption, WIDTH, CAPTION, True), CAPTION, bold=True)
        for text in table.iloc[:, 0]:
            _bullet(flow, text)
        return
    layouts = table_layouts(table, WIDTH) if table.shape[1] else []
    for number, layout in enumerate(layouts):
        words = caption if number == 0 else f"{caption} (further columns)"
        lines = wrap(words, WIDTH, CAPTION, True)
        head = LEADING * CAPTION * len(lines) + 8 + _height(layout.heads, layout.size)
        rows = [_height(row, layout.size) for row in layout.rows]
        flow.space(6 * (number > 0))
        flow.keep(head + sum(rows if sum(rows) < WHOLE else rows[:3]))
        flow.lines(lines, CAPTION, bold=True)
        flow.space(3)
        _rows(flow, layout)
    if table.empty:
        flow.lines((() if layouts else (caption,)) + ("No rows.",), BODY, colour=MUTED)


def _bullet(flow: Flow, text: str) -> None:
    lines = wrap(text, WIDTH - 12, BODY)
    flow.keep(LEADING * BODY * min(len(lines), 3))
    flow.write("•", LEFT + 2, flow.down - BODY, BODY)
    flow.lines(lines, BODY, indent=12)
    flow.space(2)


def _rows(flow: Flow, layout: TableLayout) -> None:
    """Head and rows; the head again at the top of each further page."""
    width = sum(layout.widths) + layout.gap * (len(layout.widths) - 1)
    _cells(flow, layout, layout.heads, bold=True)
    flow.rule(flow.down, width, colour=INK, thickness=0.8)
    for number, row in enumerate(layout.rows):
        together = layout.rows[number:] if number == len(layout.rows) - 2 else [row]  # the last row is never alone
        if flow.room < sum(_height(one, layout.size) for one in together):
            flow.turn()
            _cells(flow, layout, layout.heads, bold=True)
            flow.rule(flow.down, width, colour=INK, thickness=0.8)
        elif number:
            flow.rule(flow.down, width, colour=RULE, thickness=0.4)
        _cells(flow, layout, row)
    flow.rule(flow.down, width, colour=MUTED, thickness=0.4)
    flow.space(6)


def _height(row: Sequence[Sequence[str]], size: float) -> float:
    return max(map(len, row)) * 1.2 * size + 0.5 * size


def _cells(flow: Flow, layout: TableLayout, row: Sequence[Sequence[str]], *, bold: bool = False) -> None:
    height = _height(row, layout.size)
    for x, width, right, lines in zip(_lefts(layout), layout.widths, layout.right, row, strict=True):
        # Heads stand on the rule, cells hang from theirs.
        top = flow.down - 0.3 * layout.size - (1.2 * layout.size * (max(map(len, row)) - len(lines)) if bold else 0)
        for number, line in enumerate(lines):
            shift = width - text_width(line, layout.size, bold) if right else 0.0
            flow.write(line, x + shift, top - (1.2 * number + 0.95) * layout.size, layout.size, bold=bold)
    flow.down -= height


def _lefts(layout: TableLayout) -> Iterator[float]:
    x = LEFT
    for width in layout.widths:
        yield x
        x += width + layout.gap


def _figure(flow: Flow, caption: str, png: bytes) -> None:
    picture = matplotlib.image.imread(io.BytesIO(png))
    lines = wrap(caption, WIDTH, CAPTION - 1)
    words = LEADING * (CAPTION - 1) * len(lines) + 6
    flow.space(10)
    shape = picture.shape[0] / picture.shape[1]
    whole = min(WIDTH * shape, (TOP - FOOT) / 2 - words - 10)  # two tall ones to a page
    if flow.room - words < (SHRINK_WIDE if shape < WIDE else SHRINK) * whole:
        flow.turn()
    height = min(whole, flow.room - words)
    width = height / shape
    place = ((LEFT + (WIDTH - width) / 2) / PAGE[0], (flow.down - height) / PAGE[1], width / PAGE[0], height / PAGE[1])
    axes = flow.pages[-1].add_axes(place)
    axes.set_axis_off()
    axes.imshow(picture, aspect="auto", interpolation="none")
    flow.down -= height + 4
    flow.lines(lines, CAPTION - 1, colour=MUTED)
