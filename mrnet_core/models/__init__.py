"""The networks: MRNet, its first weights, its files and its class activation maps."""

from mrnet_core.models.cam import CELL_CENTRES, scale_cams, upsample_cam
from mrnet_core.models.checkpoint import NetworkCard, card_path, load_network, save_network
from mrnet_core.models.initialise import initialise, trained_on
from mrnet_core.models.mrnet import (
    CHANNELS,
    FEATURES,
    MRNet,
    MRNetOutput,
    alexnet_features,
    fold_first_convolution,
)

__all__ = [
    "CELL_CENTRES",
    "CHANNELS",
    "FEATURES",
    "MRNet",
    "MRNetOutput",
    "NetworkCard",
    "alexnet_features",
    "card_path",
    "fold_first_convolution",
    "initialise",
    "load_network",
    "save_network",
    "scale_cams",
    "trained_on",
    "upsample_cam",
]
