"""The verb ``reproduce``: its arguments reach the study, and what is at fault is one sentence."""

import pytest

from mrnet_core.api.runs import Engine
from mrnet_core.api.study_plan import Changes
from mrnet_core.cli import main
from mrnet_core.cli import reproduce as verb


@pytest.fixture
def asked(monkeypatch):
    """What the study was asked for, instead of running it."""
    found = {}

    def stand_in(out, *, say, **how):
        found.update(how)
        say("what will run")
        return out / "report.html"

    monkeypatch.setattr(verb, "reproduce", stand_in)
    return found


def test_left_alone_everything_is_for_the_study_to_settle(tmp_path, asked, capsys):
    assert main(["reproduce", "--out", str(tmp_path)]) == 0
    assert asked == {"size": None, "data": None, "changes": Changes(), "device": None, "engine": Engine()}
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{tmp_path / 'report.html'}\n", "what will run\n")


def test_seeds_epochs_and_the_exams_that_choose_reach_the_study(tmp_path, asked):
    words = ["--data", str(tmp_path / "d"), "--size", "small", "--seeds", "2,1", "--epochs", "5", "--tuning", "inner"]
    assert main(["reproduce", "--out", str(tmp_path), *words, "--workers", "3"]) == 0
    assert (asked["data"], asked["size"]) == (tmp_path / "d", "small")
    assert asked["changes"] == Changes(epochs=5, seeds=(2, 1), tuning="inner")
    assert asked["engine"] == Engine(workers=3)


def test_words_that_are_no_seeds_and_folders_that_are_none_are_status_2_with_nothing_written(tmp_path, capsys):
    out = tmp_path / "study"
    assert main(["reproduce", "--out", str(out), "--seeds", "one"]) == 2
    assert "--seeds 'one': give whole numbers" in capsys.readouterr().err
    assert main(["reproduce", "--out", str(out), "--data", str(tmp_path / "nowhere"), "--device", "cpu"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "nowhere is not a folder: name an MRNet-v1.0 folder" in said.err
    assert not out.exists()
