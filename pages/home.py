"""/: what this is, in three sentences, one exam to look at, and the ways on."""

import streamlit as st

from mrnet_core.api.demo import DEMO_EXAMS
from mrnet_core.ui.jobs import shared_pool
from mrnet_core.ui.layout import page_foot, page_head, show_preview
from mrnet_core.ui.text import PRIVACY, THREE_SENTENCES

shared_pool()  # the workers warm up while a person reads

words, picture = st.columns([5, 7], gap="large", vertical_alignment="center")
with words:
    page_head("A neural network reads a knee MRI")
    st.html("".join(f'<p class="mr-lead">{sentence}</p>' for sentence in THREE_SENTENCES))
    with st.container(key="first_step"):
        st.page_link("pages/exam.py", label="Open an exam of your own")
with picture:
    show_preview()

st.subheader("Or look at a synthetic knee", anchor=False)
for column, entry in zip(st.columns(len(DEMO_EXAMS)), DEMO_EXAMS, strict=True):
    with column.container(border=True, height="stretch", gap="xxsmall", key=f"demo_card_{entry.name}"):
        st.page_link("pages/exam.py", label=f"**{entry.title}** →", query_params={"demo": entry.name})
        st.caption(entry.words)
st.caption(PRIVACY)
page_foot()
