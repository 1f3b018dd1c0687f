"""Implicit functions: signed distances in mm, negative inside, float32, from which the knee is built."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Z_LOW, Z_HIGH, Z_STEP = -150.0, 170.0, 0.25
"""Range and step, in mm, of the tables along z that lofted shapes are read from."""
_Z = np.arange(Z_LOW, Z_HIGH, Z_STEP)


def z_index(z: Field) -> NDArray[np.int32]:
    """Row of the tables along z for each height."""
    index = ((z - np.float32(Z_LOW)) * np.float32(1 / Z_STEP)).astype(np.int32)
    return np.clip(index, 0, len(_Z) - 1, out=index)


def table(heights, values, smooth: float = 3.0) -> Field:
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


@dataclass(frozen=True)
class Loft:
    """Elliptical cross-sections along z: tables of centre and inverse half-widths, read with ``z_index``."""

    cx: Field
    cy: Field
    inverse_a: Field
    inverse_b: Field
    least: Field
    box: tuple[float, ...]
    """Bounds (x0, x1, y0, y1, z0, z1) in mm."""

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
        return cls(
            table(z, cx), table(z, cy), 1 / wide, 1 / deep, np.minimum(wide, deep), tuple(float(value) for value in box)
        )

    def distance(self, x: Field, y: Field, index: NDArray[np.int32], square: bool = False) -> Field:
        """Signed distance of points (x, y) at table rows ``index``; ``square``: sections with fuller corners."""
        u = x - self.cx[index]
        u *= self.inverse_a[index]
        v = y - self.cy[index]
        v *= self.inverse_b[index]
        u *= u
        v *= v
        if square:
            both = u * v
            u *= u
            v *= v
            u += v
            u += both
            np.sqrt(u, out=u)
        else:
            u += v
        np.sqrt(u, out=u)
        u -= 1
        u *= self.least[index]
        return u


def ellipsoid(x: Field, y: Field, z: Field, centre, radii) -> Field:
    """Signed distance, close to true near the surface, to an axis-parallel ellipsoid."""
    (cx, cy, cz), (rx, ry, rz) = map(_floats, (centre, radii))
    u, v, w = (x - cx) * (1 / rx), (y - cy) * (1 / ry), (z - cz) * (1 / rz)
    u2, v2, w2 = u * u, v * v, w * w
    near = np.sqrt(u2 + v2 + w2)
    u2 *= 1 / rx**2
    v2 *= 1 / ry**2
    w2 *= 1 / rz**2
    slope = np.sqrt(u2 + v2 + w2)
    return near * (near - 1) / (slope + np.float32(1e-6))


def blob(x: Field, y: Field, z: Field, centre, radii) -> Field:
    """A cheaper ellipsoid: right in sign, distance only near the least radius."""
    (cx, cy, cz), (rx, ry, rz) = map(_floats, (centre, radii))
    u, v, w = (x - cx) * (1 / rx), (y - cy) * (1 / ry), (z - cz) * (1 / rz)
    return (np.sqrt(u * u + v * v + w * w) - 1) * min(rx, ry, rz)


def capsule(x: Field, y: Field, z: Field, start, end, radius: float, flat=(1.0, 1.0, 1.0)) -> Field:
    """Signed distance to a rod from ``start`` to ``end``; ``flat`` stretches its section along the axes."""
    p, q, f = _floats(start), _floats(end), _floats(flat)
    axis = tuple(b - a for a, b in zip(p, q, strict=True))
    length2 = sum(value * value for value in axis)
    dx, dy, dz = x - p[0], y - p[1], z - p[2]
    t = (dx * axis[0] + dy * axis[1] + dz * axis[2]) * (1 / length2)
    np.clip(t, 0, 1, out=t)
    dx = (dx - t * axis[0]) * (1 / f[0])
    dy = (dy - t * axis[1]) * (1 / f[1])
    dz = (dz - t * axis[2]) * (1 / f[2])
    return np.sqrt(dx * dx + dy * dy + dz * dz) - radius


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
    h = b - a
    np.abs(h, out=h)
    np.subtract(blend, h, out=h)
    np.maximum(h, 0, out=h)
    h *= h
    h *= 0.25 / blend
    return np.minimum(a, b) - h


def smooth_cut(a: Field, b: Field, blend: float) -> Field:
    """Intersection of two shapes with a rounded edge (smooth maximum)."""
    h = b - a
    np.abs(h, out=h)
    np.subtract(blend, h, out=h)
    np.maximum(h, 0, out=h)
    h *= h
    h *= 0.25 / blend
    return np.maximum(a, b) + h


def _floats(values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
