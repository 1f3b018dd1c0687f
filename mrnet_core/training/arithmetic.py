"""The arithmetic of a device: bfloat16 under autocast where it is native, float32 master weights always."""

from contextlib import AbstractContextManager, nullcontext

import torch

from mrnet_core.config import TrainConfig
from mrnet_core.domain import InstallationError


def choose_device(word: str | None) -> torch.device:
    """``cpu``, ``cuda``, ``cuda:1``; None takes a GPU where there is one.

    Raises
    ------
    InstallationError
        A GPU was asked for and none, or none of that number, is there.
    """
    if word is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(word)
    except RuntimeError as error:
        raise InstallationError(f"device {word!r} is unknown; give cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InstallationError("no CUDA device is at hand: train with --device cpu, or on a machine with a GPU")
    count = torch.cuda.device_count()
    if device.type == "cuda" and device.index is not None and device.index >= count:
        raise InstallationError(
            f"device {word!r} is not at hand: this machine has {count} GPU{'s' * (count > 1)}, numbered from cuda:0"
        )
    if device.type not in ("cpu", "cuda"):
        raise InstallationError(f"device {word!r} is not supported; give cpu or cuda")
    return device


def set_arithmetic(device: torch.device) -> None:
    """Make a GPU's float32 convolutions float32 (not TF32), so that scores equal those of a CPU."""
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


def resolve_precision(word: str, device: torch.device) -> str:
    """``auto`` as ``bfloat16`` or ``float32``: bfloat16 where the processor has instructions for it."""
    if word != "auto":
        return word
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    # Without the instructions oneDNN emulates bfloat16 and is slower than float32.
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "float32"


def arithmetic_warnings(config: TrainConfig, device: torch.device) -> tuple[str, ...]:
    """What must be said of a run whose arithmetic this processor only imitates; ``config.precision`` is resolved."""
    if config.precision != "bfloat16" or resolve_precision("auto", device) == "bfloat16":
        return ()
    return (
        f"The run asks for bfloat16, and this processor ({describe(device)}) has no instructions for it: a step takes "
        "many times longer than in float32. A new run (another --out) with --precision float32 is faster here.",
    )


def autocast(config: TrainConfig, device: torch.device) -> AbstractContextManager:
    """The context for a forward pass; ``config.precision`` must be resolved."""
    if config.precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def describe(device: torch.device) -> str:
    """The device in words, for cards."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
