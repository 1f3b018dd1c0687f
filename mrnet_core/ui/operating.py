"""The operating point of a validation: chosen by slider or by a click on the curve, and everything that follows."""

from html import escape

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.domain import Task
from mrnet_core.ui.tables import download_csv, html_table

PRINTED = 0.5
"""The threshold that the paper used."""
RANKS_HELP = "0 calls nobody positive; the last one calls everybody"


def follow_click(validation: api.Validation, chart: str) -> None:
    """Take the operating point that was clicked on a curve, and its task; the slider moves with it."""
    for point in st.session_state[chart].selection.points:
        key = point.get("customdata") or ()
        if len(key) == 3 and key[0] == "index":
            task, index = Task(key[1]), int(key[2])
            if not validation.probabilities and st.session_state.get("task") != task.value:
                # Streamlit writes a new value to the address for a slider that stands already; this one is to come.
                st.query_params[f"point_{task}"] = str(index)
            st.session_state["task"] = task.value
            if validation.probabilities:
                threshold = validation.tasks[task].points[index].threshold
                st.session_state["threshold"] = min(max(threshold, 0.0), 1.0)
            else:
                st.session_state[f"point_{task}"] = index


def choose_point(validation: api.Validation, task: Task) -> int | None:
    """The slider: over thresholds where scores are probabilities, over operating points where they are ranks.

    None where the task has exams of one kind only, and so no curve.
    """
    entry = validation.tasks[task]
    if entry.curve is None:
        st.info(f"{task.display_name}: {entry.area.note}")
        return None
    if validation.probabilities:
        key, value = "threshold", PRINTED
        threshold = st.slider("Threshold", 0.0, 1.0, PRINTED, 0.001, format="%.3f", key=key, bind="query-params")
        index = api.index_at_threshold(validation, task, threshold)
    else:
        key, value = f"point_{task}", entry.marked
        last = len(entry.points) - 1
        index = st.slider("Operating point", 0, last, entry.marked, key=key, help=RANKS_HELP, bind="query-params")
    label = (
        "Back to threshold 0.5" if validation.probabilities else f"Back to the printed point of 0.5 ({entry.marked})"
    )
    st.button(label, on_click=_back, args=(key, value), type="tertiary", disabled=st.session_state.get(key) == value)
    return index


def _back(key: str, value: float) -> None:
    st.session_state[key] = value


def choose_prevalence() -> float | None:
    """The prevalence (0 to 1) at which predictive values are stated; None: the sample's own."""
    percent = st.number_input(
        "Prevalence, %",
        0.1,
        99.9,
        None,
        1.0,
        format="%.1f",
        key="prevalence",
        placeholder="the sample's own",
        bind="query-params",
        help="Predictive values hold for one prevalence only; empty: that of these exams",
    )
    return None if percent is None else percent / 100


def show_matrix(validation: api.Validation, view: api.OperatingView) -> None:
    """The confusion matrix of an operating point."""
    st.html(_matrix(validation, view))


def show_rates(view: api.OperatingView) -> None:
    """The rates of an operating point, with their intervals."""
    frame = api.operating_frame(view)
    words = f"Rates at the chosen operating point, {view.task.display_name}"
    st.html(html_table(frame, caption=words, kind="mr-numbers"))
    download_csv(frame, f"operating-point-{view.task}")


def _matrix(validation: api.Validation, view: api.OperatingView) -> str:
    matrix = view.point.matrix
    name = escape(view.task.display_name)
    cells = (("Present", "tp", "fn"), ("Absent", "fp", "tn"))
    words = {"tp": "true positive", "fn": "false negative", "fp": "false positive", "tn": "true negative"}
    rows = "".join(
        f'<tr><th scope="row">{row}</th>'
        + "".join(
            f'<td data-cell="{cell}" class="mr-{cell[0]}"><b>{getattr(matrix, cell)}</b>'
            f"<small>{words[cell]}</small></td>"
            for cell in pair
        )
        + f"<td><b>{getattr(matrix, pair[0]) + getattr(matrix, pair[1])}</b><small>exams</small></td></tr>"
        for row, *pair in cells
    )
    return (
        f'<table class="mr-matrix"><caption>{name}, {_point(validation, view)}</caption><thead><tr><td></td>'
        '<th scope="col">Called positive</th><th scope="col">Called negative</th><th scope="col">All</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _point(validation: api.Validation, view: api.OperatingView) -> str:
    """The operating point by what the slider chooses: a threshold on probabilities, or a place in the order."""
    if not validation.probabilities:
        return f"operating point {view.index}"
    return f"threshold {api.threshold_text(validation, view.task, st.session_state['threshold'])}"
