"""The parts of the training page: a run's card, its curves, networks, scores, regressions and heatmap grades."""

from html import escape

import streamlit as st

from mrnet_core.api import evidence, run_view, run_words
from mrnet_core.api.run_view import RunView
from mrnet_core.config import tuning_words
from mrnet_core.domain import ArtifactError, InputError, Split, Task
from mrnet_core.ui.evidence_sources import KEPT, load_validation
from mrnet_core.ui.evidence_state import choose_task, choose_word
from mrnet_core.ui.figures import show_figure
from mrnet_core.ui.layout import show_notes, show_problem
from mrnet_core.ui.tables import download_csv, html_table, plain, show_table

LOOK_EVERY = 5.0
"""Seconds between two looks at a run that still trains."""
MORE_SCORES = "ROC curves, operating points and calibration of this model"
SYNTHETIC = (
    '<p class="mr-synthetic"><span class="mr-tag mr-loud">synthetic</span> Trained and tested on synthetic knees: '
    "these figures show how training works here and say nothing about real knees.</p>"
)
NO_HISTORY = (
    "This model brings no training history, so there is nothing to draw by epoch. A run trained here keeps one: "
    "`python -m mrnet_core train --data DIR --out RUN`, then `MRNET_MODEL=RUN make app`."
)
NO_EPOCH = "No network has finished an epoch yet; a trunk may be training before them. This page looks again by itself."
INNER = (
    "In this run a part of the training exams chose the epochs: they are what is called tuning exams in these curves "
    "and in the table of the networks."
)
NO_GRADES = (
    "This model brings no heatmap grades: they need lesions whose place is known, so only a synthetic cohort can give "
    "them (`make reproduce`)."
)
GRADES_SAY = (
    "The digital knee knows where its lesions are. The pointing game asks, for exams with the finding, how often the "
    "hottest cell of the hottest slice lies within 36 pixels, about one cell of the heatmap, of the lesion. It tells "
    "whether the strongest evidence comes from the right place. It does not tell that the answer is right, that the "
    "lesion was seen whole, or that a heatmap outlines it. What it is held against: the fixed place is the one in the "
    "knee that hits most of the other exams' lesions, reached without looking; the prior is a network's hot spots "
    "tested on other exams' lesions, low where they scatter; the untrained networks are random draws, and their range "
    "shows how far from chance luck leads. Only what lies above all of them speaks for looking."
)


def load_run() -> RunView | None:
    """The installation's run, or None: then the page has said why."""
    try:
        state = run_view.view_state()
        return run_view.read_run() if state is None else _finished_run(state)
    except (InputError, ArtifactError) as error:
        show_problem(str(error))
        return None


@st.cache_data(show_spinner="Reading the run", max_entries=KEPT)
def _finished_run(state: tuple) -> RunView:
    return run_view.read_run()


def run_figures(view: RunView) -> dict[str, run_view.FigureSpec]:
    """Every figure of the run that needs no choice, by name."""
    specs = run_view.curve_figures(view)
    more = {
        "regressions": run_view.coefficients_figure(view),
        "heatmaps": run_view.grades_figure(view, Task.ABNORMAL, "all"),
    }
    return specs | {name: spec for name, spec in more.items() if spec is not None}


@st.fragment(run_every=LOOK_EVERY)
def follow_run() -> None:
    """A run that still trains, read anew every few seconds; the whole page once it is a model."""
    view = load_run()
    if view is None:
        return
    if view.finished:
        st.rerun()
    st.caption(run_words.state_words(view))
    show_card(view)
    done = f"{len(view.networks)} of {view.planned} networks begun, {view.progress:.0%} of the planned epochs done"
    st.progress(view.progress, done)
    news = run_words.news_words(view)
    if news:
        st.caption(news)
    trunk = run_words.trunk_progress(view)
    if trunk is not None:
        st.progress(*trunk)
        return
    show_training(view, run_view.curve_figures(view))


def show_card(view: RunView) -> None:
    """What the run is, what departs from the paper, and what must be said of it."""
    if view.synthetic:
        st.html(SYNTHETIC)
    elif view.synthetic is None:
        st.caption("Whether the exams of this run are synthetic is known once its first network is done.")
    left, right = st.columns([5, 7], gap="large")
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(words)}</td></tr>' for label, words in view.card.items()
    )
    left.html(f'<table class="mr-table"><caption class="mr-unseen">The run</caption><tbody>{rows}</tbody></table>')
    with right:
        st.markdown("**Departures from the paper's protocol**")
        items = "".join(f"<li>{escape(words)}</li>" for words in view.departures) or "<li>None.</li>"
        st.html(f'<ul class="mr-list">{items}</ul>')
    show_notes(view.warnings)


def show_training(view: RunView, specs: dict[str, run_view.FigureSpec]) -> None:
    """Curves by epoch, and a table of the networks with their speed."""
    if view.epochs.empty:
        st.info(NO_HISTORY if view.finished else NO_EPOCH)
        return
    st.subheader("By epoch", anchor=False)
    if view.config is not None and view.config.tuning == "inner":
        st.caption(INNER)
    for name in ("loss", "auc", "spread"):
        if name in specs:
            show_figure(specs[name], height=420)
    st.subheader("Networks", anchor=False)
    st.caption(run_words.throughput_words(view))
    show_table(
        run_view.networks_frame(view.networks, dict(view.kept)),
        "networks",
        csv=view.networks,
        alt="Chosen epoch, tuning figures and speed of every network and seed",
    )
    with st.expander("Every epoch"):
        st.dataframe(view.epochs, hide_index=True, height=300, key="frame_epochs", alt="Every epoch of every network")
        download_csv(view.epochs, "epochs")
    if view.trunk:
        _show_trunk(view)


def _show_trunk(view: RunView) -> None:
    steps, seconds = view.trunk.get("steps", "?"), view.trunk.get("seconds", 0.0)
    figures = view.trunk.get("tuning_auc") or {}
    st.markdown("**The trunk they started from**")
    st.caption(f"{steps} steps on dense labels of synthetic knees, {seconds:.0f} s. AUC on tuning slices at the end:")
    frame = run_view.trunk_frame(figures)
    if len(frame):
        with st.columns(2)[0]:
            show_table(frame, "trunk", alt="AUC of the trunk's read-outs on tuning slices")


def show_scores(view: RunView) -> None:
    """AUC on the exams the run is judged by with its interval, the shortcut's beside it; each network's own below."""
    st.subheader("Scores", anchor=False)
    validation = load_validation("model") if view.scored else None
    if validation is not None:
        who = "network of each task" if view.one_plane else "ensemble"
        chosen = "validation exams, which chose nothing" if view.scored is Split.VALIDATION else "tuning exams"
        words = f"The {who} on the {chosen}; 95% DeLong intervals."
        if view.scored is Split.TUNING:
            words += f" {tuning_words(view.config)}"
        if validation.shortcut:
            words += " Shortcut: a regression on effusion and contusion alone, which a network must beat."
        st.caption(words)
        text, exact = run_view.validation_auc_text(validation), evidence.auc_frame(validation)
        show_table(text, "auc", csv=exact, alt="AUC by task")
        st.html(f'<a class="mr-link" href="validation?source=model" target="_self">{MORE_SCORES}</a>')
    elif not view.scored:
        st.info("This model brings no scores of validation or tuning exams.")
    if len(view.aucs):
        with st.expander("AUC of every network" + " and of both ensembles" * (not view.one_plane)):
            st.caption(tuning_words(view.config))
            show_table(run_view.networks_auc_text(view.aucs), "network-aucs", csv=view.aucs, alt="AUC by network")


def show_regressions(view: RunView, specs: dict[str, run_view.FigureSpec]) -> None:
    """Weight of each plane, both ways of fitting, beside the paper's remark."""
    if "regressions" not in specs:
        return
    st.subheader("Weight of each plane", anchor=False)
    st.markdown(plain(run_view.coefficients_words(view)))
    show_figure(specs["regressions"], height=380)
    with st.expander("Every regression, of two and of three planes"):
        frame = run_view.coefficients_frame(view.coefficients)
        st.html(html_table(run_view.coefficients_text(frame), caption="Coefficients of every regression"))
        download_csv(frame, "regressions")


def show_heatmaps(view: RunView) -> None:
    """Heatmap grades against chance, prior and the untrained network, by task, plane, lesion and severity."""
    st.subheader("Heatmap grades", anchor=False)
    names = run_view.groupings(view)
    if not names:
        st.info(NO_GRADES)
        return
    st.html(f'<p class="mr-read">{GRADES_SAY}</p>')
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = choose_word("grades", "Exams by", names)
        task = Task.ABNORMAL if by == "all" else choose_task(run_view.graded_tasks(view))
    spec = run_view.grades_figure(view, task, by)
    if spec is not None:
        show_figure(spec)
    frame = run_view.grades_frame(view.grades, None if by == "all" else task, by)
    show_table(frame, "heatmap-grades", csv=view.grades, alt="Heatmap grades")
