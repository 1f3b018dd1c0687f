"""/: what this is, in three sentences, one exam to look at, and the ways on."""

import streamlit as st

from mrnet_core.api.exams import DEMO_EXAMS
from mrnet_core.ui.jobs import shared_pool
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.text import PRIVACY

shared_pool()  # the workers warm up while a person reads

page_head("A neural network reads a knee MRI")
words, picture = st.columns([5, 6], gap="large")
with words:
    st.html(
        """<p class="mr-lead">MRNet (Bien et al. 2018) flags abnormality, ACL tears and meniscal tears on a knee MRI
        exam, and shows where it looked.</p>
        <p class="mr-lead">Here the whole system runs on your own computer: drop an exam, scroll through its three
        series with the heatmaps over them, and read three probabilities with the networks behind them.</p>
        <p class="mr-lead">The model that ships was trained on <strong>synthetic knees</strong>, because the patients'
        images behind the published one may not be handed on: it shows how the system works and says nothing about a
        real knee.</p>"""
    )
    st.page_link("pages/exam.py", label="Open an exam of your own", icon="📂")
    for entry in DEMO_EXAMS:
        st.page_link(
            "pages/exam.py", label=f"Look at a demo exam: {entry.title}", icon="🦵", query_params={"demo": entry.name}
        )
    st.caption(PRIVACY)
with picture:
    st.image(
        "artifacts/demo/preview.png",
        caption="A synthetic knee with a torn ACL, as the demo model's ACL networks see it. Synthetic data.",
    )
page_foot()
