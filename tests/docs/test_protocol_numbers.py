"""The numbers in the sentences of the protocol's pages are those of the code."""

from pathlib import Path

import pytest

from p2pcommerce.blobs.parameters import BlobParameters, MailParameters
from p2pcommerce.discovery import record as peer_record
from p2pcommerce.discovery.parameters import DiscoveryParameters
from p2pcommerce.finality.proof import PROOF_BYTES_MAX
from p2pcommerce.finality.simplex.crossing import EARLY_MAX
from p2pcommerce.finality.simplex.parameters import SimplexParameters
from p2pcommerce.gossip.parameters import GossipParameters
from p2pcommerce.gossip.relay_parameters import RelayParameters
from p2pcommerce.ledger import block, epochs, transaction
from p2pcommerce.ledger.genesis import ChainParameters
from p2pcommerce.mempool.parameters import MempoolParameters
from p2pcommerce.node import archive, bodies, final_blocks, offences, pulse, serving
from p2pcommerce.node import compact as compact_proof
from p2pcommerce.node import light as light_client
from p2pcommerce.node import proof as full_proof
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.primitives.codec import DEPTH_MAX
from p2pcommerce.primitives.crypto import domain_prefix
from p2pcommerce.runtime.connection import HANDSHAKE_S
from p2pcommerce.sync.parameters import ANSWER_BLOCKS_MAX, ANSWER_BYTES_MAX, SyncParameters
from p2pcommerce.wire import handshake, lanes, records

PAGES = Path(__file__).parents[2] / "docs"
S = 1_000_000
MIB = 2**20
G, D, M, Y = GossipParameters(), DiscoveryParameters(), MempoolParameters(), SyncParameters()
B, L, R = BlobParameters(), MailParameters(), ResourceLimits()
V = RelayParameters()
X = SimplexParameters.of(ChainParameters())
DOMAIN = domain_prefix("x", bytes(32)).split(b"/")[1].decode()

SAID = [
    ("protocol", f"| protocol | {handshake.PROTOCOL_VERSION} |"),
    ("protocol", f"describes protocol version {handshake.PROTOCOL_VERSION}."),
    ("protocol", f"| domain | {DOMAIN} |"),
    ("protocol", f"| records | {transaction.ENVELOPE_VERSION} |"),
    ("protocol", f"| records | {block.BLOCK_VERSION} |"),
    ("protocol", f"| proofs | {full_proof.PROOF_VERSION} (full), {compact_proof.COMPACT_VERSION} (compact) |"),
    ("protocol", f"numbers from 0x{lanes.OPTIONAL_KINDS_FROM:x} on"),
    ("protocol", f"at most {lanes.OPTIONAL_BYTES_MAX:,} bytes"),
    ("protocol/encoding", f"at most {DEPTH_MAX} layers"),
    ("protocol/connections", f"(u16, at most {handshake.HANDSHAKE_MESSAGE_BYTES_MAX:,})"),
    ("protocol/connections", f"not done after {HANDSHAKE_S:g} s"),
    ("protocol/connections", f"({lanes.FRAMES_BYTES_MAX:,} of plaintext)"),
    ("protocol/connections", f"every {records.REKEY_RECORDS:,} records"),
    ("protocol/connections", f"counted with {lanes.QUEUED_MESSAGE_OVERHEAD_BYTES} bytes more"),
    ("protocol/connections", f"hold {R.bytes_max // MIB} MiB, one {R.bytes_per_peer_max // MIB} MiB"),
    ("protocol/connections", f"{R.sockets_max:,} in all, {R.sockets_per_group_max} of one group"),
    ("protocol/connections", f"most {R.handshakes_max}, {R.handshakes_per_group_max} and {R.handshakes_per_host_max}"),
    ("protocol/connections", f"Callers above {R.handshakes_rate} a second ({R.handshakes_per_host_rate} of one host"),
    ("protocol/connections", f"within {D.simultaneous_us // S} s of each other"),
    ("protocol/messages", f"then {pulse.PING_INTERVAL_US // S} to {5 * pulse.PING_INTERVAL_US // 4 // S} s after"),
    ("protocol/messages", f"no answer within {pulse.PING_TIMEOUT_US // S} s: close"),
    ("protocol/messages", f"at most once in {Y.status_interval_us // 1_000:,} ms"),
    ("protocol/messages", f"{M.intake_count_max:,} transactions or {M.intake_bytes_max // MIB} MiB of one peer"),
    ("protocol/messages", f"{G.announced_max:,} undelivered of one peer, {G.wants_max:,} of all"),
    ("protocol/messages", f"| {G.stem_peer_rate} transactions and {G.stem_peer_bytes_rate // 1024} KiB a second"),
    ("protocol/messages", f"({G.stem_peer_burst:,} and {G.stem_peer_bytes_burst // MIB} MiB at once)"),
    (
        "protocol/messages",
        f"{G.stem_peer_max:,} held of one peer, {G.stem_max:,} and {G.stem_bytes_max // MIB} MiB of all",
    ),
    ("protocol/gossip", f"of {G.stem_epoch_us // S} s, a quarter more or less"),
    ("protocol/gossip", f"with {G.stem_fluff_percent} % that it fluffs"),
    ("protocol/gossip", f"within {G.stem_wait_us // S} s and an exponential time of mean {G.stem_wait_us // S} s"),
    ("protocol/messages", f"one talk in {G.reconcile_rest_us // S} s, {G.reconcile_symbols_max:,} symbols in it"),
    ("protocol/messages", f"{offences.JUDGED_BURST} judged at once"),
    ("protocol/messages", f"each {offences.RESEND_US // S} s until the chain"),
    ("protocol/messages", f"up to {serving.ANSWER_BYTES_MAX:,} bytes"),
    ("protocol/messages", f"tries for a block, {bodies.TRIES_MAX} at most"),
    ("protocol/messages", f"{serving.LOADS_PER_PEER_MAX} reads under way for one peer; beyond"),
    ("protocol/messages", f"{archive.ASKED_PER_PEER_MAX} reads under way for one peer, with 0x39 and 0x3b"),
    ("protocol/messages", f"{B.wants_burst} at once, then {B.wants_per_s} a second"),
    ("protocol/messages", f"{L.posts_burst} at once, then {L.posts_per_s} a second; {L.held_per_peer_max} held"),
    ("protocol/messages", f"of one peer {G.post_peer_rate:,} posts and {G.post_peer_bytes_rate // MIB} MiB a second"),
    ("protocol/discovery", f"At most {peer_record.RECORD_BYTES_MAX:,} bytes"),
    ("protocol/discovery", f"more than {peer_record.RECORD_LIFE_MS_MAX // 86_400_000} days ahead"),
    ("protocol/discovery", f"at most {D.answer_share_bps // 100} % of the book, {D.answer_records_max:,} records"),
    ("protocol/discovery", f"of up to {D.answer_records_free} records is told whole"),
    ("protocol/discovery", f"{D.accept_burst:,} at once, then 0.{D.accept_milli_per_s // 100} a second"),
    ("protocol/discovery", f"dials {D.outbound_target} ordinary peers, one in a group, and accepts {D.inbound_max};"),
    ("protocol/gossip", f"chooses K = {G.senders} of its peers"),
    ("protocol/gossip", f"A peer serves {G.choosers_max} choosers"),
    ("protocol/gossip", f"capped at {G.lag_us_max // 1_000} ms (by round-trip time until {G.heard_min} transactions"),
    ("protocol/gossip", f"for {G.stall_us // S} s while {G.stall_heard} transactions"),
    ("protocol/gossip", f"again every {G.reoffer_us // S} s until it is final"),
    ("protocol/gossip", f"The receiver waits {G.grace_us // 1_000} ms for a push"),
    ("protocol/gossip", f"At most {G.pulls_in_flight_max} ids are asked of one peer"),
    ("protocol/gossip", f"- {G.invalid_points} x invalid - min({G.broken_points} x broken promises"),
    ("protocol/gossip", f"At {G.graylist_points} or less a peer is not chosen; at {G.ban_points} or less"),
    ("protocol/gossip", f"halved every {G.score_half_life_us // 60 // S} minutes"),
    ("protocol/gossip", f"among the {G.post_window - 1:,} below it"),
    ("protocol/messages", f"at most {final_blocks.FRESH_US // S} s old, to the choosers"),
    ("protocol/messages", f"up to {final_blocks.AHEAD_MAX} heights above the final head"),
    ("protocol/messages", f"{V.rate} new ones a second for each validator ({V.burst} at once)"),
    ("protocol/messages", f"{V.bytes_rate // MIB} MiB a second ({V.bytes_burst // MIB} MiB at once)"),
    ("protocol/messages", f"gathered for at most {V.announce_us // 1_000} ms; to validators that did not choose"),
    ("protocol/messages", f"asks, {V.grace_us // 1_000} ms after an announcement that nobody pushed"),
    ("protocol/messages", f"a node serves {V.choosers_max};"),
    ("protocol/catching-up", f"holds at most {final_blocks.AHEAD_MAX} that are not the next"),
    ("protocol/gossip", f"have at most {V.direct_max} validators together"),
    ("protocol/gossip", f"stays connected to {V.neighbours} of them"),
    ("protocol/gossip", f"chooses {V.senders} of the connected ones as senders"),
    ("protocol/gossip", f"and {V.senders_random} of these at random"),
    ("protocol/gossip", f"within {V.announce_us // 1_000} ms, and pulled by these {V.grace_us // 1_000} ms later"),
    ("protocol/gossip", f"nothing was pushed for {V.turn_us // 1_000} ms"),
    ("protocol/messages", f"to choosers, gathered for at most {V.turn_us // 1_000} ms"),
    (
        "protocol/gossip",
        f"({V.early_max:,} messages and {V.early_bytes_max // MIB} MiB, {V.early_peer_max} messages of one peer)",
    ),
    ("protocol/gossip", f"is kept for {V.kept_us // S} s, and as long as nothing"),
    ("protocol/gossip", f"({V.kept_max:,} messages and {V.kept_bytes_max // MIB} MiB)"),
    ("protocol/gossip", "at most once a second; so it does"),
    ("protocol/reconciliation", f"asks within {G.reconcile_connect_us // 1_000} ms"),
    ("protocol/reconciliation", f"Answers are due within {G.reconcile_answer_us // S} s"),
    ("protocol/chain", f"At most {transaction.TRANSACTION_BYTES_MAX:,} bytes"),
    ("protocol/chain", f"more than {M.nonce_gap_max} above the sender's first missing one"),
    ("protocol/chain", f"a fee less than {M.replacement_bps // 100} % above"),
    ("protocol/chain", f"holds {M.count_max:,} transactions and {M.bytes_max // MIB} MiB"),
    ("protocol/chain", f"At most {epochs.CANDIDATES_MAX:,} candidates are kept"),
    ("protocol/chain", f"more than {epochs.EPOCHS_KEPT_MAX:,} back"),
    ("protocol/finality", f"At most {PROOF_BYTES_MAX:,} bytes"),
    ("protocol/finality", f"of the next one {EARLY_MAX} messages"),
    ("protocol/finality", f"(at most {X.delay_max_us // X.base_delay_us} D0)"),
    ("protocol/finality", f"(two are kept, of {X.window_views} views)"),
    ("protocol/catching-up", f"1 to {ANSWER_BLOCKS_MAX} with at most {ANSWER_BYTES_MAX:,} bytes together"),
    ("protocol/catching-up", f"{Y.window_blocks:,} blocks ahead at most"),
    ("protocol/catching-up", f"after {Y.hedge_us // S} s, given up after {Y.timeout_us // S} s"),
    ("protocol/catching-up", f"{light_client.TRUST_S // 86_400} days, or two thirds of `unbonding_s`"),
    ("protocol/proofs", f"({full_proof.PROOF_BYTES_MAX:,} bytes at most"),
]


@pytest.mark.parametrize(("page", "sentence"), SAID)
def test_a_page_says_the_number_that_the_code_has(page, sentence):
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    assert sentence in " ".join(text.split())
