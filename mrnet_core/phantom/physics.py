"""MR signal of a tissue by the spin-echo equation, at 1.5 or 3 T, water and fat apart.

``S = PD (1 - exp(-TR/T1)) exp(-TE/T2)`` for each of water and fat; fat suppression leaves a share of the fat's signal,
and chemical shift displaces it. Values are set for a knee's contrasts at 1.5 T beside a real exam, inside what is
published where a source is named, else by eye; they are no measurement of this project's.

- Gold et al. 2004, AJR 183:343 (knees at 1.5 and 3 T): muscle T2 35 ms, cartilage T1 1060 and T2 42 ms, joint fluid T1
  2850 ms and T2 1210 ms at 1.5 T, 767 ms at 3 T.
- Pai et al. 2008, Magn Reson Imaging 26:1215 (3 T): muscle T2 34 +- 7 ms over the ways of measuring it.
- Stanisz et al. 2005, Magn Reson Med 54:507 (1.5 T): muscle T1 1008 ms.
- Rauscher et al. 2008, Radiology 249:591 (3 T): healthy meniscus T2 11 +- 4 ms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Plane
from mrnet_core.phantom.anatomy_space import Tissue


@dataclass(frozen=True)
class Sequence:
    """A spin-echo sequence: times in ms."""

    name: str
    repetition_time: float
    echo_time: float
    fat_suppressed: bool


SEQUENCES = {
    Plane.SAGITTAL: Sequence("T2 FS", 3800.0, 58.0, True),
    Plane.CORONAL: Sequence("T1", 620.0, 13.0, False),
    Plane.AXIAL: Sequence("PD FS", 4300.0, 38.0, True),
}
"""The paper's sequences (Bien et al. 2018, Methods, "Dataset") with times usual for them.

The axial one is weighted between PD and T2, as fat-suppressed knee protocols are (the real exam's: 4570 and 33 ms): the
long repetition lets fluid recover and the echo takes muscle down.
"""
PROTON_DENSITY = Sequence("PD", 2600.0, 24.0, False)
"""Sagittal proton density without fat suppression: the external study's sequence (Stajduhar et al. 2017)."""
T1_AT_3_TESLA, T2_AT_3_TESLA = 1.18, 0.92
"""Relaxation times at 3 T over those at 1.5 T, roughly."""
FAT_T1, FAT_T2 = 300.0, 78.0
_FAT_T1_AT_3_TESLA = 1.12

_VALUES = {
    # tissue: proton density, T1 (ms), T2 (ms), share of it that is fat
    Tissue.AIR: (0.0, 1000, 50, 0.0),
    Tissue.SKIN: (0.62, 800, 34, 0.15),
    Tissue.FAT: (0.97, 700, 60, 0.97),
    Tissue.MUSCLE: (0.77, 1010, 34, 0.02),
    Tissue.CORTEX: (0.06, 900, 2, 0.0),
    Tissue.MARROW: (0.84, 700, 55, 0.955),
    Tissue.CARTILAGE: (0.80, 1020, 42, 0.0),
    Tissue.MEDIAL_MENISCUS: (0.50, 900, 14, 0.0),
    Tissue.LATERAL_MENISCUS: (0.50, 900, 14, 0.0),
    Tissue.LIGAMENT: (0.42, 800, 9, 0.0),
    Tissue.TENDON: (0.38, 800, 8, 0.0),
    # Bundles of a T2 as short as the PCL's, and between them fluid and fat, finer than a voxel.
    Tissue.ACL: (0.58, 850, 28, 0.06),
    Tissue.PCL: (0.48, 850, 16, 0.0),
    Tissue.FLUID: (1.0, 2900, 900, 0.0),
    Tissue.SYNOVIUM: (0.80, 850, 52, 0.5),
    Tissue.FASCIA: (0.50, 850, 18, 0.25),
    Tissue.ARTERY: (0.16, 1300, 60, 0.0),
    Tissue.VEIN: (0.80, 1500, 85, 0.0),
    Tissue.NERVE: (0.75, 950, 62, 0.2),
    Tissue.KNEECAP_CORTEX: (0.06, 900, 2, 0.0),
    Tissue.KNEECAP_MARROW: (0.84, 700, 55, 0.95),
    Tissue.RED_MARROW: (0.84, 900, 50, 0.72),
    Tissue.SCLEROSIS: (0.60, 800, 25, 0.75),
    Tissue.OEDEMA: (0.90, 1250, 90, 0.42),
    Tissue.CONTUSION: (0.92, 1200, 88, 0.30),
    Tissue.TORN_FIBRES: (0.88, 1250, 88, 0.0),
    Tissue.MUCOID: (0.76, 1050, 52, 0.0),
    Tissue.TEAR: (0.93, 1500, 140, 0.0),
    Tissue.DEGENERATION: (0.66, 1050, 42, 0.0),
    Tissue.SOFT_OEDEMA: (0.88, 1250, 72, 0.3),
    Tissue.SCAR: (0.58, 850, 24, 0.1),
    Tissue.GANGLION: (0.94, 2500, 320, 0.0),
    Tissue.FILM: (0.90, 1500, 105, 0.1),
}


def signal(sequence: Sequence, field_tesla: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signals (water, fat) of every tissue before fat suppression, by ``Tissue``, for a proton density of 1.

    Parameters
    ----------
    sequence
        Times in ms.
    field_tesla
        1.5 or 3: longer T1 and shorter T2 at 3 T.
    """
    high = field_tesla > 2
    stretch1, stretch2 = (T1_AT_3_TESLA, T2_AT_3_TESLA) if high else (1.0, 1.0)
    fat_t1 = FAT_T1 * (_FAT_T1_AT_3_TESLA if high else 1.0)
    fat_unit = spin_echo(sequence, 1.0, fat_t1, FAT_T2)
    water, fat = np.zeros((2, len(Tissue)), np.float32)
    for tissue, (density, t1, t2, share) in _VALUES.items():
        water[tissue] = spin_echo(sequence, density * (1 - share), t1 * stretch1, t2 * stretch2)
        fat[tissue] = density * share * fat_unit
    return water, fat


def spin_echo(sequence: Sequence, density: float, t1: float, t2: float) -> float:
    """``PD (1 - exp(-TR/T1)) exp(-TE/T2)``; times in ms."""
    return density * (1 - np.exp(-sequence.repetition_time / t1)) * np.exp(-sequence.echo_time / t2)
