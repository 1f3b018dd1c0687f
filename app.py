"""The app: its pages and their addresses. Start it with ``make app``."""

import streamlit as st

st.set_page_config(page_title="MRNet knee", page_icon="🦵", layout="wide", initial_sidebar_state="collapsed")

# One group a kind of page; the group without a name stands in the bar itself.
PAGES = {
    "": [
        st.Page("pages/home.py", title="Start", default=True),
        st.Page("pages/exam.py", title="Exam", url_path="exam"),
    ],
    "Evidence": [
        st.Page("pages/validation.py", title="Validation", url_path="validation"),
        st.Page("pages/readers.py", title="Readers", url_path="readers"),
        st.Page("pages/paper.py", title="The paper", url_path="paper"),
        st.Page("pages/training.py", title="Training", url_path="training"),
    ],
}
st.navigation(PAGES, position="top").run()
