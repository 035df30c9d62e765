"""Headless Chromium for tests of the page: Debian's ``chromium`` and ``chromium-driver``, driven by selenium.

Outside CI a machine without them skips these tests and says what is missing; with ``CI`` set that is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
WAIT_S = 120


def required() -> tuple[str, str]:
    """The browser and its driver, or the end of the test."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        words = (
            f"{' and '.join(missing)} not found: the page is tested in a real browser; on Debian: "
            "apt-get install chromium chromium-driver"
        )
        pytest.fail(words) if os.environ.get("CI") else pytest.skip(words)
    return found["chromium"], found["chromedriver"]


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Browser]:
    """A browser with a new profile."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = required()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    started = webdriver.Chrome(options, Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()


class Browser:
    """What a reader of the page does and sees. Elements are named by CSS selectors."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        """``width`` is that of the page, not of the window."""
        self.size(width, height)
        self.driver.get(address)

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def all(self, selector: str) -> list:
        return self.driver.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return " ".join(
            self.js(
                "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join(' ')", selector
            ).split()
        )

    def js(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, question, what: str):
        """The first true answer of ``question``, asked again and again."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            return WebDriverWait(self.driver, WAIT_S, 0.1).until(lambda _: question())
        except TimeoutException:
            pytest.fail(f"{what} did not come within {WAIT_S} s; the page says: {self.text('body')[:2000]}")

    def until_text(self, selector: str, words: str) -> str:
        self.until(lambda: words in self.text(selector), f"{words!r} in {selector}")
        return self.text(selector)

    def click(self, selector: str) -> None:
        self.until(lambda: self.all(selector), selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", self.all(selector)[0])
        self.all(selector)[0].click()

    def press(self, selector: str, words: str) -> None:
        """Clicks the button with these words or this label."""
        find = (
            "return [...document.querySelectorAll(arguments[0] + ' button')].find(e => [e.innerText.trim(), "
            "e.getAttribute('aria-label')].includes(arguments[1]))"
        )
        self.until(lambda: self.js(find, selector, words), f"the button {words!r}")
        self.js(find, selector, words).click()

    def download(self, selector: str, folder: Path) -> bytes:
        """Clicks, and gives the file that then comes."""
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        before = set(folder.iterdir())
        self.click(selector)
        new = self.until(
            lambda: [path for path in set(folder.iterdir()) - before if path.suffix in (".png", ".csv", ".html")],
            f"the file of {selector}",
        )
        return new[0].read_bytes()

    def tab(self, name: str) -> None:
        self.js(
            "[...document.querySelectorAll('[role=tab]')].find(e => e.innerText.trim() === arguments[0]).click()", name
        )

    def upload(self, selector: str, *paths: Path) -> None:
        self.until(lambda: self.all(f"{selector} input[type=file]"), f"the file field of {selector}")
        self.all(f"{selector} input[type=file]")[0].send_keys("\n".join(map(str, paths)))

    def pixels(self, selector: str) -> tuple[int, int]:
        """Natural width and height of an image once it is loaded; (0, 0) without one."""
        return tuple(
            self.js(
                "const i = document.querySelector(arguments[0]); return i && i.complete ? "
                "[i.naturalWidth, i.naturalHeight] : [0, 0]",
                selector,
            )
        )

    def requested(self) -> set[str]:
        """``host:port`` of every request since the last call, the browser's own pages and inline data left out."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        addresses = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return {
            urlsplit(address).netloc
            for address in addresses
            if urlsplit(address).scheme in ("http", "https", "ws", "wss")
        }

    def complaints(self) -> list[str]:
        """Errors in the browser's console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
