"""Planning an import: what events become, and why they are refused; on a chain without a node."""

import dataclasses
import json

import pytest

from p2pcommerce.cli.trace_goods import ACCOUNT_URN, Actor, Parties, goods_id
from p2pcommerce.cli.trace_plan import CLOCK_SKEW_MS, Planner
from p2pcommerce.commerce import (
    AttestIssue,
    KeySet,
    Operator,
    ProductSet,
    Rights,
    StoreSet,
    Subject,
    SubjectKind,
    TraceShip,
    entry_from,
    extends_history,
    read_body,
)
from p2pcommerce.commerce.epcis import (
    Goods,
    canonical_uri,
    event_hash,
    event_lines,
    parse_document,
    write_document,
)
from p2pcommerce.primitives.crypto import ED25519
from p2pcommerce.runtime.identity import Identity
from tests.commerce import world as worlds
from tests.commerce.test_epcis_structure import check_document
from tests.commerce.world import GTIN, HASH, OTHER_GTIN, World

NOW_MS = 1_700_000_000_000
MAKER, CARRIER, SHOP = (
    "urn:epc:id:pgln:9520001.00001",
    "urn:epc:id:pgln:9520001.00002",
    "https://id.gs1.org/417/9520001000034",
)
ORDER = {"type": "po", "bizTransaction": "urn:epc:id:gdti:9520001.00001.1"}
SSCC = "urn:epc:id:sscc:9520001.0000000001"
TAG = f"https://id.gs1.org/01/{GTIN}/21/"
LOT = f"https://id.gs1.org/01/{GTIN}/10/L"


@pytest.fixture
def world(monkeypatch):
    # The planner signs with real keys, so that the world's accounts must be those of such keys.
    monkeypatch.setattr(worlds, "SCHEME", ED25519)
    found = World("maker", "carrier", "shop", "helper")
    found.time_ms = NOW_MS
    for gtin in (GTIN, OTHER_GTIN):
        found.do("maker", ProductSet(gtin, HASH))
    return found


def identity(name):
    return Identity.from_seed(worlds.seed(name))


class Chain:
    """The state and the histories of a world; remembers what was asked of it."""

    def __init__(self, world):
        self.world, self.log, self.asked = world, [], []

    async def record(self, key):
        self.asked.append(key)
        return self.world.chain.values.get(key)

    async def history(self, item_id):
        return [entry for ids, entry in self.log if item_id in ids]

    def send(self, planned):
        """Execute what was planned, each in a block of its own."""
        for one in planned:
            transaction = worlds.build_transaction(
                one.payload, self.world.genesis, one.signer.seed, one.nonce, 10**6, fee=one.fee, account=one.sender
            )
            (outcome,) = self.world.block(transaction)
            assert outcome.ok, outcome.detail
            assert extends_history(read_body(transaction.type, transaction.body))
            self.log.append((outcome.events[0].ids, entry_from(transaction, self.world.time_ms)))


def event(kind="ObjectEvent", minute=0, **fields):
    when = f"2023-01-02T03:{minute:02d}:00.000Z"
    return {"type": kind, "eventTime": when, "eventTimeZoneOffset": "+00:00", **fields}


def document(*events, context=None):
    return json.dumps(
        {"type": "EPCISDocument", "@context": context or [], "epcisBody": {"eventList": list(events)}}, indent=1
    )


def made(minute=0, *serials, **fields):
    return event(
        minute=minute, action="ADD", bizStep="commissioning", epcList=[TAG + each for each in serials], **fields
    )


def shipped(minute, *epcs, to=CARRIER, before=MAKER, owner=False, **fields):
    kind = "owning_party" if owner else "possessing_party"
    fields = {"bizStep": "shipping"} | fields
    return event(
        minute=minute,
        action="OBSERVE",
        epcList=list(epcs),
        sourceList=[{"type": kind, "source": before}],
        destinationList=[{"type": kind, "destination": to}],
        **fields,
    )


def received(minute, *epcs, **fields):
    return event(minute=minute, action="OBSERVE", bizStep="receiving", epcList=list(epcs), **fields)


def parties(*names, store=None, to=None):
    actors = [Actor(identity(name).public_key, identity(name), None) for name in names or ("maker", "carrier", "shop")]
    if store is not None:
        actors.insert(0, Actor(worlds.key(store), actors[0].signer, worlds.key(store)))
    known = {MAKER: "maker", CARRIER: "carrier", SHOP: "shop"}
    return Parties(
        tuple(actors), {canonical_uri(uri): worlds.key(name) for uri, name in known.items()}, (), to and worlds.key(to)
    )


async def plan(chain, *events, who=None, context=None, raw=None):
    data = (raw or document(*events, context=context)).encode()
    planner = Planner(
        chain,
        chain.world.genesis,
        who or parties(),
        now_ms=NOW_MS,
        height=chain.world.height,
        validator=worlds.key("validator"),
    )
    events = parse_document(data).events
    return await planner.plan(events, event_lines(data, len(events)))


async def refusals(chain, *events, **options):
    return [(each.code, each.reason) for each in (await plan(chain, *events, **options)).refused]


def seen(world, goods):
    return world.query("item", id=goods_id(goods, worlds.key("maker")).hex())


async def test_a_whole_life_becomes_transactions_and_goes_through(world):
    chain = Chain(world)
    events = [
        made(1, "1", "2", "3"),
        event(minute=1, action="ADD", bizStep="commissioning", quantityList=[{"epcClass": LOT, "quantity": 7}]),
        event("AggregationEvent", 2, action="ADD", bizStep="packing", parentID=SSCC, childEPCs=[TAG + "1", TAG + "2"]),
        shipped(3, SSCC),
        event(minute=4, action="OBSERVE", bizStep="void_shipping", epcList=[SSCC]),
        shipped(5, SSCC, to=SHOP, owner=True),
        received(6, SSCC),
        event("AggregationEvent", 7, action="DELETE", bizStep="unpacking", parentID=SSCC, childEPCs=[TAG + "1"]),
        event(
            "TransactionEvent",
            8,
            action="OBSERVE",
            bizTransactionList=[ORDER],
            bizStep="inspecting",
            epcList=[TAG + "1"],
        ),
        event(minute=9, action="DELETE", bizStep="destroying", epcList=[TAG + "1"]),
        event(
            "TransformationEvent",
            9,
            bizStep="creating_class_instance",
            inputEPCList=[TAG + "3"],
            inputQuantityList=[{"epcClass": LOT, "quantity": 7}],
            outputEPCList=[f"https://id.gs1.org/01/{OTHER_GTIN}/21/x"],
        ),
    ]
    found = await plan(chain, *events)
    assert [(each.place, each.reason) for each in found.refused] == []
    assert [one.payload.TYPE.partition(".")[2] for one in found.transactions] == [
        *("commission", "commission", "pack", "ship", "reject", "ship", "receive", "unpack", "observe"),
        *("decommission", "transform"),
    ]
    written = write_document(found.events, "2023-01-03T00:00:00Z")
    check_document(written)
    read = parse_document(written).events
    assert [event_hash(each) for each in read] == [event_hash(each) for each in found.events]
    chain.send(found.transactions)
    assert seen(world, Goods(GTIN, "2"))["owner"] == worlds.key("shop").hex()
    assert seen(world, Goods(GTIN, "1"))["status"] == seen(world, Goods(GTIN, lot="L"))["status"] == "ENDED"
    assert seen(world, Goods(OTHER_GTIN, "x"))["origin"] is not None
    again = await plan(chain, *events)
    assert (again.transactions, again.refused, again.skipped) == ([], [], list(range(1, 12)))


async def test_an_import_that_was_cut_off_goes_on(world):
    chain = Chain(world)
    events = [made(1, *[f"{number:03d}" for number in range(300)]), shipped(2, *[f"{TAG}{n:03d}" for n in range(100)])]
    found = await plan(chain, *events)
    assert [len(getattr(one.payload, "serials", getattr(one.payload, "ids", ()))) for one in found.transactions] == [
        *(256, 44, 64, 36)
    ]
    chain.send(found.transactions[:1])
    rest = await plan(chain, *events)
    assert [len(getattr(one.payload, "serials", getattr(one.payload, "ids", ()))) for one in rest.transactions] == [
        *(44, 64, 36)
    ]
    chain.send(rest.transactions[:2])
    last = await plan(chain, *events)
    assert ([len(one.payload.ids) for one in last.transactions], last.skipped) == ([36], [1])
    chain.send(last.transactions)


async def test_nonces_follow_one_another_per_sender(world):
    found = await plan(Chain(world), made(1, "1"), shipped(2, TAG + "1"), received(3, TAG + "1"), made(4, "2"))
    assert [(one.signer.public_key == worlds.key("maker"), one.nonce) for one in found.transactions] == [
        *((True, 2), (True, 3), (False, 0), (True, 4))
    ]


async def test_a_document_may_name_accounts_as_parties(world):
    to = f"{ACCOUNT_URN}{worlds.key('shop').hex()}"
    found = await plan(Chain(world), made(1, "1"), shipped(2, TAG + "1", to=to))
    assert found.transactions[1].payload.to == worlds.key("shop")


async def test_what_is_shipped_to_nobody_goes_to_whom_the_caller_says(world):
    bare = event(minute=2, action="OBSERVE", bizStep="shipping", epcList=[TAG + "1"])
    (refused,) = await refusals(Chain(world), made(1, "1"), bare)
    assert "names no destination" in refused[1]
    found = await plan(Chain(world), made(1, "1"), bare, who=parties(to="carrier"))
    assert found.transactions[1].payload.to == worlds.key("carrier")


async def test_an_operator_imports_for_its_store(world):
    world.do("maker", StoreSet("Maker", HASH, HASH, "", (Operator(worlds.key("helper"), Rights.TRACE),)))
    chain = Chain(world)
    found = await plan(chain, made(1, "1"), shipped(2, TAG + "1"), who=parties("helper", store="maker"))
    assert not found.refused
    assert {one.payload.store for one in found.transactions} == {worlds.key("maker")}
    chain.send(found.transactions)
    assert seen(world, Goods(GTIN, "1"))["status"] == "IN_TRANSIT"


async def test_refusals_name_line_and_reason_and_the_rest_is_planned(world):
    found = await plan(Chain(world), made(1, "1"), made(2, "1"), made(3, "2"))
    assert [one.place for one in found.transactions] == [1, 3]
    (refused,) = found.refused
    line = document(made(1, "1"), made(2, "1"), made(3, "2")).splitlines()[refused.line - 1]
    assert (refused.place, refused.code, line.strip()) == (2, "EXISTS", "{")
    assert refused.reason == "an item of this serial or lot exists already"


async def test_a_refused_event_changes_nothing_for_those_behind_it(world):
    # The second chunk of 64 is refused, so that the first one must not have happened either.
    serials = [f"{number:03d}" for number in range(100)]
    ids = sorted(goods_id(Goods(GTIN, serial), worlds.key("maker")) for serial in serials)
    chain = Chain(world)
    chain.send((await plan(chain, made(1, *serials))).transactions)
    world.do("maker", TraceShip((ids[-1],), worlds.key("carrier"), HASH, 1))
    found = await plan(chain, shipped(2, *[TAG + each for each in serials]), shipped(3, TAG + serials[0]))
    assert [(each.place, each.code) for each in found.refused] == [(1, "BAD_STATE")]
    assert [(one.place, one.payload.TYPE) for one in found.transactions] == [(2, "trace.ship")]


FUTURE = "2023-11-14T22:15:00.000Z"  # 100 s after NOW_MS


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (made(2, "9", myField="x"), "no field of EPCIS"),
        (made(2, "9", **{"ex:myField": "x"}), "unknown extension"),
        (made(2, "9", ilmd={"ex:myField": "x"}), "unknown extension"),
        (event("ex:PaintEvent", 2, epcList=[TAG + "1"]), "extension"),
        (made(2, "9", errorDeclaration={"declarationTime": FUTURE}), "takes nothing back"),
        (event(minute=2, action="ADD", epcList=["https://id.gs1.org/01/09520001000012/21/1"]), "must end in 0"),
        (
            event(minute=2, action="OBSERVE", bizStep="storing", epcList=["https://id.gs1.org/00/095200010000000011"]),
            "must end in 0",
        ),
        (
            event(minute=2, action="OBSERVE", bizStep="storing", epcList=["https://id.gs1.org/AQnYUc1gmiCNV4JG"]),
            "compressed",
        ),
        (event(minute=2, action="OBSERVE", bizStep="storing", epcList=["urn:epc:id:giai:9520001.12"]), "no GTIN with"),
        (event(minute=2, action="OBSERVE", bizStep="storing", epcList=[TAG + "7"]), "is not on the ledger"),
        (event(minute=2, action="ADD", epcList=[SSCC]), "comes to be when something is packed"),
        (event(minute=2, action="ADD", quantityList=[{"epcClass": LOT, "quantity": 1.5}]), "no whole number"),
        (
            event(minute=2, action="ADD", quantityList=[{"epcClass": LOT, "quantity": 5, "uom": "KGM"}]),
            "KGM is a measure",
        ),
        (event(minute=2, action="ADD", quantityList=[{"epcClass": LOT}]), "quantity is not said"),
        (event(minute=2, action="ADD", quantityList=[{"epcClass": f"https://id.gs1.org/01/{GTIN}"}]), "traces lots"),
        (event(minute=2, action="ADD", epcList=[]), "names no goods"),
        (event(minute=2, action="ADD", epcList=[TAG + "9", TAG + "9"]), "stands twice"),
        (event(minute=2, action="PUT", epcList=[TAG + "1"]), "its action is none of"),
        (event(minute=2, action="OBSERVE", epcList=[TAG + "1"]), "it observes nothing"),
        (event("AssociationEvent", 2, action="ADD", epcList=[TAG + "1"]), "no associations"),
        (event("AggregationEvent", 2, action="ADD", childEPCs=[TAG + "1"]), "parentID is missing"),
        (event("AggregationEvent", 2, action="ADD", parentID=TAG + "2", childEPCs=[TAG + "1"]), "is no SSCC"),
        (event("TransformationEvent", 2, inputEPCList=[TAG + "1"]), "it makes nothing"),
        (made(0, "9") | {"eventTime": FUTURE}, "lies in the future"),
        (made(0, "9") | {"eventTime": "1969-01-01T00:00:00Z"}, "before 1970"),
        (made(2, "9", recordTime="2022-01-01T00:00:00Z"), "recorded before it happened"),
        (shipped(0, TAG + "1"), "before an event of the same goods"),
        (shipped(2, TAG + "1", before=SHOP), "had the goods, by the ledger"),
        (shipped(2, TAG + "1", to="urn:epc:id:pgln:9520001.00009"), "no known party"),
        (received(2, TAG + "1"), "the item is not in transit"),
    ],
)
async def test_what_the_ledger_forbids_is_refused_with_its_reason(world, bad, reason):
    found = await plan(Chain(world), made(1, "1"), bad, made(3, "2"))
    assert [one.place for one in found.transactions] == [1, 3]
    (refused,) = found.refused
    assert refused.place == 2
    assert reason in refused.reason


async def test_goods_of_somebody_whose_key_is_not_here_are_refused(world):
    chain = Chain(world)
    chain.send((await plan(chain, made(1, "1"), shipped(2, TAG + "1"))).transactions)
    (refused,) = await refusals(chain, received(3, TAG + "1"), who=parties("maker"))
    assert refused[1].startswith("it was sent to")
    (refused,) = await refusals(chain, shipped(3, TAG + "1"), who=parties("shop"))
    assert refused[1].startswith("it is held by")


def observed(minute, *epcs, **fields):
    return event(minute=minute, action="OBSERVE", bizStep="inspecting", epcList=list(epcs), **fields)


def attest(world, name, issuer="maker"):
    subject = Subject(SubjectKind.ACCOUNT, worlds.key(name))
    world.do(issuer, AttestIssue(subject, "observe", HASH, NOW_MS * 2))


async def test_every_key_is_tried_for_an_observation_the_holder_s_first(world):
    attest(world, "helper")
    chain = Chain(world)
    chain.send((await plan(chain, made(1, "1"))).transactions)
    look = observed(2, TAG + "1")
    known = parties("maker").known()
    strangers = dataclasses.replace(parties("carrier", "shop"), issuers=known)
    assert [code for code, _ in await refusals(chain, look, who=strangers)] == ["FORBIDDEN"]
    with_attested = dataclasses.replace(parties("carrier", "shop", "helper"), issuers=known)
    (found,) = (await plan(chain, look, who=with_attested)).transactions
    assert found.sender == worlds.key("helper")
    (found,) = (await plan(chain, look, who=parties("carrier", "helper", "maker"))).transactions
    assert found.sender == worlds.key("maker")
    chain.send([found])
    assert len(await chain.history(goods_id(Goods(GTIN, serial="1"), worlds.key("maker")))) == 2


async def test_a_refused_try_leaves_nothing_behind_in_the_plan(world):
    attest(world, "helper")
    events = (made(1, "1"), *(observed(minute, TAG + "1") for minute in (2, 3)))
    chain = Chain(world)
    chain.send((await plan(chain, events[0])).transactions)
    who = dataclasses.replace(parties("carrier", "helper"), issuers=parties("maker").known())
    found = (await plan(chain, *events, who=who)).transactions
    assert [(one.sender, one.nonce) for one in found] == [(worlds.key("helper"), nonce) for nonce in (0, 1)]
    chain.send(found)


async def test_the_reason_is_why_the_one_who_may_observe_cannot(world):
    attest(world, "helper")
    world.do("helper", KeySet(worlds.key("shop")))
    chain = Chain(world)
    chain.send((await plan(chain, made(1, "1"))).transactions)
    who = dataclasses.replace(parties("carrier", "helper"), issuers=parties("maker").known())
    (refused,) = await refusals(chain, observed(2, TAG + "1"), who=who)
    assert refused[0] == "BAD_SIGNATURE"
    assert "signs with its active key" in refused[1]


async def test_a_part_of_a_lot_is_refused_until_it_is_split_off(world):
    lot = {"epcClass": LOT, "quantity": 7}
    part = lot | {"quantity": 3}
    ship = shipped(2) | {"quantityList": [part]}
    (refused,) = await refusals(Chain(world), event(minute=1, action="ADD", quantityList=[lot]), ship)
    assert "has 7 units on the ledger, the event says 3" in refused[1]


async def test_an_account_s_active_key_signs_what_is_planned(world):
    world.do("maker", KeySet(worlds.key("helper")))
    chain = Chain(world)
    own, known = parties("maker", "helper"), parties().accounts
    only_active = Parties((Actor(worlds.key("maker"), identity("helper"), None),), known)
    for who in (own, only_active):
        (one,) = (await plan(chain, made(1, "1"), who=who)).transactions
        assert (one.signer.public_key, one.sender) == (worlds.key("helper"), worlds.key("maker"))
    chain.send([one])
    world.do("maker", KeySet(None))
    assert (await plan(chain, made(2, "2"))).transactions[0].signer.public_key == worlds.key("maker")


async def test_an_account_whose_active_key_is_not_here_says_which_one_is_missing(world):
    world.do("maker", KeySet(worlds.key("helper")))
    ((code, reason),) = await refusals(Chain(world), made(1, "1"))
    assert code == "BAD_SIGNATURE"
    assert f"active key {worlds.key('helper').hex()[:16]}, which was not given (--key)" in reason
    stranger = Parties((Actor(worlds.key("carrier"), identity("helper"), None),), {})
    world.do("carrier", ProductSet(GTIN, HASH))
    ((code, reason),) = await refusals(Chain(world), made(1, "1"), who=stranger)
    assert (code, f"its own key {worlds.key('carrier').hex()[:16]}" in reason) == ("BAD_SIGNATURE", True)


async def test_the_clock_may_be_a_little_behind(world):
    late = made(0, "9") | {"eventTime": "2023-11-14T22:14:20.000Z"}  # NOW_MS + 60 s
    assert CLOCK_SKEW_MS == 60_000
    assert await refusals(Chain(world), late) == []


async def test_what_is_written_out_is_imported_alike(world):
    declared = [{"ex": "https://ex.example/"}]
    data = document(made(1, "1", **{"ex:n": 200.50}), shipped(2, TAG + "1"), context=declared)
    events = parse_document(data.encode()).events
    written = write_document(events, "2023-01-01T00:00:00Z")
    chain = Chain(world)
    first = await plan(chain, raw=data)
    second = await plan(chain, raw=written.decode())
    assert [one.payload for one in first.transactions] == [one.payload for one in second.transactions]
    chain.send(first.transactions)
    assert (await plan(chain, raw=written.decode())).skipped == [1, 2]
