"""The images of one series as stacks: same orientation, matrix, echo and kind, in order along the normal.

Pure: works on the records of ``frame`` and on no pixels. Positions are mm along the standard slice axis.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from mrnet_core.dicom.frame import Frame
from mrnet_core.dicom.geometry import angle_between, image_centre, is_orientation, normal, plane_of, slice_axis
from mrnet_core.domain import Plane

SAME_ORIENTATION = 3.0
"""Degrees between normals (and between row directions) of one stack."""
SAME_POSITION = 0.05
"""mm along the normal below which two images lie at one place (files round positions)."""
SAME_SHARE = 0.1
"""Share of a slice below which two images lie at one place: a second acquisition is never placed quite like the first.
The finest slices that scanners interpolate lie a quarter of their thickness apart."""
WHOLE_RANGE = 0.8
"""Share of a series' extent that one whole acquisition of it covers."""
TOO_DENSE = 0.75
"""Places nearer together than this share of one acquisition's step are those of several acquisitions."""
ECHO_STEP = 4.0
"""ms between echo times below which they are one echo (scanners round, and vary with the slice)."""
NEARLY = 0.9
"""SpacingBetweenSlices from this share of the thickness on is no gap between slices, but a distance of centres."""
GAP = 1.5
"""A step of more than this many usual steps is a gap."""
KNEES_APART = 55.0
"""mm without a sagittal slice: between two legs, not inside one."""
_KINDS = ("WATER", "FAT", "IN_PHASE", "OPP_PHASE", "W", "F", "IP", "OP", "M", "P", "R", "I")
"""Image types that tell pictures of one scan apart (Dixon, magnitude and phase), the longer words first."""


_T = TypeVar("_T")
_Placed = tuple[float, Frame]
"""An image with its position in mm along the standard slice axis."""


@dataclass(frozen=True)
class Stack:
    """Images of one series that make one volume, sorted along the plane's standard slice axis."""

    frames: tuple[Frame, ...]
    plane: Plane
    tilt: float
    """Degrees between the normal and the plane's axis."""
    positions: tuple[float, ...]
    kind: str
    notes: tuple[str, ...] = ()
    """What a person must know of this stack: duplicates, gaps."""

    @property
    def slices(self) -> int:
        """Number of images."""
        return len(self.frames)

    @property
    def step(self) -> float | None:
        """Usual distance of neighbouring slices in mm; None with one slice and no word of the file."""
        if len(self.positions) > 1:
            return float(np.median(np.diff(self.positions)))
        return self.frames[0].spacing_between_slices or self.frames[0].slice_thickness

    @property
    def gaps(self) -> tuple[int, ...]:
        """0-based slices after which at least one is missing."""
        if len(self.positions) < 3:
            return ()
        steps = np.diff(self.positions)
        return tuple(int(n) for n in np.flatnonzero(steps > GAP * np.median(steps)))

    @property
    def centre_x(self) -> float:
        """x of the volume's middle, mm towards the patient's left."""
        middle = self.frames[len(self.frames) // 2]
        header = middle.header
        return float(
            image_centre(
                middle.image_position, middle.image_orientation, middle.pixel_spacing, header.rows, header.columns
            )[0]
        )


def orientations(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames by orientation, the largest group first."""
    return _clusters(frames, _same_orientation)


def matrices(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames by matrix and pixel spacing, the largest group first."""
    return _by_key(
        frames, lambda f: (f.header.rows, f.header.columns, *(round(value, 3) for value in f.pixel_spacing or ()))
    )


def echoes(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames by echo, in order of echo time; one group where the echo time only wavers."""
    times = sorted({f.echo_time for f in frames if f.echo_time is not None})
    bounds = [later for earlier, later in pairwise(times) if later - earlier > ECHO_STEP]
    groups: dict[int, list[Frame]] = {}
    for frame in frames:
        place = sum(frame.echo_time >= bound for bound in bounds) if frame.echo_time is not None else 0
        groups.setdefault(place, []).append(frame)
    return [groups[place] for place in sorted(groups)]


def kinds(frames: Sequence[Frame]) -> list[tuple[str, list[Frame]]]:
    """Frames by what their image type says they are (water, fat, phase …); "" where it says nothing."""
    groups: dict[str, list[Frame]] = {}
    for frame in frames:
        tokens = frame.frame_type[2:]
        groups.setdefault(next((kind for kind in _KINDS if kind in tokens), ""), []).append(frame)
    return sorted(groups.items())


def make_stack(frames: Sequence[Frame], kind: str = "") -> Stack:
    """Sort frames along the normal and keep one at each place: one acquisition's where several were made."""
    plane, tilt = plane_of(frames[0].image_orientation)
    axis = slice_axis(plane, frames[0].image_orientation)
    placed = sorted(
        ((float(np.dot(frame.image_position, axis)), frame) for frame in frames),
        key=lambda item: (item[0], _age(item[1])),
    )
    whole = _one_acquisition(placed)
    kept = _one_a_place(whole, _same_place(frames[0]))
    notes = []
    if extra := len(placed) - len(whole):
        notes.append(f"{extra} image(s) of another acquisition of the same slices were left out.")
    if extra := len(whole) - len(kept):
        notes.append(f"{extra} image(s) lie at a place that another image has; the first acquired was kept.")
    return Stack(tuple(f for _, f in kept), plane, tilt, tuple(p for p, _ in kept), kind, tuple(notes))


def said_step(frame: Frame) -> float | None:
    """Distance in mm from slice to slice, centre to centre, that the file gives; None where it gives none.

    SpacingBetweenSlices is that distance (PS3.3 C.8.3.1). Some files hold the empty gap there instead: a value below
    the thickness may be either, and counts as the gap, so that the distance is never made too small.
    """
    spacing, thickness = abs(frame.spacing_between_slices or 0.0), frame.slice_thickness or 0.0
    if not spacing:
        return None
    return spacing if spacing >= NEARLY * thickness else spacing + thickness


def by_knee(stack: Stack) -> list[Stack]:
    """A sagittal stack cut where it passes from one leg to the other; else the stack itself."""
    if stack.plane is not Plane.SAGITTAL:
        return [stack]
    cuts = [n + 1 for n, step in enumerate(np.diff(stack.positions)) if step > KNEES_APART]
    bounds = [0, *cuts, stack.slices]
    return [
        Stack(stack.frames[a:b], stack.plane, stack.tilt, stack.positions[a:b], stack.kind, stack.notes)
        for a, b in pairwise(bounds)
    ]


def has_place(frame: Frame) -> bool:
    """True when a frame says where and how it lies, and how large its pixels are."""
    spacing = frame.pixel_spacing
    return (
        is_orientation(frame.image_orientation)
        and frame.image_position is not None
        and spacing is not None
        and min(spacing) > 0
    )


def _same_orientation(first: Frame, second: Frame) -> bool:
    a, b = first.image_orientation, second.image_orientation
    return (
        angle_between(normal(a), normal(b)) <= SAME_ORIENTATION
        and float(np.dot(a[:3], b[:3])) > np.cos(np.radians(SAME_ORIENTATION)) - 1e-3
        and float(np.dot(a[3:], b[3:])) > np.cos(np.radians(SAME_ORIENTATION)) - 1e-3
    )


def _one_a_place(placed: Sequence[_Placed], same: float) -> list[_Placed]:
    """Of images within ``same`` mm the first acquired; ``placed`` is sorted by position."""
    places: list[list[_Placed]] = []
    for one in placed:
        if places and one[0] - places[-1][0][0] <= same:
            places[-1].append(one)
        else:
            places.append([one])
    return [min(place, key=lambda one: _age(one[1])) for place in places]


def _same_place(frame: Frame) -> float:
    """mm along the normal below which two images of a series lie at one place."""
    sizes = [abs(size) for size in (frame.spacing_between_slices, frame.slice_thickness) if size]
    return max(SAME_POSITION, SAME_SHARE * min(sizes, default=0.0))


def _one_acquisition(placed: Sequence[_Placed]) -> Sequence[_Placed]:
    """The fullest acquisition, the first of equals, where several cover the same slices at places of their own.

    Acquisitions whose slices lie between each other's are one stack; so are those of which none is whole. Which it is
    the step tells: the one nearer to what the file says, of one acquisition alone or of all together.
    """
    groups = _by_key(placed, lambda one: (one[1].header.acquisition_number, one[1].temporal_position))
    said = said_step(placed[0][1]) or placed[0][1].slice_thickness
    extent, together = _extent_and_step(placed)
    if len(groups) < 2 or not said or not together:
        return placed
    whole = []
    for group in groups:
        covered, step = _extent_and_step(group)
        apart = together < TOO_DENSE * step and _unlike(step, said) < _unlike(together, said)
        if apart and covered >= WHOLE_RANGE * extent:
            whole.append(group)
    return min(whole, key=lambda group: (-len(group), min(_age(frame) for _, frame in group)), default=placed)


def _extent_and_step(placed: Sequence[_Placed]) -> tuple[float, float]:
    """mm from the first place to the last, and from one to the next on the mean; 0 for a single place."""
    places = [position for position, _ in _one_a_place(placed, SAME_POSITION)]
    extent = places[-1] - places[0]
    return extent, extent / max(len(places) - 1, 1)


def _unlike(step: float, said: float) -> float:
    """How many times one distance is the other, as a logarithm without sign."""
    return abs(float(np.log(step / said)))


def _age(frame: Frame) -> tuple:
    """Order of images at one place: acquisition, time point, number; then UID, so that file order never decides."""
    header = frame.header
    return (
        header.acquisition_number or 0,
        frame.temporal_position or 0,
        header.instance_number or 0,
        frame.index,
        header.sop_instance_uid,
        header.sha256,
    )


def _clusters(frames: Sequence[Frame], same: Callable[[Frame, Frame], bool]) -> list[list[Frame]]:
    groups: list[list[Frame]] = []
    for frame in frames:
        home = next((group for group in groups if same(group[0], frame)), None)
        if home is None:
            groups.append([frame])
        else:
            home.append(frame)
    return sorted(groups, key=len, reverse=True)


def _by_key(items: Sequence[_T], key: Callable[[_T], Hashable]) -> list[list[_T]]:
    groups: dict[Hashable, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return sorted(groups.values(), key=len, reverse=True)
