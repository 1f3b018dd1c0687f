"""What was found in the files: series taken and refused with their reasons, the choice by hand, files skipped."""

from html import escape

import pandas as pd
import streamlit as st

from mrnet_core.api.demo import SYNTHETIC_MODEL
from mrnet_core.domain import Exam, ExamPrediction, Plane, Series
from mrnet_core.ui.caveats import caveats
from mrnet_core.ui.layout import show_notes
from mrnet_core.ui.session import choose_series, exam_session

_HIDDEN = "hidden"


def show_alarms(exam: Exam, prediction: ExamPrediction | None) -> None:
    """What makes the numbers say nothing about what is shown: over everything else, and hard to miss."""
    for caveat in caveats(exam, prediction):
        if caveat.alarm:
            st.html(f'<div class="mr-alarm" role="alert">{escape(caveat.sentence, quote=False)}</div>')


def show_warnings(exam: Exam, prediction: ExamPrediction | None) -> None:
    """Everything else a person must know: stand-ins, gaps, missing planes."""
    told = {SYNTHETIC_MODEL, *(caveat.sentence for caveat in caveats(exam, prediction))}  # alarms and tags say it
    lines = list(exam.warnings)
    lines += [f"{plane.display_name}: {line}" for plane, series in exam.series.items() for line in series.warnings]
    lines += prediction.warnings if prediction is not None else ()
    show_notes([line for line in dict.fromkeys(lines) if line not in told])


@st.fragment
def show_findings() -> None:
    """The table of series and the choice by hand. Names and UIDs stay hidden until a person asks."""
    exam = exam_session().exam
    if exam is None:
        return
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
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=_WIDTHS)
    _show_choices(exam, identity)
    if exam.skipped:
        st.caption(f"{len(exam.skipped)} of the files could not be used; the exam goes on without them.")
        st.dataframe(
            pd.DataFrame([{"File": skipped.position + 1, "Why": skipped.reason} for skipped in exam.skipped]),
            hide_index=True,
            width="stretch",
        )


_WIDTHS = {
    "Plane": st.column_config.TextColumn(width="small"),
    "Images": st.column_config.NumberColumn(width="small"),
    "Why": st.column_config.TextColumn(width="large"),
}


def _taken_row(series: Series, identity: bool) -> dict:
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
            index=0 if current else None,
            format_func=names.get,
            key=f"choose_{plane}_{current.uid if current else 'none'}",
            help="The first is the one taken. Another choice runs the networks again.",
        )
        if picked is not None and (current is None or picked != current.uid):
            choose_series(plane, picked)
            st.rerun()
