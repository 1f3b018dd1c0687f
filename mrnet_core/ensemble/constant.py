"""Which networks of a RUN are constant: the one answer for what ``ensemble`` writes and what a prediction warns of.

There are two signs. The card has the spread of the logit over the exams that chose the network's epoch; the regressions
leave out a plane whose network gave the exams they were fitted on one answer. A network can show one without the other.
"""

from collections.abc import Iterable, Mapping

from mrnet_core.domain import COLLAPSED_LOGIT_SD, Plane, Task
from mrnet_core.ensemble.logistic import Ensemble
from mrnet_core.models import NetworkCard


def constant_networks(
    cards: Mapping[tuple[Plane, Task], NetworkCard], ensembles: Iterable[Ensemble]
) -> dict[tuple[Plane, Task], str]:
    """By plane and task, why each network that is constant is called so; a card without a spread gives no sign."""
    found = {}
    for key, card in cards.items():
        spread = card.metrics.get("logit_sd")
        if spread is not None and spread < COLLAPSED_LOGIT_SD:
            found[key] = (
                f"its logit varies by {spread:.3f} over the exams that chose its epoch, below {COLLAPSED_LOGIT_SD}"
            )
    for one in (regression for ensemble in ensembles for regression in ensemble.regressions):
        for plane in one.left_out:
            found.setdefault((plane, one.task), "it gave every exam that the regressions were fitted on one answer")
    return found


def constant_warnings(
    constant: Mapping[tuple[Plane, Task], str], ensemble: Ensemble, planes: tuple[Plane, ...]
) -> tuple[str, ...]:
    """A sentence for every constant network behind an answer from these planes, and what the answer makes of it."""
    lines = []
    for plane, task in ((plane, task) for task in Task for plane in planes if (plane, task) in constant):
        if len(planes) == 1:
            then = "its probability says nothing about this exam"
        elif plane in ensemble.regression(task, planes).left_out:
            then = "the combined probability leaves it out"
        else:
            then = "it says nothing about this exam, and yet the combined probability counts it in"
        lines.append(f"The {plane} network for {task.display_name} is constant ({constant[plane, task]}): {then}.")
    return tuple(lines)
