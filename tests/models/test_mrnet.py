"""The network: torchvision's AlexNet geometry, pooling, folding, class activation maps."""

import copy

import pytest
import torch
from torchvision.models import alexnet

from mrnet_core.models import MRNet, alexnet_features, fold_first_convolution, initialise


@pytest.fixture(scope="module")
def model():
    network, _ = initialise("random", 3)
    network.mean.fill_(61.5)
    network.sd.fill_(58.25)
    return network.eval()


@pytest.fixture(scope="module")
def stack():
    return torch.randint(0, 256, (3, 256, 256), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_features_are_torchvisions_alexnet_name_by_name_and_number_by_number():
    theirs = alexnet(weights=None).features.eval()
    ours = alexnet_features().eval()
    ours.load_state_dict(theirs.state_dict())
    assert [str(layer) for layer in ours] == [str(layer) for layer in theirs]
    picture = torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(ours(picture), theirs(picture))


@torch.no_grad()
def test_forward_is_the_papers_pipeline_written_out_by_hand(model, stack):
    output = model(stack)
    pictures = ((stack.double() - 61.5) / 58.25).float()[:, None].repeat(1, 3, 1, 1)
    maps = model.features(pictures)
    assert output.maps.shape == (3, 256, 7, 7)
    pooled = torch.stack([maps[s, k].sum() / 49 for s in range(3) for k in range(256)]).reshape(3, 256)
    vector = pooled.max(dim=0).values
    by_hand = (vector * model.classifier.weight[0]).sum() + model.classifier.bias[0]
    assert output.logit.shape == ()
    assert torch.allclose(output.maps, maps, atol=1e-4)
    assert torch.allclose(output.logit, by_hand, atol=1e-5)


@torch.no_grad()
def test_a_series_of_one_slice_has_the_average_of_its_map_plus_the_bias_as_logit(model, stack):
    output = model(stack[:1])
    cam = model.cam(output.maps)
    assert cam.shape == (1, 7, 7)
    assert cam.dtype == torch.float32
    assert torch.allclose(cam.mean() + model.classifier.bias[0], output.logit, atol=1e-5)


@torch.no_grad()
def test_a_map_is_the_classifiers_weights_over_the_feature_maps(model, stack):
    maps = model(stack).maps
    cell = sum(float(model.classifier.weight[0, k]) * float(maps[2, k, 4, 1]) for k in range(256))
    assert float(model.cam(maps)[2, 4, 1]) == pytest.approx(cell, abs=1e-5)


@torch.no_grad()
def test_a_folded_network_gives_the_same_output_from_one_channel(model, stack):
    twin = fold_first_convolution(model)
    assert twin.features[0].weight.shape == (64, 1, 11, 11)
    ours, theirs = model(stack), twin(stack)
    assert abs(float(ours.logit - theirs.logit)) < 1e-5
    assert float((model.cam(ours.maps) - twin.cam(theirs.maps)).abs().max()) < 1e-5
    assert fold_first_convolution(twin).channels == 1
    assert model.channels == 3  # the original is untouched


@pytest.mark.parametrize("channels", [1, 3])
def test_the_faster_maps_are_those_of_the_features_and_so_are_their_gradients(model, channels):
    """Ten slices: enough for convolutions with fewer multiplications. The reference is float64, layer by layer.

    Gradients of plain float32 differ from it by up to 3e-3 as well: rounding moves a maximum or a sign now and then.
    """
    network = copy.deepcopy(model) if channels == 3 else fold_first_convolution(model)
    stack = torch.randint(0, 256, (10, 256, 256), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    twin = copy.deepcopy(network).double()
    maps, exact = network.maps(stack), twin.features(twin.standardise(stack))
    assert float((maps - exact).detach().abs().max()) < 1e-4
    assert abs(network.head(maps).item() - twin.head(exact).item()) < 1e-5
    upstream = torch.randn(maps.shape, generator=torch.Generator().manual_seed(3))
    maps.backward(upstream)
    exact.backward(upstream.double())
    for (name, one), other in zip(network.features.named_parameters(), twin.features.parameters(), strict=True):
        assert float((one.grad - other.grad).norm() / other.grad.norm()) < 1e-2, name


def test_the_order_of_slices_does_not_change_the_logit(model, stack):
    with torch.no_grad():
        assert torch.allclose(model(stack).logit, model(stack.flip(0)).logit, atol=1e-6)


def test_a_stack_of_another_shape_and_another_number_of_channels_are_refused(model, stack):
    with pytest.raises(ValueError, match=r"a stack is \(s, h, w\); got shape \(256, 256\)"):
        model(stack[0])
    with pytest.raises(ValueError, match="1 or 3 channels; got 2"):
        MRNet(channels=2)
