from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from mrnet_core.datasets.patients import NO_PATIENTS
from mrnet_core.domain import InputError, Plane, Split, Task
from mrnet_core.training.head import choose_head, fit_head, put_into
from mrnet_core.training.outcome import Outcome
from mrnet_core.training.stacking import fold_words, folds, out_of_fold


def features(n=120, seed=0, signal=2.0):
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < 0.3).astype(int)
    values = generator.gamma(2.0, 0.1, (n, 256))
    values[:, 7] += 0.1 * signal * labels
    values[:, 20] = 0.0  # a dead map
    return values, labels


def test_a_head_on_raw_features_is_the_regression_on_standardised_ones():
    values, labels = features()
    head = fit_head(values, labels, (0.7, 1.7), 0.01)
    alive = np.arange(256) != 20
    scaled = (values[:, alive] - values[:, alive].mean(0)) / values[:, alive].std(0)
    twin = LogisticRegression(C=0.01, max_iter=5000, tol=1e-9).fit(
        scaled, labels, sample_weight=np.where(labels, 1.7, 0.7)
    )
    assert head.weight[20] == 0
    assert head.logits(values) == pytest.approx(twin.decision_function(scaled), abs=1e-3)


def test_the_penalty_is_chosen_by_the_tuning_loss():
    noise = choose_head(features(signal=0), features(seed=1, signal=0), (1.0, 1.0))
    plain = choose_head(features(signal=8), features(seed=1, signal=8), (1.0, 1.0))
    assert noise.strength < plain.strength
    values, labels = features(seed=2, signal=8)
    logits = plain.logits(values)
    assert logits[labels == 1].mean() > logits[labels == 0].mean() + 1


def test_a_head_is_copied_into_the_last_layer():
    values, labels = features()
    head = fit_head(values, labels, (1.0, 1.0), 0.01)
    layer = torch.nn.Linear(256, 1)
    put_into(head, layer)
    found = layer(torch.from_numpy(values).float())[:, 0].detach().numpy()
    assert found == pytest.approx(head.logits(values), abs=1e-4)


def test_out_of_fold_predictions_of_noise_rank_nothing_where_the_networks_own_rank_everything():
    values, labels = features(n=90, signal=0)
    own = fit_head(values, labels, (1.0, 1.0), 10.0).logits(values)
    honest = out_of_fold(Outcome(tuple(map(str, range(90))), labels.astype(np.int8), values, own), 1)
    separation = own[labels == 1].min() - own[labels == 0].max()
    assert separation > 0  # the network's own answers look perfect
    mixed = np.corrcoef(honest, labels)[0, 1]
    assert abs(mixed) < 0.35
    assert ((honest > 0) & (honest < 1)).all()


@pytest.mark.filterwarnings("error")
def test_logits_however_large_become_probabilities_without_a_warning():
    logits = np.array([-1e4, -800.0, 0.0, np.log(3), 800.0])
    outcome = Outcome(tuple("abcde"), np.zeros(5, np.int8), np.zeros((5, 256), np.float32), logits)
    assert outcome.probabilities == pytest.approx([0, 0, 0.5, 0.75, 1])


@pytest.mark.parametrize("positive", [0, 1, 59])
def test_out_of_fold_predictions_of_a_single_exam_of_a_label_are_refused(positive):
    values, labels = features(n=60)[0], (np.arange(60) < positive).astype(np.int8)
    outcome = Outcome(tuple(map(str, range(60))), labels, values, labels.astype(float))
    with pytest.raises(InputError, match=f"{positive} of 60 training exams are positive"):
        out_of_fold(outcome, 1)


def knees(patients=60, seed=0):
    """Two exams of every patient, alike but for a little noise, and a label by chance: the patient alone tells."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(generator.permutation(np.arange(patients) < patients // 3).astype(np.int8), 2)
    values = np.repeat(generator.gamma(2.0, 0.1, (patients, 256)), 2, axis=0)
    values += generator.normal(0, 0.002, values.shape)
    return values.astype(np.float32), labels, np.repeat(np.arange(patients), 2)


def outcome_of(values, labels, groups=None):
    return Outcome(tuple(map(str, range(len(labels)))), labels, values, labels.astype(float), groups)


def test_a_patients_exams_are_left_out_together_so_that_the_other_exam_tells_nothing():
    values, labels, patients = knees()
    parts = folds(outcome_of(values, labels, patients), 1)
    assert len(parts) == 5
    assert sorted(np.concatenate([left for _, left in parts])) == list(range(120))
    for kept, left in parts:
        assert not np.isin(patients[left], patients[kept]).any()
        assert labels[left].sum() == 8
    apart = np.corrcoef(out_of_fold(outcome_of(values, labels), 1), labels)[0, 1]
    together = np.corrcoef(out_of_fold(outcome_of(values, labels, patients), 1), labels)[0, 1]
    assert apart > 0.5  # the twin exam gave the answer away
    assert abs(together) < 0.35


def test_where_every_exam_is_a_patient_of_its_own_the_folds_are_those_of_exams():
    values, labels, _ = knees()
    plain = list(StratifiedKFold(5, shuffle=True, random_state=1).split(values, labels))
    for groups in (None, np.arange(120)[::-1]):
        found = folds(outcome_of(values, labels, groups), 1)
        for (kept, left), (also_kept, also_left) in zip(found, plain, strict=True):
            assert (kept == also_kept).all()
            assert (left == also_left).all()


@pytest.mark.filterwarnings("error")
def test_folds_by_patient_are_as_many_as_have_both_labels_to_fit_on_and_none_where_one_patient_has_them_all():
    values, _, patients = knees()
    for positive, count in (({0, 1, 2}, 3), ({0, 1}, 2), ({0}, 2)):
        labels = np.isin(patients, list(positive)).astype(np.int8)
        parts = folds(outcome_of(values, labels, patients), 1)
        assert len(parts) == count
        assert all(labels[kept].sum() > 0 for kept, _ in parts)
        torn = any(np.isin(patients[left], patients[kept]).any() for kept, left in parts)
        assert torn == (positive == {0}), "two exams of one patient: one is needed on either side"


def test_what_is_said_of_folds_of_a_run_that_kept_no_patients_depends_on_whether_any_were_known():
    values, labels, _ = knees()
    outcomes = {(plane, Task.ACL): {Split.TRAIN: outcome_of(values, labels)} for plane in (Plane.SAGITTAL, Plane.AXIAL)}
    known, unknown = (SimpleNamespace(departures=words) for words in (("Epochs: 1 (paper: 50).",), (NO_PATIENTS,)))
    (said,) = fold_words(outcomes, dict.fromkeys(outcomes, known), 1)
    assert "was trained before runs kept which exams are of one patient" in said
    assert fold_words(outcomes, dict.fromkeys(outcomes, unknown), 1) == []
    del outcomes[Plane.AXIAL, Task.ACL]
    assert fold_words(outcomes, dict.fromkeys(outcomes, known), 1) == [], "one plane has no regression"
