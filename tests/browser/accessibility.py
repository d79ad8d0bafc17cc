"""Accessibility checks of pages by axe."""

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
    page.evaluate(_COME_TO_REST)
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in (*_SERIOUS, *more)
        for node in violation["nodes"]
    ]
