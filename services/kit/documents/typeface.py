"""PDF text in several fonts: each character by the first font that has it, so that names are printed correctly."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any, BinaryIO

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from services.kit.settings import read_settings, settings_class

_CLOSING = "。，、；：？！）》”"


@settings_class
class FontSettings:
    """Files of TrueType fonts, the preferred one first."""

    register_fonts: str = (
        "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc,"
        "/usr/share/fonts/truetype/hanazono/HanaMinA.ttf,"
        "/usr/share/fonts/truetype/hanazono/HanaMinB.ttf"
    )


class DocumentFont(TTFont):
    """A font whose text can be copied and searched: reportlab writes code points where PDF requires UTF-16."""

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - reportlab calls it so
        """Adds the font's objects to the document, with a map to Unicode that is corrected beyond U+FFFF."""
        super().addObjects(doc)
        for name, stream in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                stream.content = re.sub(r"<([0-9A-F]{5,6})>", _in_utf16, stream.content)


class Typeface:
    """A list of fallback fonts; each is read when first needed, and only its used characters are embedded."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._fonts: list[DocumentFont] = []
        self._name_of: dict[str, str | None] = {}

    def missing_characters(self, text: str) -> str:
        """The characters of the text that no font has."""
        return "".join(character for character in dict.fromkeys(text) if self._name_for(character) is None)

    def new_canvas(self, file: BinaryIO, title: str) -> Canvas:
        """A document of A4 pages with only these fonts; the same drawing gives the same bytes."""
        first = str(self._font(0).fontName)
        canvas = Canvas(file, pagesize=A4, invariant=1, pageCompression=1, initialFontName=first)
        canvas.setTitle(title)
        return canvas

    def draw(self, canvas: Canvas, x: float, y: float, text: str, size: float) -> None:
        """Draws the text with its left end at x; all measures are in points."""
        if not text:
            return
        line = canvas.beginText(x, y)
        for name, run in self._runs(text):
            line.setFont(name, size)
            line.textOut(run)
        canvas.drawText(line)

    def width(self, text: str, size: float) -> float:
        """The width of the text in points."""
        return float(sum(pdfmetrics.stringWidth(run, name, size) for name, run in self._runs(text)))

    def wrap(self, text: str, width: float, size: float) -> list[str]:
        """Wraps the text to lines of `width`, but not within Latin words or before closing marks, which overhang."""
        lines = []
        for paragraph in text.split("\n"):
            if self.width(paragraph, size) <= width:
                lines.append(paragraph)
                continue
            line = ""
            for character in paragraph:
                if line and character not in _CLOSING and self.width(line + character, size) > width:
                    end = _break(line, character)
                    lines.append(line[:end].rstrip())
                    line = line[end:]
                line += character
            lines.append(line)
        return lines

    def _runs(self, text: str) -> list[tuple[str, str]]:
        return [
            (name or str(self._font(0).fontName), "".join(characters))
            for name, characters in groupby(text, key=self._name_for)
        ]

    def _name_for(self, character: str) -> str | None:
        """The name of the first font that has the character."""
        if character not in self._name_of:
            fonts = (self._font(number) for number in range(len(self._files)))
            having = (str(font.fontName) for font in fonts if ord(character) in font.face.charToGlyph)
            self._name_of[character] = next(having, None)
        return self._name_of[character]

    def _font(self, number: int) -> DocumentFont:
        while len(self._fonts) <= number:
            font = DocumentFont(f"Register{len(self._fonts)}", self._files[len(self._fonts)], shapable=False)
            pdfmetrics.registerFont(font)
            self._fonts.append(font)
        return self._fonts[number]


@cache
def document_typeface() -> Typeface:
    """The process's typeface for all documents; reading a font takes up to half a second and 60 MB."""
    return Typeface(read_settings(FontSettings).register_fonts.split(","))


def _break(line: str, following: str) -> int:
    """The end of a full line: its last space where a Latin word would be cut, otherwise the whole line."""
    is_within_word = following.isascii() and line[-1].isascii() and not following.isspace()
    return (line.rfind(" ") + 1 if is_within_word else 0) or len(line)


def _in_utf16(code_point: re.Match[str]) -> str:
    return f"<{chr(int(code_point[1], 16)).encode('utf-16-be').hex().upper()}>"
