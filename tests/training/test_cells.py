import numpy as np
import pytest
import torch

from mrnet_core.config import TrunkConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import DatasetError, Plane, Split
from mrnet_core.training.cells import cell_weights, load_cells, sampler, slice_labels, slice_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cells(plain_folder):
    return load_cells(MRNetFolder.open(plain_folder), Split.TRAIN, tuple(Plane), CPU)


def test_lesions_and_intact_structures_are_drawn_in_the_shares_asked_for(cells):
    config = TrunkConfig(lesion_share=0.4, intact_share=0.35)
    drawn = sampler(cells, config)
    shown = np.concatenate([one.amax(dim=(2, 3)).numpy() for one in cells.cells]).astype(bool)
    lesion = shown[:, cells.lesion_channels].any(axis=1)
    # Slices with the ACL or meniscus intact are drawn again in their own share, so at least this much are lesions.
    assert drawn.probability.sum() == pytest.approx(1.0)
    assert 0.38 < drawn.probability[lesion].sum() < 0.8
    assert drawn.probability[lesion].mean() > 2 * drawn.probability[~lesion].mean()


def test_the_same_generator_draws_the_same_slices(cells):
    drawn = sampler(cells, TrunkConfig())
    first, second = (drawn.draw(np.random.default_rng([1, 5]), 16) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert (np.diff(first[0]) >= 0).all()


def test_a_slice_is_abnormal_when_any_cell_of_it_holds_a_lesion_or_a_look_alike(cells):
    one = torch.zeros(4, len(cells.channels), 7, 7, dtype=torch.uint8)
    one[0, cells.channels.index("acl tear"), 3, 3] = 1
    one[1, cells.channels.index("hard negative meniscus"), 0, 0] = 1
    one[2, cells.channels.index("bone")] = 1
    assert slice_labels(one, cells.channels).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_rare_cells_weigh_more_than_common_ones_within_limits(cells):
    drawn = sampler(cells, TrunkConfig())
    weights = dict(zip(cells.channels, cell_weights(cells, drawn).tolist(), strict=True))
    assert weights["acl tear"] == 15.0
    assert 1.0 <= weights["bone"] < 2.0
    assert (slice_weights(cells, drawn) > 0.1).all()


def test_labels_that_do_not_fit_their_series_are_refused(write_folder, tmp_path):
    root = write_folder(tmp_path, {Split.TRAIN: 8, Split.TUNING: 8})
    np.savez(root / "cells" / "axial" / "0002.npz", cells=np.zeros((4, 13, 7, 7), np.uint8))
    with pytest.raises(DatasetError, match=r"0002\.npz holds \(4, 13, 7, 7\); .* call for \(3, 13, 7, 7\)"):
        load_cells(MRNetFolder.open(root), Split.TRAIN, (Plane.AXIAL,), CPU)


def test_a_folder_without_dense_labels_says_where_they_come_from(write_folder, tmp_path):
    root = write_folder(tmp_path, {Split.TRAIN: 8, Split.TUNING: 8})
    (root / "cells" / "channels.json").unlink()
    with pytest.raises(DatasetError, match="dense labels come with `phantom OUT --mrnet`"):
        load_cells(MRNetFolder.open(root), Split.TRAIN, (Plane.AXIAL,), CPU)
