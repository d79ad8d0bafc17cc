"""Texts that a spreadsheet program would compute: how they begin, and how a .csv keeps them from it."""

import re


def is_computed(text: str) -> bool:
    """Whether some spreadsheet program would take the text for a formula."""
    return bool(_COMPUTED.match(text))


def csv_text(text: str) -> str:
    """The text as a cell of a .csv, where only a mark in front keeps a program from computing it."""
    return _MARK + text if _COMPUTED.match(text) else text


def unmarked_text(cell: str) -> str:
    """The text that `csv_text` made a cell of."""
    return cell[1:] if cell.startswith(_MARK) and _COMPUTED.match(cell[1:]) else cell


_COMPUTED = re.compile(r"[\s'\"]*[=+\-@|%＝＋－＠\t\r\n]")
"""How a text begins that some spreadsheet program would compute; the wide signs are taken for the narrow ones."""
_MARK = "'"
