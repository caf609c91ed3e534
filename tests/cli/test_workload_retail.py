"""Real retail days as orders: what is kept, what is skipped and counted, what ends the run."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from p2pcommerce.cli.demo.workload import SkipReason, read_retail
from p2pcommerce.cli.demo.workload import retail as room
from p2pcommerce.workload import ORDER_LINES_MAX, Cancellation, Order, OrderLine, SkippedLines, WorkloadError

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def line(invoice="536365", code="85123A", quantity="6", price="2.55", customer="17850.0", text="HEART") -> str:
    return f"{invoice},{code},{text},{quantity},2010-12-01 08:26:00,{price},{customer},United Kingdom"


def read(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[list[Order | Cancellation], SkippedLines]:
    file = tmp_path / "day.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    skipped = SkippedLines()
    return list(read_retail(file, skipped)), skipped


def test_an_invoice_of_one_merchant_is_one_order(tmp_path):
    (order,), skipped = read(tmp_path, line(), line(code="85048", quantity="12", price="0.85"))
    assert order == Order(
        invoice="536365",
        part=0,
        customer="customer 17850",
        merchant="85",
        placed_at=datetime(2010, 12, 1, 8, 26),
        lines=(OrderLine("85123A", "HEART", 6, 2_550_000), OrderLine("85048", "HEART", 12, 850_000)),
    )
    assert order.total_minor == 25_500_000
    assert skipped.total == 0


def test_the_first_two_characters_of_the_code_name_the_merchant(tmp_path):
    orders, _ = read(tmp_path, line(code="85123A"), line(code="22752"), line(code="85048"))
    assert [(order.merchant, len(order.lines)) for order in orders] == [("85", 2), ("22", 1)]


def test_equal_lines_are_summed_and_other_prices_are_not(tmp_path):
    (order,), _ = read(tmp_path, line(quantity="1"), line(quantity="2"), line(quantity="4", price="2.10"))
    assert [(item.quantity, item.unit_price_minor) for item in order.lines] == [(3, 2_550_000), (4, 2_100_000)]


def test_an_order_has_at_most_64_lines(tmp_path):
    lines = [line(code=f"85{number:03d}") for number in range(130)]
    orders, _ = read(tmp_path, *lines)
    assert [(order.part, len(order.lines)) for order in orders] == [(0, ORDER_LINES_MAX), (1, ORDER_LINES_MAX), (2, 2)]


def test_a_customer_without_a_number_has_one_key_per_invoice(tmp_path):
    orders, _ = read(tmp_path, line(customer=""), line(code="22752", customer=""), line(invoice="536366", customer=""))
    assert [order.customer for order in orders] == ["invoice 536365", "invoice 536365", "invoice 536366"]


def test_a_price_is_exact(tmp_path):
    (order,), _ = read(tmp_path, line(quantity="3", price="0.000001"), line(quantity="1", price="4.10", code="85001"))
    assert [item.total_minor for item in order.lines] == [3, 4_100_000]


@pytest.mark.parametrize(
    "code", ["POST", "D", "M", "DOT", "S", "B", "C2", "PADS", "CRUK", "BANK CHARGES", "AMAZONFEE", "gift_0001_20", ""]
)
def test_a_code_that_is_no_product_is_skipped_and_counted(tmp_path, code):
    orders, skipped = read(tmp_path, line(code=code))
    assert orders == []
    assert skipped.counts == {SkipReason.NO_PRODUCT: 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "0.0"}, SkipReason.ZERO_PRICE),
        ({"price": "-11.06"}, SkipReason.NEGATIVE_PRICE),
        ({"quantity": "-5"}, SkipReason.NEGATIVE_QUANTITY),
        ({"quantity": "0"}, SkipReason.ZERO_QUANTITY),
        ({"invoice": "C536379"}, SkipReason.POSITIVE_CANCELLATION),
        ({"invoice": "C536379", "quantity": "-1"}, SkipReason.UNMATCHED),
    ],
)
def test_a_line_that_cannot_be_sold_is_skipped_and_counted(tmp_path, fields, reason):
    orders, skipped = read(tmp_path, line(**fields))
    assert orders == []
    assert skipped.counts == {reason: 1}


def test_a_cancellation_gives_back_an_earlier_purchase_of_that_customer_and_code(tmp_path):
    events, skipped = read(
        tmp_path,
        line(quantity="6"),
        line(invoice="C1", quantity="-4"),
        line(invoice="C2", quantity="-3"),
        line(invoice="C3", quantity="-2", customer="999.0"),
        line(invoice="C4", quantity="-2", code="85124"),
        line(invoice="C5", quantity="-2"),
        line(invoice="C6", quantity="-1"),
    )
    given_back = [event for event in events if isinstance(event, Cancellation)]
    assert [(event.invoice, event.quantity, event.amount_minor) for event in given_back] == [
        ("C1", 4, 10_200_000),
        ("C5", 2, 5_100_000),
    ]
    assert skipped.counts == {SkipReason.UNMATCHED: 4}


def test_the_oldest_purchases_are_forgotten_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PURCHASES_MAX", 2)
    bought = [line(code=f"8500{number}") for number in range(3)]
    events, skipped = read(
        tmp_path, *bought, line(invoice="C1", code="85000", quantity="-1"), line("C2", "85001", "-1")
    )
    assert [event.invoice for event in events if isinstance(event, Cancellation)] == ["C2"]
    assert skipped.counts == {SkipReason.UNMATCHED: 1}


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, invoice in (("b.csv", "2"), ("a.CSV", "1"), ("c.csv", "3")):
        (tmp_path / name).write_text(f"{HEADER}\n{line(invoice=invoice)}\n")
    (tmp_path / "README.md").write_text("not a table")
    assert [event.invoice for event in read_retail(tmp_path, SkippedLines())] == ["1", "2", "3"]


def test_columns_may_stand_in_any_order_and_descriptions_hold_commas_and_quotes(tmp_path):
    header = "Country,CustomerID,UnitPrice,InvoiceDate,Quantity,Description,StockCode,InvoiceNo"
    row = 'France,,1.25,2010-12-01 08:26:00,2,"SET OF ""3"", LARGE",22752,536370'
    (order,), _ = read(tmp_path, row, header=header)
    assert order.lines[0].description == 'SET OF "3", LARGE'


def test_a_byte_order_mark_and_empty_lines_are_no_content(tmp_path):
    file = tmp_path / "day.csv"
    file.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{line()}\r\n\r\n".encode())
    assert len(list(read_retail(file, SkippedLines()))) == 1


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (b"", "line 1", "the column InvoiceNo is missing"),
        (HEADER.replace("UnitPrice", "Price").encode(), "line 1", "the column UnitPrice is missing"),
        (f"{HEADER}\n{line()},extra".encode(), "line 2", "9 values where the header has 8"),
        (f"{HEADER}\n{line()}\n{line(quantity='six')}".encode(), "line 3", "Quantity 'six'"),
        (f"{HEADER}\n{line(quantity='1.5')}".encode(), "line 2", "Quantity '1.5'"),
        (f"{HEADER}\n{line(price='NaN')}".encode(), "line 2", "UnitPrice 'NaN'"),
        (f"{HEADER}\n{line(price='1e9')}".encode(), "line 2", "UnitPrice '1e9'"),
        (f"{HEADER}\n{line(customer='Bob')}".encode(), "line 2", "CustomerID 'Bob'"),
        (f"{HEADER}\n{line(invoice='')}".encode(), "line 2", "InvoiceNo ''"),
        (f"{HEADER}\n{line().replace('2010-12-01', '12/1/2010')}".encode(), "line 2", "InvoiceDate '12/1/2010"),
        (f"{HEADER}\n{line()}\n".encode() + b"\xff\xfe,1\n", "line 3", "not UTF-8"),
        (f'{HEADER}\n1,85123A,"open'.encode(), "line 2", "not CSV"),
        (f'{HEADER}\n1,85123A,"a"b,1'.encode(), "line 2", "not CSV"),
        (HEADER.encode() + b"\n" + b"x" * (room.LINE_BYTES_MAX + 1), "line 2", "longer than 65536 bytes"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line_with_place_and_reason(tmp_path, content, place, reason):
    file = tmp_path / "day.csv"
    file.write_bytes(content)
    with pytest.raises(WorkloadError) as caught:
        list(read_retail(file, SkippedLines()))
    assert str(caught.value).startswith(f"{file}: {place}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_invoice_is_not_held_in_memory_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "INVOICE_LINES_MAX", 3)
    assert len(read(tmp_path, *[line()] * 3)[0]) == 1
    with pytest.raises(WorkloadError, match="line 5: invoice 536365 has more than 3 lines"):
        read(tmp_path, *[line()] * 4)


def test_a_missing_file_or_an_empty_folder_is_refused_at_once(tmp_path):
    with pytest.raises(WorkloadError, match="no such file or folder"):
        read_retail(tmp_path / "nowhere.csv", SkippedLines())
    with pytest.raises(WorkloadError, match=r"holds no \*\.csv file"):
        read_retail(tmp_path, SkippedLines())


def test_a_file_that_vanishes_is_refused_by_name(tmp_path):
    file = tmp_path / "day.csv"
    file.write_text(HEADER)
    stream = read_retail(file, SkippedLines())
    file.unlink()
    with pytest.raises(WorkloadError, match=r"day\.csv: No such file"):
        list(stream)


def test_the_file_is_read_as_a_stream(tmp_path):
    file = tmp_path / "day.csv"
    file.write_text(f"{HEADER}\n{line(invoice='1')}\n{line(invoice='2')}\nbroken\n")
    stream = read_retail(file, SkippedLines())
    assert next(stream).invoice == "1"
    with pytest.raises(WorkloadError, match="line 4"):
        list(stream)


def test_real_days_add_up_to_an_independent_sum():
    folder = os.environ.get("P2PCOMMERCE_DATA")
    if not folder:
        pytest.skip("P2PCOMMERCE_DATA is not set: the folder with epcis/ and retail/ is not tested")
    pounds, kept, skipped_lines, lines = Decimal(0), 0, Counter(), 0
    for file in sorted((Path(folder) / "retail").glob("*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                lines += 1
                quantity, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
                product = re.fullmatch(r"\d{5}[A-Za-z]*", row["StockCode"])
                if product and quantity > 0 and price > 0 and row["InvoiceNo"].isdigit():
                    kept += 1
                    pounds += quantity * price
                elif not product:
                    skipped_lines["codes"] += 1
    skipped = SkippedLines()
    events = list(read_retail(Path(folder) / "retail", skipped))
    orders = [event for event in events if isinstance(event, Order)]
    given_back = [event for event in events if isinstance(event, Cancellation)]
    assert sum(order.total_minor for order in orders) == pounds * 1_000_000
    assert skipped.counts[SkipReason.NO_PRODUCT] == skipped_lines["codes"] > 0
    assert lines == kept + len(given_back) + skipped.total
    assert given_back
    keys = [(order.invoice, order.merchant, order.part) for order in orders]
    assert len(set(keys)) == len(keys)
    assert max(len(order.lines) for order in orders) <= ORDER_LINES_MAX
    assert all(item.quantity > 0 < item.unit_price_minor for order in orders for item in order.lines)
