"""A network's history for TensorBoard: as it grows, beside the RUN's own files, and never the end of a run.

TensorBoard is no part of the requirements; a stand-in with the names of its writer takes its place.
"""

import json
import sys
import types
from pathlib import Path

import pytest

from mrnet_core.domain import Plane, Task
from mrnet_core.store import TENSORBOARD, Run, write_manifest
from mrnet_core.training import history
from mrnet_core.training.sweep import clear_checkpoints
from tests.training_runs import epoch_records

NAME = "axial_acl_seed1"


class StandIn:
    """Writes ``events.<n>`` when it is closed: a line that tells the reader what to forget, then one a number."""

    made = 0

    def __init__(self, folder: str, purge_step: int) -> None:
        StandIn.made += 1
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._path = Path(folder) / f"events.{StandIn.made:04d}"
        self._lines = [{"forget from": purge_step}]

    def add_scalar(self, key: str, value: float, epoch: int) -> None:
        self._lines.append({"key": key, "value": value, "epoch": epoch})

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *stopped: object) -> None:
        self._path.write_text("\n".join(map(json.dumps, self._lines)) + "\n")


@pytest.fixture
def install(monkeypatch):
    """``install(writer)`` puts a module with this writer (None: no module) in TensorBoard's place."""

    def put(writer):
        module = writer and types.ModuleType("torch.utils.tensorboard")
        if module:
            module.SummaryWriter = writer
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
        history._summary_writer.cache_clear()

    yield put
    history._summary_writer.cache_clear()


def shown(run: Path, name: str = NAME) -> list[dict]:
    """The lines of the one file that TensorBoard finds."""
    (path,) = (run / TENSORBOARD / name).glob("events.*")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_tensorboard_shows_an_epoch_as_soon_as_it_is_over_and_each_only_once(tmp_path, install):
    install(StandIn)
    records = epoch_records(Plane.AXIAL, Task.ACL, 3)
    for epoch in (1, 2, 3):
        history.write(tmp_path, NAME, records[:epoch], 1)
        first, *numbers = shown(tmp_path)
        assert first == {"forget from": 1}
        assert [one["epoch"] for one in numbers if one["key"] == "tuning_loss"] == list(range(1, epoch + 1))
    assert {one["key"]: one["value"] for one in numbers if one["epoch"] == 3} == {
        "train_loss": pytest.approx(0.7 / 3),
        "tuning_loss": 0.3,
        "tuning_auc": pytest.approx(0.65),
        "logit_sd": 1.25,
        "exams_per_second": 12.0,
    }


def test_a_figure_that_is_undefined_is_left_out(tmp_path, install):
    install(StandIn)
    history.write(tmp_path, NAME, [epoch_records(Plane.AXIAL, Task.ACL, 1)[0] | {"tuning_auc": None}], 1)
    assert "tuning_auc" not in [one.get("key") for one in shown(tmp_path)]


def test_the_files_are_in_no_manifest_and_stay_when_the_checkpoints_go(tmp_path, install):
    install(StandIn)
    history.write(tmp_path, NAME, epoch_records(Plane.AXIAL, Task.ACL, 2), 1)
    (tmp_path / "checkpoints").mkdir()
    write_manifest(tmp_path, name="r", trained_on="synthetic knees", synthetic=True)
    clear_checkpoints(tmp_path)
    assert Run.open(tmp_path).names() == (f"history/{NAME}.jsonl",)
    assert len(shown(tmp_path)) == 1 + 2 * 5


def test_at_the_end_every_network_is_written_that_began_before_tensorboard_was_installed(tmp_path, install):
    install(None)
    for task in Task:
        history.write(tmp_path, f"axial_{task}_seed1", epoch_records(Plane.AXIAL, task, 2), 1)
    assert not (tmp_path / TENSORBOARD).exists()
    install(StandIn)
    history.write_tensorboard(tmp_path)
    assert [len(shown(tmp_path, f"axial_{task}_seed1")) for task in Task] == [11, 11, 11]


def test_a_disk_that_refuses_tensorboards_file_is_a_warning_and_the_history_stands(tmp_path, install):
    class Full(StandIn):
        def __exit__(self, *stopped: object) -> None:
            raise OSError(28, "No space left on device")

    install(StandIn)
    records = epoch_records(Plane.AXIAL, Task.ACL, 2)
    history.write(tmp_path, NAME, records[:1], 1)
    install(Full)
    with pytest.warns(RuntimeWarning, match=r"axial_acl_seed1 cannot be written \(No space left on device\).*goes on"):
        history.write(tmp_path, NAME, records, 1)
    assert len(history.read(tmp_path)) == 2
    assert len(shown(tmp_path)) == 1 + 5  # what was there before is still there


def test_without_tensorboard_the_import_is_tried_once_a_process(tmp_path, install, monkeypatch):
    install(None)
    tried = []

    class Watch:
        """Sees every search for TensorBoard; finds nothing."""

        def find_spec(self, name, path=None, target=None):
            if name == "torch.utils.tensorboard":
                tried.append(name)
                raise ModuleNotFoundError(name, name=name)

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard")
    monkeypatch.setattr(sys, "meta_path", [Watch(), *sys.meta_path])
    for epoch in (1, 2, 3):
        history.write(tmp_path, NAME, epoch_records(Plane.AXIAL, Task.ACL, epoch), 1)
    assert tried == ["torch.utils.tensorboard"]


def test_a_tensorboard_that_cannot_be_imported_is_named_and_ends_nothing(tmp_path, install, monkeypatch):
    install(None)

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "torch.utils.tensorboard":
                raise TypeError("Descriptors cannot be created directly.")

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.warns(RuntimeWarning, match=r"cannot be imported \(Descriptors cannot .*writes no files for it"):
        history.write(tmp_path, NAME, epoch_records(Plane.AXIAL, Task.ACL, 1), 1)
    assert len(history.read(tmp_path)) == 1
