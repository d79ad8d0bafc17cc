"""Passwords: how they are kept, which may be chosen, and those made for one sign-in."""

import re
import secrets
from functools import cache
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.common.problems import FieldProblem, Invalid

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id, by 19 MiB of memory in two passes on one core (OWASP, Password Storage Cheat Sheet): as hard to guess as by
64 MiB and four cores for nobody who has many, and a fifth of the work for a process that serves others meanwhile."""

_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that are taken for one another when read aloud."""
_COMMON = frozenset(FREQUENCY_LISTS["passwords"][:10_000])
_COMMON_HERE = frozenset({"woaini1314", "woaini520", "a12345678", "admin888", "1qaz@wsx", "shzgh123", "gonghui123"})
"""The list of leaked passwords is English: these are common in China, or come to mind first for this system."""
_PINYIN = (
    "shzgh",
    "zgh",
    "zzgl",
    "gonghui",
    "zonggonghui",
    "huiyuan",
    "huiyuanka",
    "fuwuka",
    "shengongshe",
    "shanghai",
)
_ENGLISH = ("union", "unioncard", "member", "clerk", "reviewer", "administrator", "operator", "admin")
_CHINESE = ("工会", "总工会", "会员", "服务卡", "会员服务卡", "申工社", "上海", "管理员", "经办人", "审核人")
_OF_THIS_SYSTEM = frozenset((*_PINYIN, *_ENGLISH, *_CHINESE))
"""Words of the union, the system and its roles: one of them with figures and signs around it is guessed first."""
_AROUND_A_WORD = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def hash_password(password: str) -> str:
    """What is kept of a password: it counts as it was typed, character by character."""
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; takes as much work where there is none to compare with."""
    of_nobody = _hash_of_nobody()
    try:
        return _HASHER.verify(password_hash or of_nobody, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def check_choice(password: str, account_name: str) -> None:
    """Raises Invalid for a password that is guessed easily; any characters will do, there is no rule which (ASVS 6.2).

    Its length is the schema's affair. Common ones are known in full-width and capital letters too.
    """
    plain = normalize("NFKC", password).casefold()
    if plain in _COMMON or plain in _COMMON_HERE:
        raise _weak("密码过于常见，请换一个")
    if _AROUND_A_WORD.sub("", plain) in _OF_THIS_SYSTEM:
        raise _weak("密码不能只是本系统常用的词加数字，请换一个")
    if account_name.casefold() in plain:
        raise _weak("密码不能包含账号，请换一个")


def one_time_password() -> str:
    """A password for one sign-in, to be read aloud: 12 characters, 59 bits."""
    return "".join(secrets.choice(_READABLE) for _ in range(12))


def _weak(reason: str) -> Invalid:
    return Invalid([FieldProblem("new_password", "password_weak", reason)])


@cache
def _hash_of_nobody() -> str:
    return hash_password(secrets.token_urlsafe())
