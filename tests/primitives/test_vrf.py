import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives import curve, vrf
from p2pcommerce.primitives.crypto import ED25519, ed25519_keypair
from p2pcommerce.primitives.errors import CryptoError

h = bytes.fromhex

# RFC 9381, appendix B.3, examples 16 to 18: seed, public key, input, tries, point, nonce, U, V, proof, output.
VECTORS = [
    {
        "seed": "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "public": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "alpha": "",
        "counter": 0,
        "secret": "307c83864f2833cb427a2ef1c00a013cfdff2768d980c0a3a520f006904de94f",
        "point": "91bbed02a99461df1ad4c6564a5f5d829d0b90cfc7903e7a5797bd658abf3318",
        "nonce": "7100f3d9eadb6dc4743b029736ff283f5be494128df128df2817106f345b8594"
        "b6d6da2d6fb0b4c0257eb337675d96eab49cf39e66cc2c9547c2bf8b2a6afae4",
        "u": "aef27c725be964c6a9bf4c45ca8e35df258c1878b838f37d9975523f09034071",
        "v": "5016572f71466c646c119443455d6cb9b952f07d060ec8286d678615d55f954f",
        "proof": "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97"
        "27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
        "output": "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff"
        "66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae",
    },
    {
        "seed": "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "public": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "alpha": "72",
        "counter": 1,
        "secret": "68bd9ed75882d52815a97585caf4790a7f6c6b3b7f821c5e259a24b02e502e51",
        "point": "5b659fc3d4e9263fd9a4ed1d022d75eaacc20df5e09f9ea937502396598dc551",
        "nonce": "42589bbf0c485c3c91c1621bb4bfe04aed7be76ee48f9b00793b2342acb9c167"
        "cab856f9f9d4febc311330c20b0a8afd3743d05433e8be8d32522ecdc16cc5ce",
        "u": "1dcb0a4821a2c48bf53548228b7f170962988f6d12f5439f31987ef41f034ab3",
        "v": "fd03c0bf498c752161bae4719105a074630a2aa5f200ff7b3995f7bfb1513423",
        "proof": "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465"
        "301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
        "output": "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb"
        "5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031",
    },
    {
        "seed": "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "public": "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "alpha": "af82",
        "counter": 0,
        "secret": "909a8b755ed902849023a55b15c23d11ba4d7f4ec5c2f51b1325a181991ea95c",
        "point": "bf4339376f5542811de615e3313d2b36f6f53c0acfebb482159711201192576a",
        "nonce": "38b868c335ccda94a088428cbf3ec8bc7955bfaffe1f3bd2aa2c59fc31a0febc"
        "59d0e1af3715773ce11b3bbdd7aba8e3505d4b9de6f7e4a96e67e0d6bb6d6c3a",
        "u": "2bae73e15a64042fcebf062abe7e432b2eca6744f3e8265bc38e009cd577ecd5",
        "v": "88cba1cb0d4f9b649d9a86026b69de076724a93a65c349c988954f0961c5d506",
        "proof": "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0"
        "e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
        "output": "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c45"
        "2118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f",
    },
]
EXAMPLES = pytest.mark.parametrize("example", VECTORS, ids=["16", "17", "18"])

SEED = h(VECTORS[0]["seed"])
PUBLIC = ED25519.public_key(SEED)
ALPHA = b"seed of an epoch, and a view"
PROOF = ED25519.vrf_prove(SEED, ALPHA)

NEUTRAL = (1).to_bytes(32, "little")
ORDER_TWO = (curve.FIELD_PRIME - 1).to_bytes(32, "little")
ORDER_FOUR = bytes(32)
ORDER_EIGHT = h("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
SMALL_ORDER = [NEUTRAL, ORDER_TWO, ORDER_FOUR, ORDER_EIGHT]


@EXAMPLES
def test_keys_are_those_of_the_rfc(example):
    seed = h(example["seed"])
    assert ED25519.public_key(seed) == h(example["public"])
    # The product with the base point shows that the vector's secret scalar is the key's.
    assert curve.multiply_base(h(example["secret"])) == h(example["public"])


@EXAMPLES
def test_an_input_encodes_to_the_point_of_the_rfc_after_as_many_tries(example, monkeypatch):
    tried = []
    is_canonical = curve.is_canonical
    monkeypatch.setattr(curve, "is_canonical", lambda data: tried.append(data) or is_canonical(data))
    assert vrf.encode_to_curve(h(example["public"]), h(example["alpha"])) == h(example["point"])
    assert len(tried) == example["counter"] + 1


@EXAMPLES
def test_nonce_u_and_v_are_those_of_the_rfc(example, monkeypatch):
    hashed, challenged = [], []
    nonce, challenge = vrf._nonce, vrf._challenge
    monkeypatch.setattr(vrf, "_nonce", lambda *a: hashed.append(nonce(*a)) or hashed[-1])
    monkeypatch.setattr(vrf, "_challenge", lambda *a: challenged.append(a) or challenge(*a))
    proof = ED25519.vrf_prove(h(example["seed"]), h(example["alpha"]))
    assert hashed == [h(example["nonce"])]
    wanted = (h(example["public"]), h(example["point"]), proof[:32], h(example["u"]), h(example["v"]))
    assert ED25519.vrf_verify(h(example["public"]), h(example["alpha"]), proof) is not None
    assert challenged == [wanted, wanted]  # by the prover, and again by the verifier


@EXAMPLES
def test_proof_and_output_are_those_of_the_rfc(example):
    proof = ED25519.vrf_prove(h(example["seed"]), h(example["alpha"]))
    assert proof == h(example["proof"])
    assert vrf.proof_output(proof) == h(example["output"])
    assert ED25519.vrf_verify(h(example["public"]), h(example["alpha"]), proof) == h(example["output"])


@settings(max_examples=40, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), alpha=st.binary(max_size=200))
def test_every_proof_verifies_and_is_the_same_every_time(seed, alpha):
    public, secret = ed25519_keypair(seed)
    proof = vrf.prove(secret, alpha)
    assert len(proof) == vrf.VRF_PROOF_BYTES
    assert vrf.prove(secret, alpha) == proof
    output = vrf.verify(public, alpha, proof)
    assert output == vrf.proof_output(proof)
    assert len(output) == vrf.VRF_OUTPUT_BYTES


def changed(data, bit):
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(data))


@pytest.mark.parametrize("bit", range(80 * 8))
def test_any_changed_bit_of_the_proof_is_refused(bit):
    assert vrf.verify(PUBLIC, ALPHA, changed(PROOF, bit)) is None


@pytest.mark.parametrize("bit", range(len(ALPHA) * 8))
def test_any_changed_bit_of_the_input_is_refused(bit):
    assert vrf.verify(PUBLIC, changed(ALPHA, bit), PROOF) is None


@pytest.mark.parametrize("bit", range(32 * 8))
def test_any_changed_bit_of_the_key_is_refused(bit):
    assert vrf.verify(changed(PUBLIC, bit), ALPHA, PROOF) is None


@settings(max_examples=200, deadline=None)
@given(key=st.binary(max_size=40), alpha=st.binary(max_size=40), proof=st.binary(max_size=100))
def test_no_bytes_raise(key, alpha, proof):
    assert vrf.verify(key, alpha, proof) is None
    assert vrf.verify(PUBLIC, alpha, proof.ljust(80, b"\x00")[:80]) is None
    assert vrf.verify(key, ALPHA, PROOF) is None


@pytest.mark.parametrize("length", [0, 31, 79, 81, 160])
def test_a_proof_of_a_wrong_length_is_refused(length):
    assert vrf.verify(PUBLIC, ALPHA, (PROOF * 2)[:length]) is None


def test_a_second_form_of_s_is_refused():
    response = int.from_bytes(PROOF[48:], "little") + curve.GROUP_ORDER
    assert vrf.verify(PUBLIC, ALPHA, PROOF[:48] + response.to_bytes(32, "little")) is None
    assert vrf.verify(PUBLIC, ALPHA, PROOF[:48] + bytes(32)) is None


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(point):
    assert curve.clear_cofactor(point) == NEUTRAL
    assert not vrf.validate_key(point)
    assert vrf.verify(point, ALPHA, PROOF) is None


@pytest.mark.parametrize("point", SMALL_ORDER[1:])
def test_a_key_or_gamma_with_a_part_of_small_order_is_refused(point):
    mixed = curve.add(PUBLIC, point)
    assert mixed != PUBLIC
    assert curve.clear_cofactor(mixed) == curve.clear_cofactor(PUBLIC)
    assert not vrf.validate_key(mixed)
    assert vrf.verify(PUBLIC, ALPHA, curve.add(PROOF[:32], point) + PROOF[32:]) is None


def test_a_key_is_checked_once_while_it_is_among_those_remembered():
    remembered = vrf._is_good_key
    remembered.cache_clear()
    for _ in range(2):
        assert vrf.validate_key(PUBLIC)
        assert not vrf.validate_key(NEUTRAL)
        assert not vrf.validate_key(PUBLIC + PUBLIC)  # of a wrong length: takes no place
    assert remembered.cache_info().misses == 2
    for number in range(vrf.KEYS_REMEMBERED_MAX):
        vrf.validate_key(number.to_bytes(32, "big"))
    assert remembered.cache_info().currsize == vrf.KEYS_REMEMBERED_MAX
    before = remembered.cache_info().misses
    assert vrf.validate_key(PUBLIC)
    assert remembered.cache_info().misses == before + 1  # it had been forgotten


def test_only_the_canonical_form_of_a_point_is_taken():
    negative_zero = (1 | 1 << 255).to_bytes(32, "little")
    above = (curve.FIELD_PRIME + 1).to_bytes(32, "little")  # y = 1 once more
    assert curve.is_canonical(NEUTRAL)
    assert curve.is_canonical(PUBLIC)
    for data in (negative_zero, above, b"\xff" * 32, PUBLIC[:31], PUBLIC + b"\x00"):
        assert not curve.is_canonical(data)
        assert not vrf.validate_key(data)


def test_what_is_no_point_is_no_summand_and_no_factor():
    outside = next(
        bytes([number]) + bytes(31) for number in range(2, 100) if not is_on_curve(bytes([number]) + bytes(31))
    )
    for calculate in (
        lambda: curve.add(PUBLIC, outside),
        lambda: curve.subtract(outside, PUBLIC),
        lambda: curve.clear_cofactor(outside),
        lambda: curve.multiply(NEUTRAL, outside),
        lambda: curve.multiply(NEUTRAL, ORDER_EIGHT),
        lambda: curve.multiply(bytes(32), PUBLIC),
        lambda: curve.multiply_base(bytes(32)),
    ):
        with pytest.raises(CryptoError):
            calculate()


def is_on_curve(data):
    try:
        curve.add(data, data)
    except CryptoError:
        return False
    return True


def test_an_input_that_never_hits_the_curve_ends(monkeypatch):
    tried = []
    monkeypatch.setattr(curve, "is_canonical", lambda data: tried.append(data) or False)
    with pytest.raises(CryptoError, match="does not encode"):
        vrf.encode_to_curve(PUBLIC, ALPHA)
    assert len(tried) == 256
    assert vrf.verify(PUBLIC, ALPHA, PROOF) is None


@settings(max_examples=50, deadline=None)
@given(one=st.integers(0, 2**512 - 1), two=st.integers(0, 2**512 - 1), three=st.integers(0, 2**512 - 1))
def test_scalars_are_integers_modulo_the_group_order(one, two, three):
    reduced = [curve.reduce_scalar(number.to_bytes(64, "little")) for number in (one, two, three)]
    result = curve.multiply_add(*reduced)
    assert int.from_bytes(result, "little") == (one * two + three) % curve.GROUP_ORDER


def test_a_signature_and_a_proof_never_share_a_nonce():
    # Both hash 32 secret bytes with what they are of; the point has 32 bytes, a signed message more than that.
    digest = hashlib.sha512(SEED).digest()
    point = vrf.encode_to_curve(PUBLIC, ALPHA)
    assert vrf._nonce(digest, point) == hashlib.sha512(digest[32:] + point).digest()
    assert len(point) < len(b"p2pcommerce/1/" + b"\x00" + bytes(32))
