"""MR signal of a tissue by the spin-echo equation, for the paper's three sequences.

``S = PD (1 - exp(-TR/T1)) exp(-TE/T2)``; fat suppression leaves a fraction of the fat's signal. Tissue values are set by
eye for 1.5 T so that contrasts look like a knee's; they are no measurement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrnet_core.domain import Plane
from mrnet_core.phantom.anatomy import Tissue


@dataclass(frozen=True)
class Sequence:
    """A spin-echo sequence: times in ms; ``scan_options`` and the rest as DICOM writes them."""

    name: str
    repetition_time: float
    echo_time: float
    fat_suppressed: bool


SEQUENCES = {
    Plane.SAGITTAL: Sequence("T2 FS", 3800.0, 58.0, True),
    Plane.CORONAL: Sequence("T1", 620.0, 13.0, False),
    Plane.AXIAL: Sequence("PD FS", 3500.0, 28.0, True),
}
"""The paper's sequences (Bien et al. 2018, Methods, "Dataset") with times usual for them."""

_VALUES = {
    # tissue: proton density, T1 (ms), T2 (ms), share that is fat
    Tissue.AIR: (0.0, 1000, 50, 0.0),
    Tissue.SKIN: (0.55, 900, 30, 0.2),
    Tissue.FAT: (0.95, 310, 75, 1.0),
    Tissue.MUSCLE: (0.72, 1050, 38, 0.03),
    Tissue.CORTEX: (0.10, 900, 2, 0.0),
    Tissue.MARROW: (0.85, 330, 62, 0.93),
    Tissue.CARTILAGE: (0.74, 1080, 42, 0.0),
    Tissue.MENISCUS: (0.45, 900, 9, 0.0),
    Tissue.LIGAMENT: (0.42, 800, 8, 0.0),
    Tissue.ACL: (0.55, 900, 20, 0.1),
    Tissue.FLUID: (1.0, 2900, 650, 0.0),
    Tissue.VESSEL: (0.35, 1400, 60, 0.0),
    Tissue.TORN_ACL: (0.92, 1500, 110, 0.05),
    Tissue.TEAR: (0.92, 1700, 180, 0.0),
    Tissue.OEDEMA: (0.92, 1300, 100, 0.35),
    Tissue.SYNOVIUM: (0.75, 700, 60, 0.6),
}


def signal(sequence: Sequence, suppression: float) -> NDArray[np.float32]:
    """Signal of every tissue, indexed by ``Tissue``, relative to a proton density of 1.

    ``suppression``: share of the fat's signal that fat suppression removes, 0 to 1.
    """
    table = np.zeros(len(Tissue), np.float32)
    for tissue, (density, t1, t2, fat) in _VALUES.items():
        water = density * (1 - np.exp(-sequence.repetition_time / t1)) * np.exp(-sequence.echo_time / t2)
        left = 1 - fat * suppression if sequence.fat_suppressed else 1.0
        table[tissue] = water * left
    return table
