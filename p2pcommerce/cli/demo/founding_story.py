"""`demo --story`: the scenario for which the network was made, from the origin of some goods to a scanned proof.

    maker -> carrier -> store -> share link -> order by somebody without tokens -> delivery -> review -> proof

Everything is real: four validators, each a process of its own, signed transactions, finality. At the end another
process that has the genesis file and the proof, and nothing else, verifies the history.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TextIO

import trio

import p2pcommerce
from p2pcommerce.cli.demo.desk import Desk, Sender
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.network import LocalNetwork
from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.demo.story import tokens
from p2pcommerce.cli.demo.summary import Agreement, agreement, supply_ok
from p2pcommerce.cli.demo.telling import StoryBrokenError, StoryStep, Teller
from p2pcommerce.commerce import (
    ListingSet,
    OrderConfirm,
    OrderLine,
    OrderPlace,
    OrderShip,
    ProductId,
    ProductSet,
    ReviewPost,
    ShareLink,
    StoreSet,
    TermsSet,
    TraceCommission,
    TraceReceive,
    TraceShip,
    Transfer,
    item_id,
    read_share_link,
    write_share_link,
)
from p2pcommerce.ledger.genesis import TOKEN_MINOR
from p2pcommerce.primitives.crypto import blake2b_256
from p2pcommerce.primitives.ids import TransactionId
from p2pcommerce.runtime.lock import DirectoryLock

__all__ = ["ScannedProof", "StoryReport", "tell_story"]

_GTIN: Final = "09520001000102"
_SERIALS: Final = ("0001", "0002", "0003")
_SOLD: Final = _SERIALS[1]
_PRICE_MINOR: Final = 24 * TOKEN_MINOR
_REFERRAL_BPS: Final = 500
_PURSE_MINOR: Final = 1_000 * TOKEN_MINOR
_DAY_S: Final = 86_400
_NUMBER: Final = 1
"""Of the store's only terms and only listing."""


@dataclass(frozen=True, slots=True)
class ScannedProof:
    """What somebody found who has the genesis and the proof.

    Attributes:
        product: GS1 Digital Link path of the item.
        size_bytes: of the proof.
        events: in the history, as the verifier counts them.
        verified: whether the history holds, and is the one that was told.
        forged_refused: whether the same proof with one bit changed is refused.
    """

    product: str
    size_bytes: int
    events: int
    verified: bool
    forged_refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryReport:
    """What came of a story.

    Attributes:
        steps: those that came about.
        share_link: the string.
        reward_minor: what the sharer got.
        proof: None if the story broke before.
        agreed: the nodes' states; None if the story broke before.
        supply_ok: every node counts the tokens of the genesis.
        broken: why the story broke; empty if it did not.
        wall_s: of the whole.
    """

    steps: tuple[StoryStep, ...]
    share_link: str
    reward_minor: int
    proof: ScannedProof | None
    agreed: Agreement | None
    supply_ok: bool
    broken: str
    wall_s: float

    @property
    def ok(self) -> bool:
        """Whether all came about, and everything adds up."""
        proven = self.proof is not None and self.proof.verified and self.proof.forged_refused
        agreed = self.agreed is not None and self.agreed.agree
        return not self.broken and proven and agreed and self.supply_ok

    def to_plain(self) -> dict[str, object]:
        """Return the JSON object."""
        proof = self.proof
        return {
            "ok": self.ok,
            "broken": self.broken,
            "steps": [step.to_plain() for step in self.steps],
            "share_link": self.share_link,
            "reward_minor": self.reward_minor,
            "proof": None
            if proof is None
            else {
                "product": proof.product,
                "bytes": proof.size_bytes,
                "events": proof.events,
                "verified": proof.verified,
                "forged_refused": proof.forged_refused,
            },
            "agree": self.agreed is not None and self.agreed.agree,
            "state_roots": [] if self.agreed is None else list(self.agreed.state_roots),
            "supply_ok": self.supply_ok,
            "wall_s": self.wall_s,
        }


async def tell_story(options: DemoOptions, stream: TextIO) -> StoryReport:
    """Found a network, tell the story on it, and return what came of it; at the end every process is stopped.

    Raises:
        UsageError: the folder cannot be used.
        ValidatorStoppedError: a validator ended by itself.
        DirectoryInUseError: another demo runs in the folder.
    """
    with DirectoryLock.acquire(options.folder):
        folder = await trio.to_thread.run_sync(
            partial(DemoFolder.open, engine=options.engine),
            options.folder,
            options.nodes,
            options.seed,
            abandon_on_cancel=True,
        )
        async with trio.open_nursery() as nursery:
            network = LocalNetwork(folder, nursery)
            try:
                stream.write(f"starting {folder.nodes} validators, each a process of its own\n")
                stream.flush()
                await network.start()
                desk = Desk(folder.genesis, network.validators)
                await nursery.start(desk.run)
                report = await _Founding(folder, desk, stream).run()
            finally:
                await network.stop()
                nursery.cancel_scope.cancel()
        return report


class _Founding:
    """The story and its people."""

    def __init__(self, folder: DemoFolder, desk: Desk, stream: TextIO) -> None:
        self._folder = folder
        self._desk = desk
        self._teller = Teller(desk, stream)
        self._started_s = trio.current_time()
        self._bank = Sender("the bank", folder.bank_seed(0))
        self._maker, self._carrier, self._store, self._sponsor, self._sharer, self._buyer = (
            Sender(name, folder.person_seed(name))
            for name in ("Mara the maker", "Karl the carrier", "Stella's store", "Sam the sponsor", "Sia", "Ben")
        )
        self._item = item_id(self._maker.key, _GTIN, serial=_SOLD)
        self._link = ""
        self._reward_minor = 0
        self._proof: ScannedProof | None = None

    async def run(self) -> StoryReport:
        broken, agreed, conserved = "", None, False
        try:
            await self._tell()
            agreed = await agreement(self._desk)
            conserved = await supply_ok(self._desk, self._folder.genesis)
        except StoryBrokenError as error:
            broken = str(error)
        return StoryReport(
            steps=tuple(self._teller.steps),
            share_link=self._link,
            reward_minor=self._reward_minor,
            proof=self._proof,
            agreed=agreed,
            supply_ok=conserved,
            broken=broken,
            wall_s=round(trio.current_time() - self._started_s, 1),
        )

    async def _tell(self) -> None:
        await self._pockets()
        await self._origin()
        await self._open_store()
        await self._share()
        order = await self._sell()
        await self._deliver(order)
        await self._prove()

    async def _pockets(self) -> None:
        self._teller.chapter("Before it begins: four of them get tokens; Sia and Ben get none")
        found = await self._teller.ask("account", account=self._bank.key.hex())
        self._bank.nonce = int(str(found["nonce"]))  # on a chain that goes on it has sent before
        for person in (self._maker, self._carrier, self._store, self._sponsor):
            gift = Transfer(to=person.key, amount_minor=_PURSE_MINOR)
            await self._teller.act(self._bank, f"gives {tokens(_PURSE_MINOR)} tokens to {person.name}", gift)

    async def _origin(self) -> None:
        act, digest = self._teller.act, blake2b_256(b"a tin of tea, 100 g")
        self._teller.chapter("The origin")
        await act(
            self._maker, f"describes a product, a tin of tea, with the GTIN {_GTIN}", ProductSet(_GTIN, digest, "")
        )
        made = TraceCommission(_GTIN, _SERIALS, None, digest, self._desk.time_ms)
        await act(self._maker, f"makes {len(_SERIALS)} tins; each has a serial number and a history from now on", made)
        await self._hand_over(self._maker, self._carrier)
        await self._hand_over(self._carrier, self._store)

    async def _hand_over(self, giver: Sender, taker: Sender) -> None:
        """Both sign, one after the other; they need not be online together."""
        ids = tuple(item_id(self._maker.key, _GTIN, serial=serial) for serial in _SERIALS)
        event = blake2b_256(f"{giver.name} to {taker.name}".encode())
        sent = TraceShip(ids, taker.key, event, self._desk.time_ms, transfers_owner=True)
        await self._teller.act(giver, f"hands the tins over to {taker.name}, and signs that", sent)
        received = TraceReceive(ids, event, self._desk.time_ms)
        await self._teller.act(taker, f"has received the tins from {giver.name}, and signs that, too", received)

    async def _open_store(self) -> None:
        act, digest = self._teller.act, blake2b_256(b"Stella's store")
        self._teller.chapter("The store")
        await act(self._store, "opens", StoreSet(name="Stella's store", box_key=digest, profile_hash=digest))
        terms = TermsSet(
            number=_NUMBER,
            ship_s=2 * _DAY_S,
            confirm_s=7 * _DAY_S,
            dispute_s=7 * _DAY_S,
            cancel_s=2 * _DAY_S,
            referral_bps=_REFERRAL_BPS,
        )
        await act(
            self._store,
            f"sets terms that it can never change: shipped in 2 days, {_REFERRAL_BPS // 100} % for whoever recommends",
            terms,
        )
        listing = ListingSet(
            number=_NUMBER,
            product=ProductId(self._maker.key, _GTIN),
            price_minor=_PRICE_MINOR,
            stock_delta=len(_SERIALS),
            traced=True,
            terms=_NUMBER,
        )
        await act(self._store, f"offers the tins for {tokens(_PRICE_MINOR)} tokens each", listing)

    async def _share(self) -> None:
        self._teller.chapter("The recommendation")
        link = ShareLink(self._folder.genesis.hash, self._store.key, _NUMBER, self._sharer.key)
        self._link = write_share_link(link)
        self._teller.look(
            self._sharer.name, "recommends the tea: no registration, no fee, no balance, only a string", self._link
        )

    async def _sell(self) -> TransactionId:
        teller, link = self._teller, read_share_link(self._link)
        listing = await teller.ask("listing", store=link.store.hex(), number=link.listing)
        found = await teller.ask("item", issuer=self._maker.key.hex(), gtin=_GTIN, serial=_SOLD)
        if found["custodian"] != link.store.hex():
            raise StoryBrokenError("the store does not hold what it offers")
        account = await teller.ask("account", account=self._buyer.key.hex())
        if account["balance_minor"]:
            raise StoryBrokenError("Ben has tokens, and ought to have none")
        price = tokens(int(str(listing["price_minor"])))
        teller.look(
            self._buyer.name,
            "opens the link in a chat, and looks before he buys",
            f"price {price}, {listing['stock']} in stock; the store holds the goods; "
            f"{found['n']} signed events since their origin; Ben has 0 tokens and no account",
        )
        line = OrderLine(link.listing, TransactionId(bytes.fromhex(str(listing["revision"]))), 1)
        place = OrderPlace(store=link.store, lines=(line,), referrer=link.referrer)
        return await teller.act(
            self._buyer,
            f"orders a tin; {self._sponsor.name} pays for it all, and {tokens(_PRICE_MINOR)} tokens are in escrow",
            place,
            sponsor=self._sponsor,
            pays=True,
        )

    async def _deliver(self, order: TransactionId) -> None:
        act = self._teller.act
        self._teller.chapter("The delivery")
        await act(self._store, f"ships the tin with the serial number {_SOLD}", OrderShip(order, (self._item,)))
        confirm = OrderConfirm(order)
        await act(
            self._buyer, "has it, and confirms: the escrow is paid out, the tin is his", confirm, sponsor=self._sponsor
        )
        reward = await self._teller.ask("account", account=self._sharer.key.hex())
        self._reward_minor = int(str(reward["balance_minor"]))
        self._teller.look(
            self._sharer.name,
            "finds a reward in an account that did not exist before",
            f"{self._reward_minor / TOKEN_MINOR:.6f} tokens, the deposit for the account already taken off",
        )
        review = ReviewPost(order, 5, blake2b_256(b"fresh, and exactly the tin that the label says"))
        await act(self._buyer, "gives five stars, which count because he bought", review, sponsor=self._sponsor)
        rating = await self._teller.ask("rating", store=self._store.key.hex())
        self._teller.look(
            self._store.name,
            "has a score, in which a review weighs as much as the purchase paid to the network",
            f"{int(str(rating['mean_millistars'])) / 1_000:.2f} stars after {rating['count']} review, and 3 before",
        )

    async def _prove(self) -> None:
        self._teller.chapter("The scan")
        product = f"/01/{_GTIN}/21/{_SOLD}"
        found = await self._teller.ask("item", issuer=self._maker.key.hex(), gtin=_GTIN, serial=_SOLD)
        raw = await self._teller.control().prove("item", issuer=self._maker.key.hex(), gtin=_GTIN, serial=_SOLD)
        with tempfile.TemporaryDirectory(prefix="p2pcommerce-scan-") as folder:
            scan = partial(_scan, Path(folder), self._folder.path / "genesis.json")
            answer = await scan(raw)
            forged = await scan(raw[:-1] + bytes([raw[-1] ^ 1]))
        history = answer.get("history")
        events = len(history) if isinstance(history, list) else 0
        item = answer.get("item")
        owner = item["owner"] if isinstance(item, dict) else ""
        is_told = events == found["n"] and owner == self._buyer.key.hex()
        verified = answer.get("verified") is True and is_told
        self._proof = ScannedProof(product, len(raw), events, verified, forged.get("verified") is not True)
        if not verified or not self._proof.forged_refused:
            raise StoryBrokenError(f"the proof of {product} does not hold, or a forged one does: {answer.get('error')}")
        self._teller.look(
            "A stranger",
            f"scans {product}, runs no node, and has only the genesis file and {len(raw):,} bytes",
            f"verified: {events} signed events from the origin to Ben, none left out; with a changed bit it is refused",
        )


async def _scan(folder: Path, genesis: Path, raw: bytes) -> dict[str, object]:
    """Let another process verify a proof in an empty folder with the genesis, and return what it says."""
    await trio.Path(folder / "item.proof").write_bytes(raw)
    await trio.Path(folder / "genesis.json").write_bytes(await trio.Path(genesis).read_bytes())
    root = str(Path(p2pcommerce.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = await trio.run_process(
        [sys.executable, "-m", "p2pcommerce", "proof", "verify", "item.proof", "--genesis", "genesis.json", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_stdout=True,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    answer = json.loads(lines[-1]) if lines else {}
    return answer if isinstance(answer, dict) else {}
