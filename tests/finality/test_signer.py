"""Own messages: remembered up to a limit, and none of a second instance is taken for one's own."""

from __future__ import annotations

from p2pcommerce.finality import engine as seam
from p2pcommerce.finality.ffg.signer import LinkSigner
from p2pcommerce.finality.ffg.voting import Checkpoint, Link, proposed
from p2pcommerce.finality.signer import OWN_MAX, SECOND
from p2pcommerce.finality.simplex.signer import BallotSigner
from p2pcommerce.finality.voting import Ballot, VoteKind
from p2pcommerce.primitives.ids import BlockHash
from tests.finality.bench import Bench


def ballot(view: int, name: bytes = b"\1", epoch: int = 0) -> Ballot:
    return Ballot(epoch, view, VoteKind.NOTARIZE, name * 32)


def context() -> seam.Context:
    return Bench().engine._running.state.context


def test_own_messages_are_remembered_up_to_a_limit_and_the_lowest_is_forgotten() -> None:
    out: list[seam.Effect] = []
    signer = BallotSigner(context(), out)
    signer.restore([ballot(view) for view in range(1, OWN_MAX + 11)])
    assert signer.knows(ballot(11))
    assert not signer.knows(ballot(11, b"\2"))
    assert signer.knows(ballot(10, b"\2")), "it may have been forgotten"
    assert not signer.knows(ballot(OWN_MAX + 11)), "above the last one"
    assert not out


def test_a_limit_of_links_takes_no_proposal() -> None:
    signer = LinkSigner(context(), [])
    zero = Checkpoint(0, BlockHash(bytes(32)))
    proposal = proposed(Ballot(0, 3, VoteKind.PROPOSE, b"\1" * 32))
    links = [Link(0, zero, Checkpoint(index, BlockHash(b"\1" * 32))) for index in range(1, OWN_MAX + 5)]
    signer.restore([proposal, *links])
    assert not signer.knows(proposed(Ballot(0, 3, VoteKind.PROPOSE, b"\2" * 32)))
    assert [own.slot for own in signer.last] == ["LINK", "PROPOSE 0"]
    assert (signer.last_link, signer.last_proposal) == (links[-1], proposal)


def test_a_message_of_a_later_epoch_in_the_log_stops_the_signer_until_its_chain_is_there() -> None:
    signer = BallotSigner(context(), [])
    signer.ready = True
    assert signer.may(ballot(1))
    signer.restore([ballot(4, epoch=2)])
    assert signer.is_behind
    assert not signer.may(ballot(5))


def test_a_halt_is_durable_once_and_for_good() -> None:
    out: list[seam.Effect] = []
    signer = BallotSigner(context(), out)
    signer.check(ballot(7))
    signer.check(ballot(8))
    assert [type(effect) for effect in out] == [seam.Persist, seam.Halt]
    assert signer.halted == "a second instance signs with this key: NOTARIZE 7 of epoch 0 was not made here; " + SECOND
    signer.ready = True
    assert not signer.cast(ballot(9))
