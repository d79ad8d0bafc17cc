"""A page of an old browser: Playwright's locators need newer ones, so it is looked at and worked by plain scripts."""

from playwright.sync_api import Page

from deploy.local.client import wait_until

_CONTROLS = """
const seen = (element) => element.getClientRects().length > 0;
const words = (element) => (element.getAttribute("aria-label") || element.textContent).trim();
const acts = () => [...document.querySelectorAll("button, a")].filter(seen);
const labelled = (label) =>
    [...document.querySelectorAll("input, textarea, select")].find((one) => one.getAttribute("aria-label") === label) ||
    [...document.querySelectorAll("label")].filter((one) => words(one).startsWith(label)).map((one) => one.control)[0];
"""
_PRESS = f"(sought) => {{ {_CONTROLS} acts().find((one) => words(one) === sought && !one.disabled).click(); }}"
_CAN_PRESS = f"(sought) => {{ {_CONTROLS} return acts().some((one) => words(one) === sought && !one.disabled); }}"
_TICK = f"(label) => {{ {_CONTROLS} labelled(label).click(); }}"
_HAS = f"(label) => {{ {_CONTROLS} return !!labelled(label); }}"
_FILL = f"""([label, value]) => {{
    {_CONTROLS}
    const field = labelled(label);
    field.value = value;
    field.dispatchEvent(new Event("input", {{ bubbles: true }}));
    field.dispatchEvent(new Event("change", {{ bubbles: true }}));
}}"""


class OldPage:
    """What a person sees and does on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, address: str, text: str) -> None:
        """Opens an address, and waits for a text on its page."""
        self.page.goto(address)
        self.wait_for(text)

    def wait_for(self, text: str) -> None:
        """Waits until the page shows a text."""
        wait_until(lambda: text in self.text(), f"the page shows {text}")

    def text(self) -> str:
        """All text that is shown."""
        return str(self.page.evaluate("document.body.innerText"))

    def press(self, words: str) -> None:
        """Presses the button or link with these words, when there is one."""
        wait_until(lambda: self.page.evaluate(_CAN_PRESS, words), f"there is a button {words}")
        self.page.evaluate(_PRESS, words)

    def tick(self, label: str) -> None:
        """Ticks the box whose label begins so."""
        wait_until(lambda: self.page.evaluate(_HAS, label), f"there is a box {label}")
        self.page.evaluate(_TICK, label)

    def fill(self, label: str, value: str) -> None:
        """Fills in, or chooses, a field's value."""
        wait_until(lambda: self.page.evaluate(_HAS, label), f"there is a field {label}")
        self.page.evaluate(_FILL, [label, value])
