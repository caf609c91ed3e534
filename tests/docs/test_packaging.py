import configparser
import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read_setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_folder_with_modules_is_a_package():
    """A folder without `__init__.py` would be left out of an installation, and work from a checkout only."""
    folders = {path.parent for path in (ROOT / "p2pcommerce").rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_core_needs_trio_msgpack_and_pynacl_alone():
    required = read_setup()["options"]["install_requires"].split()
    assert [line.split(">=")[0] for line in required] == ["trio", "msgpack", "pynacl"]


def test_every_folder_of_the_house_has_its_floor():
    layers = read_setup()["importlinter:contract:floors"]["layers"].replace("|", " ").split()
    folders = [path.parent.name for path in (ROOT / "p2pcommerce").glob("*/__init__.py")]
    assert sorted(folders) == sorted(layers)


def test_pyproject_describes_no_package():
    """One place describes the package: setup.cfg."""
    assert "project" not in tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_ci_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
