"""The chain's parameters as the state keeps them, so that every rule is read from the state it applies to.

Kept in the state, they can be proven to somebody who has no genesis file, and a mempool check or a query needs nothing
but a view. Written once, at genesis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from p2pcommerce.commerce.kind import U63, Kind
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.primitives.codec import HASH, U64, record_of
from p2pcommerce.primitives.ids import GenesisHash

__all__ = ["RULES", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the application needs of the genesis; the numbers are those of `ChainParameters`.

    Attributes:
        chain_id: genesis hash, 32 bytes.
        supply_minor: every minor unit there will ever be.
        fee_floor: minor units per weight.
        byte_price: minor units of deposit per byte of state.
        term_s_min: least ship time and window of a team, seconds.
        confirm_s_min: least confirm and dispute time, seconds.
        term_s_max: most of all these times, seconds.
        done_order_s: how long a finished order is kept, seconds.
        protocol_fee_bps: basis points of a finished order's escrow.
        bond_minor_min: least stake that an account may have at a validator.
        unbonding_s: seconds from leaving the validator set to withdrawal.
        slash_bps: basis points of its stake that an offender loses.
        reporter_bps: basis points of that for the reporter.
    """

    chain_id: GenesisHash
    supply_minor: int
    fee_floor: int
    byte_price: int
    term_s_min: int
    confirm_s_min: int
    term_s_max: int
    done_order_s: int
    protocol_fee_bps: int
    bond_minor_min: int
    unbonding_s: int
    slash_bps: int
    reporter_bps: int

    @classmethod
    def of(cls, genesis: Genesis) -> Rules:
        """Return the rules of a network."""
        parameters = genesis.parameters
        return cls(
            chain_id=genesis.hash,
            supply_minor=genesis.supply_minor,
            fee_floor=parameters.fee_floor,
            byte_price=parameters.byte_price,
            term_s_min=parameters.term_s_min,
            confirm_s_min=parameters.confirm_s_min,
            term_s_max=parameters.term_s_max,
            done_order_s=parameters.done_order_s,
            protocol_fee_bps=parameters.protocol_fee_bps,
            bond_minor_min=parameters.bond_minor_min,
            unbonding_s=parameters.unbonding_s,
            slash_bps=parameters.slash_bps,
            reporter_bps=parameters.reporter_bps,
        )


RULES: Final = Kind(
    "rules",
    b"\x01",
    record_of(
        Rules,
        chain_id=HASH,
        supply_minor=U63,
        fee_floor=U64,
        byte_price=U64,
        term_s_min=U64,
        confirm_s_min=U64,
        term_s_max=U64,
        done_order_s=U64,
        protocol_fee_bps=U64,
        bond_minor_min=U64,
        unbonding_s=U64,
        slash_bps=U64,
        reporter_bps=U64,
    ),
    size=lambda _: 0,
)
