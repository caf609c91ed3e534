"""One node as one core.

Made of the smaller cores, it routes each message to the room that owns it, and each room's effects to where they are
done: a transaction from a peer goes to the router (seen?), to the pool (valid?), back to the router (who wants it?); a
proposal to the engine, which asks for bodies, execution, signatures and the log; a final block to the pool, the router
and the store.

It does no I/O and reads no clock: the trio shell drives it over sockets and files, the simulator over its event queue.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from p2pcommerce.discovery import BookError, Discovery
from p2pcommerce.discovery import effects as discovery
from p2pcommerce.finality.engine import EngineStatus, FinalityEngine
from p2pcommerce.gossip import Post, Validator, load_scores
from p2pcommerce.ledger.application import Application
from p2pcommerce.ledger.block import Header
from p2pcommerce.ledger.genesis import Genesis
from p2pcommerce.ledger.state import VersionedState
from p2pcommerce.ledger.transaction import transaction_id
from p2pcommerce.mempool import Mempool, Verifier
from p2pcommerce.node.chain import Chain, genesis_header
from p2pcommerce.node.connected import Connected
from p2pcommerce.node.effects import Attach, Close, Effect, OffenceFound, Transmit
from p2pcommerce.node.epochs import EpochRules
from p2pcommerce.node.execution import Executed
from p2pcommerce.node.inbox import Inbox
from p2pcommerce.node.off_chain import OffChain
from p2pcommerce.node.parameters import NodeParameters
from p2pcommerce.node.saved_peers import split_peers
from p2pcommerce.node.submissions import SUBMISSIONS_MAX
from p2pcommerce.node.switchboard import Switchboard
from p2pcommerce.node.timetable import Timetable
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError
from p2pcommerce.primitives.ids import BlockHash, Height, PeerId, PublicKey, TransactionId
from p2pcommerce.wire.messages import Message

__all__ = ["SUBMISSIONS_MAX", "Connected", "Node", "NodeParameters"]


class Node:
    """The composite core.

    Attributes:
        public_key: this node's identity, 32 bytes.
        genesis: the network's.
        application: what the chain is for.
        chain: the final state and the blocks above it.
        mempool: what waits.
        off_chain: blobs and sealed messages.
        discovery: finds peers; sources of records and addresses tell it what they found.
    """

    def __init__(
        self,
        *,
        public_key: PublicKey,
        genesis: Genesis,
        application: Application,
        engine: FinalityEngine,
        scheme: SignatureScheme,
        rng: random.Random,
        parameters: NodeParameters | None = None,
        bootstrap: Sequence[str] = (),
        state: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]],
        head: Header | None = None,
        proof: bytes = b"",
        verifier: Verifier | None = None,
    ) -> None:
        """Put a node together from what its store holds.

        Args:
            public_key: 32 bytes; the node votes in the epochs of whose validators it is one.
            genesis: the network.
            application: what the chain is for.
            engine: decides.
            scheme: verifies signatures.
            rng: draws jitter and picks.
            parameters: the numbers of the rooms.
            bootstrap: addresses to begin with.
            state: the final state, as a map or as its keys and values in any order.
            head: header of the last final block; None at genesis.
            proof: its proof.
            verifier: checks signatures of what enters the pool, in place of the inline one.

        Raises:
            LocalProtocolError: state and head do not belong together.
            AddressError: a bootstrap address is malformed.
        """
        versions = VersionedState(state)
        parameters = NodeParameters() if parameters is None else parameters
        self._gossip = parameters.gossip
        head = genesis_header(genesis, versions.final.root) if head is None else head
        self.public_key = public_key
        self.genesis = genesis
        self.application = application
        self.chain = Chain(application, genesis, scheme, versions, head, proof, EpochRules(genesis, engine))
        self._engine = engine
        self._board = Switchboard(
            public_key=public_key,
            genesis=genesis,
            application=application,
            engine=engine,
            scheme=scheme,
            rng=rng,
            parameters=parameters,
            bootstrap=bootstrap,
            chain=self.chain,
            verifier=verifier,
        )
        self._inbox = Inbox(self._board)
        self._timetable = Timetable(self._board)
        self.mempool: Mempool = self._board.mempool
        self.off_chain: OffChain = self._board.off_chain
        self.discovery: Discovery = self._board.discovery

    # --- life ---

    def start(
        self,
        records: Sequence[bytes],
        signed: Mapping[str, bytes],
        book: bytes | None,
        own_addresses: Sequence[str],
        now: int,
        own: Sequence[bytes] = (),
    ) -> list[Effect]:
        """Begin, or begin again.

        Args:
            records: the write-ahead log, oldest first.
            signed: what the signing guard remembers.
            book: the saved address book and scores, if there are any.
            own_addresses: where this node listens.
            now: microseconds.
            own: the journal of own transactions, oldest record first.

        Raises:
            BookError: the book is damaged; nothing was begun.
            TrustExpiredError: what the node trusts is too old to follow others by; nothing was begun.
            CodecError: a record of the log that this version cannot read.
        """
        board = self._board
        board.subjectivity.check(now)
        if book is not None:
            self._restore_peers(book, now)
        board.discovery.set_own_addresses(own_addresses)
        effects = board.own.restore(own, now)
        board.private.resume(now)
        effects += board.after(board.agreement.start(records, signed, now), now)
        board.feed_own(now)
        return effects

    def _restore_peers(self, data: bytes, now: int) -> None:
        board = self._board
        book, saved = split_peers(data)
        try:
            scores = [] if saved is None else load_scores(saved, self._gossip, now)
        except CodecError as error:
            raise BookError(f"the scores of peers are damaged: {error}") from error
        board.discovery.load(book, now)
        board.router.scores.restore(scores, now)

    @property
    def deadline(self) -> int | None:
        """When it wants to be woken, microseconds."""
        return self._timetable.deadline

    def on_deadline(self, now: int) -> list[Effect]:
        """Act on the passing of time, and on what the inputs of this tick have gathered."""
        return self._timetable.on_deadline(now)

    # --- peers ---

    def on_connected(self, connected: Connected, now: int) -> list[Effect]:
        """Take a new link, or close it."""
        board, peer, link = self._board, connected.peer, connected.link
        remote = connected.remote or connected.address
        if not board.discovery.on_record(connected.peer_record, peer, now, remote):
            self._dial_failed(connected, now)
            return [Close(link, "BAD_RECORD", "its peer record is not good")]
        if board.router.is_banned(peer, now):
            self._dial_failed(connected, now)
            return [Close(link, "BANNED", "it misbehaved lately")]
        asked = board.discovery.on_connected(peer, connected.address, connected.outbound, now, remote)
        closing = {each.which: each for each in asked if isinstance(each, discovery.CloseOne) and each.peer == peer}
        effects: list[Effect] = []
        if (older := closing.get(discovery.Which.OLD)) is not None:
            effects += board.detach(peer, older.reason, "a newer connection takes its place", now)
        if (refused := closing.get(discovery.Which.NEW)) is not None:
            return [*effects, Close(link, refused.reason, f"discovery does not keep it: {refused.reason}")]
        others = [effect for effect in asked if effect not in closing.values()]
        if discovery.TakeGuest(peer) in asked:
            return [*effects, *board.discover(others, now), *board.guests.take(peer, link)]
        board.links[peer] = link
        board.rates.on_connected(peer)
        board.counters["connected"] += 1
        effects += [Attach(peer, link), Transmit(peer, board.pulse.on_connected(peer, now))]
        effects += board.discover(others, now)
        board.sync.on_connected(peer, now)
        board.final_blocks.on_connected(peer)
        effects += board.join_gossip(connected, now)
        effects += board.fee_floors.on_connected(peer)
        effects += board.offences.on_connected(peer, now)
        effects += board.off_chain.on_connected(peer, now)
        return effects + board.after(board.agreement.on_connected(peer, now), now)

    def _dial_failed(self, connected: Connected, now: int) -> None:
        if connected.address is not None:
            self._board.discovery.on_dial_failed(connected.address, now)

    def on_disconnected(self, peer: PeerId, link: int, now: int) -> list[Effect]:
        """A link has ended by itself."""
        board = self._board
        if board.links.get(peer) != link:
            board.guests.on_disconnected(peer, link, now)
            return []
        del board.links[peer]
        board.discovery.on_disconnected(peer, now)
        return board.forget_peer(peer, now)

    def on_dial_failed(self, address: str, now: int) -> list[Effect]:
        """A dial led to no connection."""
        self._board.discovery.on_dial_failed(address, now)
        return []

    def on_self_dialled(self, address: str) -> None:
        """An address is this node's own."""
        self._board.discovery.on_self_dialled(address)

    def has_room(self, peer: PeerId) -> bool:
        """Tell whether more may be read from a peer: if not, it is pushed back."""
        return self.mempool.has_room(peer)

    def on_message(self, peer: PeerId, message: Message, now: int) -> list[Effect]:
        """Take one message of a peer; of one that is not attached it is dropped."""
        if peer in self._board.links:
            return self._inbox.take(peer, message, now)
        return self._board.guests.on_message(peer, message, now)

    # --- answers of the runtime ---

    def can_submit(self) -> bool:
        """Tell whether a transaction may be submitted now: if not, wait for the end of the tick."""
        board = self._board
        return (
            not board.submissions.is_full and board.own.has_room(len(board.submissions)) and self.mempool.has_room(None)
        )

    def own(self) -> list[bytes]:
        """Return the transactions of this node's own users that are neither final nor dropped, as signed."""
        return self._board.own.raws()

    def unfinal(self) -> dict[BlockHash, Executed]:
        """Return the executed blocks above the final head, by hash."""
        return self.chain.unfinal

    def is_pending(self, tx_id: TransactionId) -> bool:
        """Tell whether a transaction (id of 32 bytes) waits here: in the pool, or on its way into it."""
        board = self._board
        return tx_id in self.mempool or tx_id in board.own or tx_id in board.submissions

    def on_submit(self, request: int, raw: bytes, now: int, *, is_private: bool = False) -> list[Effect]:
        """Take a transaction of this node's own user; the verdict comes as `Submitted`.

        A private one goes by a stem first: nobody but one peer hears of it here before others make it public.

        Raises:
            LocalProtocolError: `can_submit` was false.
        """
        if not self.can_submit():
            raise LocalProtocolError("the pool pushes back: ask can_submit before on_submit")
        tx_id = transaction_id(raw)
        if self._board.submissions.add(tx_id, request):
            if is_private:
                self._board.private.submit(tx_id, raw, now)
            else:
                self._board.router.mark_known(tx_id, now)
                self.mempool.submit(raw, None, tx_id, now)
        return []

    def on_signed(self, request: int, signature: bytes | None, now: int) -> list[Effect]:
        """Take a signature, or the guard's refusal."""
        return self._board.after(self._board.agreement.on_signed(request, signature, now), now)

    def on_loaded(self, request: int, rows: Sequence[tuple[bytes, bytes]]) -> list[Effect]:
        """Take blocks read from the store, without gaps: for each its bytes and its proof."""
        return self._board.serving.on_loaded(request, rows)

    def on_items(self, request: int, items: Sequence[bytes], now: int) -> list[Effect]:
        """Take what `LoadItems` asked for: for the engine (numbers below 0) or for a peer."""
        if request < 0:
            return self._board.after(self._board.agreement.on_recalled(-request, items, now), now)
        return self._board.archive.on_items(request, items)

    # --- topics of the embedding application ---

    def on_listen(self, topic: str, validator: Validator | None, now: int) -> tuple[int, list[Effect]]:
        """Listen to a topic; what comes is `Deliver`; return a number for `on_unlisten`, and effects.

        Raises:
            CodecError: the topic cannot be named so.
            LocalProtocolError: too many topics.
        """
        number, effects = self._board.router.topics.listen(topic, validator, now)
        return number, self._board.gossip(effects, now)

    def on_unlisten(self, number: int, now: int) -> list[Effect]:
        """Stop what `on_listen` began."""
        return self._board.gossip(self._board.router.topics.unlisten(number, now), now)

    def on_publish(self, post: Post, now: int) -> list[Effect]:
        """Send a post of this node's own to every peer that listens: one `Transmit` for each.

        Raises:
            LocalProtocolError: a validator here does not accept it.
        """
        return self._board.gossip(self._board.router.topics.publish(post, now), now)

    # --- what others may ask ---

    @property
    def height(self) -> Height:
        """Height of the last final block."""
        return self.chain.head.height

    def engine_status(self) -> EngineStatus:
        """Return where the engine stands."""
        return self._engine.status()

    def offences(self) -> tuple[OffenceFound, ...]:
        """Return the last offences that this node has learned of, the oldest first."""
        return tuple(self._board.offences.found)

    def rtt_us(self, peer: PeerId) -> int | None:
        """Return the round-trip time of a peer in microseconds, None if it is not known."""
        return self._board.pulse.rtt_us(peer)

    @property
    def observed_host(self) -> str | None:
        """The global IP address at which a majority of the peers that were dialled sees this node, None if unknown."""
        return self._board.discovery.observed_host

    def statistics(self) -> dict[str, Mapping[str, int]]:
        """Return the counters of every room."""
        board = self._board
        return {
            "node": dict(board.counters),
            "mempool": {
                **board.mempool.statistics(),
                "own": len(board.own),
                "own_bytes": board.own.total_bytes,
                **board.fee_floors.statistics(),
            },
            "gossip": {**board.router.statistics(), **board.relaying.statistics()},
            "discovery": board.discovery.statistics(),
            "sync": {**board.sync.statistics(), **board.restoring.counters},
            "finality": self._engine.status().counters,
            "offences": dict(board.offences.counters),
            "blobs": board.off_chain.blobs.statistics(),
            "messages": board.off_chain.mailbox.statistics(),
            "blocks": {
                **board.agreement.counters,
                **board.bodies.counters,
                **board.serving.counters,
                **board.archive.counters,
                **board.final_blocks.statistics(),
            },
        }
