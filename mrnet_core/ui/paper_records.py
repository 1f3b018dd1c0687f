"""What the paper says beside what its counts say, for someone who has not read the paper."""

from collections.abc import Sequence
from html import escape

import pandas as pd
import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.ui.evidence_state import choose_many
from mrnet_core.ui.tables import download_csv

STATUS = {
    "equal": ("Equal", "recomputed to the last printed digit"),
    "differs": ("Differs", "the counts give another number"),
    "not recomputable": ("Not recomputable", "the data behind it were never published"),
}
EVERYWHERE = "The whole paper"
HEADINGS = {
    "C1": "A row of Table 2 belongs to other reads",
    "C2": "One read is missing",
    "C3": "Two numbers of torn menisci",
    "C4": "Three intervals end at their own estimate",
    "C5": "The external series: T1 or proton density?",
    "C6": "A percentage of the wrong whole",
    "C7": "A “high” predictive value that is 0.556",
    "C8": "Ruling out, or ruling in?",
}
"""What each finding is about, in a few words."""
OVERCLAIMS = ("C7", "C8")
"""Findings where the paper claims more than its counts bear; in the others it contradicts itself."""
STORY = """
In 2018 Bien and colleagues trained **MRNet**, a set of neural networks that read knee MRI exams, and tested it in two
ways on 120 exams: against seven general radiologists, and by letting nine readers (those seven and two orthopedic
surgeons) read every exam twice, once without and once with the model's answers in view.

The single reads were never published. But the paper's Figure 5 draws, for every reader, the share of healthy and of
torn knees that they called right. From the figure's points the **counts** behind them can be read off, and from the
counts most numbers of the paper can be computed again. This page sets the two side by side.
"""
GLOSSARY = {
    "Sensitivity": "Share of the exams with the finding that were called positive.",
    "Specificity": "Share of the exams without the finding that were called negative.",
    "Accuracy": "Share of all exams that were called right.",
    "AUC": "Area under the ROC curve: the chance that an exam with the finding scores above one without it. 0.5 is a "
    "coin, 1 is perfect.",
    "95% interval": "The values that the data leave plausible; a narrow one means many exams.",
    "p": "How often a difference at least this large would come up if there were none.",
    "q": "The same, allowing for the number of tests (27 here): the share of false alarms among the findings.",
    "Kappa": "Agreement between readers beyond chance: 0 is chance, 1 is perfect.",
    "Unassisted, assisted": "A read without, and with, the model's answers in view.",
    "Predictive value": "Share of the positive (or negative) calls that are right; it depends on how common the "
    "finding is.",
}


def show_tally(tally: dict[str, int]) -> None:
    """How many printed numbers are equal, differ, or cannot be recomputed."""
    cards = "".join(
        f'<div class="mr-box mr-tally"><div class="mr-value">{tally[word]}<small>{name}: {words}</small></div></div>'
        for word, (name, words) in STATUS.items()
    )
    st.html(f'<div class="mr-cards">{cards}</div>')


def show_findings(findings: Sequence) -> None:
    """C1 to C8 as cards: what the paper says, what its counts say."""
    cards = []
    for finding in findings:
        kind = "Claims more than the counts bear" if finding.id in OVERCLAIMS else "Contradicts itself"
        cards.append(
            f'<article class="mr-finding" id="{finding.id}"><header><span class="mr-tag">{finding.id}</span>'
            f"<h3>{escape(HEADINGS[finding.id])}</h3><small>{kind}</small></header>"
            f"<dl><dt>The paper says</dt><dd>{escape(finding.claim)}</dd>"
            f"<dt>Its counts say</dt><dd>{escape(finding.evidence)}</dd></dl></article>"
        )
    st.html(f'<div class="mr-findings">{"".join(cards)}</div>')
    download_csv(findings_frame(findings), "findings")


def findings_frame(findings: Sequence) -> pd.DataFrame:
    """The findings as a table."""
    rows = [(finding.id, HEADINGS[finding.id], finding.claim, finding.evidence) for finding in findings]
    return pd.DataFrame(rows, columns=["id", "about", "paper", "counts"])


def show_records(evidence: api.PublishedEvidence) -> None:
    """Every printed number beside its recomputation, with filters that the address keeps."""
    frame = api.records_frame(evidence)
    places = [EVERYWHERE, *dict.fromkeys(frame["where"])]
    left, middle, right = st.columns([4, 3, 3], vertical_alignment="bottom")
    with left:
        kinds = choose_many("status", "Show", {word: name for word, (name, _) in STATUS.items()})
    place = middle.selectbox("Where in the paper", places, key="where", bind="query-params")
    words = right.text_input("Words in the quantity", key="words", placeholder="ACL specificity", bind="query-params")
    shown = frame[frame["status"].isin(kinds)]
    if place != EVERYWHERE:
        shown = shown[shown["where"] == place]
    for word in words.split():
        shown = shown[shown["quantity"].str.contains(word, case=False, regex=False)]
    st.caption(f"{len(shown)} of {len(frame)} printed numbers")
    table = shown[["where", "quantity", "printed", "recomputed_text", "status", "note"]]
    table.columns = ["Where", "Quantity", "Printed", "Recomputed", "Status", "Note"]
    config = {
        "Where": st.column_config.TextColumn(width="medium"),
        "Quantity": st.column_config.TextColumn(width="large"),
        "Printed": st.column_config.TextColumn(width="small"),
        "Recomputed": st.column_config.TextColumn(width="small"),
        "Status": st.column_config.TextColumn(width="small"),
        "Note": st.column_config.TextColumn(width="large"),
    }
    st.dataframe(
        table.style.apply(_mark, axis=1),
        hide_index=True,
        height=520,
        column_config=config,
        key="records_table",
        alt="Printed numbers beside their recomputation",
    )
    download_csv(shown, "records")


def _mark(row: pd.Series) -> list[str]:
    colour = {"differs": "rgba(192, 90, 20, 0.22)", "not recomputable": "rgba(128, 128, 128, 0.16)"}.get(row["Status"])
    return [f"background-color: {colour}" if colour else ""] * len(row)


def show_glossary() -> None:
    """The words that the numbers need."""
    rows = "".join(f"<dt>{escape(word)}</dt><dd>{escape(words)}</dd>" for word, words in GLOSSARY.items())
    st.html(f'<dl class="mr-words">{rows}</dl>')
