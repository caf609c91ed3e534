"""Where the vectors lie, and how they are written: one small file for each room, as JSON with bytes in hexadecimal."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "vectors"


def load(name):
    """Return what a file holds, nothing if it is not there yet."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(name, vectors):
    """Write a file anew."""
    text = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def as_json(value):
    """Return a plain value as JSON: bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return value
