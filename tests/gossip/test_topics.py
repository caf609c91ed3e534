"""Rules of the topics of applications: who gets a post, what is dropped, what is bounded, who is blamed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.gossip import Post, sign_post
from p2pcommerce.gossip.budget import Budget
from p2pcommerce.gossip.effects import Deliver
from p2pcommerce.gossip.post import decode_post, is_signed
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.primitives.errors import CodecError, LocalProtocolError, RemoteProtocolError, Verdict
from p2pcommerce.wire.messages import AnnouncePosts, Listening, Posts, PullPosts

from .rig import MS, OWN_KEY, SECOND, Rig, id_of, key_of, misbehaving, peer_of, sent, short_id

NETWORK = bytes(32)
LIFE_MS = 60_000


def seed_of(number):
    return number.to_bytes(32, "big")


class Stage(Rig):
    """A rig whose peers publish."""

    def __init__(self, peers=0, *, topics=("news",), validator=None, **parameters):
        super().__init__(peers, **parameters)
        self.topics = self.router.topics
        self.numbers = [self.topics.listen(topic, validator, 0)[0] for topic in topics]
        for number in range(1, peers + 1):
            self.hear(number, "news")

    def hear(self, number, *topics):
        return self.topics.on_listening(peer_of(number), topics, self.now)

    def post(self, sequence=1, *, origin=99, topic="news", data=b"hello", life_ms=LIFE_MS, network=NETWORK):
        expires_ms = self.now // MS + life_ms
        return sign_post(ED25519, seed_of(origin), network, topic, data, sequence, expires_ms)

    def push(self, number, *posts):
        items = tuple(post.raw if isinstance(post, Post) else post for post in posts)
        return self.topics.on_posts(peer_of(number), items, self.now)

    def tell(self, number, *posts):
        shorts = tuple(short_id(OWN_KEY, id_of(post.raw)) for post in posts)
        return self.topics.on_announce(peer_of(number), shorts, self.now)


def delivered(effects):
    return [effect.post.data for effect in effects if isinstance(effect, Deliver)]


def pushed(effects):
    return {number: [raw for m in messages for raw in m.items] for number, messages in sent(effects, Posts).items()}


def told(effects):
    return {
        number: [short for m in messages for short in m.short_ids]
        for number, messages in sent(effects, AnnouncePosts).items()
    }


# --- the post ---


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_post_is_read_as_it_was_signed(data, sequence, expires_ms):
    post = sign_post(ED25519, seed_of(1), NETWORK, "t", data, sequence, expires_ms)
    assert decode_post(post.raw) == post
    assert is_signed(ED25519, NETWORK, post)
    assert not is_signed(ED25519, b"x" * 32, post)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_hostile_bytes_are_no_post(data):
    with pytest.raises(CodecError):
        decode_post(data)


def test_a_post_with_any_changed_bit_is_refused_or_not_signed():
    raw = sign_post(ED25519, seed_of(1), NETWORK, "t", b"data", 7, 8).raw
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            post = decode_post(bytes(changed))
        except CodecError:
            continue
        assert not is_signed(ED25519, NETWORK, post)


def test_a_post_is_pinned():
    raw = sign_post(ED25519, seed_of(1), NETWORK, "t", b"d", 2, 3).raw
    origin = "4cb5abf6ad79fbf5abbccafcc269d85cd2651ed4b885b5869f241aedf0a5ba29"
    assert raw.hex().startswith("9701a174c420" + origin + "0203c40164c440")
    assert len(raw) == 109


@pytest.mark.parametrize("topic", ["", "x" * 65, "two\nlines", "ä" * 33])
def test_a_topic_with_a_bad_name_is_refused(topic):
    with pytest.raises(CodecError):
        Rig().router.topics.listen(topic, None, 0)
    with pytest.raises(CodecError):
        sign_post(ED25519, seed_of(1), NETWORK, topic, b"", 1, 1)


def test_a_post_of_more_than_16_kib_is_refused():
    sign_post(ED25519, seed_of(1), NETWORK, "t" * 64, bytes(16 * 1024), 2**64 - 1, 2**64 - 1)
    with pytest.raises(LocalProtocolError):
        sign_post(ED25519, seed_of(1), NETWORK, "t", bytes(16 * 1024 + 1), 1, 1)


# --- who listens to what ---


def test_peers_are_told_of_each_change_and_new_peers_of_all():
    rig = Rig(peers=2)
    number, effects = rig.router.topics.listen("b", None, 0)
    assert sent(effects, Listening) == {1: [Listening(("b",))], 2: [Listening(("b",))]}
    assert rig.router.topics.listen("b", None, SECOND)[1] == []
    assert sent(rig.router.topics.listen("a", None, SECOND)[1], Listening)[1] == [Listening(("a", "b"))]
    assert sent(rig.connect(3), Listening) == {3: [Listening(("a", "b"))]}
    assert rig.router.topics.unlisten(number, SECOND) == []


def test_of_changes_in_quick_succession_peers_are_told_the_last_half_a_second_later():
    topics = Rig(peers=1).router.topics
    first, effects = topics.listen("a", None, SECOND)
    assert sent(effects, Listening) == {1: [Listening(("a",))]}
    for _ in range(100):
        number, effects = topics.listen("b", None, SECOND)
        assert effects == topics.unlisten(number, SECOND) == []
    assert topics.unlisten(first, SECOND + 1) == []
    assert topics.listen("c", None, SECOND + 2)[1] == []
    assert topics.on_deadline(3 * SECOND // 2 - 1) == []
    assert topics.deadline == 3 * SECOND // 2
    assert sent(topics.on_deadline(3 * SECOND // 2), Listening) == {1: [Listening(("c",))]}
    assert topics.deadline is None


def test_what_was_changed_and_changed_back_is_not_told():
    topics = Rig(peers=1).router.topics
    topics.listen("a", None, SECOND)
    number, _ = topics.listen("b", None, SECOND)
    topics.unlisten(number, SECOND)
    assert topics.on_deadline(2 * SECOND) == []


def test_a_node_that_listens_to_nothing_says_nothing():
    assert sent(Rig(peers=1).effects, Listening) == {}


def test_the_topics_that_a_node_listens_to_are_bounded():
    rig = Rig(topics_max=2)
    for name in ("a", "b", "b"):
        rig.router.topics.listen(name, None, 0)
    with pytest.raises(LocalProtocolError):
        rig.router.topics.listen("c", None, 0)


@pytest.mark.parametrize("topics", [("b", "a"), ("a", "a"), ("",)])
def test_topics_out_of_order_are_a_broken_rule(topics):
    with pytest.raises(RemoteProtocolError):
        Stage(1).hear(1, *topics)


# --- spreading ---


def test_a_post_is_delivered_once_pushed_to_choosers_and_announced_to_the_others():
    stage = Stage(4)
    stage.router.on_choose(peer_of(2), stage.now)
    post = stage.post()
    effects = stage.push(1, post)
    assert delivered(effects) == [b"hello"]
    assert pushed(effects) == {2: [post.raw]}
    assert stage.push(3, post) == []
    assert told(stage.wait(20 * MS)) == {4: [short_id(key_of(4), id_of(post.raw))]}
    assert stage.count("posts_duplicates") == 1


def test_who_does_not_listen_to_a_topic_is_sent_nothing_of_it():
    stage = Stage(3)
    stage.router.on_choose(peer_of(2), stage.now)
    stage.hear(2, "other")
    stage.hear(3)
    effects = stage.push(1, stage.post()) + stage.wait(SECOND)
    assert pushed(effects) == told(effects) == {}


def test_a_topic_unknown_is_neither_kept_nor_passed_on_nor_marked_as_seen():
    stage = Stage(2)
    stage.router.on_choose(peer_of(2), stage.now)
    post = stage.post(topic="weather")
    stage.hear(2, "news", "weather")
    assert stage.push(1, post) == []
    assert (stage.count("posts_unknown_topic"), stage.count("posts_kept"), stage.count("posts_seen")) == (1, 0, 0)
    stage.topics.listen("weather", None, 0)
    assert delivered(stage.push(1, post)) == [b"hello"]


def test_the_origin_pushes_to_every_listening_peer_and_hears_nothing_of_it():
    stage = Stage(3)
    stage.hear(3, "other")
    post = stage.post(origin=5)
    effects = stage.topics.publish(post, stage.now)
    assert pushed(effects) == {1: [post.raw], 2: [post.raw]}
    assert stage.push(1, post) == []


def test_what_an_own_validator_refuses_is_not_published():
    stage = Stage(1, validator=lambda post: Verdict.IGNORE)
    with pytest.raises(LocalProtocolError):
        stage.topics.publish(stage.post(), stage.now)


def test_an_announced_post_is_pulled_after_grace_and_served_once():
    stage = Stage(3)
    post = stage.post()
    stage.tell(1, post)
    asked = sent(stage.wait(20 * MS), PullPosts)
    assert asked == {1: [PullPosts((short_id(OWN_KEY, id_of(post.raw)),))]}
    stage.push(1, post)
    stage.wait(20 * MS)
    short = short_id(key_of(2), id_of(post.raw))
    assert pushed(stage.topics.on_pull(peer_of(2), (short, short, b"s" * 8), stage.now)) == {2: [post.raw]}
    assert (stage.count("posts_served"), stage.count("posts_unserved")) == (1, 2)


def test_an_announced_post_that_comes_by_push_is_not_pulled():
    stage = Stage(2)
    post = stage.post()
    stage.tell(1, post)
    stage.push(2, post)
    assert sent(stage.wait(SECOND), PullPosts) == {}


def test_a_broken_promise_counts_in_the_score_of_transactions():
    stage = Stage(1)
    stage.tell(1, stage.post())
    stage.wait(10 * SECOND)
    assert stage.count("posts_promises_broken") == 1
    assert stage.router._scores.of(peer_of(1)).broken == 1


def test_who_begins_to_listen_is_told_nothing_old():
    stage = Stage(1)
    stage.push(1, stage.post())
    stage.wait(SECOND)
    assert sent(stage.connect(2), AnnouncePosts) == {}
    stage.hear(2, "news")
    effects = stage.wait(100 * SECOND)
    assert told(effects) == pushed(effects) == {}


def test_messages_of_peers_that_are_gone_do_nothing():
    stage = Stage()
    topics, peer = stage.topics, peer_of(1)
    assert topics.on_posts(peer, (b"x",), 1) == topics.on_announce(peer, (b"s" * 8,), 1) == []
    assert topics.on_pull(peer, (b"s" * 8,), 1) == topics.on_listening(peer, ("a",), 1) == []
    assert topics.deadline is None


# --- what is dropped ---


def test_an_expired_post_and_one_of_the_far_future_are_dropped_without_blame():
    stage = Stage(1)
    for life_ms in (0, -1, 661_000):
        assert stage.push(1, stage.post(life_ms=life_ms)) == []
    assert stage.count("posts_expired") == 3
    assert stage.router._scores.of(peer_of(1)).invalid == 0


def test_a_sequence_number_that_came_is_no_news_and_a_late_one_is():
    stage = Stage(1, post_window=8)
    for sequence in (10, 12, 11, 5):
        assert len(delivered(stage.push(1, stage.post(sequence)))) == 1
    for sequence in (10, 11, 12, 5, 4):
        assert stage.push(1, stage.post(sequence, data=b"again")) == []
    assert stage.count("posts_replayed") == 5
    assert len(delivered(stage.push(1, stage.post(5, origin=98)))) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60))
def test_no_sequence_number_is_news_twice(sequences):
    stage = Stage(1, post_window=16)
    taken = []
    for place, sequence in enumerate(sequences):
        post = stage.post(sequence, data=place.to_bytes(2, "big"))
        if delivered(stage.push(1, post)):
            taken.append(sequence)
        else:
            assert sequence in taken or sequence <= max(taken) - 16
    assert len(taken) == len(set(taken))


def test_a_forged_post_is_blamed_on_who_pushed_it_and_spends_nothing_of_the_origin():
    stage = Stage(1, post_origin_burst=1, post_origin_rate=1)
    forged = stage.post(network=b"x" * 32)
    for _ in range(2):
        assert misbehaving(stage.push(1, forged)) == []
    assert delivered(stage.push(1, stage.post())) == [b"hello"]
    assert misbehaving(stage.push(1, forged)) == [1]
    assert stage.router.is_banned(peer_of(1), stage.now)


def test_malformed_posts_are_a_ban():
    stage = Stage(1)
    assert misbehaving(stage.push(1, b"x", b"y", b"z")) == [1]


@pytest.mark.parametrize(("verdict", "invalid"), [(Verdict.ACCEPT, 0), (Verdict.IGNORE, 0), (Verdict.REJECT, 1)])
def test_the_strictest_verdict_of_a_topic_s_validators_counts(verdict, invalid):
    stage = Stage(2, validator=lambda post: verdict)
    stage.topics.listen("news", None, 0)
    stage.topics.listen("other", lambda post: Verdict.REJECT, 0)
    stage.router.on_choose(peer_of(2), stage.now)
    effects = stage.push(1, stage.post())
    assert bool(delivered(effects)) == bool(pushed(effects)) == (verdict is Verdict.ACCEPT)
    assert stage.router._scores.of(peer_of(1)).invalid == invalid


def test_a_post_is_judged_once():
    judged = []
    stage = Stage(3, validator=lambda post: judged.append(post) or Verdict.IGNORE)
    for number in (1, 2, 3, 1):
        stage.push(number, stage.post())
    assert len(judged) == 1


# --- what is bounded ---


def test_posts_of_an_origin_beyond_its_budget_are_dropped_without_blame_until_it_fills_again():
    stage = Stage(2, post_origin_burst=3, post_origin_rate=2)
    posts = [stage.post(sequence) for sequence in range(5)]
    assert len(delivered(stage.push(1, *posts))) == 3
    assert stage.count("posts_over_origin_budget") == 2
    assert stage.router._scores.of(peer_of(1)).invalid == 0
    stage.now += SECOND
    assert len(delivered(stage.push(2, *posts))) == 2


def test_new_posts_of_a_peer_beyond_its_budget_are_dropped_and_another_s_copies_are_taken():
    stage = Stage(2, post_peer_burst=3, post_peer_rate=1)
    posts = [stage.post(origin=origin) for origin in range(5)]
    assert len(delivered(stage.push(1, *posts))) == 3
    assert stage.count("posts_over_peer_budget") == 2
    assert len(delivered(stage.push(2, *posts))) == 2


def test_the_bytes_of_a_peer_are_bounded():
    stage = Stage(1, post_peer_bytes_burst=3_000, post_peer_bytes_rate=1)
    assert len(delivered(stage.push(1, *(stage.post(origin=n, data=bytes(1_000)) for n in range(5))))) == 2


def test_kept_posts_are_bounded_in_count_and_bytes_and_time():
    stage = Stage(2, post_kept_max=3, post_kept_bytes_max=1_000)
    stage.push(1, *(stage.post(sequence) for sequence in range(9)))
    assert stage.count("posts_kept") == 3
    stage.push(1, *(stage.post(sequence, data=bytes(300)) for sequence in range(10, 14)))
    assert stage.count("posts_kept_bytes") <= 1_000
    stage.wait(31 * SECOND)
    assert stage.count("posts_kept") == stage.count("posts_kept_bytes") == 0


def test_who_listens_no_more_keeps_nothing():
    stage = Stage(2)
    stage.push(1, stage.post())
    assert stage.count("posts_kept") == 1
    stage.topics.unlisten(stage.numbers[0], 0)
    assert stage.count("posts_kept") == 0


def test_seen_wanted_announced_and_origins_are_bounded():
    stage = Stage(2, post_seen_max=10, post_wants_max=8, post_announced_max=5, post_origins_max=4)
    for number in range(50):
        stage.push(1, stage.post(origin=number))
    stage.tell(1, *(stage.post(sequence, origin=7) for sequence in range(100, 120)))
    stage.tell(2, *(stage.post(sequence, origin=8) for sequence in range(100, 120)))
    assert stage.count("posts_seen") <= 20
    assert stage.count("posts_wanted") == 6  # of one peer at most as many as are left: 4, then 2
    assert stage.count("post_origins") == 4


def test_a_flood_of_posts_takes_no_place_of_transactions():
    stage = Stage(2)
    seen = stage.count("seen")
    stage.push(1, *(stage.post(sequence) for sequence in range(100)))
    assert (stage.count("seen"), stage.count("in_flight"), stage.count("wanted")) == (seen, 0, 0)


def test_many_posts_go_in_messages_under_their_cap():
    stage = Stage(1)
    for sequence in range(40):
        stage.topics._links[peer_of(1)].push(stage.post(sequence, data=bytes(16_000)).raw)
    messages = sent(stage.topics._links[peer_of(1)].take_pushes(), Posts)[1]
    assert sum(len(message.items) for message in messages) == 40
    assert all(sum(map(len, message.items)) < Posts.BYTES_MAX for message in messages)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(0, 500)), max_size=60))
def test_a_budget_never_lets_more_pass_than_its_burst_and_its_rate(steps):
    budget, now, passed, size_passed = Budget(5, 10, 1_000, 2_000, 0), 0, 0, 0
    for wait_us, size in steps:
        now += wait_us
        if budget.has(size, now):
            budget.spend(size, now)
            passed += 1
            size_passed += size
        else:
            assert budget.wait_us(size, now) > 0
    assert passed <= 10 + 5 * now / SECOND + 1
    assert size_passed <= 2_000 + 1_000 * now / SECOND + 500


def test_a_clock_set_back_takes_nothing_out_of_a_budget():
    budget = Budget(1, 2, 1_000, 1_000, SECOND)
    budget.spend(10, SECOND)
    assert budget.has(10, 0)
