"""Planes, slice order and the standard orientation, from direction cosines and positions alone.

Patient coordinates are DICOM's, mm: x to the patient's left, y posterior, z to the head. Arrays are
``(slice, row, column)``; the standard orientation is stated in ``mrnet_core.domain.exam``. Angles are degrees.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Plane

ACCEPTED_TILT = 35.0
"""Up to here a plane is taken without a word."""
OBLIQUE_TILT = 40.0
"""Beyond this it is no plane's; between the two it is taken with a warning, after every straighter series."""
COSINE_TOLERANCE = 0.02
"""How far direction cosines may be from unit length and from a right angle (scanners round them)."""

STANDARD = {
    # slice axis, row axis (down), column axis (to the right), each towards ...
    Plane.SAGITTAL: np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float),  # left, feet, posterior
    Plane.CORONAL: np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float),  # posterior, feet, left
    Plane.AXIAL: np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float),  # head, posterior, left
}
"""Patient directions of the array axes (``domain/exam.py``)."""


@dataclass(frozen=True)
class Layout:
    """How a stored picture of a plane is brought to the standard orientation: transpose first, then flip."""

    transpose: bool
    flip_rows: bool
    flip_columns: bool

    def apply(self, picture: NDArray) -> NDArray:
        """A view of ``(rows, columns)`` in the standard orientation."""
        picture = picture.T if self.transpose else picture
        return picture[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def is_orientation(cosines: tuple[float, ...] | None) -> bool:
    """True for six cosines of two perpendicular unit vectors, within rounding."""
    if cosines is None:
        return False
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    return bool(np.all(np.abs(lengths - 1) <= COSINE_TOLERANCE) and abs(row @ column) <= COSINE_TOLERANCE)


def normal(cosines: tuple[float, ...]) -> NDArray[np.float64]:
    """Unit normal of the picture: row direction x column direction."""
    across = np.cross(cosines[:3], cosines[3:])
    return across / np.linalg.norm(across)


def plane_of(cosines: tuple[float, ...]) -> tuple[Plane, float]:
    """The plane whose axis is nearest the normal, and the angle to it (0 to 54.7 degrees).

    Examples
    --------
    >>> plane_of((1, 0, 0, 0, 1, 0))
    (<Plane.AXIAL: 'axial'>, 0.0)
    """
    across = np.abs(normal(cosines))
    planes = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)  # normal along x, y, z
    nearest = int(np.argmax(across))
    return planes[nearest], float(np.degrees(np.arccos(min(1.0, across[nearest]))))


def slice_axis(plane: Plane, cosines: tuple[float, ...]) -> NDArray[np.float64]:
    """The normal, turned towards the plane's standard slice direction."""
    across = normal(cosines)
    return across if across @ STANDARD[plane][0] >= 0 else -across


def layout(plane: Plane, cosines: tuple[float, ...]) -> Layout:
    """Transpose and flips that bring a picture with these cosines to the standard orientation."""
    along_columns, along_rows = np.array(cosines[:3]), np.array(cosines[3:])  # increasing column; increasing row
    _, down, right = STANDARD[plane]
    transpose = bool(abs(along_columns @ down) > abs(along_columns @ right))
    if transpose:
        along_columns, along_rows = along_rows, along_columns
    return Layout(transpose, bool(along_rows @ down < 0), bool(along_columns @ right < 0))


def angle_between(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Angle between two axes without direction, 0 to 90 degrees."""
    return float(np.degrees(np.arccos(min(1.0, abs(float(first @ second))))))


def image_centre(position, cosines, spacing, rows: int, columns: int) -> NDArray[np.float64]:
    """Patient coordinates (mm) of a picture's middle."""
    along_columns, along_rows = np.array(cosines[:3]), np.array(cosines[3:])
    across, down = (columns - 1) / 2 * spacing[1], (rows - 1) / 2 * spacing[0]
    return np.array(position) + across * along_columns + down * along_rows
