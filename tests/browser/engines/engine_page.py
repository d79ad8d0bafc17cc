"""A page in Firefox or WebKit: found by its words, worked by the browser's own clicks and keys."""

from typing import Any

from selenium.webdriver import ActionChains
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from deploy.local.captcha_solver import solve
from deploy.local.client import ApiClient, wait_until

_FIND = """
const [kind, sought] = arguments;
const words = (one) => (one.ariaLabel || one.alt || one.labels?.[0]?.textContent || one.textContent).trim();
const shown = [...document.querySelectorAll(kind)].filter((one) => one.getClientRects().length && !one.disabled);
return shown.find((one) => words(one) === sought) || shown.find((one) => words(one).startsWith(sought)) || null;
"""
_KEEP_ERRORS = """
const seen = (window.errorsSeen = []);
addEventListener("error", (event) => seen.push(event.message));
addEventListener("unhandledrejection", (event) => seen.push(`unhandled: ${event.reason}`));
const log = console.error;
console.error = (...all) => log(...all, seen.push(all.join(" ")));
"""
_KEEP_CAPTCHA = """
const real = window.fetch;
window.fetch = async (...request) => {
    const answer = await real(...request);
    if (answer.url.endsWith("/api/v1/captchas")) window.captchaTaken = (await answer.clone().json()).captcha_id;
    return answer;
};
"""
_TOO_OLD = "return document.querySelector('#too-old').getClientRects().length > 0"


class EnginePage:
    """What a person sees and does there, and errors of the scripts and of the console.

    Firefox tells of errors itself; WebKit does not, so there the page keeps them, from when it is loaded.
    """

    def __init__(self, driver: WebDriver, base: str) -> None:
        self.driver, self.base = driver, base
        self._errors: list[str] = []
        self._has_protocol = bool(driver.capabilities.get("webSocketUrl"))
        if self._has_protocol:
            driver.script.add_console_message_handler(self._note)
            driver.script.add_javascript_error_handler(self._note)

    def sign_in(self, client: ApiClient) -> None:
        """Takes over the session of a client."""
        self.driver.get(f"{self.base}/robots.txt")
        for cookie in client.http.cookies:
            self.driver.add_cookie({"name": cookie.name, "value": cookie.value or "", "path": "/"})

    def open(self, address: str, text: str) -> None:
        """Opens an address, and waits for a text on its page; it is not that of a browser that is too old."""
        self._keep_errors()
        self.driver.get(self.base + address)
        if not self._has_protocol:
            self.run(_KEEP_ERRORS)
        self.wait_for(text)
        assert not self.run(_TOO_OLD)

    def narrow(self) -> None:
        """Makes the page as wide as a phone: 360 pixels, or the least that the browser can, 447 in WebKit's."""
        if self._has_protocol:
            size = {"width": 360, "height": 740}
            self.driver.browsing_context.set_viewport(context=self.driver.current_window_handle, viewport=size)
        else:
            self.driver.set_window_rect(0, 0, 360, 740)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns on the page."""
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, text: str) -> None:
        """Waits until the page shows a text."""
        wait_until(lambda: text in self.text(), f"the page shows {text}")

    def wait_until_it_is(self, script: str, value: Any) -> None:
        """Waits until a script returns this value."""
        wait_until(lambda: self.run(script) == value, f"it is {value}: {script}")

    def text(self) -> str:
        """All text that is shown."""
        return str(self.run("return document.body.innerText"))

    def find(self, kind: str, words: str) -> WebElement:
        """The first enabled element of this kind (a CSS selector) with these words, when there is one."""
        return wait_until(lambda: self.run(_FIND, kind, words), f"there is {kind} {words}")

    def press(self, words: str, kind: str = "button, a") -> None:
        """Clicks on a button, a link, or another kind of element."""
        self.find(kind, words).click()

    def fill(self, label: str, value: str) -> WebElement:
        """Types a text into a field."""
        field = self.find("input, textarea", label)
        field.clear()
        field.send_keys(value)
        return field

    def choose(self, label: str, value: str) -> None:
        """Chooses an option by its value."""
        Select(self.find("select", label)).select_by_value(value)

    def keys(self, keys: str) -> None:
        """Presses keys where the focus is."""
        ActionChains(self.driver).send_keys(keys).perform()

    def answer_captcha(self) -> str:
        """Takes another captcha and returns its answer."""
        self.find("img", "验证码图片")
        self.run(_KEEP_CAPTCHA)
        self.press("看不清？换一张")
        return solve(wait_until(lambda: self.run("return window.captchaTaken"), "another captcha is there"))

    def take_errors(self) -> list[str]:
        """The errors since the last call."""
        self._keep_errors()
        taken, self._errors = self._errors, []
        return taken

    def _note(self, entry: Any) -> None:
        if entry.level == "error":
            self._errors.append(entry.text)

    def _keep_errors(self) -> None:
        """Takes over what the page has kept, before it goes."""
        if not self._has_protocol:
            self._errors += self.run("return (window.errorsSeen || []).splice(0)")
