"""The app: its pages and their addresses. Start it with ``make app``."""

import streamlit as st

st.set_page_config(page_title="MRNet knee", page_icon="🦵", layout="wide", initial_sidebar_state="collapsed")

st.navigation(
    [
        st.Page("pages/home.py", title="Start", default=True),
        st.Page("pages/exam.py", title="Exam", url_path="exam"),
    ],
    position="top",
).run()
