"""``ensemble``: what it says at the end is true of the run that it joined."""

from pathlib import Path

import pytest

from mrnet_core.api.runs import EnsembleSummary
from mrnet_core.cli.ensemble import summary_text
from mrnet_core.config import TrainConfig, tuning_words


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TrainConfig(), "chose the epochs: their figures are too good"),
        (TrainConfig(head_first=True), "chose the epochs and the last layers' penalty: their figures are too good"),
        (TrainConfig(tuning="inner"), "did not choose the epochs: a part of the training exams did"),
        (None, "their figures may be too good"),
    ],
)
def test_what_the_tuning_exams_chose_depends_on_the_runs_configuration(config, words):
    said = tuning_words(config)
    assert said.startswith("The tuning exams (the data's valid split, the paper's tuning set) ")
    assert said.endswith(f"{words}.")
    if config is not None:
        assert f"AUC. {said}\n" in summary_text(EnsembleSummary(Path("run"), (), ()), config)
