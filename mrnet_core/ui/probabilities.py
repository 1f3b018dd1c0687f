"""The three probabilities with each plane's network beside them, as cards."""

from html import escape

import streamlit as st

from mrnet_core.domain import Exam, ExamPrediction, Plane, Task
from mrnet_core.ui.caveats import Caveat, caveats


def show_probabilities(exam: Exam, prediction: ExamPrediction | None) -> None:
    """Three cards; each number says beside it which kind of model gave it, and what makes it worthless here.

    Without an answer the cards hold their places, so that the viewer below stays where it is when the numbers come.
    """
    tags = "".join(_tag(caveat) for caveat in caveats(exam, prediction))
    tags = f'<div class="mr-tags">{tags}</div>' if tags else ""
    cards = "".join(_card(prediction, task, tags) if prediction else _waiting(exam, task, tags) for task in Task)
    st.html(f'<div class="mr-cards">{cards}</div>')
    if prediction is not None:
        planes = ", ".join(plane.display_name.lower() for plane in prediction.planes_used)
        model = escape(f"Model: {prediction.model.name}, trained on {prediction.model.trained_on}.", quote=False)
        st.html(f'<p class="mr-small">Planes used: {planes}. {model}</p>')


def _tag(caveat: Caveat) -> str:
    return f'<span class="mr-tag{" mr-loud" if caveat.alarm else ""}">{escape(caveat.short)}</span>'


def _card(prediction: ExamPrediction, task: Task, tags: str) -> str:
    value = prediction.probabilities[task]
    if len(prediction.planes_used) == 1:
        origin = f"the {prediction.planes_used[0]} network alone"
    else:
        origin = f"{len(prediction.planes_used)} planes joined"
    rows = "".join(_row(plane, prediction.score(plane, task).probability) for plane in prediction.planes_used)
    label = f"{task.display_name}: probability {value:.2f}, {origin}"
    marks = (
        f'class="mr-box mr-card" role="group" aria-label="{label}" data-task="{task}" data-probability="{value:.6f}"'
    )
    return _frame(marks, task, f"{value:.2f}", origin, rows, tags)


def _waiting(exam: Exam, task: Task, tags: str) -> str:
    rows = "".join(_row(plane, None) for plane in exam.planes)
    marks = f'class="mr-box mr-wait" role="group" aria-label="{task.display_name}: no answer yet"'
    return _frame(marks, task, "–", "no answer yet", rows, tags)


def _row(plane: Plane, probability: float | None) -> str:
    share, words = (0.0, "–") if probability is None else (probability, f"{probability:.2f}")
    return f'<b>{plane.display_name}</b><i style="--p:{share:.4f}"></i><span>{words}</span>'


def _frame(marks: str, task: Task, value: str, origin: str, rows: str, tags: str) -> str:
    return (
        f"<div {marks}><h4>{task.display_name}</h4>"
        f'<div class="mr-value">{value}<small>{origin}</small></div>'
        f'<div class="mr-bars">{rows}</div>{tags}</div>'
    )
