"""Move the news fragments of `changes/` into `CHANGELOG.md`.

    python tools/changelog.py 1.2.3

A fragment is `changes/<issue>.<kind>.md`; see `changes/README.md`. The new release goes to the top, its fragments are
sorted by kind and issue, and their files are removed.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = {
    "feature": "New",
    "bugfix": "Mended",
    "removal": "Removed or different",
    "doc": "Documentation",
    "misc": "Other",
}
MARK = "<!-- releases -->\n"
_NAME = re.compile(r"(\d+)\.([a-z]+)\.md")
_VERSION = re.compile(r"\d+\.\d+\.\d+[a-z0-9.]*")


class FragmentError(Exception):
    """A fragment, changelog or version that cannot be used."""


def fragments(folder: Path) -> list[tuple[str, int, Path]]:
    """Return kind, issue number and file of each fragment, in the order of the changelog.

    Raises:
        FragmentError: a file that is no fragment, or has nothing in it.
    """
    found = []
    for path in folder.iterdir():
        if path.name == "README.md":
            continue
        match = _NAME.fullmatch(path.name)
        if match is None or match[2] not in KINDS:
            raise FragmentError(f"{path.name}: must be named <issue>.<kind>.md, kind one of {', '.join(KINDS)}")
        if not path.read_text(encoding="utf-8").strip():
            raise FragmentError(f"{path.name}: is empty")
        found.append((match[2], int(match[1]), path))
    kinds = list(KINDS)
    return sorted(found, key=lambda fragment: (kinds.index(fragment[0]), fragment[1]))


def release(root: Path, version: str, day: dt.date) -> int:
    """Move the fragments into the changelog and return how many there were.

    Raises:
        FragmentError: there is none, one is no fragment, the version is malformed or released already.
    """
    if not _VERSION.fullmatch(version):
        raise FragmentError(f'"{version}" is no version; write it like 1.2.3')
    news = fragments(root / "changes")
    if not news:
        raise FragmentError("changes/ holds no fragment: there is nothing to release")
    changelog = root / "CHANGELOG.md"
    before = changelog.read_text(encoding="utf-8")
    if MARK not in before:
        raise FragmentError(f"CHANGELOG.md lacks the line {MARK.strip()}, below which releases go")
    if f"\n## {version} (" in before:
        raise FragmentError(f"CHANGELOG.md has version {version} already")
    parts = [f"\n## {version} ({day.isoformat()})\n"]
    present = None
    for kind, issue, path in news:
        if kind != present:
            parts.append(f"\n### {KINDS[kind]}\n\n")
            present = kind
        text = " ".join(path.read_text(encoding="utf-8").split())
        parts.append(f"- {text} (#{issue})\n")
    changelog.write_text(before.replace(MARK, MARK + "".join(parts), 1), encoding="utf-8")
    for _, _, path in news:
        path.unlink()
    return len(news)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    if len(arguments) != 1:
        sys.stderr.write("which version? make changelog VERSION=1.2.3\n")
        return 2
    try:
        count = release(ROOT, arguments[0], dt.datetime.now(dt.UTC).date())
    except FragmentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{count} fragments moved into CHANGELOG.md as {arguments[0]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
