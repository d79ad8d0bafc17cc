"""Names: their stored form, and the classes of their characters."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from services.kit.text import clean_compatible

CharacterClass = Literal["ordinary", "gbk_only", "rare", "private_use", "not_allowed"]

DOT = "\u00b7"
LONGEST_NAME = 50
"""Choice: most code points that a name may have."""


def clean_name(text: str) -> str:
    """Cleans a name: NFKC, one form of dot and apostrophe, spaces only between Latin words, nothing invisible.

    Whether its characters are allowed in names is decided by `character_class`.
    """
    if _PLAIN.fullmatch(text):
        return text
    spaced = clean_compatible(text.translate(_FORMS)).translate(_FORMS)
    dotted = _REPEATED_DOT.sub(DOT, _NEEDLESS_SPACE.sub("", _FULL_STOP.sub(DOT, spaced)))
    return unicodedata.normalize("NFC", _STRAY_MARKS.sub("", dotted).strip(f" {DOT}"))


def is_nameless(name: str) -> bool:
    """Whether a cleaned name has marks alone, such as the `-` that people put into a cell that must not be empty."""
    return _PUNCTUATION.issuperset(name)


@lru_cache(maxsize=32768)
def character_class(character: str) -> CharacterClass:
    """How common a character of a cleaned name is.

    `ordinary`: in GB2312. `gbk_only`: in GBK, not in GB2312. `rare`: a letter or ideograph outside GBK.
    `private_use`: has a meaning only in the system that typed it. `not_allowed`: not allowed in a name.
    """
    if character in _PUNCTUATION:
        return "ordinary"
    if unicodedata.category(character) == "Co":
        return "private_use"
    if character in _BLANK_LETTERS or _is_modifier(character) or not _is_letter(character):
        return "not_allowed"
    if _is_encodable(character, "gb2312"):
        return "ordinary"
    return "gbk_only" if _is_encodable(character, "gbk") else "rare"


# NFKC does not unify most of these, or turns them into others.
_FORMS = {
    **dict.fromkeys(map(ord, "\u30fb\uff65\u2027\u0387\u2022\uff0e\ufe52\u2219\u22c5"), DOT),
    # Other dots in the middle; some of them count as letters of their scripts.
    **dict.fromkeys(map(ord, "\u2e31\u2e33\ua78f\u318d\u119e\u1427\u16eb\u2981\u02d9\u25cf\u25e6\u2218"), DOT),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-"),
    **dict.fromkeys(map(ord, "\u2018\u2019\u02bb\u02bc\u02b9\u2032\u00b4\u0060\uff07\uff40"), "'"),
}
_PUNCTUATION = frozenset(f"{DOT} -'.")
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Hangul fillers: invisible letters."""
_PLAIN = re.compile("[\u4e00-\u9fff]+")
_IDEOGRAPH = "々〇\u3400-\u9fff\U00020000-\U0003fffd"
_NEEDLESS_SPACE = re.compile(f"(?<=[{_IDEOGRAPH}]) (?=[{_IDEOGRAPH}])| (?={DOT})|(?<={DOT}) ")
_FULL_STOP = re.compile(rf"(?<=[{_IDEOGRAPH}]) ?\. ?|\. ?(?=[{_IDEOGRAPH}])")
"""A full stop that stands for the dot of a name; after Latin letters it ends an abbreviation instead."""
_STRAY_MARKS = re.compile(rf"\A[ {DOT}'.-]+(?=[{_IDEOGRAPH}])|(?<=[{_IDEOGRAPH}])[ {DOT}'.-]+\Z")
"""Marks beside a Chinese name, such as the apostrophe that keeps a cell a text; some Latin names begin with one."""
_REPEATED_DOT = re.compile(f"{DOT}{{2,}}")


def _is_letter(character: str) -> bool:
    return character.isalpha() or character == "〇" or _is_supplementary_ideograph(character)


def _is_modifier(character: str) -> bool:
    """Whether it is a letter of those that only modify others, such as ˉ and ˈ; the ʻokina was unified before."""
    return "\u02b0" <= character <= "\u02ff"


def _is_supplementary_ideograph(character: str) -> bool:
    # By range, since Python's character table lacks the latest ideographs.
    return "\U00020000" <= character <= "\U0003fffd"


def _is_encodable(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
