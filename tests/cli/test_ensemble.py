"""``ensemble``: what it says at the end is true of the run that it joined."""

from pathlib import Path

import pytest

from mrnet_core.api.runs import EnsembleSummary
from mrnet_core.cli.ensemble import summary_text
from mrnet_core.config import TrainConfig, tuning_words
from mrnet_core.domain import Plane, Task


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TrainConfig(), "chose the epochs: their figures are too good"),
        (TrainConfig(head_first=True), "chose the epochs and the last layers' penalty: their figures are too good"),
        (
            TrainConfig(head_first=True, seeds=(1, 2)),
            "chose the epochs, the last layers' penalty and the seeds: their figures are too good",
        ),
        (TrainConfig(tuning="inner"), "chose nothing: 15% of the training exams chose the epochs"),
        (
            TrainConfig(tuning="inner", head_first=True, epochs=0),
            "chose nothing: 15% of the training exams chose the last layers' penalty",
        ),
        (None, "their figures may be too good"),
    ],
)
def test_what_the_tuning_exams_chose_depends_on_the_runs_configuration(config, words):
    said = tuning_words(config)
    assert said.startswith("The tuning exams (the data's valid split, the paper's tuning set) ")
    assert said.endswith(f"{words}.")
    if config is not None:
        assert f"AUC. {said}\n" in summary_text(EnsembleSummary(Path("run"), (), ()), config)


def test_a_run_is_called_a_model_where_it_has_all_nine_networks_and_else_how_it_becomes_one():
    summary = EnsembleSummary(Path("run"), (), ())
    assert summary_text(summary, TrainConfig()).endswith("run is a model now: predict PATH --model run")
    for part in (TrainConfig(planes=(Plane.SAGITTAL,)), TrainConfig(tasks=(Task.ACL, Task.MENISCUS))):
        said = summary_text(summary, part).splitlines()[-1]
        assert "is a model" not in said
        assert f"run holds the networks of {', '.join(part.planes)} for {', '.join(part.tasks)} alone" in said
        assert said.endswith("then run `python -m mrnet_core ensemble run`")
