"""What the paper printed beside what its counts give, as a figure."""

from mrnet_core import paper
from mrnet_core.domain import Metric, Task
from mrnet_core.evaluation.published import MAIN_ROLE, PublishedEvidence
from mrnet_core.report.figure_spec import Axis, FigureSpec, Layer, Mark, Panel
from mrnet_core.report.tables import interval

OFFSET = 0.22
"""Distance, in rows, between two layers that share a row."""


def printed_row_figure(evidence: PublishedEvidence) -> FigureSpec:
    """C1: the meniscal row that Table 2 prints as unassisted, beside the counts without and with assistance."""
    task, metrics = Task.MENISCUS, tuple(Metric)
    rows = evidence.averages
    rows = rows[(rows["readers"] == MAIN_ROLE) & (rows["task"] == task.value)].set_index(["assisted", "metric"])
    counted = [
        [tuple(rows.loc[(assisted, metric.value), ["micro", "micro_lower", "micro_upper"]]) for metric in metrics]
        for assisted in (0, 1)
    ]
    printed = [tuple(float(cell) for cell in paper.TABLE2[task, metric][3:6]) for metric in metrics]
    series = (
        ("Printed as unassisted", "difference.other", printed),
        ("Counts, unassisted", "difference.third", counted[0]),
        ("Counts, assisted", "difference", counted[1]),
    )
    layers = tuple(
        Layer(
            name,
            "points",
            look,
            tuple(
                Mark(value, i + OFFSET * (k - 1), low, high, f"{name}, {metrics[i]}: {interval(value, low, high)}")
                for i, (value, low, high) in enumerate(cells)
            ),
            interval="x",
        )
        for k, (name, look, cells) in enumerate(series)
    )
    ticks = tuple((float(i), metric.display_name) for i, metric in enumerate(metrics))
    low = min(cell[1] for _, _, cells in series for cell in cells)
    words = "; ".join(mark.label for layer in layers for mark in layer.marks)
    return FigureSpec(
        "c1",
        "Table 2's meniscal row is that of other reads",
        (Panel("", Axis("Proportion", low - 0.02, 0.95), Axis("Metric", len(metrics) - 0.5, -0.5, ticks), layers),),
        f"The printed row lies on the assisted counts, not on the unassisted ones. {words}.",
        "General radiologists reading for meniscal tears, with Wilson 95% intervals (contradiction C1).",
        evidence.source,
        chart="bar",
    )
