"""DNS seeds: names whose TXT records hold addresses or signed peer records.

`dns_seeds = ["seed.example"]` in the configuration. A node that knows nobody asks at once; one that has an address book
waits 11 s and asks only if it has fewer than two peers by then, so that seeds are neither needed nor told of every
start. While it has fewer than two, it asks again after a minute, then after pauses that double up to an hour.

A resolver may hang, refuse or lie: each question has a limit of time, an answer is capped by the protocol (64 KiB) and
by `discovery.seed_text`, and what one seed tells reaches the part of the address book that one source may reach.

dnspython (extra `dns`), which speaks trio natively, asks and decodes; it is imported when the node starts.

Source: the discovery section of the networking specification; Bitcoin Core's `ThreadDNSAddressSeed` (11 s, two peers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import trio

from p2pcommerce.discovery.seed_text import SeedAnswer, read_seed_texts
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.primitives.ids import GenesisHash
from p2pcommerce.runtime.log import Log

__all__ = ["ASK_S", "PAUSE_S_MAX", "PAUSE_S_MIN", "PEERS_ENOUGH", "WAIT_S", "DnsSeeds", "DnsSeedsError"]

ASK_S: Final = 10.0
"""Seconds for one seed's answer, retries and TCP included."""
WAIT_S: Final = 11.0
"""Seconds that a node with an address book waits for peers before it asks."""
PEERS_ENOUGH: Final = 2
PAUSE_S_MIN: Final = 60.0
PAUSE_S_MAX: Final = 3_600.0


class DnsSeedsError(UsageError):
    """Seeds that cannot be asked; one line says why and what to do."""

    code = "DNS_SEEDS"


class DnsSeeds:
    """Asks the seeds of one node.

    Attributes:
        counters: of questions and of what came.
    """

    def __init__(
        self,
        seeds: Sequence[str],
        server: str,
        genesis_hash: GenesisHash,
        take: Callable[[str, SeedAnswer], None],
        log: Log,
    ) -> None:
        """Prepare.

        Args:
            seeds: their names.
            server: `host:port` of a name server to ask (an IP address); empty: the system's.
            genesis_hash: of this network, 32 bytes.
            take: is given a seed's name and what it told.
            log: where failures are told, a line each.

        Raises:
            DnsSeedsError: dnspython is not installed, or the system names no resolver.
        """
        try:
            import dns.asyncbackend  # noqa: PLC0415 - an extra
            import dns.asyncresolver  # noqa: PLC0415 - an extra
            import dns.exception  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise DnsSeedsError("dns_seeds needs dnspython: pip install 'p2pcommerce[dns]'") from error
        try:
            resolver = dns.asyncresolver.Resolver(configure=not server)
        except dns.exception.DNSException as error:
            raise DnsSeedsError(f"dns_seeds: this system names no resolver, set dns_server: {error}") from error
        if server:
            host, _, port = server.rpartition(":")
            resolver.nameservers = [host.strip("[]")]
            resolver.port = int(port)
        self._resolver = resolver
        self._backend = dns.asyncbackend.get_backend("trio")
        self._failures = (dns.exception.DNSException, OSError, ValueError)
        self._seeds = tuple(seeds)
        self._genesis_hash = genesis_hash
        self._take = take
        self._log = log
        self.counters: Counter[str] = Counter()

    async def run(self, is_known: bool, peers: Callable[[], int]) -> None:  # noqa: FBT001 - a fact, not a switch
        """Ask while there are too few peers, until cancelled.

        Args:
            is_known: the address book has peers already.
            peers: tells how many are connected.
        """
        if is_known:
            await trio.sleep(WAIT_S)
        pause_s = PAUSE_S_MIN
        while True:
            if peers() < PEERS_ENOUGH:
                async with trio.open_nursery() as nursery:
                    for name in self._seeds:
                        nursery.start_soon(self._ask, name)
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
            else:
                pause_s = PAUSE_S_MIN
                await trio.sleep(pause_s)

    async def _ask(self, name: str) -> None:
        """Ask one seed; a failure is a line in the log."""
        self.counters["asked"] += 1
        with trio.move_on_after(ASK_S) as limit:
            try:
                answer = await self._resolver.resolve(
                    f"{name.rstrip('.')}.",
                    "TXT",
                    raise_on_no_answer=False,
                    lifetime=ASK_S,
                    search=False,
                    backend=self._backend,
                )
            except self._failures as error:
                self._fail(name, str(error).partition("\n")[0] or type(error).__name__)
                return
            self._on_answer(name, [each.strings for each in answer.rrset or ()])
        if limit.cancelled_caught:
            self._fail(name, f"no answer within {ASK_S:g} s")

    def _on_answer(self, name: str, texts: Sequence[Sequence[bytes]]) -> None:
        told = read_seed_texts(texts, self._genesis_hash, name)
        self.counters["answered"] += 1
        self.counters["addresses"] += len(told.addresses)
        self.counters["records"] += len(told.records)
        self.counters["malformed"] += told.malformed
        self.counters["foreign"] += told.foreign
        self.counters["over"] += told.over
        self._log.debug("dns", f"{name} told {len(told.addresses)} addresses and {len(told.records)} records")
        self._take(name, told)

    def _fail(self, name: str, reason: str) -> None:
        self.counters["failed"] += 1
        self._log.warning("dns", f"seed {name}: {reason[:200]}")
