"""Text in PDF by several fonts: each character by the first font that has it, so that no name is printed wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from services.common.settings import read_settings


@dataclass(frozen=True)
class FontSettings:
    """Files of TrueType fonts, the preferred one first."""

    register_fonts: str = (
        "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc,"
        "/usr/share/fonts/truetype/hanazono/HanaMinA.ttf,"
        "/usr/share/fonts/truetype/hanazono/HanaMinB.ttf"
    )


class Typeface:
    """Fonts that stand in for one another; embedded by what is used of them."""

    def __init__(self, files: Iterable[str]) -> None:
        self._fonts = [TTFont(f"Register{number}", file, shapable=False) for number, file in enumerate(files)]
        self._name_of: dict[str, str] = {}
        for font in self._fonts:
            pdfmetrics.registerFont(font)

    def lacking(self, text: str) -> str:
        """The characters of the text that no font has."""
        return "".join(character for character in dict.fromkeys(text) if not self._has(character))

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
        return sum(pdfmetrics.stringWidth(run, name, size) for name, run in self._runs(text))

    def wrap(self, text: str, width: float, size: float) -> list[str]:
        """The text in lines no wider than `width`; broken between any characters, as Chinese is, and at line ends."""
        lines = []
        for paragraph in text.split("\n"):
            line, used = "", 0.0
            for character in paragraph:
                advance = self.width(character, size)
                if line and used + advance > width:
                    lines.append(line)
                    line, used = "", 0.0
                line, used = line + character, used + advance
            lines.append(line)
        return lines

    def _runs(self, text: str) -> list[tuple[str, str]]:
        return [(name, "".join(run)) for name, run in groupby(text, self._font_for)]

    def _font_for(self, character: str) -> str:
        name = self._name_of.get(character)
        if name is None:
            having = (font.fontName for font in self._fonts if ord(character) in font.face.charToGlyph)
            name = self._name_of[character] = next(having, self._fonts[0].fontName)
        return name

    def _has(self, character: str) -> bool:
        return any(ord(character) in font.face.charToGlyph for font in self._fonts)


@cache
def register_typeface() -> Typeface:
    """The typeface of all that is printed; reading the fonts takes about a second, once a process."""
    return Typeface(read_settings(FontSettings).register_fonts.split(","))
