"""A talk's slides: each figure as native charts that can be edited, each table as a table, provenance on every slide.

An XY chart for figures of places, a bar chart for figures of rows (with the intervals as custom error bars, which
python-pptx does not write by itself), a line chart for readers' changes.
"""

import io
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from lxml import etree
from pptx import Presentation
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION, XL_MARKER_STYLE, XL_TICK_LABEL_POSITION
from pptx.enum.dml import MSO_LINE
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches, Pt

from mrnet_core.evaluation.provenance import Provenance
from mrnet_core.report.figure_spec import FigureSpec, Layer, Mark, Panel
from mrnet_core.report.palette import look_of

WIDTH, HEIGHT = Inches(13.333), Inches(7.5)
MARGIN = Inches(0.5)
BLANK, TITLE_ONLY = 6, 5
"""Layouts of python-pptx's own template."""
ROWS_A_SLIDE = 14
FOOT_POINTS, CHART_POINTS, TABLE_POINTS, NOTE_POINTS = 11, 12, 13, 10
LONGEST_CELL = 45
"""Characters of a table's cell from which it wraps rather than take room from the other columns."""
MARKERS = {
    "circle": XL_MARKER_STYLE.CIRCLE,
    "diamond": XL_MARKER_STYLE.DIAMOND,
    "square": XL_MARKER_STYLE.SQUARE,
    "triangle-up": XL_MARKER_STYLE.TRIANGLE,
    "star": XL_MARKER_STYLE.STAR,
    "x": XL_MARKER_STYLE.X,
    "cross": XL_MARKER_STYLE.PLUS,
}
DASHES = {"solid": MSO_LINE.SOLID, "dash": MSO_LINE.DASH, "dot": MSO_LINE.ROUND_DOT}


def slides(specs: Sequence[FigureSpec], *, title: str, tables: Mapping[str, pd.DataFrame] | None = None) -> bytes:
    """A PPTX with a slide a figure and a slide (or more) a table.

    Parameters
    ----------
    specs
        Figures, in order; the first gives the tables' provenance.
    title
        Title of the first slide.
    tables
        Frames by title; their cells are shown as they are.
    """
    deck = Presentation()
    deck.slide_width, deck.slide_height = WIDTH, HEIGHT
    _cover(deck, title, specs)
    for spec in specs:
        _figure_slide(deck, spec)
    for name, frame in (tables or {}).items():
        _table_slides(deck, name, frame, specs[0].provenance if specs else None)
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


def _cover(deck, title: str, specs: Sequence[FigureSpec]) -> None:
    slide = deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = title
    _place(slide.shapes.title, MARGIN, Inches(2.6), WIDTH - 2 * MARGIN, Inches(1.2))
    box = slide.shapes.add_textbox(MARGIN, Inches(4.0), WIDTH - 2 * MARGIN, Inches(1.0))
    box.text_frame.word_wrap = True
    box.text_frame.text = "Research use only. Not a medical device; not for diagnosis or treatment."
    box.text_frame.paragraphs[0].font.size = Pt(18)
    for line in dict.fromkeys(spec.provenance.line() for spec in specs):
        _foot(slide, line)
        break


def _figure_slide(deck, spec: FigureSpec) -> None:
    slide = _titled(deck, spec.title)
    top, height = Inches(1.15), HEIGHT - Inches(2.35)
    room = (WIDTH - 2 * MARGIN) // len(spec.panels)
    for number, panel in enumerate(spec.panels):
        chart_type, data = _chart(spec, panel)
        frame = slide.shapes.add_chart(chart_type, MARGIN + number * room, top, room - Inches(0.1), height, data)
        frame._element.nvGraphicFramePr.cNvPr.set("descr", spec.alt)
        frame.name = f"{spec.title}: {panel.title.replace(chr(10), ', ')}" if panel.title else spec.title
        _style(frame.chart, spec, panel)
    caption = slide.shapes.add_textbox(MARGIN, HEIGHT - Inches(1.15), WIDTH - 2 * MARGIN, Inches(0.5))
    caption.text_frame.word_wrap = True
    caption.text_frame.text = spec.caption
    caption.text_frame.paragraphs[0].font.size = Pt(FOOT_POINTS + 2)
    _foot(slide, spec.provenance.line())
    slide.notes_slide.notes_text_frame.text = f"{spec.alt}\n{spec.caption}"


def _chart(spec: FigureSpec, panel: Panel):
    """Kind and numbers of a panel's native chart."""
    if spec.chart == "scatter":
        data = XyChartData()
        for _, name, marks in _xy_series(panel):
            series = data.add_series(name)
            for mark in marks:
                series.add_data_point(mark.x, mark.y)
        return XL_CHART_TYPE.XY_SCATTER_LINES, data
    data = CategoryChartData()
    places = _categories(panel)
    data.categories = [word for _, word in places]
    for layer in _drawn(panel):
        data.add_series(layer.name, _by_category(panel, layer, places))
    if spec.chart == "line":
        return XL_CHART_TYPE.LINE_MARKERS, data
    return (XL_CHART_TYPE.BAR_CLUSTERED if panel.y.ticks else XL_CHART_TYPE.COLUMN_CLUSTERED), data


def _drawn(panel: Panel) -> list[Layer]:
    return [layer for layer in panel.layers if layer.role != "guide"]


def _xy_series(panel: Panel) -> Iterable[tuple[Layer, str, tuple[Mark, ...]]]:
    """Series of an XY chart; each pair of a layer of segments is one of its own."""
    for layer in panel.layers:
        if layer.kind != "segments":
            yield layer, layer.name, layer.marks
            continue
        for start in range(0, len(layer.marks), 2):
            yield layer, f"{layer.marks[start].label}, both readings", layer.marks[start : start + 2]


def _categories(panel: Panel) -> tuple[tuple[float, str], ...]:
    """Categories, first to last."""
    return panel.y.ticks or panel.x.ticks


def _by_category(panel: Panel, layer: Layer, places, part: str = "value") -> list[float | None]:
    """A layer's values, or its bounds, by category; a mark belongs to the nearest one."""
    found: list[float | None] = [None] * len(places)
    for mark in layer.marks:
        along, value = (mark.y, mark.x) if panel.y.ticks else (mark.x, mark.y)
        nearest = min(range(len(places)), key=lambda i: abs(places[i][0] - along))
        found[nearest] = {"value": value, "low": mark.low, "high": mark.high}[part]
    return found


def _style(chart, spec: FigureSpec, panel: Panel) -> None:
    chart.font.size = Pt(CHART_POINTS)
    chart.has_title = bool(panel.title)
    if panel.title:
        chart.chart_title.text_frame.text = panel.title.replace("\n", ", ")
        chart.chart_title.text_frame.paragraphs[0].runs[0].font.size = Pt(CHART_POINTS + 2)
    chart.has_legend = True
    chart.legend.position = XL_LEGEND_POSITION.BOTTOM
    chart.legend.include_in_layout = False
    horizontal = spec.chart == "bar" and bool(panel.y.ticks)
    value = panel.x if horizontal else panel.y
    _scale(chart.value_axis, value.low, value.high, value.title)
    if spec.chart == "scatter":
        _scale(chart.category_axis, panel.x.low, panel.x.high, panel.x.title)
        drawn = [(layer, marks) for layer, _, marks in _xy_series(panel)]
        names = [layer.legend and layer.kind != "segments" for layer, _ in drawn]
    else:
        chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
        chart.category_axis.reverse_order = horizontal
        if horizontal:
            # The axis of values would otherwise follow the reversed categories to the top.
            chart.value_axis.tick_label_position = XL_TICK_LABEL_POSITION.HIGH
        drawn = [(layer, layer.marks) for layer in _drawn(panel)]
        names = [layer.legend for layer, _ in drawn]
    for series, (layer, _) in zip(chart.plots[0].series, drawn, strict=True):
        _style_series(series, spec, panel, layer)
    _hide_legend_entries(chart, [i for i, named in enumerate(names) if not named])


def _style_series(series, spec: FigureSpec, panel: Panel, layer: Layer) -> None:
    look = look_of(layer.role)
    colour = RGBColor.from_string(look.colour.lstrip("#").upper())
    if spec.chart == "bar":
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = colour
        if any(mark.low is not None for mark in layer.marks):
            _error_bars(series, panel, layer)
        return
    line = series.format.line
    if layer.kind == "points":
        line.fill.background()
    else:
        line.color.rgb = colour
        line.width = Pt(look.width)
        line.dash_style = DASHES[look.dash]
    series.smooth = False
    bare = layer.kind == "segments" or (layer.kind == "line" and not layer.role.startswith(("reader", "mean")))
    series.marker.style = XL_MARKER_STYLE.NONE if bare else MARKERS[look.plotly_symbol]
    if not bare:
        series.marker.size = int(min(look.size, 14))
        series.marker.format.line.color.rgb = colour
        if look.filled:
            series.marker.format.fill.solid()
            series.marker.format.fill.fore_color.rgb = colour
        else:
            series.marker.format.fill.background()
    if spec.chart == "scatter" and any(mark.low is not None for mark in layer.marks):
        _error_bars(series, panel, layer)


def _error_bars(series, panel: Panel, layer: Layer) -> None:
    """Custom error bars from the marks' intervals (ECMA-376 part 1, 21.2.2.55)."""
    if _categories(panel):
        places = _categories(panel)
        values, lows, highs = (_by_category(panel, layer, places, part) for part in ("value", "low", "high"))
    else:
        values = [mark.x if layer.interval == "x" else mark.y for mark in layer.marks]
        lows, highs = ([getattr(mark, part) for mark in layer.marks] for part in ("low", "high"))
    above = [0.0 if value is None or high is None else high - value for value, high in zip(values, highs, strict=True)]
    below = [0.0 if value is None or low is None else value - low for value, low in zip(values, lows, strict=True)]
    bars = etree.SubElement(series._element, qn("c:errBars"))
    settings = [("c:errBarType", "both"), ("c:errValType", "cust"), ("c:noEndCap", "0")]
    if not _categories(panel):
        settings.insert(0, ("c:errDir", layer.interval))
    for name, word in settings:
        etree.SubElement(bars, qn(name)).set("val", word)
    for name, spread in (("c:plus", above), ("c:minus", below)):
        literal = etree.SubElement(etree.SubElement(bars, qn(name)), qn("c:numLit"))
        etree.SubElement(literal, qn("c:ptCount")).set("val", str(len(spread)))
        for number, length in enumerate(spread):
            point = etree.SubElement(literal, qn("c:pt"))
            point.set("idx", str(number))
            etree.SubElement(point, qn("c:v")).text = repr(float(length))
    # The schema wants the bars before the data: a file with another order does not open.
    first = next(
        child for child in series._element if child.tag in (qn("c:cat"), qn("c:val"), qn("c:xVal"), qn("c:yVal"))
    )
    first.addprevious(bars)


def _hide_legend_entries(chart, places: Sequence[int]) -> None:
    """Leave guides and pair lines out of the legend."""
    legend = chart.legend._element
    position = legend.find(qn("c:legendPos"))
    for place in reversed(places):
        entry = etree.Element(qn("c:legendEntry"))
        etree.SubElement(entry, qn("c:idx")).set("val", str(place))
        etree.SubElement(entry, qn("c:delete")).set("val", "1")
        position.addnext(entry)


def _scale(axis, low: float, high: float, title: str) -> None:
    axis.minimum_scale, axis.maximum_scale = min(low, high), max(low, high)
    axis.has_major_gridlines = False
    axis.tick_labels.number_format = "0.00"
    axis.tick_labels.number_format_is_linked = False
    axis.has_title = bool(title)
    if title:
        axis.axis_title.text_frame.text = title
        axis.axis_title.text_frame.paragraphs[0].runs[0].font.size = Pt(CHART_POINTS)


def _titled(deck, title: str):
    slide = deck.slides.add_slide(deck.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = title
    slide.shapes.title.text_frame.paragraphs[0].font.size = Pt(30)
    _place(slide.shapes.title, MARGIN, Inches(0.25), WIDTH - 2 * MARGIN, Inches(0.8))
    return slide


def _place(shape, left: int, top: int, width: int, height: int) -> None:
    shape.left, shape.top, shape.width, shape.height = (Emu(value) for value in (left, top, width, height))


def _foot(slide, line: str) -> None:
    box = slide.shapes.add_textbox(MARGIN, HEIGHT - Inches(0.55), WIDTH - 2 * MARGIN, Inches(0.4))
    box.name = "Provenance"
    box.text_frame.word_wrap = True
    box.text_frame.text = line
    box.text_frame.paragraphs[0].font.size = Pt(FOOT_POINTS)
    box.text_frame.paragraphs[0].font.color.rgb = RGBColor(0x5B, 0x66, 0x67)


def _table_slides(deck, name: str, frame: pd.DataFrame, provenance: Provenance | None) -> None:
    pages = max(1, -(-len(frame) // ROWS_A_SLIDE))
    for page in range(pages):
        rows = frame.iloc[page * ROWS_A_SLIDE : (page + 1) * ROWS_A_SLIDE]
        slide = _titled(deck, name if pages == 1 else f"{name} ({page + 1} of {pages})")
        height = Inches(0.38) * (len(rows) + 1)
        shape = slide.shapes.add_table(
            len(rows) + 1, len(frame.columns), MARGIN, Inches(1.15), WIDTH - 2 * MARGIN, height
        )
        columns = [[str(header), *(_text(value) for value in rows[header])] for header in frame.columns]
        for column, (cells, width) in enumerate(zip(columns, _column_widths(columns), strict=True)):
            shape.table.columns[column].width = width
            for row, text in enumerate(cells):
                cell = shape.table.cell(row, column)
                cell.text = text
                points = NOTE_POINTS if cells[0] == "Note" and row else TABLE_POINTS
                cell.text_frame.paragraphs[0].font.size = Pt(points)
        if provenance is not None:
            _foot(slide, provenance.line())


def _column_widths(columns: Sequence[Sequence[str]]) -> list[int]:
    """The table's width shared by each column's longest text, so that a note has room to be read."""
    longest = [min(max(map(len, cells)), LONGEST_CELL) + 3 for cells in columns]
    return [int((WIDTH - 2 * MARGIN) * length / sum(longest)) for length in longest]


def _text(value) -> str:
    return "" if pd.isna(value) else str(value)
