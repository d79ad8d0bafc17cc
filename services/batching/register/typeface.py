"""Text in PDF by several fonts: each character by the first font that has it, so that no name is printed wrong."""

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


class RegisterFont(TTFont):
    """A font whose text can be copied and searched: reportlab notes code points where PDF wants UTF-16."""

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - reportlab calls it so
        """Adds the font's objects to the document, with the map to Unicode put right beyond U+FFFF."""
        super().addObjects(doc)
        for name, stream in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                stream.content = re.sub(r"<([0-9A-F]{5,6})>", _in_utf16, stream.content)


class Typeface:
    """Fonts that stand in for one another; each is read when it is first needed, and embedded by what is used of it."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._fonts: list[RegisterFont] = []
        self._name_of: dict[str, str | None] = {}

    def lacking(self, text: str) -> str:
        """The characters of the text that no font has."""
        return "".join(character for character in dict.fromkeys(text) if self._name_for(character) is None)

    def new_canvas(self, file: BinaryIO, title: str) -> Canvas:
        """A document of A4 pages that refers to no other font than these; the same drawing gives the same bytes."""
        first = str(self._font(0).fontName)
        canvas = Canvas(file, pagesize=A4, invariant=1, pageCompression=1, initialFontName=first)
        canvas.setTitle(title)
        return canvas

    def draw(self, canvas: Canvas, x: float, y: float, text: str, size: float) -> None:
        """Writes the text from x on, in points."""
        if not text:
            return
        line = canvas.beginText(x, y)
        for name, run in self._runs(text):
            line.setFont(name, size)
            line.textOut(run)
        canvas.drawText(line)

    def width(self, text: str, size: float) -> float:
        """How wide the text is, in points."""
        return float(sum(pdfmetrics.stringWidth(run, name, size) for name, run in self._runs(text)))

    def wrap(self, text: str, width: float, size: float) -> list[str]:
        """The text in lines of `width`: broken anywhere but before closing marks (they hang) and in Latin words."""
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

    def _font(self, number: int) -> RegisterFont:
        while len(self._fonts) <= number:
            font = RegisterFont(f"Register{len(self._fonts)}", self._files[len(self._fonts)], shapable=False)
            pdfmetrics.registerFont(font)
            self._fonts.append(font)
        return self._fonts[number]


@cache
def register_typeface() -> Typeface:
    """The typeface of all that is printed; reading a font takes up to half a second and 60 MB, once a process."""
    return Typeface(read_settings(FontSettings).register_fonts.split(","))


def _break(line: str, following: str) -> int:
    """Where a full line ends: at its last space where a Latin word would be cut, else where it is."""
    is_within_word = following.isascii() and line[-1].isascii() and not following.isspace()
    return (line.rfind(" ") + 1 if is_within_word else 0) or len(line)


def _in_utf16(code_point: re.Match[str]) -> str:
    return f"<{chr(int(code_point[1], 16)).encode('utf-16-be').hex().upper()}>"
