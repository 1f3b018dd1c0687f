"""A whole study on paper: titled sections of text, tables and figures, as one HTML file and one PDF.

Knows nothing of how the study came about; ``mrnet_core.api.reproduce`` puts the sections together.
"""

import base64
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import matplotlib.image
import numpy as np
import pandas as pd
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

PAGE = (8.27, 11.69)
"""A4 in inches."""
ROWS_A_PAGE = 34
"""Table rows that a page holds below its title."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
table { border-collapse: collapse; margin: .8rem 0; font-size: 13px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d5dae2; text-align: left; }
img { max-width: 100%; } .mark { border-left: 4px solid #b26a00; padding-left: .8rem; }
"""


@dataclass(frozen=True)
class Section:
    """A title with paragraphs, then tables by caption, then figures (PNG bytes) by caption."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[tuple[str, pd.DataFrame], ...] = ()
    figures: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


def study_html(title: str, mark: str, sections: Sequence[Section]) -> str:
    """One self-contained page; ``mark`` is said at its head (that the data are synthetic, say)."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><h1>{escape(title)}</h1>"
    ]
    if mark:
        parts.append(f"<p class='mark'><strong>{escape(mark)}</strong></p>")
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
        for caption, table in section.tables:
            cells = table.map(cell_text).to_html(index=False, border=0, escape=True)
            parts.append(f"<h3>{escape(caption)}</h3>{cells}")
        for caption, png in section.figures:
            data = base64.b64encode(png).decode()
            parts.append(
                f"<figure><img alt='{escape(caption, quote=True)}' src='data:image/png;base64,{data}'>"
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
    return "".join([*parts, "</body></html>\n"])


def study_pdf(title: str, mark: str, sections: Sequence[Section]) -> bytes:
    """The same as A4 pages: a title page with the text, then tables and figures on pages of their own."""
    buffer = io.BytesIO()
    with PdfPages(buffer, metadata={"Title": title, "CreationDate": None}) as pages:
        text = [mark] if mark else []
        for section in sections:
            text += ["", section.title.upper(), *section.paragraphs]
        _text_pages(pages, title, text)
        for section in sections:
            for caption, table in section.tables:
                for first in range(0, max(len(table), 1), ROWS_A_PAGE):
                    _table_page(pages, f"{section.title}: {caption}", table.iloc[first : first + ROWS_A_PAGE])
            for caption, png in section.figures:
                _figure_page(pages, f"{section.title}: {caption}", png)
    return buffer.getvalue()


def cell_text(value: object) -> str:
    """A table's cell: three decimals for fractions, nothing where a value is undefined."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def curves_figure(history: Sequence[dict]) -> bytes:
    """Tuning loss and AUC by epoch of every network and seed, as PNG; the chosen epochs carry a dot."""
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, squeeze=False)
    tasks = list(dict.fromkeys(record["task"] for record in history))
    colours = dict(zip(dict.fromkeys(r["plane"] for r in history), ("#1f6fb4", "#c2571a", "#2c8a57"), strict=False))
    runs: dict[tuple, list[dict]] = {}
    for record in history:
        runs.setdefault((record["plane"], record["task"], record["seed"]), []).append(record)
    for (plane, task, _), records in runs.items():
        column = tasks.index(task)
        for row, key in enumerate(("tuning_loss", "tuning_auc")):
            known = [(r["epoch"], r[key], r["chosen"]) for r in records if r[key] is not None]
            axes[row][column].plot([k[0] for k in known], [k[1] for k in known], color=colours[plane], label=plane)
            for epoch, value, chosen in known:
                if chosen:
                    axes[row][column].plot([epoch], [value], "o", color=colours[plane])
    for column, task in enumerate(tasks):
        axes[0][column].set_title(task)
        axes[1][column].set_xlabel("epoch")
    axes[0][0].set_ylabel("tuning loss")
    axes[1][0].set_ylabel("tuning AUC")
    handles, labels = axes[0][0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=120)
    return target.getvalue()


def _text_pages(pages: PdfPages, title: str, text: Sequence[str]) -> None:
    lines: list[str] = []
    for paragraph in text:
        lines += textwrap.wrap(paragraph, 95) or [""]
    for first in range(0, max(len(lines), 1), 58):
        figure = Figure(figsize=PAGE)
        figure.text(0.08, 0.95, title if first == 0 else f"{title} (continued)", fontsize=15, weight="bold", va="top")
        figure.text(0.08, 0.91, "\n".join(lines[first : first + 58]), fontsize=9, va="top", linespacing=1.5)
        pages.savefig(figure)


def _table_page(pages: PdfPages, title: str, table: pd.DataFrame) -> None:
    figure = Figure(figsize=(PAGE[1], PAGE[0]))
    axis = figure.subplots()
    axis.set_axis_off()
    figure.text(0.05, 0.95, title, fontsize=12, weight="bold", va="top")
    cells = [[textwrap.shorten(cell_text(value), 48, placeholder="…") for value in row] for row in table.to_numpy()]
    if cells:
        drawn = axis.table(cells, colLabels=list(map(str, table.columns)), loc="upper center", cellLoc="left")
        drawn.auto_set_font_size(False)
        drawn.set_fontsize(8 if table.shape[1] <= 8 else 6)
        drawn.auto_set_column_width(list(range(table.shape[1])))
    pages.savefig(figure)


def _figure_page(pages: PdfPages, title: str, png: bytes) -> None:
    figure = Figure(figsize=(PAGE[1], PAGE[0]))
    axis = figure.add_axes((0.05, 0.05, 0.9, 0.82))
    axis.set_axis_off()
    axis.imshow(matplotlib.image.imread(io.BytesIO(png)))
    figure.text(0.05, 0.95, title, fontsize=12, weight="bold", va="top")
    pages.savefig(figure)
