"""Proofs that a running node makes: in full and compact form, at every place of an epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import p2pcommerce as p2p
from p2pcommerce.commerce import (
    AttestIssue,
    AttestRevoke,
    ProductSet,
    StoreSet,
    Subject,
    SubjectKind,
    TraceCommission,
    TraceShip,
    attestation_id,
    item_id,
)
from p2pcommerce.node.compact import COMPACT_MAGIC
from p2pcommerce.node.proof_errors import AnchorTooOldError
from p2pcommerce.node.subjects import describe_record
from tests.finality.cases import example

from .nodes import SHOP, config_of, genesis_of, identity, open_memory, pay

GTIN = "09520001000010"
HASH = bytes(range(32))
MAKER = identity(0).public_key


def anchor_of(node, genesis, epoch):
    """Return what a light client would hold in an epoch."""
    return p2p.TrustAnchor(genesis.hash, node._core.chain.sets(epoch), epoch)


async def do(node, *payloads):
    for payload in payloads:
        receipt = await node.wait_finalized(await node.submit(payload))
        assert receipt.code is p2p.RejectionCode.OK


async def test_the_example_proves_and_checks_every_subject_in_under_ten_lines(tmp_path, jumping_clock):
    prove = example("prove")
    config = config_of(tmp_path)
    item = {"issuer": MAKER.hex(), "gtin": GTIN, "serial": "7"}
    ids = (item_id(MAKER, GTIN, serial="7"),)
    others = {
        "balance": {"account": MAKER.hex()},
        "order": {"order": HASH.hex()},
        "score": {"store": MAKER.hex()},
        "certificate": {"issuer": MAKER.hex(), "schema": "organic", "subject": f"store:{MAKER.hex()}"},
    }
    async with open_memory(config) as node:
        await do(
            node,
            StoreSet("Shop", HASH, HASH, "https://shop.example", ()),
            ProductSet(GTIN, HASH),
            TraceCommission(GTIN, ("7", "8"), None, HASH, 1),
            TraceShip(ids, SHOP, HASH, 2),
            AttestIssue(Subject(SubjectKind.STORE, MAKER), "organic", HASH, 2**62),
        )
        text = await prove.prove(node, "item", **item)
        texts = {subject: await prove.prove(node, subject, **named) for subject, named in others.items()}
    anchor = p2p.TrustAnchor.of(config.genesis)
    proven = prove.check(text, anchor, "item", **item)
    assert [(entry.type, entry.signer) for entry in proven.history] == [
        ("trace.commission", MAKER),
        ("trace.ship", MAKER),
    ]
    there = {subject: prove.check(texts[subject], anchor, subject, **named).value for subject, named in others.items()}
    assert [subject for subject, value in there.items() if value is None] == ["order"]
    with pytest.raises(p2p.ProofError, match="something else"):
        prove.check(text, anchor, "item", **item | {"serial": "8"})
    lines = (Path(__file__).parents[2] / "docs" / "examples" / "prove.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines[lines.index("import p2pcommerce as p2p") :] if line and '"""' not in line]
    assert len(code) < 10


async def test_a_certificate_its_revocation_and_a_score_are_proven(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    named = {"issuer": MAKER.hex(), "schema": "organic", "subject": f"store:{MAKER.hex()}"}
    about = Subject(SubjectKind.STORE, MAKER)
    anchor = p2p.TrustAnchor.of(config.genesis)
    wanted = p2p.subject_of("certificate", named)
    async with open_memory(config) as node:
        await do(node, StoreSet("Shop", HASH, HASH, "https://shop.example", ()))
        await do(node, AttestIssue(about, "organic", HASH, 2**62))
        issued = await node.prove("certificate", **named)
        await do(node, AttestRevoke(attestation_id(MAKER, about, "organic")))
        revoked = await node.prove("certificate", **named)
        score = await node.prove("score", store=MAKER.hex())
    proven = p2p.verify_proof(issued.text, anchor, subject=wanted)
    assert describe_record(proven.key, proven.value)["schema"] == "organic"
    assert p2p.verify_proof(revoked.text, anchor, subject=wanted).value is None
    proven = p2p.verify_proof(score.text, anchor, subject=p2p.subject_of("score", {"store": MAKER.hex()}))
    assert describe_record(proven.key, proven.value)["mean_millistars"] == 3_000


async def test_a_compact_proof_holds_at_every_height_of_an_epoch(tmp_path, jumping_clock):
    genesis = genesis_of(engine="simplex")
    genesis = replace(genesis, parameters=replace(genesis.parameters, epoch_blocks=2))
    config = config_of(tmp_path, genesis=genesis, engine="simplex")
    async with open_memory(config) as node:
        for _ in range(8):
            await do(node, pay(5_000_000))
            chain = node._core.chain
            epoch = chain.head.epoch
            proof = await node.prove("balance", account=SHOP.hex(), since_epoch="head")
            assert proof.raw.startswith(COMPACT_MAGIC)
            proven = p2p.verify_proof(proof.text, anchor_of(node, genesis, epoch))
            assert proven.value is not None
            if epoch:
                with pytest.raises(AnchorTooOldError):
                    p2p.verify_proof(proof.raw, p2p.TrustAnchor.of(genesis))
        assert epoch >= 3
        named = await node.prove("balance", account=SHOP.hex(), since_epoch=str(node._core.chain.head.epoch))
        assert named.raw.startswith(COMPACT_MAGIC)


async def test_a_header_that_was_proven_is_enough_for_the_next_proof(tmp_path, jumping_clock):
    config = config_of(tmp_path)
    async with open_memory(config) as node:
        await do(node, pay(5_000_000))
        first = await node.prove("balance", account=SHOP.hex())
        await do(node, pay(5_000_000))
        second = await node.prove("balance", account=SHOP.hex(), since_epoch="head", validators="yes")
    header = p2p.verify_proof(first.raw, p2p.TrustAnchor.of(config.genesis)).header
    assert p2p.verify_proof_by_header(second.raw, header).height > header.height


@pytest.mark.parametrize("since", ["head ", "-1", -1, 1.5, "9" * 11, 7])
async def test_an_epoch_that_is_none_or_has_not_begun_is_refused(tmp_path, jumping_clock, since):
    async with open_memory(config_of(tmp_path)) as node:
        await do(node, pay(5_000_000))
        with pytest.raises(p2p.UsageError, match="epoch"):
            await node.prove("balance", account=SHOP.hex(), since_epoch=since)


async def test_a_node_without_a_final_block_has_nothing_to_prove(tmp_path, jumping_clock):
    async with open_memory(config_of(tmp_path)) as node:
        with pytest.raises(p2p.UsageError, match="wait for the next block"):
            await node.prove("balance", account=SHOP.hex())


async def test_a_proof_of_ffg_leaves_out_the_links_that_its_verifier_does_not_need(tmp_path, jumping_clock):
    genesis = genesis_of(engine="ffg")
    async with open_memory(config_of(tmp_path, genesis=genesis, engine="ffg")) as node:
        while node.height < 30:
            await do(node, pay(5_000_000))
        proof = await node.prove("balance", account=SHOP.hex(), since_epoch="head")
    assert proof.raw.startswith(COMPACT_MAGIC)
    assert p2p.verify_proof(proof.text, p2p.TrustAnchor.of(genesis)).height >= 30
    with pytest.raises(p2p.ProofError):
        p2p.verify_proof(proof.raw[:-40] + proof.raw[-39:], p2p.TrustAnchor.of(genesis))
