"""What was found in the files: series taken and refused with their reasons, the choice by hand, files skipped."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from mrnet_core.api.demo import SYNTHETIC_MODEL
from mrnet_core.domain import Exam, ExamPrediction, Plane
from mrnet_core.ui.caveats import caveats
from mrnet_core.ui.layout import show_notes
from mrnet_core.ui.session import choose_series, exam_session


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
    names = ("Series", "Series UID") if identity else ()
    rows = [
        (one.plane.display_name, str(one.slices), one.reason, one.description, one.uid) for one in exam.series.values()
    ]
    rows += [("not taken", str(one.slices), one.reason, one.description, one.uid) for one in exam.refused]
    _show_table(("Plane", "Images", "Why", *names), [row[: 3 + len(names)] for row in rows])
    _show_choices(exam, identity)
    if exam.skipped:
        st.caption(f"{len(exam.skipped)} of the files could not be used; the exam goes on without them.")
        _show_table(("File", "Why"), [(str(one.position + 1), one.reason) for one in exam.skipped])


def _show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table whose cells wrap, so that a reason can be read whole; every word escaped."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell, quote=False)}</td>' for cell in row)}</tr>" for row in rows)
    st.html(f'<table class="mr-table mr-found"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


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
        place = sorted(names).index(current.uid) if current else "none"
        picked = column.selectbox(
            f"{plane.display_name} series to read",
            list(names),
            index=0 if current else None,
            format_func=names.get,
            key=f"choose_{plane}_{exam_session().uploads}_{place}",  # keys become class names in the page: no UIDs
            help="The first is the one taken. Another choice runs the networks again.",
        )
        if picked is not None and (current is None or picked != current.uid):
            choose_series(plane, picked)
            st.rerun()
