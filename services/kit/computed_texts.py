"""Texts that a spreadsheet program would compute as formulas: how to recognize and how to escape them in a .csv."""

import re


def is_computed(text: str) -> bool:
    """Whether some spreadsheet program would take the text for a formula."""
    return bool(_COMPUTED.match(text))


def csv_text(text: str) -> str:
    """The text as a cell of a .csv, with a mark in front where a program would compute it."""
    return _MARK + text if _COMPUTED.match(text) else text


def unmarked_text(cell: str) -> str:
    """The text of a cell that `csv_text` made."""
    return cell[1:] if cell.startswith(_MARK) and _COMPUTED.match(cell[1:]) else cell


_COMPUTED = re.compile(r"[\s'\"]*[=+\-@|%＝＋－＠\t\r\n]")
"""The beginnings of texts that some spreadsheet program computes; full-width signs count as narrow ones."""
_MARK = "'"
