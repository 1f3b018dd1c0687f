"""What every page has: its heading, the notice at its foot, and the house style that the theme cannot say."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st

from mrnet_core.store import DEMO_RUN
from mrnet_core.ui.text import RESEARCH_NOTICE

_STYLE = Path(__file__).with_name("style.css")


def page_head(title: str, lead: str = "") -> None:
    """The heading of a page, with the house style before it. ``title`` and ``lead`` are our own words (HTML-safe)."""
    st.html(_STYLE)
    st.title(title, anchor=False)
    if lead:
        st.html(f'<p class="mr-lead">{lead}</p>')


def show_preview() -> None:
    """The picture of the opening page: a demo exam in the viewer. Nothing where the demo model brings none."""
    pictures = sorted(path for path in DEMO_RUN.glob("preview.*") if path.suffix in (".jpg", ".png"))
    if pictures:
        st.image(
            str(pictures[0]),
            width="stretch",
            caption="A synthetic knee with a torn ACL, as the demo model's ACL networks see it. Synthetic data.",
        )
    else:
        st.html('<div class="mr-empty" aria-hidden="true"></div>')


def show_problem(sentence: str) -> None:
    """What went wrong, in one sentence."""
    _note("mr-error", 'role="alert"', [sentence])


def show_notes(lines: Sequence[str]) -> None:
    """What a person must know, one line each; nothing where there is none."""
    if lines:
        _note("mr-warn", 'role="note"', lines)


def _note(kind: str, marks: str, lines: Sequence[str]) -> None:
    # Words may quote a file. As escaped text they stay words; as Markdown they could hold a picture's address, and the
    # browser would fetch it.
    body = "".join(f"<li>{escape(line, quote=False)}</li>" for line in lines)
    st.html(f'<ul class="mr-note {kind}" {marks}>{body}</ul>')


def page_foot() -> None:
    """The research-use notice; on every page, in every state."""
    st.html(f'<div class="mr-notice" role="note">{RESEARCH_NOTICE}</div>')
