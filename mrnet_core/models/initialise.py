"""Where a network's first weights come from: ImageNet, a file, or chance."""

import pickle
import urllib.error
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mrnet_core.domain import ArtifactError, InputError, InstallationError
from mrnet_core.models.checkpoint import load_network
from mrnet_core.models.mrnet import CHANNELS, MRNet
from mrnet_core.store import file_hash

HEAD_SD = 0.01
"""Standard deviation of the new last layer's weights: the first logits lie near 0, the first loss near log 2."""


def initialise(source: str | Path, seed: int) -> tuple[MRNet, str]:
    """A network to start training from, and the words for its card.

    Parameters
    ----------
    source
        ``"imagenet"``: AlexNet's weights through torchvision (needs the network once; torchvision caches them).
        ``"random"``: He et al. A path: a ``.safetensors`` of this project, the trunk of a run
        (``RUN/checkpoints/trunk.pt``), or a PyTorch file of AlexNet's weights with torchvision's names; only the
        convolutional part is taken.
    seed
        Of the last layer, and of everything where ``source`` is ``"random"``.

    Returns
    -------
    MRNet, str
        Three input channels, on the CPU; ``mean`` 0 and ``sd`` 1 until the training data set them.

    Raises
    ------
    InstallationError
        ImageNet's weights cannot be fetched.
    InputError
        The file is missing, unreadable, or holds no AlexNet.

    References
    ----------
    He K, et al. Delving deep into rectifiers. ICCV 2015.
    """
    with torch.random.fork_rng(devices=[]):  # building the layers draws numbers: leave the caller's stream alone
        model = MRNet()
    generator = torch.Generator().manual_seed(seed)
    if source == "random":
        for layer in model.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)
        words = f"random (He et al. 2015), seed {seed}"
    elif source == "imagenet":
        weights, name = _imagenet()
        _load_features(model, weights, name)
        words = f"ImageNet ({name})"
    else:
        path = Path(source)
        _load_features(model, _read(path), str(path))
        words = f"file {path.name} (SHA-256 {file_hash(path)[:16]})"
    nn.init.normal_(model.classifier.weight, std=HEAD_SD, generator=generator)
    nn.init.zeros_(model.classifier.bias)
    return model, words


def trained_on(source: Path) -> str:
    """What a file of this project was itself trained on, as its card or its kind says; "" where nothing tells.

    Raises
    ------
    InputError
        The file is missing or unreadable.
    """
    if source.suffix == ".safetensors":
        try:
            return load_network(source)[1].trained_on
        except ArtifactError:  # weights from elsewhere, or a card that is not theirs
            return ""
    return "dense labels of synthetic knees; says nothing about a real knee" if _is_trunk(_load(source)) else ""


def _imagenet() -> tuple[dict[str, Tensor], str]:
    # on demand: torchvision takes two seconds to import, and only this source needs it
    from torchvision.models import AlexNet_Weights

    weights = AlexNet_Weights.IMAGENET1K_V1
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise InstallationError(
            "ImageNet weights cannot be fetched (no way to download.pytorch.org, or a damaged copy in torch's cache): "
            "start from a file of AlexNet weights with --trunk FILE (a network of the demo model will do: "
            "artifacts/demo/weights/coronal_abnormal.safetensors), or with --trunk random"
        ) from error
    return state, f"torchvision {weights}"


def _load(path: Path) -> dict:
    if not path.is_file():
        raise InputError(
            f"initial weights {path}: no such file; give 'imagenet', 'random' or a file of AlexNet weights"
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (safetensors.SafetensorError, pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"initial weights {path} cannot be read ({type(error).__name__}): give a .safetensors of this project or a "
            "PyTorch file of weights alone"
        ) from error
    if not isinstance(state, dict):
        raise InputError(f"initial weights {path}: a file of weights by name is needed; got {type(state).__name__}")
    return state


def _is_trunk(state: dict) -> bool:
    parts = state.get("parts")
    return isinstance(parts, dict) and isinstance(parts.get("features"), dict)


def _read(path: Path) -> dict[str, Tensor]:
    state = _load(path)
    if _is_trunk(state):
        return {f"features.{name}": value for name, value in state["parts"]["features"].items()}
    return state


def _load_features(model: MRNet, state: dict[str, Tensor], name: str) -> None:
    prefix = "features."
    found = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    first = found.get("0.weight")
    if isinstance(first, Tensor) and first.ndim == 4 and first.shape[1] == 1:
        # Three equal channels with a third of the kernel each: the same output.
        found["0.weight"] = (first.float() / CHANNELS).expand(-1, CHANNELS, -1, -1).contiguous()
    wanted = {key: tuple(value.shape) for key, value in model.features.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in found.items() if isinstance(value, Tensor)}
    if given != wanted:
        wrong = sorted(key for key in wanted.keys() | given.keys() if wanted.get(key) != given.get(key))
        raise InputError(
            f"initial weights {name} are not AlexNet's: {prefix}{wrong[0]} has shape {given.get(wrong[0])}, "
            f"{wanted.get(wrong[0])} is needed (names as in torchvision)"
        )
    if not all(bool(torch.isfinite(value).all()) for value in found.values()):
        raise InputError(f"initial weights {name} hold numbers that are not finite: use another file")
    model.features.load_state_dict({key: value.float() for key, value in found.items()})
