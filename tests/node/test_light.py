"""The light client: it follows epochs, checks facts under final headers, compares witnesses, and lets its trust age."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.finality.evidence import convict
from p2pcommerce.finality.simplex.messages import Seal, encode_seal
from p2pcommerce.ledger.receipt import Event, Outcome, outcome_hash, receipts_root
from p2pcommerce.node.epoch_links import LINK_BYTES_MAX, EpochLinkError, decode_link, encode_link
from p2pcommerce.node.light import (
    EPOCHS_REMEMBERED_MAX,
    HEADERS_REMEMBERED_MAX,
    TRUST_S,
    ConflictError,
    LightClient,
    NotFinalError,
    NotProvenError,
    TrustExpiredError,
    trust_s_of,
)
from p2pcommerce.node.proof import ProofError, make_proof, verify_proof
from p2pcommerce.node.trust import AnchorError, TrustAnchor
from p2pcommerce.primitives.errors import CodecError, RejectionCode, UsageError
from p2pcommerce.primitives.ids import MICROSECONDS, ZERO_HASH
from p2pcommerce.primitives.merkle import prove, root

from .epoch_world import BLOCKS, HOUR_MS, TIME_MS, US, EpochWorld

WORLD = EpochWorld()
NOW = WORLD.now


@pytest.fixture
def client():
    followed = WORLD.client()
    assert followed.follow(WORLD.links, NOW) == 6
    return followed


def head_of(world, epoch=6, **more):
    header = world.header(epoch, epoch * BLOCKS + 5, **more)
    return header, world.certify(header)


def test_it_goes_from_epoch_to_epoch_with_one_link_each(client):
    assert client.epoch == 6
    assert client.anchor.validators == WORLD.set_of(6)
    assert client.anchor.time_ms == WORLD.links[-1].header.time_ms


def test_it_goes_on_from_a_saved_anchor():
    client = WORLD.client()
    client.follow(WORLD.links[:3], NOW)
    saved = TrustAnchor.from_json(client.anchor.to_json())
    assert saved == client.anchor
    later = WORLD.client()
    later.__init__(saved, scheme=WORLD.scheme)
    assert later.follow(WORLD.links, NOW) == 3


def test_a_link_that_is_missing_false_or_of_too_few_stops_it():
    links = WORLD.links
    weak = replace(links[2], finality=WORLD.certify(links[2].header, signers=2))
    other = replace(links[2], validators=WORLD.set_of(9).validators)
    foreign = replace(links[2], header=replace(links[2].header, genesis_hash=ZERO_HASH))
    disordered = replace(links[2], validators=links[2].validators[::-1])
    for third in ([], [weak], [other], [foreign], [disordered], [replace(links[2], finality=b"")]):
        client = WORLD.client()
        with pytest.raises(EpochLinkError):
            client.follow([*links[:2], *third, *links[3:]], NOW)
        assert client.epoch == 2


def test_a_final_block_that_is_not_the_last_one_of_its_epoch_is_no_link():
    """With it the anchor would name that block as the epoch's end, and nodes would hold the true chain for false."""
    last = WORLD.links[-1]
    middle = replace(last.header, height=last.header.height - 3)
    saved = WORLD.client()
    saved.follow(WORLD.links[:2], NOW)
    for client in (
        LightClient.of(WORLD.genesis, scheme=WORLD.scheme),
        WORLD.client(),
        LightClient(TrustAnchor.from_json(saved.anchor.to_json()), scheme=WORLD.scheme),
    ):
        with pytest.raises(EpochLinkError, match=r"the block of height 57, not the last one \(60\)"):
            client.follow([*WORLD.links[:-1], replace(last, header=middle, finality=WORLD.certify(middle))], NOW)
        assert client.follow([last], NOW) == 1
        assert client.anchor.before.block_hash == last.header.hash


def test_an_anchor_that_does_not_say_how_long_epochs_are_begins_no_client():
    with pytest.raises(AnchorError, match="does not say how many blocks an epoch has: name epoch_blocks"):
        LightClient(replace(WORLD.anchor, epoch_blocks=None), scheme=WORLD.scheme)
    with pytest.raises(AnchorError):
        LightClient(TrustAnchor(WORLD.genesis.hash, WORLD.genesis.validators), scheme=WORLD.scheme)
    known = replace(WORLD.anchor, epoch_blocks=None)  # the genesis says it
    assert LightClient.of(WORLD.genesis, known, scheme=WORLD.scheme).anchor.epoch_blocks == BLOCKS
    with pytest.raises(UsageError, match="epochs of 11 blocks, the genesis of 10"):
        LightClient.of(WORLD.genesis, replace(WORLD.anchor, epoch_blocks=BLOCKS + 1))


def test_a_final_header_proves_values_absence_transactions_and_outcomes(client):
    ids = [bytes([n]) * 32 for n in range(5)]
    outcomes = [Outcome(RejectionCode.OK, (Event("transfer", (b"x",)),)), *[Outcome(RejectionCode.NO_FUNDS)] * 4]
    hashes = [outcome_hash(outcome) for outcome in outcomes]
    final = client.verify_header(*head_of(WORLD, tx_root=root(ids), receipts_root=receipts_root(outcomes)), NOW)
    final.check_state(b"name", b"value", WORLD.tree.prove(b"name"))
    final.check_state(b"absent", None, WORLD.tree.prove(b"absent"))
    final.check_transaction(ids[3], prove(ids, 3))
    final.check_outcome(ids[0], prove(ids, 0), outcomes[0], prove(hashes, 0))
    for check in (
        lambda: final.check_state(b"name", b"other", WORLD.tree.prove(b"name")),
        lambda: final.check_state(b"name", None, WORLD.tree.prove(b"name")),
        lambda: final.check_transaction(ids[2], prove(ids, 3)),
        lambda: final.check_outcome(ids[0], prove(ids, 0), outcomes[1], prove(hashes, 1)),
        lambda: final.check_outcome(ids[0], prove(ids, 0), outcomes[1], prove(hashes, 0)),
    ):
        with pytest.raises(NotProvenError):
            check()


def test_headers_without_a_quorum_of_unknown_epochs_of_other_networks_and_carriers_are_refused(client):
    header, proof = head_of(WORLD)
    carrier = encode_seal(Seal(view=70, parent_view=69, justify_hash=ZERO_HASH, carrier=True, vrf=bytes(80)))
    borne = WORLD.header(6, 7 * BLOCKS, engine_data=carrier)
    for wrong, its_proof in (
        (header, WORLD.certify(header, signers=2)),
        (replace(header, time_ms=1), proof),
        head_of(WORLD, 9),
        (replace(header, genesis_hash=ZERO_HASH), proof),
        (header, b"\x00" * 40),
        (borne, WORLD.certify(borne)),
    ):
        with pytest.raises(NotFinalError):
            client.verify_header(wrong, its_proof, NOW)


def test_validators_do_not_decide_on_heights_of_other_epochs(client):
    header, proof = head_of(WORLD)
    client.verify_header(header, proof, NOW)
    for height in (header.height, 6 * BLOCKS, 7 * BLOCKS + 1):
        foreign = WORLD.header(5 if height > 6 * BLOCKS else 6, height)
        with pytest.raises(NotFinalError, match="is not of epoch"):
            client.verify_header(foreign, WORLD.certify(foreign), NOW)
    forged = WORLD.header(4, header.height)
    with pytest.raises(EpochLinkError, match="not the last one"):
        client.follow([replace(WORLD.links[4], header=forged, finality=WORLD.certify(forged))], NOW)
    assert client.conflict is None


def test_two_final_headers_of_one_height_convict_who_signed_both(client):
    header, proof = head_of(WORLD)
    other = replace(header, time_ms=header.time_ms + 1)
    client.verify_header(header, proof, NOW)
    client.verify_header(header, proof, NOW)  # the same again is no conflict
    with pytest.raises(ConflictError, match="final at height 65") as caught:
        client.verify_header(other, WORLD.certify(other), NOW)
    conflict = caught.value.conflict
    assert client.conflict == conflict
    assert {conflict.first.header, conflict.second.header} == {header, other}
    sets = {6: WORLD.set_of(6)}.__getitem__
    offences = [convict(raw, sets, WORLD.genesis.hash, WORLD.scheme) for raw in conflict.evidence]
    assert len(offences) == 3
    assert {offence.kind for offence in offences} == {"E2"}
    for act in (
        lambda: client.follow([], NOW),
        lambda: client.verify_header(header, proof, NOW),
        lambda: client.verify_proof(b"", NOW),
    ):
        with pytest.raises(ConflictError):
            act()


def test_a_witness_with_another_link_is_found_out_and_one_that_proves_nothing_is_not_believed(client):
    link = WORLD.links[3]
    header = replace(link.header, next_validators_hash=WORLD.set_of(9).hash)
    forged = replace(link, header=header, validators=WORLD.set_of(9).validators)
    with pytest.raises(EpochLinkError):
        client.follow([replace(forged, finality=WORLD.certify(header, signers=2))], NOW)
    assert client.conflict is None
    with pytest.raises(ConflictError):
        client.follow([replace(forged, finality=WORLD.certify(header, view=999))], NOW)
    assert client.conflict.evidence == ()  # of different views: two votes of one view are needed


def test_trust_older_than_its_period_needs_a_checkpoint():
    late = (TIME_MS // 1_000 + TRUST_S + 1) * MICROSECONDS
    client = WORLD.client()
    client.follow(WORLD.links[:1], late - MICROSECONDS * 2)
    with pytest.raises(TrustExpiredError, match=r"14\.0 days.*newer trust anchor"):
        WORLD.client().follow(WORLD.links, late)
    checkpoint = client.anchor
    again = WORLD.client()
    again.__init__(checkpoint, scheme=WORLD.scheme)
    with pytest.raises(TrustExpiredError):
        again.verify_header(*head_of(WORLD), late + 10**13)
    with pytest.raises(TrustExpiredError):
        again.verify_proof(b"", late + 10**13)


def test_each_final_header_renews_trust(client):
    header, proof = head_of(WORLD, time_ms=TIME_MS + 10 * 24 * HOUR_MS)
    client.verify_header(header, proof, NOW)
    client.check_age((TIME_MS + 20 * 24 * HOUR_MS) * US)


def test_a_network_with_a_short_unbonding_period_has_a_shorter_trust():
    parameters = WORLD.genesis.parameters
    assert trust_s_of(WORLD.genesis) == TRUST_S
    assert trust_s_of(replace(WORLD.genesis, parameters=replace(parameters, unbonding_s=60))) == 40


def test_a_client_of_a_network_has_its_engine_and_its_own_anchors_only():
    assert LightClient.of(WORLD.genesis, scheme=WORLD.scheme).follow(WORLD.links, NOW) == 6
    with pytest.raises(UsageError, match="another network"):
        LightClient.of(replace(WORLD.genesis, network="other"), WORLD.anchor)
    with pytest.raises(UsageError, match='engine "raft"'):
        LightClient.of(replace(WORLD.genesis, engine="raft"))


def test_what_it_remembers_is_bounded():
    world = EpochWorld(epochs=EPOCHS_REMEMBERED_MAX + 6)
    client = world.client()
    client.follow(world.links, world.now)
    old = world.header(5, 5 * BLOCKS + 5)
    with pytest.raises(NotFinalError, match="not known"):
        client.verify_header(old, world.certify(old), world.now)
    assert len(client._sets) == EPOCHS_REMEMBERED_MAX
    client = world.client(epoch_blocks=2 * HEADERS_REMEMBERED_MAX)
    for number in range(HEADERS_REMEMBERED_MAX + 5):
        header = world.header(0, 1 + number)
        client.verify_header(header, world.certify(header), world.now)
    assert len(client._headers) == HEADERS_REMEMBERED_MAX


def bundle(world, links, epoch=6):
    header, proof = head_of(world, epoch)
    return make_proof("simplex", header, proof, b"name", b"value", world.tree.prove(b"name"), links=links).raw


def test_an_offline_proof_is_checked_by_the_epoch_that_it_ends_in(client):
    assert client.verify_proof(bundle(WORLD, ()), NOW).value == b"value"
    assert client.verify_proof(bundle(WORLD, WORLD.links[:3], 3), NOW).value == b"value"
    assert verify_proof(bundle(WORLD, WORLD.links), WORLD.anchor, scheme=WORLD.scheme).value == b"value"
    assert verify_proof(bundle(WORLD, ()), client.anchor, scheme=WORLD.scheme).height == 65
    with pytest.raises(ProofError):  # the network's own scheme was not used
        verify_proof(bundle(WORLD, WORLD.links), WORLD.anchor)
    with pytest.raises(ProofError):
        verify_proof(bundle(WORLD, ()), WORLD.anchor, scheme=WORLD.scheme)


def test_links_survive_the_wire_and_too_large_ones_are_refused_before_decoding():
    for link in WORLD.links:
        assert decode_link(encode_link(link)) == link
    with pytest.raises(CodecError, match="allowed"):
        decode_link(bytes(LINK_BYTES_MAX + 1))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5), st.data())
def test_a_link_changed_anywhere_is_refused(number, data):
    raw = bytearray(encode_link(WORLD.links[number]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    client = WORLD.client()
    client.follow(WORLD.links[:number], NOW)
    try:
        changed = decode_link(bytes(raw))
    except CodecError:
        return
    if changed.header.epoch < number:  # an earlier epoch's: it leads nowhere
        assert client.follow([changed], NOW) == 0
        assert client.anchor.validators == WORLD.set_of(number)
        return
    with pytest.raises(EpochLinkError):
        client.follow([changed], NOW)
    assert client.epoch == number


def test_the_end_of_the_epoch_before_the_anchor_can_be_checked_and_earlier_ones_cannot(client):
    begun = TrustAnchor.from_json(client.anchor.to_json())
    later = LightClient(begun, scheme=WORLD.scheme)
    link = WORLD.links[5]  # of the newest snapshot of this network
    assert later.verify_header(link.header, link.finality, NOW).header == link.header
    assert later.anchor.before.block_hash == link.header.hash
    earlier = WORLD.links[4]
    assert not later.believes(4, NOW)
    with pytest.raises(NotFinalError, match="not known"):
        later.verify_header(earlier.header, earlier.finality, NOW)


def test_validators_of_an_epoch_that_is_over_count_for_one_trust_period_only():
    """Whoever left long ago may have the stake back, and signs another history without loss."""
    world = EpochWorld(epochs=4)
    day_us = 86_400 * MICROSECONDS
    ends = [world.now + epoch * 10 * day_us for epoch in range(4)]
    links = []
    for epoch, end_us in enumerate(ends):
        header = world.header(epoch, (epoch + 1) * BLOCKS, time_ms=end_us // US)
        links.append(replace(world.links[epoch], header=header, finality=world.certify(header)))
    client = world.client()
    for link, end_us in zip(links, ends, strict=True):
        client.follow([link], end_us + MICROSECONDS)
    now = ends[-1] + day_us
    assert [client.believes(epoch, now) for epoch in range(5)] == [False, False, True, True, True]
    assert not client.believes(2, ends[2] + (TRUST_S + 1) * MICROSECONDS)
    ghost = world.header(1, BLOCKS + 5, state_root=b"\x13" * 32)
    with pytest.raises(NotFinalError, match="taken their stake back"):
        client.verify_header(ghost, world.certify(ghost), now)
    known = links[1]  # found to be final while it counted: the same bytes still are
    assert client.verify_header(known.header, known.finality, now).header == known.header


def test_an_epoch_that_is_over_makes_trust_no_younger(client):
    before = client.anchor.time_ms
    header = WORLD.header(5, 5 * BLOCKS + 5, time_ms=before + 10 * HOUR_MS)
    client.verify_header(header, WORLD.certify(header), NOW)
    assert client.anchor.time_ms == before


def test_a_saved_anchor_has_the_time_of_the_newest_final_header(client):
    header, finality = head_of(WORLD)
    client.verify_header(header, finality, NOW)
    assert client.anchor.time_ms == header.time_ms > WORLD.links[-1].header.time_ms


def test_an_anchor_from_the_future_is_refused_and_does_not_stay_young_for_ever():
    anchor = replace(WORLD.anchor, time_ms=2**63 - 1)
    with pytest.raises(TrustExpiredError, match="in the future"):
        LightClient(anchor, scheme=WORLD.scheme).check_age(NOW)
