"""MRNet: AlexNet's features on every slice, averaged over the picture, the maximum over slices, one linear layer.

Bien et al. 2018, Methods, "MRNet". A stack is ``(s, 256, 256)`` on the 0-255 scale; the positive class is the finding.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mrnet_core.models import few_gradients, winograd
from mrnet_core.models.stem import first_convolution, fold

FEATURES = 256
"""Feature maps of AlexNet's last convolution."""
CHANNELS = 3
"""Colour channels of the paper's input; all three are equal here, so one does as well (``fold_first_convolution``)."""


class MRNetOutput(NamedTuple):
    """``logit``: ``()``, of the whole series. ``maps``: ``(s, 256, 7, 7)``, the last feature maps of each slice."""

    logit: Tensor
    maps: Tensor


def alexnet_features(channels: int = CHANNELS) -> nn.Sequential:
    """AlexNet's convolutional part with the layers, order and parameter names of torchvision's ``alexnet().features``.

    ``(s, channels, 256, 256)`` to ``(s, 256, 7, 7)``. Written out because importing torchvision costs a starting worker
    two seconds; a test holds it equal to torchvision's.

    References
    ----------
    Krizhevsky A. One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997, 2014.
    """
    return nn.Sequential(
        nn.Conv2d(channels, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, FEATURES, kernel_size=3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


def feature_maps(features: nn.Sequential, pictures: Tensor) -> Tensor:
    """What ``features`` gives on grey pictures, in fewer multiplications.

    Parameters
    ----------
    features
        ``alexnet_features``, or its first layers.
    pictures
        ``(s, h, w)``, standardised; each input channel of the first convolution sees them.

    Returns
    -------
    Tensor
        The last layer's values, ``(s, 256, 7, 7)`` of whole features; within 1e-4 of theirs in float32.
    """
    kind = pictures.device.type
    if torch.is_autocast_enabled(kind):
        pictures = pictures.to(torch.get_autocast_dtype(kind))
    values = first_convolution(fold(pictures), features[0].weight, features[0].bias)
    layers = _pools_first(features[1:])
    last = max((place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)), default=-1)
    for place, layer in enumerate(layers):
        if place == last and few_gradients.suits(values, layer):
            values = few_gradients.convolution(values, layer)
        elif isinstance(layer, nn.Conv2d) and winograd.suits(values, layer):
            values = winograd.convolution(values, layer.weight, layer.bias)
        else:
            values = layer(values)
    return values


def _pools_first(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """Layers with each ReLU after the pooling that followed it: the same maxima and gradients, of a quarter as many."""
    ordered: list[nn.Module] = []
    for layer in layers:
        swap = isinstance(layer, nn.MaxPool2d) and ordered and isinstance(ordered[-1], nn.ReLU)
        ordered.insert(len(ordered) - 1 if swap else len(ordered), layer)
    return ordered


class MRNet(nn.Module):
    """One network: one plane, one task.

    Attributes
    ----------
    features
        AlexNet's convolutional part; its first convolution takes 1 or 3 channels.
    classifier
        ``nn.Linear(256, 1)``.
    mean, sd
        Buffers ``()``, float32: one mean and one standard deviation of the training pixels, on the 0-255 scale.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        if channels not in (1, CHANNELS):
            raise ValueError(f"the first convolution takes 1 or {CHANNELS} channels; got {channels}")
        self.features = alexnet_features(channels)
        self.classifier = nn.Linear(FEATURES, 1)
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("sd", torch.tensor(1.0))

    @property
    def channels(self) -> int:
        """Input channels of the first convolution: 3, or 1 once folded."""
        return self.features[0].in_channels

    def standardise(self, stack: Tensor) -> Tensor:
        """``(s, h, w)`` on the 0-255 scale to ``(s, channels, h, w)``: less the mean, by the standard deviation."""
        return self._scaled(stack).unsqueeze(1).expand(-1, self.channels, -1, -1)

    def maps(self, stack: Tensor) -> Tensor:
        """``(s, h, w)`` on the 0-255 scale to ``(s, 256, 7, 7)``: ``features(standardise(stack))``, but faster."""
        return feature_maps(self.features, self._scaled(stack))

    def pool(self, maps: Tensor) -> Tensor:
        """``(s, 256, h, w)`` to ``(256,)``: the average over the picture, then the maximum over slices."""
        return maps.mean(dim=(2, 3)).amax(dim=0)

    def head(self, maps: Tensor) -> Tensor:
        """The logit ``()`` of a series' feature maps."""
        return self.classifier(self.pool(maps)).squeeze(-1)

    def forward(self, stack: Tensor) -> MRNetOutput:
        """A stack ``(s, 256, 256)``, uint8 or float on the 0-255 scale, to its logit and feature maps."""
        maps = self.maps(stack)
        return MRNetOutput(self.head(maps), maps)

    def cam(self, maps: Tensor) -> Tensor:
        """Class activation maps ``(s, h, w)`` in float32: the classifier's weights over the feature maps, no bias.

        Notes
        -----
        ``cam[s, i, j] = sum_k w_k maps[s, k, i, j]`` (Bien et al. 2018, "MRNet interpretation"). For a series of one
        slice the logit is the map's average plus the bias.
        """
        return torch.einsum("k,skij->sij", self.classifier.weight[0].float(), maps.float())

    def _scaled(self, stack: Tensor) -> Tensor:
        if stack.ndim != 3:
            raise ValueError(f"a stack is (s, h, w); got shape {tuple(stack.shape)}")
        return (stack.to(self.mean.dtype) - self.mean) / self.sd


@torch.no_grad()
def fold_first_convolution(model: MRNet) -> MRNet:
    """A twin of the network whose first convolution takes one channel: the same output at a third of that layer's work.

    The three channels of the input are equal, so the sum of their three kernels does the work of all (exact but for
    rounding, below 1e-5 of the logit). A folded network comes back as a copy.
    """
    twin = MRNet(channels=1).to(model.mean.device)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    kernels = state["features.0.weight"]
    state["features.0.weight"] = kernels.double().sum(dim=1, keepdim=True).to(kernels.dtype)
    twin.load_state_dict(state)
    return twin.train(model.training)
