"""A folder in MRNet-v1.0's layout, with dense labels, that is small and plain enough to learn in seconds."""

import json
from pathlib import Path

import numpy as np

from mrnet_core.domain import Plane, Split, Task

CENTRES = 31 + 32 * np.arange(7)
CHANNELS = (
    *("acl tear", "meniscal tear", "other lesion", "hard negative acl", "hard negative meniscus"),
    *("acl", "medial meniscus", "lateral meniscus", "pcl", "cartilage", "fluid", "patella", "bone"),
)
PLACES = {"acl tear": (3, 3), "meniscal tear": (4, 2), "other lesion": (2, 5)}
"""Cell (row, column) that each kind of lesion lies in."""
COUNTS = {Split.TRAIN: 24, Split.TUNING: 12, Split.VALIDATION: 12}


def write_folder(root: Path, counts=None, *, slices: int = 3, seed: int = 0, size: int = 36) -> Path:
    """Grey noise with a grey knee; a lesion is a bright square of ``size`` pixels on one slice, shaped by its kind."""
    generator = np.random.default_rng(seed)
    number = 0
    for split, count in (counts or COUNTS).items():
        rows = {task: [] for task in Task}
        for index in range(count):
            exam = f"{number:04d}"
            number += 1
            # Four kinds in turn: normal, ACL, meniscus, other; every second ACL tear comes with a meniscal one.
            kinds = {0: (), 1: ("acl tear",), 2: ("meniscal tear",), 3: ("other lesion",)}[index % 4]
            if index % 8 == 5:
                kinds = ("acl tear", "meniscal tear")
            for plane in Plane:
                pixels, cells = _series(generator, kinds, slices, size)
                _save(root / split.folder / plane.value / f"{exam}.npy", pixels)
                target = root / "cells" / plane.value / f"{exam}.npz"
                target.parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(target, cells=cells)
            rows[Task.ABNORMAL].append((exam, int(bool(kinds))))
            rows[Task.ACL].append((exam, int("acl tear" in kinds)))
            rows[Task.MENISCUS].append((exam, int("meniscal tear" in kinds)))
        for task, labels in rows.items():
            text = "".join(f"{exam},{label}\n" for exam, label in labels)
            (root / f"{split.folder}-{task}.csv").write_text(text)
    (root / "cells" / "channels.json").write_text(json.dumps(CHANNELS))
    (root / "cohort.json").write_text('{"synthetic": true}')
    return root


def _series(generator, kinds, slices, size):
    grid = np.hypot(*(np.indices((256, 256)) - 128))
    pixels = generator.normal(40, 8, (slices, 256, 256)) + np.where(grid < 105, 60, 0)
    cells = np.zeros((slices, len(CHANNELS), 7, 7), np.uint8)
    cells[:, CHANNELS.index("acl"), 3, 3] = 1
    cells[:, CHANNELS.index("medial meniscus"), 4, 2] = 1
    cells[:, CHANNELS.index("bone"), 1:6, 1:6] = 1
    for kind in kinds:
        k = int(generator.integers(slices))
        row, column = PLACES[kind]
        top = CENTRES[row] - size // 2 + int(generator.integers(-4, 5))
        left = CENTRES[column] - size // 2 + int(generator.integers(-4, 5))
        patch = pixels[k, top : top + size, left : left + size]
        stripes = (np.indices(patch.shape)[{"acl tear": 0, "meniscal tear": 1, "other lesion": 0}[kind]] // 6) % 2
        patch += 120 if kind == "other lesion" else 150 * stripes
        cells[k, CHANNELS.index(kind), row, column] = 1
    return np.clip(pixels, 0, 255).astype(np.uint8), cells


def _save(path: Path, pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels)
