"""Files beside a cohort's pixels: cells, masks, label files and records, against slow twins."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrnet_core.domain import InputError, Plane
from mrnet_core.phantom import make_exam
from mrnet_core.phantom.layout import (
    CHANNELS,
    EXAMS_CSV,
    cells_of,
    exam_row,
    lesion_masks,
    lesion_record,
    prepare_folder,
    write_label_files,
    write_lines,
    write_masks,
    write_table,
)


@pytest.fixture(scope="module")
def exam():
    return make_exam(43, 3, size="small", pathology="both", structures=True, planes=(Plane.SAGITTAL,))


def slow_cells(mask):
    """A cell is 1 where some pixel of the mask lies within 16 pixels of its centre, along both axes."""
    cells = np.zeros((mask.shape[0], 7, 7), np.uint8)
    for s, i, j in np.argwhere(mask):
        for r in range(7):
            for c in range(7):
                y, x = (i + 0.5) * 256 / mask.shape[1] - 0.5, (j + 0.5) * 256 / mask.shape[2] - 0.5
                if abs(y - (31 + 32 * r)) <= 16 and abs(x - (31 + 32 * c)) <= 16:
                    cells[s, r, c] = 1
    return cells


@pytest.mark.parametrize("shape", [(3, 256, 256), (2, 192, 320)])
def test_cells_agree_with_a_slow_twin(shape):
    mask = np.random.default_rng(0).random(shape) < 0.0004
    cells = cells_of({"acl": mask, "unknown": mask}, shape[0])
    assert cells.shape == (shape[0], len(CHANNELS), 7, 7)
    assert np.array_equal(cells[:, CHANNELS.index("acl")], slow_cells(mask))
    assert cells.sum() == cells[:, CHANNELS.index("acl")].sum()


def test_one_pixel_lights_the_cells_it_is_near_and_no_other():
    mask = np.zeros((1, 256, 256), bool)
    mask[0, 31, 79] = True  # the row of cell 0; halfway between columns 1 (63) and 2 (95)
    lit = np.argwhere(cells_of({"bone": mask}, 1)[0, CHANNELS.index("bone")])
    assert lit.tolist() == [[0, 1], [0, 2]]


def test_an_exams_lesions_lie_in_their_own_channels(exam):
    joined = lesion_masks(exam, Plane.SAGITTAL)
    torn = [
        mask for lesion, mask in zip(exam.lesions, exam.masks[Plane.SAGITTAL], strict=True) if lesion.label == "acl"
    ]
    assert np.array_equal(joined["acl tear"], torn[0])
    assert set(joined) <= set(CHANNELS)
    assert joined["bone"].sum() > joined["acl"].sum() > 0


def test_a_record_counts_the_pixels_that_the_lesion_changes(exam):
    bare = make_exam(43, 3, size="small", pathology="both", planes=(Plane.SAGITTAL,), lesions=())
    record = lesion_record(exam, {Plane.SAGITTAL: bare.series[Plane.SAGITTAL].pixels})
    series = exam.series[Plane.SAGITTAL]
    changed = np.abs(series.pixels.astype(float) - bare.series[Plane.SAGITTAL].pixels) > 25 / 255 * series.window.width
    for n, lesion in enumerate(record["lesions"]):
        mask = exam.masks[Plane.SAGITTAL][n]
        scale = 256 * 256 / mask[0].size
        assert lesion["mask_pixels"]["sagittal"] == round(mask.sum() * scale)
        assert lesion["visible_pixels"]["sagittal"] == round((mask & changed).sum() * scale)
    assert max(lesion["visible_pixels"]["sagittal"] for lesion in record["lesions"]) > 0
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_without_a_twin_nothing_is_said_about_visibility(exam):
    assert all(lesion["visible_pixels"] is None for lesion in lesion_record(exam, None)["lesions"])


def test_the_table_has_the_contracts_columns_in_order(exam, tmp_path):
    write_table([exam_row(exam)], tmp_path / "exams.csv", EXAMS_CSV)
    header, row = (tmp_path / "exams.csv").read_text().splitlines()
    assert header == (
        "exam,patient,split,side,age,sex,field_tesla,abnormal,acl,meniscus,lesions,"
        "report_abnormal,report_acl,report_meniscus"
    )
    assert row.startswith("0003,P00003,validation,")
    assert ",1,1,1," in row


def test_label_files_hold_reports_to_learn_from_and_the_truth_to_test_on(exam, tmp_path):
    row = exam_row(exam) | {"acl": "1", "report_acl": "0"}
    rows = [row | {"exam": "0001", "split": "train"}, row | {"exam": "0002", "split": "validation"}]
    write_label_files(rows, tmp_path)
    assert (tmp_path / "train-acl.csv").read_text() == "0001,0\n"
    assert (tmp_path / "test-acl.csv").read_text() == "0002,1\n"
    assert (tmp_path / "valid-acl.csv").read_text() == ""


def test_masks_come_back_one_array_a_lesion(exam, tmp_path):
    (path,) = write_masks(exam.exam_id, exam.masks, tmp_path)
    assert path.name == "0003_sagittal.npz"
    with np.load(tmp_path / path) as stored:
        assert stored.files == [f"lesion_{n}" for n in range(len(exam.lesions))]
        for n, mask in enumerate(exam.masks[Plane.SAGITTAL]):
            assert np.array_equal(stored[f"lesion_{n}"], mask)


def test_nothing_partial_is_left_behind(exam, tmp_path):
    write_lines([{"a": 1}, {"a": 2}], tmp_path / "lines.jsonl")
    assert (tmp_path / "lines.jsonl").read_text() == '{"a": 1}\n{"a": 2}\n'
    assert not list(tmp_path.glob("*.partial"))


def test_a_folder_that_holds_something_is_refused(tmp_path):
    prepare_folder(tmp_path / "new")
    (tmp_path / "new" / "file").write_text("mine")
    with pytest.raises(InputError, match="is not empty: name a new folder"):
        prepare_folder(tmp_path / "new")


def test_a_record_of_an_exam_without_lesions_is_empty(exam):
    bare = replace(exam, lesions=(), masks={Plane.SAGITTAL: ()})
    assert lesion_record(bare, None) == {"exam": "0003", "split": "validation", "lesions": []}
