"""/validation: ROC curves with readers, and what follows from any operating point a person chooses."""

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.ui.evidence_sources import load_validation, show_kind
from mrnet_core.ui.evidence_state import VIEWS, choose_conditions, choose_roles, choose_source, choose_task, choose_word
from mrnet_core.ui.figures import offer_slides, show_chart, show_figure, show_foot
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.operating import choose_point, choose_prevalence, follow_click, show_matrix, show_rates
from mrnet_core.ui.present import offer_stage, presenting, show_stage
from mrnet_core.ui.tables import show_table

TITLE = "Validation"

head, ways = st.columns([3, 1], vertical_alignment="bottom")
with head:
    page_head(TITLE)
with st.container(key="choices", horizontal=True, vertical_alignment="bottom", gap="medium"):
    source = choose_source()
    filters = st.container(horizontal=True, width="content", gap="medium")
validation = load_validation(source)
if validation is None:
    page_foot()
    st.stop()

known = api.roles_of(validation)
with filters:
    roles = choose_roles(known) if known else ()
    conditions = choose_conditions() if known else ()
    corner = bool(known) and choose_word("view", "View", VIEWS) == "corner"
show_kind(validation)
chart = st.container()
left, middle, right = st.columns([9, 9, 12], gap="medium")
with left:
    task = choose_task(tuple(validation.tasks))
    index = choose_point(validation, task)
    prevalence = choose_prevalence()
roc = api.roc_figure(validation, roles=roles, conditions=conditions, index={task: index})
roc = api.readers_corner(roc) if corner else roc
view = api.operating_view(validation, task, index, prevalence=prevalence) if index is not None else None
calibration = api.calibration_figure(validation)
specs = [roc, *([calibration] if calibration else [])]
if presenting():
    show_stage(specs)
    st.stop()

if view is not None:  # before the chart, which takes longer
    with middle:
        show_matrix(validation, view)
    with right:
        show_rates(view)

with ways, st.container(horizontal=True, horizontal_alignment="right"):
    offer_stage(specs)
    offer_slides(specs, "validation", TITLE, {view.task.display_name: api.operating_frame(view)} if view else {})
with chart:
    show_chart(roc, height=470, on_click=lambda key: follow_click(validation, key))
show_foot(roc)

st.subheader("Area under the curve", anchor=False)
show_table(api.auc_words(validation), "auc", csv=api.auc_frame(validation), alt="AUC with its interval, by task")
st.subheader("Calibration", anchor=False)
if calibration is None:
    st.info(validation.no_calibration or "There is no task with both kinds of exams.")
else:
    show_figure(calibration, height=480, titled=False)
    show_table(api.calibration_words(validation), "calibration", csv=api.calibration_frame(validation))
if len(api.comparison_frame(validation)):
    st.subheader("Two models on the same exams (paired DeLong)", anchor=False)
    show_table(api.comparison_words(validation), "comparison", csv=api.comparison_frame(validation))
page_foot()
