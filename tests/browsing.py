"""A visitor of the running app: a tab of a real Chromium that notes whatever goes wrong."""

from urllib.parse import parse_qs, urlsplit

PATIENCE_MS = 120_000
MODELS = ("my-image-only", "my-hallucination", "my-bu-tf")
VIEW = "data=tiny&" + "&".join(f"models={name}" for name in MODELS)


class Visitor:
    """A tab that notes what goes wrong: errors on the console, failed requests, requests to elsewhere.

    Left without an error, it finds fault with whatever was noted.
    """

    def __init__(self, browser, address: str, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        self.address = address
        self.page = browser.new_page()
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_default_timeout(PATIENCE_MS)
        self.faults: list[str] = []
        self.page.on("console", lambda message: self._note(message.type == "error", message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._note(not self._here(request.url), f"asked for {request.url}"))
        self.page.on("response", lambda answer: self._note(answer.status >= 400, answer.url))

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self.page.evaluate("localStorage.clear()")  # the next visitor is as new to the app as this one was
            assert self.faults == []
        self.page.close()

    def _here(self, url: str) -> bool:
        return url.startswith((self.address, "data:", "blob:", "about:"))

    def _note(self, wrong: bool, text: str) -> None:
        if wrong:
            self.faults.append(text)

    def open(self, query: str = VIEW, page: str = "explore") -> None:
        self.page.goto(f"{self.address}/{page}?{query}")

    def settle(self) -> None:
        """Wait until the app has drawn and nothing on it is stale."""
        self.page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]')"
            " && !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')"
            " && document.querySelector('[data-testid=stMainBlockContainer] h3')"
        )
        self.page.wait_for_timeout(300)

    def choose(self, label: str, option: str) -> None:
        self.page.get_by_role("combobox", name=label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def heading(self, text: str) -> None:
        """Wait for a panel's heading that holds this text."""
        self.page.locator("h3.panel", has_text=text).first.wait_for()
        self.settle()

    def radius_is(self, metres: str) -> None:
        """Wait for the radius: a field is drawn with its default for a moment before it takes its value."""
        from playwright.sync_api import expect

        expect(self.page.get_by_test_id("stNumberInputField").first).to_have_value(metres, timeout=PATIENCE_MS)

    def nothing_is_cut(self) -> bool:
        """Whether the page's main part is as wide as the window, and so is all that is drawn in it."""
        main = self.page.locator("[data-testid=stMain]")
        parts = main.locator(":is(img, canvas, svg.plot, .js-plotly-plot, iframe, button, h3)")
        beyond = "parts => parts.filter(part => part.getBoundingClientRect().right > innerWidth + 1).length"
        return main.evaluate("main => main.scrollWidth <= main.clientWidth") and parts.evaluate_all(beyond) == 0

    def asks_for(self, **wanted: str | list[str]) -> bool:
        """Whether the address asks for these values, if not at once: it follows what is drawn by a moment."""
        lists = {key: [value] if isinstance(value, str) else value for key, value in wanted.items()}
        return self.comes_true(
            "wanted => Object.entries(wanted).every(([key, values]) => String(values)"
            " === String(new URLSearchParams(location.search).getAll(key)))",
            lists,
        )

    def comes_true(self, condition: str, arg: object) -> bool:
        """Whether a function of JavaScript gives true for `arg` within half a minute."""
        from playwright.sync_api import TimeoutError

        try:
            self.page.wait_for_function(condition, arg=arg, timeout=PATIENCE_MS / 4)
        except TimeoutError:
            return False
        return True

    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def marks(self):
        return self.page.frame_locator("iframe[title*='st_folium']").locator("svg.mark-svg")
