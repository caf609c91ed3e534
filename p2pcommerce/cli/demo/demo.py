"""One demo from founding to summary.

    found or find the network -> start the processes -> open the shops -> the load -> drain -> compare, prove

The load is open: transactions are due at fixed times, whatever the network does. Before it, shops, listings, products
and purses that the first orders need are made as fast as the network takes them; that is not part of the figures.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

import trio

from p2pcommerce.cli.demo.abuse.ground import NetworkGround
from p2pcommerce.cli.demo.abuse.police import Police
from p2pcommerce.cli.demo.byzantine.offender import PATIENCE_S, Offender
from p2pcommerce.cli.demo.custody import Custody
from p2pcommerce.cli.demo.desk import Desk
from p2pcommerce.cli.demo.flash_sale import FLASH_LISTING, FLASH_MERCHANT
from p2pcommerce.cli.demo.folder import DemoFolder
from p2pcommerce.cli.demo.market import WINDOW, Market
from p2pcommerce.cli.demo.monitor import Monitor, quantile_ms
from p2pcommerce.cli.demo.network import LocalNetwork
from p2pcommerce.cli.demo.options import DemoOptions
from p2pcommerce.cli.demo.orders import Orders
from p2pcommerce.cli.demo.outage import Outage, kill_and_restart
from p2pcommerce.cli.demo.people import NotFundedError, People
from p2pcommerce.cli.demo.report import DemoReport
from p2pcommerce.cli.demo.scene import (
    OPENING_SHOPS,
    OPENING_WINDOW,
    Opening,
    accounts_founded,
    founded_people,
    opening_text,
)
from p2pcommerce.cli.demo.section import Section
from p2pcommerce.cli.demo.shops import Shops
from p2pcommerce.cli.demo.sidelines import Sidelines
from p2pcommerce.cli.demo.sources import Sources
from p2pcommerce.cli.demo.story import Story
from p2pcommerce.cli.demo.summary import agreement, disk_bytes, drain, prove_trace, supply_ok
from p2pcommerce.cli.demo.totals import read_totals
from p2pcommerce.cli.demo.workload import CustodyStep
from p2pcommerce.runtime.lock import DirectoryLock
from p2pcommerce.workload import Cancellation, Order
from p2pcommerce.workload.mix import is_peak

__all__ = ["View", "run_demo"]

_OPENING_ORDERS_MAX: Final = 1_000
"""Orders whose shops, listings and purses are made before the load."""
_FRAUDS_S: Final = 60.0
"""Seconds after the load in which frauds come to their end."""
_ORDERS_SHARE: Final = 0.25
_PREPARING_MIN: Final = 24
_PREPARING_PER_TX: Final = 1.0
"""Orders being prepared per transaction per second, so that turns are seldom given in vain."""


class View(Protocol):
    """Shows the monitor's figures until cancelled."""

    async def run(self, monitor: Monitor) -> None:
        """Show them."""
        ...


async def run_demo(options: DemoOptions, view: View) -> DemoReport:
    """Run a demo and return what came of it; at the end, however it comes, every process is stopped.

    Raises:
        UsageError: folder, orders or documents cannot be used.
        ValidatorStoppedError: a validator ended by itself.
        DirectoryInUseError: another demo runs in the folder.
    """
    # Held to the end: a second demo would give the validators other ports under the first one's feet.
    with DirectoryLock.acquire(options.folder):
        return await _run_in(options, view)


async def _run_in(options: DemoOptions, view: View) -> DemoReport:
    people = frozenset() if options.scale is None else founded_people(options.scale)
    folder = await trio.to_thread.run_sync(
        partial(DemoFolder.open, engine=options.engine, epoch_blocks=options.epoch_blocks, people=people),
        options.folder,
        options.nodes,
        options.seed,
        abandon_on_cancel=True,
    )
    async with trio.open_nursery() as nursery:
        network = LocalNetwork(folder, nursery)
        demo = _Demo(options, folder, network, people)
        await demo.read_sources()
        plural = "" if folder.nodes == 1 else "s"
        demo.monitor.enter(f"starting {folder.nodes} validator{plural}")
        watched = trio.CancelScope()
        nursery.start_soon(_show, view, demo.monitor, watched)
        try:
            await network.start()
            await nursery.start(demo.desk.run)
            if demo.offender is not None:
                nursery.start_soon(demo.offender.run)
            report = await demo.run()
        finally:
            watched.cancel()
            await network.stop()
            nursery.cancel_scope.cancel()
    return await demo.audit(report)


async def _show(view: View, monitor: Monitor, watched: trio.CancelScope) -> None:
    with watched:
        await view.run(monitor)


class _Demo:
    """The parts of one running demo."""

    def __init__(
        self, options: DemoOptions, folder: DemoFolder, network: LocalNetwork, founded: frozenset[str]
    ) -> None:
        self._rng = random.Random(secrets.randbits(64) if options.seed is None else options.seed)  # noqa: S311 - made-up orders, no secrets
        self.desk = Desk(folder.genesis, network.validators)
        self._story = Story()
        self.monitor = Monitor(self.desk, self._story)
        self._market = Market(self.desk)
        self._people = People(folder, self._market, founded)
        self._shops = Shops(self._people)
        self._orders = Orders(self.desk, self._people, self._shops, self._story, self._fork())
        self._custody = Custody(self._people, self._story, self._fork())
        bond_minor = folder.genesis.parameters.bond_minor_min
        self._sidelines = Sidelines(self._people, self._shops, self._story, self._fork(), bond_minor)
        self._sources = Sources(options, self._fork())
        self._first_orders: list[Order] = []
        self._stream: Iterator[Order | Cancellation] = iter(())
        self._gtins: list[str] = []
        self._steps: Iterator[CustodyStep] = iter(())
        self._options = options
        self._folder = folder
        self._network = network
        self._outage = Outage(folder.nodes - 1) if options.kill_one else None
        self.offender = (
            Offender(folder, network, self.desk, self._story, self._people.banks[-1]) if options.byzantine else None
        )
        self._sections: list[Section] = []
        ground = NetworkGround(self.desk, self._people.banks[0])
        self._police = Police(options.abuse, ground, folder.person_seed("fraud"))
        self._started_s = trio.current_time()
        self._load_s = 0.0
        self._lost = 0
        self._since_height = 0
        self._disk_bytes_per_tx = 0
        self._cpu_ms_per_tx: dict[str, float] = {}

    def _fork(self) -> random.Random:
        return random.Random(self._rng.getrandbits(64))  # noqa: S311 - made-up orders, no secrets

    async def read_sources(self) -> None:
        """Read the files that orders and custody come from, before anything is started.

        Raises:
            UsageError: one of them cannot be used.
        """
        options = self._options
        expected = options.rate_per_s * options.duration_s * _ORDERS_SHARE
        count = _OPENING_ORDERS_MAX if math.isinf(expected) else min(_OPENING_ORDERS_MAX, math.ceil(expected))
        self._first_orders, self._stream = await trio.to_thread.run_sync(
            self._sources.orders, count, abandon_on_cancel=True
        )
        self._gtins, self._steps = await trio.to_thread.run_sync(self._sources.custody, abandon_on_cancel=True)
        self._orders.are_fickle = options.orders is None
        if self._sources.flash_sale is not None:
            self._orders.on_placed = self._sources.flash_sale.on_placed

    async def run(self) -> DemoReport:
        self._since_height = max(link.height for link in self.desk.links)
        await self._meet_banks()
        await self._open_shops()
        await self._load()
        return await self._conclude()

    async def _meet_banks(self) -> None:
        """Learn the banks' nonces: on a chain that goes on they have sent before."""
        control = self.desk.link_alive().control
        for bank in self._people.banks:
            if control is not None:
                found = (await control.query("account", account=bank.key.hex())).value
                bank.nonce = int(found["nonce"]) if isinstance(found, dict) else 0

    async def _open_shops(self) -> None:
        self.monitor.enter("opening shops")
        scale, catalogue, sale = self._options.scale, self._sources.catalogue, self._sources.flash_sale
        started_s, final_before = trio.current_time(), self.desk.finalized
        if scale is not None:
            self._story.network(opening_text(scale))
        async with trio.open_nursery() as pacing:
            pacing.start_soon(self._market.pace_opening, WINDOW if scale is None else OPENING_WINDOW)
            async with trio.open_nursery() as opening:
                opening.start_soon(self._custody.prepare, self._gtins)
                if sale is not None:
                    opening.start_soon(self._shops.limit, FLASH_MERCHANT, FLASH_LISTING, sale.stock)
                if catalogue is None:
                    regular = [order for order in self._first_orders if order.merchant != FLASH_MERCHANT]
                    opening.start_soon(self._orders.prepare, regular)
                else:
                    limit = trio.CapacityLimiter(OPENING_SHOPS)
                    for merchant in catalogue.merchants:
                        opening.start_soon(self._shops.stock, merchant, catalogue.products(merchant), limit)
            pacing.cancel_scope.cancel()
        if scale is not None:
            opened = Opening(
                scale=scale,
                accounts=accounts_founded(scale),
                stores=len(self._shops),
                listings=self._shops.listing_count,
                transactions=self.desk.finalized - final_before,
                seconds=round(trio.current_time() - started_s, 1),
            )
            self._sections.append(opened)

    async def _load(self) -> None:
        options = self._options
        busiest = options.rate_per_s * max(1.0, options.peak / 2)
        preparing_max = max(_PREPARING_MIN, round(_PREPARING_PER_TX * busiest))
        self.monitor.enter("trading")
        self.monitor.load_started(options.duration_s)
        async with trio.open_nursery() as trading:
            trading.start_soon(self._orders.feed, self._stream, preparing_max)
            trading.start_soon(self._custody.feed, self._steps, preparing_max)
            self._market.fillers = {
                "transfer": partial(trading.start_soon, self._gift),
                "catalogue": partial(trading.start_soon, self._restock),
                "points": partial(trading.start_soon, self._sidelines.points),
                "campaign": partial(trading.start_soon, self._sidelines.campaign),
                "attest": partial(trading.start_soon, self._sidelines.certificate),
            }
            if self._outage is None and self.offender is None:  # there every validator's share of the stake matters
                keys = [validator.public_key for validator in self._folder.genesis.validators]
                self._market.fillers["stake"] = partial(trading.start_soon, self._sidelines.stake, keys)
            trading.start_soon(self._police.watch)
            started_s = trio.current_time()
            final_before, disk_before = self.desk.finalized, await disk_bytes(self._folder)
            cpu_before = self._network.cpu_s()
            async with trio.open_nursery() as pacing:
                if self._outage is not None:
                    pacing.start_soon(
                        kill_and_restart, self._network, self.desk, self._story, options.duration_s, self._outage
                    )
                pacing.start_soon(self._market.pace_load, options.rate_per_s, options.duration_s, options.peak)
            self._load_s = trio.current_time() - started_s
            # Nobody gets a turn from here on: what has one comes to its end, the rest is dropped.
            self.monitor.enter("waiting for the last ones")
            with trio.move_on_after(_FRAUDS_S):
                await self._police.done.wait()
            self._lost = await drain(self.desk, self._market)
            grown = await disk_bytes(self._folder) - disk_before
            finalized = max(1, self.desk.finalized - final_before)
            self._disk_bytes_per_tx = round(grown / finalized)
            self._cpu_ms_per_tx = {
                who: round(1_000 * (after - before) / finalized, 2)
                for who, before, after in zip(("validators", "demo"), cpu_before, self._network.cpu_s(), strict=True)
            }
            trading.cancel_scope.cancel()
        if self.offender is not None and not self.offender.done.is_set():
            self.monitor.enter("waiting until the offender is out of the set")
            await self.offender.keep_blocks_coming(PATIENCE_S)

    async def _gift(self) -> None:
        pair = self._people.funded(self._rng.randrange(2**32))
        if pair is not None:
            try:
                await self._people.give(*pair)
            except NotFundedError as error:
                self._story.network(str(error))

    async def _restock(self) -> None:
        number = self._rng.randrange(2**32)
        shop = self._shops.any_open(number)
        if shop is not None:
            try:
                await self._shops.restock(shop, number)
            except NotFundedError as error:
                self._story.network(str(error))

    async def _conclude(self) -> DemoReport:
        self.monitor.enter("comparing all nodes")
        desk, item = self.desk, self._custody.longest
        if self._outage is not None:
            self._outage.longest_gap_ms = round(desk.longest_gap_s * 1_000, 1)
        agreed = await agreement(desk)
        await self._count_flash_sale()
        if self._options.abuse:
            self._sections.append(self._police.report())
        conserved = await supply_ok(desk, self._folder.genesis)
        self.monitor.enter("proving one product's history")
        genesis_file = self._folder.path / "genesis.json"
        proof = None if item is None else await prove_trace(desk, genesis_file, item)
        await self.monitor.sample()
        took_s = [took for _, took in desk.latencies_s]
        start_s = self._market.load_start_s
        peak_s = (
            [took for at, took in desk.latencies_s if is_peak(at - took - start_s)] if self._options.peak > 1 else []
        )
        return DemoReport(
            nodes=self._folder.nodes,
            submitted=desk.submitted,
            finalized=desk.finalized,
            failed=dict(desk.failed),
            rejected=dict(desk.rejected),
            lost=self._lost,
            agreement=agreed,
            submit_to_final_ms={f"p{percent}": quantile_ms(took_s, percent) for percent in (50, 95, 99)},
            peak_to_final_ms={f"p{percent}": quantile_ms(peak_s, percent) for percent in (50, 95, 99)}
            if peak_s
            else None,
            disk_bytes_per_tx=self._disk_bytes_per_tx,
            cpu_ms_per_tx=self._cpu_ms_per_tx,
            tx_per_s=round(len(took_s) / self._load_s, 1) if self._load_s else 0.0,
            supply_ok=conserved,
            trace_proof=proof,
            wall_s=round(trio.current_time() - self._started_s, 1),
            rss_mib_max=round(self.monitor.rss_mib_max, 1),
            skipped=dict(self._sources.skipped.counts + self._orders.skipped + self._custody.skipped),
            orders=dict(self._orders.counts),
            mix=dict(self._market.given),
            starved=self._market.starved,
            senders=len(self._people),
            outage=self._outage,
            conviction=None if self.offender is None else self.offender.conviction,
            sections=tuple(self._sections),
        )

    async def audit(self, report: DemoReport) -> DemoReport:
        """Return the report of a network that was stopped, with what its blocks say of the orders of a file."""
        path = self._options.orders
        if path is None:
            return report
        count = partial(read_totals, self._folder, path, self._since_height, self._sources.readings)
        totals = await trio.to_thread.run_sync(count)
        return replace(report, sections=(*report.sections, totals))

    async def _count_flash_sale(self) -> None:
        sale, control = self._sources.flash_sale, self.desk.link_alive().control
        if sale is not None and control is not None:
            owner = self._shops.owner_of(FLASH_MERCHANT)
            listing = (await control.query("listing", store=owner.hex(), number=1)).value
            left = listing["stock"] if isinstance(listing, dict) else None
            self._sections.append(sale.result(left if isinstance(left, int) else -1))
