"""Deliberate bugs of blocks, catching up, money and pools."""

from __future__ import annotations

from campaigns import CHEATS, FALSE_TIME, FLOOD, INVALID, LIARS, MARKET, QUIET
from plants import Edit, Mutant

CHAIN = "node/chain.py"
REPLICA = "finality/simplex/replica.py"

BUGS = (
    # --- blocks ---
    Mutant(
        "state_root_unchecked",
        "a block commits to another state than its execution gives",
        INVALID,
        (Edit(CHAIN, "if version.root != header.state_root:", "if not version.root:"),),
    ),
    Mutant(
        "receipts_root_unchecked",
        "a block commits to other outcomes than its execution gives",
        INVALID,
        (Edit(CHAIN, "if receipts_root(run.outcomes) != header.receipts_root:", "if not header.receipts_root:"),),
    ),
    Mutant(
        "signatures_unchecked",
        "a block may hold a transaction that its sender did not sign",
        CHEATS,
        (
            Edit(
                CHAIN,
                "if is_verified is not None and not is_verified(tx_id) and not transaction.verify(self._scheme):",
                "if is_verified is None and not transaction.verify(self._scheme):",
            ),
        ),
    ),
    Mutant(
        "time_unchecked",
        "a block may be dated far ahead",
        FALSE_TIME,
        (
            Edit(
                REPLICA,
                "if header.time_ms * 1_000 > now + state.parameters.future_ms * 1_000:",
                "if header.time_ms < 0:",
            ),
        ),
    ),
    Mutant(
        "synced_without_proof",
        "a block that a peer serves needs no proof of finality",
        LIARS,
        (Edit("sync/run.py", "if not verify(block.header, message.proof):", "if not message.proof:"),),
    ),
    Mutant(
        "synced_twice",
        "a block that was caught up may be applied again",
        LIARS,
        (
            Edit(
                "node/agreement.py",
                "            if header.height <= self._chain.head.height:\n                continue\n",
                "",
            ),
            Edit("sync/sync.py", "blocks = run.above(self.delivered.height)", "blocks = run.blocks"),
        ),
    ),
    # --- money and goods ---
    Mutant(
        "nonce_unchecked",
        "a transaction may stand in the chain again",
        CHEATS,
        (Edit("commerce/application.py", "if transaction.nonce != nonce:", "if transaction.nonce > nonce:"),),
    ),
    Mutant(
        "fee_not_charged",
        "a transaction costs nothing",
        QUIET,
        (
            Edit(
                "commerce/application.py",
                "ledger.debit(transaction.payer, transaction.fee + deposit_minor)",
                "ledger.debit(transaction.payer, deposit_minor)",
            ),
            Edit("commerce/application.py", "        ledger.fee_pot_minor += transaction.fee\n", ""),
        ),
    ),
    Mutant(
        "fee_minted",
        "the proposer's fees are made from nothing, and the block's audit is off",
        QUIET,
        (
            Edit(
                "commerce/application.py",
                "ledger.debit(transaction.payer, transaction.fee + deposit_minor)",
                "ledger.debit(transaction.payer, deposit_minor)",
            ),
            Edit(
                "commerce/application.py",
                "        audit_block(genesis.supply_minor, parameters.byte_price, view, changes, self.kinds, "
                "self._audited)",
                "        return",
            ),
        ),
    ),
    Mutant(
        "transfer_to_self_mints",
        "a transfer to oneself adds the amount",
        QUIET,
        (
            Edit(
                "commerce/transfer.py",
                "        ledger.debit(call.sender, self.amount_minor)\n",
                "        if self.to != call.sender:\n            ledger.debit(call.sender, self.amount_minor)\n",
            ),
        ),
    ),
    Mutant(
        "escrow_paid_twice",
        "a confirmed order pays the store twice",
        MARKET,
        (
            Edit(
                "commerce/order_money.py",
                "ledger.credit(order.store, store_minor)",
                "ledger.credit(order.store, 2 * store_minor)",
            ),
        ),
    ),
    Mutant(
        "escrow_to_buyer",
        "a confirmed order pays the buyer",
        MARKET,
        (
            Edit(
                "commerce/order_money.py",
                "ledger.credit(order.store, store_minor)",
                "ledger.credit(order.buyer, store_minor)",
            ),
        ),
    ),
    Mutant(
        "anyone_confirms",
        "an order may be confirmed by anybody",
        MARKET,
        (
            Edit(
                "commerce/order_machine.py",
                'Transition("order.confirm", Who.BUYER, _S.SHIPPED,',
                'Transition("order.confirm", Who.ANYONE, _S.SHIPPED,',
            ),
        ),
    ),
    Mutant(
        "anyone_refunds",
        "an order may be refunded by anybody",
        MARKET,
        (
            Edit(
                "commerce/order_machine.py",
                'Transition("order.refund", Who.FULFIL, _S.PLACED, When.IN_TIME, Effect.UNDO',
                'Transition("order.refund", Who.ANYONE, _S.PLACED, When.IN_TIME, Effect.UNDO',
            ),
        ),
    ),
    Mutant(
        "expiry_unchecked",
        "a transaction may be included after its expiry",
        CHEATS,
        (
            Edit(
                "commerce/application.py",
                "if transaction.expires_height < height:",
                "if transaction.expires_height < 0:",
            ),
        ),
    ),
    Mutant(
        "refund_keeps_escrow",
        "a refund in full closes the order, and the store keeps the money",
        MARKET,
        (
            Edit(
                "commerce/order_money.py",
                "        ledger.credit(order.payer, cash_minor)\n",
                "        ledger.credit(order.store, cash_minor)\n",
            ),
        ),
    ),
    # --- pools ---
    Mutant(
        "pool_unbounded",
        "a pool takes more transactions than it may hold",
        FLOOD,
        (
            Edit(
                "mempool/pool.py",
                "        if count <= 0 and size <= 0:\n            return []",
                "        if size <= 0:\n            return []",
            ),
            Edit(
                "mempool/pool.py",
                "return len(self._by_id) + count <= parameters.count_max and self",
                "return self",
            ),
        ),
    ),
    Mutant(
        "pool_keeps_final",
        "a final transaction is not taken out of the pool as such",
        QUIET,
        (Edit("mempool/mempool.py", "            self._pool.remove_final(tx_id)\n", ""),),
    ),
)
