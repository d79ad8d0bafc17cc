"""What every page of the phone keeps to: its width, what axe checks, and large type 大字."""

from playwright.sync_api import Page

from tests.browser.accessibility import findings_of, serious_findings


def fits(page: Page) -> bool:
    """Whether nothing reaches beyond the right edge."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def is_fit(page: Page) -> bool:
    """Whether axe finds nothing serious and the page fits the width."""
    assert serious_findings(page) == []
    return fits(page)


def small_texts(page: Page) -> list[str]:
    """Visible texts of less than 18 pixels."""
    found: list[str] = page.evaluate(
        """() => {
            const all = [];
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                const parent = node.parentElement;
                const isShown = parent.checkVisibility() && node.textContent.trim() && !parent.closest("script, style");
                if (isShown && parseFloat(getComputedStyle(parent).fontSize) < 18) all.push(node.textContent.trim());
            }
            return all;
        }"""
    )
    return found


def is_large(page: Page) -> bool:
    """Whether all texts are large, their contrast is 7:1, and nothing reaches beyond the edge."""
    assert findings_of(page, "color-contrast-enhanced") == []
    assert small_texts(page) == []
    return is_fit(page)
