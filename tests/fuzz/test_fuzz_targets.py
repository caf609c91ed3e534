"""Every decoder and every core takes or refuses its kept inputs, and some hundred changed ones, by the rules."""

import random
import tracemalloc

import pytest

from p2pcommerce.commerce.registry import BODIES
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.primitives.codec import ANY, pair, text, unpack
from p2pcommerce.wire.messages import MESSAGES
from tests.fuzz.tool import catalogue, corpus, found, plain, target

TARGETS = catalogue.targets()
SEED = 20_260_101
CHANGED = 200
CORPUS_BYTES_MAX = 64 * 1024
PEAK_BYTES_MAX = 2 * 2**20
PEAK_PER_BYTE_MAX = 24

each = pytest.mark.parametrize("name", TARGETS)
each_decoder = pytest.mark.parametrize(
    "name", [name for name, made in TARGETS.items() if made.form is not target.Form.SCRIPT]
)


@each
def test_kept_inputs_and_changed_ones_break_no_rule(name):
    inputs = corpus.kept(name)
    result = plain.look(TARGETS[name], inputs, random.Random(f"{SEED} {name}"), runs=CHANGED, clock=lambda: 0.0)
    assert result.runs == len(inputs) + CHANGED
    broken = [(finding.what, finding.where, finding.data.hex()) for finding in result.findings]
    assert not broken, f"seed {SEED}: {broken}"


@each
def test_each_target_has_kept_inputs_and_accepts_one_of_them(name):
    inputs = corpus.kept(name)
    assert inputs, f"python tools/fuzz/run.py --only {name} --reseed; or give the target an example"
    assert any(TARGETS[name].take(data) for data in inputs)
    assert sum(map(len, inputs)) <= CORPUS_BYTES_MAX


def test_the_corpus_holds_nothing_of_targets_that_are_gone():
    assert {path.name for path in corpus.CORPUS.iterdir()} <= set(TARGETS)


def test_each_kind_of_message_has_a_kept_input_that_is_accepted():
    took = TARGETS["wire.messages.decode_message"].take
    said = {data[0] for data in corpus.kept("wire.messages.decode_message") if took(data)}
    assert said == set(MESSAGES), "python tools/fuzz/run.py --only wire.messages.decode_message --reseed"


def test_each_type_of_transaction_has_a_kept_input_that_is_accepted():
    named = pair(text(64), ANY)
    took = TARGETS["commerce.bodies"].take
    said = {named.read(unpack(data, 2**16))[0] for data in corpus.kept("commerce.bodies") if took(data)}
    assert said == set(BODIES), "add what is missing to tools/fuzz/seeds.py, and --reseed"


def test_each_kind_of_record_has_a_kept_input_that_is_accepted():
    took = TARGETS["commerce.records"].take
    assert {data[0] for data in corpus.kept("commerce.records") if took(data)} == set(KINDS)


def test_each_decoder_of_the_product_has_a_target():
    covered = {name for made in TARGETS.values() for name in made.covers}
    named = {reader.name for reader in found.readers()}
    missing = named - covered - set(catalogue.NOT_HOSTILE)
    assert not missing, f"give these a target in tools/fuzz, or a reason in catalogue.NOT_HOSTILE: {sorted(missing)}"
    assert set(catalogue.NOT_HOSTILE) <= named - covered, "a reason for a decoder that needs none"
    assert covered <= named, f"targets of decoders that are gone: {sorted(covered - named)}"


def bombs(form):
    """Yield small inputs that claim to be large."""
    nested = [b"\xdc\xff\xff", b"\xdd\x00\x00\xff\xff", b"\xdd\x00\x01\x00\x00", b"\xdf\x00\x00\xff\xff", b"\x91"]
    sized = [b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\x7f\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01"]
    made = [head * 900 for head in nested] + sized
    if form is target.Form.TEXT:
        made += [b"[" * 60_000, b'{"a":' * 10_000, b"1" * 60_000, b"1e999999999", b'"' + b"\\u0041" * 9_000 + b'"']
    for head in made:
        yield head
        yield head.ljust(65_536, b"\0")
    if form is target.Form.TAGGED:
        for tag in range(0x60):
            yield bytes([tag]) + (b"\xdc\xff\xff" * 900).ljust(65_536, b"\0")


@each_decoder
def test_what_claims_to_be_large_takes_no_memory(name):
    made = TARGETS[name]
    made.take(b"")
    for data in bombs(made.form):
        tracemalloc.start()
        try:
            made.take(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= PEAK_BYTES_MAX + PEAK_PER_BYTE_MAX * len(data), data[:16]
