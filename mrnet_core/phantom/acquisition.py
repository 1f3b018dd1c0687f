"""Scanning a knee: partial volume, chemical shift, point spread, coil, artefacts and noise.

A series is painted and scanned some slices at a time: one on a CPU, whose cache it fits, and as many as ``BUDGET``
allows on a GPU. The pixels do not depend on how many; noise is drawn by numpy whatever the device.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from mrnet_core.domain import PHANTOM_MAKERS, Plane, Series, Side, Window
from mrnet_core.phantom.acquisition_artefacts import READOUT_AXIS, add_artefacts, draw_artefacts
from mrnet_core.phantom.acquisition_grid import Grid, draw_grid, knee_affine
from mrnet_core.phantom.anatomy import Knee, Space, Tissue, structure_masks
from mrnet_core.phantom.anatomy_shapes import look_up
from mrnet_core.phantom.anatomy_texture import FIBRES, LOBULES, SIDE, STRIPES, TRABECULAE, tiles
from mrnet_core.phantom.pathology import Lesion
from mrnet_core.phantom.pathology_paint import SUB_SLICES, Painter
from mrnet_core.phantom.physics import Sequence, signal

__all__ = ["Grid", "Painter", "Scan", "Scanner", "acquire", "draw_grid"]

METAL_SHARE = 0.03
"""Share of exams with metal."""
BUDGET = 12_000_000
"""Samples that a GPU paints at a time, usually a whole series: it bounds the memory of a process."""
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
    Tissue.FAT: (LOBULES, 0.09),
    Tissue.SYNOVIUM: (LOBULES, 0.28),
    Tissue.FLUID: (LOBULES, 0.05),
    Tissue.CARTILAGE: (LOBULES, 0.05),
    Tissue.ACL: (STRIPES, 0.30),
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
    """Standard deviation of each quadrature channel, relative to fluid where fat is suppressed, to fat in T1."""
    suppression: float
    """Share of the fat's signal that fat suppression removes where it works best."""
    failure: tuple[float, ...]
    """Where and how strongly suppression fails: centre (L, P, H) in mm, and strength."""
    shading: tuple[float, float, float]
    coil: float
    """How much brighter the leg is 60 mm from its middle than there: a knee coil's elements lie on the skin."""
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
            noise=float(g.uniform(0.004, 0.010) * (0.8 if high else 1.1)),
            suppression=float(g.uniform(0.91, 0.96)),
            failure=(*(float(value) for value in g.normal(0, 1, 3) * (45, 45, 60)), float(g.uniform(0.0, 0.15))),
            shading=tuple(float(value) for value in g.normal(0, 0.0022, 3)),
            coil=float(g.uniform(0.25, 0.70)),
            manufacturer=str(g.choice(PHANTOM_MAKERS)),
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
    device: torch.device | str = "cpu",
) -> Scan:
    """Scan one series. ``generator`` gives artefacts and noise, and is drawn from alike whatever the lesions are."""
    device = torch.device(device)
    artefacts = draw_artefacts(generator, plane)
    # With wrap the leg is painted beyond the field of view, so that what folds in is what lies there.
    wide = grid.beyond(artefacts.phase_axis, artefacts.wrap) if artefacts.wrap else grid
    view = tuple(slice((w - n) // 2, (w + n) // 2) for w, n in zip(wide.shape, grid.shape, strict=True))
    painter = Painter(knee_affine(wide, knee.subject, side), knee, lesions, device)
    optics = _Optics(plane, wide, sequence, scanner, device)
    picture = torch.empty(wide.shape, dtype=torch.float32, device=device)
    masks = [np.zeros(wide.shape, bool) for _ in lesions]
    named: dict[str, NDArray[np.bool_]] = {}
    steps = ((np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5) * grid.thickness / grid.spacing[0]
    for slices in np.array_split(np.arange(grid.shape[0]), -(-grid.shape[0] // slices_at_once(wide, device))):
        here = slice(int(slices[0]), int(slices[-1]) + 1)
        space, painted, healthy = painter.paint(slices, steps, structures)
        picture[here] = optics.picture(space, slices)
        for mask, one in zip(masks, painted, strict=True):
            if one is not None:
                (samples, rows, columns), where = one
                first, last = here.start + samples.start // SUB_SLICES, here.start + samples.stop // SUB_SLICES
                mask[first:last, rows, columns] = _host(_majority(where))
        if structures:
            for name, where in structure_masks(healthy, space.tissue).items():
                named.setdefault(name, np.empty(wide.shape, bool))[here] = _host(_majority(where))
    picture = add_artefacts(picture, artefacts)
    noise = torch.from_numpy(generator.standard_normal((2, *grid.shape), dtype=np.float32)).to(device)
    pixels = _host(_digital(picture, noise, optics.white, scanner))
    series = _series(pixels, plane, grid, sequence, scanner, side)
    masks = tuple(np.ascontiguousarray(mask[view]) for mask in masks)
    return Scan(series, grid, sequence, masks, {name: np.ascontiguousarray(mask[view]) for name, mask in named.items()})


def slices_at_once(grid: Grid, device: torch.device) -> int:
    """How many slices are painted together."""
    if device.type == "cpu":
        return 1
    return max(BUDGET // (SUB_SLICES * grid.shape[1] * grid.shape[2]), 1)


def _host(tensor: torch.Tensor) -> NDArray:
    """The only way from the device to numpy."""
    return tensor.cpu().numpy()


def _majority(where: torch.Tensor) -> torch.Tensor:
    """Slices ``(m, H, W)`` of samples ``(m * SUB_SLICES, H, W)``: true where at least half of the samples are."""
    votes = sum(where[n::SUB_SLICES].to(torch.uint8) for n in range(SUB_SLICES))
    return votes * 2 >= SUB_SLICES


def _mean(samples: torch.Tensor) -> torch.Tensor:
    """Slices of samples, averaged: partial volume. In a fixed order, so that every chunk gives the same."""
    total = samples[::SUB_SLICES].clone()
    for n in range(1, SUB_SLICES):
        total.add_(samples[n::SUB_SLICES])
    return total.mul_(1 / SUB_SLICES)


@cache
def _texture_tables(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """First voxel of each tissue's tile, and the strength of its texture."""
    tile, strength = np.zeros(len(Tissue), np.int32), np.zeros(len(Tissue), np.float32)
    for tissue, (which, amount) in _FINE.items():
        tile[tissue], strength[tissue] = which * SIDE**3, amount
    return torch.from_numpy(tile).to(device), torch.from_numpy(strength).to(device)


class _Optics:
    """What lies between the painted tissue and the noiseless picture of one series."""

    def __init__(self, plane: Plane, grid: Grid, sequence: Sequence, scanner: Scanner, device: torch.device) -> None:
        water, fat = signal(sequence, scanner.field_tesla)
        if sequence.fat_suppressed:
            fat = fat * np.float32(1 - scanner.suppression)
        self.white = float((water + fat)[Tissue.FLUID if sequence.fat_suppressed else Tissue.FAT])
        """Signal of the brightest common tissue."""
        self._water, self._fat = (torch.from_numpy(table).to(device) for table in (water, fat))
        self._scanner, self._suppressed = scanner, sequence.fat_suppressed
        self._readout = READOUT_AXIS[plane]
        self._points = PatientPoints(grid, device)

    def picture(self, space: Space, slices: NDArray[np.int64]) -> torch.Tensor:
        """Slices ``(m, H, W)`` of painted samples ``(m * SUB_SLICES, H, W)``."""
        water, fat = self._signal(space)
        fat = (fat * 0.4).add_(fat.roll(1, self._readout), alpha=0.6)
        points = self._points.of(slices)
        if self._suppressed:
            fat.mul_(_failure(points, self._scanner))
        picture = blurred(water.add_(fat)).mul_(_coil(points, self._scanner))
        return picture.mul_(_metal(points, self._scanner)) if self._scanner.metal[3] else picture

    def _signal(self, space: Space) -> tuple[torch.Tensor, torch.Tensor]:
        """Water's and fat's signal, averaged over each slice's samples."""
        tissue, device = space.tissue.int(), str(space.tissue.device)
        tile, strength = _texture_tables(device)
        rough = look_up(tiles(device), look_up(tile, tissue).add_(space.voxel))
        rough.mul_(look_up(strength, tissue)).add_(1).clamp_(min=0)
        return _mean(look_up(self._water, tissue).mul_(rough)), _mean(look_up(self._fat, tissue).mul_(rough))


class PatientPoints:
    """Patient coordinates (L, P, H) of a grid's pixels."""

    def __init__(self, grid: Grid, device: torch.device | str = "cpu") -> None:
        _, height, width = grid.shape
        i = torch.arange(height, dtype=torch.float32, device=device)[:, None] * grid.spacing[1]
        j = torch.arange(width, dtype=torch.float32, device=device)[None, :] * grid.spacing[2]
        self._first = [
            grid.origin[axis] + i * grid.row_direction[axis] + j * grid.column_direction[axis] for axis in range(3)
        ]
        self._steps = [grid.spacing[0] * along for along in grid.slice_direction]

    def of(self, slices: NDArray[np.int64]) -> list[torch.Tensor]:
        """Three arrays ``(len(slices), H, W)``."""
        k = torch.tensor(np.asarray(slices, np.float32), device=self._first[0].device)[:, None, None]
        return [first + k * step for first, step in zip(self._first, self._steps, strict=True)]


def blurred(picture: torch.Tensor) -> torch.Tensor:
    """Slices ``(m, H, W)`` with the in-plane point spread: a Gaussian out to 4 standard deviations, edges mirrored."""
    reach = int(4 * PSF + 0.5)
    weights = np.exp(-0.5 * (np.arange(reach + 1) / PSF) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    for axis in (1, 2):
        size = picture.shape[axis]
        before, after = picture.narrow(axis, 0, reach).flip(axis), picture.narrow(axis, size - reach, reach).flip(axis)
        wide = torch.cat([before, picture, after], axis)
        picture = wide.narrow(axis, reach, size) * float(weights[0])
        for n in range(1, reach + 1):
            pair = wide.narrow(axis, reach - n, size) + wide.narrow(axis, reach + n, size)
            picture.add_(pair, alpha=float(weights[n]))
    return picture


def _failure(points: list[torch.Tensor], scanner: Scanner) -> torch.Tensor:
    """How much more fat is left than at best: suppression is uneven in space."""
    *centre, strength = scanner.failure
    most = strength / max(1 - scanner.suppression, 0.02)
    return _squared_distance(points, centre).mul_(-1 / 40.0**2).exp_().mul_(most).add_(1)


def _squared_distance(points: list[torch.Tensor], centre: list[float]) -> torch.Tensor:
    x, y, z = (axis - value for axis, value in zip(points, centre, strict=True))
    return x.mul_(x).addcmul_(y, y).addcmul_(z, z)


def _coil(points: list[torch.Tensor], scanner: Scanner) -> torch.Tensor:
    """Receiver sensitivity: a slope, brighter near the coil's elements at the rim, falling towards the coil's ends."""
    x, y, z = points
    a, b, c = scanner.shading
    slope = (x * a).add_(y, alpha=b).add_(z, alpha=c).exp_()
    rim = (x * x).addcmul_(y, y).mul_(1 / 60.0**2).clamp_(0, 1.4).mul_(scanner.coil).add_(1)
    ends = (z * (1 / 90.0)).square_().clamp_(0, 1).mul_(-0.22).add_(1)
    return slope.mul_(rim).mul_(ends)


def _metal(points: list[torch.Tensor], scanner: Scanner) -> torch.Tensor:
    """A void about metal, with the signal of the void piled up along its rim."""
    *centre, radius = scanner.metal
    distance = _squared_distance(points, centre).sqrt_().mul_(1 / radius)
    rim = (distance - 1.2).mul_(5.0).square_().neg_().exp_()
    void = distance.square_().square_().neg_().exp_()
    return rim.mul_(0.9).sub_(void).add_(1)


def _digital(picture: torch.Tensor, noise: torch.Tensor, white: float, scanner: Scanner) -> torch.Tensor:
    """Rician magnitude of the signal, int16, in whole numbers of the scanner's gain; ``noise``: standard normal."""
    noise = noise.mul_(scanner.noise * white)
    real, imaginary = noise[0].add_(picture), noise[1]
    magnitude = real.mul_(real).addcmul_(imaginary, imaginary).sqrt_()
    return magnitude.mul_(scanner.gain / white).round_().clamp_(0, 4095).to(torch.int16)


def _series(
    pixels: NDArray[np.int16], plane: Plane, grid: Grid, sequence: Sequence, scanner: Scanner, side: Side
) -> Series:
    word = {Plane.SAGITTAL: "SAG", Plane.CORONAL: "COR", Plane.AXIAL: "AX"}[plane]
    # White is the foreground's 99.2nd percentile, however much fluid there is (a real exam's windows: 98.7 to 99.6).
    inside = pixels[pixels > 0.04 * scanner.gain]
    white = max(float(np.percentile(inside[::16], 99.2)) if inside.size > 64 else scanner.gain, 0.2 * scanner.gain)
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
        synthetic=True,
    )
