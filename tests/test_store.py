"""RUN folders: what the manifest names is whole, or it is an error that says so."""

import json

import pytest

from mrnet_core import store
from mrnet_core.domain import ArtifactError, InputError
from mrnet_core.store import Run, resolve_run, write_manifest, write_whole


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    write_whole(folder / "weights" / "a.json", '{"x": 1}')
    write_whole(folder / "config.json", b"{}")
    write_whole(folder / "checkpoints" / "c.pt", b"work in progress")
    (folder / "weights" / "b.safetensors.partial").write_bytes(b"half")
    (folder / ".DS_Store").write_bytes(b"a file manager's")
    write_manifest(folder, name="r", trained_on="synthetic knees", synthetic=True, seeds=[1, 2])
    return folder


def test_a_manifest_names_every_whole_file_and_nothing_else(run):
    opened = Run.open(run)
    assert opened.names() == ("config.json", "weights/a.json")
    assert opened.names("weights/") == ("weights/a.json",)
    assert opened.manifest["seeds"] == [1, 2]
    assert opened.manifest["files"]["config.json"] == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # sha256sum of {}
    )
    assert opened.json("weights/a.json") == {"x": 1}
    assert opened.has("config.json")
    assert not opened.has("checkpoints/c.pt")


def test_writing_the_manifest_again_keeps_it_out_of_itself(run):
    write_manifest(run, name="r", trained_on="synthetic knees", synthetic=True)
    assert "manifest.json" not in Run.open(run).names()


def test_a_changed_file_is_damaged_and_a_removed_one_missing(run):
    opened = Run.open(run)
    assert opened.path("config.json") == run / "config.json"
    (run / "config.json").write_bytes(b"{]")
    with pytest.raises(ArtifactError, match=r"config\.json is damaged: its SHA-256 begins .* copy the folder again"):
        opened.path("config.json")
    (run / "config.json").unlink()
    with pytest.raises(ArtifactError, match=r"config\.json is missing though the manifest names it"):
        opened.path("config.json")
    with pytest.raises(ArtifactError, match=r"names no ensemble\.json"):
        opened.path("ensemble.json")


def test_an_unchanged_file_is_hashed_once_a_process(run, monkeypatch):
    opened = Run.open(run)
    opened.path("config.json")
    monkeypatch.setattr(store.hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    opened.path("config.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "has format 2; this version reads format 1"),
        ({"synthetic": "yes"}, r"lacks 'synthetic' \(bool\)"),
        ({"files": {"../secret": "0" * 64}}, "outside its folder"),
        ({"files": {"/etc/passwd": "0" * 64}}, "outside its folder"),
        ({"files": {"a": "short"}}, "no SHA-256 for 'a'"),
    ],
)
def test_a_manifest_that_breaks_its_format_is_refused(run, change, words):
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ArtifactError, match=words):
        Run.open(run)


def test_a_manifest_that_is_no_json_is_damaged(run):
    (run / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"manifest\.json is damaged"):
        Run.open(run)


def test_the_run_is_the_one_named_then_the_variables_then_the_demo(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MRNET_MODEL", str(run))
    assert resolve_run(None) == run
    other = tmp_path / "other"
    write_manifest(other, name="o", trained_on="x", synthetic=False)
    assert resolve_run(str(other)) == other
    monkeypatch.delenv("MRNET_MODEL")
    monkeypatch.setattr(store, "DEMO_RUN", run)
    assert resolve_run(None) == run
    monkeypatch.setattr(store, "DEMO_RUN", tmp_path / "none")
    with pytest.raises(ArtifactError, match="the demo model is missing"):
        resolve_run(None)


def test_a_folder_that_is_no_run_is_named_with_who_named_it(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--model names .*nowhere, which is not a folder"):
        resolve_run(tmp_path / "nowhere")
    monkeypatch.setenv("MRNET_MODEL", str(tmp_path))
    with pytest.raises(InputError, match=r"MRNET_MODEL names .* has no manifest\.json"):
        resolve_run(None)


def test_a_run_that_is_not_joined_yet_is_named_as_one_with_the_two_commands_that_make_it_a_model(tmp_path, monkeypatch):
    write_whole(tmp_path / "config.json", "{}")
    words = r"is no model yet, .* with --resume, then run `python -m mrnet_core ensemble "
    with pytest.raises(InputError, match=rf"--model names .*{words}{tmp_path}`$"):
        resolve_run(tmp_path)
    monkeypatch.setenv("MRNET_MODEL", str(tmp_path))
    with pytest.raises(InputError, match=f"MRNET_MODEL names .*{words}"):
        resolve_run(None)
    with pytest.raises(InputError, match=f"{tmp_path} {words}"):
        Run.open(tmp_path)


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_partial(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(InputError, match=r"config\.json cannot be written \(No space left on device\)"):
        write_whole(run / "config.json", b"new")
    assert (run / "config.json").read_bytes() == b"{}"
    assert not (run / "config.json.partial").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "r"}, "needs 'trained_on'"),
        ({"name": "r", "trained_on": "x", "synthetic": True, "auc": float("nan")}, "no JSON"),
    ],
)
def test_a_manifest_without_what_it_needs_is_not_written(tmp_path, fields, words):
    with pytest.raises(InputError, match=words):
        write_manifest(tmp_path, **fields)
    assert not (tmp_path / "manifest.json").exists()
