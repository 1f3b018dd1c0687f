"""Figure specifications as files: PNG, SVG and PDF by matplotlib. No pyplot, so that threads do not share a figure."""

import io
from typing import Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer
from mrnet_core.report.palette import GROUNDS, Ground, Look, Theme, look_of

FileKind = Literal["png", "svg", "pdf"]
DOTS_PER_INCH = 200
DASHES = {"solid": "-", "dash": (0, (4, 2.5)), "dot": (0, (1, 2))}
SETTINGS = {"font.family": "DejaVu Sans", "svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "mrnet-core"}
"""Text stays text in SVG and PDF; the same figure gives the same SVG."""


def figure_file(spec: FigureSpec, kind: FileKind = "png", *, theme: Theme = "light", large: bool = False) -> bytes:
    """The figure as the bytes of a file, with its provenance line under it."""
    buffer = io.BytesIO()
    # A date in the file would make two files of the same figure differ.
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with rc_context(SETTINGS):
        figure = matplotlib_figure(spec, theme=theme, large=large)
        figure.savefig(
            buffer,
            format=kind,
            dpi=DOTS_PER_INCH,
            facecolor=figure.get_facecolor(),
            metadata=stamp | {"Title": spec.title},
        )
    return buffer.getvalue()


def matplotlib_figure(spec: FigureSpec, *, theme: Theme = "light", large: bool = False) -> Figure:
    """The figure as a matplotlib Figure; each layer's line has the ``gid`` ``<panel>/<layer name>``."""
    ground, size = GROUNDS[theme], 14 if large else 10
    rows = max((len(panel.y.ticks) for panel in spec.panels), default=0)
    width = max(7.6, 4.7 * len(spec.panels)) * (1.25 if large else 1.0)
    foot = _foot(spec, width, size - 3)
    # Heights in inches: plot, legend and a strip for the foot, which must not share the legend's place.
    strip = 0.1 + 1.35 * (size - 3) / 72 * (foot.count("\n") + 1)
    plot = max(5.4, 2.4 + 0.44 * rows) * (1.25 if large else 1.0)
    figure = Figure(figsize=(width, plot + strip), layout="constrained", facecolor=ground.paper)
    upper, lower = figure.subfigures(2, 1, height_ratios=[plot, strip])
    axes = upper.subplots(1, len(spec.panels), squeeze=False)[0]
    for panel, ax in zip(spec.panels, axes, strict=True):
        ax.set_title(panel.title, fontsize=size + 1, color=ground.text)
        for place, layer in enumerate(panel.layers):
            _draw(ax, layer, look_of(layer.role, theme), f"{panel.title}/{place}/{layer.name}")
        _axis(ax, panel.x, "x", ground, size)
        _axis(ax, panel.y, "y", ground, size)
        ax.set_facecolor(ground.paper)
        for spine in ax.spines.values():
            spine.set_color(ground.muted)
        if panel.square:
            ax.set_aspect("equal", adjustable="box")
    upper.suptitle(spec.title, fontsize=size + 3, color=ground.text)
    _legend(upper, axes, ground, size)
    for part in (upper, lower):
        part.set_facecolor(ground.paper)
    lower.text(0.01, 0.98, foot, fontsize=size - 3, color=ground.muted, ha="left", va="top", linespacing=1.25)
    return figure


def _foot(spec: FigureSpec, width: float, size: float) -> str:
    """Caption and provenance, broken to the figure's width in inches."""
    room = int(width * 72 / (0.56 * size))
    lines = []
    for text in (spec.caption, spec.provenance.line()):
        line = ""
        for word in text.split():
            if len(line) + len(word) + 1 > room:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines.append(line)
    return "\n".join(lines)


def _draw(ax: Axes, layer: Layer, look: Look, gid: str) -> None:
    x, y = [], []
    for number, mark in enumerate(layer.marks):
        if layer.kind == "segments" and number and number % 2 == 0:
            x.append(float("nan"))
            y.append(float("nan"))
        x.append(mark.x)
        y.append(mark.y)
    marker = "None" if layer.kind == "segments" else look.matplotlib_symbol
    if layer.kind == "line" and not layer.role.startswith(("reader", "mean")):
        marker = "None"
    if any(mark.low is not None for mark in layer.marks):
        centres = x if layer.interval == "x" else y
        spread = [
            # An interval may end a rounding error inside its estimate: matplotlib refuses lengths below 0.
            [
                0.0 if mark.low is None else max(0.0, centre - mark.low)
                for mark, centre in zip(layer.marks, centres, strict=True)
            ],
            [
                0.0 if mark.high is None else max(0.0, mark.high - centre)
                for mark, centre in zip(layer.marks, centres, strict=True)
            ],
        ]
        bars = ax.errorbar(
            x, y, **{f"{layer.interval}err": spread}, fmt="none", ecolor=look.colour, elinewidth=look.width, capsize=3
        )
        bars[2][0].set_gid(f"{gid}/interval")
    (line,) = ax.plot(
        x,
        y,
        linestyle="None" if layer.kind == "points" else DASHES[look.dash],
        linewidth=look.width,
        color=look.colour,
        marker=marker,
        markersize=look.size * 0.75,
        markerfacecolor=look.colour if look.filled else "none",
        markeredgewidth=1.6,
        label=layer.name if layer.legend else "_",
        zorder=3 if layer.kind == "points" else 2,
        clip_on=layer.kind != "points",
    )
    line.set_gid(gid)


def _axis(ax: Axes, axis: Axis, name: Literal["x", "y"], ground: Ground, size: float) -> None:
    getattr(ax, f"set_{name}lim")(axis.low, axis.high)
    if axis.ticks:
        getattr(ax, f"set_{name}ticks")([place for place, _ in axis.ticks], [word for _, word in axis.ticks])
    else:
        getattr(ax, f"{name}axis").set_major_locator(MaxNLocator(5))
        getattr(ax, f"set_{name}label")(axis.title, fontsize=size, color=ground.text)
        ax.grid(axis=name, color=ground.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis=name, labelsize=size - 1, colors=ground.text)


def _legend(figure: SubFigure, axes, ground: Ground, size: float) -> None:
    handles = {}
    for ax in axes:
        for line in ax.lines:
            if not str(line.get_label()).startswith("_"):
                handles.setdefault(line.get_label(), line)
    if handles:
        columns = min(len(handles), 3 if len(axes) == 1 else 5)
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=columns,
            fontsize=size - 1,
            frameon=False,
            labelcolor=ground.text,
        )
