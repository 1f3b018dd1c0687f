"""What was found in the files: series taken and refused with their reasons, the choice by hand, files skipped."""

import pandas as pd
import streamlit as st

from mrnet_core.domain import Exam, Plane
from mrnet_core.ui.session import choose_series

_HIDDEN = "hidden"


def show_warnings(exam: Exam) -> None:
    """Everything a person must know before reading on; another body part is an alarm that no one can miss."""
    for warning in exam.warnings:
        st.warning(warning, icon="⚠️")
    for plane, series in exam.series.items():
        for warning in series.warnings:
            st.warning(f"{plane.display_name}: {warning}", icon="⚠️")


def show_findings(exam: Exam) -> None:
    """The table of series and the choice by hand. Names and UIDs stay hidden until a person asks."""
    identity = st.toggle(
        "Show series names and UIDs",
        value=False,
        key="show_identity",
        help="They can hold names typed at the scanner; hidden until you ask, for screens that others see.",
    )
    rows = [_taken_row(series, identity) for series in exam.series.values()]
    rows += [
        {
            "Plane": "not taken",
            "Images": refused.slices,
            "Why": refused.reason,
            **_identity(refused.description, refused.uid, identity),
        }
        for refused in exam.refused
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    _show_choices(exam, identity)
    if exam.skipped:
        st.caption(f"{len(exam.skipped)} of the files could not be used; the exam goes on without them.")
        st.dataframe(
            pd.DataFrame([{"File": skipped.position + 1, "Why": skipped.reason} for skipped in exam.skipped]),
            hide_index=True,
            width="stretch",
        )


def _taken_row(series, identity: bool) -> dict:
    return {
        "Plane": series.plane.display_name,
        "Images": series.slices,
        "Why": series.reason,
        **_identity(series.description, series.uid, identity),
    }


def _identity(description: str, uid: str, shown: bool) -> dict[str, str]:
    return {"Series": description if shown else _HIDDEN, "Series UID": uid if shown else _HIDDEN}


def _show_choices(exam: Exam, identity: bool) -> None:
    """One select box for each plane that has a runner-up."""
    planes = [plane for plane in Plane if exam.alternatives.get(plane)]
    if not planes:
        return
    for column, plane in zip(st.columns(len(planes)), planes, strict=True):
        current = exam.series.get(plane)
        options = ([current] if current else []) + list(exam.alternatives[plane])
        names = {
            series.uid: f"{number}. {series.slices} images"
            + (f", {series.description}" if identity else f", {series.reason}")
            for number, series in enumerate(options, 1)
        }
        picked = column.selectbox(
            f"{plane.display_name} series to read",
            list(names),
            format_func=names.get,
            key=f"choose_{plane}_{current.uid if current else 'none'}",
            help="The first is the one taken. Another choice runs the networks again.",
        )
        if picked is not None and (current is None or picked != current.uid):
            choose_series(plane, picked)
            st.rerun()
