"""The cores that catch up: blocks and snapshots from peers that may say anything; see `cores`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from fuzz.decoders import light_client
from fuzz.rig import Rig, keep_within
from fuzz.station import genesis_of
from fuzz.target import Form, Step, Target
from fuzz.verdicts import check
from p2pcommerce.commerce import Commerce
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.epochs import founding_state
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.node.chain import genesis_header
from p2pcommerce.node.epoch_links import decode_link
from p2pcommerce.node.light import LightClient, NotFinalError
from p2pcommerce.primitives.compat import override
from p2pcommerce.primitives.ids import Height, PeerId
from p2pcommerce.sync import Restore, RestoreParameters, Sync, SyncParameters
from p2pcommerce.sync.effects import Ready
from p2pcommerce.sync.effects import SendTo as Synced
from p2pcommerce.sync.restore_effects import Ask
from p2pcommerce.wire import messages as wire

__all__ = ["catching_up_targets"]


class _SyncRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        genesis = genesis_of("simplex")
        changes = founding_state(genesis, Commerce().genesis(genesis))
        root = VersionedState({key: value for key, value in changes.items() if value is not None}).final.root
        self.parameters = SyncParameters(buffered_bytes_max=6 * 2**20, grace_blocks=0)
        first = genesis_header(genesis, root)
        self.core = Sync(self.parameters, lambda _, proof: proof[-1:] != b"\xee", first, random.Random(1))

    @override
    def connect(self, peer: PeerId, step: Step) -> None:
        del step
        self.core.on_connected(peer, self.now)

    @override
    def disconnect(self, peer: PeerId) -> None:
        self.core.on_disconnected(peer, self.now)

    @override
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        match message:
            case wire.Status():
                self.do(self.core.on_status(peer, message, self.now))
            case wire.Blocks():
                self.do(self.core.on_blocks(peer, message, self.now))
            case _:
                return
        self.accepted = True

    @override
    def other(self, step: Step, peer: PeerId) -> None:
        del peer
        if step.code == 4:
            self.core.set_horizon(Height(step.argument * 64))
        else:
            self.core.set_live(live=step.argument % 2 == 0)

    @override
    def do(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            match effect:
                case Synced(peer, message):
                    check(peer in self.connected, "a question for somebody who is not connected")
                    wire.encode_message(message)
                case Ready():
                    for block, _ in effect.blocks:
                        self.core.on_delivered(block.header, self.now)
                case _:
                    pass

    @override
    def check_bounds(self) -> None:
        keep_within(self.core.statistics(), {"buffered_bytes": self.parameters.buffered_bytes_max})


class _Trail:
    """What a restoring node trusts; as `node.restoring` has it."""

    def __init__(self, client: LightClient) -> None:
        self._client = client

    @property
    def epoch(self) -> int:
        """How far it is trusted."""
        return self._client.epoch

    def follow(self, links: Sequence[bytes], now: int) -> None:
        """Follow links."""
        self._client.follow([decode_link(raw) for raw in links], now)

    @property
    def is_doubtful(self) -> bool:
        """It begins with the genesis, which no operator named."""
        return False

    def believes(self, epoch: int, now: int) -> bool:
        """Tell whether an epoch's validators count."""
        return self._client.believes(epoch, now)

    def is_final(self, header: Header, proof: bytes, now: int) -> bool:
        """Tell whether a header is final."""
        try:
            self._client.verify_header(header, proof, now)
        except NotFinalError:
            return False
        return True


class _RestoreRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        genesis = genesis_of("simplex")
        parameters = RestoreParameters(state_bytes_max=2**20)
        trail = _Trail(light_client())
        self.core = Restore(parameters, trail, genesis.hash, 0, random.Random(1), self.now)

    @override
    def connect(self, peer: PeerId, step: Step) -> None:
        del step
        self.core.on_connected(peer)

    @override
    def disconnect(self, peer: PeerId) -> None:
        self.core.on_disconnected(peer)

    @override
    def hear(self, peer: PeerId, message: wire.Message) -> None:
        match message:
            case wire.Snapshot():
                self.do(self.core.on_snapshot(peer, message, self.now))
            case wire.Links():
                self.do(self.core.on_links(peer, message, self.now))
            case wire.Chunk():
                self.do(self.core.on_chunk(peer, message, self.now))
            case _:
                return
        self.accepted = True

    @override
    def other(self, step: Step, peer: PeerId) -> None:
        del step, peer

    @override
    def do(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Ask):
                check(effect.peer in self.connected, "a question for somebody who is not connected")
                wire.encode_message(effect.message)

    @override
    def check_bounds(self) -> None:
        return


def catching_up_targets() -> tuple[Target, ...]:
    """Return the targets of this room."""
    return (
        Target("core.sync", lambda data: _SyncRig().run(data), (), Form.SCRIPT),
        Target("core.restore", lambda data: _RestoreRig().run(data), (), Form.SCRIPT),
    )
