"""Commerce with one transaction type more, `note.set`: python docs/examples/notes.py.

The page docs/howto/add-a-transaction-type.md says why each part is as it is.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import trio

import p2pcommerce as p2p
from p2pcommerce.commerce import Commerce
from p2pcommerce.commerce.arguments import Arguments, read_key
from p2pcommerce.commerce.body import Body, Call, body
from p2pcommerce.commerce.errors import FormatError
from p2pcommerce.commerce.kind import Kind
from p2pcommerce.commerce.ledger import Ledger
from p2pcommerce.commerce.rules import Rules
from p2pcommerce.primitives.codec import record_of, text
from p2pcommerce.primitives.compat import override

NOTE_BYTES_MAX = 200


@dataclass(frozen=True, slots=True)
class Note:
    """A note; its id is the account's public key (32 bytes)."""

    text: str


NOTE = Kind("note", b"\xf0", record_of(Note, text=text(NOTE_BYTES_MAX)), size=lambda _: NOTE_BYTES_MAX)


@body("note.set", text=text(NOTE_BYTES_MAX))
@dataclass(frozen=True, slots=True)
class NoteSet(Body):
    """Keep a note; an empty one removes it."""

    text: str

    @override
    def check(self, rules: Rules) -> None:
        """No spaces around it."""
        if self.text.strip() != self.text:
            raise FormatError("a note must not begin or end with spaces")

    @override
    def records(self) -> int:
        """The note."""
        return 1

    @override
    def apply(self, ledger: Ledger, call: Call) -> tuple[bytes, ...]:
        """Write it, or remove it."""
        if self.text:
            ledger.put(NOTE, call.sender, Note(self.text))
        else:
            ledger.remove(NOTE, call.sender)
        return (call.sender,)


def read_note(arguments: Arguments, ledger: Ledger) -> object:
    """Answer note (account): its text."""
    note = ledger.get(NOTE, read_key(arguments, "account"))
    return None if note is None else note.text


def noted_commerce() -> Commerce:
    """Return commerce, and notes."""
    return Commerce.extended([NoteSet], [NOTE], {"note": (("account",), read_note)})


async def main(folder: Path) -> None:
    """Found a network of one node, write a note, and read it."""
    me = p2p.Identity.generate()
    genesis = p2p.Genesis.local("notes", {me.public_key: 10_000_000}, {me.public_key: 10_000_000}, engine="solo")
    config = p2p.NodeConfig(identity=me, genesis=genesis, data_dir=folder, listen=("tcp://127.0.0.1:0",), engine="solo")
    async with p2p.open_node(config, application=noted_commerce()) as node:
        receipt = await node.wait_finalized(await node.submit(NoteSet("open on sundays")))
        print(receipt.code.value, (await node.query("note", account=me.public_key.hex())).value)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        trio.run(main, Path(scratch))
