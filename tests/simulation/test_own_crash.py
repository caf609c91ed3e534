"""What a host has accepted is final in the end, wherever its power fails."""

from __future__ import annotations

import pytest

from p2pcommerce.commerce import Transfer, build_transaction
from p2pcommerce.primitives.errors import RejectionCode
from p2pcommerce.simulation.options import node_seed
from tests.simulation.worlds import SECOND, started

COUNT = 12


@pytest.mark.parametrize("steps", [*range(0, 48, 4), 80, 120, 1_000])
def test_what_was_accepted_is_final_wherever_the_power_fails(steps):
    world = started(seed=steps + 1)
    host, *others = world.hosts
    for other in others:  # nobody else hears of it, and nothing becomes final
        other.stays_down = True
        other.crash()
    seed, payload = node_seed(0), Transfer(to=others[0].key, amount_minor=1)
    accepted, sent = [], []
    host.arm_crash(steps)
    for nonce in range(COUNT):
        transaction = build_transaction(payload, world.genesis, seed, nonce, 10**6, scheme=world.scheme)

        def told(code, tx_id=transaction.id):
            assert code is RejectionCode.OK
            accepted.append(tx_id)

        if host.is_up and world.hand_in(host, transaction, told):
            sent.append(transaction.id)
        world.run_until(world.now_us + SECOND // 1_000)
    world.run_until(world.now_us + SECOND // 20)
    host.crash(power_loss=True)
    host.start()
    world.run_until(world.now_us + SECOND // 20)
    assert [tx_id for tx_id in accepted if tx_id not in host.node.mempool] == []
    for other in others:
        other.stays_down = False
        other.start()
    final = set()
    world.subscribe(lambda committed: final.update(committed.block.transaction_ids))
    world.run_until(world.now_us + 8 * SECOND)
    assert set(accepted) <= final <= set(sent)
    assert world.defect is None
    if steps == 1_000:
        assert len(accepted) == COUNT
