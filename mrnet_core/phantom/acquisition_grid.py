"""Where the voxels of a series lie in the patient and in the knee.

Patient coordinates are DICOM's, in mm: L (left), P (posterior), H (head). The lateral side of a right knee is the
patient's right, so ``x = -L`` there and ``x = +L`` on the left: a left knee is the mirror of the right one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Plane, Side
from mrnet_core.phantom.anatomy import Affine, Subject

AXES = {
    # slice axis, row axis (down the picture), column axis (to the right of it), as (L, P, H): the standard orientation
    Plane.SAGITTAL: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    Plane.CORONAL: ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    Plane.AXIAL: ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
}
COVERAGE = {Plane.SAGITTAL: (86.0, 98.0), Plane.CORONAL: (84.0, 98.0), Plane.AXIAL: (84.0, 104.0)}
"""Least and greatest mm from the first slice to the last."""
MIDDLE = {Plane.SAGITTAL: (0.0, 2.0, 4.0), Plane.CORONAL: (0.0, 0.0, 4.0), Plane.AXIAL: (0.0, 0.0, 11.0)}
"""Where a series is centred, (L, P, H) from the joint's middle."""
OBLIQUITY = 3.0
"""Greatest tilt of a series about each axis, degrees."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a series lie. Directions are unit vectors in (L, P, H), along increasing index.

    ``origin``: mm, centre of voxel (0, 0, 0); ``spacing``: mm between slices, rows, columns; ``shape``: (S, H, W);
    ``thickness``: mm of tissue that a slice averages, less than the slice spacing by the gap.
    """

    origin: tuple[float, float, float]
    slice_direction: tuple[float, float, float]
    row_direction: tuple[float, float, float]
    column_direction: tuple[float, float, float]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    thickness: float

    def point(self, index) -> NDArray[np.float64]:
        """Position (L, P, H) in mm of a voxel index (slice, row, column), fractions allowed."""
        directions = np.array([self.slice_direction, self.row_direction, self.column_direction])
        return np.asarray(self.origin) + (np.asarray(index) * np.asarray(self.spacing)) @ directions

    def beyond(self, axis: int, pixels: int) -> "Grid":
        """The grid with ``pixels`` more at both ends of an axis (0 slices, 1 rows, 2 columns)."""
        index, shape = [0, 0, 0], list(self.shape)
        index[axis], shape[axis] = -pixels, shape[axis] + 2 * pixels
        return replace(self, origin=tuple(map(float, self.point(index))), shape=tuple(shape))


def draw_grid(generator: np.random.Generator, plane: Plane, size: str) -> Grid:
    """Slices, matrix and a slight obliquity for one series.

    ``full``: mostly 20 to 30 slices, now and then from 17 to 61; ``small``: 8 to 12.
    """
    g = generator
    rare, usual, thin = g.random(), int(g.integers(20, 31)), int(g.integers(31, 62))
    small, thick = int(g.integers(8, 13)), int(g.integers(17, 20))
    matrix = int(g.choice([256, 288, 320, 384], p=[0.55, 0.2, 0.2, 0.05]))
    if size == "small":
        slices, matrix = small, 192
    else:
        slices = thin if rare < 0.03 else thick if rare < 0.08 else usual
    field = float(g.uniform(142, 172))
    cover = float(g.uniform(*COVERAGE[plane]))
    gap = cover / (slices - 1)
    turned = _small_rotation(g, OBLIQUITY) @ np.array(AXES[plane], float).T
    directions = turned.T
    pixel = field / matrix
    centre = np.array(MIDDLE[plane]) + g.normal(0, 2.5, 3)
    middle = np.array([slices - 1, matrix - 1, matrix - 1]) / 2
    origin = centre - (middle * [gap, pixel, pixel]) @ directions
    return Grid(
        origin=tuple(map(float, origin)),
        slice_direction=tuple(map(float, directions[0])),
        row_direction=tuple(map(float, directions[1])),
        column_direction=tuple(map(float, directions[2])),
        spacing=(gap, pixel, pixel),
        shape=(slices, matrix, matrix),
        thickness=float(gap * g.uniform(0.75, 0.95)),
    )


def knee_affine(grid: Grid, subject: Subject, side: Side) -> Affine:
    """Knee coordinates (x lateral, y posterior, z head; mm of the mean subject) of a grid's voxel indices."""
    mirror = np.diag([1.0 if side is Side.LEFT else -1.0, 1.0, 1.0])
    shape = np.diag([1 / (subject.scale * subject.breadth), 1 / subject.scale, 1 / subject.scale])
    to_knee = shape @ _rotation(*np.deg2rad(subject.turn)) @ mirror
    directions = np.array([grid.slice_direction, grid.row_direction, grid.column_direction])
    steps = (directions * np.asarray(grid.spacing)[:, None]) @ to_knee.T
    origin = to_knee @ np.asarray(grid.origin) - shape @ np.asarray(subject.offset)
    return Affine(origin, steps, grid.shape)


def _small_rotation(g: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    return _rotation(*np.deg2rad(g.uniform(-degrees, degrees, 3)))


def _rotation(about_x: float, about_y: float, about_z: float) -> NDArray[np.float64]:
    (cx, cy, cz), (sx, sy, sz) = np.cos([about_x, about_y, about_z]), np.sin([about_x, about_y, about_z])
    first = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    second = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    third = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return first @ second @ third
