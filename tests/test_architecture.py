"""The import law of the house, read from the source with ``ast``: each floor imports only lower floors."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "mrnet_core"
ALLOWED = {
    "domain": set(),
    "stats": set(),
    "config": {"domain"},
    "paper": {"domain"},
    "store": {"domain", "config"},
    "dicom": {"domain", "config", "store", "paper"},
    "datasets": {"domain", "config"},
    "phantom": {"domain", "config"},
    "preprocess": {"domain", "config", "store", "paper"},
    "models": {"domain", "config", "store", "paper"},
}
"""The rooms of the ground floor; ``datasets`` and ``phantom`` lie before the exam: they know words and configs."""
_LOWER = set(ALLOWED)
_FLOORS = (("training", "ensemble"), ("evaluation",), ("report",), ("api",), ("cli", "ui"))
for _floor in _FLOORS:
    for _room in _floor:
        ALLOWED[_room] = set(_LOWER) | {_room}
    _LOWER |= set(_floor)

FORBIDDEN = {
    "torch": ("domain", "stats", "dicom", "report"),
    "torchvision": ("domain", "stats", "dicom", "report"),
    "pydicom": ("training", "models", "stats", "domain", "preprocess", "ensemble", "evaluation"),
    "streamlit": tuple(room for room in (*ALLOWED, "__main__") if room != "ui"),
}
"""Libraries that stay out of rooms: streamlit lives in ui only; the training path must import on a bare GPU machine."""


def sources(folder: Path = CORE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def room_of(path: Path) -> str:
    part = path.relative_to(CORE).parts[0]
    return part.removesuffix(".py")


def imports(tree: ast.AST):
    """Every imported module name, with the line it stands on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            yield ("." * node.level) + (node.module or ""), node


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_the_law_allows(path):
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name, node in imports(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
        assert not name.startswith("."), f"{where}: imports are absolute"
        top = name.split(".")[0]
        assert room not in FORBIDDEN.get(top, ()), f"{where}: {top} does not belong in {room}"
        if top == "mrnet_core" and name != "mrnet_core":
            other = name.split(".")[1]
            assert other == room or other in ALLOWED[room], f"{where}: {room} may not know {other}"
        if top in ("pages", "app", "tests", "benchmarks"):
            raise AssertionError(f"{where}: the core knows nothing of what stands on it")


def test_every_room_of_the_tree_is_under_the_law():
    rooms = {room_of(path) for path in sources()} - {"__init__", "__main__"}
    assert rooms <= set(ALLOWED), f"rooms without a rule: {sorted(rooms - set(ALLOWED))}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_inside_functions_state_their_reason(path):
    """A heavy import on demand is allowed, with a comment on its line or on the line before."""
    lines = path.read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for _, node in imports(function):
            near = lines[max(node.lineno - 3, 0) : node.end_lineno]
            assert any("#" in line for line in near), (
                f"{path.relative_to(ROOT)}:{node.lineno}: an import inside a function states why it is there"
            )


@pytest.mark.parametrize("path", [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))], ids=lambda path: path.name)
def test_pages_compute_nothing_and_know_only_api_domain_and_ui(path):
    for name, node in imports(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.name}:{node.lineno} imports {name}"
        top = name.split(".")[0]
        assert top not in ("torch", "torchvision", "numpy", "scipy", "sklearn", "pydicom"), (
            f"{where}: pages do not compute"
        )
        if top == "mrnet_core" and name != "mrnet_core":
            assert name.split(".")[1] in ("api", "domain", "ui"), f"{where}: a page goes through api"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_a_name_that_says_nothing(path):
    assert path.stem not in ("utils", "util", "common", "helpers", "helper", "misc")
