"""Which study, which knee and which series of each plane are read; every other one with its reason.

Pure: works on candidates, not on pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mrnet_core.dicom.series import Candidate
from mrnet_core.dicom.words import UNKNOWN_PART
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
    left, strangers = _knees_first(study.candidates)
    left, side, more, said = _one_side(left, choices, side)
    refused, warnings = [*refused, *more, *strangers], [*warnings, *said]
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
    other = _named(parts) or (UNKNOWN_PART if parts else None)
    return Chosen(ranked, tuple(refused), tuple(warnings), side, by_hand, other)


def body_part_alarm(parts: Sequence[str]) -> str:
    """The warning that no one can miss."""
    named = f": {_named(parts).upper()}" if _named(parts) else ""
    return (
        f"NOT A KNEE? These images say that they show another body part{named}. The networks know knees only; on "
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

    by_age = sorted(studies, key=lambda study: (study.order, study.uid))
    number = {study.uid: k for k, study in enumerate(by_age, 1)}
    taken = max(studies, key=rank)
    others = [study for study in by_age if study.uid != taken.uid]
    refused = list(taken.refused)
    if not others:
        return taken, refused, []
    series = set()
    for other in others:
        reason = f"of another study of this patient (study {number[other.uid]} of {len(studies)}, oldest first)"
        for one in (*other.candidates, *other.refused):
            series.add(one.uid)
            refused.append(
                one.refusal(reason) if isinstance(one, Candidate) else replace(one, reason=f"{reason}; {one.reason}")
            )
    whole = "all three planes" if taken.planes == len(Plane) else f"{taken.planes} of three planes"
    newest = taken.order == by_age[-1].order
    how = "the newest one" if newest else "not the newest, but the newest whole one"
    names = " and ".join(str(number[other.uid]) for other in others)
    left, were = (f"studies {names}", "were") if len(others) > 1 else (f"study {names}", "was")
    warning = (
        f"The files hold {len(studies)} studies of one patient. Read was {how} (study {number[taken.uid]} of "
        f"{len(studies)}, oldest first), with {whole}; {left} ({len(series)} series) {were} left out."
    )
    return taken, refused, [warning]


def _one_side(candidates: Sequence[Candidate], choices: Mapping[Plane, str], wanted: Side | None):
    """Candidates of one knee, that knee, refusals of the other's, and warnings."""
    candidates, refused = _sides_by_place(candidates)
    sides = {one.side for one in candidates} - {None}
    if wanted is not None and sides and wanted not in sides:
        raise ExamError(
            f"no series is of the {wanted} knee: the files say {' and '.join(sorted(sides))}; leave the side out or "
            "change it"
        )
    if len(sides) < 2:
        if wanted is not None and not sides:
            unsaid = f"The files do not say which knee they show; it was read as the {wanted} one."
            return candidates, wanted, refused, [unsaid]
        side = next(iter(sides), None)
        return candidates, side, refused, _far_apart(candidates, side)
    chosen = (
        wanted
        or _side_of_choices(candidates, choices)
        or max(sorted(sides), key=lambda side: _fullness(candidates, side))
    )
    other = next(side for side in Side if side != chosen)
    taken = [one for one in candidates if one.side == chosen]
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
    return taken, chosen, refused, [warning, *_swapped(candidates), *_far_apart(taken, chosen)]


def _named(parts: Sequence[str]) -> str:
    """Body parts as words of the reader's list; "" where none is known."""
    return " and ".join(part for part in parts if part != UNKNOWN_PART)


def _knees_first(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[RefusedSeries]]:
    """Series of another body part are read, with the alarm, only where the study has nothing else."""
    knees = [one for one in candidates if one.body_part is None]
    if not knees:
        return list(candidates), []
    strangers = []
    for one in candidates:
        if one.body_part is not None:
            which = UNKNOWN_PART if one.body_part == UNKNOWN_PART else f"{UNKNOWN_PART} ({one.body_part})"
            strangers.append(one.refusal(f"says it shows {which}, in a study that has knee series"))
    return knees, strangers


def _sides_by_place(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[RefusedSeries]]:
    """Sides for series that name none and lie a leg away from others (the patient's right is at lower x).

    Where some series name one side, a series that lies a leg away from all of them is of the other knee; where none
    does, the middle between them parts the knees. A series that lies where the other knee cannot be is refused.
    """
    sides = {one.side for one in candidates} - {None}
    places = [one.stack.centre_x for one in candidates]
    if len(sides) == 2 or max(places) - min(places) < APART_MM:
        return list(candidates), []
    if not sides:
        middle = (max(places) + min(places)) / 2
        return [_placed(one, Side.RIGHT if one.stack.centre_x < middle else Side.LEFT) for one in candidates], []
    (said,) = sides
    other = next(side for side in Side if side != said)
    towards = 1 if other is Side.LEFT else -1
    named = [one.stack.centre_x for one in candidates if one.side]
    kept, refused = [], []
    for one in candidates:
        away = min((one.stack.centre_x - place for place in named), key=abs)
        if one.side or abs(away) < APART_MM:
            kept.append(one)
        elif away * towards > 0:
            kept.append(_placed(one, other))
        else:
            refused.append(
                one.refusal(
                    f"does not say which knee it shows, and lies {abs(away):.0f} mm from the series of the {said} "
                    f"knee, where the {other} one cannot be"
                )
            )
    return kept, refused


def _placed(one: Candidate, side: Side) -> Candidate:
    sentence = "The side was told from where the images lie; the files do not name it."
    return replace(one, side=side, warnings=(*one.warnings, sentence))


def _far_apart(taken: Sequence[Candidate], side: Side | None) -> list[str]:
    """A warning where series of one knee lie as far apart as two legs do."""
    places = [one.stack.centre_x for one in taken]
    apart = max(places) - min(places)
    if apart < APART_MM:
        return []
    return [
        f"The series of the {side} knee lie up to {apart:.0f} mm apart from left to right, as far as two legs do: some "
        "may show the other knee. Compare the planes before you believe the answer."
    ]


def _swapped(candidates: Sequence[Candidate]) -> list[str]:
    """A warning where the series of the left knee lie to the right of the right knee's."""
    right, left = (
        float(np.mean([one.stack.centre_x for one in candidates if one.side == side]))
        for side in (Side.RIGHT, Side.LEFT)
    )
    if right - left < APART_MM:
        return []
    return [
        f"The series of the left knee lie {right - left:.0f} mm to the patient's right of the right knee's: the sides "
        "may be swapped in the files."
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
