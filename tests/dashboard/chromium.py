"""A real Chromium, driven by its DevTools protocol through a pipe: nothing but the browser is needed.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ABSENCE = None if PROGRAM else "no Chromium on this machine (apt install chromium)"

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it shows this project's page only, and containers do not allow the sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_DEADLINE_SECONDS = 30.0


class DevToolsError(Exception):
    """The browser refused a command, or did not answer."""


class Chromium:
    """A running browser; see :func:`running`."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._ids = itertools.count(1)
        self._pages: dict[str, Page] = {}

    def call(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """The result of one command; events that come before it go to their pages."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") != number:
                continue
            if "error" in answer:
                raise DevToolsError(f"{method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise DevToolsError("the browser does not answer")
            received = os.read(self._answers, 1 << 20)
            if not received:
                raise DevToolsError("the browser has ended")
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        page = self._pages.get(message.get("sessionId", ""))
        if page is not None and "method" in message:
            page.events.append(message)
        return message

    @contextmanager
    def page(self, width: int = 1440, height: int = 900) -> Iterator["Page"]:
        """An empty page with storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        try:
            yield page
        finally:
            del self._pages[session]
            self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a command for this page."""
        return self._browser.call(method, self._session, **params)

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def resize(self, width: int, height: int, scale: float = 1, *, is_phone: bool = False) -> None:
        """Show as much of the page as a screen of this size does."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=is_phone
        )

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``, as the system of the reader says."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def evaluate(self, expression: str) -> object:
        """What the expression, or the promise that it is, comes to."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise DevToolsError(f"{expression}: {result['exceptionDetails']}")
        value: object = result["result"].get("value")
        return value

    def wait_for(self, expression: str, seconds: float = 15.0) -> object:
        """The value of the expression as soon as it is true."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression}"
            time.sleep(0.03)

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def number(self, expression: str) -> float:
        """What the expression comes to, a number."""
        value = self.evaluate(expression)
        assert isinstance(value, int | float), value
        return value

    def press(self, key: str) -> None:
        """A key that writes nothing, such as ``Tab`` or ``ArrowRight``."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def point(self, x: float, y: float) -> None:
        """Move the mouse."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def complaints(self) -> list[str]:
        """Errors and warnings of the page's console, exceptions, violations of the policy: all since it was opened."""
        self.evaluate("0")  # whatever the browser has said so far
        return [words for event in self.events if (words := _complaint(event)) is not None]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what shows, or of the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


def _complaint(event: dict[str, Any]) -> str | None:
    params = event["params"]
    match event["method"]:
        case "Runtime.exceptionThrown":
            return f"exception: {params['exceptionDetails']}"
        case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
            return f"console: {params['args']}"
        case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
            return f"{params['entry']['source']}: {params['entry']['text']}"
    return None


@contextmanager
def running(profile: Path) -> Iterator[Chromium]:
    """A browser with an empty profile in that directory, ended at the end."""
    assert PROGRAM is not None
    command_end, commands = _pipe()
    answers, answer_end = _pipe()
    # The browser reads commands from descriptor 3 and writes to 4.
    redirected = f'exec "$@" 3<&{command_end} 4>&{answer_end}'
    arguments = ["bash", "-c", redirected, "bash", PROGRAM, *_FLAGS, f"--user-data-dir={profile}"]
    environment = os.environ | {"HOME": str(profile), "TZ": "UTC"}
    process = subprocess.Popen(
        arguments,
        pass_fds=(command_end, answer_end),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_end)
    os.close(answer_end)
    try:
        browser = Chromium(commands, answers)
        yield browser
        browser.call("Browser.close")
        process.wait(_DEADLINE_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(commands)
        os.close(answers)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are not among the numbers that the browser uses."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return high[0], high[1]
