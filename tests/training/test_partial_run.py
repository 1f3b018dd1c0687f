"""A run of fewer than nine networks: no model, told as the person's own choice, and made whole by the command named."""

import pytest

from mrnet_core.api.localisation import grade_run
from mrnet_core.api.runs import Engine, ensemble, train
from mrnet_core.cli import main
from mrnet_core.config import TrainConfig
from mrnet_core.domain import InputError, Plane, Split, Task
from mrnet_core.ensemble import Predictor

QUICK = {"epochs": 0, "head_first": True, "initialisation": "random", "precision": "float32"}


def test_a_run_of_one_network_is_refused_as_a_model_until_the_rest_is_trained_and_joined(
    write_folder, tmp_path, capsys
):
    data = write_folder(tmp_path / "data", {Split.TRAIN: 12, Split.TUNING: 8})
    run = tmp_path / "run"
    config = TrainConfig(planes=(Plane.SAGITTAL,), tasks=(Task.ACL,), **QUICK)
    train(data, run, config, device="cpu", engine=Engine())
    assert main(["ensemble", str(run)]) == 0
    words = "holds the networks of sagittal for acl alone, and answering exams takes all nine: give the `train` command"
    assert words in capsys.readouterr().out
    assert main(["predict", str(tmp_path), "--model", str(run)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err
    (data / "lesions.jsonl").write_text("")
    with pytest.raises(InputError, match=words):
        grade_run(run, data)

    train(data, run, TrainConfig(**QUICK), device="cpu", resume=True, engine=Engine())
    with pytest.raises(InputError, match=r"is no model yet, .* then run `python -m mrnet_core ensemble "):
        Predictor.load(run)
    ensemble(run)
    assert len(Predictor.load(run).networks) == 9
