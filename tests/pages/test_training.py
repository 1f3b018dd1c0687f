"""The training page: a finished run, one that still trains, one without histories, and damaged ones."""

import itertools
import os
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import streamlit as st
from pptx import Presentation
from streamlit.testing.v1 import AppTest

from mrnet_core.api import run_view, run_words
from mrnet_core.api.evidence import slides
from mrnet_core.config import TrainConfig, tuning_words
from mrnet_core.domain import Plane, Task
from mrnet_core.store import write_manifest, write_whole
from mrnet_core.training import history
from mrnet_core.ui.text import RESEARCH_NOTICE
from mrnet_core.ui.training_view import run_figures
from tests.training_runs import begin_run, finish_run

PAGE = str(Path(__file__).resolve().parents[2] / "pages" / "training.py")


@pytest.fixture
def open_page(monkeypatch):
    """Opens the page on a run."""
    st.cache_data.clear()

    def open_(run: Path, **address) -> AppTest:
        monkeypatch.setenv("MRNET_MODEL", str(run))
        page = AppTest.from_file(PAGE, default_timeout=60)
        for name, value in address.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        assert RESEARCH_NOTICE in html(page)
        return page

    return open_


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html") if "<style>" not in element.proto.body)


def charts(page: AppTest) -> list:
    return [element.proto for element in page.get("plotly_chart")]


def texts(page: AppTest) -> str:
    """Captions and markdown as they were meant, without the escapes."""
    return "\n".join(element.value for element in (*page.caption, *page.markdown)).replace("\\", "")


def test_a_finished_run_shows_its_card_curves_scores_regressions_and_grades(open_page, tmp_path):
    page = open_page(finish_run(begin_run(tmp_path / "run")))
    words = html(page)
    assert ">synthetic</span> Trained and tested on synthetic knees" in words
    for fact in ("paper knees", "a GPU of the tests", "1.5 h", "0123456789ab", "Epochs: 5 (paper: 50)."):
        assert fact in words, fact
    assert len(charts(page)) == 5
    assert "The network coronal meniscus is constant." in words
    assert "0.00 constant" in words
    assert words.count("constant</td>") == 1
    assert "<td>0.625</td>" in words  # the shortcut's AUC, beside the ensemble's
    assert (
        "Largest coefficient in this run: axial for abnormality, coronal for ACL tear, axial for meniscal tear. In the "
        "paper: axial for abnormality, coronal for ACL tear, axial for meniscal tear"
    ) in texts(page)
    # 9 networks, 5 epochs of 2 s each, 24 exams an epoch
    assert "the steps of all 9 took 2 min, 12.0 exams a second through a network." in texts(page)
    assert "0.625 (0.525, 0.725)" in words  # the pointing game
    assert "in 2 of them the hot spot missed" in words
    assert "It does not tell that the answer is right" in words


def test_a_model_of_one_plane_shows_scores_of_its_networks_and_no_ensemble(open_page, tmp_path):
    run = begin_run(tmp_path / "run", planes=(Plane.SAGITTAL,))
    (run / "config.json").write_text(TrainConfig(planes=(Plane.SAGITTAL,)).to_json())
    page = open_page(finish_run(run))
    assert "The network of each task on the validation exams, which chose nothing" in texts(page)
    assert "nothing: one plane has no regression" in html(page)
    assert "The ensemble on the validation exams" in texts(open_page(finish_run(begin_run(tmp_path / "whole"))))


def test_a_model_without_validation_exams_shows_the_auc_on_its_tuning_exams_and_what_they_chose(open_page, tmp_path):
    page = open_page(finish_run(begin_run(tmp_path / "run"), scored="tuning"))
    said = texts(page)
    assert "The ensemble on the tuning exams; 95% DeLong intervals." in said
    assert said.count(tuning_words(TrainConfig())) == 1
    assert "chose nothing" not in said
    assert "0.867 (" in html(page)  # 13 of 15 pairs


def test_every_chart_has_an_alternative_text_and_a_provenance_that_says_synthetic(open_page, tmp_path):
    page = open_page(finish_run(begin_run(tmp_path / "run")))
    alts = [chart.alt for chart in charts(page)]
    assert all(len(alt) > 40 for alt in alts), alts
    provenance = [line for line in texts(page).splitlines() if line.startswith("Source: ")]
    assert len(provenance) == len(alts)
    assert all(line.startswith("Source: synthetic exams of paper knees") for line in provenance)
    names = {button.proto.label for button in page.get("download_button")}
    assert "CSV" in names


@pytest.mark.parametrize("epochs", [1, 3, 8])
def test_every_figure_of_a_run_makes_a_slide_with_as_many_charts_as_panels(tmp_path, epochs):
    view = run_view.read_run(finish_run(begin_run(tmp_path / "run", epochs=epochs)))
    specs = list(run_figures(view).values())
    assert len(specs) == 5
    deck = Presentation(BytesIO(slides(specs, title="Training", tables={})))
    charts = [sum(shape.has_chart for shape in slide.shapes) for slide in deck.slides]
    assert [count for count in charts if count] == [len(spec.panels) for spec in specs]


def test_grades_by_severity_are_one_tasks_and_stand_in_the_address(open_page, tmp_path):
    page = open_page(finish_run(begin_run(tmp_path / "run")), grades="severity", task="acl")
    assert "<td>subtle</td>" in html(page)
    assert html(page).count("<td>plain</td>") == len(Plane) * 3  # three measures
    assert "ACL tear, by severity" not in html(page)
    assert "<td>0.125 (0.000 to 0.375)</td>" in html(page)
    values = "untrained 0.125, prior 0.250, fixed place 0.375, chance 0.030"
    assert f"Plain, axial (8): 0.625 ({values})" in charts(page)[-1].alt


def test_a_run_that_still_trains_is_followed_and_its_cut_last_line_is_left_out(open_page, tmp_path):
    run = begin_run(tmp_path / "run", epochs=2, planes=(Plane.SAGITTAL,))
    path = run / "history" / "sagittal_acl_seed1.jsonl"
    path.write_text(path.read_text()[:-40])
    page = open_page(run)
    assert "still trains" in texts(page)
    (bar,) = page.get("progress")
    assert bar.proto.text == "3 of 9 networks begun, 11% of the planned epochs done"  # 2 + 1 + 2 of 9 × 5 epochs
    assert len(charts(page)) == 3
    begin_run(run, epochs=4, planes=(Plane.SAGITTAL, Plane.CORONAL))
    page.run()
    assert page.get("progress")[0].proto.text.startswith("6 of 9 networks begun, 53%")
    assert "The network coronal meniscus, seed 1, is constant" in html(page)


def test_a_run_that_has_long_been_silent_is_said_to_have_stopped_perhaps(open_page, tmp_path):
    run = begin_run(tmp_path / "run", epochs=2, planes=(Plane.SAGITTAL,))
    page = open_page(run)
    assert "s ago." in texts(page)
    assert "--resume" not in texts(page)
    files = [path for path in run.rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (time.time() - 7 * 60,) * 2)
    page.run()
    assert "Last written 7 min ago." in texts(page)
    assert "--resume" not in texts(page)
    for path in files:
        os.utime(path, (time.time() - 3 * 60 * 60,) * 2)
    page.run()
    assert "Last written 3.0 h ago. Should it have stopped: its `train` command with `--resume`" in texts(page)


def test_a_run_that_is_trained_and_not_joined_says_so_and_names_the_next_command(open_page, tmp_path):
    run = begin_run(tmp_path / "run")
    page = open_page(run)
    assert "This run still trains" in texts(page)
    for plane, task in itertools.product(Plane, Task):
        write_whole(run / "weights" / f"{plane}_{task}.safetensors", "")
    for path in [path for path in run.rglob("*") if path.is_file()]:
        os.utime(path, (time.time() - 3 * 60 * 60,) * 2)
    page.run()
    assert "This run is trained, and its networks are not joined: `python -m mrnet_core ensemble " in texts(page)
    assert f"ensemble {run}`" in texts(page)
    assert "still trains" not in texts(page)
    assert "--resume" not in texts(page)
    begin_run(run, epochs=4)  # a resumed run whose earlier weights are still there
    page.run()
    assert "This run still trains" in texts(page)


def test_the_longer_a_planes_epochs_the_longer_a_run_may_be_silent(tmp_path):
    view = run_view.read_run(begin_run(tmp_path / "run", epochs=2, planes=(Plane.SAGITTAL,)))
    slow = replace(view, silent=3000, epochs=view.epochs.assign(seconds=400.0))  # three networks: 1,200 s an epoch
    assert "--resume" not in run_words.news_words(slow)
    assert "--resume" in run_words.news_words(replace(slow, silent=3700))


def test_planes_that_train_at_once_share_the_clock_and_the_run_may_be_silent_for_all_of_them(tmp_path):
    view = run_view.read_run(begin_run(tmp_path / "run", epochs=2))
    shared = replace(view, silent=10_700, epochs=view.epochs.assign(seconds=400.0))  # 3 planes of 1,200 s: an hour
    assert "--resume" not in run_words.news_words(shared)
    assert "--resume" in run_words.news_words(replace(shared, silent=10_900))


def test_a_run_whose_networks_have_not_begun_says_so(open_page, tmp_path):
    page = open_page(begin_run(tmp_path / "run", planes=()))
    assert "No network has finished an epoch yet" in page.info[0].value
    assert not charts(page)


def test_a_trunk_that_trains_before_the_networks_is_followed_until_the_first_of_them_has_an_epoch(open_page, tmp_path):
    run = begin_run(tmp_path / "run", planes=())
    history.write_trunk(run / "checkpoints", 1250, 1500, 1.9876, 130)
    page = open_page(run)
    _, bar = page.get("progress")
    assert bar.proto.value == 83
    assert bar.proto.text == "The trunk trains before them: step 1,250 of 1,500, loss 1.988, about 2 min left"
    assert not page.info
    history.write_trunk(run / "checkpoints", 1499, 1500, 1.9, 1)
    page.run()
    assert page.get("progress")[1].proto.text.endswith("loss 1.900, 1 s left")
    begin_run(run, epochs=1, planes=(Plane.SAGITTAL,))
    page.run()
    assert len(page.get("progress")) == 1
    assert "Networks" in [heading.value for heading in page.subheader]


@pytest.mark.parametrize("content", ["", "[]", '{"step": 1}', '{"step": 6, "steps": 6, "loss": 1, "seconds_left": 0}'])
def test_a_damaged_or_finished_trunk_says_nothing(open_page, tmp_path, content):
    run = begin_run(tmp_path / "run", planes=())
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "trunk.json").write_text(content)
    page = open_page(run)
    assert len(page.get("progress")) == 1
    assert "No network has finished an epoch yet" in page.info[0].value


def test_a_model_without_histories_says_how_one_comes_by_them(open_page, tmp_path):
    (tmp_path / "run").mkdir()
    write_manifest(tmp_path / "run", name="bare", trained_on="MRNet-v1.0", synthetic=False)
    page = open_page(tmp_path / "run")
    said = [element.value for element in page.info]
    assert "brings no training history" in said[0]
    assert "no scores" in said[1]
    assert "no heatmap grades" in said[2]
    assert "synthetic</span>" not in html(page)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("history/axial_acl_seed1.jsonl", "{}\n", "is damaged: its SHA-256"),
        ("manifest.json", "{", "is damaged (no JSON)"),
        ("config.json", "[]", "is damaged: its SHA-256"),
    ],
)
def test_a_damaged_run_is_one_sentence_and_nothing_else(open_page, tmp_path, name, text, says):
    run = finish_run(begin_run(tmp_path / "run"))
    (run / name).write_text(text)
    page = open_page(run)
    assert 'role="alert"' in html(page)
    assert says in html(page)
    assert not charts(page)
    assert not page.info


def test_a_history_line_that_is_no_epoch_is_named(open_page, tmp_path):
    run = begin_run(tmp_path / "run")
    path = run / "history" / f"axial_{Task.ACL}_seed1.jsonl"
    path.write_text('{"plane": "oblique"}\n' + path.read_text())
    assert "axial_acl_seed1.jsonl, line 1, is no epoch of a history" in html(open_page(run))


@pytest.mark.parametrize("tuning", ["valid", "inner"])
def test_beside_the_aucs_stands_what_the_tuning_exams_chose_in_this_run(open_page, tmp_path, tuning):
    run = begin_run(tmp_path / "run")
    config = TrainConfig(tuning=tuning, epochs=5)
    (run / "config.json").write_text(config.to_json())
    area = {"split": "tuning", "task": "acl", "model": "axial", "auc": 0.75, "n_pos": 5, "n_neg": 7, "logit_sd": 1.0}
    fields = {"name": "r", "trained_on": "x", "synthetic": False, "auc": [area]}
    write_manifest(run, **fields)
    words = texts(open_page(run))
    assert tuning_words(config) in words
    assert ("In this run a part of the training exams chose the epochs" in words) == (tuning == "inner")
