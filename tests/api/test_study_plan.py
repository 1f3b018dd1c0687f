"""What a study will run, in words and in seconds, before any of it runs."""

import json
from dataclasses import replace

import pytest
import torch

from mrnet_core.api import study_plan
from mrnet_core.api.cohorts import CohortOrder
from mrnet_core.api.study_plan import SIZES, Changes, Estimate, StudyPlan, cohort_order, estimate, fit_size, plan_study
from mrnet_core.config import TrainConfig
from mrnet_core.datasets.mrnet_v1 import MRNetFolder
from mrnet_core.domain import InputError, InstallationError, Split
from mrnet_core.models import initialise, load_network
from mrnet_core.phantom import plan_cohort
from tests.study_folder import write_data


@pytest.fixture
def imagenet(monkeypatch):
    """ImageNet's weights can be had: the request for them is answered, and nothing is fetched."""
    monkeypatch.setattr(study_plan, "initialise", lambda source, seed: None)


@pytest.fixture
def offline(monkeypatch):
    """ImageNet's weights cannot be had; everything else can."""

    def answer(source, seed):
        if source == "imagenet":
            raise InstallationError("no way to the weights")
        return initialise(source, seed)

    monkeypatch.setattr(study_plan, "initialise", answer)


def test_data_at_hand_gets_the_papers_protocol_whatever_the_device(tmp_path, imagenet):
    data = write_data(tmp_path / "MRNet-v1.0")
    plan = plan_study(fit_size("cpu", data), data, Changes())
    assert plan.config == TrainConfig()
    assert (plan.config.epochs, plan.config.initialisation) == (50, "imagenet")
    assert plan.words() == (
        "12 exams of MRNet-v1.0 (8 train, 4 tuning); 9 networks (seed 1), 50 epochs each, from ImageNet's weights; "
        "the tuning exams choose the epoch"
    )
    assert fit_size("cpu") == "small"


def test_a_size_gives_data_at_hand_its_epochs_and_nothing_else(tmp_path, imagenet):
    plan = plan_study("small", write_data(tmp_path / "data"), Changes())
    assert plan.config == TrainConfig(epochs=1)
    assert "12 exams of data (8 train, 4 tuning); 9 networks (seed 1), 1 epoch each" in plan.words()


def test_changes_win_over_the_size_and_are_said(tmp_path, imagenet):
    changes = Changes(epochs=7, seeds=(3, 4), tuning="inner")
    plan = plan_study("paper", write_data(tmp_path / "data"), changes)
    assert plan.config == TrainConfig(epochs=7, seeds=(3, 4), tuning="inner")
    assert plan.words().endswith(
        "18 networks (seeds 3, 4), 7 epochs each, from ImageNet's weights; 15% of the training exams choose the epoch"
    )
    made = plan_study("tiny", None, changes).config
    assert made == replace(SIZES["tiny"].config, epochs=7, seeds=(3, 4), tuning="inner")


def test_a_made_cohort_starts_from_a_trunk_and_so_does_data_with_dense_labels(tmp_path):
    plan = plan_study("small", None, Changes())
    assert plan.config == SIZES["small"].config
    assert plan.words() == (
        "400 synthetic exams (240 train, 80 tuning, 80 validation); 9 networks (seed 1), 1 epoch each, from a trunk "
        "trained first on synthetic dense labels (1,500 steps); the tuning exams choose the epoch"
    )
    data = write_data(tmp_path / "cohort")
    (data / "cells").mkdir()
    (data / "cells" / "channels.json").write_text(json.dumps(["acl"]))
    assert plan_study("small", data, Changes()).config == SIZES["small"].config


def test_without_imagenets_weights_the_networks_start_from_the_demo_models_trunk_and_the_first_words_say_so(
    tmp_path, offline
):
    plan = plan_study("paper", write_data(tmp_path / "data"), Changes())
    assert plan.config == TrainConfig(initialisation=str(study_plan.DEMO_TRUNK))
    assert study_plan.DEMO_TRUNK.is_file()
    demo = [load_network(path)[1].epoch for path in study_plan.DEMO_TRUNK.parent.glob("*.safetensors")]
    assert load_network(study_plan.DEMO_TRUNK)[1].epoch == min(demo)  # of all the least fine-tuned to a task
    assert "from the demo model's convolutions, which were trained on synthetic knees (ImageNet" in plan.words()


@pytest.mark.parametrize(
    ("kept", "start"),
    [
        ("imagenet", "imagenet"),
        (study_plan.DEMO_TRUNK.name, str(study_plan.DEMO_TRUNK)),
        ("random", "random"),
    ],
)
def test_a_run_that_goes_on_keeps_its_start_and_asks_for_no_weights(tmp_path, monkeypatch, kept, start):
    monkeypatch.setattr(study_plan, "initialise", lambda source, seed: pytest.fail("weights were asked for"))
    begun = TrainConfig(initialisation=kept)
    assert plan_study("paper", write_data(tmp_path / "data"), Changes(), begun).config.initialisation == start


def test_what_makes_no_sense_is_refused(tmp_path, imagenet):
    with pytest.raises(InputError, match="size 'huge' is unknown; choose one of tiny, small, paper"):
        plan_study("huge", None, Changes())
    with pytest.raises(InputError, match="nowhere is not a folder"):
        plan_study("paper", tmp_path / "nowhere", Changes())
    with pytest.raises(InputError, match="0 epochs leave the last layer at random"):
        plan_study("paper", write_data(tmp_path / "data"), Changes(epochs=0))


def test_data_is_known_by_its_exams_labels_and_lengths_and_not_by_its_place(tmp_path):
    def digest(name, **how):
        folder = MRNetFolder.open(write_data(tmp_path / name, **how))
        return StudyPlan("paper", TrainConfig(), folder).data["digest"]

    first = digest("a")
    assert digest("b") == first
    others = {digest("c", training=10), digest("d", slices=5), digest("e", first_label=1)}
    assert len(others | {first}) == 4


def test_the_estimate_of_a_tiny_study_is_what_one_exam_and_one_step_come_to_by_hand(monkeypatch):
    """An exam in 2 s by 2 workers, a step on 32 slices in 0.5 s; 36 training and 12 + 12 other exams of 10 slices."""
    monkeypatch.setattr(study_plan, "exam_seconds", lambda size, device: 2.0)
    monkeypatch.setattr(study_plan, "step_seconds", lambda device: 0.5)
    monkeypatch.setattr(CohortOrder, "workers", lambda order: 2)
    found = estimate(plan_study("tiny", None, Changes()), "cpu")
    assert found.cohort == pytest.approx(60.0)  # 60 exams · 2 s / 2
    assert found.trunk == pytest.approx(81.0)  # 120 steps · 0.5 s · 1.35
    # An exam's pass is 10/32 · 0.5 s = 0.15625 s; forward alone 0.4 of it.
    # The trunk's features for the last layers: 48 exams · 3 planes · 0.4 = 57.6 passes.
    # One epoch of 9 networks: 36 steps and 12 answers at 0.4, 40.8 · 9 = 367.2; at the end 60 · 0.4 · 9 = 216.
    assert found.networks == pytest.approx((57.6 + 367.2 + 216) * 0.15625)
    assert found.rest == pytest.approx(98.25)  # 60 s, and 12 exams · 3 planes · 0.3125 of (6 steps of 0.5 s and 0.4 s)
    assert found.words() == "about 6 minutes on this machine (cohort 1, trunk 1, networks 2, evaluation 2)"


def test_grading_heatmaps_is_estimated_at_the_processors_speed_on_a_gpu_too(monkeypatch):
    monkeypatch.setattr(study_plan, "choose_device", torch.device)
    monkeypatch.setattr(study_plan, "_cohort_seconds", lambda plan, device: 60.0)
    monkeypatch.setattr(study_plan, "recorded_step_seconds", lambda device: 0.001)
    monkeypatch.setattr(study_plan, "step_seconds", lambda device: {"cpu": 0.5, "cuda": 0.01}[device])
    plan = plan_study("tiny", None, Changes())
    assert estimate(plan, "cuda").rest == pytest.approx(98.25)  # as on the processor
    assert estimate(plan, "cuda").trunk == pytest.approx(120 * 0.01 * 1.35)


def test_the_estimate_for_data_at_hand_has_no_cohort_no_trunk_and_the_folders_own_exams(
    monkeypatch, tmp_path, imagenet
):
    """Eight training and four tuning exams of 16 slices; a step on 32 in 0.5 s."""
    monkeypatch.setattr(study_plan, "exam_seconds", lambda size, device: pytest.fail("no exam is to be made"))
    monkeypatch.setattr(study_plan, "step_seconds", lambda device: 0.5)
    plan = plan_study("paper", write_data(tmp_path / "data", slices=16), Changes())
    found = estimate(plan, "cpu")
    assert (found.cohort, found.trunk, found.rest) == (0, 0, 60)
    # A pass is 16/32 · 0.5 s. 9 networks: 50 epochs of 8 steps and 4 answers at 0.4, and 12 answers at 0.4 at the end.
    assert found.networks == pytest.approx(9 * (50 * (8 + 1.6) + 4.8) * 0.25)
    assert found.words() == "about 19 minutes on this machine (networks 18, evaluation 1)"


def test_the_estimate_follows_epochs_seeds_and_who_chooses(monkeypatch, tmp_path, imagenet):
    monkeypatch.setattr(study_plan, "step_seconds", lambda device: 0.5)
    data = write_data(tmp_path / "data", training=20, slices=16)
    found = estimate(plan_study("paper", data, Changes(epochs=2, seeds=(1, 2), tuning="inner")), "cpu")
    # 15% of 20 training exams choose: 17 steps and 3 answers at 0.4 an epoch; 24 answers at the end; 18 networks.
    assert found.networks == pytest.approx(18 * (2 * (17 + 1.2) + 9.6) * 0.25)


def test_a_long_time_is_said_in_hours():
    words = Estimate(cohort=0, trunk=0, networks=41.6 * 3600, rest=0.1 * 3600).words()
    assert words == "about 42 hours on this machine (networks 41.6, evaluation 0.1)"


def test_a_cohort_is_counted_as_its_order_plans_it(tmp_path):
    for name, size in SIZES.items():
        order = cohort_order(name, tmp_path, "cpu")
        plan = plan_cohort(order.exams, paper=order.paper, small=order.size == "small", seed=order.seed)
        assert {split: sum(entry.split is split for entry in plan) for split in Split} == size.counts, name
