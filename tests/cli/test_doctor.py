"""The doctor: a sound installation passes, and what is broken is named with status 1."""

import importlib.metadata
import json
import shutil

from mrnet_core.api import doctor
from mrnet_core.cli import main
from mrnet_core.domain import InstallationError


def test_a_sound_installation_passes_and_every_part_is_named(random_run, capsys):
    assert main(["doctor", "--model", str(random_run)]) == 0
    out = capsys.readouterr().out
    for words in (
        "ok      Python: 3.1",
        "ok      torch and torchvision",
        "ok      published numbers",
        "every SHA-256 as in the manifest",
        "ok      model: random, trained on nothing: random weights of the tests; torch",
        "ok      RLE Lossless (1.2.840.10008.1.2.5): one sample decoded",
        "ok      device:",
        "checks passed.",
    ):
        assert words in out


def test_json_holds_the_same_checks(random_run, capsys):
    assert main(["doctor", "--model", str(random_run), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is True
    names = [check["name"] for check in said["checks"]]
    assert sum("1.2.840.10008.1.2" in name for name in names) == 13
    assert {"Python", "numpy", "pydicom", "model", "device"} <= set(names)


def test_a_damaged_weight_fails_with_status_one_and_its_name(random_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(random_run, run)
    path = run / "weights" / "coronal_acl.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["doctor", "--model", str(run)]) == 1
    said = capsys.readouterr()
    assert "coronal_acl.safetensors is damaged" in said.out
    assert "checks fail: model files" in said.err


def test_a_decoder_that_fails_is_named_by_its_syntax(random_run, monkeypatch):
    from mrnet_core.dicom import SyntaxSample

    bad = SyntaxSample("1.2.840.10008.1.2.4.80", "JPEG-LS", False, "it decodes to another picture")
    monkeypatch.setattr("mrnet_core.dicom.syntax_samples", lambda: (bad,))
    failed = [check for check in doctor.examine(str(random_run)) if check.state == "fails"]
    assert [check.name for check in failed] == ["JPEG-LS (1.2.840.10008.1.2.4.80)"]
    assert "another picture" in failed[0].words


def test_a_decoding_process_that_does_not_start_is_one_failed_check(random_run, monkeypatch):
    def broken():
        raise InstallationError("the decoding process does not start")

    monkeypatch.setattr("mrnet_core.dicom.syntax_samples", broken)
    failed = [check for check in doctor.examine(str(random_run)) if check.state == "fails"]
    assert [(check.name, check.words) for check in failed] == [
        ("DICOM decoding", "the decoding process does not start")
    ]


def test_a_missing_library_fails_and_another_version_only_differs(random_run, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "imagecodecs":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0.0" if name == "scipy" else real(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    checks = {check.name: check for check in doctor.examine(str(random_run))}
    assert checks["imagecodecs"].state == "fails"
    assert "is missing, 2026" in checks["imagecodecs"].words
    assert checks["scipy"].state == "differs"
    assert checks["scipy"].words.startswith("1.0.0 (tested: ")


def test_a_torch_and_torchvision_that_do_not_fit_together_fail(monkeypatch):
    def imported(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.importlib, "import_module", imported)
    check = doctor._guarded("torch and torchvision", doctor._pair)
    assert check.state == "fails"
    assert "torchvision::nms does not exist" in check.words


def test_a_model_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["doctor", "--model", str(tmp_path)]) == 1
    assert "has no manifest.json" in capsys.readouterr().out


def test_a_verb_whose_library_is_missing_says_which_with_status_one(monkeypatch, capsys):
    def missing(_):
        raise ModuleNotFoundError("No module named 'pydicom'", name="pydicom")

    monkeypatch.setattr("mrnet_core.cli.importlib.import_module", missing)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "doctor: the library pydicom is missing: run `make app`" in said.err
