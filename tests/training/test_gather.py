"""One kernel for the next exam of a recorded step, through Triton's interpreter, against the plain functions."""

INTERPRETED = """
import numpy as np, torch
from mrnet_core.training import augment, gather
from mrnet_core.training.gather import Source
generator = np.random.default_rng(3)
moves = [augment.IDENTITY, augment.Transform(17.0, 12.5, -20.0, True), augment.Transform(-25.0, -25.0, 3.0, False)]
theta = torch.tensor([augment.matrix(one, 256, 256) for one in moves])
for place in (1, 2):
    source = Source(
        torch.from_numpy(generator.integers(0, 256, (3, 256, 256), np.uint8)),
        torch.tensor([0, 1, 2]), theta, torch.tensor([place]), torch.tensor(61.0), torch.tensor(43.0),
    )
    expected = gather.folded_series(source, 2, torch.float32)
    found = gather._fused(source, 2, torch.float32)
    assert found.stride() == expected.stride()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-3)
print("equal")
"""


def test_the_gpus_kernel_equals_moving_standardising_and_folding(interpreted):
    assert interpreted(INTERPRETED) == "equal"
