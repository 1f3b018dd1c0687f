"""The three probabilities with each plane's network beside them, as cards."""

import streamlit as st

from mrnet_core.domain import ExamPrediction, Task
from mrnet_core.ui.text import SYNTHETIC_SHORT


def show_probabilities(prediction: ExamPrediction) -> None:
    """Three cards; each number says beside it which kind of model gave it."""
    st.html(f'<div class="mr-cards">{"".join(_card(prediction, task) for task in Task)}</div>')


def _card(prediction: ExamPrediction, task: Task) -> str:
    value = prediction.probabilities[task]
    tag = f'<span class="mr-tag">{SYNTHETIC_SHORT}</span>' if prediction.model.synthetic else ""
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
        f"<h4>{task.display_name}{tag}</h4>"
        f'<div class="mr-value">{value:.2f}<small>{origin}</small></div>'
        f'<div class="mr-bars">{rows}</div></div>'
    )
