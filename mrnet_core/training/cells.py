"""Slices of the digital knee with dense labels, drawn so that lesions and the same structures intact are seen often.

Sampling decides what a trunk learns: drawn evenly it learns anatomy and stays blind to tears (LOG.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrnet_core.config import TrunkConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import DatasetError, Plane, Split, Task
from mrnet_core.training.data import PlaneSet, load_set, mean_and_sd

LESIONS = ("acl tear", "meniscal tear", "other lesion")
"""Channels whose presence the slice-level loss asks for."""
INTACT = {"acl tear": ("acl",), "meniscal tear": ("medial meniscus", "lateral meniscus")}
"""Where a tear would be: slices that show these without it are the hard ones."""
HARD = "hard negative"
"""How the channels of look-alikes begin: degeneration, old surgery, sprain."""
LESION_DRAWS = {"acl tear": 0.30, "meniscal tear": 0.42, "other lesion": 0.28}
"""How the lesion share is divided: the smallest lesions need the most pictures."""
INTACT_DRAWS = {"acl tear": 0.3, "meniscal tear": 0.4, HARD: 0.3}


@dataclass(frozen=True)
class CellSet:
    """Every slice of one split, all planes.

    ``sets``: the series by plane; ``cells``: by plane ``(slices, C, 7, 7)`` uint8; ``channels``: their names.
    """

    sets: tuple[PlaneSet, ...]
    cells: tuple[Tensor, ...]
    channels: tuple[str, ...]

    @property
    def lesion_channels(self) -> list[int]:
        """Indices of ``LESIONS`` among the channels."""
        return [self.channels.index(name) for name in LESIONS]


@dataclass(frozen=True)
class Sampler:
    """Which slices to draw: ``plane`` and ``slice`` of every candidate with its probability."""

    plane: NDArray[np.int64]
    slice: NDArray[np.int64]
    probability: NDArray[np.float64]

    def draw(self, generator: np.random.Generator, count: int) -> tuple[NDArray, NDArray]:
        """``count`` candidates: their planes (indices into the sets) and slices, sorted by plane."""
        index = np.sort(generator.choice(len(self.probability), count, p=self.probability))
        return self.plane[index], self.slice[index]


def load_cells(folder: MRNetFolder, split: Split, planes: Sequence[Plane], device: torch.device) -> CellSet:
    """Series and dense labels of one split.

    Raises
    ------
    DatasetError
        The folder has no dense labels, lacks a lesion channel, or a file does not fit its series.
    """
    channels = folder.channels()
    lacking = [name for name in LESIONS if name not in channels]
    if lacking:
        raise DatasetError(f"the dense labels of {folder.root} lack {', '.join(lacking)}; they have {channels}")
    sets, cells = [], []
    for plane in planes:
        one = load_set(folder, split, plane, device)
        pieces = []
        for index, exam in enumerate(one.exams):
            slices = one.starts[index + 1] - one.starts[index]
            pieces.append(torch.from_numpy(folder.cells(split, plane, exam, (slices, len(channels)))))
        sets.append(one)
        cells.append(torch.cat(pieces).to(device))
    return CellSet(tuple(sets), tuple(cells), channels)


def sampler(data: CellSet, config: TrunkConfig) -> Sampler:
    """Probabilities of every slice: lesions, the same structures intact, the rest."""
    shown = np.concatenate([(cells.amax(dim=(2, 3)) > 0).cpu().numpy() for cells in data.cells])  # (slices, C)
    column = {name: shown[:, index] for index, name in enumerate(data.channels)}
    hard = np.any([column[name] for name in data.channels if name.startswith(HARD)], axis=0) | np.zeros(
        len(shown), bool
    )
    groups: list[tuple[float, NDArray[np.bool_]]] = []
    for name, share in LESION_DRAWS.items():
        groups.append((config.lesion_share * share, column[name]))
    for name, share in INTACT_DRAWS.items():
        if name == HARD:
            groups.append((config.intact_share * share, hard))
        else:
            place = _any([column[where] for where in INTACT[name] if where in column], len(shown))
            groups.append((config.intact_share * share, place & ~column[name]))
    taken = _any([members for _, members in groups], len(shown))
    groups.append((1 - config.lesion_share - config.intact_share, ~taken))
    probability = np.zeros(len(shown))
    for share, members in groups:
        if members.any():
            probability[members] += share / members.sum()
    sizes = [len(cells) for cells in data.cells]
    return Sampler(
        np.repeat(np.arange(len(sizes)), sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        probability / probability.sum(),
    )


def cell_weights(data: CellSet, drawn: Sampler, most: float = 15.0) -> Tensor:
    """Weights of a positive cell by channel ``(C,)``: negatives over positives as they are drawn.

    At most ``most`` for lesions; the square root of it for structures, which are plentiful.
    """
    share = _drawn_share([cells.float().mean(dim=(2, 3)) for cells in data.cells], drawn)
    weights = np.clip((1 - share) / share, 1.0, 2 * most)
    lesion = np.array([name in LESIONS or name.startswith(HARD) for name in data.channels])
    return torch.from_numpy(np.where(lesion, np.minimum(weights, most), np.sqrt(weights))).float()


def slice_labels(cells: Tensor, channels: Sequence[str]) -> Tensor:
    """What each slice shows of the three tasks, ``(slices, 3)`` float32 in the order of ``Task``.

    Abnormal: a cell of any lesion, look-alikes included, as in the exam's own label.
    """
    shown = cells.amax(dim=(2, 3)).float()
    anything = [index for index, name in enumerate(channels) if name in LESIONS or name.startswith(HARD)]
    columns = {
        Task.ABNORMAL: shown[:, anything].amax(dim=1),
        Task.ACL: shown[:, channels.index("acl tear")],
        Task.MENISCUS: shown[:, channels.index("meniscal tear")],
    }
    return torch.stack([columns[task] for task in Task], dim=1)


def slice_weights(data: CellSet, drawn: Sampler) -> Tensor:
    """Weights of a positive slice by task ``(3,)``: negatives over positives as they are drawn."""
    share = _drawn_share([slice_labels(cells, data.channels) for cells in data.cells], drawn)
    return torch.from_numpy(np.clip((1 - share) / share, 0.2, 20.0)).float()


def brightness(data: CellSet) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each plane's pictures, ``(planes,)`` each."""
    values = [mean_and_sd(one) for one in data.sets]
    return torch.tensor([mean for mean, _ in values]), torch.tensor([sd for _, sd in values])


def _any(columns: Sequence[NDArray], length: int) -> NDArray[np.bool_]:
    result = np.zeros(length, bool)
    for column in columns:
        result |= column.astype(bool)
    return result


def _drawn_share(parts: Sequence[Tensor], drawn: Sampler) -> NDArray[np.float64]:
    share = drawn.probability @ np.concatenate([part.cpu().numpy() for part in parts])
    return np.clip(share, 1e-6, 1 - 1e-6)
