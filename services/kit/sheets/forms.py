"""Forms: sheets with known headings, and the rows that somebody filled in; a sheet's name does not matter."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.kit.sheets.bounds import LAST_HEADING_ROW
from services.kit.sheets.unreadable import UnreadableSheet
from services.kit.sheets.workbook_reader import ReadSheet
from services.kit.text import InvalidValue, clean_compatible

EXAMPLE_MARK = "示例："
"""What the first cell of an example begins with; such a row is not read."""


@dataclass(frozen=True)
class Form:
    """A kind of sheet: its title, its headings by field, and the notes and the example of the template."""

    title: str
    headings: Mapping[str, str]
    required: Sequence[str]
    notes: Mapping[str, str] = field(default_factory=dict)
    example: Sequence[str] = ()

    def written(self, name: str) -> str:
        """The heading of a field in the template."""
        return f"*{self.headings[name]}" if name in self.required else self.headings[name]


@dataclass(frozen=True)
class FilledRow:
    """A row of a form on a sheet: the texts by field; empty cells are left out."""

    form: Form
    sheet: str
    line_no: int
    cells: Mapping[str, str] = field(default_factory=dict)


def filled_rows(
    sheets: Sequence[ReadSheet], forms: Sequence[Form], ignored: Collection[str] = ()
) -> tuple[list[FilledRow], list[str]]:
    """The filled-in rows of all sheets that have the headings of a form, and the names of the sheets without.

    `ignored` are names of sheets that nobody expects to be read. Raises UnreadableSheet if no row is filled in, and if
    a sheet has the name of a form without its headings.
    """
    rows: list[FilledRow] = []
    not_read = []
    for sheet in sheets:
        found = _rows(sheet, forms)
        rows += found or []
        if found is None and sheet.name not in ignored and (sheet.rows or sheet.is_hidden):
            not_read.append(f"{sheet.name}（隐藏）" if sheet.is_hidden else sheet.name)
    if missing := [form for form in forms if form.title in not_read]:
        needed = "、".join(form.headings[name] for form in missing for name in form.required)
        raise UnreadableSheet(f"工作表“{missing[0].title}”缺少必填的表头：{needed}。请按模板填写后重新上传。")
    if not rows:
        titles = "或".join(f"“{form.title}”" for form in forms)
        raise UnreadableSheet(f"没有找到可以导入的行。请按模板在{titles}表中填写后重新上传。")
    return rows, not_read


def _rows(sheet: ReadSheet, forms: Sequence[Form]) -> list[FilledRow] | None:
    """The filled-in rows below the headings of a form; None for a sheet without these."""
    lines = list(sheet.rows.items())
    for tried, (_, heading_cells) in enumerate(lines[:LAST_HEADING_ROW], start=1):
        if found := _form_of(heading_cells, forms):
            filled = (_filled(sheet.name, *found, *line) for line in lines[tried:])
            return [row for row in filled if row is not None]
    return None


def _filled(sheet: str, form: Form, columns: Mapping[str, int], line_no: int, cells: Sequence[str]) -> FilledRow | None:
    """The row, unless it is empty or an example."""
    filled = {name: cells[at].strip() for name, at in columns.items() if at < len(cells) and cells[at].strip()}
    is_read = filled and not next(iter(filled.values())).startswith(EXAMPLE_MARK)
    return FilledRow(form, sheet, line_no, filled) if is_read else None


def _form_of(cells: Sequence[str], forms: Sequence[Form]) -> tuple[Form, dict[str, int]] | None:
    """The form whose required headings the cells are, with the columns of its fields; the first of two equal counts."""
    places: dict[str, int] = {}
    for at, cell in enumerate(cells):
        places.setdefault(_plain(cell), at)
    for form in forms:
        columns = {name: places[heading] for name, heading in form.headings.items() if heading in places}
        if columns.keys() >= set(form.required):
            return form, columns
    return None


def _plain(heading: str) -> str:
    """The heading without its mark and spaces; none where the text is damaged."""
    try:
        return clean_compatible(heading).strip().lstrip("*").strip()
    except InvalidValue:
        return ""
