"""Passwords: how they are kept, which may be chosen, and those made for one sign-in."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.common.problems import FieldProblem, Invalid

_HASHER = PasswordHasher()
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that are taken for one another when read aloud."""
_COMMON = frozenset(
    {
        *("passw0rd", "p@ssw0rd", "password1", "qwerty123", "1q2w3e4r", "1qaz2wsx", "q1w2e3r4", "1qaz@wsx"),
        *("abc12345", "abcd1234", "a1234567", "a12345678", "woaini1314", "woaini520", "admin123", "admin888"),
    }
)
_FEWEST_DIFFERENT = 4


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as long where there is none to compare with."""
    try:
        return _HASHER.verify(password_hash or _hash_of_nobody(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def check_choice(password: str, account_name: str) -> None:
    """Raises Invalid for a password that is guessed easily (GB/T 22239-2019 8.1.4.1)."""
    reason = _weakness(password.lower(), account_name.lower())
    if reason:
        raise Invalid([FieldProblem("new_password", "password_weak", reason)])


def one_time_password() -> str:
    """A password for one sign-in, to be read aloud: 12 characters, 59 bits."""
    return "".join(secrets.choice(_READABLE) for _ in range(12))


def _weakness(password: str, account_name: str) -> str | None:
    if password in _COMMON or len(set(password)) < _FEWEST_DIFFERENT:
        return "密码过于常见，请换一个"
    if account_name in password:
        return "密码不能包含账号，请换一个"
    if password.isdigit() or password.isalpha():
        return "密码应同时包含字母和数字或符号"
    return None


@cache
def _hash_of_nobody() -> str:
    return hash_password(secrets.token_urlsafe())
