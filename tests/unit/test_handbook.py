"""The handbook is complete: its pictures, its terms, and the generated files."""

import re

from deploy.handbook import book
from deploy.handbook.pictures import OVERDUE_PICTURES, PICTURES
from deploy.handbook.screenshots import IMAGES
from deploy.local.environment import ROOT

_SOURCES = (*(ROOT / "gateway" / "web" / "src").rglob("*"), *(ROOT / "services").rglob("*.py"))


def test_every_picture_of_the_handbook_exists() -> None:
    shown = [path for chapter in book.chapters() for path in book.pictures(chapter)]

    assert len(shown) > 20
    assert [path.name for path in shown if not path.is_file()] == []


def test_every_picture_in_the_table_has_been_taken() -> None:
    assert [one.name for one in (*PICTURES, *OVERDUE_PICTURES) if not (IMAGES / f"{one.name}.png").is_file()] == []


def test_words_in_quotes_and_titles_of_chapters_are_those_of_the_pages() -> None:
    said = "".join(path.read_text(encoding="utf-8") for path in _SOURCES if path.suffix in {".vue", ".ts", ".py"})
    quoted = {
        word for path in book.FOLDER.glob("[0-9]*.md") for word in re.findall("“([^”]+)”", path.read_text("utf-8"))
    }
    titles = {chapter.title for chapter in book.chapters()}

    assert {word for word in quoted | titles if word not in said} == set()


def test_the_handbook_is_made_of_the_chapters_and_pictures_as_they_are() -> None:
    is_current = book.HTML.read_text(encoding="utf-8") == book.book(book.chapters())

    assert is_current, "make handbook"


def test_the_handbook_has_each_chapter_in_its_table_of_contents() -> None:
    made = book.HTML.read_text(encoding="utf-8")

    for chapter in book.chapters():
        assert f'<a href="#{chapter.name}">{chapter.title}</a>' in made
