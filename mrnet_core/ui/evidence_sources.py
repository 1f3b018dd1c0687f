"""Evidence by source: the paper's and the app's model's are kept between runs, a person's own in the session alone."""

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.domain import ArtifactError, InputError
from mrnet_core.ui.own_files import own_readers, own_validation
from mrnet_core.ui.tables import plain

KEPT = 4
"""Models whose evidence is kept; one RUN folder that is trained on changes, and so becomes another."""


def load_validation(source: str) -> api.Validation | None:
    """A validation of the source, or None: then the page has said why."""
    if source == "published":
        return api.published_validation()
    return _or_say(own_validation if source == "own" else lambda: _model_validation(api.run_state()))


def load_readers(source: str) -> api.ReaderEvidence | None:
    """A reader study of the source, or None: then the page has said why."""
    if source == "published":
        return api.published_readers()
    return _or_say(own_readers if source == "own" else lambda: _model_readers(api.run_state()))


def _or_say(load):
    try:
        return load()
    except (InputError, ArtifactError) as error:
        st.error(plain(str(error)))
        return None


@st.cache_data(show_spinner="Reading the scores of the held-out exams", max_entries=KEPT)
def _model_validation(state: tuple) -> api.Validation:
    return api.run_validation()


@st.cache_data(show_spinner="Evaluating the simulated reader study, MRMC included", max_entries=KEPT)
def _model_readers(state: tuple) -> api.ReaderEvidence:
    return api.run_readers()


def show_kind(evidence: api.Validation | api.ReaderEvidence) -> None:
    """Say at the top what a synthetic study is; notes on what was left out."""
    if evidence.synthetic:
        what = "simulated readers" if isinstance(evidence, api.ReaderEvidence) else "synthetic knees"
        st.html(
            '<p class="mr-synthetic"><span class="mr-tag mr-loud">synthetic</span> A model trained on synthetic '
            f"knees, tested on {what}: this shows how the analysis works and says nothing about a real knee.</p>"
        )
    for note in evidence.notes:
        st.caption(plain(note))
