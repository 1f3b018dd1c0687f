"""An exam's answer as the contract's JSON object and as text for a terminal."""

from collections.abc import Iterable

from mrnet_core.domain import Exam, ExamPrediction, Plane, Series, Task


def exam_json(exam: Exam, prediction: ExamPrediction) -> dict:
    """The object that ``predict --json`` prints: plain values, full precision, None for an absent plane."""
    return {
        "planes": {plane.value: _series_json(exam, plane) for plane in Plane},
        "refused": [
            {
                "series": refused.description,
                "series_uid": refused.uid,
                "slices": refused.slices,
                "reason": refused.reason,
                "selectable": refused.selectable,
            }
            for refused in exam.refused
        ],
        "skipped_files": [{"position": skipped.position, "reason": skipped.reason} for skipped in exam.skipped],
        "side": None if exam.side is None else exam.side.value,
        "planes_used": [plane.value for plane in prediction.planes_used],
        "probabilities": {task.value: float(prediction.probabilities[task]) for task in Task},
        "by_plane": {
            plane.value: {task.value: float(prediction.score(plane, task).probability) for task in Task}
            for plane in prediction.planes_used
        },
        "most_activated_slice": {
            plane.value: {task.value: prediction.score(plane, task).heatmap.most_activated_slice for task in Task}
            for plane in prediction.planes_used
        },
        "model": {
            "name": prediction.model.name,
            "trained_on": prediction.model.trained_on,
            "synthetic": prediction.model.synthetic,
            "engine": prediction.model.engine,
            "version": prediction.model.version,
        },
        "warnings": [*exam.warnings, *prediction.warnings],
    }


def _series_json(exam: Exam, plane: Plane) -> dict | None:
    series = exam.series.get(plane)
    if series is None:
        return None
    return {
        "series": series.description,
        "series_uid": series.uid,
        "slices": series.slices,
        "reason": series.reason,
        "warnings": list(series.warnings),
    }


def uids(series: Iterable[Series]) -> tuple[str, ...]:
    """SeriesInstanceUIDs, in the order given."""
    return tuple(one.uid for one in series)


def exam_text(exam: Exam, prediction: ExamPrediction) -> str:
    """The same answer as lines for a terminal; every number stands beside the model that gave it."""
    lines = []
    for plane in Plane:
        series = exam.series.get(plane)
        if series is None:
            lines.append(f"{plane.display_name:<9} no series")
            continue
        lines.append(f"{plane.display_name:<9} {series.description or 'no description'}, {series.slices} slices")
        lines.append(f"{'':<9} {series.reason}")
        lines.extend(f"{'':<9} ! {warning}" for warning in series.warnings)
    for refused in exam.refused:
        name = refused.description or "no description"
        lines.append(f"{'not taken':<9} {name}, {refused.slices} images: {refused.reason}")
        plane = next((plane for plane, others in exam.alternatives.items() if refused.uid in uids(others)), None)
        if refused.selectable and plane:
            lines.append(f"{'':<9} to take it: --series {plane}={refused.uid}")
    if exam.skipped:
        lines.append(f"{'skipped':<9} {len(exam.skipped)} file(s); the first: {exam.skipped[0].reason}")
    lines.append("")
    model = prediction.model
    lines.append(f"Model: {model.name}, trained on {model.trained_on}")
    header = "".join(f"{plane.display_name:>10}" for plane in prediction.planes_used)
    lines.append(f"{'':<16}{'Probability':>12}{header}")
    for task in Task:
        own = "".join(f"{prediction.score(plane, task).probability:>10.3f}" for plane in prediction.planes_used)
        lines.append(f"{task.display_name:<16}{prediction.probabilities[task]:>12.3f}{own}")
    lines.append("")
    lines.extend(f"! {warning}" for warning in (*exam.warnings, *prediction.warnings))
    lines.append("Research use only: not a medical device, not for diagnosis.")
    return "\n".join(lines)
