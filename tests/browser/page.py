"""A page that opens one notebook, runs it, and notices what should not happen."""
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.browser.lab import Lab

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
OPEN_S = 60   # opening JupyterLab and a kernel on a busy two-core machine
RUN_S = 240   # running a lesson's explorer cells in the smoke profile there
ANSWER_S = 20  # an explorer's answer to one key there
FAILED = ".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']"
WARNED = ".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']"
# Complaints that are not ours: a workspace that does not exist yet, optional servers that are absent; and anywidget's
# time limit for slow machines, after which our widgets go on nevertheless (see workbench/reliable.py).
THEIRS = ("/api/workspaces/", "/lsp/", "favicon", "ResizeObserver loop", "[anywidget] Failed to initialize model.")


class Guarded:
    """A notebook in a browser. ``foreign``: blocked requests; ``errors``: console errors and uncaught exceptions."""

    def __init__(self, browser: Any, lab: Lab, notebook: str) -> None:
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
        self.context.route("**/*", self._route)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._note(f"uncaught: {error}", ""))
        self.page.goto(lab.address(notebook))
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=1000 * OPEN_S)
        self.page.get_by_text("| Idle").first.wait_for(timeout=1000 * OPEN_S)

    def slow_down(self, factor: float) -> None:
        """Give the page a processor so many times slower."""
        self.context.new_cdp_session(self.page).send("Emulation.setCPUThrottlingRate", {"rate": factor})

    def run_all(self) -> None:
        """Run all cells and wait until the kernel is idle again and all explorers are drawn."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        # every code cell that has been run shows its number; a failed cell stops the run and leaves some without
        self.page.wait_for_function(
            "failed => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
            ".every(prompt => /\\[\\d+\\]/.test(prompt.textContent)) || document.querySelector(failed)",
            arg=FAILED,
            timeout=1000 * RUN_S,
        )
        wrong = self.page.locator(FAILED)
        assert wrong.count() == 0, f"a cell failed: {wrong.first.inner_text()[-1500:]}"
        warned = self.page.locator(WARNED)
        assert warned.count() == 0, f"a cell warns: {warned.first.inner_text()[-1500:]}"
        self.page.get_by_text("| Idle").first.wait_for(timeout=1000 * RUN_S)

    def explorers(self, expected: int, seconds: float = ANSWER_S) -> list[Seen]:
        """The live explorers of the page, once all are drawn."""
        found = self.page.locator(".gradscape-explorer")
        for k in range(expected):
            found.nth(k).locator(".gs-panel").wait_for(timeout=1000 * seconds)
            found.nth(k).locator(".js-plotly-plot .main-svg").first.wait_for(state="attached", timeout=1000 * seconds)
        assert found.count() == expected, f"{found.count()} explorers where {expected} were expected"
        seen = [Seen(self.page, found.nth(k)) for k in range(expected)]
        for explorer in seen:  # the data come after the frame
            self.page.wait_for_function(
                "([plot, empty]) => empty || plot.data.length > 0",
                arg=[explorer.plot.element_handle(), explorer.status == "press Run"], timeout=1000 * seconds,
            )
        return seen

    def close(self) -> None:
        self.context.close()

    def _route(self, route: Any) -> None:
        parts = urlsplit(route.request.url)
        if parts.scheme in ("data", "blob") or parts.hostname in LOOPBACK:
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self._note(message.text, (message.location or {}).get("url", ""))

    def _note(self, text: str, where: str) -> None:
        if not any(known in text or known in where for known in THEIRS):
            self.errors.append(f"{text} ({where})" if where else text)


class Seen:
    """One explorer as a reader sees it."""

    def __init__(self, page: Any, root: Any) -> None:
        self.page, self.root = page, root

    @property
    def plot(self) -> Any:
        return self.root.locator(".js-plotly-plot")

    @property
    def mode(self) -> str:
        return str(self.root.locator(".gs-panel").get_attribute("data-mode"))

    @property
    def name(self) -> str:
        return str(self.root.locator(".gs-panel").get_attribute("aria-label"))

    @property
    def status(self) -> str:
        return str(self.root.locator(".gs-panel .gs-status").inner_text())

    def drawn(self) -> str:
        """What plotly draws now, as text: changes when and only when the picture does."""
        return str(self.plot.evaluate(
            "plot => JSON.stringify([plot.data.map(({uid, _doNotReportToPy, ...rest}) => rest), plot.layout.shapes,"
            " plot.layout.annotations, plot.layout.title])"
        ))

    def await_change(self, before: str, seconds: float = ANSWER_S) -> bool:
        """Whether the picture differs from ``before`` within so many seconds."""
        for _ in range(int(seconds * 20)):
            if self.drawn() != before:
                return True
            self.page.wait_for_timeout(50)
        return False

    def controls(self) -> Any:
        """Sliders, lists and switches, not the text boxes."""
        return self.root.locator(".gs-control input[type=range], .gs-control select, .gs-control input[type=checkbox]")

    def text_box(self, name: str) -> Any:
        return self.root.locator(f".gs-control[data-name='{name}'] input[type=text]")

    def button(self, name: str) -> Any:
        return self.root.get_by_role("button", name=name, exact=True)

    def press(self, control: Any, key: str) -> None:
        control.focus()
        self.page.keyboard.press(key)

    def settle(self, button: str) -> None:
        """Press Reset or a preset and wait until the picture stays the same for half a second."""
        self.press(self.button(button), "Enter")
        last, since = self.drawn(), 0
        while since < 10:
            self.page.wait_for_timeout(50)
            now = self.drawn()
            since = since + 1 if now == last else 0
            last = now

    def moves(self, control: Any) -> bool:
        """Whether a control changes the picture from the start, or at least from one of the presets."""
        presets = self.root.locator("[data-preset]").all_inner_texts()
        for button in ("Reset", *presets):
            self.settle(button)
            if self.moved(control):
                return True
        return False

    def moved(self, control: Any) -> bool:
        """Whether some key changes the picture: a step either way, then the ends (a step may be too small to see)."""
        keys = {"checkbox": ["Space"], "range": ["ArrowRight", "ArrowLeft", "End", "Home"]}
        kind = control.get_attribute("type") or "select"
        for key in keys.get(kind, ["ArrowDown", "ArrowUp"]):
            before = self.drawn()
            self.press(control, key)
            if self.await_change(before, 2.0 if kind == "range" and key != "Home" else ANSWER_S):
                return True
        return False

    def run(self, seconds: float = RUN_S) -> None:
        """Press Run by keyboard and wait for the end."""
        self.press(self.button("Run"), "Enter")
        ended = ":is([data-kind=ok], [data-kind=stopped], [data-kind=error])"
        self.root.locator(f".gs-panel .gs-status{ended}").wait_for(state="attached", timeout=1000 * seconds)
        self.button("Cancel").wait_for(state="hidden", timeout=1000 * ANSWER_S)
