"""Commerce with more types than its own: nothing that is there already can be read as something else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcommerce.commerce import Commerce, Transfer
from tests.finality.cases import example

notes = example("notes")


@pytest.mark.parametrize(
    "tables",
    [
        ([Transfer],),
        ([notes.NoteSet], [replace(notes.NOTE, tag=b"\x0b")]),
        ([notes.NoteSet], [replace(notes.NOTE, tag=b"\x00\x01")]),
        ([notes.NoteSet, notes.NoteSet], []),
        ([], [], {"account": (("account",), notes.read_note)}),
    ],
    ids=["type", "kind", "the chain's own byte", "twice", "question"],
)
def test_a_name_or_first_byte_that_is_taken_is_refused(tables):
    with pytest.raises(ValueError, match="is taken"):
        Commerce.extended(*tables)


def test_extending_leaves_commerce_itself_as_it_was():
    assert notes.noted_commerce()._bodies["note.set"] is notes.NoteSet
    assert "note.set" not in Commerce()._bodies
