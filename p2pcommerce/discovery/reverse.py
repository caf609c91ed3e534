"""Reverse dialling: a node that nobody can dial dials out when a peer of both passes on a signed request.

Three parts, and a node may play each:

- *Target*: who dials others for 20 s and is called by nobody says `TakesCalls` to its peers, and withdraws it when
  somebody calls. It dials what a request's signed record names, one address for one request.
- *Relay*: passes a request on as it came, to a connected peer that takes calls; at once or not at all.
- *Requester*: lacks a peer with a place of its own (a validator, a configured peer) that has no address, or whose
  addresses all failed twice; it asks three of its peers at a time until the peer has called.

Nobody is to be made a weapon. A relay takes a request from its signer alone, and only if every address of the record is
in the group from which the signer speaks; so the requester tells each relay the addresses alone for which it can vouch.
A relay may be hostile, so a target trusts none: it dials no names, for any number of them may lead to one place, over
all relays and requesters 16 times, then once in 4 s, in one address group 2 times, then once in 30 s, and for all
relays that speak from one group 2 times, then once in 30 s: who uses up what is dialled for it leaves the rest to
relays elsewhere. A request costs as much to send as the dial that it causes. The connection takes the place of an
inbound one at the target: whoever asks gains nothing over one who calls. A dial that fails changes nothing but a
counter; nothing is learnt of the address. Which peers a node has is told to nobody: a relay gives no answer, and
whoever asks waits for none: it asks others until the target calls.

Source: the discovery section of the networking specification (reverse dialling through a mutual peer).
Deviations: a node whose record holds names alone, or global addresses of several groups of one family, is passed on by
nobody.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

from p2pcommerce.discovery.book import Book
from p2pcommerce.discovery.call_request import check_call, is_fresh, sign_call
from p2pcommerce.discovery.connections import Connection, Connections
from p2pcommerce.discovery.dial_plan import DialPlan
from p2pcommerce.discovery.dialling import Dialling, Purpose
from p2pcommerce.discovery.effects import Dial, Effect, SendTo
from p2pcommerce.discovery.group import is_local, is_name, source_group_of
from p2pcommerce.discovery.reach import Reach
from p2pcommerce.discovery.record import PeerRecord, RecordExpiredError, decode_record, narrow_record
from p2pcommerce.primitives.buckets import Buckets
from p2pcommerce.primitives.core import earliest
from p2pcommerce.primitives.crypto import SignatureScheme
from p2pcommerce.primitives.ids import MICROSECONDS, GenesisHash, PeerId
from p2pcommerce.wire.messages import CallBack, TakesCalls

__all__ = ["SILENT_US", "ReverseDialling"]

SILENT_US: Final = 20 * MICROSECONDS
"""Who dials others for so long and is called by nobody takes calls."""
FAILURES_MIN: Final = 2
"""Each address of a peer failed so often before others are asked to reach it."""
WAVE: Final = 3
"""Peers that are asked at a time for one target."""
WAVE_US: Final = 2 * MICROSECONDS
"""Until the next are asked."""
AGAIN_US: Final = 60 * MICROSECONDS
"""Until a peer is asked again for the same target."""
TARGETS_MAX: Final = 32
"""Peers that others are asked for at one time; of more, others after `AGAIN_US`."""
ASKED_MAX: Final = TARGETS_MAX * 64
"""Questions that are remembered."""
_KEYS_MAX: Final = 1_024
_ALL: Final = b""
_FAMILY_BYTES: Final = 4
"""A group of global addresses begins with `ip4 ` or `ip6 `."""


class ReverseDialling:
    """The requests of one node, and those that it passes on or follows.

    Attributes:
        deadline: when `plan` is to be called again, microseconds; None: when who is connected has changed.
    """

    def __init__(
        self,
        own: PeerId,
        genesis_hash: GenesisHash,
        scheme: SignatureScheme,
        rng: random.Random,
        book: Book,
        connections: Connections,
        dialling: Dialling,
        plan: DialPlan,
        reach: Reach,
        counters: Counter[str],
    ) -> None:
        """Work over what the other rooms keep; see `Discovery`."""
        self.deadline: int | None = None
        self._own, self._genesis_hash, self._scheme, self._rng = own, genesis_hash, scheme, rng
        self._book, self._connections, self._dialling, self._plan = book, connections, dialling, plan
        self._reach, self._counters = reach, counters
        self._record: PeerRecord | None = None
        self._sign: Callable[[bytes], bytes] | None = None
        self._issued_ms = 0
        self._told: dict[PeerId, tuple[Connection, bool]] = {}
        self._willing: dict[PeerId, None] = {}
        self._next_us: dict[PeerId, int] = {}
        self._asked_us: dict[tuple[PeerId, PeerId], int] = {}
        self._last_ms: dict[PeerId, int] = {}
        # What a requester allows itself is half of what a relay takes of it, so that no honest one meets the limit.
        self._to_ask: Buckets[PeerId] = Buckets(4, 10 * MICROSECONDS, _KEYS_MAX)
        self._of_requester: Buckets[PeerId] = Buckets(8, 5 * MICROSECONDS, _KEYS_MAX)
        self._to_target: Buckets[PeerId] = Buckets(4, 10 * MICROSECONDS, _KEYS_MAX)
        self._relayed: Buckets[bytes] = Buckets(32, MICROSECONDS // 4, 1)
        self._of_relay: Buckets[PeerId] = Buckets(8, 5 * MICROSECONDS, _KEYS_MAX)
        self._for_requester: Buckets[bytes] = Buckets(2, 30 * MICROSECONDS, _KEYS_MAX)
        self._in_group: Buckets[bytes] = Buckets(2, 30 * MICROSECONDS, _KEYS_MAX)
        self._through: Buckets[bytes] = Buckets(2, 30 * MICROSECONDS, _KEYS_MAX)
        self._dialled: Buckets[bytes] = Buckets(16, 4 * MICROSECONDS, 1)  # eight times what is dialled through one

    # --- inputs ---

    def set_caller(self, record: bytes, sign: Callable[[bytes], bytes]) -> None:
        """Ask in this node's name from now on.

        Args:
            record: its own, as signed; without addresses it asks for nothing, for nobody could dial it.
            sign: signs bytes with its key, 64 bytes.

        Raises:
            CodecError: the record is malformed.
            RecordAddressError: it names no place.
        """
        self._record, self._sign = decode_record(record), sign

    def is_awaited(self, peer: PeerId) -> bool:
        """Tell whether a peer (32 bytes) that calls was asked to."""
        return peer in self._next_us

    def on_takes_calls(self, peer: PeerId, *, is_willing: bool) -> list[Effect]:
        """A peer (32 bytes) says whether requests for it are to be passed on."""
        if is_willing and peer in self._connections:
            self._willing[peer] = None
        else:
            self._willing.pop(peer, None)
        return []

    def on_call(self, peer: PeerId, call: CallBack, now: int) -> list[Effect]:
        """A peer (32 bytes) asks for a call, or passes on that somebody does.

        Raises:
            CodecError, RecordError, CallSignatureError: what no honest peer sends or passes on.
        """
        try:
            outcome = self._follow(peer, call, now) if call.target == self._own else self._pass_on(peer, call, now)
        except RecordExpiredError:
            outcome = "CALLS_EXPIRED"
        if isinstance(outcome, str):
            self._counters[outcome] += 1
            return []
        return [outcome]

    def plan(self, now: int) -> list[Effect]:
        """Say whether calls are taken here, and ask for those that are lacking."""
        for kept in (self._told, self._willing):
            for peer in [peer for peer in kept if peer not in self._connections]:
                del kept[peer]
        silent_us = self._reach.silent_from_us(SILENT_US)
        self.deadline = silent_us if silent_us is not None and silent_us > now else None
        return [*self._tell(now), *self._ask(now)]

    # --- target ---

    def _tell(self, now: int) -> list[SendTo]:
        """Tell peers what they were not told over the connection that stands."""
        is_willing = self._reach.is_silent(now, SILENT_US)
        effects: list[SendTo] = []
        for peer, connection in self._connections.items():
            over, was_willing = self._told.get(peer, (connection, False))
            if (over is connection and was_willing) is not is_willing:
                effects.append(SendTo(peer, TakesCalls(is_willing)))
            self._told[peer] = connection, is_willing
        return effects

    def _follow(self, relay: PeerId, call: CallBack, now: int) -> Dial | str:
        """Dial whoever asks; or return why not."""
        connection = self._connections.get(relay)
        if connection is None or not self._reach.is_silent(now, SILENT_US):
            return "CALLS_NOT_TAKEN"
        if not self._of_relay.take(relay, now):
            return "CALLS_OVER_RATE"
        if not is_fresh(call, now):
            return "CALLS_EXPIRED"
        record = check_call(call, self._scheme, self._genesis_hash, now)
        requester = record.public_key
        if call.issued_ms <= self._last_ms.get(requester, 0):
            return "CALLS_REPEATED"
        self._last_ms.pop(requester, None)
        self._last_ms[requester] = call.issued_ms
        if len(self._last_ms) > _KEYS_MAX:
            del self._last_ms[next(iter(self._last_ms))]
        under_way = self._dialling.peers_in_flight
        if requester == self._own or requester in self._connections or requester in under_way:
            return "CALLS_NEEDLESS"
        return self._dial(record, connection, now)

    def _dial(self, record: PeerRecord, relay: Connection, now: int) -> Dial | str:
        """Dial one address of a record, but no name; of a relay from afar local addresses mean nothing here."""
        places = [
            address
            for address in record.addresses
            if address not in self._plan.bootstrap
            and (relay.source.is_local if is_local(address) else not is_name(address))
        ]
        address = self._dialling.best(places, now)
        if address is None or not self._plan.has_room:
            return "CALLS_WITHOUT_PLACE"
        # By host where addresses are local, so that nobody has the ports of a neighbour tried.
        group = source_group_of(address)
        limits: tuple[tuple[Buckets[bytes], bytes], ...] = (
            (self._for_requester, record.public_key),
            (self._in_group, group),
            (self._through, relay.source.group),
            (self._dialled, _ALL),
        )
        if not all(limit.has(key, now) for limit, key in limits):
            return "CALLS_OVER_RATE"  # which costs nobody a turn
        for limit, key in limits:
            limit.take(key, now)
        self._counters["CALLS_DIALLED"] += 1
        self._dialling.start(address, record.public_key, purpose=Purpose.CALLED, now=now)
        return Dial(address, record.public_key)

    # --- relay ---

    def _pass_on(self, requester: PeerId, call: CallBack, now: int) -> SendTo | str:
        """Pass a request on; or return why not."""
        if not self._of_requester.take(requester, now):
            return "CALLS_OVER_RATE"
        target, asker = PeerId(call.target), self._connections.get(requester)
        if asker is None or target not in self._connections or target not in self._willing:
            return "CALLS_NOT_HERE"
        if not is_fresh(call, now):
            return "CALLS_EXPIRED"
        record = check_call(call, self._scheme, self._genesis_hash, now, requester)
        if not record.addresses or not (
            asker.source.is_local or all(source_group_of(address) == asker.source.group for address in record.addresses)
        ):
            return "CALLS_FROM_ELSEWHERE"
        if not self._to_target.take(target, now) or not self._relayed.take(_ALL, now):
            return "CALLS_OVER_RATE"
        self._counters["CALLS_RELAYED"] += 1
        return SendTo(target, call)

    # --- requester ---

    def _ask(self, now: int) -> list[SendTo]:
        """Ask some peers for each target whose turn it is."""
        targets = self._targets(now) if self._record is not None and self._record.addresses else []
        self._next_us = {target: self._next_us.get(target, now) for target in targets}
        self._asked_us = {key: at for key, at in self._asked_us.items() if at + AGAIN_US > now}
        effects: list[SendTo] = []
        for target in [target for target, next_us in self._next_us.items() if next_us <= now]:
            wave = self._wave(target, now)
            effects += wave
            self._next_us[target] = now + (WAVE_US if wave else 5 * WAVE_US)
        self.deadline = earliest(self.deadline, *self._next_us.values())
        return effects

    def _targets(self, now: int) -> list[PeerId]:
        """Return the peers with places of their own that this node cannot dial: of many, some in turn."""
        lacking = [peer for peer in self._plan.reserved if peer not in self._connections and peer != self._own]
        targets = [peer for peer in lacking if self._connections and self._is_out_of_reach(peer)]
        if len(targets) <= TARGETS_MAX:
            return targets
        first = now // AGAIN_US * TARGETS_MAX % len(targets)
        return [*targets[first:], *targets[:first]][:TARGETS_MAX]

    def _is_out_of_reach(self, peer: PeerId) -> bool:
        entry = self._book.get(peer)
        places = [] if entry is None else list(entry.addresses)
        places += [address for address, who in self._plan.bootstrap.items() if who == peer]
        return all(self._dialling.failures(address) >= FAILURES_MIN for address in places)

    def _wave(self, target: PeerId, now: int) -> list[SendTo]:
        """Ask a few peers that were not asked for this target lately."""
        peers = [peer for peer in self._connections if (target, peer) not in self._asked_us and self._told_to(peer)]
        chosen = [peer for peer in self._rng.sample(peers, min(WAVE, len(peers))) if self._to_ask.take(peer, now)]
        if self._record is None or self._sign is None or len(self._asked_us) + len(chosen) > ASKED_MAX:
            return []
        self._issued_ms = max(self._issued_ms + 1, now // 1_000)
        self._asked_us.update({(target, peer): now for peer in chosen})
        self._counters["CALLS_ASKED"] += len(chosen)
        effects: list[SendTo] = []
        for peer in chosen:
            told = self._told_to(peer)
            record = self._record if told == self._record.addresses else narrow_record(self._record, told, self._sign)
            call = sign_call(self._sign, self._genesis_hash, target, self._issued_ms, record.raw)
            effects.append(SendTo(peer, call))
        return effects

    def _told_to(self, relay: PeerId) -> tuple[str, ...]:
        """Return those own addresses for which a connected peer can vouch: of the family in which it is spoken to."""
        source, record = self._connections[relay].source, self._record
        if record is None or source.is_local:
            return () if record is None else record.addresses
        family = source.group[:_FAMILY_BYTES]
        return tuple(
            address
            for address in record.addresses
            if not is_name(address) and source_group_of(address)[:_FAMILY_BYTES] == family
        )
