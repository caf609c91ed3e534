"""What docs/protocol/messages.md says of breaches is what a node does."""

import re
from pathlib import Path

import pytest

from p2pcommerce.node import effects as out
from p2pcommerce.wire import messages as wire
from p2pcommerce.wire import off_chain_messages as off_chain
from tests.docs.test_protocol import read
from tests.wire.examples import EXAMPLES, HASH

from .cluster import SECOND
from .test_inbox import NOW, A, closes, cluster, node  # noqa: F401 - fixtures

TESTS = Path(__file__).parents[1]
ROWS = {row[1].strip("`"): row for row in read("messages")[1]}
CLOSING = {name for name, row in ROWS.items() if "close" in row[7]}

AT_ONCE = [
    (wire.Engine(b"\x00"), "ENGINE"),
    (wire.Evidence(b"evidence"), "EVIDENCE"),
    (wire.BlockBody(b"a block"), "MALFORMED"),
    (wire.FinalBlock(b"header", b"proof", ()), "MALFORMED"),
    (wire.Blocks(1, (), b""), "SYNC_UNASKED"),
    (wire.Peers((b"a record",)), "MALFORMED"),
    (wire.Observed("nowhere"), "ADDRESS"),
    (wire.Listening(("b", "a")), "LISTENING"),
    (wire.Listening(("a", "a")), "LISTENING"),
    (wire.Listening(("",)), "LISTENING"),
]
"""What closes whoever sends it, whatever was before."""

IN_OTHER_TESTS = {
    "Pong": "node/test_inbox.py::test_a_peer_that_does_not_answer_pings_is_closed",
    "Symbols": "gossip/test_reconciler.py::test_malformed_symbols_close_the_connection",
    "BlockTransactions": "node/test_bodies.py::test_a_malformed_body_is_refused",
    "Links": "sync/test_restore.py::test_a_liar_is_named_and_costs_little",
    "Snapshot": "sync/test_restore.py::test_a_liar_is_named_and_costs_little",
    "Chunk": "sync/test_restore.py::test_a_liar_is_named_and_costs_little",
    "CallBack": "discovery/test_reverse.py::test_a_changed_request_is_refused",
    "HaveBlob": "blobs/test_blobs.py::test_a_list_that_cannot_be_that_of_the_blob_convicts_at_once",
    "BlobChunk": "blobs/test_blobs.py::test_a_chunk_that_differs_from_its_senders_list_convicts_the_sender_alone",
    "BlobProviders": "node/test_breaches.py::test_records_of_providers_that_are_none_close_who_passed_them_on",
}
"""What closes as the answer to a question."""


@pytest.mark.parametrize(("message", "code"), AT_ONCE, ids=lambda value: type(value).__name__)
def test_what_no_honest_peer_sends_closes_it(node, message, code):  # noqa: F811 - the fixture
    assert closes(node.on_message(A, message, NOW)) == [(1, code)]


def test_the_rows_that_close_are_those_that_are_tested():
    assert {type(message).__name__ for message, _ in AT_ONCE} | set(IN_OTHER_TESTS) == CLOSING


@pytest.mark.parametrize("name", IN_OTHER_TESTS)
def test_the_test_of_a_breach_is_there(name):
    path, test = IN_OTHER_TESTS[name].split("::")
    assert re.search(rf"^def {test}\(", (TESTS / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_what_was_not_asked_for_closes_nobody_unless_its_row_says_so(node, message):  # noqa: F811 - the fixture
    closed = closes(node.on_message(A, message, NOW))
    if type(message).__name__ not in {type(each).__name__ for each, _ in AT_ONCE}:
        assert not closed
    assert not closes(node.on_deadline(NOW))


@pytest.mark.parametrize(("kind", "points"), [(wire.Transactions, 40), (wire.Posts, 40)])
def test_what_is_invalid_costs_the_points_of_its_row(node, kind, points):  # noqa: F811 - the fixture
    assert f"{points} points" in ROWS[kind.__name__][7]
    node.on_message(A, kind((b"not of its form",)), NOW)
    node.on_deadline(NOW)
    scores = node._board.router.scores
    assert scores.points(scores.of(A), NOW) == -points


def test_records_of_providers_that_are_none_close_who_passed_them_on(node):  # noqa: F811 - the fixture
    node._board.off_chain.get(1, HASH, 1_000, NOW)
    asked = [effect.message for effect in node.on_deadline(NOW + SECOND) if isinstance(effect, out.Transmit)]
    assert off_chain.WantBlob(HASH, True) in asked
    assert closes(node.on_message(A, off_chain.BlobProviders(HASH, (b"a record",)), NOW + SECOND)) == [(1, "MALFORMED")]
