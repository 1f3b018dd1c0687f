"""/exam: drop a knee exam, scroll through it with heatmaps, read three probabilities that say which model made them."""

import streamlit as st

from mrnet_core.api.exams import DEMO_EXAMS, is_synthetic
from mrnet_core.domain import Task
from mrnet_core.ui.findings import show_findings, show_warnings
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.probabilities import show_probabilities
from mrnet_core.ui.progress import follow_job
from mrnet_core.ui.session import exam_session, open_demo, show_upload, wanted_demo
from mrnet_core.ui.text import HEATMAP_CAUTION, PRIVACY, REAL_MODEL, SYNTHETIC_ON_REAL
from mrnet_core.ui.viewer import show_viewer

session = exam_session()
if demo := wanted_demo():
    open_demo(demo)
session.take()

if session.exam is None:
    page_head("Read a knee exam", "Three series, three probabilities, and where the networks looked.")
    if session.problem:
        st.error(session.problem)
    if session.job is not None:
        follow_job()
    else:
        show_upload()
        st.subheader("Or take a demo exam", anchor=False)
        for column, entry in zip(st.columns(len(DEMO_EXAMS)), DEMO_EXAMS, strict=True):
            column.button(entry.title, help=entry.words, on_click=open_demo, args=(entry.name,), width="stretch")
        st.caption("The demo exams are synthetic knees, made on this machine when you ask for one. " + PRIVACY)
    page_foot()
    st.stop()

title, remove = st.columns([6, 1], vertical_alignment="bottom")
with title:
    page_head("Synthetic knee exam" if is_synthetic(session.exam) else "Knee exam")
remove.button("Remove exam", on_click=session.forget, width="stretch")
if session.problem:
    st.error(session.problem)
show_warnings(session.exam)

prediction = session.prediction
if prediction is None:
    if session.job is not None:
        follow_job()
else:
    if prediction.model.synthetic and not is_synthetic(session.exam):
        st.html(f'<div class="mr-alarm" role="alert">{SYNTHETIC_ON_REAL}</div>')
    show_probabilities(prediction)
    planes = ", ".join(plane.display_name.lower() for plane in prediction.planes_used)
    st.caption(f"Planes used: {planes}. Model: {prediction.model.name}, trained on {prediction.model.trained_on}.")

show_viewer(session.exam, prediction, key=f"viewer_{session.uploads}", task=Task.ACL)
st.caption(HEATMAP_CAUTION)
with st.expander("What was found in the files", expanded=False):
    show_findings(session.exam)
with st.expander("About this model"):
    st.markdown((SYNTHETIC_ON_REAL + " " + REAL_MODEL) if prediction and prediction.model.synthetic else REAL_MODEL)
    st.caption(PRIVACY)
page_foot()
