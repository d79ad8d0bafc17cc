"""The codes for collection 领卡码 on paper: QR codes of the page on which a clerk marks the card as collected."""

from uuid import UUID

import segno
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from services.kit.settings import read_settings, settings_class

HEADING = "领卡码"
_SIZE = 42.0
"""The length of a printed code's side in points, 15 mm: so large that telephones read it at arm's length."""
_MARGIN = 4
BOX = _SIZE + 2 * _MARGIN
"""The side of the square that a code takes with the margin around it."""
_MASK = 3
"""Always the same pattern, for to try out which of the eight is read best takes five times as long."""
_BLACK, _WHITE = b"\x00", b"\xff"


@settings_class
class CollectionSettings:
    """Codes for collection, and the system's address for those who scan them."""

    public_url: str = "https://zzgl.shzgh.org"
    """Where users open the system: codes, links in messages, and what is refused in passwords follow from it."""
    collection_codes: bool = False
    """Whether registers and collection lists have a code beside each person whose card the union hands out."""


def are_printed() -> bool:
    """Whether paper has codes for collection."""
    return read_settings(CollectionSettings).collection_codes


def address_of(application_id: UUID) -> str:
    """The address of the page on which the card of an application is marked as collected."""
    return f"{read_settings(CollectionSettings).public_url.rstrip('/')}/collect/{application_id}"


def draw_code(canvas: Canvas, left: float, top: float, application_id: UUID) -> None:
    """Draws the code of an application in the BOX whose upper left corner this is."""
    modules = segno.make(address_of(application_id), error="m", micro=False, mask=_MASK).matrix
    pixels = b"".join(_BLACK if is_dark else _WHITE for row in modules for is_dark in row)
    picture = Image.frombytes("L", (len(modules), len(modules)), pixels)
    canvas.drawInlineImage(picture, left + _MARGIN, top - _MARGIN - _SIZE, _SIZE, _SIZE)
