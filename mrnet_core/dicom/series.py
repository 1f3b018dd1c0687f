"""Series to candidates for a plane, or to the reason why not.

A candidate has one stack of images, a plane, a side where one is known, a score against the paper's protocol and the
warnings a person must read. Pure: no pixels.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrnet_core.dicom.frame import Frame
from mrnet_core.dicom.geometry import ACCEPTED_TILT, OBLIQUE_TILT
from mrnet_core.dicom.limits import Limits
from mrnet_core.dicom.protocol import Sequence as PulseSequence
from mrnet_core.dicom.protocol import protocol_score, sequence_of, stand_in_warning
from mrnet_core.dicom.stacks import (
    GAP,
    Stack,
    by_knee,
    echoes,
    has_place,
    kinds,
    make_stack,
    matrices,
    orientations,
    said_step,
)
from mrnet_core.dicom.words import UNKNOWN_PART, plain_words
from mrnet_core.domain import PHANTOM_MAKERS, Plane, RefusedSeries, Side

FEWEST_SLICES = 5
"""A knee series of the paper has 17 or more; fewer than this is a localizer or a fragment."""
MANY_SLICES = 100
"""More is a 3-D acquisition, unlike the paper's series of 17 to 61."""
MAIN_SHARE = 0.8
"""Share of a series' images that must lie the same way for the rest to be strays."""
BOTH_KNEES_MM = 290.0
"""A coronal or axial field of view wider than this can hold both knees."""
_LOCALIZER = re.compile(
    r"\b(?:LOCALI[SZ]ERS?|LOCALISATEUR|LOC|SCOUTS?|SURVEY|PILOT|TOPO\w*|REPERAGE|3 ?PLANE?S?|TRI ?PLAN\w*)\b"
)
_MAPS = re.compile(
    r"\b(?:ADC|T[12] ?(?:RHO ?)?MAPS?|T[12] STAR MAP|FA MAP|SUBTRACTION|SUB|MIP|CALIBRATION|CAL|ASSET CAL\w*|"
    r"SENSE REF\w*|COIL SENS\w*|FIELD ?MAP|B0 MAP)\b"
)
_MAP_TYPES = frozenset(
    ("ADC", "FA", "TRACEW", "T1 MAP", "T2 MAP", "T2_MAP", "T2_STAR_MAP", "MIP", "PROJECTION IMAGE", "SUBTRACTION")
)
_REFORMATS = frozenset(("MPR", "REFORMATTED", "CPR"))
_TILT_COST, _GAP_COST, _MANY_COST, _REFORMAT_COST, _KIND_COST = 30.0, 10.0, 15.0, 15.0, 40.0
"""In points of the protocol score: a wrong weighting costs 15 to 60 there, fat the wrong way 20."""


@dataclass(frozen=True)
class Candidate:
    """A series that could be read in its plane."""

    uid: str
    study_uid: str
    description: str
    plane: Plane
    stack: Stack
    sequence: PulseSequence
    score: float
    side: Side | None
    body_part: str | None
    """Another body part than the knee that the series says it shows; None otherwise."""
    warnings: tuple[str, ...]
    images: int
    """All images of the series, those outside the stack too."""

    @property
    def synthetic(self) -> bool:
        """True for a computed knee: by its manufacturer, since scanners name series of patients "Synthetic T2"."""
        return all(frame.header.manufacturer in PHANTOM_MAKERS for frame in self.stack.frames)

    @property
    def rank(self) -> tuple:
        """Best first when sorted; ends in the UID, so that the order of files never decides."""
        header = self.stack.frames[0].header
        pixels = header.rows * header.columns
        return (-self.score, -min(self.stack.slices, MANY_SLICES), -pixels, header.series_number or 0, self.uid)

    def refusal(self, reason: str, selectable: bool = False) -> RefusedSeries:
        """The same series as not taken."""
        return RefusedSeries(self.description, self.uid, self.images, reason, selectable)


def candidates_of(frames: Sequence[Frame], limits: Limits) -> list[Candidate] | RefusedSeries:
    """One series to its candidates (two where a sagittal series covers both knees), or to a refusal with its reason."""
    frames = sorted(frames, key=_order)
    header = frames[0].header

    def refused(reason: str) -> RefusedSeries:
        return RefusedSeries(header.series_description, header.series_instance_uid, len(frames), reason)

    if reason := _no_picture(frames):
        return refused(reason)
    placed = [frame for frame in frames if has_place(frame)]
    if len(placed) < FEWEST_SLICES <= len(frames) or not placed:
        return refused(
            "its images do not credibly say where they lie (position, orientation or pixel spacing), so no plane can "
            "be told"
        )
    if reason := _localizer(placed):
        return refused(reason)
    groups = orientations(placed)
    if len(groups[0]) < MAIN_SHARE * len(placed):
        sizes = ", ".join(str(len(group)) for group in groups[:6])
        return refused(f"a localizer: its images lie in {len(groups)} directions ({sizes} images)")
    if len(placed) < FEWEST_SLICES:
        return refused(
            f"{len(placed)} image(s): fewer than {FEWEST_SLICES} slices are a localizer or a fragment, no knee series"
        )
    notes = []
    if lost := len(frames) - len(placed):
        notes.append(f"{lost} image(s) do not credibly say where they lie and were left out.")
    if strays := len(placed) - len(groups[0]):
        notes.append(f"{strays} image(s) lie in another direction and were left out.")
    return _in_one_direction(groups[0], notes, len(frames), limits, refused)


def _in_one_direction(frames, notes, images: int, limits: Limits, refused) -> list[Candidate] | RefusedSeries:
    matrix, *others = matrices(frames)
    if others:
        left = sum(map(len, others))
        notes = [*notes, f"The series mixes matrices or pixel sizes: {left} image(s) unlike the rest were left out."]
    found: list[Candidate] = []
    times = [group for group in echoes(matrix)]
    for echo in times:
        for kind, same in kinds(echo):
            found += _candidates(same, kind, notes, images)
    whole = [one for one in found if FEWEST_SLICES <= one.stack.slices <= limits.slices]
    if not whole:
        most = max((one.stack.slices for one in found), default=0)
        if most > limits.slices:
            return refused(f"{most} slices: at most {limits.slices} are read")
        return refused(f"{most} slice(s) at different places: fewer than {FEWEST_SLICES} are no knee series")
    tilt = whole[0].stack.tilt
    if tilt > OBLIQUE_TILT:
        return refused(
            f"oblique: tilted {tilt:.0f} degrees from the nearest plane ({whole[0].plane}), and at most "
            f"{OBLIQUE_TILT:.0f} can be read"
        )
    best: dict[Side | None, Candidate] = {}
    for one in sorted(whole, key=lambda one: one.rank):
        best.setdefault(one.side, one)
    return [_name_the_rest(one, times, whole) for one in best.values()]


def _candidates(frames: Sequence[Frame], kind: str, notes: list[str], images: int) -> list[Candidate]:
    whole = make_stack(frames, kind)
    parts = by_knee(whole)
    first = frames[0]
    header = first.header
    sequence = sequence_of(first)
    said, doubt = _side_said(header)
    found = []
    for stack in parts:
        side, warnings = said, [*notes, *stack.notes, *doubt]
        if len(parts) > 1:
            side = Side.RIGHT if stack.centre_x < np.mean([part.centre_x for part in parts]) else Side.LEFT
            warnings.append(f"The series covers both knees; only the slices of the {side} one were taken.")
        cost, more = _shortcomings(stack, kind)
        if sentence := stand_in_warning(stack.plane, sequence):
            warnings.append(sentence)
        found.append(
            Candidate(
                uid=header.series_instance_uid,
                study_uid=header.study_instance_uid,
                description=header.series_description,
                plane=stack.plane,
                stack=stack,
                sequence=sequence,
                score=protocol_score(stack.plane, sequence) - cost,
                side=side,
                body_part=_other_part(header),
                warnings=(*warnings, *more),
                images=images,
            )
        )
    return found


def _shortcomings(stack: Stack, kind: str) -> tuple[float, list[str]]:
    """What a stack loses in score, and the sentences that go with it."""
    cost, warnings = 0.0, []
    header = stack.frames[0].header
    if stack.tilt > ACCEPTED_TILT:
        cost += _TILT_COST
        warnings.append(
            f"Tilted {stack.tilt:.0f} degrees from the {stack.plane} plane, more than the {ACCEPTED_TILT:.0f} that are "
            "usual."
        )
    if gap := gap_warning(stack):
        cost += _GAP_COST
        warnings.append(gap)
    if stack.slices > MANY_SLICES:
        cost += _MANY_COST
        warnings.append(f"{stack.slices} slices: a 3-D series, where the paper's have 17 to 61.")
    if _REFORMATS & set(stack.frames[0].frame_type):
        cost += _REFORMAT_COST
        warnings.append("Reformatted from another series, not acquired in this plane.")
    if kind in ("FAT", "F", "P", "R", "I", "OP", "OPP_PHASE"):
        cost += _KIND_COST
    width = header.columns * stack.frames[0].pixel_spacing[1]
    if stack.plane is not Plane.SAGITTAL and width > BOTH_KNEES_MM:
        warnings.append(f"The field of view is {width:.0f} mm wide and may hold both knees.")
    if header.lossy:
        warnings.append("The images were compressed with loss of detail.")
    return cost, warnings


def gap_warning(stack: Stack) -> str | None:
    """One or two sentences where slices are missing inside a stack; slices are counted from 1 for people."""
    sentences = []
    if gaps := stack.gaps:
        missing = sum(round((stack.positions[n + 1] - stack.positions[n]) / stack.step) - 1 for n in gaps)
        places = ", ".join(f"{n + 1} and {n + 2}" for n in gaps[:3])
        sentences.append(f"A gap: about {missing} slice(s) are missing (between slices {places}).")
    said = said_step(stack.frames[0])
    if said and stack.step > GAP * said:
        sentences.append(
            f"The slices lie {stack.step:.1f} mm apart where the file says {said:.1f} mm: slices may be missing all "
            "through the series."
        )
    return " ".join(sentences) or None


def _name_the_rest(taken: Candidate, times: list[list[Frame]], whole: list[Candidate]) -> Candidate:
    """Say which echo or kind was taken, where there are several."""
    rest = [one for one in whole if one is not taken and one.side == taken.side]
    if not rest:
        return taken
    if len(times) > 1:
        named = " and ".join(f"{group[0].echo_time:g}" for group in times if group[0].echo_time is not None)
        own = taken.sequence.echo_time
        which = f"that of {own:g} ms" if own is not None else "one of no echo time"
        sentence = f"{len(times)} echoes in one series (TE {named} ms): {which} was taken."
    else:
        sentence = f"{len(rest) + 1} kinds of picture in one series: {taken.stack.kind or 'the plain one'} was taken."
    return replace(taken, warnings=(*taken.warnings, sentence))


def _no_picture(frames: Sequence[Frame]) -> str | None:
    """Why a series is nothing the networks could look at, where the header alone says so."""
    header = frames[0].header
    if all(frame.header.samples_per_pixel != 1 for frame in frames):
        return "colour pictures, no MR signal"
    if not header.photometric_interpretation.startswith("MONOCHROME"):
        return f"its photometric interpretation is {header.photometric_interpretation}, not a grey picture's"
    types = Counter(token for frame in frames for token in set(frame.frame_type))
    mapped = [token for token in _MAP_TYPES if types[token] == len(frames)]
    words = plain_words(f"{header.series_description} {header.protocol_name}")
    if mapped or _MAPS.search(plain_words(header.series_description)):
        return "computed from other images (a map, projection, subtraction or calibration), no picture of the knee"
    if "SPECTROSCOPY" in words:
        return "spectroscopy, no picture"
    return None


def _localizer(frames: Sequence[Frame]) -> str | None:
    header = frames[0].header
    if any("LOCALIZER" in frame.frame_type for frame in frames):
        return "a localizer (ImageType says so)" + _directions(frames)
    if _LOCALIZER.search(plain_words(f"{header.series_description} {header.protocol_name}")):
        return "a localizer (its description says so)" + _directions(frames)
    return None


def _directions(frames: Sequence[Frame]) -> str:
    groups = orientations(frames)
    return f": {len(frames)} images" + (f" in {len(groups)} directions" if len(groups) > 1 else " in one direction")


def _side_said(header) -> tuple[Side | None, list[str]]:
    """The side that the attributes give, else the descriptions; and a warning where the two differ."""
    letters = {"R": Side.RIGHT, "L": Side.LEFT}
    tag, words = letters.get(header.laterality), letters.get(header.laterality_words)
    if tag and words and tag != words:
        return tag, [f"Laterality says {tag}, the description says {words}: {tag} was believed."]
    if header.laterality == "B":
        return words, ["Laterality says both knees."]
    return tag or words, []


def _other_part(header) -> str | None:
    """Another body part than the knee that the series names; the descriptions explain a word that nobody knows."""
    part = header.body_part_examined
    if part in (None, UNKNOWN_PART):
        part = header.body_part_words or part
    return None if part == "knee" else part


def _order(frame: Frame) -> tuple:
    header = frame.header
    return (header.instance_number or 0, header.sop_instance_uid, frame.index, header.sha256)
