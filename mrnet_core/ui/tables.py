"""Tables on the evidence pages: shown, and downloaded as CSV. Cells are other people's words: they are escaped."""

import re
from html import escape

import pandas as pd
import streamlit as st

from mrnet_core.api.evidence import table_csv

LONG = 30
"""Rows from which a table scrolls in a box of its own instead of standing in the page."""


def plain(text: str) -> str:
    """Other people's words as Markdown that shows them as they are: no link, picture or formula comes of them."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|$~:&])", r"\\\1", text)


def show_table(frame: pd.DataFrame, name: str, *, csv: pd.DataFrame | None = None, alt: str = "") -> None:
    """A table with its CSV below.

    Parameters
    ----------
    name
        Of the file, without ``.csv``; one a page.
    csv
        What is downloaded where that is more exact than what is shown.
    """
    if len(frame) < LONG:
        st.html(html_table(frame, caption=alt))
    else:
        st.dataframe(frame, hide_index=True, height=420, alt=alt or None, key=f"frame_{name}")
    download_csv(frame if csv is None else csv, name)


def download_csv(frame: pd.DataFrame, name: str) -> None:
    """The button that hands out a table as CSV."""
    st.download_button(
        "CSV",
        lambda: table_csv(frame),
        f"{name}.csv",
        "text/csv",
        key=f"csv_{name}",
        on_click="ignore",
        type="tertiary",
        icon="⬇",
        help=f"Download this table as {name}.csv",
    )


def html_table(frame: pd.DataFrame, *, caption: str = "", kind: str = "") -> str:
    """A frame as an HTML table; ``kind``: ``mr-numbers`` keeps every cell on one line."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in frame.columns)
    rows = []
    for cells in frame.itertuples(index=False):
        rows.append("<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in cells) + "</tr>")
    hidden = f'<caption class="mr-unseen">{escape(caption)}</caption>' if caption else ""
    return (
        f'<div class="mr-scroll"><table class="mr-table {kind}">{hidden}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _text(cell) -> str:
    return "" if not isinstance(cell, str) and pd.isna(cell) else str(cell)
