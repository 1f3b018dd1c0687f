"""``reproduce`` from its first word to its report: what it says, in which order it works, and how it goes on.

The stages themselves are stand-ins that leave the files which the next one looks for.
"""

import json
import re

import pytest

from mrnet_core.api import reproduce as room
from mrnet_core.api import study_plan
from mrnet_core.api.reproduce import STUDY, reproduce
from mrnet_core.api.runs import EnsembleSummary
from mrnet_core.api.study_plan import Changes, Estimate
from mrnet_core.config import TrainConfig
from mrnet_core.domain import Cancelled, InputError, InstallationError, Plane, Task
from mrnet_core.store import GRADES, write_manifest, write_whole
from tests.study_folder import write_data

KEYS = [(plane, task) for plane in Plane for task in Task]


class Stages:
    """Stand-ins for every stage: ``done`` names those that ran, ``said`` has every word in between."""

    def __init__(self):
        self.done, self.said, self.trained = [], [], []
        self.stop_at = None

    def run(self, name):
        if name == self.stop_at:
            raise KeyboardInterrupt
        self.done.append(name)

    def cohort(self, order):
        self.run("cohort")
        write_whole(order.out / "lesions.jsonl", "")

    def train(self, data, run, config, *, device, resume, engine):
        write_whole(run / "config.json", _kept(config))
        self.run("train")
        self.trained.append((data, run, config, resume))
        return dict.fromkeys(KEYS, 1)

    def ensemble(self, run, *, name):
        self.run("ensemble")
        seeds = {f"{plane}_{task}": 1 for plane, task in KEYS}
        write_manifest(run, name=name, trained_on="knees of the tests", synthetic=True, seeds=seeds)
        return EnsembleSummary(run, (), ())

    def grade(self, run, cohort):
        self.run("grade")
        write_whole(run / GRADES, "{}")

    def report(self, out, run, summary):
        self.run("report")
        return out / "report.html"

    def estimate(self, plan, device):
        self.done.append("estimate")
        return Estimate(cohort=0, trunk=0, networks=1800.0, rest=60.0)

    def say(self, words):
        self.said.append(words)

    def again(self):
        """Forget what was done and said; the files stay."""
        self.done, self.said, self.trained, self.stop_at = [], [], [], None


def _kept(config):
    """The configuration as a run keeps it: a file of weights by its name alone."""
    return re.sub(r'"initialisation": ".*/', '"initialisation": "', config.to_json())


@pytest.fixture
def stages(monkeypatch):
    made = Stages()
    for name, stage in (
        ("make_cohort", made.cohort),
        ("train", made.train),
        ("ensemble", made.ensemble),
        ("grade_run", made.grade),
        ("write_report", made.report),
        ("estimate", made.estimate),
    ):
        monkeypatch.setattr(room, name, stage)
    monkeypatch.setattr(study_plan, "initialise", lambda source, seed: None)
    return made


def test_a_study_without_data_makes_a_cohort_trains_on_it_grades_its_heatmaps_and_reports(tmp_path, stages):
    out = tmp_path / "study"
    assert reproduce(out, size="tiny", device="cpu", say=stages.say) == out / "report.html"
    assert stages.done == ["estimate", "cohort", "train", "ensemble", "grade", "report"]
    assert stages.trained == [(out / "cohort", out / "run", study_plan.SIZES["tiny"].config, False)]
    assert stages.said[0].startswith("60 synthetic exams (36 train, 12 tuning, 12 validation); 9 networks (seed 1), 1 ")
    assert stages.said[1] == "about 31 minutes on this machine (networks 30, evaluation 1)"
    assert stages.said[2:] == ["cohort", "training", "regressions and scores", "heatmap grades", "report"]


def test_data_at_hand_is_trained_by_the_papers_protocol_on_a_cpu_too_and_nothing_is_made_or_graded(tmp_path, stages):
    data = write_data(tmp_path / "MRNet-v1.0")
    reproduce(tmp_path / "study", data=data, device="cpu", say=stages.say)
    assert stages.done == ["estimate", "train", "ensemble", "report"]
    assert stages.trained == [(data, tmp_path / "study" / "run", TrainConfig(), False)]
    assert "12 exams of MRNet-v1.0" in stages.said[0]
    assert "50 epochs each, from ImageNet's weights" in stages.said[0]
    assert stages.said[1].startswith("about 31 minutes")


def test_a_size_and_changes_for_data_at_hand_are_what_runs_and_what_is_said(tmp_path, stages):
    data = write_data(tmp_path / "data")
    changes = Changes(seeds=(1, 2), tuning="inner")
    reproduce(tmp_path / "study", data=data, size="small", changes=changes, device="cpu", say=stages.say)
    assert stages.trained[0][2] == TrainConfig(epochs=1, seeds=(1, 2), tuning="inner")
    assert "18 networks (seeds 1, 2), 1 epoch each" in stages.said[0]


def test_a_time_of_many_hours_comes_with_the_way_to_a_shorter_one(tmp_path, stages, monkeypatch):
    monkeypatch.setattr(room, "estimate", lambda plan, device: Estimate(0, 0, 42 * 3600, 60))
    reproduce(tmp_path / "study", data=write_data(tmp_path / "data"), device="cpu", say=stages.say)
    assert stages.said[1].startswith("about 42 hours")
    assert stages.said[1].endswith("; fewer --epochs or a smaller --size take less")


def test_after_a_stop_the_same_command_goes_on_with_the_run_and_grades_what_was_not_graded(tmp_path, stages):
    out = tmp_path / "study"
    stages.stop_at = "grade"
    with pytest.raises(Cancelled, match="what is finished is kept: the same command goes on in"):
        reproduce(out, size="tiny", device="cpu", say=stages.say)
    stages.again()
    reproduce(out, size="tiny", device="cpu", say=stages.say)
    assert stages.trained[0][3] is True
    assert stages.done[-2:] == ["grade", "report"]
    assert stages.said[1].endswith("; what is finished already is not done again")
    stages.again()
    reproduce(out, size="tiny", device="cpu", say=stages.say)
    assert stages.done == ["estimate", "cohort", "train", "ensemble", "report"]


def test_without_a_size_a_study_goes_on_with_the_one_it_was_begun_with(tmp_path, stages):
    out = tmp_path / "study"
    reproduce(out, size="tiny", device="cpu", say=stages.say)
    stages.again()
    reproduce(out, device="cpu", say=stages.say)
    assert stages.trained[0][2] == study_plan.SIZES["tiny"].config


def test_a_run_begun_without_imagenets_weights_goes_on_from_its_own_start_once_they_can_be_had(
    tmp_path, stages, monkeypatch
):
    def offline(source, seed):
        raise InstallationError("no way to the weights")

    data, answer = write_data(tmp_path / "data"), study_plan.initialise
    monkeypatch.setattr(study_plan, "initialise", offline)
    reproduce(tmp_path / "study", data=data, device="cpu", say=stages.say)
    monkeypatch.setattr(study_plan, "initialise", answer)
    reproduce(tmp_path / "study", data=data, device="cpu", say=stages.say)
    assert [config.initialisation for _, _, config, _ in stages.trained] == [str(study_plan.DEMO_TRUNK)] * 2


def test_grades_that_the_ensemble_removed_are_made_again(tmp_path, stages, monkeypatch):
    """They were of other networks: a seed that was added is the better one now."""
    reproduce(tmp_path / "study", size="tiny", device="cpu", say=stages.say)
    stages.again()
    joined = stages.ensemble

    def ensemble(run, *, name):
        (run / GRADES).unlink()
        return joined(run, name=name)

    monkeypatch.setattr(room, "ensemble", ensemble)
    reproduce(tmp_path / "study", size="tiny", changes=Changes(seeds=(1, 2)), device="cpu", say=stages.say)
    assert stages.done == ["estimate", "cohort", "train", "ensemble", "grade", "report"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"data": "theirs"}, r"study holds the study of ours \(size paper\), not of theirs \(size paper\): go on with"),
        ({"data": None}, r"not of a phantom cohort \(size paper\)"),
        ({"data": "ours", "size": "small"}, r"not of ours \(size small\)"),
        ({"data": "changed/ours"}, r"study of ours \(size paper\), and its exams, labels or series have changed since"),
    ],
)
def test_other_data_or_another_size_in_the_same_folder_is_refused_before_anything_is_said_or_done(
    tmp_path, stages, second, message
):
    write_data(tmp_path / "ours")
    for name in ("theirs", "changed/ours"):
        write_data(tmp_path / name, first_label=1)
    out = tmp_path / "study"
    reproduce(out, data=tmp_path / "ours", device="cpu", say=stages.say)
    before = (out / STUDY).read_text()
    stages.again()
    data = second["data"] and tmp_path / second["data"]
    with pytest.raises(InputError, match=message):
        reproduce(out, data=data, size=second.get("size"), device="cpu", say=stages.say)
    assert (stages.done, stages.said) == ([], [])
    assert (out / STUDY).read_text() == before


def test_the_same_data_at_another_place_goes_on(tmp_path, stages):
    for name in ("here", "there"):
        reproduce(tmp_path / "study", data=write_data(tmp_path / name), device="cpu", say=stages.say)
    assert [resume for *_, resume in stages.trained] == [False, True]


def test_a_study_that_was_stopped_before_it_did_anything_may_become_another(tmp_path, stages, monkeypatch):
    def stop(plan, device):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(room, "estimate", stop)
        with pytest.raises(Cancelled, match="the same command goes on"):
            reproduce(tmp_path / "study", size="paper", device="cpu", say=stages.say)
    reproduce(tmp_path / "study", size="tiny", device="cpu", say=stages.say)
    assert json.loads((tmp_path / "study" / STUDY).read_text())["size"] == "tiny"


def test_a_study_file_that_says_nothing_is_named(tmp_path, stages):
    reproduce(tmp_path / "study", size="tiny", device="cpu", say=stages.say)
    (tmp_path / "study" / STUDY).write_text("{}")
    with pytest.raises(InputError, match=r"study\.json does not say which study this is: remove it, or name another"):
        reproduce(tmp_path / "study", size="tiny", device="cpu", say=stages.say)
