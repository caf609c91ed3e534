"""Signatures and random outputs, from RFC 8032, RFC 9381 and docs/protocol/encoding.md, in plain numbers."""

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1)


def add(one, other):
    return _flat(_add(_wide(one), _wide(other)))


def _wide(point):
    return point[0], point[1], 1, point[0] * point[1] % P


def _flat(point):
    inverse = pow(point[2], P - 2, P)
    return point[0] * inverse % P, point[1] * inverse % P


def _add(one, other):
    """Add in extended coordinates (RFC 8032, section 5.1.4)."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def minus(point):
    return -point[0] % P, point[1]


def multiply(number, point):
    result, power = _wide(NEUTRAL), _wide(point)
    while number:
        if number & 1:
            result = _add(result, power)
        power = _add(power, power)
        number >>= 1
    return _flat(result)


def compress(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decompress(data):
    """Return the point of 32 bytes; None: they are none, or not its one form."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & 2**255 - 1
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def sha512_number(data):
    return int.from_bytes(hashlib.sha512(data).digest(), "little")


def secret_of(seed):
    """Return the scalar and the prefix of a seed."""
    digest = hashlib.sha512(seed).digest()
    scalar = bytes([digest[0] & 0xF8]) + digest[1:31] + bytes([digest[31] & 0x7F | 0x40])
    return int.from_bytes(scalar, "little"), digest[32:]


def public_key(seed):
    return compress(multiply(secret_of(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = secret_of(seed)
    key = public_key(seed)
    nonce = sha512_number(prefix + message) % ORDER
    shared = compress(multiply(nonce, BASE))
    return shared + ((nonce + sha512_number(shared + key + message) * scalar) % ORDER).to_bytes(32, "little")


def verify(key, message, signature):
    """Tell whether a signature is good: canonical S and key, neither key nor R of small order, without cofactor."""
    if len(signature) != 64:
        return False
    point, shared = decompress(key), decompress(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if point is None or shared is None or response >= ORDER:
        return False
    if NEUTRAL in (multiply(8, point), multiply(8, shared)):
        return False
    challenge = sha512_number(signature[:32] + key + message) % ORDER
    return add(multiply(response, BASE), multiply(challenge, minus(point))) == shared


def is_of_prime_order(data):
    point = decompress(data)
    return point is not None and point != NEUTRAL and multiply(ORDER, point) == NEUTRAL


def to_curve(key, alpha):
    for counter in range(256):
        point = decompress(hashlib.sha512(b"\x03\x01" + key + alpha + bytes([counter, 0])).digest()[:32])
        if point is not None and multiply(8, point) != NEUTRAL:
            return multiply(8, point)
    raise AssertionError("no point")


def vrf_output(key, alpha, proof):
    """Return the random output (64 bytes) that a proof shows, None if it shows nothing."""
    gamma, challenge, response = proof[:32], proof[32:48], int.from_bytes(proof[48:], "little")
    if len(proof) != 80 or not 0 < response < ORDER or challenge == bytes(16):
        return None
    if not is_of_prime_order(key) or not is_of_prime_order(gamma):
        return None
    number, owner, point = int.from_bytes(challenge, "little"), decompress(key), to_curve(key, alpha)
    first = add(multiply(response, BASE), multiply(number, minus(owner)))
    second = add(multiply(response, point), multiply(number, minus(decompress(gamma))))
    points = key + compress(point) + gamma + compress(first) + compress(second)
    if hashlib.sha512(b"\x03\x02" + points + b"\x00").digest()[:16] != challenge:
        return None
    return hashlib.sha512(b"\x03\x03" + compress(multiply(8, decompress(gamma))) + b"\x00").digest()
