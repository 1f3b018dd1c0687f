"""The slice viewer: a component that draws in the browser from one packed blob (``mrnet_core.api.viewer_data``).

Scrolling, windows and heatmaps never come back to the server; what is worth sharing of a view (task, slices, heatmap
off) the browser writes to the address itself, where ``st.query_params`` finds it.
"""

from functools import lru_cache
from pathlib import Path

import streamlit as st

from mrnet_core.api.viewer_data import Captions, DemoTruth, pack_exam
from mrnet_core.domain import Exam, ExamPrediction, Task
from mrnet_core.ui.caveats import caveats
from mrnet_core.ui.text import RESEARCH_NOTICE

_COMPONENT = Path(__file__).with_name("component")
VIEW_PARAMETERS = ("task", "slices", "map")
"""What the viewer keeps in the address."""


def viewer_blob(
    exam: Exam, prediction: ExamPrediction | None, task: Task, truth: DemoTruth | None = None, without_maps: str = ""
) -> bytes:
    """The exam as the browser gets it, with the page's own sentences; ``without_maps`` stands where no answer is."""
    said = "; ".join(caveat.short for caveat in caveats(exam, prediction))
    return pack_exam(exam, prediction, Captions(RESEARCH_NOTICE, said, task, without_maps), truth)


def show_viewer(blob: bytes, key: str) -> None:
    """Three planes side by side.

    Parameters
    ----------
    blob
        From ``viewer_blob``.
    key
        One key an exam: with the same key the view stays when the heatmaps arrive.
    """
    _component()(key=key, data=blob)


@lru_cache(maxsize=1)
def _component():
    # One module without imports: the browser gets the script in one piece, from this server and nowhere else.
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_COMPONENT.glob("*.js")))
    return st.components.v2.component(
        "mrnet_slice_viewer",
        html=(_COMPONENT / "viewer.html").read_text(encoding="utf-8"),
        css=(_COMPONENT / "viewer.css").read_text(encoding="utf-8"),
        js=script,
    )
