"""The three probabilities with each plane's network beside them, as cards."""

from html import escape

import streamlit as st

from mrnet_core.domain import Exam, ExamPrediction, Task
from mrnet_core.ui.findings import Caveat, caveats


def show_probabilities(exam: Exam, prediction: ExamPrediction) -> None:
    """Three cards; each number says beside it which kind of model gave it, and what makes it worthless here."""
    tags = "".join(_tag(caveat) for caveat in caveats(exam, prediction))
    tags = f'<div class="mr-tags">{tags}</div>' if tags else ""
    st.html(f'<div class="mr-cards">{"".join(_card(prediction, task, tags) for task in Task)}</div>')
    planes = ", ".join(plane.display_name.lower() for plane in prediction.planes_used)
    st.caption(f"Planes used: {planes}. Model: {prediction.model.name}, trained on {prediction.model.trained_on}.")


def _tag(caveat: Caveat) -> str:
    return f'<span class="mr-tag{" mr-loud" if caveat.alarm else ""}">{escape(caveat.short)}</span>'


def _card(prediction: ExamPrediction, task: Task, tags: str) -> str:
    value = prediction.probabilities[task]
    if len(prediction.planes_used) == 1:
        origin = f"the {prediction.planes_used[0]} network alone"
    else:
        origin = f"{len(prediction.planes_used)} planes joined"
    rows = "".join(
        f'<b>{plane.display_name}</b><i style="--p:{prediction.score(plane, task).probability:.4f}"></i>'
        f"<span>{prediction.score(plane, task).probability:.2f}</span>"
        for plane in prediction.planes_used
    )
    label = f"{task.display_name}: probability {value:.2f}, {origin}"
    return (
        f'<div class="mr-card" role="group" aria-label="{label}" data-task="{task}" data-probability="{value:.6f}">'
        f"<h4>{task.display_name}</h4>"
        f'<div class="mr-value">{value:.2f}<small>{origin}</small></div>'
        f"{tags}"
        f'<div class="mr-bars">{rows}</div></div>'
    )
