"""Sending what was planned: order between senders, a bound on what is under way, and failures on the chain."""

import dataclasses
from dataclasses import dataclass

import pytest

from p2pcommerce.cli.trace_import import _OPEN_MAX, ImportStoppedError, import_events
from p2pcommerce.cli.trace_plan import Planned
from p2pcommerce.commerce import TraceReceive
from p2pcommerce.ledger.receipt import Receipt
from p2pcommerce.ledger.transaction import decode_transaction
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.runtime.control_client import QueryAnswer
from tests.runtime.nodes import genesis_of, identity

GENESIS = genesis_of()


@dataclass
class Control:
    """A node that takes everything; `codes` are the outcomes in order, OK where there is none."""

    codes: tuple = ()

    def __post_init__(self):
        self.log, self.open, self.sent, self.most = [], [], [], 0

    async def query(self, name):
        return QueryAnswer(height=len(self.log), value={})

    async def submit(self, raw):
        transaction = decode_transaction(raw)
        assert all(sender == transaction.sender for _, sender in self.open), "two senders' transactions at once"
        self.log.append((transaction.sender, transaction.nonce, transaction.fee, transaction.expires_height))
        self.sent.append(transaction)
        self.open.append((transaction.id, transaction.sender))
        self.most = max(self.most, len(self.open))
        return transaction.id

    async def wait(self, tx_id):
        place = next(place for place, (open_id, _) in enumerate(self.open) if open_id == tx_id)
        assert place == 0
        self.open.pop(0)
        index = len(self.log) - len(self.open) - 1
        code = self.codes[index] if index < len(self.codes) else RejectionCode.OK
        return Receipt(1, 0, bytes(32), tx_id, code, (), "" if code is RejectionCode.OK else "it was sent to another")


def planned(*signers):
    nonces = dict.fromkeys(signers, 0)
    made = []
    for place, number in enumerate(signers, 1):
        body = TraceReceive((place.to_bytes(2, "big"),), bytes(32), 5)
        made.append(Planned(place, body, PEOPLE[number], PEOPLE[number].public_key, nonces[number], 50_000))
        nonces[number] += 1
    return made


PEOPLE = [identity(number) for number in range(3)]


async def test_one_sender_s_transactions_are_final_before_the_next_one_s_are_sent():
    control = Control()
    await import_events(control, GENESIS, planned(0, 0, 1, 0))
    senders = [PEOPLE[number].public_key for number in (0, 0, 1, 0)]
    assert [entry[:2] for entry in control.log] == list(zip(senders, (0, 1, 0, 2), strict=True))
    assert control.open == []


async def test_few_are_under_way_at_once_and_expiry_follows_the_chain():
    control = Control()
    await import_events(control, GENESIS, planned(*[0] * (_OPEN_MAX + 5)))
    assert control.most == _OPEN_MAX
    expiries = [entry[3] for entry in control.log]
    assert expiries[0] < expiries[-1]


async def test_a_transaction_that_fails_on_the_chain_stops_the_import():
    control = Control((RejectionCode.OK, RejectionCode.FORBIDDEN))
    with pytest.raises(ImportStoppedError, match="event 2: FORBIDDEN: it was sent to another; give the command again"):
        await import_events(control, GENESIS, planned(0, 0, 1))
    assert len(control.log) == 2


async def test_an_active_key_signs_for_its_account():
    control, (one,) = Control(), planned(0)
    await import_events(control, GENESIS, [dataclasses.replace(one, sender=PEOPLE[1].public_key)])
    (transaction,) = control.sent
    assert (transaction.sender, transaction.key) == (PEOPLE[1].public_key, PEOPLE[0].public_key)
    assert transaction.verify(ED25519)


async def test_nothing_planned_sends_nothing():
    control = Control()
    await import_events(control, GENESIS, [])
    assert control.log == []
