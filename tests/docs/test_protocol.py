"""The tables of the protocol's pages say what the code says.

A table stands between two comments, `<!-- name -->` and `<!-- end -->`. Its first columns are made from the code; those
behind them are written by hand and kept by the first cell. `python -m tests.docs.test_protocol` writes the first ones
anew.
"""

import re
from pathlib import Path

import pytest

from p2pcommerce.commerce.item import HISTORY_ENTRY
from p2pcommerce.commerce.registry import BODIES
from p2pcommerce.commerce.schema import KINDS as STATE_KINDS
from p2pcommerce.discovery import record as peer_record
from p2pcommerce.finality import certificates, evidence, proof
from p2pcommerce.finality.ffg import evidence as ffg_evidence
from p2pcommerce.finality.ffg import links
from p2pcommerce.finality.ffg import messages as ffg
from p2pcommerce.finality.ffg import proof as ffg_proof
from p2pcommerce.finality.simplex import justify, misjustified
from p2pcommerce.finality.simplex import messages as simplex
from p2pcommerce.gossip import post
from p2pcommerce.ledger import block, genesis, receipt, transaction, validators
from p2pcommerce.node import compact, compact_history, epoch_links, short_header
from p2pcommerce.node import proof as node_proof
from p2pcommerce.primitives import merkle, sparse_merkle
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.sync import chunks
from p2pcommerce.wire import handshake
from p2pcommerce.wire.messages import MESSAGES

PAGES = Path(__file__).parents[2] / "docs" / "protocol"
TABLE = r"(<!-- {name} -->\n\n)(.*?)(\n\n<!-- end -->)"

NAMED = {
    "handshake payload": ("connections", handshake._PAYLOAD),
    "peer record": ("discovery", peer_record._SHAPE),
    "post": ("gossip", post._POST),
    "inclusion": ("trees", merkle.INCLUSION_PROOF),
    "state proof": ("trees", sparse_merkle.STATE_PROOF),
    "transaction": ("chain", transaction._SHAPE),
    "event": ("chain", receipt.EVENT),
    "committed outcome": ("chain", receipt._COMMITTED),
    "header": ("chain", block.HEADER),
    "block": ("chain", block.BLOCK),
    "validators": ("chain", validators.VALIDATORS),
    "vote": ("finality", certificates.VOTE),
    "certificate": ("finality", certificates.CERTIFICATE),
    "justify": ("finality", justify.JUSTIFY),
    "certificate head": ("finality", justify._HEAD),
    "justify heads": ("finality", justify.JUSTIFY_HEADS),
    "opening": ("finality", justify.OPENING),
    "seal": ("finality", simplex._SEAL),
    "double signature": ("finality", evidence.BALLOT_EVIDENCE._shape),
    "misjustified": ("finality", misjustified._MISJUSTIFIED),
    "finality proof": ("finality", proof._PROOF),
    "checkpoint": ("ffg", links.CHECKPOINT),
    "link": ("ffg", links.LINK),
    "link vote": ("ffg", links.LINK_VOTE),
    "proposal head": ("ffg", ffg.PROPOSAL_HEAD),
    "quorum link": ("ffg", links.QUORUM_LINK),
    "ffg seal": ("ffg", ffg._SEAL),
    "link evidence": ("ffg", ffg_evidence.LINK_EVIDENCE._shape),
    "ffg proof": ("ffg", ffg_proof._PROOF),
    "epoch link": ("catching-up", epoch_links.EPOCH_LINK),
    "chunk": ("catching-up", chunks._CHUNK),
    "history entry": ("commerce", HISTORY_ENTRY),
    "full proof": ("proofs", node_proof._BUNDLE),
    "short header": ("proofs", short_header.SHORT_HEADER),
    "short finality": ("proofs", short_header.SHORT_FINALITY),
    "columns": ("proofs", compact_history.COMPACT_HISTORY),
    "compact proof": ("proofs", compact._OUTLINE),
}
"""Records that have names in the tables, and the page where each is defined."""
_LONGEST_FIRST = sorted(NAMED.items(), key=lambda item: -len(item[1][1].form))


def form_of(shape):
    """Return what a shape takes, records by their names."""
    form = shape.form
    for name, (_, named) in _LONGEST_FIRST:
        if named.form != shape.form:
            form = form.replace(named.form, f"*{name}*")
    return form


def fields_of(shape):
    return form_of(shape)[1:-1]


def message_rows():
    return [
        (
            f"0x{number:02x}",
            f"`{cls.__name__}`",
            cls.LANE.name.lower(),
            f"{cls.BYTES_MAX:,}",
            fields_of(cls.SHAPE) or "-",
        )
        for number, cls in sorted(MESSAGES.items())
    ]


def engine_rows(kinds):
    return [
        (str(tag), f"`{cls.__name__}`", f"{bytes_max:,}", fields_of(shape))
        for tag, (cls, shape, bytes_max) in sorted(kinds._kinds.items())
    ]


def record_rows(page):
    return [(f"*{name}*", form_of(shape)) for name, (where, shape) in NAMED.items() if where == page]


def parameter_rows():
    default, local = genesis.ChainParameters(), genesis.ChainParameters.local()
    return [
        (f"`{name}`", f"{low}..{high}", f"{getattr(default, name):,}", f"{getattr(local, name):,}")
        for name, (low, high) in genesis._PARAMETER_RANGES.items()
    ]


def state_rows():
    return [(f"{tag:02x}", kind.name, fields_of(kind.shape)) for tag, kind in sorted(STATE_KINDS.items())]


TABLES = {
    "messages": ("messages", message_rows),
    "simplex": ("finality", lambda: engine_rows(simplex.KINDS)),
    "ffg": ("ffg", lambda: engine_rows(ffg.KINDS)),
    "parameters": ("chain", parameter_rows),
    "codes": ("chain", lambda: [(f"`{code.value}`",) for code in RejectionCode]),
    "bodies": ("commerce", lambda: [(f"`{name}`", fields_of(cls.SHAPE)) for name, cls in BODIES.items()]),
    "state": ("commerce", state_rows),
    **{
        f"records of {page}": (page, lambda page=page: record_rows(page))
        for page in dict.fromkeys(page for page, _ in NAMED.values())
    },
}


def cells(line):
    """Return the cells of a row; "\\|" is no border."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def read(name):
    """Return the head of a table and its rows, each a list of cells."""
    text = (PAGES / f"{TABLES[name][0]}.md").read_text(encoding="utf-8")
    found = re.search(TABLE.format(name=re.escape(name)), text, re.DOTALL)
    assert found, f"no table between <!-- {name} --> and <!-- end -->"
    lines = found[2].splitlines()
    return lines[:2], [cells(line) for line in lines[2:]]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_the_code_says(name):
    _, rows = read(name)
    made = [list(row) for row in TABLES[name][1]()]
    width = len(made[0])
    assert [row[:width] for row in rows] == made, "run: python -m tests.docs.test_protocol"


def test_every_kind_of_message_says_when_it_is_sent():
    head, rows = read("messages")
    assert cells(head[0])[5:] == ["sent", "limits", "breach"]
    assert [row[0] for row in rows if len(row) != 8 or not row[5]] == []


def test_no_type_is_left_unsaid():
    assert [name for name, (_, rows) in TABLES.items() for row in rows() if any("?" in cell for cell in row)] == []


def test_every_page_is_named_by_the_overview_and_is_not_too_long():
    overview = (PAGES.parent / "protocol.md").read_text(encoding="utf-8")
    for page in sorted(PAGES.glob("*.md")):
        assert f"](protocol/{page.name})" in overview
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 600


def test_every_file_of_vectors_that_the_pages_name_is_there():
    named = {
        name
        for page in [PAGES.parent / "protocol.md", *PAGES.glob("*.md")]
        for name in re.findall(r"tests/vectors/\w+\.json", page.read_text(encoding="utf-8"))
    }
    present = {f"tests/vectors/{path.name}" for path in (PAGES.parents[1] / "tests" / "vectors").glob("*.json")}
    assert named == present


def write():
    """Write the columns that are made from the code."""
    for name, (page, rows) in TABLES.items():
        path = PAGES / f"{page}.md"
        head, old = read(name)
        made = rows()
        width, columns = len(made[0]), len(cells(head[0]))
        kept = {row[0]: row[width:] for row in old if len(row) == columns}
        lines = ["| " + " | ".join([*row, *kept.get(row[0], []), *[""] * columns][:columns]) + " |" for row in made]
        table = "\n".join([*head, *lines])
        text = path.read_text(encoding="utf-8")
        found = re.search(TABLE.format(name=re.escape(name)), text, re.DOTALL)
        path.write_text(text[: found.start(2)] + table + text[found.end(2) :], encoding="utf-8")


if __name__ == "__main__":
    write()
