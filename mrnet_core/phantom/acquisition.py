"""Scanning a knee: planes, slices, partial volume, coil shading, noise; the result in the standard orientation.

Patient coordinates are DICOM's, in mm: L (left), P (posterior), H (head). The lateral side of a right knee is the patient's
right, so ``L = -x`` there and ``L = +x`` on the left: a left knee is the mirror of the right one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mrnet_core.domain import Plane, Series, Side, Window
from mrnet_core.phantom.anatomy import Points, Subject, Tissue, leg, paint
from mrnet_core.phantom.pathology import Lesion, paint_lesions
from mrnet_core.phantom.physics import SEQUENCES, signal

SUB_SLICES = 2
"""Samples across a slice that are averaged: partial volume."""
_AXES = {
    # slice axis, row axis (down the picture), column axis (to the right of it), as (L, P, H): the standard orientation
    Plane.SAGITTAL: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    Plane.CORONAL: ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    Plane.AXIAL: ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
}
_COVERAGE = {Plane.SAGITTAL: 84.0, Plane.CORONAL: 84.0, Plane.AXIAL: 96.0}
"""mm from the first slice to the last, about the joint."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a series lie. Directions are unit vectors in (L, P, H), along increasing index.

    ``origin``: mm, centre of voxel (0, 0, 0); ``spacing``: mm between slices, rows, columns; ``shape``: (S, H, W).
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


@dataclass(frozen=True)
class Scanner:
    """One scan's settings, drawn once an exam."""

    field_tesla: float
    gain: float
    noise: float
    """Standard deviation of each quadrature channel, relative to the brightest tissue."""
    suppression: float
    shading: tuple[float, float, float]
    manufacturer: str

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "Scanner":
        """Settings of ordinary variation."""
        g = generator
        return cls(
            field_tesla=1.5 if g.random() < 0.5 else 3.0,
            gain=float(g.uniform(500, 1500)),
            noise=float(g.uniform(0.008, 0.022)),
            suppression=float(g.uniform(0.86, 0.93)),
            shading=tuple(float(value) for value in g.normal(0, 0.0025, 3)),
            manufacturer=str(g.choice(["PHANTOM A", "PHANTOM B"])),
        )


def draw_grid(generator: np.random.Generator, plane: Plane, size: str) -> Grid:
    """Slices, matrix and a slight obliquity for one series."""
    g = generator
    if size == "small":
        slices, matrix = int(g.integers(8, 13)), 192
    else:
        slices, matrix = int(g.integers(18, 29)), int(g.choice([256, 288, 320]))
    field = float(g.uniform(145, 160))
    gap = _COVERAGE[plane] / (slices - 1)
    turned = _small_rotation(g, 5.0) @ np.array(_AXES[plane], float).T
    slice_direction, row_direction, column_direction = turned.T
    pixel = field / matrix
    centre = g.normal(0, 3, 3)
    middle = np.array([slices - 1, matrix - 1, matrix - 1]) / 2
    origin = centre - (middle * [gap, pixel, pixel]) @ np.array([slice_direction, row_direction, column_direction])
    return Grid(
        origin=tuple(map(float, origin)),
        slice_direction=tuple(map(float, slice_direction)),
        row_direction=tuple(map(float, row_direction)),
        column_direction=tuple(map(float, column_direction)),
        spacing=(gap, pixel, pixel),
        shape=(slices, matrix, matrix),
        thickness=gap * 0.85,
    )


def _small_rotation(g: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    angles = np.deg2rad(g.uniform(-degrees, degrees, 3))
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def knee_points(grid: Grid, subject: Subject, side: Side, slices: NDArray[np.float32]) -> Points:
    """Knee coordinates (x lateral, y posterior, z head) of the voxels of fractional slice indices ``slices``."""
    _, height, width = grid.shape
    k = slices.astype(np.float32)[:, None, None] * np.float32(grid.spacing[0])
    i = np.arange(height, dtype=np.float32)[None, :, None] * np.float32(grid.spacing[1])
    j = np.arange(width, dtype=np.float32)[None, None, :] * np.float32(grid.spacing[2])
    mirror = np.float32(1.0 if side is Side.LEFT else -1.0)
    points = []
    for axis in range(3):
        value = (
            np.float32(grid.origin[axis])
            + k * np.float32(grid.slice_direction[axis])
            + i * np.float32(grid.row_direction[axis])
            + j * np.float32(grid.column_direction[axis])
        )
        points.append(value)
    offset = np.asarray(subject.offset, np.float32)
    return points[0] * mirror - offset[0], points[1] - offset[1], points[2] - offset[2]


def acquire(
    grid: Grid,
    plane: Plane,
    subject: Subject,
    side: Side,
    lesions: tuple[Lesion, ...],
    scanner: Scanner,
    noise: np.random.Generator,
) -> tuple[Series, tuple[NDArray[np.bool_], ...]]:
    """One series and a mask ``(S, H, W)`` for each lesion."""
    sequence = SEQUENCES[plane]
    table = signal(sequence, scanner.suppression)
    slices, height, width = grid.shape
    picture = np.zeros(grid.shape, np.float32)
    masks = [np.zeros(grid.shape, bool) for _ in lesions]
    steps = (np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5
    for k in range(slices):
        at = (k + steps * grid.thickness / grid.spacing[0]).astype(np.float32)
        points = knee_points(grid, subject, side, at)
        inside = leg(tuple(axis / np.float32(subject.scale) for axis in points), subject) < 0
        body = tuple(axis[inside] for axis in points)  # only what is not air is worth computing
        tissue = paint(body, subject)
        for mask, painted in zip(masks, paint_lesions(tissue, body, subject, lesions), strict=True):
            mask[k] = _filled(inside, painted.astype(np.float32)).mean(axis=0) >= 0.5
        picture[k] = _filled(inside, table[tissue] * _texture(body, tissue)).mean(axis=0)
        picture[k] = ndimage.gaussian_filter(picture[k], 0.45) * _shading(points, scanner)
    peak = float(table.max())
    first, second = noise.normal(0, scanner.noise * peak, (2, *grid.shape)).astype(np.float32)
    magnitude = np.sqrt((picture + first) ** 2 + second**2)  # Rician
    pixels = np.clip(np.rint(magnitude / peak * scanner.gain), 0, 4095).astype(np.int16)
    # A window that shows muscle as a middle grey, whatever share of the picture is fluid.
    brightest = 0.5 * peak if sequence.fat_suppressed else 1.05 * peak
    white = max(2.4 * float(table[Tissue.MUSCLE]), brightest) / peak * scanner.gain
    return _series(pixels, plane, grid, white, side), tuple(masks)


def _filled(inside: NDArray[np.bool_], values: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = np.zeros(inside.shape, np.float32)
    whole[inside] = values
    return whole


def _texture(points: Points, tissue: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Smooth variation fixed to the knee, so that the planes agree: trabeculae, muscle fibres, fat lobules."""
    x, y, z = points
    fine = np.sin(1.9 * x + 1.1 * z) * np.sin(1.7 * y - 0.8 * x) * np.sin(2.3 * z + 0.9 * y)
    coarse = np.sin(0.31 * x + 0.17 * y) * np.sin(0.27 * y - 0.21 * z) * np.sin(0.23 * z + 0.13 * x)
    fibres = np.sin(0.9 * x + 0.25 * z) * np.sin(0.8 * y + 0.1 * z)
    strength = np.zeros(len(Tissue), np.float32)
    strength[[Tissue.MARROW, Tissue.OEDEMA, Tissue.TORN_ACL, Tissue.SYNOVIUM]] = 0.14
    strength[Tissue.FAT] = 0.05
    along = np.zeros(len(Tissue), np.float32)
    along[Tissue.MUSCLE] = 0.07
    return (1 + strength[tissue] * fine + 0.10 * coarse + along[tissue] * fibres).astype(np.float32)


def _shading(points: Points, scanner: Scanner) -> NDArray[np.float32]:
    middle = [axis.mean(axis=0) for axis in points]
    slope = sum(rate * axis for rate, axis in zip(scanner.shading, middle, strict=True))
    rim = np.hypot(middle[0], middle[1]) / 60.0
    return (np.exp(slope) * (1 + 0.18 * np.clip(rim, 0, 1.3) ** 2)).astype(np.float32)


def _series(pixels: NDArray[np.int16], plane: Plane, grid: Grid, white: float, side: Side) -> Series:
    word = {Plane.SAGITTAL: "SAG", Plane.CORONAL: "COR", Plane.AXIAL: "AX"}[plane]
    return Series(
        plane=plane,
        pixels=pixels,
        row_spacing=grid.spacing[1],
        column_spacing=grid.spacing[2],
        slice_spacing=grid.spacing[0],
        description=f"SYNTHETIC {word} {SEQUENCES[plane].name}",
        uid="",
        reason="made as this plane's sequence",
        window=Window(white / 2, white),
        side=side,
    )
