"""The names that others build on, pinned: a change here is a change for everyone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import p2pcommerce

ROOT = Path(__file__).parents[2]
NAMES = [
    "Admission",
    "AnchorError",
    "Application",
    "BlobNotFoundError",
    "BlobTooLargeError",
    "BlockContext",
    "ChainParameters",
    "ConfigError",
    "ConflictError",
    "Event",
    "FinalHeader",
    "FinalityEngine",
    "FinalizedBlock",
    "Followed",
    "Genesis",
    "GenesisError",
    "Height",
    "Identity",
    "InvalidTransactionError",
    "KeyFileError",
    "LightClient",
    "LocalProtocolError",
    "Message",
    "NodeConfig",
    "NodeHaltedError",
    "OffChainBusyError",
    "OffChainDiskError",
    "OffChainError",
    "OffChainQuotaError",
    "Outcome",
    "P2PError",
    "Payload",
    "PeerId",
    "PeerInfo",
    "PlainApplication",
    "Post",
    "Proof",
    "ProofError",
    "Proven",
    "PublicKey",
    "QueryError",
    "QueryResult",
    "Receipt",
    "RefusedError",
    "Rejection",
    "RejectionCode",
    "RemoteProtocolError",
    "RunningNode",
    "SignedTransaction",
    "State",
    "StateChanges",
    "StateView",
    "SubscriberLaggedError",
    "Subscription",
    "TopicListener",
    "TransactionDroppedError",
    "TransactionExpiredError",
    "TransactionId",
    "TransactionRejectedError",
    "TransactionState",
    "TransactionStatus",
    "TransactionUnknownError",
    "Transport",
    "TrustAnchor",
    "TrustExpiredError",
    "UsageError",
    "Validator",
    "ValidatorSet",
    "ValidatorUpdate",
    "Verdict",
    "Watch",
    "__version__",
    "commerce",
    "follow",
    "open_node",
    "trust_s_of",
    "verify_proof",
    "verify_proof_by_header",
    "subject_of",
]
METHODS = {
    "height",
    "peers",
    "prove",
    "query",
    "statistics",
    "submit",
    "subscribe",
    "transaction_status",
    "wait_finalized",
    "wait_height",
    "wait_peers",
    "watch",
}


def run(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_public_names_are_these():
    assert sorted(p2pcommerce.__all__) == sorted(NAMES)
    for name in NAMES:
        assert getattr(p2pcommerce, name) is not None


def test_a_running_node_has_these_methods():
    found = {name for name in dir(p2pcommerce.RunningNode) if not name.startswith("_")}
    assert found >= METHODS


def test_a_type_checker_sees_each_name_where_it_is_found():
    tree = ast.parse((ROOT / "p2pcommerce" / "__init__.py").read_text(encoding="utf-8"))
    block = next(
        item
        for item in tree.body
        if isinstance(item, ast.If) and isinstance(item.test, ast.Name) and item.test.id == "TYPE_CHECKING"
    )
    seen = {alias.name: item.module for item in block.body for alias in item.names}
    assert seen.pop("commerce") == "p2pcommerce"
    assert seen == p2pcommerce._HOMES
    assert {*seen, "commerce", "__version__"} == {*p2pcommerce.__all__}


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = p2pcommerce.nonsense
    assert not hasattr(p2pcommerce, "nonsense")


def test_names_are_listed_before_they_are_used():
    assert set(run("import p2pcommerce; print(*dir(p2pcommerce))")) >= set(p2pcommerce.__all__)
    assert set(p2pcommerce.__all__) <= set(dir(p2pcommerce))


def test_names_are_imported_when_they_are_used():
    assert run("import sys, p2pcommerce; print('trio' in sys.modules, 'nacl' in sys.modules)") == ["False", "False"]
    assert run("from p2pcommerce import *; print(open_node.__name__, commerce.Transfer.TYPE, NodeConfig.__name__)") == [
        "open_node",
        "token.transfer",
        "NodeConfig",
    ]


def test_a_proof_is_checked_without_trio_and_without_a_node():
    code = "import sys, p2pcommerce as p; p.verify_proof; p.TrustAnchor; print(*(m in sys.modules for m in %r))"
    assert run(code % (["trio", "sqlite3", "socket", "p2pcommerce.runtime"],)) == ["False"] * 4
