"""Make exams on a GPU that is not there: mixing it with the CPU is an error.

Tensors have a device and a shape but no values; every exam has metal and wrap. Prints a line a pathology: its name, the
operations that ran on the GPU, and the arrays of pixels that were brought back.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mrnet_core.phantom import KINDS, acquisition, exam, pathology_joint

KIND_OF = {torch.bool: bool, torch.int16: np.int16}


class Elsewhere(TorchDispatchMode):
    """Real tensors (caches, numpy's arrays) come in as imagined ones of the CPU; what the GPU computes is counted."""

    def __init__(self, imagined: FakeTensorMode) -> None:
        super().__init__()
        self.imagined, self.there = imagined, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        def imagine(value):
            return self.imagined.from_tensor(value) if type(value) is torch.Tensor else value

        result = func(*tree_map(imagine, args), **tree_map(imagine, kwargs or {}))
        self.there += isinstance(result, torch.Tensor) and result.device.type == "cuda"
        return result


def main() -> None:
    brought = []

    def bring(tensor):
        assert tensor.device.type == "cuda", "brought back from the CPU"
        brought.append(tensor.dtype)
        return np.zeros(tuple(tensor.shape), KIND_OF[tensor.dtype])

    acquisition._host = bring
    acquisition.METAL_SHARE = 1.0
    drawn = acquisition.draw_artefacts
    acquisition.draw_artefacts = lambda *arguments: replace(drawn(*arguments), wrap=12)
    exam.measure = lambda *_: 1.0  # on the CPU whatever the device, and so
    exam.seated = lambda lesion, _: lesion
    pathology_joint._torn_side = lambda *_: 0.0
    imagined = FakeTensorMode(allow_non_fake_inputs=True)
    for pathology in ("normal", "both", *KINDS):
        brought.clear()
        with imagined, Elsewhere(imagined) as counted:
            exam.make_exam(31, 4, size="small", pathology=pathology, structures=True, device="cuda:0")
        print(pathology, counted.there, brought.count(torch.int16))


if __name__ == "__main__":
    main()
