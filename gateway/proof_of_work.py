"""Proof of work: a browser searches for numbers, and the gateway checks them at once (after Hashcash, in parts).

A solution is PARTS numbers of eight hexadecimal digits: SHA-256 of salt, part and number begins with the
required zero bits. The time of several small searches varies less than that of one large search.
"""

import re
from hashlib import sha256

PARTS = 8
SOLUTION = r"^[0-9a-f]{64}$"
_BITS_OF_PARTS = 3
_NUMBER_DIGITS = 8
_MOST_BITS_OF_A_PART = 28
"""A number has 32 bits; with more zero bits required, a part might have no solution."""


def bits_of_part(bits: int) -> int:
    """Returns the zero bits that each part needs, so that all parts take 2 to the power of `bits` hashes on average."""
    return min(max(0, bits - _BITS_OF_PARTS), _MOST_BITS_OF_A_PART)


def is_solved(salt: str, bits: int, solution: str) -> bool:
    """Whether the solution is right for this salt."""
    if not re.fullmatch(SOLUTION, solution):
        return False
    digits = [solution[at : at + _NUMBER_DIGITS] for at in range(0, len(solution), _NUMBER_DIGITS)]
    return all(_is_hit(_hashed(salt, part), number, bits_of_part(bits)) for part, number in enumerate(digits))


def solve(salt: str, bits: int) -> str:
    """Finds a solution; for our own programs, such as tests and the demo."""
    return "".join(_search(_hashed(salt, part), bits_of_part(bits)) for part in range(PARTS))


def _hashed(salt: str, part: int) -> bytes:
    return f"{salt}{part:08x}".encode()


def _search(prefix: bytes, zero_bits: int) -> str:
    numbers = (f"{number:08x}" for number in range(1 << 32))
    return next(number for number in numbers if _is_hit(prefix, number, zero_bits))


def _is_hit(prefix: bytes, number: str, zero_bits: int) -> bool:
    return int.from_bytes(sha256(prefix + number.encode()).digest()[:8], "big") >> (64 - zero_bits) == 0
