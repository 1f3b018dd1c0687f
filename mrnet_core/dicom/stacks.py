"""The images of one series as stacks: same orientation, matrix, echo and kind, in order along the normal.

Pure: works on the records of ``frame`` and on no pixels. Positions are mm along the standard slice axis.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mrnet_core.dicom.frame import Frame
from mrnet_core.dicom.geometry import angle_between, image_centre, is_orientation, normal, plane_of, slice_axis
from mrnet_core.domain import Plane

SAME_ORIENTATION = 3.0
"""Degrees between normals (and between row directions) of one stack."""
SAME_POSITION = 0.05
"""mm along the normal below which two images lie at one place."""
ECHO_STEP = 4.0
"""ms between echo times below which they are one echo (scanners round, and vary with the slice)."""
GAP = 1.5
"""A step of more than this many usual steps is a gap."""
KNEES_APART = 55.0
"""mm without a sagittal slice: between two legs, not inside one."""
_KINDS = ("WATER", "FAT", "IN_PHASE", "OPP_PHASE", "W", "F", "IP", "OP", "M", "P", "R", "I")
"""Image types that tell pictures of one scan apart (Dixon, magnitude and phase), the longer words first."""


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
    """Sort frames along the normal and keep one at each place."""
    plane, tilt = plane_of(frames[0].image_orientation)
    axis = slice_axis(plane, frames[0].image_orientation)
    placed = sorted(((float(np.dot(f.image_position, axis)), _age(f), f) for f in frames), key=lambda item: item[:2])
    kept: list[tuple[float, Frame]] = []
    for position, _, frame in placed:
        if not kept or position - kept[-1][0] > SAME_POSITION:
            kept.append((position, frame))
    stack = Stack(tuple(f for _, f in kept), plane, tilt, tuple(p for p, _ in kept), kind)
    notes = []
    if extra := len(placed) - len(kept):
        notes.append(f"{extra} image(s) lie at a place that another image has; the first acquired was kept.")
    return Stack(stack.frames, plane, tilt, stack.positions, kind, tuple(notes))


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


def _by_key(frames: Sequence[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    groups: dict[Hashable, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return sorted(groups.values(), key=len, reverse=True)
