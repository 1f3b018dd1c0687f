"""/paper: what the paper says and what its counts say, number by number, and where the two part."""

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.domain import ArtifactError
from mrnet_core.ui.figures import offer_slides, show_figure
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.paper_records import STORY, show_findings, show_glossary, show_records, show_tally
from mrnet_core.ui.present import offer_stage, presenting, show_stage
from mrnet_core.ui.tables import plain

TITLE = "What the paper says, and what its counts say"

page_head(TITLE)
try:
    evidence = api.published()
except ArtifactError as error:
    st.error(plain(str(error)))
    page_foot()
    st.stop()
figures = api.paper_figures()
if presenting():
    show_stage(figures)
    st.stop()

words, ways = st.columns([5, 2], gap="large")
with words:
    st.markdown(STORY)
with ways:
    offer_stage(figures)
    offer_slides(figures, "paper", TITLE, {"Numbers that differ": api.differing_frame(evidence)})
    with st.expander("Words used here"):
        show_glossary()
show_tally(evidence.tally())

st.subheader("Where the paper contradicts itself, or claims more than its counts bear", anchor=False)
show_findings(evidence.contradictions)
show_figure(figures[0], height=360)

st.subheader("Every printed number", anchor=False)
show_records(evidence)
st.caption(plain(evidence.source.line()))
page_foot()
