"""The Python blocks of README and documentation, run page by page in order.

Two comments right above a block change that: `<!-- not run: reason -->` skips it, `<!-- same as: path -->` demands that
it is the text of that file, which has a test of its own.
"""

import contextlib
import io
import re
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<rule>not run|same as): (?P<argument>[^\n]+?) -->\n+)?^```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def blocks(text):
    """Return line number, code, rule and argument of each Python block."""
    return [
        (text.count("\n", 0, match.start("code")) + 1, match["code"], match["rule"], match["argument"])
        for match in BLOCK.finditer(text)
    ]


def run(page, text):
    """Run a page's blocks in one module, with tracebacks that name the page's lines."""
    module = types.ModuleType("__page__")
    for line, code, rule, argument in blocks(text):
        if rule == "same as":
            assert code == (ROOT / argument).read_text(), f"{page}:{line}: differs from {argument}"
        elif rule is None:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile("\n" * (line - 1) + code, str(page), "exec"), module.__dict__)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "docs" / "examples")
    run(page, page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_links_of_a_page_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_python_block_of_a_page_is_found(page):
    text = page.read_text()
    assert len(blocks(text)) == len(re.findall(r"^\s*```\s*\{?(?:code-block\}\s*)?python", text, re.MULTILINE))


def test_blocks_share_one_module_and_errors_name_their_line():
    text = "# Page\n\n```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\nraise KeyError(x)\n```\n"
    with pytest.raises(KeyError) as caught:
        run("page.md", text)
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == ("page.md", 11)


def test_a_block_that_is_not_run_says_why():
    run("page.md", "<!-- not run: needs a network -->\n```python\nraise KeyError\n```\n")
    with pytest.raises(KeyError):
        run("page.md", "<!-- not run -->\n```python\nraise KeyError\n```\n")


def test_a_block_that_repeats_a_file_must_be_that_file():
    license_text = (ROOT / "LICENSE").read_text()
    run("page.md", f"<!-- same as: LICENSE -->\n```python\n{license_text}```\n")
    with pytest.raises(AssertionError, match="differs from LICENSE"):
        run("page.md", f"<!-- same as: LICENSE -->\n```python\n{license_text}more\n```\n")


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/howto/*.md")]
    unnamed = [str(page.relative_to(ROOT)) for page in pages if f"]({page.relative_to(ROOT)})" not in readme]
    assert unnamed == ["docs/index.md"], "the index says the same for the built documentation"


def test_the_index_leads_to_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [
        page.relative_to(ROOT / "docs") for folder in ("docs", "docs/howto") for page in ROOT.glob(f"{folder}/*.md")
    ]
    assert [str(page) for page in pages if f"]({page})" not in index] == ["index.md"]
