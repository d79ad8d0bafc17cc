"""Texts that a spreadsheet program would compute as formulas: how to recognize and how to escape them in a .csv."""

import re


def is_formula(text: str) -> bool:
    """Whether some spreadsheet program would take the text for a formula."""
    return bool(_FORMULA.match(text))


def csv_safe(text: str) -> str:
    """The text as a cell of a .csv, with a mark in front where a program would compute it."""
    return _MARK + text if _FORMULA.match(text) else text


def csv_unescaped(cell: str) -> str:
    """The text of a cell that `csv_safe` made."""
    return cell[1:] if cell.startswith(_MARK) and _FORMULA.match(cell[1:]) else cell


_FORMULA = re.compile(r"[\s'\"]*[=+\-@|%＝＋－＠\t\r\n]")
"""The beginnings of texts that some spreadsheet program computes; full-width signs count as narrow ones."""
_MARK = "'"
