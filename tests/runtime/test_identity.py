import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.primitives.crypto import ED25519, signed_bytes
from p2pcommerce.runtime.identity import KEY_FILE_BYTES_MAX, Identity, KeyFileCost, KeyFileError

CHEAP = KeyFileCost(passes=1, memory_kib=8)
SEED = bytes(range(32))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "node.key"
    Identity.from_seed(SEED).save(path, "correct horse", cost=CHEAP)
    return path


def refusal(path, passphrase="correct horse"):
    with pytest.raises(KeyFileError) as caught:
        Identity.load(path, passphrase)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_public_key_of_a_seed_is_rfc_8032s():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    identity = Identity.from_seed(seed)
    assert identity.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert identity.seed == seed


def test_generated_identities_differ():
    assert Identity.generate().public_key != Identity.generate().public_key


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_is_32_bytes(length):
    with pytest.raises(KeyFileError, match=f"32 bytes, this one has {length}"):
        Identity.from_seed(bytes(length))


def test_a_signature_is_bound_to_kind_and_network():
    identity = Identity.from_seed(SEED)
    signature = identity.sign("vote", bytes(32), b"message")
    assert ED25519.verify(identity.public_key, signed_bytes("vote", bytes(32), b"message"), signature)
    assert not ED25519.verify(identity.public_key, signed_bytes("proposal", bytes(32), b"message"), signature)
    assert not ED25519.verify(identity.public_key, signed_bytes("vote", b"\x01" * 32, b"message"), signature)


def test_a_random_output_is_proved_by_the_same_key():
    identity = Identity.from_seed(SEED)
    assert identity.prove(b"input") == ED25519.vrf_prove(SEED, b"input")
    assert ED25519.vrf_verify(identity.public_key, b"input", identity.prove(b"input")) is not None


def test_the_secret_is_never_shown():
    identity = Identity.from_seed(SEED)
    for text in (repr(identity), str(identity), f"{identity}"):
        assert SEED.hex() not in text
        assert repr(SEED) not in text
        assert identity.public_key.hex()[:8] in text


@given(seed=st.binary(min_size=32, max_size=32), passphrase=st.text(st.characters(codec="utf-8"), max_size=50))
@settings(max_examples=30, deadline=None)
def test_what_is_saved_is_loaded(tmp_path_factory, seed, passphrase):
    path = tmp_path_factory.mktemp("keys") / "a.key"
    Identity.from_seed(seed).save(path, passphrase, cost=CHEAP)
    assert Identity.load(path, passphrase).seed == seed


def test_the_default_cost_is_the_interactive_one(tmp_path):
    Identity.from_seed(SEED).save(tmp_path / "k", "p")
    document = json.loads((tmp_path / "k").read_text())
    assert document["kdf"] == {"name": "argon2id", "passes": 2, "memory_kib": 65_536}
    assert Identity.load(tmp_path / "k", "p").seed == SEED


def test_the_file_is_readable_by_its_owner_only(tmp_path):
    before = os.umask(0)
    try:
        Identity.from_seed(SEED).save(tmp_path / "k", "p", cost=CHEAP)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600


def test_the_file_says_whose_it_is_and_not_the_secret(saved):
    text = saved.read_text()
    assert json.loads(text)["public_key"] == Identity.from_seed(SEED).public_key.hex()
    assert SEED.hex() not in text


def test_two_files_of_one_key_share_no_salt_and_no_nonce(tmp_path):
    documents = []
    for name in ("a", "b"):
        Identity.from_seed(SEED).save(tmp_path / name, "p", cost=CHEAP)
        documents.append(json.loads((tmp_path / name).read_text()))
    assert all(documents[0][field] != documents[1][field] for field in ("salt", "nonce", "sealed"))


def test_an_existing_file_is_never_overwritten(saved):
    before = saved.read_bytes()
    with pytest.raises(KeyFileError, match="exists already"):
        Identity.generate().save(saved, "p", cost=CHEAP)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KeyFileError, match="no/such/k: cannot be written: No such file"):
        Identity.generate().save(tmp_path / "no/such/k", "p", cost=CHEAP)


def test_a_wrong_passphrase_is_refused(saved):
    assert "wrong passphrase" in refusal(saved, "correct horsf")
    assert "wrong passphrase" in refusal(saved, "")


def test_a_passphrase_that_is_no_text_is_refused(saved):
    refusal(saved, "\ud800")


def test_any_changed_bit_is_refused(saved):
    original = saved.read_bytes()
    for position in range(len(original)):
        for bit in range(8):
            changed = bytearray(original)
            changed[position] ^= 1 << bit
            # A cost that is still in range would really be paid: 1 pass over at most 88 KiB here, so that is cheap.
            saved.write_bytes(changed)
            refusal(saved)
    saved.write_bytes(original)
    assert Identity.load(saved, "correct horse").seed == SEED


@pytest.mark.parametrize("field", ["version", "public_key", "kdf", "salt", "cipher", "nonce", "sealed"])
def test_a_missing_field_is_refused(saved, field):
    document = json.loads(saved.read_text())
    del document[field]
    saved.write_text(json.dumps(document, indent=2) + "\n")
    refusal(saved)


@pytest.mark.parametrize(
    ("kdf", "reason"),
    [
        ({"passes": 0}, "passes must be 1 to 64"),
        ({"passes": 65}, "passes must be 1 to 64"),
        ({"passes": True}, "passes must be 1 to 64"),
        ({"memory_kib": 7}, "memory_kib must be 8 to"),
        ({"memory_kib": 2**20 + 1}, "memory_kib must be 8 to"),
        ({"name": "scrypt"}, "kdf must have name"),
        ({"more": 1}, "kdf must have name"),
    ],
)
def test_a_cost_out_of_range_is_refused_before_it_is_paid(saved, kdf, reason):
    document = json.loads(saved.read_text())
    document["kdf"] |= kdf
    saved.write_text(json.dumps(document, indent=2) + "\n")
    assert reason in refusal(saved)


def test_a_cost_out_of_range_cannot_be_saved(tmp_path):
    with pytest.raises(KeyFileError, match="passes must be"):
        Identity.generate().save(tmp_path / "k", "p", cost=KeyFileCost(passes=0))
    assert not list(tmp_path.iterdir())


def test_the_clear_fields_are_authenticated_by_the_seal(saved):
    """A well-formed file whose seal opens, but whose public key is another's."""
    document = json.loads(saved.read_text())
    document["public_key"] = Identity.from_seed(bytes(32)).public_key.hex()
    saved.write_text(json.dumps(document, indent=2) + "\n")
    assert "was changed" in refusal(saved)


def test_a_newer_version_is_refused_by_name(saved):
    saved.write_text(saved.read_text().replace('"version": 1', '"version": 2'))
    assert "version 2, this program reads 1" in refusal(saved)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 column 1"),
        (b"{\n  x", "line 2 column 3"),
        (b"[1]", "must hold a JSON object"),
        (b"\xff\xfe", "not readable"),
        (b"[" * 4_000, "is no key file"),
        (b'{"version": ' + b"9" * 4_050 + b"}", "must have exactly version"),
        (b" " * (KEY_FILE_BYTES_MAX + 1), "is larger than 4096 bytes"),
    ],
)
def test_a_file_that_is_no_key_file_is_refused(tmp_path, content, reason):
    path = tmp_path / "k"
    path.write_bytes(content)
    assert reason in refusal(path)


def test_a_missing_file_is_refused(tmp_path):
    assert "cannot be read: No such file" in refusal(tmp_path / "k")


def test_a_folder_is_refused(tmp_path):
    assert "cannot be read: Is a directory" in refusal(tmp_path)
