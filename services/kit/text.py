"""Cleaning of texts: invisible characters are removed, and texts that cannot be stored are refused."""

import re
import unicodedata


class InvalidValue(ValueError):
    """A value that cannot be stored; `code` is stable, the message says in Chinese what to do."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def clean_text(text: str) -> str:
    """Cleans a text of one line: NFC, without invisible characters, each run of white space as one space."""
    if _PLAIN.fullmatch(text):
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", _visible(text)).split())


def clean_lines(text: str) -> str:
    """Cleans a text of several lines, each as `clean_text` does; empty lines within it stay."""
    lines = (unicodedata.normalize("NFC", _visible(line)).rstrip() for line in _LINE_END.split(text))
    return "\n".join(lines).strip("\n")


def clean_compatible(text: str) -> str:
    """As `clean_text`, with wide, narrow and circled forms replaced by ordinary characters (NFKC)."""
    if _PLAIN.fullmatch(text):
        return " ".join(text.split())
    return " ".join(_visible(unicodedata.normalize("NFKC", _visible(text))).split())


_PLAIN = re.compile("[ -~\u4e00-\u9fff]*")
"""Texts that both normal forms leave as they are: printable ASCII and the first block of Chinese characters."""
_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = frozenset({"Cc", "Cf"})
_NUL, _REPLACEMENT = "\0", "\ufffd"


def _visible(text: str) -> str:
    """Removes control and format characters, such as direction marks; raises InvalidValue for signs of damaged text."""
    if _PLAIN.fullmatch(text):
        return text
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if _is_damage(character, category):
            raise InvalidValue("damaged_text", "含有损坏的字符，请重新填写")
        if character.isspace():
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(character)
    return "".join(kept)


def _is_damage(character: str, category: str) -> bool:
    """Whether the character stands for lost text: NUL, half a surrogate pair, U+FFFD, or a noncharacter of Unicode.

    Noncharacters such as U+FFFF make the XML of a spreadsheet invalid.
    """
    if category != "Cn":
        return category == "Cs" or character in (_NUL, _REPLACEMENT)
    return ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
