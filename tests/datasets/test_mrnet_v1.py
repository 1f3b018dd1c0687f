import time

import numpy as np
import pytest

from mrnet_core.datasets.mrnet_v1 import MRNetFolder, read_labels
from mrnet_core.domain import DatasetError, Plane, Split, Task


@pytest.fixture
def folder(tmp_path):
    """Six training and four valid exams of five slices, as Stanford lays them out (no test split)."""
    generator = np.random.default_rng(5)
    number = 0
    for split, count in ((Split.TRAIN, 6), (Split.TUNING, 4)):
        exams = [f"{number + index:04d}" for index in range(count)]
        number += count
        for plane in Plane:
            place = tmp_path / split.folder / plane.value
            place.mkdir(parents=True)
            for exam in exams:
                np.save(place / f"{exam}.npy", generator.integers(0, 256, (5, 256, 256), np.uint8))
        for task in Task:
            rows = [f"{exam},{int(index % 2 == 0)}" for index, exam in enumerate(exams)]
            (tmp_path / f"{split.folder}-{task}.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def rewrite(folder, name, text):
    (folder / name).write_bytes(text.encode())


def test_exams_labels_and_series_come_out_in_the_order_of_the_ids(folder):
    found = MRNetFolder.open(folder)
    assert found.splits == (Split.TRAIN, Split.TUNING)
    assert found.exams[Split.TUNING] == ("0006", "0007", "0008", "0009")
    assert found.labels[Split.TRAIN, Task.ACL].tolist() == [1, 0, 1, 0, 1, 0]
    assert found.label_matrix(Split.TRAIN).shape == (6, 3)
    assert np.array_equal(
        found.series(Split.TRAIN, Plane.AXIAL, "0003"), np.load(folder / "train" / "axial" / "0003.npy")
    )
    assert not found.synthetic
    assert not found.has_cells


def test_carriage_returns_a_byte_order_mark_lost_zeros_and_a_missing_last_newline_are_read(folder):
    rewrite(folder, "train-acl.csv", "\ufeff0,1\r\n1,0\r\n2,1\r\n3,0\r\n4,1\r\n5,0")
    found = MRNetFolder.open(folder)
    assert found.exams[Split.TRAIN] == ("0000", "0001", "0002", "0003", "0004", "0005")
    assert found.labels[Split.TRAIN, Task.ACL].tolist() == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0000,1\n0001,2\n", "row 2 is '0001,2'"),
        ("0000,1\n0000,0\n", "names exam 0000 a second time"),
        ("0000,1\n0,0\n", "names exam 0000 a second time"),
        ("0000;1\n", "a row is an exam id, a comma and 0 or 1"),
        ("\n", "holds no label"),
    ],
)
def test_a_label_table_that_breaks_its_form_is_refused_by_row(folder, text, message):
    rewrite(folder, "train-acl.csv", text)
    with pytest.raises(DatasetError, match=message):
        read_labels(folder / "train-acl.csv")


def test_missing_and_extra_series_are_named_together(folder):
    (folder / "train" / "coronal" / "0002.npy").unlink()
    (folder / "valid" / "axial" / "9999.npy").write_bytes((folder / "valid" / "axial" / "0006.npy").read_bytes())
    with pytest.raises(DatasetError) as caught:
        MRNetFolder.open(folder)
    assert "train/coronal lacks labelled exams: 0002" in str(caught.value)
    assert "valid/axial holds exams without a label: 9999" in str(caught.value)


def test_a_plane_that_is_left_out_is_not_checked(folder):
    (folder / "train" / "coronal" / "0002.npy").unlink()
    assert MRNetFolder.open(folder, planes=(Plane.SAGITTAL,)).planes == (Plane.SAGITTAL,)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((5, 256, 255), np.uint8), r"uint8 \(5, 256, 255\)"),
        (np.zeros((5, 256, 256), np.float32), r"float32 \(5, 256, 256\)"),
        (np.zeros((1, 256, 256), np.uint8), r"uint8 \(1, 256, 256\)"),
        (np.zeros((256, 256), np.uint8), r"uint8 \(256, 256\)"),
    ],
)
def test_series_of_another_shape_or_type_are_refused_with_what_they_are(folder, pixels, words):
    np.save(folder / "train" / "sagittal" / "0001.npy", pixels)
    with pytest.raises(DatasetError, match=rf"0001 \({words}\)"):
        MRNetFolder.open(folder)


def test_a_file_that_is_cut_off_is_refused(folder):
    path = folder / "valid" / "axial" / "0007.npy"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DatasetError, match=r"0007 \(not a readable npy array\)"):
        MRNetFolder.open(folder)


def archive(path):
    with path.open("wb") as file:
        np.savez(file, pixels=np.zeros((5, 256, 256), np.uint8))


def archive_cut_off(path):
    archive(path)
    path.write_bytes(path.read_bytes()[:1000])


def header_damaged(path):
    path.write_bytes(path.read_bytes().replace(b"(5, 256, 256)", b"(5, 256, 256("))


@pytest.mark.parametrize("spoil", [archive, archive_cut_off, header_damaged])
def test_what_numpy_loads_as_no_array_or_not_at_all_is_refused_by_its_name(folder, spoil):
    found = MRNetFolder.open(folder)
    spoil(folder / "valid" / "axial" / "0007.npy")
    for look in (lambda: MRNetFolder.open(folder), found.check):
        with pytest.raises(DatasetError, match=r"valid/axial .* 0007 \(not a readable npy array\)"):
            look()
    with pytest.raises(DatasetError, match=r"0007\.npy cannot be read as an npy series: "):
        found.series(Split.TUNING, Plane.AXIAL, "0007")


def test_dense_labels_that_are_no_archive_are_refused_by_their_name(folder):
    found = MRNetFolder.open(folder)
    path = folder / "cells" / "axial" / "0007.npz"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        np.savez_compressed(file, cells=np.zeros((5, 3, 7, 7), np.uint8))
    whole = path.read_bytes()
    assert found.cells(Split.TUNING, Plane.AXIAL, "0007", (5, 3)).shape == (5, 3, 7, 7)
    place = whole.index(b"cells.npy") + 9 + 20  # behind the name and numpy's zip64 field
    packed = whole[:place] + b"\xff" + whole[place + 1 :]
    for content in (whole[:100], packed, (folder / "valid" / "axial" / "0007.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"0007\.npz cannot be read as dense labels: "):
            found.cells(Split.TUNING, Plane.AXIAL, "0007", (5, 3))


def test_a_series_without_contrast_is_refused_when_it_is_read(folder):
    np.save(folder / "train" / "sagittal" / "0001.npy", np.full((5, 256, 256), 7, np.uint8))
    found = MRNetFolder.open(folder)
    with pytest.raises(DatasetError, match="values from 7 to 7 only"):
        found.series(Split.TRAIN, Plane.SAGITTAL, "0001")


def test_a_tear_in_an_exam_labelled_normal_is_a_contradiction(folder):
    rewrite(folder, "train-abnormal.csv", "0000,0\n0001,0\n0002,1\n0003,0\n0004,1\n0005,0\n")
    with pytest.raises(DatasetError, match="train: a tear in an exam labelled normal: 0000"):
        MRNetFolder.open(folder)


def test_tables_of_different_exams_are_refused(folder):
    rewrite(folder, "valid-meniscus.csv", "0006,1\n0007,0\n0008,1\n")
    with pytest.raises(DatasetError, match=r"valid-meniscus\.csv lacks exams that another table names: 0009"):
        MRNetFolder.open(folder)


def test_a_split_with_one_label_only_is_refused(folder):
    rewrite(folder, "valid-acl.csv", "0006,0\n0007,0\n0008,0\n0009,0\n")
    with pytest.raises(DatasetError, match=r"valid-acl\.csv has 0 positives of 4"):
        MRNetFolder.open(folder)


@pytest.mark.parametrize("label", [0, 1])
def test_one_training_exam_of_a_label_is_too_few_to_fit_regressions_out_of_fold(folder, label):
    rows = [f"{exam:04d},{label if exam == 4 else 1 - label}" for exam in range(6)]
    rewrite(folder, "train-meniscus.csv", "\n".join(rows))
    rewrite(folder, "train-abnormal.csv", "\n".join(f"{exam},1" for exam in range(6)))
    with pytest.raises(DatasetError, match=r"train-meniscus\.csv has [15] positives of 6; both .* at least 2 of each"):
        MRNetFolder.open(folder, tasks=(Task.MENISCUS,))


def test_a_folder_that_is_none_says_what_is_wanted(tmp_path):
    with pytest.raises(DatasetError, match=r"name an MRNet-v1\.0 folder"):
        MRNetFolder.open(tmp_path / "nothing")


def test_many_problems_of_one_kind_are_counted_not_listed(folder):
    for exam in range(6):
        (folder / "train" / "axial" / f"{exam:04d}.npy").unlink()
    with pytest.raises(DatasetError, match="0000, 0001, 0002, 0003, 0004 and 1 more"):
        MRNetFolder.open(folder)


def test_an_id_in_two_splits_is_refused(folder):
    for plane in Plane:
        (folder / "valid" / plane / "0006.npy").rename(folder / "valid" / plane / "0003.npy")
    for task in Task:
        path = folder / f"valid-{task}.csv"
        path.write_text(path.read_text().replace("0006", "0003"))
    with pytest.raises(DatasetError, match=r"exams stand in two splits: 0003 \(train and valid\); number them through"):
        MRNetFolder.open(folder)


def test_a_check_gives_each_split_and_plane_a_digest_of_its_pixels_and_ids_and_not_of_its_labels(folder):
    before = MRNetFolder.open(folder).check().digests
    assert set(before) == {(split, plane) for split in (Split.TRAIN, Split.TUNING) for plane in Plane}
    assert len(set(before.values())) == 6
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in before.values())
    rewrite(folder, "train-acl.csv", "0000,1\n0001,0\n0002,1\n0003,0\n0004,0\n0005,0\n")
    assert MRNetFolder.open(folder, planes=(Plane.AXIAL,), tasks=(Task.ACL,)).check().digests == {
        place: digest for place, digest in before.items() if place[1] is Plane.AXIAL
    }
    path = folder / "valid" / "axial" / "0009.npy"
    pixels = np.load(path)
    pixels[4, 255, 255] ^= 1
    np.save(path, pixels)
    after = MRNetFolder.open(folder).check().digests
    assert {place for place in before if before[place] != after[place]} == {(Split.TUNING, Plane.AXIAL)}


def test_the_digests_are_the_same_in_whatever_order_the_threads_end(folder, monkeypatch):
    before = MRNetFolder.open(folder).check().digests
    load = np.load

    def slow_at_first(path, **kwargs):
        time.sleep(0.05 if str(path).endswith("0000.npy") else 0)
        return load(path, **kwargs)

    monkeypatch.setattr(np, "load", slow_at_first)
    assert MRNetFolder.open(folder).check().digests == before


def test_a_check_names_every_series_that_is_constant_or_damaged_in_any_split(folder):
    np.save(folder / "valid" / "axial" / "0007.npy", np.full((5, 256, 256), 7, np.uint8))
    np.save(folder / "train" / "sagittal" / "0001.npy", np.zeros((5, 256, 256), np.uint8))
    found = MRNetFolder.open(folder)
    (folder / "train" / "sagittal" / "0004.npy").write_bytes(b"cut off after the headers were seen")
    with pytest.raises(DatasetError) as caught:
        found.check()
    words = str(caught.value)
    assert (
        "train/sagittal must hold series with grey values from 0 to 255; not so: 0001 (values from 0 to 0 only), "
        in words
    )
    assert "0004 (not a readable npy array)" in words
    assert (
        "valid/axial must hold series with grey values from 0 to 255; not so: 0007 (values from 7 to 7 only)" in words
    )


def test_many_series_without_contrast_are_counted_not_listed(folder):
    for exam in range(6):
        np.save(folder / "train" / "axial" / f"{exam:04d}.npy", np.full((5, 256, 256), exam, np.uint8))
    with pytest.raises(DatasetError, match=r"0004 \(values from 4 to 4 only\) and 1 more"):
        MRNetFolder.open(folder).check()


def test_the_same_pixels_in_two_splits_under_two_ids_are_a_leak(folder):
    pixels = np.load(folder / "train" / "coronal" / "0002.npy")
    np.save(folder / "valid" / "coronal" / "0008.npy", pixels)
    (words,) = MRNetFolder.open(folder).check().twins
    assert words.startswith("Two splits hold the very same coronal series: train/coronal/0002 and valid/coronal/0008. ")
    assert words.endswith("figures on these exams are too good.")


def test_the_same_pixels_twice_in_one_split_are_no_leak(folder):
    pixels = np.load(folder / "train" / "coronal" / "0002.npy")
    np.save(folder / "train" / "coronal" / "0003.npy", pixels)
    assert MRNetFolder.open(folder).check().twins == ()


def test_a_tear_in_a_normal_exam_is_found_whichever_tasks_are_asked_for(folder):
    rewrite(folder, "train-abnormal.csv", "0000,0\n0001,0\n0002,1\n0003,0\n0004,1\n0005,0\n")
    rewrite(folder, "train-meniscus.csv", "0000,0\n0001,0\n0002,1\n0003,0\n0004,1\n0005,0\n")
    for tasks in ((Task.ACL,), (Task.ABNORMAL,), (Task.MENISCUS,)):
        with pytest.raises(DatasetError, match=r"train: a tear in an exam labelled normal: 0000$"):
            MRNetFolder.open(folder, tasks=tasks)


def test_a_table_of_a_task_not_asked_for_may_be_missing_broken_or_of_other_exams(folder):
    (folder / "train-abnormal.csv").unlink()
    rewrite(folder, "valid-abnormal.csv", "0006,unknown\n")
    rewrite(folder, "train-meniscus.csv", "0000,1\n0001,0\n")
    found = MRNetFolder.open(folder, tasks=(Task.ACL,))
    assert found.tasks == (Task.ACL,)
    assert found.strata(Split.TRAIN).tolist() == [[1], [0], [1], [0], [1], [0]]
    assert found.strata(Split.TUNING).shape == (4, 2)


def test_the_strata_are_the_same_whichever_tasks_are_asked_for(folder):
    rewrite(folder, "train-acl.csv", "0000,1\n0001,0\n0002,1\n0003,0\n0004,0\n0005,0\n")
    whole = MRNetFolder.open(folder).strata(Split.TRAIN)
    assert whole.tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 0, 1], [0, 0, 0]]
    for tasks in ((Task.ACL,), (Task.MENISCUS, Task.ABNORMAL)):
        found = MRNetFolder.open(folder, tasks=tasks)
        assert np.array_equal(found.strata(Split.TRAIN), whole)
        assert found.label_matrix(Split.TRAIN).shape == (6, len(tasks))
