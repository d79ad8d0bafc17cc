"""Passwords: hashing, rules for chosen ones, and generated ones for one sign-in."""

import secrets
from functools import cache
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.kit.problems import FieldProblem, Invalid
from services.membership.identity import guessable
from services.membership.models import Account

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id, by 19 MiB of memory in two passes on one core (OWASP, Password Storage Cheat Sheet): as hard to guess as by
64 MiB and four cores for nobody who has many, and a fifth of the work for a process that serves others meanwhile."""

_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters of generated passwords, without those that are easily confused when read aloud."""
_COMMON = frozenset(FREQUENCY_LISTS["passwords"][:10_000])
_COMMON_HERE = frozenset({"woaini1314", "woaini520", "a12345678", "admin888", "1qaz@wsx", "shzgh123", "gonghui123"})
"""Passwords that are common in China or obvious for this system; the list of leaked passwords is English."""


def hash_password(password: str) -> str:
    """The stored hash of a password, exactly as typed."""
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password is right; without a hash it takes the same work."""
    of_nobody = _hash_of_nobody()
    try:
        return _HASHER.verify(password_hash or of_nobody, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def check_choice(password: str, account: Account, union_name: str = "") -> None:
    """Raises Invalid for a password that is easily guessed; there is no rule on kinds of characters (ASVS 6.2).

    The schema checks the length. Common passwords are also recognized in full-width and capital letters; words of the
    system and data of the account are refused anywhere in the password (guessable.py).
    """
    plain = normalize("NFKC", password).casefold()
    if plain in _COMMON or plain in _COMMON_HERE:
        raise _weak("密码过于常见，请换一个")
    if word := guessable.system_word_in(plain):
        raise _weak(f"密码不能包含本系统常用的词“{word}”，请换一个")
    if guessable.contains_account_name(plain, account.account_name):
        raise _weak("密码不能包含账号，请换一个")
    if guessable.contains_phone(plain, account.phone):
        raise _weak("密码不能包含手机号，请换一个")
    if guessable.contains_holder_name(plain, account.display_name, union_name):
        raise _weak("密码不能包含本人姓名或工会名称，请换一个")


def unusable_password() -> str:
    """The stored hash of an account whose password was not chosen yet; no password matches it."""
    return hash_password(secrets.token_urlsafe(48))


def one_time_password() -> str:
    """Generates a password for one sign-in, to be read aloud: 12 characters, 59 bits."""
    return "".join(secrets.choice(_READABLE) for _ in range(12))


def _weak(reason: str) -> Invalid:
    return Invalid([FieldProblem("new_password", "password_weak", reason)])


@cache
def _hash_of_nobody() -> str:
    return hash_password(secrets.token_urlsafe())
