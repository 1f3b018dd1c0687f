"""A sheet of the synthetic knee alone, normal above torn, and its proportions beside a real knee's.

    python -m benchmarks.contact_sheet OUT.jpg [--seed 77] [--normal 1] [--torn 2] [--exams 6]

OUT.jpg shows three planes of a normal exam and of one with a torn anterior cruciate ligament, five slices each, in the
display windows of their DICOM files. No pixel of a real exam is in it, so it may be shown anywhere. The printed table
sets lengths measured on the phantoms' masks and pictures beside the same lengths of the exam that ``realism`` compares
with (MRNET_TEST_EXAM): its points were set by hand there; where it is missing, its column stays empty. ``--exams 0``
draws the sheet alone.
"""

import argparse
import io
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from benchmarks.realism import REAL, real_series
from mrnet_core.domain import InputError, Plane, Series, Side
from mrnet_core.phantom import PhantomExam, make_exam

WIDTH, COLUMNS, MARGIN, CAPTION = 1600, 5, 4, 30
PLANES = {
    # the slices shown, as shares of the way from the first slice with cartilage to the last
    Plane.SAGITTAL: (0.12, 0.3, 0.47, 0.58, 0.85),
    Plane.CORONAL: (0.32, 0.45, 0.56, 0.66, 0.78),
    Plane.AXIAL: (-0.1, 0.07, 0.28, 0.5, 0.75),
}
MOST_BYTES = 250_000
"""Size of the JPEG at most: quality is lowered until it fits."""
LEVEL, SMOOTH = 0.1, 1.5
"""The leg: above this share of the 99th percentile once smoothed (SD, pixels)."""
OPENED = 5.0
"""mm by which the leg's outline is opened."""


@dataclass(frozen=True)
class Span:
    """A length of the real exam between two points set by hand: 0-based slice, then (row, column) of each."""

    series: str
    slice: int
    start: tuple[float, float]
    end: tuple[float, float]

    def length(self) -> float:
        """Length in mm."""
        series = real_series(self.series)
        apart = np.subtract(self.end, self.start) * (series.row_spacing, series.column_spacing)
        return float(np.hypot(*apart))


REAL_JOINT_LINE = 12
"""Axial slice of the real exam that cuts both the condyles' lowest cartilage and the menisci."""
REAL_SPANS = {
    # Standard orientation, 384 x 384, 0.443 mm a pixel; an edge is read to two pixels or so.
    "femur, width at the epicondyles": Span("coronal", 13, (150, 85), (150, 293)),
    "femur, depth of the lateral condyle": Span("SAG T1", 6, (150, 97), (150, 248)),
    "tibia, width of the plateau": Span("coronal", 13, (238, 93), (238, 278)),
    "tibia, depth of the medial plateau": Span("SAG T1", 18, (232, 137), (232, 259)),
    "patella, height": Span("SAG T1", 9, (93, 70), (199, 70)),
    "ACL, length in its longest sagittal slice": Span("SAG T1", 12, (224, 155), (165, 205)),
}
UNITS = {"leg at the joint line, cross-section": "cm²"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path, metavar="OUT.jpg")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--normal", type=int, default=1, metavar="K", help="exam shown as the normal knee")
    parser.add_argument("--torn", type=int, default=2, metavar="K", help="exam shown with a torn ligament")
    parser.add_argument("--exams", type=int, default=6, help="normal knees measured: k = 0, 1, …; 0: no table")
    args = parser.parse_args()
    try:
        if args.out.suffix.lower() not in (".jpg", ".jpeg"):
            raise InputError(f"the sheet {args.out} must be a JPEG; name it so that it ends in .jpg")
        if args.exams < 0:
            raise InputError(f"--exams must be 0 or more; got {args.exams}")
        normal = make_exam(args.seed, args.normal, pathology="normal", structures=True)
        torn = make_exam(args.seed, args.torn, pathology="acl tear", structures=True)
        save(draw_sheet([normal, torn]), args.out)
        if args.exams:
            print_proportions(args.seed, args.exams)
    except InputError as error:
        sys.exit(f"error: {error}")


def draw_sheet(exams: list[PhantomExam]) -> Image.Image:
    """One row a plane and exam, ``COLUMNS`` slices each, at true proportions, captioned and named synthetic.

    The exams are made with ``structures``.
    """
    tile = (WIDTH - MARGIN * (COLUMNS + 1)) // COLUMNS
    sheet = Image.new("L", (WIDTH, len(exams) * (CAPTION + len(PLANES) * (tile + MARGIN)) + MARGIN), 0)
    draw, large, small = ImageDraw.Draw(sheet), ImageFont.load_default(18), ImageFont.load_default(14)
    top = MARGIN
    for exam in exams:
        draw.text((MARGIN + 4, top + 4), caption(exam), fill=255, font=large)
        top += CAPTION
        for plane, shares in PLANES.items():
            series = exam.series[plane]
            for column, share in enumerate(shares):
                number = slice_at(exam, plane, share)
                left = MARGIN + column * (tile + MARGIN)
                sheet.paste(tile_of(series, number, tile), (left, top))
                words = f"synthetic · {str(series.description).removeprefix('SYNTHETIC ')} {number + 1}/{series.slices}"
                draw.text((left + 6, top + 4), words, fill=235, font=small, stroke_width=2, stroke_fill=0)
            top += tile + MARGIN
    return sheet


def caption(exam: PhantomExam) -> str:
    """What the exam is, in a line."""
    found = "; ".join(" ".join(filter(None, (lesion.grade, lesion.type))) for lesion in exam.lesions)
    for word in ("acl", "pcl", "mcl"):
        found = found.replace(word, word.upper())
    return (
        f"SYNTHETIC KNEE, no patient: {found or 'normal'} ({exam.side} knee, {exam.age} years, {exam.sex}, "
        f"{exam.field_tesla:g} T; seed {exam.seed}, exam {exam.k})"
    )


def slice_at(exam: PhantomExam, plane: Plane, share: float) -> int:
    """The slice at a share of the way through those that cut cartilage."""
    cartilage = np.asarray(exam.structures[plane]["cartilage"])
    held = np.flatnonzero(cartilage.any(axis=(1, 2)))
    return int(np.clip(round(held[0] + share * (held[-1] - held[0])), 0, len(cartilage) - 1))


def tile_of(series: Series, number: int, side: int) -> Image.Image:
    """One slice in its display window, fitted into a square of ``side`` pixels."""
    window, pixels = series.window, np.asarray(series.pixels[number], np.float32)
    low = window.center - window.width / 2
    grey = np.clip((pixels - low) * (255 / window.width), 0, 255).astype(np.uint8)
    height, width = pixels.shape[0] * series.row_spacing, pixels.shape[1] * series.column_spacing
    scale = side / max(height, width)
    fitted = Image.fromarray(grey).resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    tile = Image.new("L", (side, side), 0)
    tile.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
    return tile


def save(sheet: Image.Image, path: Path) -> None:
    """Write the sheet as a JPEG of at most ``MOST_BYTES``, as good as fits."""
    for quality in range(85, 20, -5):
        data = io.BytesIO()
        sheet.save(data, "JPEG", quality=quality, optimize=True)
        if data.tell() <= MOST_BYTES:
            break
    path.write_bytes(data.getvalue())
    print(f"{path}: {sheet.width} x {sheet.height}, {data.tell() / 1000:.0f} kB, JPEG quality {quality}\n")


def print_proportions(seed: int, count: int) -> None:
    """The table: each length on the real knee, and median and range over the phantoms."""
    measured = [proportions(make_exam(seed, k, pathology="normal", structures=True)) for k in range(count)]
    real = real_proportions() if REAL.exists() else {}
    print(f"Phantom: {count} normal knees of seed {seed}; real: one knee, points set by hand.\n")
    print("| length | real | phantom, median (range) |\n|---|---|---|")
    for name in measured[0]:
        values, unit = [one[name] for one in measured], UNITS.get(name, "mm")
        shown = f"{real[name]:.0f} {unit}" if name in real else "–"
        print(f"| {name} | {shown} | {np.median(values):.0f} ({min(values):.0f} to {max(values):.0f}) {unit} |")


def real_proportions() -> dict[str, float]:
    """The real knee's lengths: of the leg by the phantom's own measure, of the bones between points set by hand."""
    return leg(real_series("axial"), REAL_JOINT_LINE) | {name: span.length() for name, span in REAL_SPANS.items()}


def proportions(exam: PhantomExam) -> dict[str, float]:
    """Lengths of a phantom made with ``structures``: of the leg on its axial picture, of the rest on its masks."""
    sagittal, coronal = (exam.structures[plane] for plane in (Plane.SAGITTAL, Plane.CORONAL))
    along, across = spacing(exam.series[Plane.SAGITTAL]), spacing(exam.series[Plane.CORONAL])
    femur, tibia = femur_and_tibia(np.asarray(sagittal["bone"]), along[0])
    wide_femur, wide_tibia = femur_and_tibia(np.asarray(coronal["bone"]), across[0])
    lateral = lateral_half(exam, femur)
    return leg(exam.series[Plane.AXIAL], joint_slice(exam, femur, tibia)) | {
        "femur, width at the epicondyles": extent(wide_femur, across, 1),
        "femur, depth of the lateral condyle": extent(np.where(lateral, femur, False), along, 1),
        "tibia, width of the plateau": extent(wide_tibia, across, 1),
        "tibia, depth of the medial plateau": extent(np.where(lateral, False, tibia), along, 1),
        "patella, height": extent(np.asarray(sagittal["patella"]), along, 0),
        "ACL, length in its longest sagittal slice": max(longest(one, along) for one in np.asarray(sagittal["acl"])),
    }


def spacing(series: Series) -> tuple[float, float]:
    """mm between rows, between columns."""
    return series.row_spacing, series.column_spacing


def femur_and_tibia(bone: NDArray[np.bool_], row_mm: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The femur's lowest 45 mm and the tibia's highest 18 mm: the largest pieces at the picture's top and bottom."""
    pieces, _ = ndimage.label(ndimage.binary_opening(bone, np.ones((1, 3, 3), bool)))
    third = bone.shape[1] // 3
    upper, lower = (np.bincount(part[part > 0]).argmax() for part in (pieces[:, :third], pieces[:, -third:]))
    if upper == lower:
        raise InputError("femur and tibia touch in this exam, so neither can be measured; take another seed")
    femur, tibia = (bone & (pieces == which) for which in (upper, lower))
    end = np.flatnonzero(femur.any(axis=(0, 2)))[-1]
    start = np.flatnonzero(tibia.any(axis=(0, 2)))[0]
    femur[:, : max(int(end - 45 / row_mm), 0)] = False
    # The spines rise about 8 mm above the plateau: it and its broadest part lie within 18 mm of their tips.
    tibia[:, int(start + 18 / row_mm) :] = False
    return femur, tibia


def lateral_half(exam: PhantomExam, femur: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which sagittal slices lie on the lateral side of the femur's middle, ``(S, 1, 1)``."""
    grid, slices = exam.grids[Plane.SAGITTAL], np.arange(femur.shape[0])
    middle = np.average(slices, weights=femur.sum(axis=(1, 2)))
    towards_left = (slices - middle) * grid.slice_direction[0] > 0
    return (towards_left if exam.side is Side.LEFT else ~towards_left)[:, None, None]


def joint_slice(exam: PhantomExam, femur: NDArray[np.bool_], tibia: NDArray[np.bool_]) -> int:
    """Axial slice nearest the middle between the femur's lowest and the tibia's highest point."""
    grid, axial = exam.grids[Plane.SAGITTAL], exam.grids[Plane.AXIAL]
    rows = np.flatnonzero(femur.any(axis=(0, 2)))[-1], np.flatnonzero(tibia.any(axis=(0, 2)))[0]
    middle = [(size - 1) / 2 for size in grid.shape]
    height = grid.point((middle[0], np.mean(rows), middle[2]))[2]
    centre = [(size - 1) / 2 for size in axial.shape[1:]]
    heights = np.array([axial.point((k, *centre))[2] for k in range(axial.shape[0])])
    return int(np.abs(heights - height).argmin())


def leg(series: Series, number: int) -> dict[str, float]:
    """Width, depth and cross-section of the leg on one axial slice, by its outline."""
    pixels = np.asarray(series.pixels, np.float32)
    bright = ndimage.gaussian_filter(pixels[number], SMOOTH) > LEVEL * np.percentile(pixels, 99)
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(bright, iterations=3))
    # Opened by some millimetres, so that ghosts of vessels beside the leg do not count.
    pieces, _ = ndimage.label(ndimage.binary_opening(filled, iterations=round(OPENED / series.row_spacing)))
    whole = pieces == np.bincount(pieces[pieces > 0]).argmax()
    rows, columns = spacing(series)
    return {
        "leg at the joint line, width": extent(whole[None], (rows, columns), 1),
        "leg at the joint line, depth": extent(whole[None], (rows, columns), 0),
        "leg at the joint line, cross-section": float(whole.sum()) * rows * columns / 100,
    }


def extent(mask: NDArray[np.bool_], step: tuple[float, float], axis: int) -> float:
    """Greatest extent in one slice along rows (0) or columns (1), mm."""
    longest_found = 0
    for one in mask:
        hit = np.flatnonzero(one.any(axis=1 - axis))
        longest_found = max(longest_found, int(hit[-1] - hit[0] + 1) if hit.size else 0)
    return longest_found * step[axis]


def longest(mask: NDArray[np.bool_], step: tuple[float, float]) -> float:
    """Greatest distance between two points of a mask, mm."""
    points = np.argwhere(mask) * np.asarray(step)
    if len(points) < 3:
        return 0.0
    with suppress(QhullError):  # all on one line: the points themselves will do
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())


if __name__ == "__main__":
    main()
