"""Which study, which knee and which series of each plane are read; every other one with its reason.

Pure: works on candidates, not on pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mrnet_core.dicom.series import Candidate
from mrnet_core.domain import ExamError, Plane, RefusedSeries, Side

APART_MM = 120.0
"""Series whose middles lie further apart than this from left to right show two legs."""
NEXT_BEST = "could stand in: {words}; {taken} was taken, nearer to the paper's {paper} in this plane"


@dataclass(frozen=True)
class Chosen:
    """Candidates by plane, best first; what is refused; what a person must know."""

    ranked: Mapping[Plane, tuple[Candidate, ...]]
    refused: tuple[RefusedSeries, ...]
    warnings: tuple[str, ...]
    side: Side | None
    by_hand: frozenset[str] = field(default_factory=frozenset)
    """UIDs that a person chose."""
    other_body_part: str | None = None
    """A body part other than the knee that the series say they show; the first warning says it in a sentence."""


@dataclass(frozen=True)
class Study:
    """One study's candidates and refusals; ``order`` sorts newest last and never leaves the reading."""

    uid: str
    order: str
    candidates: tuple[Candidate, ...]
    refused: tuple[RefusedSeries, ...]

    @property
    def planes(self) -> int:
        """Planes that could be read."""
        return len({one.plane for one in self.candidates})

    @property
    def knee_planes(self) -> int:
        """Planes that could be read from series that name no other body part."""
        return len({one.plane for one in self.candidates if one.body_part is None})


def choose(studies: Sequence[Study], choices: Mapping[Plane, str], side: Side | None) -> Chosen:
    """Choose one study, one knee and rank the series of each plane.

    Parameters
    ----------
    studies
        Every study of the one patient.
    choices
        Series UID by plane, chosen by hand.
    side
        The knee to read, where a person said so.

    Raises
    ------
    ExamError
        No series of any plane; a chosen UID that is not there; a side that is not there.
    """
    study, refused, warnings = _one_study(studies, choices)
    if not study.candidates:
        raise ExamError(nothing_to_read(refused))
    left, side, more, said = _one_side(study.candidates, choices, side)
    refused, warnings = [*refused, *more], [*warnings, *said]
    left, strangers = _knees_first(left)
    refused += strangers
    by_hand = _check_choices(left, choices, refused)
    parts = sorted({one.body_part for one in left if one.body_part})
    if parts:
        warnings.insert(0, body_part_alarm(parts))
    ranked: dict[Plane, tuple[Candidate, ...]] = {}
    for plane in Plane:
        order = sorted((one for one in left if one.plane == plane), key=lambda one: one.rank)
        picked = [one for one in order if one.uid == choices.get(plane)]
        if order:
            ranked[plane] = (*picked, *(one for one in order if one not in picked))
    other = " and ".join(parts) or None
    return Chosen(ranked, tuple(refused), tuple(warnings), side, by_hand, other)


def body_part_alarm(parts: Sequence[str]) -> str:
    """The warning that no one can miss."""
    named = " and ".join(parts).upper()
    return (
        f"NOT A KNEE? These images say that they show another body part: {named}. The networks know knees only; on "
        "anything else their numbers and heatmaps mean nothing."
    )


def nothing_to_read(refused: Sequence[RefusedSeries]) -> str:
    """Why no series of the exam could be taken, as one message."""
    if not refused:
        return "no MR series was found: give the folder, zip or files of a knee MRI"
    reasons = list(dict.fromkeys(one.reason for one in refused))
    more = f" (and {len(reasons) - 3} more reasons)" if len(reasons) > 3 else ""
    return f"none of the {len(refused)} MR series can be read as a knee series: {'; '.join(reasons[:3])}{more}"


def reason_taken(one: Candidate, rivals: int, by_hand: bool) -> str:
    """Why a series is the one read, in a sentence."""
    if by_hand:
        return f"chosen by hand: {one.sequence.words}"
    best = f"nearest of {rivals + 1}" if rivals else "the only one"
    return f"{one.sequence.words}; {best} for the {one.plane} plane (the paper's: {one.plane.paper_sequence})"


def reason_left(one: Candidate, taken: Candidate) -> str:
    """Why a candidate is not the one read."""
    return (
        f"{one.sequence.words}: another {one.plane} series ({taken.sequence.words}) is nearer to the paper's "
        f"{one.plane.paper_sequence}"
        if one.score < taken.score
        else f"{one.sequence.words}: as near to the paper's protocol as the {one.plane} series taken, which has more "
        "or finer slices"
    )


def _one_study(studies: Sequence[Study], choices: Mapping[Plane, str]) -> tuple[Study, list[RefusedSeries], list[str]]:
    """The newest whole study, else the fullest; a study named by a hand-made choice goes first."""
    wanted = set(choices.values())

    def rank(study: Study) -> tuple:
        named = any(one.uid in wanted for one in study.candidates)
        return (named, study.knee_planes, study.planes, study.order, study.uid)

    *others, taken = sorted(studies, key=rank)
    refused = list(taken.refused)
    if not others:
        return taken, refused, []
    left = [one for other in reversed(others) for one in (*other.candidates, *other.refused)]
    reason = "of another study of this patient"
    for one in left:
        refused.append(
            one.refusal(reason) if isinstance(one, Candidate) else replace(one, reason=f"{reason}; {one.reason}")
        )
    whole = "all three planes" if taken.planes == len(Plane) else f"{taken.planes} of three planes"
    newest = taken.order == max(study.order for study in studies)
    how = "the newest one" if newest else "not the newest, but the newest whole one"
    series = {one.uid for one in left}
    warning = (
        f"The files hold {len(studies)} studies of one patient. Read was {how}, with {whole}; the other"
        f"{'s' if len(others) > 1 else ''} (study UID ending in {', '.join(other.uid[-8:] for other in others)}; "
        f"{len(series)} series) "
        f"{'were' if len(others) > 1 else 'was'} left out."
    )
    return taken, refused, [warning]


def _one_side(candidates: Sequence[Candidate], choices: Mapping[Plane, str], wanted: Side | None):
    """Candidates of one knee, that knee, refusals of the other's, and warnings."""
    candidates = _sides_by_place(candidates)
    sides = {one.side for one in candidates} - {None}
    if wanted is not None and sides and wanted not in sides:
        raise ExamError(
            f"no series is of the {wanted} knee: the files say {' and '.join(sorted(sides))}; leave the side out or "
            "change it"
        )
    if len(sides) < 2:
        said = (
            []
            if sides or wanted is None
            else [f"The files do not say which knee they show; it was read as the {wanted} one."]
        )
        return list(candidates), wanted or next(iter(sides), None), [], said
    chosen = (
        wanted
        or _side_of_choices(candidates, choices)
        or max(sorted(sides), key=lambda side: _fullness(candidates, side))
    )
    other = next(side for side in Side if side != chosen)
    taken = [one for one in candidates if one.side == chosen]
    refused = []
    for one in candidates:
        if one.side == other and one.uid not in {kept.uid for kept in taken}:
            refused.append(one.refusal(f"of the {other} knee; the {chosen} one is read (two knees are never mixed)"))
        elif one.side is None:
            refused.append(
                one.refusal(f"does not say which knee it shows, in a study of both; the {chosen} one is read")
            )
    warning = (
        f"Two knees were found, left and right. Only the {chosen} one was read; "
        f"give the side {other} to read the other."
    )
    return taken, chosen, refused, [warning]


def _knees_first(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[RefusedSeries]]:
    """Series of another body part are read, with the alarm, only where the study has nothing else."""
    knees = [one for one in candidates if one.body_part is None]
    if not knees:
        return list(candidates), []
    others = [one for one in candidates if one.body_part is not None]
    return knees, [
        one.refusal(f"says it shows another body part ({one.body_part}), in a study that has knee series")
        for one in others
    ]


def _sides_by_place(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Where no series names a side and their middles lie a leg apart, the patient's right is at lower x."""
    if any(one.side for one in candidates):
        return list(candidates)
    places = [one.stack.centre_x for one in candidates]
    if max(places) - min(places) < APART_MM:
        return list(candidates)
    middle = (max(places) + min(places)) / 2
    sentence = "The side was told from where the images lie; the files do not name it."
    return [
        replace(one, side=Side.RIGHT if place < middle else Side.LEFT, warnings=(*one.warnings, sentence))
        for one, place in zip(candidates, places, strict=True)
    ]


def _side_of_choices(candidates: Sequence[Candidate], choices: Mapping[Plane, str]) -> Side | None:
    return next((one.side for one in candidates if one.uid in choices.values() and one.side), None)


def _fullness(candidates: Sequence[Candidate], side: Side) -> tuple:
    """Planes of a knee, then how near its best series come to the protocol; the right one of equals."""
    best: dict[Plane, float] = {}
    for one in candidates:
        if one.side == side:
            best[one.plane] = max(one.score, best.get(one.plane, -1e9))
    return (len(best), sum(best.values()), side == Side.RIGHT)


def _check_choices(candidates: Sequence[Candidate], choices: Mapping[Plane, str], refused) -> frozenset[str]:
    for plane, uid in choices.items():
        if any(one.uid == uid and one.plane == plane for one in candidates):
            continue
        allowed = ", ".join(one.uid for one in candidates if one.plane == plane) or "none"
        reason = next((f" ({one.reason})" for one in refused if one.uid == uid), "")
        raise ExamError(f"series {uid} cannot be read as the {plane} one{reason}; those that can: {allowed}")
    return frozenset(choices.values())
