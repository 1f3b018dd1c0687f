import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mrnet_core.domain import InputError
from mrnet_core.training.head import choose_head, fit_head, put_into
from mrnet_core.training.outcome import Outcome
from mrnet_core.training.stacking import out_of_fold


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
