"""How names and numbers are kept: one form each, however they were typed."""

import re
import unicodedata

DOT = "\u00b7"

_DOTS = dict.fromkeys(map(ord, "\u30fb\uff65\u2027\u0387\u2022\uff0e"), DOT)
_IDEOGRAPH = "々〇\u3400-\u9fff\U00020000-\U0003fffd"
_NEEDLESS_SPACE = re.compile(f"(?<=[{_IDEOGRAPH}]) (?=[{_IDEOGRAPH}])| (?={DOT})|(?<={DOT}) ")


def normalise_name(name: str) -> str:
    """NFKC, one form of the dot, no space but between Latin words, nothing invisible."""
    spaced = " ".join(_visible(unicodedata.normalize("NFKC", name.translate(_DOTS))).split())
    return _NEEDLESS_SPACE.sub("", spaced).strip(f" {DOT}")


def normalise_number(number: str) -> str:
    """A document's number: NFKC, upper case, without spaces and invisible characters."""
    return unicodedata.normalize("NFKC", "".join(_visible(unicodedata.normalize("NFKC", number)).split()).upper())


def _visible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cf")
