"""Coded symbols, from docs/protocol/reconciliation.md."""

from math import isqrt

from .channel import blake2b
from .plain import need


def words(short):
    block = 0
    while True:
        data = blake2b(short + (bytes([block]) if block else b""), size=64)
        for start in range(4 if block == 0 else 0, 64, 2):
            yield int.from_bytes(data[start : start + 2], "big")
        block += 1


def check(short):
    return blake2b(short, size=64)[:3]


def places(short, length):
    """Return which of the first `length` symbols a short id is in."""
    place, found = 0, []
    for word in words(short):
        if place >= length:
            return found
        found.append(place)
        gap = isqrt(2**65 // (2 * word + 1)) - 2**24
        place += 1 + (2 * place + 3) * gap // 2**25
    return found


def symbols(shorts, length):
    """Return of each symbol the sum of ids, the sum of checks, and the count."""
    found = [[0, 0, 0] for _ in range(length)]
    for short in shorts:
        for place in places(short, length):
            found[place][0] ^= int.from_bytes(short, "big")
            found[place][1] ^= int.from_bytes(check(short), "big")
            found[place][2] += 1
    return found


def expected(place, size):
    return (2 * size + (place + 2) // 2) // (place + 2)


def write(row, first, size):
    data = b""
    for place, (ids, checks, count) in enumerate(row, first):
        excess = count - expected(place, size)
        value = 2 * excess if excess >= 0 else -2 * excess - 1
        data += ids.to_bytes(8, "big") + checks.to_bytes(3, "big")
        while value > 0x7F:
            data += bytes([value & 0x7F | 0x80])
            value >>= 7
        data += bytes([value])
    return data


def read(data, first, size):
    found = []
    while data:
        need(len(data) >= 12, "cut off")
        ids, checks, data = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:11], "big"), data[11:]
        value = groups = 0
        while True:
            need(data and groups < 5, "a count that is too long")
            group, data = data[0], data[1:]
            value |= (group & 0x7F) << 7 * groups
            groups += 1
            if group < 0x80:
                break
        need(groups == 1 or group, "a needless group")
        excess = value // 2 if value % 2 == 0 else -(value + 1) // 2
        found.append([ids, checks, excess + expected(first + len(found), size)])
    return found


def differences(theirs, ours):
    """Return what only they and what only we have, from as many symbols of both; None: too few symbols."""
    left = [[a ^ d, b ^ e, c - f] for (a, b, c), (d, e, f) in zip(theirs, ours, strict=True)]
    found = {1: [], -1: []}
    suspects = list(range(len(left)))
    while suspects:
        place = suspects.pop()
        ids, checks, count = left[place]
        short = ids.to_bytes(8, "big")
        if count not in found or int.from_bytes(check(short), "big") != checks or place not in places(short, len(left)):
            continue
        found[count].append(short)
        for other in places(short, len(left)):
            left[other] = [left[other][0] ^ ids, left[other][1] ^ checks, left[other][2] - count]
            suspects.append(other)
    return None if any(left[0]) else (sorted(found[1]), sorted(found[-1]))
