"""An exam as every room passes it on: series in the standard orientation, and what was refused.

Standard orientation (the one convention of the project; DICOM patient directions, PS3.3 C.7.6.2.1.1; training and
serving alike). Array axes are ``(slice, row, column)``; each axis runs TOWARDS the direction named:

==========  ==============  =============  =====================  =============================================
plane       slice axis      row axis       column axis            on screen
==========  ==============  =============  =====================  =============================================
sagittal    patient left    feet           posterior              anterior at the left, head at the top
coronal     posterior       feet           patient left           the patient's right at the left, head at the top
axial       head            posterior      patient left           the patient's right at the left, anterior at the top
==========  ==============  =============  =====================  =============================================

A left knee is not mirrored into a right one: MRNet-v1.0 does not tell sides apart, and training flips at random.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain.errors import ExamError
from mrnet_core.domain.words import Plane, Side

MODEL_SIZE = 256
"""Rows and columns of a network's input (Bien et al. 2018, Methods, "Preprocessing")."""
PHANTOM_MAKERS = ("PHANTOM A", "PHANTOM B")
"""Manufacturers that synthetic knees name, and no other file does: scanners too call series of patients synthetic."""


@dataclass(frozen=True)
class Window:
    """A display window on the series' own values (DICOM PS3.3 C.11.2.1.2): centre and width."""

    center: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and np.isfinite(self.width) and self.width > 0):
            raise ExamError(
                f"window centre {self.center!r} and width {self.width!r}: both must be finite, width above 0"
            )


@dataclass(frozen=True)
class Series:
    """One series of one plane, in the standard orientation.

    Parameters
    ----------
    plane
        Imaging plane.
    pixels
        ``(S, H, W)``, int16, uint16, float32 or uint8: modality values (after rescale), read-only.
    row_spacing, column_spacing
        Distance in mm between the centres of neighbouring rows, and of neighbouring columns.
    slice_spacing
        Distance in mm between the centres of neighbouring slices along the normal; None where unknown (npy).
    description, uid
        SeriesDescription (stripped) and SeriesInstanceUID; for npy the file's name and "".
    reason
        Why this series was taken, or why it was not (one sentence).
    warnings
        What a person must know: a stand-in sequence, a gap, a duplicate.
    window
        Display window to start from.
    standardised
        True when ``pixels`` are MRNet-v1.0 arrays: uint8 ``(S, 256, 256)``, intensities already standardised.
    side
        Which knee, where the file says so.
    synthetic
        True for a computed picture of an invented knee, known by ``PHANTOM_MAKERS``.
    """

    plane: Plane
    pixels: NDArray
    row_spacing: float
    column_spacing: float
    slice_spacing: float | None
    description: str
    uid: str
    reason: str
    window: Window
    warnings: tuple[str, ...] = ()
    standardised: bool = False
    side: Side | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or 0 in self.pixels.shape:
            raise ExamError(f"a series must be (S, H, W) with no empty axis; got shape {self.pixels.shape}")
        if self.pixels.dtype not in (np.int16, np.uint16, np.float32, np.uint8):
            raise ExamError(f"series pixels must be int16, uint16, float32 or uint8; got {self.pixels.dtype}")
        if not (0 < self.row_spacing < np.inf and 0 < self.column_spacing < np.inf):
            raise ExamError(
                f"pixel spacing must be positive and finite; got {self.row_spacing!r} x {self.column_spacing!r} mm"
            )
        if self.standardised and (self.pixels.dtype != np.uint8 or self.pixels.shape[1:] != (MODEL_SIZE, MODEL_SIZE)):
            raise ExamError(
                f"a standardised series must be uint8 (S, 256, 256); got {self.pixels.dtype} {self.pixels.shape}"
            )
        self.pixels.setflags(write=False)

    @property
    def slices(self) -> int:
        """Number of slices S."""
        return self.pixels.shape[0]


@dataclass(frozen=True)
class RefusedSeries:
    """A series that was not taken, and why. ``series_uid`` can be given by hand where ``selectable``."""

    description: str
    uid: str
    slices: int
    reason: str
    selectable: bool = False


@dataclass(frozen=True)
class SkippedFile:
    """A file that could not be used; ``position`` is its 0-based place among the files given, never its name."""

    position: int
    reason: str


@dataclass(frozen=True)
class Exam:
    """One knee exam: at most one series a plane, and everything found beside them.

    ``alternatives`` holds, by plane, the whole series that could stand in for the one taken (``choose``).
    ``other_body_part``: a body part other than the knee that the study says it shows, None otherwise; the first of
    ``warnings`` then says so in a sentence. Every answer is worthless, and a page says so beside each number.
    """

    series: Mapping[Plane, Series]
    refused: tuple[RefusedSeries, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    warnings: tuple[str, ...] = ()
    side: Side | None = None
    alternatives: Mapping[Plane, tuple[Series, ...]] = field(default_factory=dict)
    other_body_part: str | None = None

    def __post_init__(self) -> None:
        if not self.series:
            raise ExamError("an exam needs at least one series; none was taken")
        for plane, series in self.series.items():
            if series.plane != plane:
                raise ExamError(f"the series under {plane} is {series.plane}")
        ordered = {plane: self.series[plane] for plane in Plane if plane in self.series}
        object.__setattr__(self, "series", MappingProxyType(ordered))
        object.__setattr__(self, "alternatives", MappingProxyType(dict(self.alternatives)))

    def __reduce__(self):
        """Pickle between our own processes: a mapping proxy does not pickle by itself."""
        values = (dict(self.series), self.refused, self.skipped, self.warnings, self.side, dict(self.alternatives))
        return type(self), (*values, self.other_body_part)

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Planes at hand, in the project's order."""
        return tuple(self.series)

    def choose(self, plane: Plane, uid: str) -> "Exam":
        """The same exam with the alternative series ``uid`` taken in ``plane``.

        Raises
        ------
        ExamError
            No alternative of that plane has this UID.
        """
        current = self.series.get(plane)
        if current is not None and current.uid == uid:
            return self
        others = self.alternatives.get(plane, ())
        chosen = next((series for series in others if series.uid == uid), None)
        if chosen is None:
            allowed = ", ".join(series.uid for series in others) or "none"
            raise ExamError(f"no {plane} series has UID {uid}; those that can be chosen: {allowed}")
        left = tuple(series for series in others if series.uid != uid)
        series = dict(self.series) | {plane: replace(chosen, reason="chosen by hand")}
        back = () if current is None else (current,)
        refused = tuple(entry for entry in self.refused if entry.uid != uid)
        if current is not None:
            refused += (
                RefusedSeries(
                    current.description, current.uid, current.slices, "another series was chosen by hand", True
                ),
            )
        return replace(
            self, series=series, refused=refused, alternatives=dict(self.alternatives) | {plane: left + back}
        )
