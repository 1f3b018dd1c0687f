"""A person's own evidence: tables dropped on the page, templates to start from, and what they gave.

Tables and results stay in this browser session; “Forget these files” drops them.
"""

from collections.abc import Callable

import streamlit as st

from mrnet_core.api import evidence as api
from mrnet_core.ui.tables import plain

ASKED = {
    "validation": {
        "scores": ("Scores", "exam, task, probability"),
        "labels": ("Labels", "exam, task, label (0 or 1)"),
        "scores2": ("Scores of a second model (optional)", "exam, task, probability"),
    },
    "readers": {
        "reads": (
            "Reads",
            "reader, role, exam, task, assisted, read; optional group, period, order, confidence (0: the finding is "
            "surely absent, 100: surely present)",
        ),
        "reference": ("Reference standard", "exam, task, and majority or rater1 to raterN, or both"),
        "model": ("Model (optional)", "exam, task, probability"),
    },
}
"""The tables that each kind of evidence is made from: label, and the columns a person must give."""
LARGEST = 64
"""MB; the tables' reader takes no more."""
TEMPLATES = {"scores2": "scores"}
MISSING = {"available": "leaves its denominators", "wrong": "counts as wrong"}


def own_validation() -> api.Validation | None:
    """The validation of a person's own scores, or None until there are any.

    Raises
    ------
    InputError, DatasetError
        A table breaks its format; the message names the row.
    """
    return _own("validation", lambda files: api.file_validation(files["scores"], files["labels"], files.get("scores2")))


def own_readers() -> api.ReaderEvidence | None:
    """The evaluation of a person's own reader study, or None until there is one.

    Raises
    ------
    InputError, DatasetError
        A table breaks its format; the message names the row.
    """

    def evaluate(files: dict[str, api.TableFile]) -> api.ReaderEvidence:
        return api.file_readers(files["reads"], files["reference"], files.get("model"), options=_options(files))

    return _own("readers", evaluate)


def _own(kind: str, evaluate: Callable[[dict[str, api.TableFile]], object]):
    kept = st.session_state.get(f"own_{kind}")
    if kept is not None:
        names, found = kept
        words, button = st.columns([6, 1], vertical_alignment="center")
        words.caption(f"From your files {plain(', '.join(names))}; they stay in this session.")
        button.button("Forget these files", on_click=_forget, args=(kind,), width="stretch")
        return found
    asked = ASKED[kind]
    given: dict[str, api.TableFile] = {}
    for column, (name, (label, columns)) in zip(st.columns(len(asked)), asked.items(), strict=True):
        with column:
            file = st.file_uploader(label, type="csv", key=f"own_{kind}_{name}", max_upload_size=LARGEST)
            st.caption(f"CSV with the columns {columns}.")
            form = TEMPLATES.get(name, name)
            st.download_button(
                f"Template {form}.csv",
                api.template(form),
                f"{form}.csv",
                "text/csv",
                key=f"template_{name}",
                on_click="ignore",
                type="tertiary",
                icon="⬇",
            )
        if file is not None:
            given[name] = api.TableFile(file.name, file.getvalue())
    needed = [name for name, (label, _) in asked.items() if "optional" not in label]
    if any(name not in given for name in needed):
        st.info(f"Drop {' and '.join(asked[name][0].lower() for name in needed)} to begin.")
        return None
    with st.form(f"own_{kind}_form", border=False):
        if kind == "readers":
            _ask_options(given["reads"])
        if not st.form_submit_button("Evaluate", type="primary"):
            return None
    with st.spinner("Evaluating your files"):
        found = evaluate(given)
    st.session_state[f"own_{kind}"] = (tuple(file.name for file in given.values()), found)
    st.rerun()


def _ask_options(reads: api.TableFile) -> None:
    roles = api.roles_in(reads)
    left, right, _ = st.columns([2, 2, 3])
    left.selectbox(
        "Readers the model is compared with",
        roles,
        index=roles.index("radiologist") if "radiologist" in roles else 0,
        key="own_role",
        help="Table 2 and the sensitivity analysis use the readers of this role",
    )
    right.selectbox("A missing read", list(MISSING), format_func=MISSING.get, key="own_missing")


def _options(files: dict[str, api.TableFile]) -> api.Options:
    roles = api.roles_in(files["reads"])
    role = st.session_state.get("own_role")
    return api.Options(role if role in roles else roles[0], st.session_state.get("own_missing") or "available")


def _forget(kind: str) -> None:
    del st.session_state[f"own_{kind}"]
