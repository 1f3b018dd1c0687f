"""Implicit functions: signed distances in mm, negative inside, float32, from which the knee is built."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

Field = torch.Tensor
"""float32, shape ``(n, rows, columns)``, on any device."""
Z_LOW, Z_HIGH, Z_STEP = -150.0, 170.0, 0.25
"""Range and step, in mm, of the tables along z that lofted shapes are read from."""
_Z = np.arange(Z_LOW, Z_HIGH, Z_STEP)


def z_index(z: Field) -> torch.Tensor:
    """Row (int32) of the tables along z for each height."""
    return line(z, Z_LOW, 1 / Z_STEP).to(torch.int32).clamp_(0, len(_Z) - 1)


def look_up(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """``table[index]`` of a flat table and whole numbers of any shape, by torch's fastest way."""
    return table.index_select(0, index.reshape(-1)).view(index.shape)


def table(heights, values, smooth: float = 3.0) -> NDArray[np.float32]:
    """A smooth table along z through (height, value) knots; constant beyond the ends.

    ``smooth``: mm of the moving average that rounds the corners (applied twice).
    """
    order = np.argsort(heights)
    line = np.interp(_Z, np.asarray(heights, float)[order], np.asarray(values, float)[order])
    width = max(int(smooth / Z_STEP), 1)
    for _ in range(2):
        padded = np.pad(line, (width // 2, width - 1 - width // 2), mode="edge")
        line = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    return line.astype(np.float32)


class Table:
    """A ``table`` along z, to be read on any device."""

    def __init__(self, heights, values) -> None:
        self._on = cache(torch.from_numpy(table(heights, values)).to)

    def __getitem__(self, index: torch.Tensor) -> Field:
        return look_up(self._on(index.device), index)


@dataclass(frozen=True, eq=False)
class Loft:
    """Elliptical cross-sections along z, read with ``z_index``."""

    tables: NDArray[np.float32]
    """Rows (centre x and y, inverse half-widths along x and y, the lesser half-width)."""
    box: tuple[float, ...]
    """Bounds (x0, x1, y0, y1, z0, z1) in mm."""
    _on: dict[torch.device, torch.Tensor] = field(default_factory=dict, repr=False)

    @classmethod
    def through(cls, knots, *, grow: float = 1.0, shift=(0.0, 0.0), margin: float = 1.0) -> "Loft":
        """A loft through rows (z, cx, cy, a, b); it ends at the first and last height.

        ``grow`` scales the half-widths, ``shift`` moves the centres, ``margin`` widens the box (mm).
        """
        knots = np.asarray(knots, float)
        z, cx, cy = knots[:, 0], knots[:, 1] + shift[0], knots[:, 2] + shift[1]
        a, b = np.maximum(knots[:, 3] * grow, 0.3), np.maximum(knots[:, 4] * grow, 0.3)
        wide, deep = table(z, a), table(z, b)
        box = (
            *((cx - a).min() - margin, (cx + a).max() + margin),
            *((cy - b).min() - margin, (cy + b).max() + margin),
            *(z.min(), z.max()),
        )
        tables = np.stack([table(z, cx), table(z, cy), 1 / wide, 1 / deep, np.minimum(wide, deep)])
        return cls(tables, tuple(float(value) for value in box))

    def distance(self, x: Field, y: Field, index: torch.Tensor, square: bool = False) -> Field:
        """Signed distance of points (x, y) at table rows ``index``; ``square``: sections with fuller corners."""
        if index.device not in self._on:
            self._on[index.device] = torch.from_numpy(self.tables).to(index.device)
        flat = index.reshape(-1)
        cx, cy, inverse_a, inverse_b, least = (
            row.index_select(0, flat).view(index.shape) for row in self._on[index.device]
        )
        u = torch.sub(x, cx, out=cx).mul_(inverse_a)
        v = torch.sub(y, cy, out=cy).mul_(inverse_b)
        u.mul_(u)
        v.mul_(v)
        if square:
            both = u * v
            u.mul_(u).addcmul_(v, v).add_(both).sqrt_()
        else:
            u.add_(v)
        return u.sqrt_().sub_(1).mul_(least)


def line(field: Field, zero: float, slope: float) -> Field:
    """``slope * (field - zero)``, in one pass."""
    return torch.add(_number(-zero * slope), field, alpha=slope)


@lru_cache(1024)
def _number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float32)


def below(field: Field, level: float | Field) -> torch.Tensor:
    """``field < level``, by the fastest way."""
    return _compared(torch.lt, field, level)


def above(field: Field, level: float | Field) -> torch.Tensor:
    """``field > level``, by the fastest way."""
    return _compared(torch.gt, field, level)


def _compared(compare: Callable, field: Field, level: float | Field) -> torch.Tensor:
    # torch compares into floats with a CPU's vector instructions, into bools without.
    if field.is_cuda:
        return compare(field, level)
    return compare(field, level, out=torch.empty_like(field)).bool()


def ellipsoid(x: Field, y: Field, z: Field, centre, radii) -> Field:
    """Signed distance, close to true near the surface, to an axis-parallel ellipsoid."""
    (cx, cy, cz), (rx, ry, rz) = map(_floats, (centre, radii))
    u, v, w = line(x, cx, 1 / rx), line(y, cy, 1 / ry), line(z, cz, 1 / rz)
    u.mul_(u)
    v.mul_(v)
    w.mul_(w)
    near = (u + v).add_(w).sqrt_()
    slope = u.mul_(1 / rx**2).add_(v, alpha=1 / ry**2).add_(w, alpha=1 / rz**2).sqrt_()
    return (near - 1).mul_(near).div_(slope.add_(1e-6))


def blob(x: Field, y: Field, z: Field, centre, radii) -> Field:
    """A cheaper ellipsoid: right in sign, distance only near the least radius."""
    (cx, cy, cz), (rx, ry, rz) = map(_floats, (centre, radii))
    u, v, w = line(x, cx, 1 / rx), line(y, cy, 1 / ry), line(z, cz, 1 / rz)
    return u.mul_(u).addcmul_(v, v).addcmul_(w, w).sqrt_().sub_(1).mul_(min(rx, ry, rz))


def capsule(x: Field, y: Field, z: Field, start, end, radius: float, flat=(1.0, 1.0, 1.0)) -> Field:
    """Signed distance to a rod from ``start`` to ``end``; ``flat`` stretches its section along the axes."""
    p, q, f = _floats(start), _floats(end), _floats(flat)
    axis = tuple(b - a for a, b in zip(p, q, strict=True))
    length2 = sum(value * value for value in axis)
    dx, dy, dz = x - p[0], y - p[1], z - p[2]
    t = (dx * (axis[0] / length2)).add_(dy, alpha=axis[1] / length2).add_(dz, alpha=axis[2] / length2)
    t.clamp_(0, 1)
    for offset, along, stretch in zip((dx, dy, dz), axis, f, strict=True):
        offset.sub_(t, alpha=along)
        if stretch != 1:
            offset.mul_(1 / stretch)
    return dx.mul_(dx).addcmul_(dy, dy).addcmul_(dz, dz).sqrt_().sub_(radius)


def capsule_box(start, end, radius: float, flat=(1.0, 1.0, 1.0), margin: float = 0.8) -> tuple[float, ...]:
    """Bounds of a ``capsule``."""
    bounds = []
    for a, b, f in zip(start, end, flat, strict=True):
        bounds += [min(a, b) - radius * f - margin, max(a, b) + radius * f + margin]
    return tuple(float(value) for value in bounds)


def ball_box(centre, radii, margin: float = 1.0) -> tuple[float, ...]:
    """Bounds of an ellipsoid."""
    return tuple(float(value) for c, r in zip(centre, radii, strict=True) for value in (c - r - margin, c + r + margin))


def smooth_union(a: Field, b: Field, blend: float) -> Field:
    """Union of two shapes with a seam rounded over ``blend`` mm (polynomial smooth minimum)."""
    return torch.minimum(a, b).sub_(_seam(a, b, blend))


def smooth_cut(a: Field, b: Field, blend: float) -> Field:
    """Intersection of two shapes with a rounded edge (smooth maximum)."""
    return torch.maximum(a, b).add_(_seam(a, b, blend))


def _seam(a: Field, b: Field, blend: float) -> Field:
    h = line((b - a).abs_(), blend, -1.0).clamp_(min=0)
    return h.mul_(h).mul_(0.25 / blend)


def _floats(values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
