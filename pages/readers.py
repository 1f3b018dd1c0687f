"""/readers: readers without and with the model: tables, changes, agreement, MRMC and the checks of a crossover."""

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.ui.evidence_sources import load_readers, show_kind
from mrnet_core.ui.evidence_state import TABLES, choose_roles, choose_source, choose_task, choose_word
from mrnet_core.ui.figures import offer_slides, show_figure
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.present import offer_stage, presenting, show_stage
from mrnet_core.ui.reader_tables import (
    show_agreement,
    show_averages,
    show_crossover,
    show_main_tables,
    show_mrmc,
    show_or_why,
    tables_of,
    titled,
)

TITLE = "Readers without and with the model"

head, ways = st.columns([3, 1], vertical_alignment="bottom")
with head:
    page_head(TITLE)
with st.container(key="choices", horizontal=True, vertical_alignment="bottom", gap="medium"):
    source = choose_source()
    filters = st.container(horizontal=True, width="content", gap="medium")
evidence = load_readers(source)
if evidence is None:
    page_foot()
    st.stop()

with filters:
    task = choose_task(api.tasks_of(evidence), "Each reader's change in")
    roles = choose_roles(api.roles_of(evidence))
    numbers = choose_word("tables", "Tables", TABLES) if source == "published" else "recomputed"
figures = api.reader_view(evidence, task, roles)
tables = tables_of(evidence, numbers)
if presenting():
    show_stage(list(figures.values()))
    st.stop()

with ways, st.container(horizontal=True, horizontal_alignment="right"):
    offer_stage(list(figures.values()))
    offer_slides(list(figures.values()), "readers", TITLE, titled(evidence, tables))
show_kind(evidence)
show_or_why(figures, evidence, "difference", "table3", height=400)
if "slope" in figures:
    show_figure(figures["slope"], height=440)
show_main_tables(evidence, tables, numbers == "printed", figures)
show_averages(evidence)
show_agreement(evidence, figures)
show_mrmc(evidence, figures)
show_crossover(evidence, figures)
page_foot()
