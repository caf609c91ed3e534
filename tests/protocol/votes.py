"""Ballots, certificates, proofs and evidence of Simplex, from docs/protocol/finality.md."""

import hashlib
import struct
from itertools import permutations

from . import curve
from .channel import signed
from .document import SIMPLEX, TYPES, read
from .plain import RefusedError, decode, encode, need
from .trees import ZERO, digest, includes, root

NOTARIZE, NULLIFY, FINALIZE, PROPOSE = 1, 2, 3, 4


def ballot(epoch, view, kind, content):
    return struct.pack(">QQB32s", epoch, view, kind, content)


def read_ballot(data):
    need(len(data) == 49, "no ballot")
    epoch, view, kind, content = struct.unpack(">QQB32s", data)
    need(1 <= kind <= 4 and 1 <= view <= 2**64 - 2, "no ballot")
    need(kind != NULLIFY or number(content) < view, "an anchor that is not below its view")
    return epoch, view, kind, content


def number(content):
    return int.from_bytes(content, "big")


def is_signed(genesis, key, data, signature):
    tag = "proposal" if data[16] == PROPOSE else "vote"
    return curve.verify(key, signed(tag, genesis, data), signature)


def leader(members, seed, view):
    point = number(hashlib.sha512(seed + struct.pack(">Q", view)).digest()) % sum(stake for _, stake in members)
    for key, stake in members:
        point -= stake
        if point < 0:
            return key
    raise AssertionError("beyond all stakes")


def signers(bitmap):
    return [index for index in range(8 * len(bitmap)) if bitmap[index // 8] >> index % 8 & 1]


def check_weight(certificate, members, quorum):
    """Check that the signers are of the set, and weigh a quorum; return them."""
    who = signers(certificate["bitmap"])
    need(len(certificate["bitmap"]) == (len(members) + 7) // 8 and who and who[-1] < len(members), "another set")
    need(sum(members[index][1] for index in who) >= quorum, "below the quorum")
    return who


def check_certificate(certificate, members, quorum, genesis):
    """Check form, weight and every signature."""
    who, packed, anchors = check_weight(certificate, members, quorum), certificate["signatures"], certificate["anchors"]
    need(len(packed) == 64 * len(who), "not a signature for each bit")
    if certificate["kind"] == NULLIFY:
        need(len(anchors) == len(who) and max(anchors) == number(certificate["hash"]) < certificate["view"], "anchors")
    else:
        need(not anchors, "anchors of no nullification")
    for place, index in enumerate(who):
        content = anchors[place].to_bytes(32, "big") if anchors else certificate["hash"]
        data = ballot(certificate["epoch"], certificate["view"], certificate["kind"], content)
        need(is_signed(genesis, members[index][0], data, packed[64 * place : 64 * place + 64]), "a bad signature")


def check_proof(raw_header, raw_proof, members, set_hash, quorum):
    """Check that a header is final."""
    last, claim = read("header", raw_header), read("finality proof", raw_proof)
    genesis, last_hash = last["genesis_hash"], digest(raw_header)
    for child, plain in zip(claim["headers"], decode(raw_proof)[1], strict=True):
        need(child["parent_hash"] == last_hash and child["epoch"] == last["epoch"], "no child")
        is_carrier = child["height"] == last["height"]
        need(not is_carrier or (child["state_root"], child["tx_root"]) == (last["state_root"], ZERO), "no carrier")
        need(is_carrier or child["height"] == last["height"] + 1, "another height")
        last, last_hash = child, digest(encode(plain))
    certificate = claim["certificate"]
    need(certificate["kind"] == FINALIZE and certificate["hash"] == last_hash, "of another block")
    need(certificate["epoch"] == last["epoch"] and last["validators_hash"] == set_hash, "of other validators")
    check_certificate(certificate, members, quorum, genesis)


def read_message(data):
    row = SIMPLEX[data[0]]
    need(len(data) - 1 <= row["cap"], "over the cap")
    return row["name"], TYPES.read(row["fields"], data[1:])


def contradiction(one, other):
    """Return the rule that two ballots break together."""
    for first, second in permutations((one, other)):
        (epoch, view, kind, content), (epoch2, view2, kind2, content2) = first, second
        if epoch != epoch2:
            return None
        if (kind, kind2) == (FINALIZE, NULLIFY) and number(content2) < view <= view2:
            return "E3"
        rules = {(1, 1): "E1", (3, 3): "E2", (3, 1): "E4", (4, 4): "E5"}
        if view == view2 and content != content2 and (kind, kind2) in rules:
            return rules[kind, kind2]
    return None


def convict(raw, members, quorum, genesis):
    """Return rule and offender of evidence, None if it convicts nobody."""
    try:
        return _convict_of_two(read("double signature", raw, 512), members, genesis)
    except RefusedError:
        pass
    try:
        return _convict_of_justify(raw, members, quorum, genesis)
    except RefusedError:
        return None


def _convict_of_two(claim, members, genesis):
    one, other = read_ballot(claim["first"]), read_ballot(claim["second"])
    rule = contradiction(one, other)
    need(claim["offender"] in dict(members), "no validator")
    for name in ("first", "second"):
        need(is_signed(genesis, claim["offender"], claim[name], claim[f"{name}_signature"]), "a bad signature")
    return rule and (rule, claim["offender"])


def _convict_of_justify(raw, members, quorum, genesis):
    claim, plain = read("misjustified", raw, 2_048), decode(raw)
    fault = claim["fault"]
    header, heads, seal = fault["header"], fault["heads"], read("seal", fault["header"]["engine_data"])
    epoch, view, kind, content = read_ballot(claim["ballot"])
    need(kind in {NOTARIZE, PROPOSE} and claim["offender"] in dict(members), "nobody to convict")
    need((epoch, view, content) == (header["epoch"], seal["view"], digest(encode(plain[3][0]))), "of another header")
    need(digest(encode(plain[3][1])) == seal["justify_hash"] and header["genesis_hash"] == genesis, "not committed")
    need(is_signed(genesis, claim["offender"], claim["ballot"], claim["signature"]), "a bad signature")
    try:
        check_form(heads, header, seal)
        for head in (heads["parent"], heads["nullification"]):
            if head is not None:
                check_weight(head, members, quorum)
    except RefusedError:
        return "E6", claim["offender"]
    opening = fault["opening"]
    head = opening and heads["parent" if opening["of_parent"] else "nullification"]
    if not head:
        return None
    who, place = signers(head["bitmap"]), opening["proof"]
    leaf = digest(opening["anchor"].to_bytes(8, "big") + opening["signature"])
    need(place["count"] == len(who), "of another certificate")
    need(includes(head["root"], leaf, place["index"], place["count"], place["siblings"]), "not committed")
    content = opening["anchor"].to_bytes(32, "big") if head["kind"] == NULLIFY else head["hash"]
    data = ballot(head["epoch"], head["view"], head["kind"], content)
    is_good = is_signed(genesis, members[who[place["index"]]][0], data, opening["signature"])
    return None if is_good else ("E6", claim["offender"])


def justify_hash(justify):
    """Return what a header commits to of a justify, given as arrays."""
    return digest(encode(tuple(each and head_of(each) for each in justify)))


def head_of(certificate):
    kind, epoch, view, content, anchors, bitmap, packed = certificate
    signatures = [packed[start : start + 64] for start in range(0, len(packed), 64)]
    pairs = zip(anchors or (0,) * len(signatures), signatures, strict=True)
    leaves = [digest(anchor.to_bytes(8, "big") + signature) for anchor, signature in pairs]
    return kind, epoch, view, content, bitmap, root(leaves)


def check_form(justify, header, seal):
    """Check that a justify, or its heads, are of the form that allows a header to stand on its parent."""
    parent, skip, below = justify["parent"], justify["nullification"], seal["parent_view"]
    if parent is None:
        need(below == 0, "no certificate of the parent")
    else:
        need(parent["kind"] in {NOTARIZE, FINALIZE} and parent["hash"] == header["parent_hash"], "not of the parent")
        need((parent["view"], parent["epoch"]) == (below, header["epoch"]), "of another view")
    if below == seal["view"] - 1:
        need(skip is None, "a needless nullification")
    else:
        need(skip is not None and skip["kind"] == NULLIFY and number(skip["hash"]) <= below, "no view may be skipped")
        need((skip["epoch"], skip["view"]) == (header["epoch"], seal["view"] - 1), "of another view")


def check_justify(justify, header, seal, members, quorum):
    """Check that a justify allows a header to stand on its parent."""
    check_form(justify, header, seal)
    for certificate in (justify["parent"], justify["nullification"]):
        if certificate is not None:
            check_certificate(certificate, members, quorum, header["genesis_hash"])
