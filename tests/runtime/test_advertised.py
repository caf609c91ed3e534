"""What a node's record says once others have told it where they see it."""

from __future__ import annotations

from types import SimpleNamespace

from p2pcommerce.discovery import decode_record
from p2pcommerce.runtime.assembly import assemble
from tests.runtime.nodes import config_of

NOW = 1_700_000_000_000_000


def test_the_record_names_the_address_that_others_observe_as_soon_as_they_agree(tmp_path):
    assembly = assemble(config_of(tmp_path), None, None)
    try:
        listening = ("tcp://0.0.0.0:7400",)
        before = decode_record(assembly.local_peer(listening, NOW).peer_record)
        assert before.addresses == ()
        callers = []
        calls = SimpleNamespace(set_caller=lambda record, sign: callers.append(record))
        assembly.core = SimpleNamespace(observed_host="9.9.9.9", discovery=SimpleNamespace(calls=calls))
        after = decode_record(assembly.local_peer(listening, NOW + 5_000_000).peer_record)
        assert after.addresses == ("tcp://9.9.9.9:7400",)
        assert after.sequence > before.sequence
        assert callers == [after.raw]
        assert assembly.local_peer(listening, NOW + 9_000_000).peer_record == after.raw
    finally:
        assembly.close()
