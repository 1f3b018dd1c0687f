"""/validation, run by Streamlit's own test runner; clicks and pictures are looked at in tests/e2e."""

import csv
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mrnet_core.config import TrainConfig
from mrnet_core.store import write_manifest
from mrnet_core.ui.tables import html_table, plain
from tests.evidence_run import SHORTCUT, make_evidence_run
from tests.pages.opened import open_page, words

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return make_evidence_run(tmp_path_factory.mktemp("runs") / "study")


def cells(page: AppTest) -> dict[str, int]:
    """The confusion matrix that the page shows."""
    text = words(page)
    return {
        cell: int(text.split(f'data-cell="{cell}"')[1].split("<b>")[1].split("</b>")[0])
        for cell in ("tp", "fn", "fp", "tn")
    }


def test_the_published_page_opens_at_the_printed_point_and_says_why_there_is_no_calibration():
    page = open_page("validation")
    assert cells(page) == {"tp": 87, "fn": 12, "fp": 6, "tn": 15}
    assert any("calibration cannot be told" in info.value for info in page.info)
    for text in ("0.937 (0.895, 0.980)", "0.714 (0.500, 0.862)", "0.556"):
        assert text in words(page)


def test_a_link_opens_the_same_task_point_and_prevalence():
    page = open_page("validation", task="Meniscal tear", point_meniscus="30", prevalence="10")
    with (ROOT / "artifacts/published/model_roc.csv").open(newline="") as file:
        steps = [row for row in csv.DictReader(file) if row["task"] == "meniscus"]
    found = cells(page)
    assert found["tp"] + found["fp"] == 30, "each operating point of ranks calls one exam more"
    step = next(row for row in steps if int(row["negatives_above_threshold"]) == found["fp"])
    assert found["tp"] <= int(step["positives_ranked_above_next_negative"])
    assert found["tp"] + found["fn"] == int(step["P"])
    assert "prevalence 10.0%" in words(page)


def test_the_words_on_disk_open_the_same_view_as_the_labels(study, monkeypatch):
    monkeypatch.setenv("MRNET_MODEL", str(study))
    page = open_page("validation", source="model", task="acl", threshold="0.3")
    assert page.slider(key="threshold").value == pytest.approx(0.3)
    assert "ACL tear, threshold 0.300" in words(page)


def test_the_caption_of_the_matrix_gives_a_threshold_that_leads_to_the_same_matrix(study, monkeypatch):
    """A click on the curve chooses an exact score: its first three digits can be another operating point."""
    monkeypatch.setenv("MRNET_MODEL", str(study))
    with (study / "scores/validation_scores.csv").open(newline="") as file:
        scores = sorted(float(row["probability"]) for row in csv.DictReader(file) if row["task"] == "acl")
    score = next(score for score in scores if round(score, 3) > score)
    page = open_page("validation", source="model", task="acl")
    page.session_state["threshold"] = score
    page.run()
    found = cells(page)
    assert found["tp"] + found["fp"] == sum(other >= score for other in scores)
    printed = words(page).partition("ACL tear, threshold ")[2].partition("<")[0]
    assert len(printed) > len("0.123")
    assert cells(open_page("validation", source="model", task="acl", threshold=printed)) == found


def test_above_the_highest_score_the_caption_gives_the_threshold(study, monkeypatch):
    monkeypatch.setenv("MRNET_MODEL", str(study))
    page = open_page("validation", source="model", task="acl", threshold="1.0")
    assert cells(page)["tp"] == 0
    assert "ACL tear, threshold 1.000" in words(page)


def test_moving_the_slider_moves_the_confusion_matrix_and_the_way_back_restores_it():
    page = open_page("validation")
    page.slider(key="point_abnormal").set_value(40).run()
    assert sum(cells(page)[cell] for cell in ("tp", "fp")) == 40
    next(button for button in page.button if button.label.startswith("Back")).click().run()
    assert cells(page)["tp"] == 87


def test_a_synthetic_model_is_named_so_and_its_shortcut_stands_beside_every_auc(study, monkeypatch):
    monkeypatch.setenv("MRNET_MODEL", str(study))
    page = open_page("validation", source="This app's model")
    text = words(page)
    assert "synthetic" in text
    assert "Shortcut" in text
    chart = page.get("plotly_chart")[0].proto.spec
    for value in SHORTCUT.values():
        assert f"{value:.3f}" in text
        assert f"{value:.3f}" in chart
    assert "synthetic exams of study" in "\n".join(caption.value for caption in page.caption)


def test_a_model_without_scores_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    write_manifest(tmp_path, name="bare", trained_on="nothing", synthetic=True)
    monkeypatch.setenv("MRNET_MODEL", str(tmp_path))
    page = open_page("validation", source="This app's model")
    assert "scores/validation\\_scores\\.csv" in page.error[0].value


@pytest.mark.parametrize(
    ("tuning", "said"),
    [
        ("valid", "chose the epochs: their figures are too good"),
        ("inner", "chose nothing: 15% of the training exams chose"),
    ],
)
def test_a_model_with_scores_of_tuning_exams_alone_shows_them_and_says_what_they_chose(
    study, tmp_path, monkeypatch, tuning, said
):
    (tmp_path / "scores").mkdir()
    for name in ("scores", "labels"):
        data = (study / "scores" / f"validation_{name}.csv").read_bytes()
        (tmp_path / "scores" / f"tuning_{name}.csv").write_bytes(data)
    (tmp_path / "config.json").write_text(TrainConfig(tuning=tuning).to_json())
    write_manifest(tmp_path, name="as handed out", trained_on="MRNet-v1.0 layout", synthetic=False)
    monkeypatch.setenv("MRNET_MODEL", str(tmp_path))
    page = open_page("validation", source="This app's model")
    captions = "\n".join(caption.value for caption in page.caption).replace("\\", "")
    assert said in captions
    assert "tuning exams of as handed out" in captions
    assert sum(cells(page).values()) > 100


def test_own_scores_are_evaluated_and_forgotten_on_request():
    page = open_page("validation", source="Your files")
    assert "Drop scores and labels" in page.info[0].value
    scores = b"exam,task,probability\nA,acl,0.9\nB,acl,0.4\nC,acl,0.6\nD,acl,0.1\n"
    labels = b"exam,task,label\nA,acl,1\nB,acl,0\nC,acl,0\nD,acl,0\n"
    page.file_uploader(key="own_validation_scores").set_value(("mine.csv", scores, "text/csv"))
    page.file_uploader(key="own_validation_labels").set_value(("truth.csv", labels, "text/csv")).run()
    page.button[-1].click().run()
    assert not page.exception
    assert cells(page) == {"tp": 1, "fn": 0, "fp": 1, "tn": 2}
    next(button for button in page.button if button.label == "Forget these files").click().run()
    assert "own_validation" not in page.session_state


def test_a_bad_row_of_an_own_file_is_named():
    page = open_page("validation", source="Your files")
    scores = b"exam,task,probability\nA,acl,0.9\nB,acl,1.4\n"
    labels = b"exam,task,label\nA,acl,1\nB,acl,0\n"
    page.file_uploader(key="own_validation_scores").set_value(("mine.csv", scores, "text/csv"))
    page.file_uploader(key="own_validation_labels").set_value(("truth.csv", labels, "text/csv")).run()
    page.button[-1].click().run()
    assert "line 3" in page.error[0].value.replace("\\", "")


def test_other_peoples_words_become_no_markup():
    import pandas as pd

    assert plain("![x](http://far.away/x.png) $a$ <b>") == r"\!\[x\]\(http\://far\.away/x\.png\) \$a\$ \<b\>"
    assert "<img" not in html_table(pd.DataFrame({"a": ["<img src=x>"]}))
