"""Pages: one document for every path outside the API, compressed files, cached for ever."""

import gzip
import re
from pathlib import Path

import pytest

from gateway import pages
from gateway.api import ROUTES
from gateway.service import Runtime
from services.kit.settings import read_settings
from tests.gateway_page import Page

_WITH_DATA = [
    "/dead-letters/batching.members_queued.dead/0198c7f0-1111-7aaa-8bbb-000000000001",
    "/dead-letters/bank.feedback.rejected/a.b%3Fc%23d%25",
    "/dead-letters/bank.feedback.rejected/%E6%94%AF%E8%A1%8C.1",
    "/batches/cbc.1",
]
_SCRIPT = "console.log('会员服务卡')"
_VIDEO = bytes(range(256)) * 4


_WEB = pages.DIST.parent / "src"
_ANY_VALUE = "x.y%3Fz.dead"


def _addresses() -> list[str]:
    """Every path of the pages' routers, with unusual values for parameters."""
    found = []
    for file in (*sorted(_WEB.glob("console/*/routes.ts")), _WEB / "phone" / "router.ts"):
        base, parent = "/m" if file.parent.name == "phone" else "", ""
        for path in re.findall(r'path: "([^"*]*)"', file.read_text()):
            parent = path if path.startswith("/") else parent
            whole = base + (path if path.startswith("/") else f"{parent}/{path}")
            whole = re.sub(r":\w+\([^)]*\)", "0198c7f0-1111-7aaa-8bbb-000000000001", whole)
            found.append(re.sub(r":\w+", _ANY_VALUE, whole))
    return found


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A browser at a gateway whose pages were built."""
    files = {
        "index.html": "the console",
        "m/index.html": "the phone",
        "assets/console-abc.js": _SCRIPT,
        "assets/emblem.svg": "<svg/>",
        "videos/check.vtt": "WEBVTT",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content.encode()))
    (tmp_path / "secret.js").write_text("beside the assets")
    (tmp_path / "videos" / "check.mp4").write_bytes(_VIDEO)
    monkeypatch.setattr(pages, "DIST", tmp_path)
    return Page((*ROUTES, *pages.ROUTES))


@pytest.mark.parametrize(
    "path", ["/", "/members", "/batches/cbc813101P20261124001", "/members/imports", "/mine", *_WITH_DATA]
)
def test_each_path_of_the_console_gives_its_document(page: Page, path: str) -> None:
    answer = page.get(path)

    assert (answer.status_code, answer.text) == (200, "the console")
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("address", _addresses())
def test_each_page_of_the_routers_survives_a_reload(page: Page, address: str) -> None:
    assert page.get(address).text == ("the phone" if address.startswith("/m/") else "the console")


def test_each_area_of_the_console_is_tried() -> None:
    areas = {path.parent.name for path in _WEB.glob("console/*/routes.ts")}
    assert len(_addresses()) > len(areas) > 10


@pytest.mark.parametrize("path", ["/m", "/m/", "/m/progress"])
def test_paths_under_m_give_the_phone_s_document(page: Page, path: str) -> None:
    assert page.get(path).text == "the phone"


@pytest.mark.parametrize(
    "path", ["/api", "/api/v1/nowhere", "/favicon.ico", "/../gateway/service.py", "/assets/", "/videos", "/videos/"]
)
def test_what_is_no_page_is_a_404(page: Page, path: str) -> None:
    assert page.get(path).status_code == 404


def test_scripts_run_and_styles_apply_only_from_our_own_files(page: Page) -> None:
    policy = page.get("/").headers["Content-Security-Policy"]

    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_a_document_that_the_browser_has_is_not_sent_again(page: Page) -> None:
    first = page.get("/")

    assert page.get("/", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_file_named_by_its_content_is_kept_for_ever(page: Page) -> None:
    answer = page.get("/assets/console-abc.js")

    assert answer.text == _SCRIPT
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_picture_in_xml_names_its_characters(page: Page) -> None:
    assert page.get("/assets/emblem.svg").headers["Content-Type"] == "image/svg+xml; charset=utf-8"


def test_files_come_compressed_to_who_takes_that(page: Page) -> None:
    answer = page.get("/assets/console-abc.js", headers={"Accept-Encoding": "gzip, br"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.data).decode() == _SCRIPT


@pytest.mark.parametrize("name", ["other.js", "..%2fsecret.js", "../secret.js", "console-abc.js.gz", "a%00b.js"])
def test_only_the_build_s_files_are_served(page: Page, name: str) -> None:
    assert page.get(f"/assets/{name}").status_code == 404


def test_a_video_is_of_its_kind_and_is_fetched_again_only_when_it_has_changed(page: Page) -> None:
    whole = page.get("/videos/check.mp4")

    assert (whole.status_code, whole.data) == (200, _VIDEO)
    assert (whole.headers["Content-Type"], whole.headers["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert whole.headers["Cache-Control"] == "no-cache"
    assert page.get("/videos/check.mp4", headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert page.get("/videos/check.vtt").headers["Content-Type"] == "text/vtt; charset=utf-8"


@pytest.mark.parametrize(
    ("asked", "content_range", "part"),
    [
        ("bytes=0-99", "bytes 0-99/1024", _VIDEO[:100]),
        ("bytes=1000-", "bytes 1000-1023/1024", _VIDEO[1000:]),
        ("bytes=1000-9999", "bytes 1000-1023/1024", _VIDEO[1000:]),
        ("bytes=-24", "bytes 1000-1023/1024", _VIDEO[-24:]),
    ],
)
def test_a_player_gets_the_part_of_a_video_that_it_asks_for(
    page: Page, asked: str, content_range: str, part: bytes
) -> None:
    answer = page.get("/videos/check.mp4", headers={"Range": asked})

    assert (answer.status_code, answer.data) == (206, part)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=9-1", "bytes=x", "lines=1-2"])
def test_a_part_that_a_video_does_not_have_is_a_416_that_tells_its_length(page: Page, asked: str) -> None:
    answer = page.get("/videos/check.mp4", headers={"Range": asked})

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */1024")
    assert answer.json is not None
    assert answer.json["code"] == "range_not_satisfiable"


def test_a_part_of_a_video_that_has_changed_since_is_the_whole_new_one(page: Page) -> None:
    answer = page.get("/videos/check.mp4", headers={"Range": "bytes=0-9", "If-Range": '"former"'})

    assert (answer.status_code, answer.data) == (200, _VIDEO)


@pytest.mark.parametrize("name", ["other.mp4", "..%2fsecret.js", "../assets/console-abc.js", "check.vtt.gz"])
def test_only_the_build_s_videos_are_served(page: Page, name: str) -> None:
    assert page.get(f"/videos/{name}").status_code == 404


def test_pages_that_were_not_built_are_a_503_that_says_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "index.html").unlink()

    answer = page.get("/members")

    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "pages_not_built"


@pytest.mark.parametrize(
    ("serve_pages", "is_built", "reason"),
    [("yes", True, None), ("yes", False, "the pages are not built"), ("no", False, None)],
)
def test_a_gateway_without_pages_is_ready_only_where_a_proxy_serves_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serve_pages: str, is_built: bool, reason: str | None
) -> None:
    monkeypatch.setenv("SERVE_PAGES", serve_pages)
    monkeypatch.setenv("SESSION_SECRET", "a secret of at least thirty-two bytes")
    monkeypatch.setattr(pages, "DIST", tmp_path)
    if is_built:
        (tmp_path / "index.html").touch()
    read_settings.cache_clear()
    assert Runtime().why_not_ready() == reason
    read_settings.cache_clear()
