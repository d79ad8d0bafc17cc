"""Starts Debian's Firefox and its WebKit, each driven by Selenium."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import FirefoxOptions, WebKitGTK, WebKitGTKOptions
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.service import Service

from deploy.local.client import wait_until
from tests.browser.engines.marionette import Marionette
from tests.debian_packages import need_packages

_ZONE = "Europe/Berlin"  # times must be Shanghai's wherever the computer is
_PREFERENCES: Mapping[str, str] = {
    "marionette.port": "0",
    "intl.accept_languages": '"zh-CN"',
    "ui.prefersReducedMotion": "1",
    "browser.chrome.site_icons": "false",  # it would ask for an icon of answers that are no pages
}


@contextmanager
def firefox() -> Iterator[WebDriver]:
    """Firefox without a window."""
    need_packages("firefox-esr")
    options = FirefoxOptions()
    options.web_socket_url = True  # it tells of errors there
    with (
        _folder() as folder,
        _running_firefox(folder) as port,
        WebDriver(command_executor=Marionette(port), options=options) as driver,
    ):
        yield driver


@contextmanager
def webkit() -> Iterator[WebDriver]:
    """WebKit's own small browser, on a screen that nobody sees."""
    need_packages("webkit2gtk-driver", "xvfb")
    with _screen() as display, _folder() as home:
        own = {"DISPLAY": display, "TZ": _ZONE, "LC_ALL": "en_US.UTF-8", "HOME": str(home)}
        service = Service("/usr/bin/WebKitWebDriver", env={**os.environ, **own}, log_output=subprocess.DEVNULL)
        with WebKitGTK(options=WebKitGTKOptions(), service=service) as driver:
            yield driver


@contextmanager
def _running_firefox(profile: Path) -> Iterator[int]:
    """Runs Firefox with a profile of its own; yields the port of its Marionette."""
    lines = (f'user_pref("{name}", {value});\n' for name, value in _PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    command = ["firefox-esr", "--headless", "--no-remote", "--marionette", "--remote-debugging-port=0"]
    with _running([*command, "--profile", str(profile)], {"TZ": _ZONE, "HOME": str(profile)}):
        port = profile / "MarionetteActivePort"
        yield int(wait_until(lambda: port.read_text() if port.exists() else "", "Firefox listens"))


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _screen() -> Iterator[str]:
    """Runs a screen without a device; yields its display."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    with _running(command, {}, writer), open(reader) as numbers:
        os.close(writer)
        yield f":{numbers.readline().strip()}"


@contextmanager
def _running(command: list[str], own: Mapping[str, str], *passed: int) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, **own}, pass_fds=passed, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
