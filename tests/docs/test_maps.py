"""Each folder's docstring is a map of it: whoever enters finds every room there."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "p2pcommerce"
FACES = [face for face in sorted(PACKAGE.rglob("__init__.py")) if face.parent != PACKAGE]


def rooms_of(folder):
    for entry in folder.iterdir():
        if entry.suffix == ".py" and not entry.stem.startswith("_"):
            yield entry.stem
        elif (entry / "__init__.py").exists():
            yield entry.name


def named_in(docstring):
    return {name.rstrip("/") for name in re.findall(r"`([a-z0-9_]+/?)`", docstring)}


@pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.parent.relative_to(PACKAGE)))
def test_a_folder_names_its_rooms(face):
    docstring = ast.get_docstring(ast.parse(face.read_text(encoding="utf-8"))) or ""
    missing = set(rooms_of(face.parent)) - named_in(docstring)
    assert not missing, f"{face.parent.name}/__init__.py does not say what is in {', '.join(sorted(missing))}"
