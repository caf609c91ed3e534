"""The tables of docs/protocol, as another implementer would copy them."""

import re
from pathlib import Path

from .plain import Types

FOLDER = Path(__file__).parents[2] / "docs" / "protocol"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}


def table(page, name):
    """Return the rows of a table, each a list of cells without the signs of code."""
    text = re.search(rf"<!-- {name} -->\n\n(.*?)\n\n<!-- end -->", PAGES[page], re.DOTALL)[1]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()[2:]]


def number(text):
    return int(text.replace(",", ""), 0)


def fields(cell):
    return "[]" if cell == "-" else f"[{cell}]"


NAMED = {
    row[0].strip("*"): row[1]
    for page, text in PAGES.items()
    for name in re.findall(r"<!-- (records of [\w-]+) -->", text)
    for row in table(page, name)
}
TYPES = Types(NAMED)
LANES = {name: int(lane) for lane, name in re.findall(r"^\| (\d) \| (\w+) \|", PAGES["connections"], re.MULTILINE)}
MESSAGES = {
    number(row[0]): {"name": row[1], "lane": LANES[row[2]], "cap": number(row[3]), "fields": fields(row[4])}
    for row in table("messages", "messages")
}
SIMPLEX = {
    int(row[0]): {"name": row[1], "cap": number(row[2]), "fields": fields(row[3])}
    for row in table("finality", "simplex")
}
FFG = {int(row[0]): {"name": row[1], "cap": number(row[2]), "fields": fields(row[3])} for row in table("ffg", "ffg")}
PARAMETERS = {row[0]: tuple(number(each) for each in row[1].split("..")) for row in table("chain", "parameters")}
BODIES = {row[0]: fields(row[1]) for row in table("commerce", "bodies")}
STATE = {int(row[0], 16): fields(row[2]) for row in table("commerce", "state")}


def read(name, data, bytes_max=None):
    """Read a record by its name in the tables."""
    return TYPES.read(f"*{name}*", data, bytes_max)
