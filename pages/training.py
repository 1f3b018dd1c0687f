"""/training: how the model in use was trained, epoch by epoch, and whether its heatmaps point at the lesion."""

import streamlit as st

from mrnet_core.ui.figures import offer_slides
from mrnet_core.ui.layout import page_foot, page_head
from mrnet_core.ui.present import offer_stage, presenting, show_stage
from mrnet_core.ui.training_view import (
    follow_run,
    load_run,
    run_figures,
    show_card,
    show_heatmaps,
    show_regressions,
    show_scores,
    show_training,
)

title, ways = st.columns([5, 2], vertical_alignment="bottom")
with title:
    page_head("Training")
view = load_run()
if view is None:
    page_foot()
    st.stop()

if not view.finished:
    follow_run()
    page_foot()
    st.stop()

figures = run_figures(view)
specs = list(figures.values())
if specs and presenting():
    show_stage(specs)
    st.stop()
if specs:
    with ways, st.container(horizontal=True, horizontal_alignment="right"):
        offer_stage(specs)
        offer_slides(specs, "training", "Training")

show_card(view)
show_training(view, figures)
show_scores(view)
show_regressions(view, figures)
show_heatmaps(view)
page_foot()
