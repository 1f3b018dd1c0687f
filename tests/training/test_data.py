import numpy as np
import pytest
import torch

from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import Plane, Split, Task
from mrnet_core.training.data import class_weights, load_set, mean_and_sd, training_sets

CPU = torch.device("cpu")


def test_a_set_holds_every_series_as_uint8_with_its_labels(plain_folder):
    folder = MRNetFolder.open(plain_folder)
    data = load_set(folder, Split.TUNING, Plane.CORONAL, CPU)
    assert data.pictures.dtype == torch.uint8
    for index, exam in enumerate(data.exams):
        expected = np.load(plain_folder / "valid" / "coronal" / f"{exam}.npy")
        assert np.array_equal(data.stack(index).numpy(), expected)
    assert data.label(Task.ACL).tolist() == folder.labels[Split.TUNING, Task.ACL].tolist()


def test_the_hash_of_the_data_changes_with_a_pixel_and_with_a_label_of_its_tasks(write_folder, tmp_path):
    root = write_folder(tmp_path, {Split.TRAIN: 8, Split.TUNING: 8})

    def hashes():
        data = load_set(MRNetFolder.open(root), Split.TRAIN, Plane.AXIAL, CPU)
        return [data.data_hash(tasks) for tasks in ((Task.ACL,), (Task.MENISCUS,), tuple(Task))]

    found = [hashes(), hashes()]
    path = root / "train" / "axial" / "0003.npy"
    pixels = np.load(path)
    pixels[1, 2, 3] ^= 1
    np.save(path, pixels)
    found.append(hashes())
    labels = root / "train-acl.csv"
    labels.write_text(labels.read_text().replace("0003,0", "0003,1"))
    found.append(hashes())
    assert found[0] == found[1]
    acl, meniscus, every = (len({*one}) for one in zip(*found, strict=True))
    assert (acl, meniscus, every) == (3, 2, 3)


def test_a_task_has_one_hash_of_its_data_whichever_others_are_read(plain_folder):
    sets = [
        load_set(MRNetFolder.open(plain_folder, tasks=tasks), Split.TRAIN, Plane.AXIAL, CPU)
        for tasks in ((Task.ACL,), tuple(Task))
    ]
    assert sets[0].data_hash((Task.ACL,)) == sets[1].data_hash((Task.ACL,))


def test_mean_and_deviation_are_those_of_the_pixels(plain_folder):
    data = load_set(MRNetFolder.open(plain_folder), Split.TRAIN, Plane.SAGITTAL, CPU)
    pixels = data.pictures.numpy()[:, ::8].astype(np.float64)
    assert mean_and_sd(data) == pytest.approx((pixels.mean(), pixels.std()), rel=1e-9)


def test_weights_are_inverse_to_prevalence_and_one_on_average():
    labels = torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    negative, positive = class_weights(labels)
    assert positive / negative == pytest.approx(0.8 / 0.2)
    assert 0.2 * positive + 0.8 * negative == pytest.approx(1.0)


def test_an_inner_split_divides_the_training_exams_alike_in_every_plane(plain_folder):
    folder = MRNetFolder.open(plain_folder)
    parts = [training_sets(folder, plane, CPU, 0.25) for plane in Plane]
    for training, chosen in parts:
        assert set(training.exams) | set(chosen.exams) == set(folder.exams[Split.TRAIN])
        assert not set(training.exams) & set(chosen.exams)
        assert (training.exams, chosen.exams) == (parts[0][0].exams, parts[0][1].exams)
    data = load_set(folder, Split.TRAIN, Plane.AXIAL, CPU)
    position = data.exams.index(parts[2][1].exams[0])
    assert torch.equal(parts[2][1].stack(0), data.stack(position))
