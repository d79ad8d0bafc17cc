"""Accessibility checks of pages by axe."""

from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Page

from deploy.local.web import WEB

_AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS = ("serious", "critical")
_COME_TO_REST = """async () => {
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const passing = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(passing.map((one) => one.finished));
}"""


def serious_findings(page: Page, *more: str) -> list[str]:
    """Returns each serious or critical finding on the page with its place, after colour transitions have ended.

    `more` are further impacts that count.
    """
    found = _violations(page, {"resultTypes": ["violations"]})
    return _named(violation for violation in found if violation["impact"] in (*_SERIOUS, *more))


def findings_of(page: Page, rule: str) -> list[str]:
    """Returns the findings of one rule of axe, whether or not it is among the usual ones."""
    return _named(_violations(page, {"resultTypes": ["violations"], "runOnly": [rule]}))


def _violations(page: Page, options: dict[str, Any]) -> list[dict[str, Any]]:
    page.evaluate(_COME_TO_REST)
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "async (options) => (await axe.run(document, options)).violations", options
    )
    return found


def _named(violations: Iterable[dict[str, Any]]) -> list[str]:
    return [f"{violation['id']}: {node['html'][:160]}" for violation in violations for node in violation["nodes"]]
