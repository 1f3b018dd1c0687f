"""README tells the truth about the tree: every picture is there, and every module stands in its list."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [path for folder in ("mrnet_core", "pages", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("target", re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
def test_a_picture_of_the_readme_exists(target):
    assert (ROOT / target).is_file()


def test_the_tree_names_every_module():
    missing = [
        str(path.relative_to(ROOT)) for path in MODULES if path.name != "__init__.py" and path.name not in README
    ]
    assert not missing
