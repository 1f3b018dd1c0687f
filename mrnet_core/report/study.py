"""A whole study on paper: titled sections of text, tables and figures, as one HTML file.

Knows nothing of how the study came about; ``mrnet_core.api.reproduce`` puts the sections together,
and ``mrnet_core.report.study_pdf`` sets the same sections on pages.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mrnet_core.domain import Task
from mrnet_core.report.study_words import words_table

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
            parts.append(f"<h3>{escape(caption)}</h3>{_table_html(words_table(table))}")
        for caption, png in section.figures:
            data = base64.b64encode(png).decode()
            parts.append(
                f"<figure><img alt='{escape(caption, quote=True)}' src='data:image/png;base64,{data}'>"
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
    return "".join([*parts, "</body></html>\n"])


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
        axes[0][column].set_title(Task(task).display_name)
        axes[1][column].set_xlabel("Epoch")
        axes[1][column].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0][0].set_ylabel("Tuning loss")
    axes[1][0].set_ylabel("Tuning AUC")
    handles, labels = axes[0][0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=120)
    return target.getvalue()


def _table_html(table: pd.DataFrame) -> str:
    """The whole table; pandas' own HTML shortens long cells."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.itertuples(index=False))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
