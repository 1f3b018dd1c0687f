import numpy as np
import pytest
import torch
from torch import nn

from mrnet_core.config import TrainConfig
from mrnet_core.domain import Plane, Task
from mrnet_core.models import fold_first_convolution, initialise
from mrnet_core.training.network import Network, figures, keep_best, make_optimiser, step

CONFIG = TrainConfig(precision="float32", learning_rate=1e-5, warm_up=0, clip=0.5)


def network(seed=3):
    model = fold_first_convolution(initialise("random", seed)[0])
    model.mean.fill_(100.0)
    model.sd.fill_(60.0)
    return Network("n", Plane.AXIAL, Task.ACL, 1, "", model, make_optimiser(model, CONFIG), (0.7, 2.5))


def pictures(seed=0, slices=3):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (slices, 256, 256), np.uint8))


def test_a_step_is_adam_on_the_weighted_cross_entropy_of_one_exam():
    """The twin writes the paper's loss out and uses PyTorch's plain, unfused Adam."""
    trained, twin = network(), network().model
    optimiser = torch.optim.Adam(twin.parameters(), lr=1e-5)
    for seed, label in ((0, 1.0), (1, 0.0), (2, 1.0)):
        loss = step(trained, [pictures(seed)], [label], CONFIG, 10)
        scaled = ((pictures(seed).float() - 100.0) / 60.0)[:, None]
        value = twin.classifier(twin.features(scaled).mean((2, 3)).max(0).values)[0]
        probability = torch.sigmoid(value)
        expected = -2.5 * torch.log(probability) if label else -0.7 * torch.log(1 - probability)
        optimiser.zero_grad()
        expected.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        optimiser.step()
        assert float(loss) == pytest.approx(expected.item(), rel=1e-4)
    for (name, one), other in zip(trained.model.named_parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-6), name


def test_two_exams_a_step_take_the_mean_of_their_gradients():
    pair, twin = network(), network().model
    step(pair, [pictures(0), pictures(1, 5)], [1.0, 0.0], TrainConfig(precision="float32", clip=0, warm_up=0), 10)
    losses = []
    for stack, sign, weight in ((pictures(0), 1, 2.5), (pictures(1, 5), -1, 0.7)):
        losses.append(weight * nn.functional.softplus(-sign * twin(stack).logit))
    (sum(losses) / 2).backward()
    for (name, one), other in zip(pair.model.named_parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-5, rtol=1e-3), name


def test_by_default_an_exams_gradient_counts_as_much_as_it_is():
    """Clipped at a low norm, a plain exam pulls as hard as one that is badly wrong and weighs more."""
    config = TrainConfig(precision="float32", warm_up=0)
    one = network()
    expected = torch.autograd.grad(2.5 * nn.functional.softplus(-one.model(pictures()).logit), one.model.parameters())
    assert torch.stack([gradient.norm() for gradient in expected]).norm() > 2
    step(one, [pictures()], [1.0], config, 10)
    for (name, weight), gradient in zip(one.model.named_parameters(), expected, strict=True):
        assert torch.allclose(weight.grad, gradient, rtol=1e-3, atol=1e-4), name


def test_figures_are_the_weighted_loss_the_auc_and_the_spread():
    values, labels = np.array([2.0, -1.0, 0.5, -0.5]), np.array([1, 0, 0, 1])
    found = figures(values, labels, (1.0, 3.0))
    losses = [3 * np.log1p(np.exp(-2)), np.log1p(np.exp(-1)), np.log1p(np.exp(0.5)), 3 * np.log1p(np.exp(0.5))]
    assert found["loss"] == pytest.approx(np.mean(losses))
    assert found["auc"] == 0.75
    assert found["logit_sd"] == pytest.approx(np.std(values))


def test_the_auc_of_one_class_is_undefined_not_a_half():
    assert figures(np.array([1.0, 2.0]), np.array([1, 1]), (1.0, 1.0))["auc"] is None


def test_the_weights_of_the_lowest_tuning_loss_are_kept_as_they_were():
    one = network()
    kept = one.model.classifier.weight.detach().clone()
    for epoch, loss in ((1, 0.6), (2, 0.7), (3, 0.6)):
        keep_best(one, epoch, loss)
        with torch.no_grad():
            one.model.classifier.weight.add_(1.0)
    assert (one.best_epoch, one.best_loss) == (1, 0.6)
    assert torch.equal(one.best_state["classifier.weight"], kept)


def test_bfloat16_is_arithmetic_only_and_the_weights_stay_float32():
    one = network()
    before = one.model.features[0].weight.detach().clone()
    exact = step(network(), [pictures()], [1.0], CONFIG, 10)
    loss = step(one, [pictures()], [1.0], TrainConfig(precision="bfloat16", warm_up=0), 10)
    assert {value.dtype for value in one.model.parameters()} == {torch.float32}
    assert not torch.equal(before, one.model.features[0].weight)
    assert float(loss) == pytest.approx(float(exact), rel=0.05)
