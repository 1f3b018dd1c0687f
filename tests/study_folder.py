"""A folder in MRNet-v1.0's layout that can be checked and counted, and is too small to train on."""

from pathlib import Path

import numpy as np

from mrnet_core.domain import Plane, Split, Task


def write_data(root: Path, *, training: int = 8, slices: int = 4, first_label: int = 0) -> Path:
    """``training`` and four tuning exams of ``slices`` slices in every plane, without validation exams."""
    number = 0
    for split, count in ((Split.TRAIN, training), (Split.TUNING, 4)):
        exams = [f"{number + index:04d}" for index in range(count)]
        number += count
        for plane in Plane:
            (root / split.folder / plane).mkdir(parents=True)
            for exam in exams:
                np.save(root / split.folder / plane / f"{exam}.npy", np.zeros((slices, 256, 256), np.uint8))
        for task in Task:
            rows = [f"{exam},{(index + first_label) % 2}\n" for index, exam in enumerate(exams)]
            (root / f"{split.folder}-{task}.csv").write_text("".join(rows))
    return root
