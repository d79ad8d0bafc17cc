"""Proof of work: numbers that a browser must search for, and that are checked at once (after Hashcash, in parts).

A solution is PARTS numbers of eight hexadecimal digits: SHA-256 of salt, part and number begins with so many zero bits.
Several small searches take more even a time than one large one.
"""

import re
from hashlib import sha256

PARTS = 8
SOLUTION = r"^[0-9a-f]{64}$"
_BITS_OF_PARTS = 3
_NUMBER_DIGITS = 8
_MOST_BITS_OF_A_PART = 28
"""A number has 32 bits: with fewer left one might not be found."""


def bits_of_part(bits: int) -> int:
    """How many zero bits each part needs, so that all parts take 2 to the power of `bits` hashes on average."""
    return min(max(0, bits - _BITS_OF_PARTS), _MOST_BITS_OF_A_PART)


def is_solved(salt: str, bits: int, solution: str) -> bool:
    """Whether it is a solution for this salt."""
    if not re.fullmatch(SOLUTION, solution):
        return False
    digits = [solution[at : at + _NUMBER_DIGITS] for at in range(0, len(solution), _NUMBER_DIGITS)]
    return all(_is_hit(_hashed(salt, part), number, bits_of_part(bits)) for part, number in enumerate(digits))


def solve(salt: str, bits: int) -> str:
    """A solution, as a program of ours finds it."""
    return "".join(_search(_hashed(salt, part), bits_of_part(bits)) for part in range(PARTS))


def _hashed(salt: str, part: int) -> bytes:
    return f"{salt}{part:08x}".encode()


def _search(prefix: bytes, zero_bits: int) -> str:
    numbers = (f"{number:08x}" for number in range(1 << 32))
    return next(number for number in numbers if _is_hit(prefix, number, zero_bits))


def _is_hit(prefix: bytes, number: str, zero_bits: int) -> bool:
    return int.from_bytes(sha256(prefix + number.encode()).digest()[:8], "big") >> (64 - zero_bits) == 0
