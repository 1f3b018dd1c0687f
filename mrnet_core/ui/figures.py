"""A figure on a page: drawn by plotly, with its caption, provenance, numbers, alternative text and downloads."""

from collections.abc import Callable, Sequence

import streamlit as st

from mrnet_core.api.evidence import FigureSpec, figure_file, plotly_figure, slides
from mrnet_core.ui.tables import download_csv, plain

KINDS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
}


def page_theme() -> str:
    """``light`` or ``dark``: the theme that the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def show_figure(spec: FigureSpec, *, height: int | None = None, titled: bool = True) -> None:
    """Draw a figure with everything that belongs to it.

    Parameters
    ----------
    height
        In pixels; None: the figure's own.
    titled
        False where a heading of the page says already what the figure is.
    """
    if titled:
        st.markdown(f"#### {plain(spec.title)}")
    show_chart(spec, height=height)
    show_foot(spec)


def show_chart(spec: FigureSpec, *, height: int | None = None, on_click: Callable[[str], None] | None = None) -> None:
    """The chart alone; ``on_click`` is called with the chart's key when a point of it was clicked."""
    figure = plotly_figure(spec, theme=page_theme())
    if height is not None:
        figure.update_layout(height=height)
    key = f"chart_{spec.id}"
    selecting = {"on_select": lambda: on_click(key), "selection_mode": "points"} if on_click else {}
    st.plotly_chart(figure, theme=None, key=key, config=CONFIG, alt=spec.alt, **selecting)


def show_foot(spec: FigureSpec) -> None:
    """Caption, provenance, downloads, and the figure's numbers and words."""
    words, button = st.columns([8, 1], vertical_alignment="top")
    words.caption(f"{plain(spec.caption)}  \n{plain(spec.provenance.line())}")
    with button:
        _downloads(spec)
    with st.expander("Numbers of this figure, and the figure in words"):
        st.markdown(plain(spec.alt))
        table = spec.table()
        st.dataframe(table, hide_index=True, height=300, key=f"numbers_{spec.id}", alt=f"Numbers of: {spec.title}")
        download_csv(table, f"{spec.id}-figure")


def _downloads(spec: FigureSpec) -> None:
    with st.popover("Figure", help="Download this figure", width="stretch"):
        for kind, mime in KINDS.items():
            st.download_button(
                kind.upper(),
                lambda kind=kind: figure_file(spec, kind),
                f"{spec.id}.{kind}",
                mime,
                key=f"{kind}_{spec.id}",
                on_click="ignore",
                width="stretch",
            )


def offer_slides(specs: Sequence[FigureSpec], name: str, title: str, tables=None) -> None:
    """The button that hands out the page's view as slides with native charts."""
    st.download_button(
        "Download slides",
        lambda: slides(specs, title=title, tables=tables or {}),
        f"{name}.pptx",
        PPTX,
        key="slides",
        on_click="ignore",
        width="stretch",
        help="A PPTX of this view: charts that can be edited, provenance on every slide",
    )
