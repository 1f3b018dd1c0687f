"""The tables of a reader study on its page: Tables 2 and 3 and S4, averages, agreement, MRMC and crossover."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.ui.figures import show_figure
from mrnet_core.ui.tables import plain, show_table

TITLES = {
    "table2": "Table 2: the model against the unassisted {role}s",
    "table3": "Table 3: assisted minus unassisted, all readers",
    "s4": "S4 Table: assisted minus unassisted, {role}s only",
}
CARRY_OVER = (
    "A carry-over effect cannot be told from a difference between the two groups of readers; where there is one, the "
    "period effect and the effect of assistance are biased."
)
MENISCUS_ROW = (
    "The printed meniscal row is that of the radiologists with assistance: contradiction C1. Its p-values are those of "
    "the unassisted reads, as recomputed here."
)


def tables_of(evidence: api.ReaderEvidence, numbers: str) -> dict[str, pd.DataFrame]:
    """Tables 2, 3 and S4 by name, with the paper's printed numbers or recomputed ones; absent ones left out."""
    printed = numbers == "printed"
    tables = {
        "table2": api.printed_table2() if printed else api.recomputed_table2(evidence),
        "table3": api.printed_table3() if printed else api.recomputed_table3(evidence),
        "s4": api.recomputed_s4(evidence),
    }
    return {name: frame for name, frame in tables.items() if len(frame)}


def titled(evidence: api.ReaderEvidence, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same tables by the titles that people read."""
    return {TITLES[name].format(role=evidence.main_role): frame for name, frame in tables.items()}


def why_not(evidence: api.ReaderEvidence, part: str) -> str:
    """Why a part of the study is absent."""
    return evidence.absent.get(part, "The study has nothing to show here.")


def show_or_why(
    figures: Mapping[str, api.FigureSpec], evidence: api.ReaderEvidence, name: str, part: str, height: int | None = None
) -> bool:
    """Draw a figure, or say why there is none; True when it was drawn."""
    if name in figures:
        show_figure(figures[name], height=height, titled=name not in ("kappa", "crossover"))
        return True
    st.info(plain(why_not(evidence, part)))
    return False


def show_main_tables(evidence: api.ReaderEvidence, tables: Mapping[str, pd.DataFrame], printed: bool, figures) -> None:
    """Tables 2, 3 and S4, with the warnings that belong beside them."""
    for name, title in TITLES.items():
        st.subheader(title.format(role=plain(evidence.main_role)), anchor=False)
        if name not in tables:
            st.info(plain(why_not(evidence, name)))
            continue
        if name == "table2":
            st.caption(plain(evidence.warnings[0]))
        if name == "table2" and printed:
            st.warning(MENISCUS_ROW)
        if name == "s4" and printed:
            st.caption("S4 Table is not in the article's text; these are recomputed numbers.")
        show_table(tables[name], name, csv=None if printed else getattr(evidence, name), alt=title)
        if name in figures:
            with st.expander("The same as a chart"):
                show_figure(figures[name])
    st.caption(api.family_words(evidence))


def show_averages(evidence: api.ReaderEvidence) -> None:
    """Micro- and macro-averages, and the model's AUC."""
    st.subheader("Averages over readers", anchor=False)
    st.caption(plain(evidence.warnings[0]))
    with st.expander("Micro- and macro-averages", expanded=False):
        show_table(api.averages_frame(evidence), "averages", csv=evidence.averages)
    areas = api.model_auc_frame(evidence)
    if len(areas):
        st.subheader("The model's AUC on these exams", anchor=False)
        show_table(areas, "model-auc", csv=evidence.auc, alt="AUC of the model by task")


def show_agreement(evidence: api.ReaderEvidence, figures: Mapping[str, api.FigureSpec]) -> None:
    """Exact Fleiss kappa as a figure and a table."""
    st.subheader("Agreement", anchor=False)
    if show_or_why(figures, evidence, "kappa", "kappa"):
        show_table(api.kappa_frame(evidence.kappa), "kappa", csv=evidence.kappa, alt="Exact Fleiss kappa")


def show_mrmc(evidence: api.ReaderEvidence, figures: Mapping[str, api.FigureSpec]) -> None:
    """The MRMC answer beside the paper's t-test."""
    st.subheader("Readers and exams both as samples (MRMC)", anchor=False)
    st.caption(plain(evidence.warnings[1]))
    if show_or_why(figures, evidence, "mrmc", "mrmc"):
        with st.expander("The t-test, Obuchowski-Rockette and U-statistics as a table"):
            show_table(api.mrmc_frame(evidence), "mrmc", csv=evidence.mrmc_summary)


def show_crossover(evidence: api.ReaderEvidence, figures: Mapping[str, api.FigureSpec]) -> None:
    """Period and carry-over effects, and the balance of the groups."""
    st.subheader("Did the order of reading matter?", anchor=False)
    if show_or_why(figures, evidence, "crossover", "crossover"):
        st.caption(CARRY_OVER)
        with st.expander("Effects and groups as tables"):
            show_table(api.crossover_frame(evidence), "crossover", csv=evidence.crossover)
            show_table(evidence.balance.astype(str), "balance", csv=evidence.balance)
