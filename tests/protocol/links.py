"""Links, proofs and evidence of Casper FFG, from docs/protocol/ffg.md."""

import struct
from itertools import pairwise

from . import curve
from .channel import signed
from .document import FFG, TYPES, read
from .plain import decode, encode, need
from .trees import digest
from .votes import signers


def link_bytes(link):
    source, target = link["source"], link["target"]
    return struct.pack(
        ">QQQB32s32s", link["epoch"], source["index"], target["index"], 5, source["hash"], target["hash"]
    )


def read_link(data):
    epoch, source, target, kind, source_hash, target_hash = struct.unpack(">QQQB32s32s", data)
    need(kind == 5 and source < target <= 536_870_911, "no link")
    return epoch, source, target, source_hash, target_hash


def check_quorum(quorum_link, members, quorum, genesis):
    who = signers(quorum_link["bitmap"])
    need(len(quorum_link["bitmap"]) == (len(members) + 7) // 8 and who and who[-1] < len(members), "another set")
    need(len(quorum_link["signatures"]) == len(who), "not a signature for each bit")
    need(sum(members[index][1] for index in who) >= quorum, "below the quorum")
    message = signed("link", genesis, link_bytes(quorum_link["link"]))
    for index, signature in zip(who, quorum_link["signatures"], strict=True):
        need(curve.verify(members[index][0], message, signature), "a bad signature")


def check_proof(raw_header, raw_proof, members, set_hash, quorum):
    """Check that a header is final."""
    header, claim = read("header", raw_header), read("ffg proof", raw_proof, 393_216)
    path, last = {header["height"]: digest(raw_header)}, header
    for child, plain in zip(claim["headers"], decode(raw_proof)[1], strict=True):
        need(child["parent_hash"] == path[last["height"]] and child["height"] == last["height"] + 1, "no child")
        need(child["epoch"] == header["epoch"], "another epoch")
        path[child["height"]], last = digest(encode(plain)), child
    links = [each["link"] for each in claim["links"]]
    final = links[-1]
    need(final["target"]["index"] == final["source"]["index"] + 1, "does not finalize")
    need(
        8 * final["target"]["index"] == last["height"] and 8 * final["source"]["index"] >= header["height"], "not above"
    )
    need(all(one["target"] == other["source"] for one, other in pairwise(links)), "links that do not join")
    for each in links:
        need(each["epoch"] == header["epoch"] and each["source"]["index"] < each["target"]["index"], "no link")
        for end in (each["source"], each["target"]):
            height = 8 * end["index"]
            need(height < header["height"] or path.get(height) == end["hash"], "of another branch")
    need({header["validators_hash"], last["validators_hash"]} == {set_hash}, "of other validators")
    for each in claim["links"]:
        check_quorum(each, members, quorum, header["genesis_hash"])


def read_message(data):
    row = FFG[data[0]]
    need(len(data) - 1 <= row["cap"], "over the cap")
    return row["name"], TYPES.read(row["fields"], data[1:])


def convict(raw, members, genesis):
    """Return rule and offender of evidence of two links, None if it convicts nobody."""
    claim = read("link evidence", raw, 512)
    one, other = read_link(claim["first"]), read_link(claim["second"])
    need(claim["offender"] in dict(members), "no validator")
    for name in ("first", "second"):
        message = signed("link", genesis, claim[name])
        need(curve.verify(claim["offender"], message, claim[f"{name}_signature"]), "a bad signature")
    if one[0] != other[0] or one == other:
        return None
    if one[2] == other[2]:
        return "F1", claim["offender"]
    inner, outer = sorted((one, other), key=lambda link: link[2])
    return ("F2", claim["offender"]) if outer[1] < inner[1] else None
