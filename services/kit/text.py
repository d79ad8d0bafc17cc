"""Texts: what nobody sees is taken out, what cannot be kept is refused."""

import re
import unicodedata


class InvalidValue(ValueError):
    """A value that cannot be kept; `code` is stable, the message says in Chinese what to do."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def clean_text(text: str) -> str:
    """A text of one line: composed (NFC), without invisible characters, each run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", _visible(text)).split())


def clean_lines(text: str) -> str:
    """A text of several lines: as `clean_text`, line by line; empty lines stay within it."""
    lines = (unicodedata.normalize("NFC", _visible(line)).rstrip() for line in _LINE_END.split(text))
    return "\n".join(lines).strip("\n")


def clean_compatible(text: str) -> str:
    """As `clean_text`, with the wide, narrow and circled forms of characters made ordinary (NFKC)."""
    return " ".join(_visible(unicodedata.normalize("NFKC", _visible(text))).split())


_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = frozenset({"Cc", "Cf"})


def _visible(text: str) -> str:
    """Without control and format characters, such as direction marks; raises InvalidValue for what means damage."""
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if character == "\0" or category == "Cs":
            raise InvalidValue("damaged_text", "含有损坏的字符，请重新填写")
        if character.isspace():
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(character)
    return "".join(kept)
