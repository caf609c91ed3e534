"""Links, snapshots, full and compact proofs, from docs/protocol/catching-up.md, proofs.md and commerce.md."""

from . import links, votes
from .chain import read_validators
from .document import STATE, TYPES, read
from .plain import decode, encode, need
from .trees import ZERO, climb, digest, proven_root, subtree_of

ITEM = 0x0B
TYPE_NAMES = (
    "trace.commission", "trace.ship", "trace.receive", "trace.reject", "trace.observe", "trace.pack", "trace.unpack",
    "trace.split", "trace.transform", "trace.decommission", "order.ship", "order.confirm", "order.cancel",
    "order.refund", "order.dispute", "order.resolve", "order.settle",
)  # fmt: skip
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class Anchor:
    """A network, and the validators of one of its epochs."""

    def __init__(self, genesis, epoch, raw_validators):
        self.genesis, self.epoch = genesis, epoch
        self.members, self.hash, self.quorum = read_validators(raw_validators)

    @classmethod
    def of(cls, told):
        validators = sorted((bytes.fromhex(each["public_key"]), each["stake"]) for each in told["validators"])
        return cls(bytes.fromhex(told["genesis_hash"]), told["epoch"], encode(tuple(validators)))

    def check(self, raw_header, proof, engine="simplex"):
        """Check that a header of this epoch is final."""
        header = read("header", raw_header)
        need((header["genesis_hash"], header["epoch"]) == (self.genesis, self.epoch), "of elsewhere")
        judge = links if engine == "ffg" else votes
        judge.check_proof(raw_header, proof, self.members, self.hash, self.quorum)
        return header

    def follow(self, raw_link):
        """Return the anchor of the next epoch."""
        link, plain = read("epoch link", raw_link, 409_600), decode(raw_link)
        header = self.check(encode(plain[0]), link["finality"])
        following = Anchor(self.genesis, self.epoch + 1, encode(plain[2]))
        need(following.hash == header["next_validators_hash"], "other validators")
        return following


# --- snapshots ---


def chunk_places(depths):
    """Return depth and first bits of each chunk."""
    path, places = 0, []
    for depth in depths:
        span = 2 ** (256 - depth)
        need(path < 2**256 and path % span == 0, "chunks that do not follow each other")
        places.append((depth, path // span))
        path += span
    need(path == 2**256, "a part of the state is left out")
    return places


def read_chunk(raw, place, root):
    """Return the pairs of a chunk under a state root."""
    depth, prefix = place
    chunk = read("chunk", raw, 262_144)
    pairs = [tuple(pair.values()) for pair in chunk["pairs"]]
    paths = [digest(key) for key, _ in pairs]
    need(paths == sorted(set(paths)) and len(chunk["siblings"]) == depth, "out of order")
    need(all(int.from_bytes(path, "big") >> 256 - depth == prefix for path in paths), "of another chunk")
    bits = [prefix >> depth - 1 - level & 1 for level in range(depth)]
    need(climb(subtree_of(pairs, depth), chunk["siblings"], bits) == root, "not under the root")
    return pairs


# --- histories ---


def head_of(entries):
    head = ZERO
    for entry in entries:
        head = digest(head + encode(tuple(entry)))
    return head


def check_history(key, value, entries):
    if key[:1] != bytes([ITEM]) or value is None:
        need(not entries, "a history of nothing")
        return
    item = TYPES.read(STATE[ITEM], value)
    need((len(entries), head_of(entries)) == (item["n"], item["head"]), "another history")


# --- proofs ---


def check_full(raw, anchor):
    """Return key and value that a full proof shows."""
    proof, plain = read("full proof", raw, 4_000_000), decode(raw)
    for link in plain[4]:
        if link[0][2] >= anchor.epoch:
            anchor = anchor.follow(encode(link))
    header = anchor.check(encode(plain[2]), proof["finality"], proof["engine"])
    state = proof["state"]
    other = state["other"] and tuple(state["other"].values())
    need(
        proven_root(proof["key"], proof["value"], state["siblings"], other) == header["state_root"], "not in the state"
    )
    check_history(proof["key"], proof["value"], plain[8])
    return proof["key"], proof["value"]


def from_text(text):
    """Return the bytes of "P2P:" and base45."""
    need(text.startswith("P2P:"), "no proof")
    digits, data = [BASE45.index(sign) for sign in text[4:]], b""
    for start in range(0, len(digits), 3):
        group = digits[start : start + 3]
        data += sum(digit * 45**place for place, digit in enumerate(group)).to_bytes(len(group) - 1, "big")
    return data


def check_compact(raw, anchor=None, header=None):
    """Return key and value that a compact proof shows, by an anchor or by one trusted header."""
    need(raw[:2] == b"p\x03" and digest(raw[:-4])[:4] == raw[-4:], "damaged")
    proof, plain = read("compact proof", raw[2:-4]), decode(raw[2:-4])
    if header is not None:
        anchor = Anchor(header["genesis_hash"], proof["epoch"], encode(plain[10]))
        trusted = {header["epoch"]: "validators_hash", header["epoch"] + 1: "next_validators_hash"}
        need(header[trusted[proof["epoch"]]] == anchor.hash, "other validators")
    need((proof["network"], proof["epoch"]) == (anchor.genesis[:4], anchor.epoch), "of elsewhere")
    entries = [] if proof["history"] is None else unfold(proof["history"])
    words = [head_of(entries), *dict.fromkeys(entry[2] for entry in entries)] if entries else []
    key, value = (None if proof[name] is None else join(proof[name], words) for name in ("key", "value"))
    siblings = spread(proof["siblings"])
    other = proof["other"] and tuple(proof["other"].values())
    root = proven_root(key, value, siblings, other)
    raw_header = lengthen(proof["header"], anchor, None, root)
    anchor.check(raw_header, finality_of(proof, raw_header, anchor), proof["engine"])
    check_history(key, value, entries)
    need(is_shortest(proof, key, value, words, anchor), "another form")
    return key, value


def unfold(columns):
    """Return the entries of a history, each as an array."""
    count, signers = len(columns["types"]), cut(columns["signers"])
    ids, hashes = cut(columns["tx_ids"]), cut(columns["event_hashes"])
    need(
        {len(ids), len(hashes), *(len(columns[each]) for each in ("signed_by", "times_ms", "event_times_ms"))}
        == {count},
        "lengths",
    )
    need(list(dict.fromkeys(columns["signed_by"])) == list(range(len(signers))), "not in the order of first signing")
    entries, time = [], 0
    for place in range(count):
        time += columns["times_ms"][place]
        kind = columns["types"][place]
        need(kind not in TYPE_NAMES, "a type by name that has a number")
        name = TYPE_NAMES[kind] if isinstance(kind, int) else kind
        signer = signers[columns["signed_by"][place]]
        entries.append((ids[place], name, signer, hashes[place], time - columns["event_times_ms"][place], time))
    return entries


def cut(data):
    need(len(data) % 32 == 0, "not 32 bytes each")
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def join(pieces, words):
    return b"".join(words[piece] if isinstance(piece, int) else piece for piece in pieces)


def split(data, words):
    """Return the one form of bytes in pieces."""
    pieces, literal, place = [], b"", 0
    while place < len(data):
        if data[place : place + 32] in words:
            pieces += [literal] * bool(literal) + [words.index(data[place : place + 32])]
            literal, place = b"", place + 32
        else:
            literal, place = literal + data[place : place + 1], place + 1
    return (*pieces, *[literal] * bool(literal))


def spread(siblings):
    bits, hashes = int.from_bytes(siblings["present"], "little"), cut(siblings["hashes"])
    need(len(siblings["present"]) == (siblings["depth"] + 7) // 8 and bits < 2 ** siblings["depth"], "bits")
    need(bits.bit_count() == len(hashes) and ZERO not in hashes, "not so many siblings")
    return tuple(hashes.pop(0) if bits >> place & 1 else ZERO for place in range(siblings["depth"]))


def lengthen(short, anchor, parent, root):
    """Return the bytes of a whole header."""
    need((short["parent_hash"] is None) is (parent is not None), "a parent that is named, or not")
    keys = [key for key, _ in anchor.members]
    proposer = short["proposer"]
    need(proposer not in keys and short["tx_root"] != ZERO and short["receipts_root"] != ZERO, "another form")
    need(short["state_root"] != root and short["next_validators_hash"] != anchor.hash, "another form")
    return encode(
        (
            1, anchor.genesis, anchor.epoch, short["height"], short["parent_hash"] or parent,
            keys[proposer] if isinstance(proposer, int) else proposer, short["time_ms"], short["tx_root"] or ZERO,
            short["receipts_root"] or ZERO, short["state_root"] or root, anchor.hash,
            short["next_validators_hash"] or anchor.hash, short["engine_data"],
        )
    )  # fmt: skip


def finality_of(proof, raw_header, anchor):
    """Return the bytes of the whole proof of finality."""
    short = proof["finality"]
    if isinstance(short, bytes):
        return short
    headers, last = [], raw_header
    for child in short["headers"]:
        last = lengthen(child, anchor, digest(last), decode(last)[9])
        headers.append(decode(last))
    certificate = (3, anchor.epoch, short["view"], digest(last), (), short["bitmap"], short["signatures"])
    return encode((certificate, tuple(headers)))


def is_shortest(proof, key, value, words, anchor):
    """Tell whether what may be written in several ways is written in the one way."""
    is_whole = all(
        proof[name] is None or split(data, words) == proof[name] for name, data in (("key", key), ("value", value))
    )
    if isinstance(proof["finality"], bytes):
        return is_whole
    weight, needed = 0, []
    for index in sorted(range(len(anchor.members)), key=lambda each: -anchor.members[each][1]):
        if index in votes.signers(proof["finality"]["bitmap"]) and weight < anchor.quorum:
            weight += anchor.members[index][1]
            needed.append(index)
    return is_whole and sorted(needed) == votes.signers(proof["finality"]["bitmap"])
