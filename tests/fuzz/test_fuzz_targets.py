"""Every decoder and every core takes or refuses its kept inputs, and some hundred changed ones, by the rules."""

import random
import tracemalloc

import pytest

from p2pcommerce.commerce.registry import BODIES
from p2pcommerce.commerce.schema import KINDS
from p2pcommerce.ledger.epochs import VALIDATOR
from p2pcommerce.primitives.codec import ANY, HASH, U8, U64, array, blob, maybe, pair, text, unpack
from p2pcommerce.wire.messages import MESSAGES
from tests.fuzz.tool import catalogue, corpus, found, plain, synthesis, target

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
    inputs = corpus.kept(name) + synthesis.made_inputs(name)
    result = plain.look(TARGETS[name], inputs, random.Random(f"{SEED} {name}"), runs=CHANGED, clock=lambda: 0.0)
    assert result.runs == len(inputs) + CHANGED
    broken = [(finding.what, finding.where, finding.data.hex()) for finding in result.findings]
    assert not broken, f"seed {SEED}: {broken}"


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in catalogue.found_names()])
def test_each_target_has_kept_inputs_and_accepts_one_of_them(name):
    inputs = corpus.kept(name)
    assert inputs, f"python tools/fuzz/run.py --only {name} --reseed; or give the target an example"
    assert any(TARGETS[name].take(data) for data in inputs)
    assert sum(map(len, inputs)) <= CORPUS_BYTES_MAX


def accepted(name):
    """Return the inputs of a target that it accepts: those that are kept, and those that are made from its shapes."""
    inputs = corpus.kept(name) + synthesis.made_inputs(name)
    return [data for data in inputs if TARGETS[name].take(data)]


def test_each_kind_of_message_has_an_input_that_is_accepted():
    said = {data[0] for data in accepted("wire.messages.decode_message")}
    assert said == set(MESSAGES), "add what is missing to tools/fuzz/seeds.py, and --reseed"


def test_each_type_of_transaction_has_an_input_that_is_accepted():
    named = pair(text(64), ANY)
    said = {named.read(unpack(data, 2**16))[0] for data in accepted("commerce.bodies")}
    assert said == set(BODIES), "add what is missing to tools/fuzz/seeds.py, and --reseed"


def test_each_kind_of_record_has_an_input_that_is_accepted():
    said = {data[0] for data in accepted("commerce.records")}
    assert said == set(KINDS), "add what is missing to tools/fuzz/seeds.py, and --reseed"


@pytest.mark.parametrize("shape", [U8, array(HASH, 3, 2), maybe(U64), blob(9, 3), array(VALIDATOR, 4, 2)])
def test_a_value_is_made_that_its_shape_takes(shape):
    assert shape.plain(shape.read(synthesis.made_value(shape))) == synthesis.made_value(shape)


def test_each_decoder_of_the_product_has_a_target():
    covered = {name for made in TARGETS.values() for name in made.covers}
    named = {reader.name for reader in found.readers()}
    missing = named - covered - set(catalogue.NOT_HOSTILE)
    assert not missing, f"give these a target in tools/fuzz, or a reason in catalogue.NOT_HOSTILE: {sorted(missing)}"
    assert not set(catalogue.NOT_HOSTILE) & covered, "a reason for a decoder that needs none"


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
