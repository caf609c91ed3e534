import datetime as dt
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAY = dt.date(2026, 1, 2)


def load():
    spec = importlib.util.spec_from_file_location("changelog", ROOT / "tools" / "changelog.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


changelog = load()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "README.md").write_text("how to")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n")
    return tmp_path


def test_the_fragments_of_this_project_are_well_named():
    changelog.fragments(ROOT / "changes")


def test_fragments_are_moved_by_kind_and_number_to_the_top(root):
    for name, text in {"10.bugfix": "b", "9.bugfix": "a\nmore", "3.feature": "c"}.items():
        (root / "changes" / f"{name}.md").write_text(text + "\n")
    assert changelog.release(root, "1.0.0", DAY) == 3
    (root / "changes" / "11.misc.md").write_text("d")
    changelog.release(root, "1.1.0", DAY)
    assert (root / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n<!-- releases -->\n"
        "\n## 1.1.0 (2026-01-02)\n\n### Other\n\n- d (#11)\n"
        "\n## 1.0.0 (2026-01-02)\n\n### New\n\n- c (#3)\n\n### Mended\n\n- a more (#9)\n- b (#10)\n"
    )
    assert [path.name for path in (root / "changes").iterdir()] == ["README.md"]


@pytest.mark.parametrize("name", ["x.feature.md", "3.news.md", "3.feature.rst", "feature.md"])
def test_a_file_that_is_no_fragment_is_named(root, name):
    (root / "changes" / name).write_text("text")
    with pytest.raises(changelog.FragmentError, match=f"{re.escape(name)}: must be named"):
        changelog.release(root, "1.0.0", DAY)


def test_an_empty_fragment_is_named(root):
    (root / "changes" / "3.feature.md").write_text(" \n")
    with pytest.raises(changelog.FragmentError, match=r"3\.feature\.md: is empty"):
        changelog.release(root, "1.0.0", DAY)


def test_nothing_to_release_is_said(root):
    with pytest.raises(changelog.FragmentError, match="holds no fragment"):
        changelog.release(root, "1.0.0", DAY)


@pytest.mark.parametrize("version", ["", "1", "v1.0.0", "1.0"])
def test_a_version_has_three_numbers(root, version):
    with pytest.raises(changelog.FragmentError, match="is no version"):
        changelog.release(root, version, DAY)


def test_a_version_is_released_once(root):
    fragment = root / "changes" / "3.feature.md"
    fragment.write_text("c")
    changelog.release(root, "1.0.0", DAY)
    fragment.write_text("d")
    with pytest.raises(changelog.FragmentError, match=r"has version 1\.0\.0 already"):
        changelog.release(root, "1.0.0", DAY)
    assert fragment.exists()
