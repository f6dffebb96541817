"""Every control of every page, moved in a real browser: seconds until the page has changed for the last time.

A control is a button of a group, a menu, a slider, a switch or a field in the page's main part. Each is moved there and
back three times and the first time does not count, so that only what needs no new inference is timed. The clock is the
page's own: from the press to the last change that it draws before it rests. Where a picture of a scene in space comes
before the scene, it ends with that picture, and the seconds until the scene itself are told beside it. Buttons that
stand alone are left out: they import, train and delete.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks._serving import chromium_path, launched, serving

GOAL_S = 0.3
LESSONS = ("Localization", "Triplets", "Training", "Diversification", "NetVLAD", "Recall")
SECTIONS = ("Recall", "Pairs", "Descriptors", "Failures", "Seeds")
VIEWS = (
    "", "explore", *(f"compare?section={section}" for section in SECTIONS), "localize", "train", "data",
    *(f"learn?lesson={lesson}" for lesson in LESSONS),
)  # fmt: skip
ROUNDS = 3
WIDE = max(map(len, VIEWS)) + 2
MAIN = "[data-testid=stMainBlockContainer]"
WATCH = f"""() => {{
  window.pressed = window.changed = performance.now()
  for (const kind of ['pointerup', 'keydown'])
    document.addEventListener(kind, () => {{
      window.pressed = window.changed = performance.now()
      window.pictured = null
    }}, true)
  const still = () => [...document.querySelectorAll('img.still')].at(-1)
  let last = still()
  new MutationObserver(() => {{
    window.changed = performance.now()
    if (still() && still() !== last) still().decode().then(() => {{ window.pictured = performance.now() }})
    last = still()
  }}).observe(
    document.querySelector({MAIN!r}), {{childList: true, subtree: true, attributes: true, characterData: true}})
}}"""
RESTED = """quiet => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
  && performance.now() - window.changed > quiet && performance.now() - window.pressed > quiet"""
QUIET_MS = 400
ASKED_EVERY_MS = 100  # asked at every frame, as playwright does unless told, a window that waits draws all of them
TOOK = "() => (window.changed - window.pressed) / 1000"
PICTURED = "() => window.pictured && (window.pictured - window.pressed) / 1000"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks controls", description=__doc__)
    parser.add_argument("--views", nargs="+", default=VIEWS, help="paths, with their query if need be")
    options = parser.parse_args(argv)
    every: list[float] = []
    with serving() as address, launched(chromium_path()) as chromium:
        print(f"{'view':<{WIDE}}{'control':<34}{'median':>8}{'slowest':>9}   (seconds; goal: under {GOAL_S:g})")
        for view in options.views:
            for name, seconds in moved(chromium, f"{address}/{view}"):
                shown = [first for first, _ in seconds]
                every += shown
                scenes = [whole for first, whole in seconds if whole > first]
                more = f"   scenes after {statistics.median(scenes):.2f}" if scenes else ""
                print(
                    f"{view or 'home':<{WIDE}}{name:<34}{statistics.median(shown):>8.2f}{max(shown):>9.2f}{more}",
                    flush=True,
                )
    within = sum(second < GOAL_S for second in every)
    print(f"{len(every)} moves, median {statistics.median(every):.2f} s, {within / len(every):.0%} under {GOAL_S:g} s")


def moved(chromium: Any, address: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Each control of a view by its name, with the seconds of its moves that count, see `_timed`.

    The view is opened anew for each: what a menu chose on the way back may have taken another control away.
    """
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(120_000)
    _open(page, address)
    for name, moves in controls(page):
        _open(page, address)
        rounds = [[_timed(page, move) for move in moves] for _ in range(ROUNDS)]
        yield name, [seconds for round_ in rounds[1:] for seconds in round_]
    page.close()


def _open(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(f"{MAIN} :is(h1, h2, h3)", state="attached")
    page.evaluate(WATCH)
    page.wait_for_function(RESTED, arg=3000, polling=ASKED_EVERY_MS)


def controls(page: Any) -> list[tuple[str, list[Callable[[], None]]]]:
    """Each control with the moves that take it there and back."""
    main = page.locator(MAIN)
    found: list[tuple[str, list[Callable[[], None]]]] = []
    for kind, moves in (
        ("[data-testid=stButtonGroup]", _group),
        ("[data-testid=stSelectbox]", _menu),
        ("[data-testid=stSlider]", _slider),
        ("[data-testid=stCheckbox]", _switch),
    ):
        for control in main.locator(kind).filter(visible=True).all():
            there_and_back = moves(control)
            if there_and_back:
                label = control.locator("[data-testid=stWidgetLabel]").first
                words = label.inner_text() or label.text_content() or kind
                found.append((" ".join(words.split())[:32], there_and_back))  # a formula has a line for each sign
    return found


def _group(control: Any) -> list[Callable[[], None]]:
    """To each of the other buttons, and back to the one that was pressed."""
    buttons = control.get_by_role("radio").all()
    chosen = [button.get_attribute("aria-checked") == "true" for button in buttons]
    return [button.click for _, button in sorted(zip(chosen, buttons, strict=True), key=lambda pair: pair[0])]


def _menu(control: Any) -> list[Callable[[], None]]:
    field = control.locator("input")
    if field.is_disabled():
        return []

    def choose(key: str) -> Callable[[], None]:
        def move() -> None:
            field.click()
            field.page.wait_for_timeout(200)  # the list unfolds
            field.press(key)
            field.press("Enter")

        return move

    return [choose("ArrowDown"), choose("ArrowUp")]


def _slider(control: Any) -> list[Callable[[], None]]:
    handle = control.get_by_role("slider").first
    return [lambda: handle.press("ArrowRight"), lambda: handle.press("ArrowLeft")]


def _switch(control: Any) -> list[Callable[[], None]]:
    return [control.click, control.click]


def _timed(page: Any, move: Callable[[], None]) -> tuple[float, float]:
    """Seconds until the answer is shown, and until all of it is: they differ where a scene follows its picture."""
    move()
    page.wait_for_function(RESTED, arg=QUIET_MS, polling=ASKED_EVERY_MS)
    whole = max(0.0, page.evaluate(TOOK))
    return page.evaluate(PICTURED) or whole, whole
