"""Draws the picture of a captcha: a person can read its characters, a program can hardly separate them.

Each character has its own font, size, slant and warp and touches its neighbours. The line bends, strokes of the
characters' width and colour cross it, and the background is uneven. `tests/security/test_captcha_programs.py` measures
how many of these pictures programs read.
"""

import io
import math
import secrets
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFont

CHARACTERS = "CEHKPRXY34679"
"""At most one of each group that looks alike (0 and O, 4 and A, 5 and S, 7 and T), and none that two others form."""
LENGTH = 5
_WIDTH, _HEIGHT = 240, 80
_SCALE = 2
"""The picture is drawn this many times larger, so that edges are smooth at the final size."""
_FONTS = ("Vera.ttf", "VeraBd.ttf", "VeraBI.ttf")
"""Part of reportlab, which makes the registers, so that they are installed everywhere."""


def draw(answer: str) -> bytes:
    """Returns a PNG of the characters."""
    random = secrets.SystemRandom()
    size = (_WIDTH * _SCALE, _HEIGHT * _SCALE)
    ink = _ink(random)
    mask = _bent(_line_of(answer, size, random), random)
    mask = _cut(mask, random)
    mask = ImageChops.lighter(mask, _strokes(size, random))
    picture = _ground(size, random)
    picture.paste(Image.new("RGB", size, ink), mask=mask)
    small = picture.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.quantize(32).save(content, "PNG", optimize=True)
    return content.getvalue()


def _line_of(answer: str, size: tuple[int, int], random: Random) -> Image.Image:
    """Draws the characters in a row, each overlapping the one before."""
    line = Image.new("L", size)
    glyphs = [_glyph(character, random) for character in answer]
    overlap = [*(random.uniform(0.02, 0.09) * min(a.width, b.width) for a, b in pairwise(glyphs)), 0.0]
    taken = sum(glyph.width for glyph in glyphs) - sum(overlap)
    room = size[0] - taken
    at = max(4.0, random.uniform(0.25, 0.75) * room)
    for number, glyph in enumerate(glyphs):
        above = (size[1] - glyph.height) / 2 + random.uniform(-0.07, 0.07) * size[1]
        spot = Image.new("L", size)
        spot.paste(glyph, (round(at), round(above)))
        line = ImageChops.lighter(line, spot)
        at += glyph.width - overlap[number]
    return line


def _glyph(character: str, random: Random) -> Image.Image:
    """Draws one character, slanted and with its corners displaced."""
    font = _font(random.choice(_FONTS), random.randrange(44, 56) * _SCALE)
    left, top, right, bottom = font.getbbox(character)
    margin = 12 * _SCALE
    drawn = Image.new("L", (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin))
    ImageDraw.Draw(drawn).text((margin - left, margin - top), character, font=font, fill=255)
    width, height = drawn.size

    def pulled(x: float, y: float) -> tuple[float, float]:
        return x + random.uniform(-0.09, 0.09) * width, y + random.uniform(-0.09, 0.09) * height

    corners = [pulled(0, 0), pulled(0, height), pulled(width, height), pulled(width, 0)]
    quad = tuple(value for corner in corners for value in corner)
    warped = drawn.transform(drawn.size, Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)
    turned = warped.rotate(random.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getbbox())


def _bent(line: Image.Image, random: Random) -> Image.Image:
    """Bends the line along a wave by shifting narrow columns and rows."""
    width, height = line.size
    for is_upright, reach in ((True, 5.0), (False, 4.0)):
        phase, length = random.uniform(0, math.tau), random.uniform(0.5, 0.9) * (width if is_upright else height * 1.6)
        amplitude = reach * _SCALE * random.uniform(0.7, 1.0)
        bent = Image.new("L", line.size)
        for at in range(width if is_upright else height):
            shift = round(amplitude * math.sin(phase + math.tau * at / length))
            box = (at, 0, at + 1, height) if is_upright else (0, at, width, at + 1)
            bent.paste(line.crop(box), (at, shift) if is_upright else (shift, at))
        line = bent
    return line


def _cut(mask: Image.Image, random: Random) -> Image.Image:
    """Cuts thin gaps through the characters, so that none is in one piece."""
    pen = ImageDraw.Draw(mask)
    width, height = mask.size
    for _ in range(2):
        pen.line(_curve(width, height, random), fill=0, width=3, joint="curve")
    return mask


def _strokes(size: tuple[int, int], random: Random) -> Image.Image:
    """Draws curves across all characters, about as thick as their thin parts."""
    strokes = Image.new("L", size)
    pen = ImageDraw.Draw(strokes)
    for _ in range(2):
        pen.line(_curve(*size, random), fill=255, width=random.randrange(6, 10), joint="curve")
    return strokes


def _curve(width: int, height: int, random: Random) -> list[tuple[float, float]]:
    """Returns the points of a curve that goes up and down from the left edge to the right one."""
    begin, end = random.uniform(0.2, 0.8) * height, random.uniform(0.2, 0.8) * height
    swing, phase = random.uniform(0.10, 0.28) * height, random.uniform(0, math.tau)
    waves = random.uniform(0.6, 1.6)
    steps = 48
    return [
        (
            width * step / steps,
            begin + (end - begin) * step / steps + swing * math.sin(phase + math.tau * waves * step / steps),
        )
        for step in range(steps + 1)
    ]


def _ground(size: tuple[int, int], random: Random) -> Image.Image:
    """Draws a pale background with spots and faint characters, all lighter than the ink."""
    pale = tuple(random.randrange(222, 250) for _ in range(3))
    ground = Image.new("RGB", size, pale)
    pen = ImageDraw.Draw(ground)
    for _ in range(26):
        x, y = random.uniform(0, size[0]), random.uniform(0, size[1])
        reach = random.uniform(4, 22) * _SCALE
        shade = tuple(max(0, value - random.randrange(6, 44)) for value in pale)
        pen.ellipse((x - reach, y - reach * 0.6, x + reach, y + reach * 0.6), fill=shade)
    return ground


def _ink(random: Random) -> tuple[int, int, int]:
    """Returns a colour dark enough for a contrast of 4.5 to 1 on any background."""
    return random.randrange(20, 80), random.randrange(20, 70), random.randrange(20, 95)


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(reportlab.__file__).parent / "fonts" / name), size)
