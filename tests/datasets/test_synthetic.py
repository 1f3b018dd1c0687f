import pytest

from mrnet_core.datasets.synthetic import is_synthetic_folder
from mrnet_core.phantom.layout import EXAMS_CSV


@pytest.mark.parametrize("name", ["exams.csv", "lesions.jsonl"])
def test_a_table_of_ones_own_beside_the_series_makes_no_folder_synthetic(tmp_path, name):
    (tmp_path / name).write_text("exam,patient,abnormal,acl,meniscus,lesions\n0001,P1,1,1,0,\n")
    (tmp_path / "cells").mkdir()
    assert not is_synthetic_folder(tmp_path)


@pytest.mark.parametrize("content", ["[]", "not JSON", '{"synthetic": false}', '{"seed": 3}'])
def test_some_other_programs_cohort_file_makes_no_folder_synthetic(tmp_path, content):
    (tmp_path / "cohort.json").write_text(content)
    assert not is_synthetic_folder(tmp_path)


def test_a_cohort_is_known_by_its_own_file_and_without_it_by_the_columns_of_its_table(tmp_path):
    (tmp_path / "exams.csv").write_text(",".join(EXAMS_CSV) + "\n")
    assert is_synthetic_folder(tmp_path)
    (tmp_path / "exams.csv").unlink()
    assert not is_synthetic_folder(tmp_path)
    (tmp_path / "cohort.json").write_text('{"synthetic": true}')
    assert is_synthetic_folder(tmp_path)
