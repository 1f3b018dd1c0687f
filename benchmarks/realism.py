"""How near the synthetic knee comes to a real one: contrasts, noise, histograms, spectra; contact sheets.

    python -m benchmarks.realism [--exams 6] [--seed 77] [--sheets DIR]

The real exam is MRNET_TEST_EXAM (default ../shared/exams/knee-right-siemens-1.5t): PD FS in three planes and a sagittal
T1, Siemens, 1.5 T. Like is compared with like: the phantom's axial PD FS with the real axial PD FS, its coronal T1 with
the real sagittal T1 (the same contrast in another plane). The phantom's sagittal T2 FS has no counterpart: it is shown
beside the real sagittal PD FS, whose echo is shorter, with bands widened where physics asks for it; the real coronal
PD FS has none either. Exam and bands are one knee against a few: the bands say "looks alike", no more.
"""

import argparse
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mrnet_core.dicom import read_exam
from mrnet_core.domain import Plane, Series
from mrnet_core.phantom import PhantomExam, make_exam
from mrnet_core.phantom.acquisition_grid import knee_affine
from mrnet_core.phantom.anatomy import Knee, Tissue
from mrnet_core.phantom.exam import PlannedExam, _person
from mrnet_core.phantom.pathology_paint import SUB_SLICES, Painter
from mrnet_core.preprocess import Landmarks, fit_landmarks, resize_series, standardise

REAL = Path(os.environ.get("MRNET_TEST_EXAM", "../shared/exams/knee-right-siemens-1.5t"))


@dataclass(frozen=True)
class Box:
    """A rectangle of one tissue in the real exam, set by hand: 0-based slice, rows and columns (end excluded)."""

    tissue: str
    slice: int
    rows: tuple[int, int]
    columns: tuple[int, int]


SAGITTAL_BOXES = (
    # Standard orientation, 384 x 384: slice 0 is the lateral side of this right knee. Both sagittal series share them.
    Box("muscle", 7, (200, 240), (260, 290)),  # lateral gastrocnemius
    Box("muscle", 11, (205, 235), (285, 300)),  # gastrocnemius, nearer the middle
    Box("marrow", 7, (120, 150), (150, 190)),  # lateral condyle
    Box("marrow", 18, (130, 160), (140, 170)),  # medial condyle
    Box("fat", 12, (185, 198), (72, 90)),  # Hoffa's fat pad
    Box("fat", 7, (280, 310), (335, 345)),  # subcutaneous, behind
    Box("cartilage", 11, (138, 150), (102, 108)),  # trochlea
    Box("cartilage", 12, (106, 118), (84, 89)),  # patella
    Box("cartilage", 7, (196, 204), (234, 240)),  # posterior condyle
    Box("meniscus", 18, (218, 224), (141, 150)),  # medial, anterior horn
    Box("meniscus", 4, (219, 225), (157, 164)),  # lateral, anterior horn
    Box("ligament", 13, (188, 198), (206, 214)),  # posterior cruciate
    Box("acl", 12, (196, 204), (163, 173)),  # fibres and the fat and fluid between them
    Box("fluid", 7, (98, 115), (86, 91)),  # suprapatellar recess
    Box("fluid", 4, (210, 217), (229, 233)),  # behind the lateral meniscus
)
AXIAL_BOXES = (
    Box("muscle", 8, (285, 305), (190, 215)),  # gastrocnemius
    Box("muscle", 19, (300, 315), (160, 200)),
    Box("marrow", 8, (150, 220), (130, 200)),  # distal femur
    Box("marrow", 19, (140, 180), (150, 230)),
    Box("fat", 11, (110, 130), (160, 200)),  # Hoffa's fat pad
    Box("fat", 8, (265, 280), (290, 305)),  # subcutaneous, behind
    Box("cartilage", 19, (104, 108), (183, 195)),  # trochlea
    Box("cartilage", 22, (88, 94), (178, 188)),  # patella
    Box("ligament", 16, (200, 212), (199, 209)),  # posterior cruciate
    Box("fluid", 22, (91, 95), (216, 221)),  # recess beside the patella
    Box("fluid", 16, (220, 228), (168, 174)),  # notch
)
TISSUES = {
    "marrow": (Tissue.MARROW,),
    "fat": (Tissue.FAT,),
    "cartilage": (Tissue.CARTILAGE,),
    "meniscus": (Tissue.MEDIAL_MENISCUS, Tissue.LATERAL_MENISCUS),
    "ligament": (Tissue.PCL,),
    "acl": (Tissue.ACL,),
    "fluid": (Tissue.FLUID,),
}
"""Tissues of the phantom behind each row; every ratio is to muscle."""


@dataclass(frozen=True)
class Comparison:
    """One phantom plane beside one real series."""

    title: str
    plane: Plane
    real: str
    boxes: tuple[Box, ...]
    contrast_bands: dict[str, tuple[float, float]]
    bands: dict[str, tuple[float, float]]


COMPARISONS = (
    Comparison(
        "axial PD FS",
        Plane.AXIAL,
        "axial",
        AXIAL_BOXES,
        {
            "marrow": (0.10, 0.40),
            "fat": (0.10, 0.60),
            "cartilage": (0.8, 1.7),
            "ligament": (0.08, 0.55),
            "fluid": (2.4, 4.8),
        },
        {
            "noise / median": (0.015, 0.08),
            "histogram p25 / p50": (0.40, 0.85),
            "histogram p75 / p50": (1.2, 2.4),
            "histogram p95 / p50": (2.0, 4.5),
            "gradient p50": (0.05, 0.16),
            "gradient p75": (0.12, 0.34),
            "gradient p90": (0.28, 0.70),
            "spectrum .02-.1": (-2.9, -1.4),
            "spectrum .1-.25": (-3.7, -2.3),
            "histogram overlap": (0.60, 1.0),
        },
    ),
    Comparison(
        "T1 (phantom coronal, real sagittal)",
        Plane.CORONAL,
        "SAG T1",
        SAGITTAL_BOXES,
        {
            "marrow": (2.3, 3.8),
            "fat": (2.6, 4.6),
            "cartilage": (0.8, 1.5),
            "meniscus": (0.25, 0.65),
            "ligament": (0.25, 0.70),
            "acl": (0.5, 1.4),
            "fluid": (0.5, 1.2),
        },
        {
            "noise / median": (0.004, 0.03),
            "histogram p25 / p50": (0.35, 0.90),
            "histogram p75 / p50": (1.1, 1.9),
            "histogram p95 / p50": (1.3, 2.4),
            "gradient p50": (0.025, 0.09),
            "gradient p75": (0.07, 0.20),
            "gradient p90": (0.17, 0.40),
            "spectrum .02-.1": (-3.2, -1.8),
            "spectrum .1-.25": (-3.8, -2.4),
            "histogram overlap": (0.60, 1.0),
        },
    ),
    Comparison(
        "sagittal FS (phantom T2, real PD: no true counterpart)",
        Plane.SAGITTAL,
        "sagittal",
        SAGITTAL_BOXES,
        {
            "marrow": (0.10, 0.60),
            "fat": (0.15, 0.80),
            "cartilage": (0.8, 1.8),
            "meniscus": (0.05, 0.45),
            "ligament": (0.05, 0.45),
            "acl": (0.3, 1.9),
            "fluid": (2.6, 9.0),
        },
        {
            "noise / median": (0.015, 0.10),
            "histogram p25 / p50": (0.40, 0.85),
            "histogram p75 / p50": (1.2, 2.4),
            "histogram p95 / p50": (1.8, 4.5),
            "gradient p50": (0.04, 0.16),
            "gradient p75": (0.10, 0.34),
            "gradient p90": (0.22, 0.70),
            "spectrum .02-.1": (-2.9, -1.4),
            "spectrum .1-.25": (-3.7, -2.3),
            "histogram overlap": (0.50, 1.0),
        },
    ),
)


def real_series(name: str) -> Series:
    """A series of the real exam in the standard orientation: by plane, or an alternative by its description."""
    exam = read_exam([REAL])
    found = {plane.value: series for plane, series in exam.series.items()}
    for others in exam.alternatives.values():
        found |= {series.description.strip(" ."): series for series in others}
    return found[name]


def box_contrasts(series: Series, boxes: tuple[Box, ...]) -> dict[str, tuple[float, ...]]:
    """Each box's median over the mean of the muscle boxes' medians, by tissue."""
    medians: dict[str, list[float]] = {}
    for box in boxes:
        values = series.pixels[box.slice, slice(*box.rows), slice(*box.columns)]
        medians.setdefault(box.tissue, []).append(float(np.median(values)))
    muscle = float(np.mean(medians.pop("muscle")))
    return {tissue: tuple(value / muscle for value in values) for tissue, values in medians.items()}


def tissue_map(exam: PhantomExam, plane: Plane) -> NDArray[np.uint8]:
    """Tissue of every voxel whose samples across the slice agree, 255 elsewhere (partial volume)."""
    grid = exam.grids[plane]
    planned = PlannedExam(exam.k, exam.patient, exam.split, age=exam.age, sex=exam.sex)
    subject = _person(exam.seed, exam.k, "normal", planned)[3]
    knee = Knee(subject)
    painter = Painter(knee_affine(grid, subject, exam.side), knee, ())
    found = np.full(grid.shape, 255, np.uint8)
    steps = ((np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5) * grid.thickness / grid.spacing[0]
    for k in range(grid.shape[0]):
        tissue = painter.paint(np.array([k]), steps)[0].tissue.numpy()
        lowest, highest = tissue.min(axis=0), tissue.max(axis=0)
        found[k] = np.where(lowest == highest, lowest, 255)
    return found


def tissue_contrasts(exam: PhantomExam, plane: Plane) -> dict[str, float]:
    """Median of each tissue's pure voxels over the muscle's; edges are left out (of fluid all but the innermost)."""
    tissue, pixels = tissue_map(exam, plane), exam.series[plane].pixels
    cross = ndimage.generate_binary_structure(2, 1)[None]

    def typical(codes: tuple[Tissue, ...], times: int) -> float:
        inner = np.isin(tissue, codes)
        for _ in range(times):
            smaller = ndimage.binary_erosion(inner, cross)
            if smaller.sum() <= 40:
                break
            inner = smaller
        return float(np.median(pixels[inner]))

    muscle = typical((Tissue.MUSCLE,), 3)
    # Fluid: the real boxes lie in its pools, so its innermost voxels stand for them, not the film between cartilages.
    erosions = {"marrow": 4, "fat": 2, "fluid": 8}
    return {name: typical(codes, erosions.get(name, 1)) / muscle for name, codes in TISSUES.items()}


def picture_figures(series: Series) -> dict[str, float]:
    """Noise, foreground percentiles, gradients and spectrum of the middle half of the slices."""
    stack = resize_series(series)
    middle = stack[len(stack) // 4 : -(len(stack) // 4)]
    level = 0.1 * np.percentile(stack, 99)
    p25, p50, p75, p95 = np.percentile(middle[middle > level], [25, 50, 75, 95])
    body = np.stack([ndimage.binary_erosion(ndimage.binary_fill_holes(one > level), iterations=3) for one in middle])
    slope = np.stack([np.hypot(*np.gradient(one)) for one in middle])[body] / middle[middle > level].mean()
    g50, g75, g90 = np.percentile(slope, [50, 75, 90])
    return {
        "noise / median": noise_level(series) / p50,
        "histogram p25 / p50": p25 / p50,
        "histogram p75 / p50": p75 / p50,
        "histogram p95 / p50": p95 / p50,
        "gradient p50": g50,
        "gradient p75": g75,
        "gradient p90": g90,
        "spectrum .02-.1": spectrum_slope(middle, 0.02, 0.1),
        "spectrum .1-.25": spectrum_slope(middle, 0.1, 0.25),
    }


def noise_level(series: Series) -> float:
    """SD of the noise on the native matrix: a second difference (Immerkaer 1996) where the picture is flattest."""
    pixels = series.pixels.astype(np.float32)
    pixels = pixels[len(pixels) // 4 : -(len(pixels) // 4)]
    level = 0.1 * np.percentile(pixels, 99)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    second = np.stack([ndimage.convolve(one, kernel) for one in pixels])
    body = np.stack([ndimage.binary_erosion(ndimage.binary_fill_holes(one > level), iterations=6) for one in pixels])
    steep = np.stack([np.hypot(*np.gradient(ndimage.gaussian_filter(one, 2))) for one in pixels])
    flat = body & (steep < np.percentile(steep[body], 30))
    return float(1.4826 * np.median(np.abs(second[flat])))


def spectrum_slope(stack: NDArray[np.float32], low: float, high: float) -> float:
    """Slope of log power over log frequency (cycles a pixel of 256) between two frequencies, mean over slices."""
    size = stack.shape[1]
    taper = np.outer(np.hanning(size), np.hanning(size))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    power = np.mean([np.abs(np.fft.fft2((one - one.mean()) * taper)) ** 2 for one in stack], axis=0)
    edges = np.geomspace(low, high, 13)
    means = [power[(frequency >= a) & (frequency < b)].mean() for a, b in pairwise(edges)]
    return float(np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(means), 1)[0])


def overlap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Shared area of two foreground histograms (32 bins of 0 to 255), 0 to 1; background (under 10) left out."""
    bins = np.arange(8, 264, 8)
    shares = [np.histogram(stack[stack >= 10], bins)[0] / max((stack >= 10).sum(), 1) for stack in (one, other)]
    return float(np.minimum(*shares).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--exams", type=int, default=6, help="phantom exams measured: normal knees k = 0, 1, …")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="write contact sheets there")
    args = parser.parse_args()
    exams = [make_exam(args.seed, k, pathology="normal") for k in range(args.exams)]
    print(f"Phantom: {args.exams} normal knees of seed {args.seed} (median, range); real: one knee, Siemens 1.5 T.\n")
    print("| series | figure | real | phantom | band | in band |\n|---|---|---|---|---|---|")
    for comparison in COMPARISONS:
        print_comparison(comparison, exams)
    if args.sheets:
        write_sheets(exams[-1], args.sheets)


def print_comparison(comparison: Comparison, exams: list[PhantomExam]) -> None:
    """Rows of one series: contrasts, then the picture's figures, then the histogram after standardisation."""
    real, plane = real_series(comparison.real), comparison.plane
    contrasts = box_contrasts(real, comparison.boxes)
    phantom = [tissue_contrasts(exam, plane) for exam in exams]
    for tissue, band in comparison.contrast_bands.items():
        values = contrasts.get(tissue)
        shown = "–" if values is None else " / ".join(f"{value:.2f}" for value in values)
        print_row(comparison.title, f"{tissue} / muscle", shown, [one[tissue] for one in phantom], band)
    figures, real_figures = [picture_figures(exam.series[plane]) for exam in exams], picture_figures(real)
    landmarks = fit_landmarks(resize_series(exam.series[plane]) for exam in exams)
    shared = [standardised_overlap(real, exam.series[plane], landmarks) for exam in exams]
    for name, band in comparison.bands.items():
        if name == "histogram overlap":
            print_row(comparison.title, "standardised histogram, overlap", "1", shared, band)
        else:
            print_row(comparison.title, name, f"{real_figures[name]:.3f}", [one[name] for one in figures], band)


def standardised_overlap(real: Series, phantom: Series, landmarks: Landmarks) -> float:
    """Overlap of real and phantom histograms after both are standardised by the phantom's landmarks."""
    return overlap(*(standardise(resize_series(series), landmarks) for series in (real, phantom)))


def print_row(series: str, figure: str, real: str, values: list[float], band: tuple[float, float]) -> None:
    """One line of the table; the phantom's median decides whether it is in the band."""
    middle = float(np.median(values))
    inside = "yes" if band[0] <= middle <= band[1] else "**no**"
    shown = f"{middle:.3f} ({min(values):.3f} to {max(values):.3f})"
    print(f"| {series} | {figure} | {real} | {shown} | {band[0]:g} to {band[1]:g} | {inside} |")


def write_sheets(exam: PhantomExam, folder: Path) -> None:
    """Six slices of the phantom above six of the real knee, one sheet a comparison, at true proportions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for comparison in COMPARISONS:
        figure, axes = plt.subplots(2, 6, figsize=(18, 6.6))
        pair = ((exam.series[comparison.plane], "phantom"), (real_series(comparison.real), "real"))
        for row, (series, name) in zip(axes, pair, strict=True):
            chosen = np.linspace(0.2, 0.8, 6) * (series.slices - 1)
            foreground = series.pixels[series.pixels > 0.1 * np.percentile(series.pixels, 99)]
            white = float(np.percentile(foreground, 97.5))
            for axis, k in zip(row, chosen.round().astype(int), strict=True):
                aspect = series.row_spacing / series.column_spacing
                axis.imshow(series.pixels[k], cmap="gray", vmin=0, vmax=white, aspect=aspect)
                axis.set_title(f"{name} {series.description.strip(' .')}, slice {k}", fontsize=8)
                axis.axis("off")
        figure.tight_layout(pad=0.4)
        figure.savefig(folder / f"realism-{comparison.plane}.png", dpi=80)
        plt.close(figure)


if __name__ == "__main__":
    main()
