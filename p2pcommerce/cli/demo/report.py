"""What came of a demo: as the JSON object of the interface specification, and as a person reads it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from p2pcommerce.cli.demo.byzantine.offender import Conviction
from p2pcommerce.cli.demo.outage import Outage
from p2pcommerce.cli.demo.section import Section, mark
from p2pcommerce.cli.demo.story import tokens
from p2pcommerce.cli.demo.summary import Agreement, TraceProof
from p2pcommerce.primitives.ids import short
from p2pcommerce.workload import MIX

__all__ = ["DemoReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """The figures of one demo.

    Attributes:
        nodes: validators.
        submitted, finalized: transactions, those before the load included.
        failed: final and not executed, by code.
        rejected: refused by a pool, by code.
        lost: accepted, and neither final nor refused with a reason.
        agreement: of the nodes' states.
        submit_to_final_ms: p50, p95, p99 of the load, from the moment a transaction was due.
        peak_to_final_ms: the same of what was due in peaks; None without any.
        disk_bytes_per_tx: bytes by which a validator's folder grew in the load, for each final transaction.
        cpu_ms_per_tx: processor time of all validators together and of the demo itself in the load, for each final
            transaction; without meaning where a validator was started anew meanwhile.
        tx_per_s: of the load.
        supply_ok: every node counts the tokens of the genesis.
        trace_proof: None if no goods moved.
        wall_s: the whole run.
        rss_mib_max: of any node.
        skipped: lines and events left out, by reason.
        orders: by what became of them.
        mix: turns of the load by kind.
        starved: turns of the load that nobody wanted.
        senders: keys that sent something.
        outage: with --kill-one.
        conviction: with --byzantine.
        sections: of what only some demos do.
    """

    nodes: int
    submitted: int
    finalized: int
    failed: dict[str, int]
    rejected: dict[str, int]
    lost: int
    agreement: Agreement
    submit_to_final_ms: dict[str, float | None]
    tx_per_s: float
    peak_to_final_ms: dict[str, float | None] | None = None
    disk_bytes_per_tx: int = 0
    cpu_ms_per_tx: dict[str, float] = field(default_factory=dict)
    supply_ok: bool
    trace_proof: TraceProof | None
    wall_s: float
    rss_mib_max: float
    skipped: dict[str, int]
    orders: dict[str, int]
    mix: dict[str, int]
    starved: int
    senders: int
    outage: Outage | None
    conviction: Conviction | None = None
    sections: tuple[Section, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is as it has to be."""
        proven = self.trace_proof is None or self.trace_proof.verified
        caught_up = self.outage is None or self.outage.caught_up
        punished = self.conviction is None or self.conviction.slashed
        beside = proven and caught_up and punished and all(section.ok for section in self.sections)
        return self.agreement.agree and self.supply_ok and not self.lost and beside

    @property
    def mix_percent(self) -> dict[str, float]:
        """Turns of the load by kind, percent of all."""
        total = sum(self.mix.values())
        return {kind: round(100 * self.mix.get(kind, 0) / total, 1) for kind in MIX} if total else {}

    def to_plain(self) -> dict[str, object]:
        """Return the JSON object."""
        proof = self.trace_proof
        return {
            "nodes": self.nodes,
            "submitted": self.submitted,
            "finalized": self.finalized,
            "failed": self.failed,
            "rejected": self.rejected,
            "lost": self.lost,
            "height": self.agreement.height,
            "state_roots": list(self.agreement.state_roots),
            "agree": self.agreement.agree,
            "submit_to_final_ms": self.submit_to_final_ms,
            "tx_per_s": self.tx_per_s,
            "supply_ok": self.supply_ok,
            "trace_proof": None
            if proof is None
            else {
                "product": proof.product,
                "events": proof.events,
                "bytes": proof.size_bytes,
                "verified": proof.verified,
            },
            "wall_s": self.wall_s,
            "rss_mib": {"max": self.rss_mib_max},
            "peak_to_final_ms": self.peak_to_final_ms,
            "disk_bytes_per_tx": self.disk_bytes_per_tx,
            "cpu_ms_per_tx": self.cpu_ms_per_tx,
            "mix_percent": self.mix_percent,
            "skipped": self.skipped,
            "orders": self.orders,
            "mix": self.mix,
            "starved": self.starved,
            "senders": self.senders,
            "kill_one": None if self.outage is None else dataclasses.asdict(self.outage),
            "byzantine": None
            if self.conviction is None
            else {**dataclasses.asdict(self.conviction), "slashed": self.conviction.slashed},
            **{section.name: section.to_plain() for section in self.sections},
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary line by line."""
        latency = self.submit_to_final_ms
        root = self.agreement.state_roots[0][:16]
        yield f"{mark(self.agreement.agree)} {self._agreement_text(root)}"
        yield f"{mark(self.supply_ok)} supply: every node counts exactly the tokens that were there at the start"
        yield (
            f"{mark(not self.lost)} {self.submitted:,} transactions from {self.senders:,} keys: "
            f"{self.finalized:,} final, {sum(self.rejected.values())} refused, {sum(self.failed.values())} failed, "
            f"{self.lost} lost"
        )
        for name, counts in (("refused", self.rejected), ("failed", self.failed)):
            if counts:
                yield f"    {name}: {_counts(counts)}"
        yield (
            f"    submit to final: p50 {_ms(latency['p50'])}, p95 {_ms(latency['p95'])}, p99 {_ms(latency['p99'])} "
            f"at {self.tx_per_s:g} tx/s; at most {self.rss_mib_max:.0f} MiB per node"
        )
        yield from self._load_lines()
        if self.orders:
            yield f"    orders: {_counts(self.orders)}"
        if self.skipped:
            yield f"    skipped: {_counts(self.skipped)}"
        if self.outage is not None:
            yield f"{mark(self.outage.caught_up)} {self._outage_text(self.outage)}"
        if self.conviction is not None:
            yield f"{mark(self.conviction.slashed)} {self._conviction_text(self.conviction)}"
        yield from self._last_lines()

    def _load_lines(self) -> Iterator[str]:
        if self.peak_to_final_ms is not None:
            peak = self.peak_to_final_ms
            yield f"    in the peaks: p50 {_ms(peak['p50'])}, p95 {_ms(peak['p95'])}, p99 {_ms(peak['p99'])}"
        if self.disk_bytes_per_tx:
            yield f"    disk: {self.disk_bytes_per_tx:,} bytes per transaction and validator"
        if self.cpu_ms_per_tx:
            spent = ", ".join(f"{who} {spent_ms:g} ms" for who, spent_ms in self.cpu_ms_per_tx.items())
            yield f"    processor time per transaction: {spent}"
        if self.mix:
            yield f"    mix, percent: {', '.join(f'{kind} {share:g}' for kind, share in self.mix_percent.items())}"

    def _last_lines(self) -> Iterator[str]:
        for section in self.sections:
            yield from section.lines()
        if self.trace_proof is not None:
            yield from self._proof_lines(self.trace_proof)

    def _agreement_text(self, root: str) -> str:
        if self.agreement.agree:
            nodes = "the one node holds" if self.nodes == 1 else f"all {self.nodes} nodes hold"
            return f"{nodes} the same state at height {self.agreement.height:,} (root {root}...)"
        return f"the nodes' states differ: {', '.join(root[:16] or 'no answer' for root in self.agreement.state_roots)}"

    def _outage_text(self, outage: Outage) -> str:
        if not outage.caught_up:
            return f"validator {outage.validator} was killed and has not caught up"
        return (
            f"validator {outage.validator} was killed and missed {outage.blocks_missed:,} blocks in "
            f"{outage.down_s:.1f} s; it caught up {outage.catch_up_s:.1f} s after its restart; longest time without a "
            f"block {outage.longest_gap_ms:.0f} ms"
        )

    def _conviction_text(self, told: Conviction) -> str:
        who = f"validator {told.validator}"
        if told.in_set_from_epoch is None:
            return f"{who} never came into the set"
        if not told.equivocations:
            return f"{who} joined in epoch {told.in_set_from_epoch}, and never signed two blocks"
        signed = f"{who} signed two blocks at height {told.equivocations[0]['height']:,}"
        if not told.jailed:
            return f"{signed}, and was not punished"
        if told.out_from_epoch is None:
            return f"{signed} and was punished, but is still in the set"
        return (
            f"{signed}; it lost {tokens(told.slashed_minor)} tokens at height {told.included_at_height:,}, of which "
            f"{tokens(told.reward_minor)} went to the reporter, and is out since epoch {told.out_from_epoch}"
        )

    def _proof_lines(self, proof: TraceProof) -> Iterator[str]:
        if not proof.verified:
            yield f"{mark(good=False)} the history of {proof.product} could not be proven: {proof.reason}"
            return
        yield (
            f"{mark(good=True)} the history of {proof.product}: {proof.events} events, proven by "
            f"{proof.size_bytes:,} bytes, verified offline with nothing but the genesis"
        )
        for entry in proof.history:
            moment = dt.datetime.fromtimestamp(entry.event_time_ms / 1_000, dt.UTC)
            signed = f"{entry.type.removeprefix('trace.'):<10} signed by {short(entry.signer)}"
            yield f"    {moment:%Y-%m-%d %H:%M} {signed}, EPCIS event {short(entry.event_hash)}..."


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _ms(latency_ms: float | None) -> str:
    return "-" if latency_ms is None else f"{latency_ms:.0f} ms"
