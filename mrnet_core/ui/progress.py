"""Live progress of the session's job: place in the queue, stage, cancel."""

import streamlit as st

from mrnet_core.ui.jobs import shared_pool
from mrnet_core.ui.session import exam_session


@st.fragment(run_every=0.3)
def follow_job() -> None:
    """Redraw a few times a second while work goes on; the whole page once there is something new to show."""
    session = exam_session()
    if session.take() or session.job is None:
        # Without a job this is a late call, asked for before the page was drawn anew, and may have undone the drawing.
        st.rerun()
    job = session.job
    words, button = st.columns([5, 1], vertical_alignment="center")
    if job.state == "queued":
        ahead = shared_pool().place(job)
        words.progress(0.0, "Next in line" if ahead == 0 else f"{ahead} exam(s) before this one")
    else:
        words.progress(min(max(job.fraction, 0.0), 1.0), job.stage)
    if button.button("Cancel", key="cancel_job", width="stretch"):
        session.cancel()
