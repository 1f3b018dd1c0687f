"""Figure specifications as plotly figures, for screens. A trace's ``meta`` names its panel and layer."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark
from mrnet_core.report.palette import GROUNDS, Look, Theme, look_of

FONT = {False: 14, True: 26}
"""Points, on a page and in a hall."""
CLICKABLE = 11
"""Size of the unseen markers of a line that can be clicked."""
UNSEEN = "rgba(0, 0, 0, 0)"
DASHES = {"solid": "solid", "dash": "6px,4px", "dot": "dot"}
"""Short dashes, so that a short line between two reads of a reader shows that it is dashed."""


def plotly_figure(spec: FigureSpec, *, theme: Theme = "light", large: bool = False) -> go.Figure:
    """The figure for a page: transparent ground, hover texts, click keys in ``customdata``.

    ``large`` sets it in type for a hall.
    """
    scale = 1.6 if large else 1.0
    figure = make_subplots(
        rows=1,
        cols=len(spec.panels),
        subplot_titles=_titles(spec, large),
        horizontal_spacing=0.08 if len(spec.panels) > 1 else 0.0,
        shared_yaxes=not any(panel.square for panel in spec.panels)
        and len(spec.panels) > 1
        and all(panel.y == spec.panels[0].y for panel in spec.panels),
    )
    named: set[str] = set()
    for number, _, layer in spec.layers():
        first = layer.legend and layer.name not in named
        named |= {layer.name} if layer.legend else set()
        trace = _trace(layer, look_of(layer.role, theme), scale)
        trace.update(meta=[number, layer.name], legendgroup=layer.name, showlegend=first)
        figure.add_trace(trace, row=1, col=number + 1)
    for number, panel in enumerate(spec.panels):
        figure.update_xaxes(_axis(panel.x, theme), row=1, col=number + 1)
        figure.update_yaxes(_axis(panel.y, theme), row=1, col=number + 1)
        if panel.square:
            figure.update_yaxes(
                scaleanchor="x" if number == 0 else f"x{number + 1}", constrain="domain", row=1, col=number + 1
            )
            figure.update_xaxes(constrain="domain", row=1, col=number + 1)
    _lay_out(figure, spec, theme, large)
    return figure


def _titles(spec: FigureSpec, large: bool) -> list[str]:
    """Titles of the panels; in type for a hall, one beside another, each is broken after its colon."""
    narrow = large and len(spec.panels) > 1
    titles = [panel.title.replace(": ", ":\n") if narrow else panel.title for panel in spec.panels]
    return [title.replace("\n", "<br>") for title in titles]


def _lay_out(figure: go.Figure, spec: FigureSpec, theme: Theme, large: bool) -> None:
    ground, font = GROUNDS[theme], FONT[large]
    rows = max((len(panel.y.ticks) for panel in spec.panels), default=0)
    height = max(520, 170 + 46 * rows)
    lines = max(title.count("<br>") + 1 for title in _titles(spec, large))
    beside = len(spec.panels) == 1 and spec.panels[0].square
    below = {"orientation": "h", "yanchor": "top", "yref": "container", "y": 0.13, "x": 0}
    legend = {"x": 1.02, "y": 1.0} if beside else below
    figure.update_layout(
        font={"size": font, "color": ground.text},
        height=max(height, 820) if large else height,
        margin={"l": 10, "r": 10, "t": (1.3 + 1.3 * lines) * font, "b": 10 if beside else 0.13 * height + 3 * font},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend=legend | {"font": {"size": font}, "itemsizing": "constant"},
        hoverlabel={"font": {"size": font - 1, "color": ground.text}, "bgcolor": ground.paper, "align": "left"},
        clickmode="event+select",
        dragmode="zoom",
        hovermode="closest",
    )
    figure.update_annotations(font={"size": font + 1, "color": ground.text})


def _axis(axis: Axis, theme: Theme) -> dict:
    ground = GROUNDS[theme]
    settings: dict = {
        "title": {"text": axis.title if not axis.ticks else ""},
        "range": [axis.low, axis.high],
        "gridcolor": ground.grid,
        "zeroline": False,
        "linecolor": ground.muted,
        "automargin": True,
    }
    if axis.ticks:
        settings |= {
            "tickvals": [place for place, _ in axis.ticks],
            "ticktext": [word for _, word in axis.ticks],
            "showgrid": False,
        }
    return settings


def _trace(layer: Layer, look: Look, scale: float) -> go.Scatter:
    x, y, text, keys = columns(layer)
    clickable = any(mark.key for mark in layer.marks)
    modes = {"points": "markers", "segments": "lines"}
    mode = modes.get(layer.kind, "lines+markers" if clickable or layer.role != "guide" else "lines")
    # The vertices of the model's curve can be clicked but are not seen: a bare line gives no click.
    seen = layer.kind == "points" or layer.role.startswith(("reader", "mean"))
    trace = go.Scatter(
        x=x,
        y=y,
        mode=mode,
        name=layer.name,
        text=[word.replace("\n", "<br>") for word in text],
        customdata=keys,
        hovertemplate="%{text}<extra></extra>" if layer.role not in ("guide", "pair") else None,
        hoverinfo="skip" if layer.role in ("guide", "pair") else None,
        line={"color": look.colour, "width": look.width * scale, "dash": DASHES[look.dash]},
        marker={
            "symbol": look.plotly_symbol if look.filled else f"{look.plotly_symbol}-open",
            "color": look.colour if seen else UNSEEN,
            "size": (look.size if seen else CLICKABLE) * scale,
            "line": {"color": look.colour, "width": 0 if not seen else 2.2 * scale if not look.filled else 0.6},
        },
        # A click selects a point; the others must not fade for it.
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        cliponaxis=False,
        connectgaps=False,
    )
    if any(mark.low is not None for mark in layer.marks):
        above = [None if mark.high is None else mark.high - centre(mark, layer) for mark in layer.marks]
        below = [None if mark.low is None else centre(mark, layer) - mark.low for mark in layer.marks]
        bars = {
            "type": "data",
            "array": above,
            "arrayminus": below,
            "color": look.colour,
            "thickness": look.width * scale,
            "width": 5,
        }
        trace.update({f"error_{layer.interval}": bars})
    return trace


def centre(mark: Mark, layer: Layer) -> float:
    """The coordinate that the interval of a mark belongs to."""
    return mark.x if layer.interval == "x" else mark.y


def columns(layer: Layer) -> tuple[list, list, list[str], list]:
    """Coordinates, texts and keys of a layer; segments are parted by a gap."""
    x, y, text, keys = [], [], [], []
    for number, mark in enumerate(layer.marks):
        if layer.kind == "segments" and number and number % 2 == 0:
            for values, gap in ((x, None), (y, None), (text, ""), (keys, [])):
                values.append(gap)
        x.append(mark.x)
        y.append(mark.y)
        text.append(mark.label)
        keys.append(list(mark.key))
    return x, y, text, keys
