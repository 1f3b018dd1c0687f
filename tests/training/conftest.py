"""Ground of the training tests: one thread, so that two runs can be compared bit by bit, and small plain folders."""

import importlib.util
from pathlib import Path

import pytest
import torch

_source = importlib.util.spec_from_file_location("training_folders", Path(__file__).with_name("folders.py"))
folders = importlib.util.module_from_spec(_source)
_source.loader.exec_module(folders)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory) -> Path:
    """24 training, 12 tuning and 12 validation exams of three slices, with plain lesions and dense labels."""
    return folders.write_folder(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def write_folder():
    """``write_folder(root, counts, slices=, seed=, size=)``: another folder of the same kind."""
    return folders.write_folder


@pytest.fixture(scope="session")
def few_exams(write_folder, tmp_path_factory) -> Path:
    """Twelve training and eight tuning exams: for runs whose weights are compared, not their answers."""
    return write_folder(tmp_path_factory.mktemp("few"), {folders.Split.TRAIN: 12, folders.Split.TUNING: 8})
