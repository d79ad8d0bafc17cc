"""Builds docs/handbook/handbook.html and handbook.pdf from the chapters and pictures: `make handbook`."""

import base64
import html
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from playwright.sync_api import PdfMargins

from deploy.handbook.chromium import chromium
from deploy.local.environment import ROOT

FOLDER = ROOT / "docs" / "handbook"
TITLE = "会员服务卡办理操作手册"
HTML, PDF = FOLDER / "handbook.html", FOLDER / "handbook.pdf"
_STYLE = Path(__file__).with_name("book.css")
_FOOTER = (
    "<div style='width:100%;font-size:9px;text-align:center;color:#59626f'>"
    f"{TITLE}　<span class='pageNumber'></span> / <span class='totalPages'></span></div>"
)
_MARGINS: PdfMargins = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}


@dataclass(frozen=True)
class Chapter:
    """One file of docs/handbook."""

    name: str
    title: str
    tokens: list[Token]


def main() -> int:
    """Writes both files; `make screenshots` must have taken the pictures."""
    document = book(chapters())
    HTML.write_text(document, encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(document, wait_until="load")
        printed = page.pdf(
            format="A4",
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=_FOOTER,
            margin=_MARGINS,
            outline=True,
            tagged=True,
        )
    PDF.write_bytes(printed)
    for path in (HTML, PDF):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} kB")
    return 0


def chapters() -> list[Chapter]:
    """Returns all chapters in order."""
    reader = MarkdownIt("commonmark").enable("table")
    found = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        tokens = reader.parse(path.read_text(encoding="utf-8"))
        found.append(Chapter(path.stem, tokens[1].content, tokens))
    return found


def pictures(chapter: Chapter) -> list[Path]:
    """Returns the picture files that a chapter shows."""
    images = [child for token in chapter.tokens for child in token.children or () if child.type == "image"]
    return [(FOLDER / str(image.attrs["src"])).resolve() for image in images]


def book(parts: list[Chapter]) -> str:
    """Returns the whole handbook as one self-contained HTML document."""
    contents = "".join(f'<li><a href="#{part.name}">{html.escape(part.title)}</a></li>' for part in parts)
    body = "".join(f'<section id="{part.name}">{_rendered(part)}</section>' for part in parts)
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{TITLE}</title>'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f"<header><p>上海工会网上工作平台</p><h1>{TITLE}</h1></header>"
        f'<nav aria-labelledby="contents"><h2 id="contents">目录</h2><ol>{contents}</ol></nav>'
        f"<main>{body}</main></body></html>\n"
    )


def _rendered(chapter: Chapter) -> str:
    rendered = MarkdownIt("commonmark").enable("table").renderer.render(chapter.tokens, MarkdownIt().options, {})
    return re.sub(r'<img src="([^"]+)" alt="([^"]*)" />', _figure, rendered)


def _figure(image: re.Match[str]) -> str:
    path = FOLDER / image[1]
    data = base64.b64encode(path.read_bytes()).decode()
    kind = "phone" if path.name.startswith("phone-") else "page"
    return (
        f'<span class="figure {kind}"><img src="data:image/png;base64,{data}" alt="{image[2]}">'
        f"<span>{image[2]}</span></span>"
    )


if __name__ == "__main__":
    sys.exit(main())
