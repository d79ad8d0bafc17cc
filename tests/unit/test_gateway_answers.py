"""File names of downloads: characters that would do harm are replaced."""

import pytest
from werkzeug.http import parse_options_header

from gateway.answers import file_download
from services.kit.rpc.files import file_answer
from services.kit.schemas import as_dict


def names_of(file_name: str) -> tuple[str, str]:
    """The header as it is sent, and the name that a browser saves by."""
    response = file_download(as_dict(file_answer(file_name, "application/pdf", b"")))
    header = response.headers["Content-Disposition"]
    return header, parse_options_header(header)[1]["filename"]


@pytest.mark.parametrize(
    ("given", "saved_as"),
    [
        ("清册 1.pdf", "清册 1.pdf"),
        ("register.pdf", "register.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("/etc/cron.d/x", "x"),
        (".bashrc", "bashrc"),
        ("..", "download"),
        ("", "download"),
        ("a\r\nSet-Cookie: session=x.pdf", "aSet-Cookie_ session=x.pdf"),
        ("册\u202efdp.exe", "册fdp.exe"),
        ("a\x00b\u200b.pdf", "ab.pdf"),
        ('a"; filename="b.exe', "a__ filename=_b.exe"),
        ("100%41.pdf", "100_41.pdf"),
        ("名" * 500 + ".xlsx", "名" * 150 + ".xlsx"),
    ],
)
def test_a_download_is_saved_under_a_harmless_name(given: str, saved_as: str) -> None:
    header, name = names_of(given)

    assert name == saved_as
    assert header.isascii()
    assert header.isprintable()
