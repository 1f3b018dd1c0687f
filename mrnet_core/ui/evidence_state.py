"""The state of an evidence page in its address: which source, task, point and filters a link opens.

Each choice is a widget bound to the address parameter of its own name, so a link opens the same view on a fresh
server. The address shows labels; the words on disk (``?task=acl&source=published``) are understood as well.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from mrnet_core.domain import Task

SOURCES = {"published": "Published paper", "model": "This app's model", "own": "Your files"}
"""Where evidence can come from, by the word in the code."""
CONDITIONS = {"unassisted": "Unassisted", "assisted": "Assisted"}
VIEWS = {"whole": "Whole square", "corner": "Readers' corner"}
TABLES = {"recomputed": "Recomputed", "printed": "As printed"}
_BIND = "query-params"


def choose_source() -> str:
    """Which evidence to show: a word of ``SOURCES``."""
    return _one("source", "Source", SOURCES, "published")


def choose_task(tasks: Sequence[Task], label: str = "Task") -> Task:
    """One of the tasks at hand."""
    names = {task.value: task.display_name for task in tasks}
    return Task(_one("task", label, names, next(iter(names))))


def choose_roles(roles: Sequence[str]) -> tuple[str, ...]:
    """The groups of readers to show; none at all is a choice too."""
    return choose_many("readers", "Readers", {role: f"{role.capitalize()}s" for role in roles})


def choose_conditions() -> tuple[str, ...]:
    """Reads without the model, with it, or both."""
    return choose_many("reads", "Reads", CONDITIONS)


def choose_word(key: str, label: str, names: Mapping[str, str], **options) -> str:
    """One of a few words, by its name for people; the first is the default."""
    return _one(key, label, names, next(iter(names)), **options)


def choose_many(key: str, label: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Any of a few words, by their names for people; all are the default."""
    _translate(key, names)
    chosen = st.pills(
        label, list(names), selection_mode="multi", default=list(names), format_func=names.get, key=key, bind=_BIND
    )
    return tuple(word for word in names if word in chosen)


def _one(key: str, label: str, names: Mapping[str, str], default: str, **options) -> str:
    _translate(key, names)
    if st.session_state.get(key) not in (None, *names):
        del st.session_state[key]
    return st.segmented_control(
        label, list(names), default=default, format_func=names.get, key=key, required=True, bind=_BIND, **options
    )


def _translate(key: str, names: Mapping[str, str]) -> None:
    """Write the labels of words on disk into the address before a widget is bound to the parameter; begin again."""
    words = st.query_params.get_all(key)
    if key not in st.session_state and any(word in names for word in words):
        st.query_params[key] = [names.get(word, word) for word in words]
        st.rerun()
