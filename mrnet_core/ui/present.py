"""One figure full screen in large type, for a talk: ``?present=1&figure=roc``. Arrow keys turn, Escape leaves."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from mrnet_core.api.evidence import FigureSpec, plotly_figure
from mrnet_core.ui.figures import CONFIG, page_theme
from mrnet_core.ui.text import RESEARCH_NOTICE

_STYLE = """<style>
header[data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stToolbar"],
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] > *:not(.st-key-stage, :has(.st-key-stage)) {
  display: none !important;
}
[data-testid="stMainBlockContainer"] { padding: 1.2rem 2.5rem 0.6rem !important; max-width: none !important; }
.st-key-stage_chart { min-height: calc(100vh - 12.5rem); }
.st-key-stage_chart > .stElementContainer { height: calc(100vh - 12.5rem) !important; flex: none !important; }
.st-key-stage_chart [data-testid="stFullScreenFrame"], .st-key-stage_chart [data-testid="stPlotlyChart"] {
  height: 100% !important;
}
.mr-stage-title { font-size: clamp(1.8rem, 2.6vw, 3.2rem); font-weight: 650; letter-spacing: -0.02em; margin: 0; }
.mr-stage-words { font-size: clamp(1rem, 1.2vw, 1.5rem); line-height: 1.35; margin: 0; }
.mr-stage-words small { font-size: 0.8em; opacity: 0.8; }
</style>"""


def presenting() -> bool:
    """True when the address asks for the stage."""
    return st.query_params.get("present") == "1"


def offer_stage(specs: Sequence[FigureSpec]) -> None:
    """The button that goes on the stage with the page's first figure."""
    st.button("Present", on_click=_go, args=(specs[0].id,), key="present_button", width="stretch", help="Full screen")


def show_stage(specs: Sequence[FigureSpec]) -> None:
    """Draw the figure that the address names (else the first), and the ways to its neighbours and off the stage.

    What the page drew before is hidden, not left out: its widgets hold the view, and with it the address.
    """
    ids = [spec.id for spec in specs]
    named = st.query_params.get("figure", ids[0])
    place = ids.index(named) if named in ids else 0
    spec = specs[place]
    ways = (
        ("←", ids[place - 1], "Left", "Previous figure"),
        ("→", ids[(place + 1) % len(ids)], "Right", "Next figure"),
        ("✕", None, "Esc", "Leave"),
    )
    figure = plotly_figure(spec, theme=page_theme(), large=True)
    figure.update_layout(height=None, autosize=True)
    with st.container(key="stage"):
        st.html(_STYLE)
        title, *buttons = st.columns([12, 1, 1, 1], vertical_alignment="center")
        title.html(f'<h1 class="mr-stage-title">{escape(spec.title)}</h1>')
        for column, (label, goal, shortcut, words) in zip(buttons, ways, strict=True):
            column.button(
                label,
                on_click=_go,
                args=(goal,),
                key=f"turn_{shortcut}",
                shortcut=shortcut,
                help=words,
                width="stretch",
            )
        with st.container(key="stage_chart"):
            st.plotly_chart(figure, theme=None, height="stretch", key=f"stage_{spec.id}", config=CONFIG, alt=spec.alt)
        words = f"{escape(spec.caption)}<br><small>{escape(spec.provenance.line())}. {RESEARCH_NOTICE}</small>"
        st.html(f'<p class="mr-stage-words">{words}</p>')


def _go(figure: str | None) -> None:
    if figure is None:
        for name in ("present", "figure"):
            st.query_params.pop(name, None)
    else:
        st.query_params["present"] = "1"
        st.query_params["figure"] = figure
