"""/exam: drop a knee exam, scroll through it with heatmaps, read three probabilities that say which model made them."""

import streamlit as st

from mrnet_core.ui.findings import show_alarms, show_findings, show_warnings
from mrnet_core.ui.layout import page_foot, page_head, show_problem
from mrnet_core.ui.probabilities import show_probabilities
from mrnet_core.ui.progress import follow_job
from mrnet_core.ui.session import exam_session, exam_title, open_demo, wanted_demo
from mrnet_core.ui.text import HEATMAP_CAUTION, PRIVACY, REAL_MODEL, SYNTHETIC_ON_REAL
from mrnet_core.ui.upload import show_demo_exams, show_upload
from mrnet_core.ui.viewer import show_viewer

session = exam_session()
if demo := wanted_demo():
    open_demo(demo)
session.take()

if session.exam is None:
    page_head("Read a knee exam", "Three series, three probabilities, and where the networks looked.")
    if session.problem:
        show_problem(session.problem)
    if session.job is not None:
        follow_job()
    else:
        show_upload()
        show_demo_exams()
        st.caption(PRIVACY)
    page_foot()
    st.stop()

title, remove = st.columns([6, 1], vertical_alignment="bottom")
with title:
    page_head(exam_title(session))
remove.button("Remove exam", on_click=session.forget, width="stretch", help="Forget the exam and everything about it")
prediction = session.prediction
show_alarms(session.exam, prediction)
if session.problem:
    show_problem(session.problem)
show_probabilities(session.exam, prediction)
if prediction is None and session.job is not None:
    follow_job()
elif prediction is None:
    st.button("Run the networks again", on_click=session.again)
show_warnings(session.exam, prediction)

show_viewer(session.blob(), key=f"viewer_{session.uploads}")
st.caption(HEATMAP_CAUTION)
with st.expander("What was found in the files", expanded=False):
    show_findings()
with st.expander("About this model"):
    st.markdown((SYNTHETIC_ON_REAL + " " + REAL_MODEL) if prediction and prediction.model.synthetic else REAL_MODEL)
    st.caption(PRIVACY)
page_foot()
