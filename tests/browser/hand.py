"""A clerk's hand on a page: counts clicks, filled-in fields and keys, so that tests can tell what a task costs."""

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass
class Hand:
    """What a task took so far; `clicks` are counted where something is pressed or ticked."""

    page: Page
    clicks: int = 0
    fields: int = 0
    keys: int = 0

    @property
    def cost(self) -> tuple[int, int, int]:
        """Clicks, fields and keys."""
        return self.clicks, self.fields, self.keys

    def click(self, target: Locator) -> None:
        """Clicks it."""
        target.click()
        self.clicks += 1

    def fill(self, field: Locator, text: str) -> None:
        """Types a text into a field that a person would find by Tab or that has the focus already."""
        field.fill(text)
        self.fields += 1

    def press(self, key: str) -> None:
        """Presses a key where the focus is."""
        self.page.keyboard.press(key)
        self.keys += 1
