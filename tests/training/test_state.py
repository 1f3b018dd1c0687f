import resource
import threading

import pytest
import torch

from mrnet_core.domain import InputError, InstallationError
from mrnet_core.training.state import Writer, load_state, save_state

CPU = torch.device("cpu")


def test_a_state_comes_back_as_it_was(tmp_path):
    state = {"epoch": 3, "weights": {"a": torch.arange(5.0)}, "history": [{"epoch": 1, "loss": 0.25}], "best": 0.5}
    save_state(tmp_path / "x.pt", state)
    found = load_state(tmp_path / "x.pt", CPU)
    assert torch.equal(found["weights"]["a"], torch.arange(5.0))
    assert (found["epoch"], found["history"], found["best"]) == (3, [{"epoch": 1, "loss": 0.25}], 0.5)


def test_no_file_is_no_state_and_a_half_written_one_is_never_looked_at(tmp_path):
    (tmp_path / "x.pt.partial").write_bytes(b"half")
    assert load_state(tmp_path / "x.pt", CPU) is None


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_damaged_file_is_refused_and_the_next_step_is_named(tmp_path, keep):
    save_state(tmp_path / "x.pt", {"weights": torch.arange(1000.0)})
    data = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(data[: len(data) // 2] if keep == -1 else data[:keep])
    with pytest.raises(InstallationError, match="is damaged; delete it"):
        load_state(tmp_path / "x.pt", CPU)


def test_a_full_disk_leaves_the_last_whole_checkpoint(tmp_path):
    """A limit on file size stands in for the full disk: the write fails half way through, as it would there."""
    save_state(tmp_path / "x.pt", {"epoch": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written .* go on from it with --resume"):
            save_state(tmp_path / "x.pt", {"epoch": 2, "weights": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_state(tmp_path / "x.pt", CPU)["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]


def test_what_is_written_beside_the_training_is_the_state_of_that_moment():
    weights, go, seen = torch.zeros(3), threading.Event(), []

    def work(state):
        go.wait(10)
        seen.append(state["parts"]["weights"].tolist())

    with Writer(beside=True) as writer:
        writer.write(work, {"parts": {"weights": weights}})
        weights += 1  # the training goes on
        go.set()
    assert seen == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("beside", [True, False])
def test_a_disk_that_refuses_is_said_whether_it_is_written_to_beside_or_at_once(beside):
    def work(state):
        raise InputError("the disk is full")

    def write_and_wait():
        with Writer(beside) as writer:
            writer.write(work, {})
            writer.wait()

    with pytest.raises(InputError, match="the disk is full"):
        write_and_wait()
