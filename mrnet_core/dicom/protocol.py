"""What kind of picture a series is, and how near it comes to the paper's protocol for its plane.

Bien et al. 2018, Methods: sagittal T2 fat-suppressed, coronal T1, axial proton density fat-suppressed. Weighting is
read from repetition and echo time, from the pulse sequence and, where those are missing, from the description; fat
suppression from ScanOptions, from what an Enhanced file says, and from the description. Times are ms.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from mrnet_core.dicom.frame import Frame
from mrnet_core.dicom.words import plain_words
from mrnet_core.domain import Plane

SHORT_TR = 1000.0
"""Spin echo below this repetition time is T1-weighted."""
LONG_TE = 45.0
"""Spin echo of long TR from this echo time on is T2-weighted (the paper's "T2" goes down to about 50 ms)."""
STIR_TI = (80.0, 260.0)
"""Inversion times that null fat at 0.3 to 3 T."""
WHOLE_SCORE = 100.0


class Weighting(StrEnum):
    """Contrast of a series; the values are words for people."""

    T1 = "T1-weighted"
    PD = "PD-weighted"
    T2 = "T2-weighted"
    STIR = "STIR"
    GRADIENT = "gradient echo"
    UNKNOWN = "of unknown weighting"


@dataclass(frozen=True)
class Sequence:
    """Contrast and fat suppression of a series, with the times they were read from."""

    weighting: Weighting
    fat_suppressed: bool
    repetition_time: float | None
    echo_time: float | None

    @property
    def words(self) -> str:
        """For example ``PD-weighted, fat-suppressed (TR 3850, TE 17 ms)``."""
        kind = str(self.weighting)
        if self.fat_suppressed and self.weighting is not Weighting.STIR:
            kind += ", fat-suppressed"
        times = [f"{name} {value:g}" for name, value in (("TR", self.repetition_time), ("TE", self.echo_time)) if value]
        return kind + (f" ({', '.join(times)} ms)" if times else "")


TARGET = {Plane.SAGITTAL: (Weighting.T2, True), Plane.CORONAL: (Weighting.T1, False), Plane.AXIAL: (Weighting.PD, True)}
"""The paper's weighting and fat suppression in each plane."""
_WEIGHTING_COST = {
    Weighting.T2: {"T2": 0, "STIR": 8, "PD": 25, "GRADIENT": 50, "T1": 60, "UNKNOWN": 40},
    Weighting.T1: {"T1": 0, "PD": 30, "T2": 50, "GRADIENT": 45, "STIR": 55, "UNKNOWN": 40},
    Weighting.PD: {"PD": 0, "T2": 15, "STIR": 22, "GRADIENT": 45, "T1": 50, "UNKNOWN": 40},
}
_FAT_COST = 20
"""Fat is bright where the model saw it dark, or the other way round."""
_WORDS = (
    (Weighting.STIR, r"\b(?:STIR|TIRM|\w*TIRM\w*)\b"),
    (Weighting.GRADIENT, r"\b(?:GRE|FFE|MEDIC|MERGE|DESS|SPGR|FLASH|T2 STAR|T2S|FISP|FL2D|FL3D|MFFE|MPGR|SWI)\b"),
    (Weighting.PD, r"(?:\bPD|\bDP\b|\bDENSITE|\bPROTON|\bRHO\b)"),
    (Weighting.T2, r"T2"),
    (Weighting.T1, r"T1"),
)
"""Looked for in this order; a dual echo "PD/T2" counts as PD unless its times say otherwise."""
_FAT_OPTIONS = frozenset(("FS", "FATSAT", "FAT_SAT", "SPIR", "SPAIR", "WE", "FS_GEMS"))
_FAT_WORDS = re.compile(
    r"\b(?:FS|FATSAT|FAT SAT\w*|FAT SUP\w*|FATSUP\w*|FSAT|SPIR|SPAIR|STIR|TIRM|WATER|WE|WATS|PROSET|SUPP? GRAISSE)\b"
    r"|(?:PD|DP|T1|T2)W?FS\b"
)


def sequence_of(frame: Frame) -> Sequence:
    """Contrast and fat suppression of the series that a frame belongs to."""
    header = frame.header
    words = plain_words(f"{header.series_description} {header.protocol_name}")
    fat = _fat_suppressed(frame, words)
    weighting = _weighting_by_times(frame, words)
    if weighting is Weighting.STIR:
        fat = True
    return Sequence(weighting, fat, frame.repetition_time, frame.echo_time)


def protocol_score(plane: Plane, sequence: Sequence) -> float:
    """How near a sequence comes to the paper's in this plane: 100 is the paper's own, each difference costs."""
    weighting, fat = TARGET[plane]
    score = WHOLE_SCORE - _WEIGHTING_COST[weighting][sequence.weighting.name]
    return score - (_FAT_COST if sequence.fat_suppressed != fat else 0)


def stand_in_warning(plane: Plane, sequence: Sequence) -> str | None:
    """One sentence where the series is not what the model saw in this plane; None where it is."""
    weighting, fat = TARGET[plane]
    if sequence.weighting is weighting and sequence.fat_suppressed == fat:
        return None
    return (
        f"Stand-in: this series is {sequence.words}; the paper's networks saw {plane.paper_sequence} "
        f"in the {plane} plane, so their answer here is less certain."
    )


def _weighting_by_times(frame: Frame, words: str) -> Weighting:
    scanning = frame.header.scanning_sequence
    repetition, echo, inversion = frame.repetition_time, frame.echo_time, frame.inversion_time
    named = next((kind for kind, pattern in _WORDS if re.search(pattern, words)), Weighting.UNKNOWN)
    if named is Weighting.STIR or ("IR" in scanning and inversion and STIR_TI[0] <= inversion <= STIR_TI[1]):
        return Weighting.STIR
    if ("GR" in scanning or "EP" in scanning) and "SE" not in scanning:
        return Weighting.GRADIENT
    if named is Weighting.GRADIENT and "SE" not in scanning:
        return Weighting.GRADIENT
    if not repetition or echo is None:
        return named
    if repetition < SHORT_TR:
        return Weighting.T1
    return Weighting.T2 if echo >= LONG_TE else Weighting.PD


def _fat_suppressed(frame: Frame, words: str) -> bool:
    if frame.fat_suppressed is not None and frame.fat_suppressed:
        return True
    if _FAT_OPTIONS & set(frame.header.scan_options):
        return True
    tokens = set(frame.frame_type)
    if "WATER" in tokens or ("W" in tokens and "DIXON" in tokens):
        return True
    return bool(_FAT_WORDS.search(words))
