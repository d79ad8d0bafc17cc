"""Words that make a password guessable: of the system, of the demo, of the account, in any spelling.

They are also found with separators, and with digits and signs in place of letters (`c4rd`, `g0nghu1`).
"""

import re
from itertools import pairwise
from urllib.parse import urlsplit

from services.kit.settings import read_settings, settings_class

_PINYIN = ("shzgh", "gonghui", "huiyuan", "fuwuka", "shengongshe", "shanghai", "guanliyuan", "jingban", "shenhe")
_ENGLISH = ("union", "card", "member", "clerk", "reviewer", "admin", "operator", "demo")
_CHINESE = ("工会", "会员", "服务卡", "申工社", "上海", "管理员", "经办人", "审核人", "运维", "办卡")
_DEMO_PASSWORD = "democard"  # noqa: S105 - the letters of the demo's, without figures and signs
_REVERSED_FROM = 5
"""Shortest word that is also searched backwards; shorter ones often occur in others by chance."""
_SHORTEST_LABEL = 4
"""Shortest part of the host name that counts; shorter ones, as `www` and `com`, are not specific."""
_AS_LETTERS = (
    str.maketrans("013456789@$!|+", "oieasbtbgasiit"),
    str.maketrans("013456789@$!|+", "oleasbtbgaslit"),
)
_NOT_A_LETTER = re.compile(r"[\W\d_]+")
_CHINESE_CHARACTERS = re.compile(r"[\u3400-\u9fff]{2,}")
_PHONE_TAIL = 8


@settings_class
class HostSettings:
    """The host name by which users know the system; read from the environment by `read_settings`."""

    public_url: str = "https://zzgl.shzgh.org"


def system_word_in(plain: str) -> str | None:
    """The first word of the system, or the demo's password, in a lower-case password; None for neither."""
    for spelling in _spellings(plain):
        for word in (*_words(), _DEMO_PASSWORD):
            if word in spelling or (len(word) >= _REVERSED_FROM and word[::-1] in spelling):
                return word
    return None


def contains_account_name(plain: str, account_name: str) -> bool:
    """Whether a lower-case password contains the account name, also with digits in place of letters."""
    name = account_name.casefold()
    letters = _NOT_A_LETTER.sub("", name)
    if name in plain or name[::-1] in plain:
        return True
    return len(letters) >= _REVERSED_FROM and any(letters in one or letters[::-1] in one for one in _spellings(plain))


def contains_phone(plain: str, phone: str | None) -> bool:
    """Whether a password contains the telephone number, or its last eight digits, forwards or backwards."""
    figures = re.sub(r"\D", "", plain)
    tail = (phone or "")[-_PHONE_TAIL:]
    return bool(tail) and (tail in figures or tail[::-1] in figures)


def contains_holder_name(plain: str, display_name: str, union_name: str) -> bool:
    """Whether a password contains the holder's name, or two consecutive characters of the union's."""
    names = [
        display_name,
        *("".join(pair) for run in _CHINESE_CHARACTERS.findall(union_name) for pair in pairwise(run)),
    ]
    return any(len(name) > 1 and name.casefold() in plain for name in names)


def _spellings(plain: str) -> set[str]:
    """Spellings of a password by letters only: digits and signs removed, or read as the letters that they look like."""
    return {_NOT_A_LETTER.sub("", one) for one in (plain, *(plain.translate(table) for table in _AS_LETTERS))}


def _words() -> tuple[str, ...]:
    host = urlsplit(read_settings(HostSettings).public_url).hostname or ""
    labels = [label for label in host.casefold().split(".") if len(label) >= _SHORTEST_LABEL and label.isalpha()]
    return (*_PINYIN, *_ENGLISH, *_CHINESE, *labels)
