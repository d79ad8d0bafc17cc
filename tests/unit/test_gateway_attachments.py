"""Attachments over HTTP: whole or in parts, as players ask for them, for whom the announcement is."""

from typing import Any

import pytest

from gateway.api import ROUTES
from services.kit.rpc.files import file_answer
from services.kit.schemas import as_dict
from tests.gateway_page import Page

_FILE = bytes(range(256)) * 8192
_MEGABYTE = 1 << 20
_PATH = "/api/v1/attachments/0192f0c1-0000-7000-8000-000000000009"


def _part(data: dict[str, Any]) -> dict[str, Any]:
    start = data.get("start", 0)
    start = start if start >= 0 else max(0, len(_FILE) + start)
    content = _FILE[start : start + data.get("most", len(_FILE))]
    return {**as_dict(file_answer("讲解.mp4", "video/mp4", content)), "start": start, "size": len(_FILE)}


@pytest.fixture
def page() -> Page:
    """A browser at a gateway behind which there is a video of 2 MB."""
    page = Page(ROUTES)
    page.services["notification"].answers = {"get_attachment": _part}
    return page


def test_without_a_range_the_whole_file_is_downloaded(page: Page) -> None:
    answer = page.get(_PATH)

    assert (answer.status_code, answer.data) == (200, _FILE)
    assert (answer.headers["Content-Type"], answer.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, _MEGABYTE - 1),
        ("bytes=0-1", 0, 1),
        ("bytes=2097000-", 2_097_000, 2_097_151),
        ("bytes=100-99999999", 100, _MEGABYTE + 99),
        ("bytes=-152", 2_097_000, 2_097_151),
    ],
)
def test_a_player_gets_its_part_or_the_first_megabyte_of_it(page: Page, asked: str, first: int, last: int) -> None:
    answer = page.get(_PATH, headers={"Range": asked})

    assert (answer.status_code, answer.headers["Content-Range"]) == (206, f"bytes {first}-{last}/2097152")
    assert answer.data == _FILE[first : last + 1]
    assert answer.headers["Content-Length"] == str(last + 1 - first)


def test_a_part_behind_the_end_is_a_416_that_tells_the_length(page: Page) -> None:
    answer = page.get(_PATH, headers={"Range": "bytes=2097152-"})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */2097152")


@pytest.mark.parametrize("asked", ["bytes=x", "lines=1-2", "bytes=0-1,4-5"])
def test_what_is_not_one_range_of_bytes_is_the_whole_file(page: Page, asked: str) -> None:
    assert page.get(_PATH, headers={"Range": asked}).data == _FILE


def test_parts_cannot_be_asked_for_in_the_address(page: Page) -> None:
    assert page.get(f"{_PATH}?start=5").status_code == 422


def test_who_is_signed_in_gets_what_is_announced_on_the_workbench_alone(page: Page) -> None:
    page.sign_in_as("clerk")

    page.get(_PATH)

    (call,) = page.services["notification"].calls
    assert call.caller.roles == {"clerk"}
