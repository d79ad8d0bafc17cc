"""Each decision record has its number, a status with a date, its five parts, and one line in README.md."""

import re
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "docs/decisions"
_RECORDS = sorted(_FOLDER.glob("[0-9]*.md"))
_PARTS = ["Status", "Situation", "Decision", "Consequences", "Alternatives"]
_LINK = r"\[\d+\]\(\d{4}-[\w-]+\.md\)"
_STATUS = re.compile(
    rf"\*\*Status\.\*\* (?:Accepted|Superseded by {_LINK}), (\d{{4}}-\d\d-\d\d)"
    rf"(?:; changed by {_LINK}(?:(?:,| and)\s{_LINK})*)?\."
)


def _paragraphs(record: Path) -> list[str]:
    return record.read_text("utf-8").strip().split("\n\n")


def _status(record: Path) -> re.Match[str] | None:
    return _STATUS.fullmatch(_paragraphs(record)[1])


@pytest.mark.parametrize("record", _RECORDS, ids=lambda record: record.stem)
def test_each_record_has_its_number_a_status_and_its_parts(record: Path) -> None:
    paragraphs = _paragraphs(record)
    assert re.fullmatch(rf"# {int(record.name[:4])}\. [^\n]+", paragraphs[0])
    assert _status(record), paragraphs[1]
    parts = re.findall(r"^\*\*([\w ]+)\.\*\*", "\n".join(paragraphs), re.MULTILINE)
    assert [part for part in parts if part in _PARTS] == _PARTS


@pytest.mark.parametrize("record", _RECORDS, ids=lambda record: record.stem)
def test_links_between_records_name_records_and_their_numbers(record: Path) -> None:
    for number, name in re.findall(r"\[(?:decision )?(\d+)\]\((\d{4}-[\w-]+\.md)\)", record.read_text("utf-8")):
        assert int(number) == int(name[:4])
        assert (_FOLDER / name).is_file()


def test_the_list_names_each_record_once_with_title_and_date() -> None:
    listed = re.findall(
        r"^- \[(.+)\]\((\d{4}-[\w-]+\.md)\), (\S+)$", (_FOLDER / "README.md").read_text("utf-8"), re.MULTILINE
    )
    wanted = [
        (_paragraphs(record)[0].removeprefix("# "), record.name, status[1])
        for record in _RECORDS
        if (status := _status(record))
    ]
    assert listed == wanted
