"""Scanning a knee: partial volume, chemical shift, point spread, coil, artefacts and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mrnet_core.domain import Plane, Series, Side, Window
from mrnet_core.phantom.acquisition_artefacts import add_artefacts, draw_artefacts
from mrnet_core.phantom.acquisition_grid import Grid, draw_grid, knee_affine
from mrnet_core.phantom.anatomy import Affine, Knee, Space, Tissue, structure_masks
from mrnet_core.phantom.anatomy_texture import FIBRES, LOBULES, SIDE, STRIPES, TRABECULAE, tiles
from mrnet_core.phantom.pathology import Lesion
from mrnet_core.phantom.pathology_paint import lesion_boxes, paint_lesions
from mrnet_core.phantom.physics import Sequence, signal

__all__ = ["Grid", "Scan", "Scanner", "acquire", "draw_grid"]

METAL_SHARE = 0.03
"""Share of exams with metal."""
SUB_SLICES = 3
"""Samples across a slice that are averaged: partial volume."""
PSF = 0.55
"""Standard deviation of the in-plane point spread, pixels."""
_FINE = {
    # texture tile and its strength, by tissue
    Tissue.MARROW: (TRABECULAE, 0.075),
    Tissue.KNEECAP_MARROW: (TRABECULAE, 0.075),
    Tissue.RED_MARROW: (TRABECULAE, 0.09),
    Tissue.OEDEMA: (TRABECULAE, 0.13),
    Tissue.CONTUSION: (TRABECULAE, 0.15),
    Tissue.SCLEROSIS: (TRABECULAE, 0.10),
    Tissue.MUSCLE: (FIBRES, 0.085),
    Tissue.FAT: (LOBULES, 0.055),
    Tissue.SYNOVIUM: (LOBULES, 0.28),
    Tissue.FLUID: (LOBULES, 0.05),
    Tissue.CARTILAGE: (LOBULES, 0.05),
    Tissue.ACL: (STRIPES, 0.24),
    Tissue.MUCOID: (STRIPES, 0.14),
    Tissue.TORN_FIBRES: (LOBULES, 0.22),
    Tissue.SCAR: (LOBULES, 0.22),
    Tissue.SOFT_OEDEMA: (LOBULES, 0.22),
    Tissue.DEGENERATION: (LOBULES, 0.10),
    Tissue.FASCIA: (LOBULES, 0.20),
}


@dataclass(frozen=True)
class Scanner:
    """One scan's settings, drawn once an exam."""

    field_tesla: float
    gain: float
    noise: float
    """Standard deviation of each quadrature channel, relative to fluid in T2 FS (fat in T1)."""
    suppression: float
    """Share of the fat's signal that fat suppression removes where it works best."""
    failure: tuple[float, ...]
    """Where and how strongly suppression fails: centre (L, P, H) in mm, and strength."""
    shading: tuple[float, float, float]
    coil: float
    """How much brighter the leg's rim is than its middle."""
    manufacturer: str
    metal: tuple[float, ...]
    """Where metal spoils the field: centre (L, P, H) and radius in mm, 0 for none."""

    @classmethod
    def draw(cls, generator: np.random.Generator) -> "Scanner":
        """Settings of ordinary variation."""
        g = generator
        high = g.random() < 0.5
        return cls(
            field_tesla=3.0 if high else 1.5,
            gain=float(g.uniform(500, 1500)),
            noise=float(g.uniform(0.010, 0.022) * (0.8 if high else 1.1)),
            suppression=float(g.uniform(0.89, 0.95)),
            failure=(*(float(value) for value in g.normal(0, 1, 3) * (45, 45, 60)), float(g.uniform(0.0, 0.15))),
            shading=tuple(float(value) for value in g.normal(0, 0.0022, 3)),
            coil=float(g.uniform(0.08, 0.3)),
            manufacturer=str(g.choice(["PHANTOM A", "PHANTOM B"])),
            metal=_draw_metal(g),
        )


def _draw_metal(g: np.random.Generator) -> tuple[float, ...]:
    """A screw or staple about the tibia's head or under the skin, in a few exams."""
    present, radius, place = g.random() < METAL_SHARE, g.uniform(4.0, 9.0), g.normal(0, 1, 3) * (16, 10, 8)
    return (float(place[0]), float(place[1]), float(place[2]) - 28.0, float(radius) if present else 0.0)


@dataclass(frozen=True)
class Scan:
    """What one acquisition gives: the series, a mask a lesion, and where asked for, the structures' masks."""

    series: Series
    grid: Grid
    sequence: Sequence
    masks: tuple[NDArray[np.bool_], ...]
    structures: dict[str, NDArray[np.bool_]]


def acquire(
    plane: Plane,
    grid: Grid,
    sequence: Sequence,
    knee: Knee,
    side: Side,
    lesions: tuple[Lesion, ...],
    scanner: Scanner,
    generator: np.random.Generator,
    *,
    structures: bool = False,
) -> Scan:
    """Scan one series. ``generator`` gives artefacts and noise, and is drawn from alike whatever the lesions are."""
    affine = knee_affine(grid, knee.subject, side)
    water_table, fat_table = signal(sequence, scanner.field_tesla)
    if sequence.fat_suppressed:
        fat_table = fat_table * np.float32(1 - scanner.suppression)
    artefacts = draw_artefacts(generator, plane)
    painter = Painter(affine, knee, lesions)
    picture = np.empty(grid.shape, np.float32)
    masks = [np.zeros(grid.shape, bool) for _ in lesions]
    named: dict[str, NDArray[np.bool_]] = {}
    middle = patient_points(grid)
    for k in range(grid.shape[0]):
        steps = ((np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5) * grid.thickness / grid.spacing[0]
        space, painted, healthy = painter.slice(k, k + steps, structures)
        water, fat = _signal(space, water_table, fat_table)
        fat = _shifted(fat, plane)
        if sequence.fat_suppressed:
            fat *= _failure(middle(k), scanner)
        picture[k] = ndimage.gaussian_filter(water + fat, PSF) * _coil(middle(k), scanner)
        if scanner.metal[3]:
            picture[k] *= _metal(middle(k), scanner)
        for mask, one in zip(masks, painted, strict=True):
            if one is not None:
                mask[k] = one.mean(axis=0) >= 0.5
        if structures:
            for name, where in structure_masks(healthy, space.tissue).items():
                named.setdefault(name, np.zeros(grid.shape, bool))[k] = where.mean(axis=0) >= 0.5
    white = float((water_table + fat_table)[Tissue.FLUID if sequence.fat_suppressed else Tissue.FAT])
    add_artefacts(picture, artefacts)
    pixels = _digital(picture, white, scanner, generator)
    series = _series(pixels, plane, grid, sequence, scanner, side)
    return Scan(series, grid, sequence, tuple(masks), named)


class Painter:
    """Paints a knee and its lesions on the slices of one lattice of voxels."""

    def __init__(self, affine: Affine, knee: Knee, lesions: tuple[Lesion, ...]) -> None:
        self.affine, self.knee, self.lesions = affine, knee, lesions
        self._parts = knee.windows(affine, knee.parts)
        self._jitter = _jitter(affine.shape[1:])
        self._lesions = lesion_boxes(affine, knee.subject, lesions)

    def slice(
        self, k: float, at: NDArray[np.float64], keep_healthy: bool = False
    ) -> tuple[Space, list[NDArray[np.bool_] | None], NDArray[np.uint8] | None]:
        """Painted space of samples at fractional slices ``at``, a mask a lesion (None: not here), healthy tissue."""
        reach = (float(at[1]) - float(at[0])) / 2 if len(at) > 1 else 0.0
        space = Space.at(*self.affine.points(at, self._jitter * np.float32(reach)), self.knee.subject)
        low, high = float(at.min()) - reach, float(at.max()) + reach
        self.knee.paint(space, lambda n: self._window(self._parts[n], low, high))
        healthy = space.tissue.copy() if keep_healthy else None
        windows = [self._window(bounds, low, high) for bounds in self._lesions]
        return space, paint_lesions(space, windows, self.knee.subject, self.lesions), healthy

    def _window(self, bounds: NDArray[np.float64], low: float, high: float) -> tuple[slice, slice] | None:
        if bounds[0, 1] < low or bounds[0, 0] > high:
            return None
        _, height, width = self.affine.shape
        top, bottom = max(int(bounds[1, 0]), 0), min(int(bounds[1, 1]) + 2, height)
        left, right = max(int(bounds[2, 0]), 0), min(int(bounds[2, 1]) + 2, width)
        return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _jitter(shape: tuple[int, int]) -> NDArray[np.float32]:
    """A fixed scatter (SUB_SLICES, H, W) of the samples' places, so that slanted surfaces show no terraces."""
    return np.random.Generator(np.random.Philox(SIDE)).uniform(-0.8, 0.8, (SUB_SLICES, *shape)).astype(np.float32)


def _texture_tables() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    tile, strength = np.zeros(len(Tissue), np.int32), np.zeros(len(Tissue), np.float32)
    for tissue, (which, amount) in _FINE.items():
        tile[tissue], strength[tissue] = which * SIDE**3, amount
    return tile, strength


_TILE, _STRENGTH = _texture_tables()


def _signal(
    space: Space, water_table: NDArray[np.float32], fat_table: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Water's and fat's signal of one slice, averaged over its samples."""
    tissue = space.tissue
    rough = tiles()[_TILE[tissue] + space.voxel]
    rough *= _STRENGTH[tissue]
    rough += 1
    np.maximum(rough, 0, out=rough)
    water, fat = water_table[tissue], fat_table[tissue]
    water *= rough
    fat *= rough
    return water.mean(axis=0), fat.mean(axis=0)


def _shifted(fat: NDArray[np.float32], plane: Plane) -> NDArray[np.float32]:
    """Chemical shift: fat displaced by 0.6 pixel along the readout (down the rows; axial: along the columns)."""
    axis = 1 if plane is Plane.AXIAL else 0
    return 0.4 * fat + 0.6 * np.roll(fat, 1, axis)


def patient_points(grid: Grid):
    """A function of the slice that gives patient coordinates (L, P, H) of its pixels, three ``(H, W)`` arrays."""
    _, height, width = grid.shape
    i = np.arange(height, dtype=np.float32)[:, None] * np.float32(grid.spacing[1])
    j = np.arange(width, dtype=np.float32)[None, :] * np.float32(grid.spacing[2])
    flat = [
        np.float32(grid.origin[axis])
        + i * np.float32(grid.row_direction[axis])
        + j * np.float32(grid.column_direction[axis])
        for axis in range(3)
    ]
    return lambda k: [
        plane + np.float32(k * grid.spacing[0] * grid.slice_direction[axis]) for axis, plane in enumerate(flat)
    ]


def _failure(points, scanner: Scanner) -> NDArray[np.float32]:
    """How much more fat is left than at best: suppression is uneven in space."""
    *centre, strength = scanner.failure
    distance = sum((axis - np.float32(c)) ** 2 for axis, c in zip(points, centre, strict=True))
    return 1 + np.float32(strength / max(1 - scanner.suppression, 0.02)) * np.exp(distance * np.float32(-1 / 40.0**2))


def _coil(points, scanner: Scanner) -> NDArray[np.float32]:
    """Receiver sensitivity: a slope, brighter near the coil's elements at the rim, falling towards the coil's ends."""
    slope = sum(np.float32(rate) * axis for rate, axis in zip(scanner.shading, points, strict=True))
    rim = (points[0] ** 2 + points[1] ** 2) * np.float32(1 / 60.0**2)
    ends = np.float32(1.0) - np.float32(0.22) * np.clip((points[2] * np.float32(1 / 90.0)) ** 2, 0, 1)
    return np.exp(slope) * (1 + np.float32(scanner.coil) * np.clip(rim, 0, 1.4)) * ends


def _metal(points, scanner: Scanner) -> NDArray[np.float32]:
    """A void about metal, with the signal of the void piled up along its rim."""
    *centre, radius = scanner.metal
    distance = np.sqrt(sum((axis - np.float32(c)) ** 2 for axis, c in zip(points, centre, strict=True)))
    distance *= np.float32(1 / radius)
    rim = np.exp(-(((distance - np.float32(1.2)) * np.float32(5.0)) ** 2))
    return 1 - np.exp(-(distance**4)) + np.float32(0.9) * rim


def _digital(
    picture: NDArray[np.float32], white: float, scanner: Scanner, generator: np.random.Generator
) -> NDArray[np.int16]:
    """Rician magnitude of the signal, in whole numbers of the scanner's gain."""
    noise = generator.standard_normal((2, *picture.shape), dtype=np.float32)
    noise *= np.float32(scanner.noise * white)
    noise[0] += picture
    magnitude = np.hypot(noise[0], noise[1])
    magnitude *= np.float32(scanner.gain / white)
    return np.clip(np.rint(magnitude), 0, 4095).astype(np.int16)


def _series(
    pixels: NDArray[np.int16], plane: Plane, grid: Grid, sequence: Sequence, scanner: Scanner, side: Side
) -> Series:
    word = {Plane.SAGITTAL: "SAG", Plane.CORONAL: "COR", Plane.AXIAL: "AX"}[plane]
    # A window on the foreground: its 98th percentile is white, whatever share of the picture is fluid.
    inside = pixels[pixels > 0.04 * scanner.gain]
    white = max(float(np.percentile(inside[::16], 98.0)) if inside.size > 64 else scanner.gain, 0.2 * scanner.gain)
    return Series(
        plane=plane,
        pixels=pixels,
        row_spacing=grid.spacing[1],
        column_spacing=grid.spacing[2],
        slice_spacing=grid.spacing[0],
        description=f"SYNTHETIC {word} {sequence.name}",
        uid="",
        reason="made as this plane's sequence",
        window=Window(white / 2, white),
        side=side,
    )
