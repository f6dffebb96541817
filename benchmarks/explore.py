"""One query through the warm app in a real browser: seconds from the click to the drawn page.

Drawn means: the new query and its depth maps are on the page, every picture of every candidate is decoded, the map has
its marks, and Streamlit is done. Needs Chromium and playwright; nothing but the app is asked for anything.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks._serving import SETTLED, chromium_path, launched, serving

GOAL_S = 1.0
GOAL_SEEN_S = 0.3
DRAWN = f"""before => {{
  const main = document.querySelector('[data-testid=stMainBlockContainer]')
  const heading = main && main.querySelector('h3.panel')
  if (!heading || heading.innerText === before) return false
  if (!({SETTLED})()) return false
  const pictures = [...main.querySelectorAll('img')]
  if (!pictures.length || pictures.some(picture => !picture.complete || !picture.naturalWidth)) return false
  if ([...main.querySelectorAll('.stPlotlyChart')].some(chart => !chart.querySelector('.js-plotly-plot'))) return false
  const frame = main.querySelector('iframe[title*=st_folium]')
  return !frame || frame.contentDocument.querySelectorAll('svg.mark-svg').length > 0
}}"""

CANDIDATE = ".gallery section.answer:last-child [data-pick]"
CHOSEN = f"""which => ({SETTLED})()
  && document.querySelectorAll({CANDIDATE!r})[which].getAttribute('aria-pressed') === 'true'"""

TIMED = """async (button, about) => {{
  const start = performance.now()
  button.click()
  while (!({drawn})(about)) await new Promise(resolve => setTimeout(resolve, 5))
  return (performance.now() - start) / 1000
}}"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks explore", description=__doc__)
    parser.add_argument("--clicks", type=int, default=20, help="queries to walk through (default 20)")
    parser.add_argument("--view", default="", help="the address's query, say data=town&condition=night")
    options = parser.parse_args(argv)
    with serving() as address, launched(chromium_path()) as chromium:
        report(*walk(chromium, f"{address}/explore?{options.view}", options.clicks))


def walk(chromium: Any, address: str, clicks: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds to open the page, cold and then warm; of each click on Next; and of each on a candidate's picture.

    One click of each kind comes first and does not count. A candidate that was looked at before needs no inference.
    """
    page, cold = _opened(chromium, address)
    page.close()
    page, warm = _opened(chromium, address)
    answers = [_next(page) for _ in range(clicks + 1)][1:]
    for _ in range(2):
        _choose(page, 0), _choose(page, 1)
    return [cold, warm], answers, [_choose(page, click % 2) for click in range(clicks)]


def _opened(chromium: Any, address: str) -> tuple[Any, float]:
    page = chromium.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(600_000)
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function(DRAWN, arg="")
    return page, time.perf_counter() - start


def _next(page: Any) -> float:
    before = page.locator("h3.panel").first.inner_text()
    return _timed(page, page.get_by_role("button", name="Next"), DRAWN, before)


def _choose(page: Any, which: int) -> float:
    """Press the first or the second candidate of the last model; drawn is the page when its ring has moved there."""
    return _timed(page, page.locator(CANDIDATE).nth(which), CHOSEN, which)


def _timed(page: Any, button: Any, drawn: str, about: object) -> float:
    """Seconds from a click until `drawn(about)`, by the page's own clock: a driver's would add its own waiting."""
    page.wait_for_timeout(300)  # what the page still does of its own accord after the last one
    return button.evaluate(TIMED.format(drawn=drawn), about)


def report(opened: list[float], answers: list[float], choices: list[float]) -> None:
    print(f"opening the page     {opened[0]:6.2f} s on a fresh server, {opened[1]:.2f} s on a warm one")
    for what, seconds, goal in (("next query", answers, GOAL_S), ("chosen candidate", choices, GOAL_SEEN_S)):
        middle, slowest = statistics.median(seconds), max(seconds)
        print(f"{what:<21}{middle:6.2f} s median of {len(seconds)}, slowest {slowest:.2f} (goal: under {goal:g} s)")
