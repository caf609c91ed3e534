"""The numbers of the gossip of transactions that a node may choose."""

from __future__ import annotations

from dataclasses import dataclass

from p2pcommerce.primitives.ids import MICROSECONDS

__all__ = ["GossipParameters"]

_MS = 1_000
_MIB = 1024 * 1024
_HOUR_US = 3_600 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipParameters:
    """Source: the networking specification, whose simulations chose them, unless said otherwise.

    Attributes:
        senders: K, the eager senders that a node chooses.
        senders_random: how many of them are drawn at random.
        senders_outbound_min: how many of them at least are peers that this node dialled.
        choosers_max: how many peers a node pushes to; it refuses beyond.
        rerank_us: time between two rankings of senders, microseconds.
        heard_min: transactions heard before lag counts; until then the round-trip time does.
        lag_us_max: cap on one sample of lag, microseconds.
        lag_samples_max: samples of one peer before they are halved at a re-rank, so that old ones fade; no source.
        stall_us: a chosen sender that shows nothing for so long is replaced, microseconds ...
        stall_heard: ... if so many transactions first came from others in the meantime.
        owed_us: so long after it was chosen a sender may still announce what it should push, microseconds.
        broken_max: broken promises at which a chosen sender is replaced.
        replaced_penalty_us: lag that a replacement costs, microseconds; halved at each re-rank.
        broken_penalty_us: lag that a broken promise costs, microseconds; halved at each re-rank.
        announce_us: how long announcements are gathered at most, microseconds.
        grace_us: how long after an announcement it is pulled, microseconds.
        retry_us_max: after min(this, twice the round-trip time + grace) the next announcer is asked, microseconds.
        promise_us: an announcer that was asked and has not delivered after this, or twice its round-trip time + grace
            if that is longer, has broken a promise, microseconds. No source: the cap of the retry, as a busy honest
            peer exceeds two round-trip times of a local network easily.
        pulls_in_flight_max: ids asked of one peer and not delivered.
        announced_max: ids that one peer announced and nobody delivered; also ids remembered as announced to one peer.
        wants_max: ids announced by anyone and not delivered; no source: the transactions of a full pool. One peer may
            have announced at most as many as are left of them.
        seen_max: ids per generation, of two, of the seen-cache (about 350 bytes each); no source: above a full pool.
        seen_us: age at which a generation ends even if it is not full, microseconds; no source: rest is small.
        in_flight_max: transactions handed to admission and not judged; no source: above what admission queues.
        own_max: transactions submitted here that are offered again; no source.
        reoffer_us: time between two offers of an own transaction that is not final, microseconds; no source.
        ignored_us: how long an ignored transaction counts as seen, microseconds; no source: nonces and balances that
            stood against it change with the blocks.
        ignored_max: ignored transactions remembered; no source.
        reconcile_us: time between two reconciliations with one peer, microseconds; jittered by a quarter.
        reconcile_connect_us: who dialled asks within this after connecting, microseconds; no source.
        reconcile_answer_us: a question that is not answered within this is as bad as a broken promise, microseconds; no
            source.
        reconcile_rest_us: a peer may begin to ask once in this, and is done with it by then, microseconds; no source.
        reconcile_asks_max: peers that are asked at the same time; no source: what one tells, others need not.
        reconcile_symbols_max: coded symbols per session (12 to 16 bytes each); beyond that a page of at most 4,096
            ids is taken (32 KiB). No source: enough for about 1,450 differences, and cheaper than the page.
        reconcile_slice: ids that are hashed in one go (about 3 microseconds each); no source.
        useful_max: points for first deliveries at most.
        invalid_points: points that an invalid transaction costs; no source: three of them are a ban.
        broken_points: points that a broken promise costs; no source.
        broken_points_max: points that broken promises cost at most: honest peers break some, so they never ban.
        stall_points: points that a stall costs; no source.
        stall_points_max: points that stalls cost at most: a far honest peer stalls.
        graylist_points: at or below this a peer is not chosen as a sender.
        ban_points: at or below this a peer is misbehaving.
        score_half_life_us: in this time all counts of a score fall to half, microseconds; no source.
        score_kept_us: how long the score of a disconnected peer is kept, microseconds.
        scores_max: scores kept of disconnected peers; no source.
        ban_us: the first ban, microseconds; each further one is twice as long; no source.
        ban_us_max: the longest ban, microseconds.
        topics_max: topics that this node listens to (the wire carries 64); no source, as all of what follows.
        listening_us: peers are told which topics at most once in so long, microseconds; they close who tells too often.
        post_life_us_max: a post may expire at most this far ahead, and a minute for clocks that differ, microseconds.
        post_kept_us: how long a post is kept to serve pulls, microseconds.
        post_kept_bytes_max: bytes of posts kept of one topic; the oldest go.
        post_kept_max: posts kept of one topic.
        post_seen_max: ids of posts per generation, of two.
        post_wants_max: posts announced by anyone and not delivered.
        post_announced_max: posts that one peer announced and nobody delivered; also posts remembered as announced to
            one peer.
        post_origins_max: origins whose sequence numbers and budgets are remembered; the longest silent go.
        post_window: sequence numbers below an origin's highest that still count if they come late.
        post_origin_rate: posts of one origin per second ...
        post_origin_burst: ... and at once.
        post_origin_bytes_rate: bytes of them per second ...
        post_origin_bytes_burst: ... and at once.
        post_peer_rate: new posts that are taken of one peer per second, whoever their origins are ...
        post_peer_burst: ... and at once.
        post_peer_bytes_rate: bytes of them per second ...
        post_peer_bytes_burst: ... and at once.
        stem_relays: peers to which private transactions go in one epoch.
        stem_fluff_percent: epochs of a hundred in which this node makes public what others pass to it.
        stem_epoch_us: mean time between two draws of relays and role, microseconds.
        stem_wait_us: the fixed part of the wait for others, and the mean of the drawn part, microseconds; no source:
            ten hops of 100 ms and the way back take a fifth of it.
        stem_max: private transactions of peers held at a time; no source ...
        stem_bytes_max: ... and their bytes; no source.
        stem_peer_max: of these, those that one peer brought; no source.
        stem_peer_rate: private transactions taken of one peer per second; no source, as those that follow ...
        stem_peer_burst: ... and at once.
        stem_peer_bytes_rate: bytes of them per second ...
        stem_peer_bytes_burst: ... and at once.
    """

    senders: int = 5
    senders_random: int = 2
    senders_outbound_min: int = 2
    choosers_max: int = 8
    rerank_us: int = 30 * MICROSECONDS
    heard_min: int = 16
    lag_us_max: int = 250 * _MS
    lag_samples_max: int = 256
    stall_us: int = MICROSECONDS
    stall_heard: int = 8
    owed_us: int = 2 * MICROSECONDS
    broken_max: int = 3
    replaced_penalty_us: int = 80 * _MS
    broken_penalty_us: int = 20 * _MS
    announce_us: int = 20 * _MS
    grace_us: int = 20 * _MS
    retry_us_max: int = 400 * _MS
    promise_us: int = 400 * _MS
    pulls_in_flight_max: int = 100
    announced_max: int = 5_000
    wants_max: int = 50_000
    seen_max: int = 65_536
    seen_us: int = 120 * MICROSECONDS
    in_flight_max: int = 65_536
    own_max: int = 10_000
    reoffer_us: int = 10 * MICROSECONDS
    ignored_us: int = 5 * MICROSECONDS
    ignored_max: int = 65_536
    reconcile_us: int = 60 * MICROSECONDS
    reconcile_connect_us: int = 200 * _MS
    reconcile_answer_us: int = 5 * MICROSECONDS
    reconcile_rest_us: int = 20 * MICROSECONDS
    reconcile_asks_max: int = 2
    reconcile_symbols_max: int = 2_048
    reconcile_slice: int = 1_024
    useful_max: int = 20
    invalid_points: int = 40
    broken_points: int = 5
    broken_points_max: int = 60
    stall_points: int = 2
    stall_points_max: int = 20
    graylist_points: int = -50
    ban_points: int = -100
    score_half_life_us: int = 600 * MICROSECONDS
    score_kept_us: int = _HOUR_US
    scores_max: int = 4_096
    ban_us: int = 600 * MICROSECONDS
    ban_us_max: int = 24 * _HOUR_US
    topics_max: int = 64
    listening_us: int = MICROSECONDS // 2
    post_life_us_max: int = 600 * MICROSECONDS
    post_kept_us: int = 30 * MICROSECONDS
    post_kept_bytes_max: int = 4 * _MIB
    post_kept_max: int = 4_096
    post_seen_max: int = 65_536
    post_wants_max: int = 20_000
    post_announced_max: int = 2_000
    post_origins_max: int = 4_096
    post_window: int = 1_024
    post_origin_rate: int = 100
    post_origin_burst: int = 400
    post_origin_bytes_rate: int = _MIB // 2
    post_origin_bytes_burst: int = 2 * _MIB
    post_peer_rate: int = 1_000
    post_peer_burst: int = 4_000
    post_peer_bytes_rate: int = 2 * _MIB
    post_peer_bytes_burst: int = 8 * _MIB
    stem_relays: int = 2
    stem_fluff_percent: int = 10
    stem_epoch_us: int = 600 * MICROSECONDS
    stem_wait_us: int = 5 * MICROSECONDS
    stem_max: int = 4_096
    stem_bytes_max: int = 8 * _MIB
    stem_peer_max: int = 1_024
    stem_peer_rate: int = 100
    stem_peer_burst: int = 1_000
    stem_peer_bytes_rate: int = _MIB // 4
    stem_peer_bytes_burst: int = 2 * _MIB
