"""Records of the log come back as they were written, in the order that counts, and to no other engine."""

from __future__ import annotations

import pytest

from p2pcommerce.finality.ffg import journal as ffg
from p2pcommerce.finality.ffg.voting import Checkpoint, Link, proposed
from p2pcommerce.finality.journal import LogError
from p2pcommerce.finality.simplex import journal as simplex
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.ids import BlockHash

ONE, TWO = (Ballot(1, view, VoteKind.FINALIZE, b"\7" * 32) for view in (4, 5))
LINK = Link(0, Checkpoint(1, BlockHash(b"\1" * 32)), Checkpoint(2, BlockHash(b"\2" * 32)))


def test_what_is_needed_is_what_a_rewritten_log_says() -> None:
    needed = simplex.Journal(epoch=3, own=[ONE, TWO], halted="a second instance")
    rewrite = simplex.LOG.rewritten(needed, bytes(32), [BlockHash(b"\1" * 32), BlockHash(b"\1" * 32)])
    assert simplex.LOG.read(rewrite.records) == needed
    assert rewrite.blocks == (b"\1" * 32,)


def test_records_of_another_engine_are_refused_with_what_to_do() -> None:
    proposal = proposed(Ballot(0, 9, VoteKind.PROPOSE, b"\3" * 32))
    records = [ffg.LOG.epoch(0, bytes(32)), ffg.LOG.own(LINK), ffg.LOG.own(proposal)]
    assert ffg.LOG.read(records).own == [LINK, proposal]
    for log, foreign in ((simplex.LOG, records[0]), (ffg.LOG, simplex.LOG.own(ONE))):
        with pytest.raises(LogError, match=r"record 0: .*restore it from this node's own disk, and keep to the engine"):
            log.read([foreign])


def test_a_reason_is_cut_to_what_a_record_holds() -> None:
    assert ffg.LOG.read([ffg.LOG.halt("é" * 500)]).halted == "é" * 256
